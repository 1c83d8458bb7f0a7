"""Where the values of a map come from: the part of a join that it belongs to, and the pixels of the picture that each
of its values sees. Loads no torch.

`ReceptiveField` has the size of all windows of a layer. Here each value has its own pixels: at an edge a window is cut
off, and in a join every map has the window of its own part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnn_explorer.classics.graph import Graph, Node, NodeShape

Spans = np.ndarray  # (values, 2), int: the first and the last pixel that each value along an axis sees
Sides = tuple[Spans, Spans]  # of the rows, and of the columns


@dataclass(frozen=True)
class Joined:
    """A part of a concatenation: the place of the node that it comes from (`source`), and its channels in the whole,
    from the `first` to before the `end`.
    """

    source: int
    first: int
    end: int


def joined(graph: Graph, shapes: Sequence[NodeShape], place: int) -> list[Joined]:
    """What the node at a place joins, by channels; nothing for a node that is no concatenation."""
    if graph.nodes[place].kind != "Concatenate":
        return []
    parts, first = [], 0
    for source in graph.nodes[place].inputs:
        end = first + shapes[source].shape[0]
        parts.append(Joined(source, first, end))
        first = end
    return parts


class Origins:
    """Which pixels of the picture the values of a network's maps see. `shapes` are those of all its nodes."""

    def __init__(self, graph: Graph, shapes: Sequence[NodeShape]) -> None:
        self._graph, self._shapes = graph, shapes
        self._of_all: list[Sides] = []  # by node: what its maps see together
        for node, one in zip(graph.nodes, shapes, strict=True):
            if len(one.shape) != 3:
                break  # no maps from here on
            self._of_all.append(self._through(node, one, [self._of_all[source] for source in node.inputs]))

    def spans(self, place: int, channel: int) -> Sides:
        """What each row and each column of a map sees; a last pixel before the first one means nothing.

        In a join every map sees what its own part does. It keeps that through the layers behind that read each map by
        itself. A convolution over all maps sees what they see together.
        """
        node = self._graph.nodes[place]
        for part in joined(self._graph, self._shapes, place):
            if channel < part.end:
                return self.spans(part.source, channel - part.first)
        read = _read_by(node, channel)
        if read is None:
            return self._of_all[place]
        return self._through(node, self._shapes[place], [self.spans(source, read) for source in node.inputs])

    def _through(self, node: Node, one: NodeShape, inputs: Sequence[Sides]) -> Sides:
        if node.kind == "Input":
            rows, columns = (np.repeat(np.arange(side)[:, None], 2, axis=1) for side in one.shape[1:])
            return rows, columns
        rows, columns = (
            _together([_slide(node, sides[axis], axis, one.shape[1 + axis]) for sides in inputs]) for axis in (0, 1)
        )
        return rows, columns


def _read_by(node: Node, channel: int) -> int | None:
    """The only map of each input that a map is made of; None where it is made of several, or of none."""
    if not node.inputs:
        return None
    if node.channels is None:
        return channel
    inside, out = node.channels
    return channel * inside // out if node.groups == inside else None


def _slide(node: Node, seen: Spans, axis: int, values: int) -> Spans:
    """What the values of a node see along an axis, through an input whose values see `seen`."""
    found = np.full((values, 2), (np.iinfo(np.int64).max, -1))
    for indices in _taps(node, len(seen), axis, values):
        inside = (indices >= 0) & (indices < len(seen))
        first, last = seen[indices[inside]].T
        found[inside] = np.stack([np.minimum(found[inside, 0], first), np.maximum(found[inside, 1], last)], axis=1)
    return found


def _taps(node: Node, size: int, axis: int, values: int) -> Iterator[np.ndarray]:
    """For each value the index of the input that it reads: first the first ones, then the second ones, and so on. An
    index outside of the input is padding.
    """
    at = np.arange(values)
    if node.window:
        window = node.window
        for tap in range(window.kernel_size[axis]):
            yield at * window.stride[axis] - window.padding[axis] + tap * window.dilation[axis]
    elif node.output_size:
        first, end = at * size // values, -(-(at + 1) * size // values)
        for tap in range(int((end - first).max())):
            yield np.minimum(first + tap, end - 1)
    else:
        left, _, top, _ = node.pads or (0, 0, 0, 0)
        yield at - (top, left)[axis]


def _together(seen: Sequence[Spans]) -> Spans:
    first, last = np.stack(seen, axis=2).transpose(1, 0, 2)
    return np.stack([first.min(axis=1), last.max(axis=1)], axis=1)
