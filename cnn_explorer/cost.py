"""What a layer costs in time: one count for every bound, unit of work and number of digits in the package.

Times are nanoseconds a digit on one core of the machine they were measured on, in batches of about 64; other machines differ by a
factor that is much the same for all layers. They are computed from shapes, never measured on the spot: what is derived from them, such
as how many digits a readout is fitted on, does not depend on how busy the machine is.

The model is linear: digit + inputs · (values read) + outputs · (values written) + work · (operations). Operations are the multiply-adds
of a convolution, with out_channels rounded up to what the processor computes at once, those of a linear layer, and the cells that all
windows of a pooling cover. `tests/benchmarks/bench_costs.py` fits the coefficients and checks them against measured times.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cnn_explorer.layers import Conv2dSpec, Pool2dSpec, WindowSpec
from cnn_explorer.shapes import LayerShapes, NetworkShapes

LANES = 16  # output channels that a convolution computes at once
UNIT_TIME = 25_000_000  # nanoseconds after which work can be paused or given up
UNIT_VALUES = 1_000_000  # values of a layer's output in a unit: they stay in the processor's cache
UNIT_DIGITS = 100
FRESH_BYTES, FRESH_TIME = 32_000_000, 6.0  # nanoseconds a value, forward and back


class LayerTime(NamedTuple):
    """Nanoseconds a digit: of the `forward` pass, and of `training`, which is forward, backward and the gradients of weights."""

    forward: float
    training: float


class Coefficients(NamedTuple):
    """Nanoseconds a digit, a value read, a value written and an operation."""

    digit: float
    inputs: float
    outputs: float
    work: float


def layer_time(layer: LayerShapes) -> LayerTime:
    """What a layer costs, by its kind and its shapes."""
    return LayerTime(_time(layer, FORWARD), _time(layer, TRAINING))


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


def features(layer: LayerShapes) -> tuple[float, float, float, float]:
    """What the coefficients of the layer's kind are multiplied with: 1, values read, values written, operations; for a digit."""
    return 1, math.prod(layer.input_shape), layer.values, _work(layer)


def _time(layer: LayerShapes, table: Mapping[str, Coefficients]) -> float:
    return sum(coefficient * feature for coefficient, feature in zip(table[kind_of(layer)], features(layer), strict=True))


def kind_of(layer: LayerShapes) -> str:
    """The key of the layer's coefficients."""
    if isinstance(layer.spec, Conv2dSpec) and layer.spec.groups > 1:
        return "grouped Conv2d"
    return layer.spec.torch_name if layer.spec.torch_name in FORWARD else "activation"


def _work(layer: LayerShapes) -> int:
    """Operations for one digit."""
    if isinstance(layer.spec, Conv2dSpec):
        per_group = layer.spec.out_channels // layer.spec.groups
        lanes = math.ceil(per_group / LANES) * LANES
        return layer.macs // per_group * lanes
    if isinstance(layer.spec, Pool2dSpec):
        return layer.output_shape[0] * math.prod(_covered(layer.spec, layer.input_shape, axis) for axis in (0, 1))
    return layer.macs


def _covered(spec: WindowSpec, shape: tuple[int, ...], axis: int) -> int:
    """Rows, or columns, of the input that all windows along an axis cover together, padding left out."""
    kernel, stride, padding, dilation = (value[axis] for value in spec.window())
    size = shape[1 + axis]
    count = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    starts = range(-padding, -padding + count * stride, stride)
    return sum(sum(0 <= start + dilation * tap < size for tap in range(kernel)) for start in starts)


FORWARD: Mapping[str, Coefficients] = {
    "Conv2d": Coefficients(2000, 0.5, 1.3, 0.035),
    "grouped Conv2d": Coefficients(2000, 1.4, 2.0, 0.05),
    "MaxPool2d": Coefficients(60, 0.2, 17.0, 0.5),
    "AvgPool2d": Coefficients(60, 0.5, 10.0, 0.3),
    "BatchNorm2d": Coefficients(250, 0.0, 0.4, 0.0),
    "Dropout": Coefficients(80, 0.0, 0.0, 0.0),
    "Flatten": Coefficients(80, 0.0, 0.0, 0.0),
    "Linear": Coefficients(200, 0.24, 0.1, 0.04),
    "ReLU": Coefficients(80, 0.0, 0.3, 0.0),
    "LeakyReLU": Coefficients(80, 0.0, 0.3, 0.0),
    "Tanh": Coefficients(80, 0.0, 3.5, 0.0),
    "Sigmoid": Coefficients(80, 0.0, 1.0, 0.0),
    "GELU": Coefficients(200, 0.0, 1.2, 0.0),
    "activation": Coefficients(80, 0.0, 3.5, 0.0),
}
TRAINING: Mapping[str, Coefficients] = {
    "Conv2d": Coefficients(10000, 1.2, 3.5, 0.14),
    "grouped Conv2d": Coefficients(6000, 1.5, 4.7, 0.2),
    "MaxPool2d": Coefficients(1000, 0.3, 8.0, 0.2),
    "AvgPool2d": Coefficients(1000, 0.6, 6.0, 0.2),
    "BatchNorm2d": Coefficients(2500, 0.0, 5.0, 0.0),
    "Dropout": Coefficients(1300, 0.0, 18.0, 0.0),
    "Flatten": Coefficients(500, 0.0, 0.0, 0.0),
    "Linear": Coefficients(2300, 0.9, 1.3, 0.13),
    "ReLU": Coefficients(1000, 0.0, 1.3, 0.0),
    "LeakyReLU": Coefficients(1000, 0.0, 1.0, 0.0),
    "Tanh": Coefficients(1000, 0.0, 5.0, 0.0),
    "Sigmoid": Coefficients(1000, 0.0, 1.5, 0.0),
    "GELU": Coefficients(1200, 0.0, 4.0, 0.0),
    "activation": Coefficients(1000, 0.0, 5.0, 0.0),
}
