"""What a layer costs in time: one count for every bound, unit of work and number of digits in the package.

Times are nanoseconds a digit on one core of the machine they were measured on; other machines differ by a factor that is much the same
for all layers. They are computed from shapes, never measured on the spot: what is derived from them, such as how many digits a readout
is fitted on, does not depend on how busy the machine is.

The count is linear in what a layer reads, writes and computes (`features`), with coefficients by its kind. A processor computes several
channels at once, so few channels cost as much as a full set of lanes. `tests/benchmarks/bench_costs.py` fits the coefficients to measured
times and says how far the count is off.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cnn_explorer.layers import Conv2dSpec, Pool2dSpec, WindowSpec
from cnn_explorer.shapes import LayerShapes, NetworkShapes

LANES = {"conv": 16, "pool": 8}  # channels that are computed at once
UNIT_TIME = 25_000_000  # nanoseconds after which work can be paused or given up
UNIT_VALUES = 1_000_000  # values of a layer's output in a unit: they stay in the processor's cache
UNIT_DIGITS = 100
FRESH_BYTES, FRESH_TIME = 32_000_000, 6.0  # nanoseconds a value, forward and back


class LayerTime(NamedTuple):
    """Nanoseconds a digit: of the `forward` pass, and of `training`, which is forward, backward and the gradients of weights."""

    forward: float
    training: float


class Features(NamedTuple):
    """What a layer does for one digit: its share of a `call`, numbers that it has to do with, and the operations on them.

    `inputs` and `outputs` are values read and written, in training with channels rounded up to full lanes. `lanes` are multiply-adds
    with out_channels rounded up, `work` the multiply-adds themselves, or the cells that all windows of a pooling cover.
    """

    call: float
    inputs: float
    outputs: float
    lanes: float
    work: float
    parameters: float


def layer_time(layer: LayerShapes) -> LayerTime:
    """What a layer costs, by its kind and its shapes."""
    return LayerTime(_time(layer, training=False), _time(layer, training=True))


def forward_time(layers: Iterable[LayerShapes]) -> float:
    """Nanoseconds that one digit takes through layers, forward."""
    return sum(layer_time(layer).forward for layer in layers)


def training_time(layers: Iterable[LayerShapes]) -> float:
    """Nanoseconds that one digit takes through layers, forward and back."""
    return sum(layer_time(layer).training for layer in layers)


def affordable_digits(time: float, bounds: tuple[int, int], shapes: NetworkShapes) -> int:
    """How many digits may pass forward through a network in so many nanoseconds, within bounds."""
    return int(min(max(time / max(forward_time(shapes.layers), 1), bounds[0]), bounds[1]))


def digits_per_unit(shapes: NetworkShapes) -> int:
    """How many digits may pass forward through a network before the work looks up again; 1 to 100."""
    largest = max((layer.values for layer in shapes.layers), default=1)
    return min(affordable_digits(UNIT_TIME, (1, UNIT_DIGITS), shapes), max(UNIT_VALUES // largest, 1))


def batch_time(layers: Sequence[LayerShapes], batch_size: int) -> float:
    """Nanoseconds of a training step, without the optimizer's.

    An output of more than 32 MB is given fresh pages by the system every time, which takes longer than what is computed.
    """
    fresh = sum(batch_size * layer.values for layer in layers if 4 * batch_size * layer.values > FRESH_BYTES)
    return batch_size * training_time(layers) + FRESH_TIME * fresh


def features(layer: LayerShapes, training: bool) -> Features:
    """What the coefficients of the layer's kind are multiplied with."""
    values_in, values_out = float(math.prod(layer.input_shape)), float(layer.values)
    spec = layer.spec
    # Forward, units hold as many digits as have a million values; in training a batch is what the recipe says.
    call = 1 if training else max(max(values_in, values_out) * UNIT_DIGITS / UNIT_VALUES, 1)
    if isinstance(spec, Conv2dSpec):
        channels_in, channels_out = layer.input_shape[0], spec.out_channels
        lanes = _filled(channels_out // spec.groups, "conv")
        if training:
            values_in, values_out = values_in * _filled(channels_in, "conv"), values_out * _filled(channels_out, "conv")
        return Features(call, values_in, values_out, layer.macs * lanes, layer.macs, layer.parameters)
    if isinstance(spec, Pool2dSpec):
        fill = _filled(layer.input_shape[0], "pool") if training else 1
        covered = layer.input_shape[0] * math.prod(_covered(spec, layer.input_shape, axis) for axis in (0, 1))
        return Features(call, values_in * fill, values_out * fill, 0, covered * fill, 0)
    return Features(call, values_in, values_out, 0, layer.macs, layer.parameters)


def kind_of(layer: LayerShapes) -> str:
    """The key of the layer's coefficients: the nn class, and for a convolution what torch has separate code for."""
    spec = layer.spec
    if not isinstance(spec, Conv2dSpec):
        return spec.torch_name if spec.torch_name in FORWARD else "activation"
    dilated = "dilated " if spec.dilation != 1 and spec.kernel_size != 1 else ""
    if spec.groups > 1:
        depthwise = spec.groups == layer.input_shape[0] == spec.out_channels
        return f"{dilated}depthwise Conv2d" if depthwise else "grouped Conv2d"
    return "1x1 Conv2d" if spec.kernel_size == 1 else f"{dilated}Conv2d"


def _time(layer: LayerShapes, training: bool) -> float:
    coefficients = (TRAINING if training else FORWARD)[kind_of(layer)]
    return sum(coefficient * feature for coefficient, feature in zip(coefficients, features(layer, training), strict=True))


def _filled(channels: int, kind: str) -> float:
    """The factor by which channels grow when the last lanes are filled up."""
    return math.ceil(channels / LANES[kind]) * LANES[kind] / channels


def _covered(spec: WindowSpec, shape: tuple[int, ...], axis: int) -> int:
    """Rows, or columns, of the input that all windows along an axis cover together, padding left out."""
    kernel, stride, padding, dilation = (value[axis] for value in spec.window())
    size = shape[1 + axis]
    count = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    starts = range(-padding, -padding + count * stride, stride)
    return sum(sum(0 <= start + dilation * tap < size for tap in range(kernel)) for start in starts)


# By kind: nanoseconds of a call's share, a value read, a value written, a multiply-add in full lanes, an operation, a parameter.
FORWARD: Mapping[str, tuple[float, ...]] = {
    "Conv2d": (1160, 0.63, 0.35, 0.029, 0.0, 0.11),
    "dilated Conv2d": (1160, 0.63, 0.35, 0.029, 0.0, 0.11),
    "1x1 Conv2d": (1160, 0.63, 0.35, 0.029, 0.0, 0.11),
    "grouped Conv2d": (4500, 0.41, 0.91, 0.036, 0.0, 0.0),
    "depthwise Conv2d": (3900, 0.02, 0.01, 0.0, 0.145, 0.0),
    "dilated depthwise Conv2d": (3900, 0.02, 0.01, 0.0, 0.37, 0.0),
    "MaxPool2d": (7, 0.0, 13.1, 0.0, 1.57, 0.0),
    "AvgPool2d": (24, 0.0, 8.4, 0.0, 0.71, 0.0),
    "BatchNorm2d": (160, 0.2, 0.2, 0.0, 0.0, 0.0),
    "Dropout": (50, 0.0, 0.0, 0.0, 0.0, 0.0),
    "Flatten": (50, 0.0, 0.0, 0.0, 0.0, 0.0),
    "Linear": (76, 0.49, 0.03, 0.0, 0.045, 0.0),
    "ReLU": (40, 0.1, 0.1, 0.0, 0.0, 0.0),
    "LeakyReLU": (40, 0.1, 0.1, 0.0, 0.0, 0.0),
    "Tanh": (30, 2.0, 2.0, 0.0, 0.0, 0.0),
    "Sigmoid": (60, 0.44, 0.44, 0.0, 0.0, 0.0),
    "GELU": (50, 0.9, 0.9, 0.0, 0.0, 0.0),
    "activation": (50, 2.0, 2.0, 0.0, 0.0, 0.0),
}
TRAINING: Mapping[str, tuple[float, ...]] = {
    "Conv2d": (6600, 1.54, 1.1, 0.067, 0.018, 0.62),
    "dilated Conv2d": (6600, 1.54, 1.1, 0.067, 0.018, 0.62),
    "1x1 Conv2d": (6600, 1.54, 1.1, 0.067, 0.018, 0.62),
    "grouped Conv2d": (30000, 0.07, 8.2, 0.088, 0.0, 0.0),
    "depthwise Conv2d": (14000, 2.0, 0.02, 0.0, 1.08, 0.0),
    "dilated depthwise Conv2d": (14000, 2.0, 0.02, 0.0, 5.0, 0.0),
    "MaxPool2d": (660, 0.05, 3.8, 0.0, 0.45, 0.0),
    "AvgPool2d": (810, 0.36, 1.3, 0.0, 0.35, 0.0),
    "BatchNorm2d": (2500, 0.0, 5.0, 0.0, 0.0, 0.0),
    "Dropout": (1300, 0.0, 18.0, 0.0, 0.0, 0.0),
    "Flatten": (500, 0.0, 0.0, 0.0, 0.0, 0.0),
    "Linear": (2300, 0.9, 1.3, 0.0, 0.13, 0.0),
    "ReLU": (1000, 0.0, 1.3, 0.0, 0.0, 0.0),
    "LeakyReLU": (1000, 0.0, 1.0, 0.0, 0.0, 0.0),
    "Tanh": (1000, 0.0, 5.0, 0.0, 0.0, 0.0),
    "Sigmoid": (1000, 0.0, 1.5, 0.0, 0.0, 0.0),
    "GELU": (1200, 0.0, 4.0, 0.0, 0.0, 0.0),
    "activation": (1000, 0.0, 5.0, 0.0, 0.0, 0.0),
}
