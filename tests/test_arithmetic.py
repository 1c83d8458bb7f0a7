"""Convolution and pooling, number by number, against PyTorch over a thousand random geometries."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from cnn_explorer.numbers import arithmetic
from cnn_explorer.spec.layers import Conv2dSpec, GeometryError, Pool2dSpec

CASES = 1000


def numbers(chance: np.random.Generator, *shape: int) -> np.ndarray:
    return chance.integers(-999, 1000, shape) / chance.choice([1, 1, 100])


def unreached(windows: arithmetic.Windows, size: int, padding: int) -> tuple[int, ...]:
    """Indices of the padded input, from −padding on, that are in no window."""
    covered = {index for window in windows for index in window}
    return tuple(index for index in range(-padding, size + padding) if index not in covered)


def test_convolutions_agree_with_torch() -> None:
    """Every value of the output, from windows and partial maps."""
    chance = np.random.default_rng(1)
    compared = impossible = 0
    for _ in range(CASES):
        groups = int(chance.choice([1, 1, 1, 2, 3]))
        inside, out = groups * int(chance.integers(1, 4)), groups * int(chance.integers(1, 4))
        height, width, kernel, stride, padding, dilation = (int(chance.integers(*span)) for span in
            ((1, 13), (1, 13), (1, 6), (1, 4), (0, 4), (1, 4)))  # fmt: skip
        x, weight, bias = (
            numbers(chance, inside, height, width),
            numbers(chance, out, inside // groups, kernel, kernel),
            numbers(chance, out),
        )
        rows = arithmetic.slide(height, kernel, stride, padding, dilation)
        columns = arithmetic.slide(width, kernel, stride, padding, dilation)
        spec = Conv2dSpec(out, kernel, stride, padding, dilation, groups)
        try:
            shape = spec.output_shape(x.shape)
        except GeometryError:
            assert not rows or not columns
            impossible += 1
            continue
        truth = functional.conv2d(
            torch.from_numpy(x), torch.from_numpy(weight), torch.from_numpy(bias), stride, padding, dilation, groups
        ).numpy()
        partials = arithmetic.partial_maps(x, weight, rows, columns, groups)
        assert partials.shape == (out, inside // groups, *shape[1:])
        np.testing.assert_allclose(partials.sum(axis=1) + bias[:, None, None], truth, rtol=1e-9, atol=1e-6)
        unused = spec.unused((inside, height, width))
        tail = unreached(rows, height, padding)
        assert tail[len(tail) - unused[0] :] == tuple(range(height + padding - unused[0], height + padding))
        compared += 1
    assert compared > 500
    assert impossible > 30


def test_poolings_agree_with_torch() -> None:
    chance = np.random.default_rng(2)
    compared = overlapping = 0
    for _ in range(CASES):
        height, width, kernel, stride, channels = (
            int(chance.integers(*span)) for span in ((1, 13), (1, 13), (1, 6), (1, 5), (1, 4))
        )
        padding = int(chance.integers(0, kernel // 2 + 1))
        x = numbers(chance, channels, height, width)
        if chance.random() < 0.2:
            x = np.round(x / 500)  # many equal numbers: the first one wins
        rows, columns = (
            arithmetic.slide(height, kernel, stride, padding),
            arithmetic.slide(width, kernel, stride, padding),
        )
        try:
            Pool2dSpec("max", kernel, stride, padding).output_shape(x.shape)
        except GeometryError:
            assert not rows or not columns
            continue
        pooled = arithmetic.pool(x, rows, columns)
        tensor = torch.from_numpy(x)
        maximum, places = functional.max_pool2d(tensor, kernel, stride, padding, return_indices=True)
        np.testing.assert_array_equal(pooled.maximum, maximum.numpy())
        np.testing.assert_array_equal(pooled.winners[..., 0] * width + pooled.winners[..., 1], places.numpy())
        average = functional.avg_pool2d(tensor, kernel, stride, padding).numpy()
        np.testing.assert_allclose(pooled.average, average, rtol=1e-12, atol=1e-9)
        overlapping += kernel > stride
        compared += 1
    assert compared > 500
    assert overlapping > 150


@pytest.mark.parametrize("size", range(1, 13))
def test_adaptive_windows_are_torchs(size: int) -> None:
    x = torch.arange(2.0 * size * size, dtype=torch.float64).reshape(2, size, size) ** 1.5
    for output_size in range(1, 13):
        windows = arithmetic.slide_adaptive(size, output_size)
        pooled = arithmetic.pool(x.numpy(), windows, windows)
        np.testing.assert_allclose(pooled.average, functional.adaptive_avg_pool2d(x, output_size).numpy(), rtol=1e-12)
        np.testing.assert_array_equal(pooled.maximum, functional.adaptive_max_pool2d(x, output_size).numpy())


def test_one_value_by_hand() -> None:
    """Three of the four numbers lie in the padding: 0·1 + 0·2 + 0·3 + 5·4."""
    x, weight = np.array([[[5.0, 6], [7, 8]]]), np.array([[[[1.0, 2], [3, 4]]]])
    windows = arithmetic.slide(2, 2, padding=1)
    assert windows[0] == (-1, 0)
    assert arithmetic.partial_maps(x, weight, windows, windows)[0, 0, 0, 0] == 20


@pytest.mark.parametrize(
    ("channel", "seen"), [(0, [0, 1]), (1, [0, 1]), (2, [2, 3]), (3, [2, 3])]
)  # fmt: skip
def test_a_group_sees_its_own_channels(channel: int, seen: list[int]) -> None:
    assert [*arithmetic.input_channels(channel, 4, 4, 2)] == seen


@pytest.mark.parametrize(
    ("arguments", "missed"),
    [((6, 3, 2, 0, 1), [5]), ((5, 3, 2, 0, 1), []), ((7, 1, 3, 0, 1), [1, 2, 4, 5]), ((4, 3, 2, 1, 1), [4])],
)
def test_what_no_window_reaches(arguments: tuple[int, int, int, int, int], missed: list[int]) -> None:
    assert [*unreached(arithmetic.slide(*arguments), arguments[0], arguments[3])] == missed


def test_a_shift_repeats_the_edge() -> None:
    x = np.array([[[1.0, 2, 3], [4, 5, 6]]])
    assert arithmetic.shifted(x, 1).tolist() == [[[1, 1, 2], [4, 4, 5]]]
    assert arithmetic.shifted(x, 0).tolist() == x.tolist()
