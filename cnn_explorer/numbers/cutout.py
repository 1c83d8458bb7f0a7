"""One value of a layer that is too large to be shown whole: its window, what lies around it, and what is left out.

The numbers are the layer's own, float32 and not rounded. Where the cutout ends, no zeros stand in for neighbours:
windows lie inside it, and what is padding here is the layer's padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnn_explorer.numbers import arithmetic
from cnn_explorer.numbers.arithmetic import Windows
from cnn_explorer.spec.layers import Pair, WindowSpec

AROUND = 1  # output values on each side of the chosen one, as far as the layer has them
MOST_SIDE = 12  # rows or columns of the input; if more are needed, only the chosen value's window is shown
MOST_CELLS = 3000  # of inputs and kernels; input channels for which there is no room are left out


@dataclass(frozen=True)
class Cutout:
    """A part of a convolution's or pooling's input with all that makes a few values of one output map.

    `x`: `(C, h, w)`, the `channels` of the input from row and column `corner` on. `rows` and `columns` are the windows,
    as indices into `x`; an index outside is padding. `output`: `(H', W')`, the layer's own values from row and column
    `first` on, and `chosen` the row and column of the value in question, counted from there.

    Of a convolution: `weight`, `(C, kernel_size, kernel_size)`, its `bias`, and the sum of all input channels that are
    left out (`rest`, `(H', W')` float64, and how many they are, `left_out`).
    """

    channels: tuple[int, ...]
    x: np.ndarray
    corner: Pair
    rows: Windows
    columns: Windows
    output: np.ndarray
    first: Pair
    chosen: Pair
    weight: np.ndarray | None = None
    bias: float = 0.0
    rest: np.ndarray | None = None
    left_out: int = 0


def cut_pooling(spec: WindowSpec, x: np.ndarray, output: np.ndarray, place: tuple[int, int, int]) -> Cutout:
    """Around the value at `place` (map, row, column) of a pooling: input `(C, H, W)`, output `(C, H', W')`, float32."""
    return _cut(spec, x, output, place, (place[0],))


def cut_convolution(
    spec: WindowSpec,
    groups: int,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    output: np.ndarray,
    place: tuple[int, int, int],
) -> Cutout:
    """Around the value at `place` (map, row, column) of a convolution: `x` `(in_channels, H, W)`, `weight`
    `(out_channels, in_channels / groups, kernel_size, kernel_size)`, `bias` `(out_channels,)`, `output` `(out_channels,
    H', W')`, float32. Where there are too many input channels, those that add most to the value are taken.
    """
    out = place[0]
    seen = arithmetic.input_channels(out, len(x), len(weight), groups)
    whole = _cut(spec, x, output, place, tuple(seen))
    kernel = weight[out].astype(np.float64)
    partials = arithmetic.partial_maps(whole.x.astype(np.float64), kernel[None], whole.rows, whole.columns)[0]
    most = max(1, MOST_CELLS // (whole.x[0].size + kernel[0].size))
    strength = np.abs(partials[:, whole.chosen[0], whole.chosen[1]])
    kept = sorted(np.argsort(-strength, kind="stable")[:most].tolist())
    left_out = [at for at in range(len(seen)) if at not in set(kept)]
    return Cutout(
        tuple(seen[at] for at in kept),
        whole.x[kept],
        whole.corner,
        whole.rows,
        whole.columns,
        whole.output,
        whole.first,
        whole.chosen,
        weight[out][kept],
        float(bias[out]),
        partials[left_out].sum(axis=0),
        len(left_out),
    )


def _cut(
    spec: WindowSpec, x: np.ndarray, output: np.ndarray, place: tuple[int, int, int], channels: tuple[int, ...]
) -> Cutout:
    sides = [_side(spec, axis, x.shape[1 + axis], place[1 + axis]) for axis in (0, 1)]
    (row, rows), (column, columns) = ((first, windows) for first, windows, _ in sides)
    spans = [span for _, _, span in sides]
    inside = (slice(spans[0].start, spans[0].stop), slice(spans[1].start, spans[1].stop))
    return Cutout(
        channels,
        x[list(channels)][:, inside[0], inside[1]],
        (spans[0].start, spans[1].start),
        _from(rows, spans[0].start),
        _from(columns, spans[1].start),
        output[place[0], row : row + len(rows), column : column + len(columns)],
        (row, column),
        (place[1] - row, place[2] - column),
    )


def _side(spec: WindowSpec, axis: int, size: int, at: int) -> tuple[int, Windows, range]:
    """Along one side: the first output index, the windows from there on, and the input indices that they cover."""
    windows = arithmetic.slide(size, *(value[axis] for value in spec.window()))
    first, end = max(0, at - AROUND), min(len(windows), at + AROUND + 1)
    if windows[end - 1][-1] - windows[first][0] >= MOST_SIDE:
        first, end = at, at + 1
    start = min(size - 1, max(0, windows[first][0]))  # a window can lie on the padding as a whole
    stop = max(start, min(size - 1, windows[end - 1][-1])) + 1
    return first, windows[first:end], range(start, stop)


def _from(windows: Windows, start: int) -> Windows:
    return tuple(tuple(index - start for index in window) for window in windows)
