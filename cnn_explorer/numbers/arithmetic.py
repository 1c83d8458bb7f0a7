"""Convolution and pooling, number by number, in float64 and without PyTorch.

A window is two lists of input indices, one of rows and one of columns; `slide` gives them for every output position. An
index outside the input is padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# For each output position along one side: the input indices in its window.
Windows = tuple[tuple[int, ...], ...]


def slide(size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Windows:
    """Input indices of every window along one side: position i covers i·stride − padding + j·dilation, j = 0 …
    kernel_size − 1.

    Empty if the window is larger than the padded input.
    """
    span = dilation * (kernel_size - 1) + 1
    starts = range(-padding, size + padding - span + 1, stride)
    return tuple(tuple(range(start, start + span, dilation)) for start in starts)


def slide_adaptive(size: int, output_size: int) -> Windows:
    """Windows of `torch.nn.AdaptiveAvgPool2d` along one side: position i covers ⌊i·size/output_size⌋ to ⌈(i +
    1)·size/output_size⌉ − 1.
    """
    return tuple(tuple(range(i * size // output_size, -(-(i + 1) * size // output_size))) for i in range(output_size))


def input_channels(out_channel: int, in_channels: int, out_channels: int, groups: int) -> range:
    """The input channels that an output channel depends on: those of its group."""
    width = in_channels // groups
    group = out_channel // (out_channels // groups)
    return range(group * width, (group + 1) * width)


def partial_maps(x: np.ndarray, weight: np.ndarray, rows: Windows, columns: Windows, groups: int = 1) -> np.ndarray:
    """The part of every output value that comes from each input channel.

    `x` `(in_channels, H, W)`, `weight` `(out_channels, in_channels / groups, kernel_size, kernel_size)` →
    `(out_channels, in_channels / groups, H', W')`. The sum over the second axis plus the bias is the output.
    """
    windows = _gather(x, rows, columns)  # (in_channels, H', W', kernel_size, kernel_size)
    seen = [[*input_channels(channel, x.shape[0], weight.shape[0], groups)] for channel in range(weight.shape[0])]
    maps: np.ndarray = (windows[seen] * weight[:, :, None, None]).sum(axis=(-2, -1))
    return maps


def _gather(x: np.ndarray, rows: Windows, columns: Windows) -> np.ndarray:
    """All windows, with 0 outside the input: `(C, H, W)` → `(C, H', W', kernel_size, kernel_size)`."""
    row, column = np.array(rows)[:, None, :, None], np.array(columns)[None, :, None, :]
    inside = (row >= 0) & (row < x.shape[1]) & (column >= 0) & (column < x.shape[2])
    values: np.ndarray = np.where(inside, x[:, row.clip(0, x.shape[1] - 1), column.clip(0, x.shape[2] - 1)], 0.0)
    return values


@dataclass(frozen=True)
class Pooled:
    """A pooling's output: `maximum` and `average`, `(C, H', W')`, and `winners`, `(C, H', W', 2)`: row and column of
    each maximum, the first one where several are equal.
    """

    maximum: np.ndarray
    average: np.ndarray
    winners: np.ndarray


def pool(x: np.ndarray, rows: Windows, columns: Windows) -> Pooled:
    """Pool `(C, H, W)` over the windows. As in torch, padding is never a maximum and counts as 0 in an average."""
    shape = (x.shape[0], len(rows), len(columns))
    pooled = Pooled(np.zeros(shape), np.zeros(shape), np.zeros((*shape, 2), dtype=int))
    for down, window_rows in enumerate(rows):
        inside_rows = [row for row in window_rows if 0 <= row < x.shape[1]]
        for across, window_columns in enumerate(columns):
            inside_columns = [column for column in window_columns if 0 <= column < x.shape[2]]
            window = x[:, inside_rows][:, :, inside_columns].reshape(x.shape[0], -1)
            index = window.argmax(axis=1)
            pooled.maximum[:, down, across] = window.max(axis=1)
            pooled.average[:, down, across] = window.sum(axis=1) / (len(window_rows) * len(window_columns))
            pooled.winners[:, down, across, 0] = np.array(inside_rows)[index // len(inside_columns)]
            pooled.winners[:, down, across, 1] = np.array(inside_columns)[index % len(inside_columns)]
    return pooled


def shifted(x: np.ndarray, right: int) -> np.ndarray:
    """`(C, H, W)` moved to the right by `right` pixels; copies of the first column fill the space."""
    columns = (np.arange(x.shape[2]) - right).clip(0, x.shape[2] - 1)
    moved: np.ndarray = x[:, :, columns]
    return moved
