"""Full data sets for the tests that need them."""

import os
from functools import cache
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from cnn_explorer.build_weights.lecture import render, split_writers
from cnn_explorer.digits.data import MNIST_RAW, PEN_DIGITS, Digits, PenDigit, data_folder, has_mnist, pen_digits

REPOSITORY = Path(__file__).parents[1]


@cache
def full_mnist(train: bool) -> Digits:
    """MNIST's training or test half, read without torchvision, whose import takes two seconds."""
    raw, part = mnist_folder() / MNIST_RAW, "train" if train else "t10k"
    images = np.fromfile(raw / f"{part}-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)
    return Digits(images, np.fromfile(raw / f"{part}-labels-idx1-ubyte", np.uint8, offset=8).astype(np.int64))


def mnist_folder() -> Path:
    """The first of `_folders` that has MNIST."""
    found = [folder for folder in _folders() if has_mnist(folder)]
    return found[0] if found else _unavailable("MNIST/raw")


@cache
def written_digits() -> list[PenDigit]:
    """All 7,494 digits by 30 writers."""
    found = [folder / PEN_DIGITS for folder in _folders() if (folder / PEN_DIGITS).exists()]
    return pen_digits(found[0]) if found else _unavailable(str(PEN_DIGITS))


@cache
def drawn_by_others() -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of the 1,498 digits of six people who took no part in any training."""
    _, unseen = split_writers(written_digits(), 6)
    return np.stack([render(digit.strokes) for digit in unseen]), np.array([digit.label for digit in unseen])


def classic_weights(name: str) -> Path:
    """A file of trained weights for one of torchvision's networks, in half precision, by the network's name."""
    found = [file for folder in _folders() if (file := folder / "classics" / f"{name}.pt").exists()]
    return found[0] if found else _unavailable(f"classics/{name}.pt")


def _folders() -> list[Path]:
    """`CNN_EXPLORER_DATA`, else `data` in the working folder or the repository, else `shared/data` beside it."""
    return [data_folder(), REPOSITORY / "data", REPOSITORY.parent / "shared" / "data"]


def _unavailable(name: str) -> NoReturn:
    """Skip at home, fail in CI: there a missing data set would hide a broken network."""
    reason = f"no {name} in {', '.join(map(str, _folders()))}; set CNN_EXPLORER_DATA"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
