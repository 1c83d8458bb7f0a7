"""What one process keeps for all visitors of the page: graphs, torchvision's facts, and the process that torchvision
runs in.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cnn_explorer.classics import explaining, running, tracing
from cnn_explorer.classics.catalogue import LITE0, network_named
from cnn_explorer.classics.downloads import Downloads, Progress, checkpoint
from cnn_explorer.classics.folding import Part, fold
from cnn_explorer.classics.graph import Graph, GraphShapes, infer_graph, smallest_size
from cnn_explorer.classics.origins import Origins
from cnn_explorer.classics.recorded import records
from cnn_explorer.classics.worker import Worker
from cnn_explorer.numbers.cutout import Cutout
from cnn_explorer.sharing.background import Background
from cnn_explorer.sharing.lru_cache import LruCache
from cnn_explorer.ui import visitors


@dataclass(frozen=True)
class Folded:
    """A network's `graph`, its `parts` for the drawing, and the `smallest` input that it can take, in pixels a side."""

    graph: Graph
    parts: tuple[Part, ...]
    smallest: int


Value = TypeVar("Value")

_GRAPHS: LruCache[Folded] = LruCache(64)  # more than there are networks; all together take a few megabytes
_SHAPES: LruCache[GraphShapes] = LruCache(64)
_ORIGINS: LruCache[Origins] = LruCache(8)
_FACTS: dict[str, tracing.Facts] = {}
_READING = threading.Lock()
_DOWNLOADS = Downloads()
KEPT = 40_000_000  # bytes of answers and maps, for all visitors
PATIENCE = 0.3  # seconds that a page waits for an answer before it shows that one is to come


@cache
def worker() -> Worker:
    """The process that has imported torchvision."""
    return Worker()


def folded(name: str) -> Folded:
    """A network of the catalogue. Torchvision is asked only where another version of it is recorded; raises
    `WorkerError` if it cannot be asked.
    """

    def made() -> Folded:
        graph = records().graphs.get(name) or worker().call(tracing.trace_graph, name)
        return Folded(graph, fold(graph), smallest_size(graph))

    return _GRAPHS.get_or_compute(name, made)


def shapes(name: str, size: int) -> GraphShapes:
    """The shapes in a network, for pictures of so many pixels a side."""
    return _SHAPES.get_or_compute(f"{name} {size}", lambda: infer_graph(folded(name).graph, size))


def seen_shapes(name: str) -> GraphShapes:
    """The shapes in a network for pictures of the size that its weights are made for, as they pass through it."""
    return shapes(name, network_named(name).size)


def origins(name: str) -> Origins:
    """Which pixels of such a picture the values of a network's maps see."""
    return _ORIGINS.get_or_compute(name, lambda: Origins(folded(name).graph, seen_shapes(name).nodes))


def facts() -> dict[str, tracing.Facts]:
    """What torchvision says of every network, by name. Raises `WorkerError` as `folded` does."""
    with _READING:
        if not _FACTS:
            _FACTS.update(records().facts or {one.name: one for one in worker().call(tracing.facts)})
    return _FACTS


@cache
def categories() -> tuple[str, ...]:
    """ImageNet's 1,000 classes, in the order of the networks' outputs. Raises `WorkerError` as `folded` does."""
    return tuple(records().categories or worker().call(tracing.categories))


def classified(name: str, picture: bytes) -> running.Classified | None:
    """What a network says of a picture, a JPEG file; None while it is being computed. Raises `WorkerError`, and
    `ValueError` where its weights are missing or damaged.
    """
    return _later(f"classified {_key(name, picture)}", lambda: _run(name, running.classify, name, picture))


def maps(name: str, picture: bytes, wanted: running.Wanted) -> running.Maps | None:
    """A page of the maps of a node; None while it is being computed. Raises as `classified` does."""
    key = f"maps {_key(name, picture)} {wanted}"
    return _later(key, lambda: _run(name, running.maps, name, picture, wanted))


def cut_out(name: str, picture: bytes, place: int, at: tuple[int, int, int]) -> Cutout | None:
    """One value of a convolution with all that makes it; None while it is being computed. Raises as `classified`."""
    key = f"cut out {_key(name, picture)} {place} {at}"
    return _later(key, lambda: _run(name, running.cut_out, name, picture, place, at))


def explained(name: str, picture: bytes, place: int, label: str) -> explaining.Explained | None:
    """Where a network looks for a class; None while it is being computed. Raises as `classified` does."""
    key = f"explained {_key(name, picture)} {place} {label}"
    return _later(key, lambda: _run(name, explaining.explain, name, picture, place, label))


def covered(name: str, picture: bytes, label: str, grid: int) -> np.ndarray:
    """The probability of a class with each place of a grid covered, `(grid, grid)`, float32; NaN for places that are
    still to come. They come row by row, after all else that this visitor waits for, and only while the visitor asks.
    Raises as `classified` does.
    """
    key = f"covered {_key(name, picture)} {label} {grid}"

    def part(number: int) -> np.ndarray:
        def compute() -> np.ndarray:
            return _run(name, explaining.covered, name, picture, label, grid, number)

        found = _later(f"{key} {number}", compute, wait=0, last=True)
        return np.full(explaining.PART, np.nan, np.float32) if found is None else found

    return np.concatenate([part(number) for number in range(grid * grid // explaining.PART)]).reshape(grid, grid)


def _later(key: str, compute: Callable[[], Value], wait: float = PATIENCE, last: bool = False) -> Value | None:
    """Compute something in the background, in the visitor's turn."""
    visitor = visitors.visitor()
    return _BACKGROUND.get(key, compute, wait, visitor, visitors.address_of(visitor), last)


def _bytes_of(value: Any) -> int:
    arrays = [value] if isinstance(value, np.ndarray) else vars(value).values()
    return 1000 + sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


_BACKGROUND = Background(KEPT, _bytes_of)


def _run(name: str, function: Callable[..., Value], *args: object) -> Value:
    """Call a function with a network's weights as the last argument, and tell if the file of them was damaged."""
    file = weights_file(name)
    try:
        return worker().call(function, *args, file)
    except ValueError:
        if file is not None and not file.exists():
            _DOWNLOADS.lost(file)
        raise


def _key(name: str, picture: bytes) -> str:
    """Tells networks, files of weights and pictures apart."""
    file = weights_file(name)
    changed = file.stat().st_mtime_ns if file is not None and file.exists() else 0
    return f"{name} {changed} {hashlib.sha256(picture).hexdigest()}"


def weights_file(name: str) -> Path | None:
    """Where a network's weights are, once they have been fetched; None for a network that comes with its own."""
    return None if name == LITE0 else checkpoint(facts()[name].url)


def has_weights(name: str) -> bool:
    """True if a network can be run without a download."""
    file = weights_file(name)
    return file is None or file.exists()


def download(name: str) -> None:
    """Fetch a network's weights in the background."""
    _DOWNLOADS.start(facts()[name].url)


def download_progress(name: str) -> Progress | None:
    """How far the download of a network's weights is, None if there is none or it is complete."""
    return _DOWNLOADS.progress(checkpoint(facts()[name].url))
