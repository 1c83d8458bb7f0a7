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
from typing import TypeVar

from cnn_explorer.classics import explaining, running, tracing
from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.downloads import Downloads, Progress, checkpoint
from cnn_explorer.classics.folding import Part, fold
from cnn_explorer.classics.graph import Graph, GraphShapes, infer_graph, smallest_size
from cnn_explorer.classics.recorded import records
from cnn_explorer.classics.worker import Worker
from cnn_explorer.sharing.background import Background
from cnn_explorer.sharing.lru_cache import LruCache


@dataclass(frozen=True)
class Folded:
    """A network's `graph`, its `parts` for the drawing, and the `smallest` input that it can take, in pixels a side."""

    graph: Graph
    parts: tuple[Part, ...]
    smallest: int


Value = TypeVar("Value")

_GRAPHS: LruCache[Folded] = LruCache(64)  # more than there are networks; all together take a few megabytes
_SHAPES: LruCache[GraphShapes] = LruCache(64)
_FACTS: dict[str, tracing.Facts] = {}
_READING = threading.Lock()
_CLASSIFIED: Background[running.Classified] = Background(16)  # half a megabyte each
_MAPS: Background[running.Maps] = Background(16)  # likewise
_EXPLAINED: Background[explaining.Explained] = Background(32)  # a few kilobytes each
_DOWNLOADS = Downloads()
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


def facts() -> dict[str, tracing.Facts]:
    """What torchvision says of every network, by name. Raises `WorkerError` as `folded` does."""
    with _READING:
        if not _FACTS:
            _FACTS.update(records().facts or {one.name: one for one in worker().call(tracing.facts)})
    return _FACTS


def classified(name: str, picture: bytes) -> running.Classified | None:
    """What a network says of a picture, a JPEG file; None while it is being computed. Raises `WorkerError`, and
    `ValueError` where its weights are missing or damaged.
    """
    return _CLASSIFIED.get(_key(name, picture), lambda: _run(name, running.classify, name, picture), PATIENCE)


def maps(name: str, picture: bytes, place: int, strongest: bool, page: int) -> running.Maps | None:
    """A page of the maps of a node; None while it is being computed. Raises as `classified` does."""
    key = f"{_key(name, picture)} {place} {strongest} {page}"
    return _MAPS.get(key, lambda: _run(name, running.maps, name, picture, place, strongest, page), PATIENCE)


def explained(name: str, picture: bytes, place: int, label: str) -> explaining.Explained | None:
    """Where a network looks for a class; None while it is being computed. Raises as `classified` does."""
    key = f"{_key(name, picture)} {place} {label}"
    return _EXPLAINED.get(key, lambda: _run(name, explaining.explain, name, picture, place, label), PATIENCE)


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
