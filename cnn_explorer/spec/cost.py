"""The computing time of a layer, estimated from its shapes.

Everything in the package that depends on time uses this estimate: limits, batch sizes, the number of digits that a
network is fitted or tested on. It is not measured while the app runs, so results do not depend on how busy the machine
is.

Times are nanoseconds a digit on one core of the machine they were measured on; on other machines they differ by a
factor that is about the same for all layers. The estimate is linear in what a layer reads, writes and computes
(`Work`), with coefficients by its kind. A processor computes several channels at once, in lanes, so a few channels cost
as much as full lanes. `tests/benchmarks/bench_costs.py` fits the coefficients to measured times and reports the error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cnn_explorer.spec.layers import Conv2dSpec, Pool2dSpec, WindowSpec
from cnn_explorer.spec.shapes import LayerShapes, NetworkShapes

LANES = {"conv": 16, "pool": 8}  # channels that a processor computes at once
# A unit is a batch after which work can be paused or given up.
UNIT_TIME = 25_000_000  # nanoseconds, at most
UNIT_VALUES = 1_000_000  # values of a layer's output, at most: more do not fit into the processor's cache
UNIT_DIGITS = 100  # at most
PAGED_BYTES, PAGING_TIME = 32_000_000, 6.0  # outputs above this size cost so many nanoseconds more a value


class LayerTime(NamedTuple):
    """Nanoseconds a digit: of the `forward` pass, and of `training`, which is the forward and the backward pass."""

    forward: float
    training: float


class Work(NamedTuple):
    """What a layer does for one digit: the factors of the coefficients in `FORWARD` and `TRAINING`.

    `call` is a digit's share of the fixed cost of a call. `inputs` and `outputs` are values read and written; in
    training, channels are rounded up to full lanes. `operations` are multiply-adds, for a convolution with out_channels
    rounded up, and for a pooling the cells of all windows together. `taps` are the values that a convolution's windows
    gather, counted every time. `parameters` are weights and biases. Each of the `groups` is computed by itself.
    """

    call: float
    inputs: float
    outputs: float
    operations: float
    taps: float
    parameters: float
    groups: float


def layer_time(layer: LayerShapes) -> LayerTime:
    """The estimated times of a layer."""
    return LayerTime(_time(layer, training=False), _time(layer, training=True))


def forward_time(layers: Iterable[LayerShapes]) -> float:
    """Nanoseconds of a forward pass through `layers`, per digit."""
    return sum(layer_time(layer).forward for layer in layers)


def training_time(layers: Iterable[LayerShapes]) -> float:
    """Nanoseconds of a forward and a backward pass through `layers`, per digit."""
    return sum(layer_time(layer).training for layer in layers)


def affordable_digits(time: float, bounds: tuple[int, int], shapes: NetworkShapes) -> int:
    """How many digits can pass forward through a network in `time` nanoseconds; at least and at most `bounds`."""
    return int(min(max(time / max(forward_time(shapes.layers), 1), bounds[0]), bounds[1]))


def digits_per_unit(shapes: NetworkShapes) -> int:
    """The number of digits in a unit of work: a batch of a forward pass after which it can be stopped; 1 to 100."""
    largest = max((layer.values for layer in shapes.layers), default=1)
    return min(affordable_digits(UNIT_TIME, (1, UNIT_DIGITS), shapes), max(UNIT_VALUES // largest, 1))


def batch_time(layers: Sequence[LayerShapes], batch_size: int) -> float:
    """Nanoseconds of a training step without the optimizer's.

    The system allocates an output of more than 32 MB anew every time, which takes longer than computing it.
    """
    paged = sum(batch_size * layer.values for layer in layers if 4 * batch_size * layer.values > PAGED_BYTES)
    return batch_size * training_time(layers) + PAGING_TIME * paged


def work_of(layer: LayerShapes, training: bool) -> Work:
    """The factors of the coefficients of the layer's kind."""
    values_in, values_out = float(math.prod(layer.input_shape)), float(layer.values)
    spec = layer.spec
    # In a forward pass, the number of digits in a batch follows from their values; in training the recipe sets it.
    call = 1 if training else max(max(values_in, values_out) * UNIT_DIGITS / UNIT_VALUES, 1)
    if isinstance(spec, Conv2dSpec):
        channels_in, channels_out = layer.input_shape[0], spec.out_channels
        operations = layer.macs * _lane_factor(channels_out // spec.groups, "conv")
        taps = channels_in * math.prod(spec.window()[0]) * math.prod(layer.output_shape[1:])
        if training:
            values_in, values_out = (
                values_in * _lane_factor(channels_in, "conv"),
                values_out * _lane_factor(channels_out, "conv"),
            )
        return Work(call, values_in, values_out, operations, taps, layer.parameters, spec.groups)
    if isinstance(spec, Pool2dSpec):
        fill = _lane_factor(layer.input_shape[0], "pool") if training else 1
        covered = layer.input_shape[0] * math.prod(_covered(spec, layer.input_shape, axis) for axis in (0, 1))
        return Work(call, values_in * fill, values_out * fill, covered * fill, 0, 0, 0)
    return Work(call, values_in, values_out, layer.macs, 0, layer.parameters, 0)


def kind_of(layer: LayerShapes) -> str:
    """The key of a layer's coefficients: its nn class, and for a convolution what torch has special code for."""
    spec = layer.spec
    if not isinstance(spec, Conv2dSpec):
        return spec.torch_name if spec.torch_name in FORWARD else "activation"
    if spec.groups > 1:
        return "depthwise Conv2d" if spec.groups == layer.input_shape[0] == spec.out_channels else "grouped Conv2d"
    if spec.kernel_size == 1:
        return "1x1 Conv2d"
    return "dilated Conv2d" if spec.dilation != 1 else "Conv2d"


def _time(layer: LayerShapes, training: bool) -> float:
    coefficients = (TRAINING if training else FORWARD)[kind_of(layer)]
    return sum(coefficient * factor for coefficient, factor in zip(coefficients, work_of(layer, training), strict=True))


def _lane_factor(channels: int, kind: str) -> float:
    """The factor by which rounding up to full lanes raises the number of channels."""
    return math.ceil(channels / LANES[kind]) * LANES[kind] / channels


def _covered(spec: WindowSpec, shape: tuple[int, ...], axis: int) -> int:
    """Rows, or columns, of the input that all windows along an axis cover together, padding left out."""
    kernel, stride, padding, dilation = (value[axis] for value in spec.window())
    size = shape[1 + axis]
    count = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    starts = range(-padding, -padding + count * stride, stride)
    return sum(sum(0 <= start + dilation * tap < size for tap in range(kernel)) for start in starts)


# By kind: nanoseconds of each field of `Work`, in its order.
FORWARD: Mapping[str, tuple[float, ...]] = {
    "Conv2d": (1900, 0.5, 0.72, 0.02, 0.45, 0.12, 0),
    "dilated Conv2d": (1100, 1.1, 0.56, 0.03, 0.17, 0.07, 0),
    "1x1 Conv2d": (1000, 1.0, 0.48, 0.032, 0, 0.13, 0),
    "grouped Conv2d": (20, 0, 0.74, 0.01, 0.48, 2.6, 940),
    "depthwise Conv2d": (770, 0, 1.4, 0.007, 0.11, 2.7, 0),
    "MaxPool2d": (50, 0, 14, 1.6, 0, 0, 0),
    "AvgPool2d": (65, 0.1, 9.5, 0.6, 0, 0, 0),
    "BatchNorm2d": (240, 0.2, 0.2, 0.2, 0, 0, 0),
    "Dropout": (70, 0, 0, 0, 0, 0, 0),
    "Flatten": (70, 0, 0, 0, 0, 0, 0),
    "Linear": (200, 0.24, 0.08, 0.028, 0, 0.01, 0),
    "ReLU": (46, 0.1, 0.1, 0, 0, 0, 0),
    "LeakyReLU": (46, 0.1, 0.1, 0, 0, 0, 0),
    "Tanh": (55, 1.8, 1.8, 0, 0, 0, 0),
    "Sigmoid": (56, 0.5, 0.5, 0, 0, 0, 0),
    "GELU": (290, 0.58, 0.58, 0, 0, 0, 0),
    "activation": (100, 1.8, 1.8, 0, 0, 0, 0),
}
TRAINING: Mapping[str, tuple[float, ...]] = {
    "Conv2d": (14000, 4.4, 2.3, 0.067, 0, 0.94, 0),
    "dilated Conv2d": (10000, 1.5, 3.5, 0.087, 0.65, 0.57, 0),
    "1x1 Conv2d": (4400, 2.5, 1.5, 0.073, 0, 0.71, 0),
    "grouped Conv2d": (720, 2.6, 9, 0, 1.8, 11, 2600),
    "depthwise Conv2d": (2300, 2.3, 1.3, 0.05, 0.87, 3.8, 250),
    "MaxPool2d": (660, 0.05, 3.8, 0.45, 0, 0, 0),
    "AvgPool2d": (810, 0.36, 1.3, 0.35, 0, 0, 0),
    "BatchNorm2d": (4000, 1.4, 1.4, 1.4, 0, 0, 0),
    "Dropout": (1500, 9, 9, 0, 0, 0, 0),
    "Flatten": (500, 0, 0, 0, 0, 0, 0),
    "Linear": (2300, 0.87, 1.2, 0.07, 0, 0.06, 0),
    "ReLU": (830, 0.4, 0.4, 0, 0, 0, 0),
    "LeakyReLU": (860, 0.4, 0.4, 0, 0, 0, 0),
    "Tanh": (780, 2.2, 2.2, 0, 0, 0, 0),
    "Sigmoid": (1100, 0.73, 0.73, 0, 0, 0, 0),
    "GELU": (1500, 2.3, 2.3, 0, 0, 0, 0),
    "activation": (1500, 2.3, 2.3, 0, 0, 0, 0),
}
