"""What one process keeps for all visitors of the page: graphs, torchvision's facts, and the process that reads both."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache

from cnn_explorer.classics import tracing
from cnn_explorer.classics.folding import Part, fold
from cnn_explorer.classics.graph import Graph, GraphShapes, infer_graph, smallest_size
from cnn_explorer.classics.worker import Worker
from cnn_explorer.sharing.lru_cache import LruCache


@dataclass(frozen=True)
class Folded:
    """A network's `graph`, its `parts` for the drawing, and the `smallest` input that it can take, in pixels a side."""

    graph: Graph
    parts: tuple[Part, ...]
    smallest: int


_GRAPHS: LruCache[Folded] = LruCache(64)  # more than there are networks; all together take a few megabytes
_SHAPES: LruCache[GraphShapes] = LruCache(64)
_FACTS: dict[str, tracing.Facts] = {}
_READING = threading.Lock()


@cache
def worker() -> Worker:
    """The process that has imported torchvision."""
    return Worker()


def has(name: str) -> bool:
    """True if a network's graph is here already, so that nobody has to wait for torchvision."""
    return _GRAPHS.get(name) is not None


def folded(name: str) -> Folded:
    """A network of the catalogue. Raises `WorkerError` if torchvision cannot be asked."""

    def made() -> Folded:
        graph = worker().call(tracing.trace_graph, name)
        return Folded(graph, fold(graph), smallest_size(graph))

    return _GRAPHS.get_or_compute(name, made)


def shapes(name: str, size: int) -> GraphShapes:
    """The shapes in a network, for pictures of so many pixels a side."""
    return _SHAPES.get_or_compute(f"{name} {size}", lambda: infer_graph(folded(name).graph, size))


def facts() -> dict[str, tracing.Facts]:
    """What torchvision says of every network, by name. Raises `WorkerError` if it cannot be asked."""
    with _READING:
        if not _FACTS:
            _FACTS.update((one.name, one) for one in worker().call(tracing.facts))
    return _FACTS
