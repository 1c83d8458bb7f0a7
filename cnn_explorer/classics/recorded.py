"""Graphs and facts of all networks and ImageNet's classes, recorded from torchvision: nothing needs to import it.

    python -m cnn_explorer.classics.recorded

writes `assets/classics.json.gz` anew. A test compares it with what torchvision itself says. With another version of
torchvision than the one recorded, nothing is used: the page then asks torchvision.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from cnn_explorer.classics import tracing
from cnn_explorer.classics.catalogue import NETWORKS
from cnn_explorer.classics.graph import Graph, Node, Window
from cnn_explorer.shipped import ASSETS, read_asset, write_sums

NAME = "classics.json.gz"


@dataclass(frozen=True)
class Records:
    """Graphs and facts by torchvision's names; ImageNet's classes (`categories`), in the order of the outputs."""

    graphs: Mapping[str, Graph]
    facts: Mapping[str, tracing.Facts]
    categories: tuple[str, ...]


NOTHING = Records({}, {}, ())


@cache
def records() -> Records:
    """What was recorded; nothing if it was of another version of torchvision. Raises `AssetError`."""
    recorded = json.loads(gzip.decompress(read_asset(NAME)))
    if recorded["torchvision"] != installed_version():
        return NOTHING
    graphs = {name: _graph(name, told) for name, told in recorded["graphs"].items()}
    facts = {told["name"]: tracing.Facts(**told) for told in recorded["facts"]}
    return Records(graphs, facts, tuple(recorded["categories"]))


def installed_version() -> str:
    """torchvision's version, without the part that tells builds for different processors apart."""
    return importlib.metadata.version("torchvision").partition("+")[0]


def _graph(name: str, told: Mapping[str, Any]) -> Graph:
    return Graph(name, tuple(map(_node, told["nodes"])), told["training_only"])


def _node(told: Mapping[str, Any]) -> Node:
    values: dict[str, Any] = {key: _tuple(value) for key, value in told.items()}
    if "window" in told:
        window: dict[str, Any] = told["window"]
        values["window"] = Window(**{key: _tuple(value) for key, value in window.items()})
    return Node(**values)


def _tuple(value: Any) -> Any:
    """JSON has lists only."""
    return tuple(value) if isinstance(value, list) else value


def _told(node: Node) -> dict[str, Any]:
    """A node's values, without those that are the default."""
    plain = Node(node.kind, node.path, node.types, node.inputs)
    return {key: value for key, value in asdict(node).items() if key in _ALWAYS or value != getattr(plain, key)}


_ALWAYS = ("kind", "path", "types", "inputs")


def main() -> None:
    """Command line: see the top of this file."""
    graphs = {name: tracing.trace_graph(name) for name in NETWORKS}
    recorded = {
        "torchvision": installed_version(),
        "graphs": {
            name: {"nodes": list(map(_told, graph.nodes)), "training_only": graph.training_only}
            for name, graph in graphs.items()
        },
        "facts": list(map(asdict, tracing.facts())),
        "categories": tracing.categories(),
    }
    text = json.dumps(recorded, separators=(",", ":"))
    (ASSETS / NAME).write_bytes(gzip.compress(text.encode(), mtime=0))
    write_sums(ASSETS, [NAME])


if __name__ == "__main__":
    main()
