"""The computing time of a layer, estimated from its shapes.

Everything in the package that depends on time uses this estimate: limits, batch sizes, the number of digits that a
network is fitted or tested on. Nothing is measured while the app runs, so results do not depend on how busy the machine
is.

Times are nanoseconds a digit on one core of the machine they were measured on; on other machines they differ by a
factor that is about the same for all layers. A time is a sum: each quantity of a layer (`work`), such as the values it
reads or its multiply-adds, times a coefficient. Coefficients depend on the kind of the layer and on the way in which
torch computes it. `tests/benchmarks/bench_costs.py` fits them to measured times and reports the error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cnn_explorer.spec.shapes import LayerShapes, NetworkShapes
from cnn_explorer.spec.work import UNIT_DIGITS, UNIT_VALUES, kind_of, work_of

# A unit is a batch after which work can be paused or given up.
UNIT_TIME = 25_000_000  # nanoseconds, at most; `work` bounds its values and digits
PARAMETER_TIME = 1  # nanoseconds that an optimizer's step takes for each parameter
SLANT_TIME = 20_000  # nanoseconds that `slant` takes for a digit
PAGED_BYTES = 32_000_000  # an output of a layer above this size
PAGING_TIME = 6.0  # takes so many nanoseconds more for each value


class LayerTime(NamedTuple):
    """Nanoseconds a digit: of the `forward` pass, and of `training`, which is the forward and the backward pass."""

    forward: float
    training: float


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
    """How many digits can pass forward through a network in `time` nanoseconds; within `bounds`, (least, most)."""
    return int(min(max(time / max(forward_time(shapes.layers), 1), bounds[0]), bounds[1]))


def digits_per_unit(shapes: NetworkShapes) -> int:
    """The number of digits in a unit of work: a batch of a forward pass after which it can be stopped; 1 to 100."""
    largest = max((layer.values for layer in shapes.layers), default=1)
    return min(affordable_digits(UNIT_TIME, (1, UNIT_DIGITS), shapes), max(UNIT_VALUES // largest, 1))


def batch_time(shapes: NetworkShapes, batch_size: int, slanted: bool = False) -> float:
    """Nanoseconds of a training step: forward, backward, the optimizer, and slanting the digits.

    The system allocates an output of more than 32 MB anew every time, which takes longer than computing it.
    """
    paged = sum(batch_size * layer.values for layer in shapes.layers if 4 * batch_size * layer.values > PAGED_BYTES)
    digits = batch_size * (training_time(shapes.layers) + SLANT_TIME * slanted)
    return digits + PAGING_TIME * paged + PARAMETER_TIME * shapes.parameters


def _time(layer: LayerShapes, training: bool) -> float:
    table = TRAINING if training else FORWARD
    coefficients = table.get(kind_of(layer, training), table["activation"])
    work = work_of(layer, training)
    return sum(nanoseconds * work.get(quantity, 0) for quantity, nanoseconds in coefficients.items())


# By kind: nanoseconds of each quantity of `work_of`. What adds less than 4 % to every measured layer is left out. The
# coefficients are those of one core with AVX-512, multiplied by 1.95 forward and by 2.35 in training: so the lecture's
# network and those like it count as on the slower core on which limits and unit sizes were chosen. "activation" is for
# any kind that has no line of its own.
# fmt: off
FORWARD: Mapping[str, Mapping[str, float]] = {
    "1x1 AvgPool2d": {"calls": 42, "outputs": 10},
    "1x1 Conv2d": {
        "calls": 500, "filled_outputs": 0.91, "inputs": 0.68, "operations": 0.0032, "outputs": 1.7, "weights": 0.022,
    },
    "1x1 Conv2d of large maps": {"filled_outputs": 0.75, "operations": 0.022, "rows": 0.12},
    "1x1 MaxPool2d": {"calls": 46, "inputs": 0.46, "outputs": 9.1},
    "AvgPool2d": {"calls": 25, "chained": 0.33, "inputs": 0.027, "operations": 0.23, "outputs": 7.1},
    "BatchNorm2d": {"calls": 78, "channels": 2.6, "inputs": 0.51},
    "Conv2d": {
        "calls": 460, "filled_outputs": 0.32, "inputs": 0.6, "operations": 0.02, "outputs": 0.43, "rows": 0.17,
        "weights": 0.029,
    },
    "Dropout": {"calls": 54},
    "Flatten": {"calls": 56},
    "GELU": {"calls": 130, "inputs": 0.61, "uncached": 0.12},
    "LeakyReLU": {"calls": 41, "inputs": 0.21, "uncached": 0.33},
    "Linear": {"calls": 130, "inputs": 0.15, "operations": 0.018, "outputs": 0.17, "parameters": 0.0091},
    "MaxPool2d": {"calls": 17, "inputs": 0.16, "operations": 2.2, "outputs": 19},
    "ReLU": {"calls": 33, "inputs": 0.2, "uncached": 0.32},
    "Sigmoid": {"calls": 37, "inputs": 0.65, "uncached": 0.17},
    "Tanh": {"calls": 37, "inputs": 0.51, "uncached": 0.17},
    "activation": {"calls": 78, "inputs": 1.2, "uncached": 0.2},
    "contiguous BatchNorm2d": {"calls": 150, "channels": 0.15, "inputs": 0.23},
    "depthwise Conv2d": {"calls": 710, "filled_outputs": 1.2, "inputs": 1.3, "operations": 0.019},
    "im2col Conv2d": {
        "calls": 150, "groups": 400, "inputs": 0.66, "operations": 0.033, "outputs": 1.1, "rows": 2.1,
        "strided_taps": 0.34, "taps": 0.16,
    },
    "im2col Conv2d of one window": {"calls": 910, "inputs": 0.38, "operations": 0.0055, "rows": 4.3, "taps": 4.3},
    "matrix Conv2d": {"calls": 1000, "inputs": 1, "weights": 0.043},
}
TRAINING: Mapping[str, Mapping[str, float]] = {
    "1x1 AvgPool2d": {"calls": 1600, "cells": 31, "left_over": 1.4, "outputs": 1.7},
    "1x1 Conv2d": {
        "back_cells": 13, "back_operations": 0.061, "back_windows": 13, "calls": 5500, "gathered": 1.4,
        "gathered_sums": 7.1, "group_cells": 4.4, "inputs": 1.7, "matrix_operations": 0.012, "operations": 0.0073,
        "outputs": 2, "reordered": 0.91, "scattered_outputs": 5.1, "strided_cells": 3.5, "strided_operations": 0.1,
        "sums": 1.1,
    },
    "1x1 MaxPool2d": {"calls": 750, "cells": 19, "inputs": 0.56, "left_over": 1.9, "outputs": 3.7},
    "AvgPool2d": {
        "calls": 470, "cells": 26, "covered": 5.1, "inputs": 0.8, "left_over": 0.22, "operations": 0.74,
        "outputs": 0.47,
    },
    "BatchNorm2d": {"calls": 970, "inputs": 4, "left_over": 44},
    "Conv2d": {
        "back_cells": 23, "back_operations": 0.0083, "calls": 5800, "gathered": 1.8, "gathered_outputs": 2,
        "gathered_strided": 0.63, "gathered_strided_sums": 1.1, "gathered_sums": 0.58, "inputs": 1.3,
        "operations": 0.08, "outputs": 3.7, "plain_operations": 2, "rows": 0.73, "scattered_outputs": 2.3,
        "scattered_windows": 2.5, "strided_cells": 2.8, "strided_operations": 0.018, "sums": 0.016,
    },
    "Dropout": {"calls": 570, "inputs": 20, "uncached": 6.7},
    "Flatten": {"calls": 540},
    "GELU": {"calls": 1100, "inputs": 3.4, "uncached": 1.3},
    "LeakyReLU": {"calls": 470, "inputs": 1.6, "uncached": 0.48},
    "Linear": {"calls": 940, "inputs": 1.5, "operations": 0.053, "outputs": 1.9, "parameters": 0.052},
    "MaxPool2d": {"calls": 370, "cells": 40, "covered": 9.9, "inputs": 1.1, "operations": 0.31, "outputs": 5.9},
    "ReLU": {"calls": 500, "inputs": 1.4, "uncached": 0.61},
    "Sigmoid": {"calls": 420, "inputs": 1.6, "uncached": 1.4},
    "Tanh": {"calls": 450, "inputs": 1.6, "uncached": 1.2},
    "activation": {"calls": 940, "inputs": 3.5, "uncached": 0.7},
    "contiguous AvgPool2d": {"calls": 540, "chained": 0.21, "inputs": 1, "operations": 0.71, "outputs": 25},
    "contiguous BatchNorm2d": {"calls": 1300, "channels": 2.7, "inputs": 0.43, "left_over": 3.2},
    "contiguous MaxPool2d": {"calls": 530, "inputs": 0.8, "operations": 2.6, "outputs": 23},
    "depthwise Conv2d": {
        "back_cells": 12, "calls": 6700, "gathered": 0.3, "gathered_outputs": 14, "gathered_strided": 2,
        "gathered_windows": 0.3, "inputs": 2.8, "operations": 0.28, "reordered": 5.6, "rows": 11, "scattered": 1.7,
        "scattered_groups": 8900, "scattered_outputs": 9.5, "scattered_windows": 1.7, "sum_operations": 0.039,
    },
    "grouped Conv2d": {
        "back_cells": 6.6, "back_operations": 0.013, "calls": 1200, "gathered": 1.1, "gathered_groups": 3000,
        "gathered_outputs": 2.6, "gathered_strided": 2.1, "gathered_sums": 1.8, "gathered_windows": 0.77,
        "group_cells": 7.6, "matrix_operations": 0.17, "operations": 0.02, "outputs": 3.9, "parameters": 0.69,
        "rows": 3.1, "scattered": 0.11, "scattered_outputs": 0.84, "scattered_windows": 2.7, "strided_cells": 3.7,
        "sums": 0.24,
    },
}
# fmt: on
