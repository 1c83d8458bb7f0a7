"""A network as a graph of layers, as plain data, and the shapes in it for any size of the input. Loads no torch.

Conventions: shapes leave the batch out. A multiply-add counts as 1. Convolutions and linear layers count, as in
torchvision's own numbers (`torch.utils.flop_counter`); normalisation, pooling, activations and additions count as 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from cnn_explorer.spec.layers import Shape
from cnn_explorer.spec.shapes import ReceptiveField

Pair = tuple[int, int]  # height, width
EVERYTHING: Pair = (0, 0)  # jump of a field that is the same for all values: they see the whole picture


@dataclass(frozen=True)
class Window:
    """How a kernel slides; each (height, width). `padding` is the same on both sides. With `ceil_mode` a last window
    that is not complete counts.
    """

    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    @property
    def span(self) -> Pair:
        """Pixels from the first to the last that a window covers."""
        height, width = (d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True))
        return height, width

    def places(self, side: int, axis: int) -> int:
        """Windows along one side of an input: ⌊(side + 2·padding − span)/stride⌋ + 1, or the ceiling. Below 1 if no
        window fits.

        With `ceil_mode`, a window that would start in the padding at the end is left out, as in torch.
        """
        padding, stride = self.padding[axis], self.stride[axis]
        free = side + 2 * padding - self.span[axis]
        if not self.ceil_mode:
            return free // stride + 1
        places = -(-free // stride) + 1
        return places - 1 if (places - 1) * stride >= side + padding else places


@dataclass(frozen=True)
class Node:
    """One layer. `kind` is its class in torch.nn, or Input, Add or Concatenate.

    `path` names the modules that it lies in, its own name last; `types` has their classes. `inputs` are the places of
    the nodes that it reads, in order. `channels` are (in, out) of a convolution, and features of a linear layer.
    """

    kind: str
    path: tuple[str, ...]
    types: tuple[str, ...]
    inputs: tuple[int, ...]
    parameters: int = 0
    window: Window | None = None
    channels: Pair | None = None
    groups: int = 1
    output_size: Pair | None = None  # of an adaptive pooling
    pads: tuple[int, int, int, int] | None = None  # of a zero padding: left, right, top, bottom

    @property
    def name(self) -> str:
        """Its path, as torch writes it; `relu_2` is the second use of `relu`."""
        return ".".join(self.path)


@dataclass(frozen=True)
class Graph:
    """A network by torchvision's `name`. `nodes` are in the order of the computation; the first is the input.

    `training_only` counts the parameters of parts that only a training uses: the auxiliary classifier of Inception v3.
    """

    name: str
    nodes: tuple[Node, ...]
    training_only: int = 0

    @property
    def parameters(self) -> int:
        """Trained values, those of `training_only` parts included."""
        return sum(node.parameters for node in self.nodes) + self.training_only


@dataclass(frozen=True)
class NodeShape:
    """What a node gives for a certain input: the `shape` of its output, its multiply-adds (`macs`), and the `field` of
    the picture that one value of it depends on.
    """

    shape: Shape
    macs: int
    field: ReceptiveField


@dataclass(frozen=True)
class GraphShapes:
    """The nodes reached, in order. Where the next one cannot take its input, `error` says why, else it is ""."""

    nodes: tuple[NodeShape, ...]
    error: str = ""

    @property
    def macs(self) -> int:
        """Multiply-adds of the nodes reached, for one picture."""
        return sum(node.macs for node in self.nodes)


class TooSmallError(ValueError):
    """A node cannot take its input; the message is a clause with the numbers."""


def infer_graph(graph: Graph, size: int) -> GraphShapes:
    """The shapes of all nodes for pictures of `size` × `size` pixels in three colours, up to the first node that
    cannot take its input: a result, never an exception.
    """
    reached: list[NodeShape] = []
    for node in graph.nodes:
        try:
            reached.append(_shape_of(node, [reached[place] for place in node.inputs], size))
        except TooSmallError as problem:
            return GraphShapes(tuple(reached), f"`{node.name}` ({node.kind}) {problem}.")
    return GraphShapes(tuple(reached))


def smallest_size(graph: Graph) -> int:
    """The smallest input, in pixels a side, that every node can take."""
    return next(size for size in range(1, 1000) if not infer_graph(graph, size).error)


def _shape_of(node: Node, inputs: Sequence[NodeShape], size: int) -> NodeShape:
    if node.kind == "Input":
        return NodeShape((3, size, size), 0, ReceptiveField())
    rule = RULES.get(node.kind, _same)
    result = rule(node, inputs)
    if node.channels is None:
        return result
    kernel = math.prod(node.window.kernel_size) if node.window else 1
    return replace(result, macs=math.prod(result.shape) * node.channels[0] // node.groups * kernel)


# --- one function a kind: its output for its inputs; multiply-adds are added above ---


def _same(node: Node, inputs: Sequence[NodeShape]) -> NodeShape:
    return NodeShape(inputs[0].shape, 0, inputs[0].field)


def _slide(node: Node, inputs: Sequence[NodeShape]) -> NodeShape:
    window = node.window
    assert window
    shape, field = inputs[0].shape, inputs[0].field
    height, width = (window.places(shape[1 + axis], axis) for axis in (0, 1))
    if min(height, width) < 1:
        has = "its padded input is" if max(window.padding) else "its input is"
        sides = [length + 2 * pad for length, pad in zip(shape[1:], window.padding, strict=True)]
        raise TooSmallError(f"has windows of {_times(window.span)} pixels, but {has} only {_times(sides)}")
    channels = node.channels[1] if node.channels else shape[0]
    return NodeShape((channels, height, width), 0, _through(field, window))


def _through(field: ReceptiveField, window: Window) -> ReceptiveField:
    """As `ReceptiveField.through` for a layer of `spec`: Araujo, Norris and Sim (Distill, 2019)."""
    if field.jump == EVERYTHING:
        return field
    size, jump, centre = [], [], []
    for axis in (0, 1):
        reach, step = window.span[axis] - 1, field.jump[axis]
        size.append(field.size[axis] + reach * step)
        jump.append(step * window.stride[axis])
        centre.append(field.centre[axis] + (reach / 2 - window.padding[axis]) * step)
    return ReceptiveField((size[0], size[1]), (jump[0], jump[1]), (centre[0], centre[1]))


def _adapt(node: Node, inputs: Sequence[NodeShape]) -> NodeShape:
    """Output i of k reads the inputs from ⌊i·n/k⌋ to ⌈(i + 1)·n/k⌉ − 1 of n."""
    assert node.output_size
    (channels, height, width), field = inputs[0].shape, inputs[0].field
    rows, columns = node.output_size
    if height % rows == 0 and width % columns == 0:
        step = height // rows, width // columns
        field = _through(field, Window(step, step))
    else:
        field = _whole(inputs[0])
    return NodeShape((channels, rows, columns), 0, field)


def _pad(node: Node, inputs: Sequence[NodeShape]) -> NodeShape:
    assert node.pads
    left, right, top, bottom = node.pads
    (channels, height, width), field = inputs[0].shape, inputs[0].field
    if field.jump != EVERYTHING:
        down, across = (
            centre - start * jump for centre, start, jump in zip(field.centre, (top, left), field.jump, strict=True)
        )
        field = replace(field, centre=(down, across))
    return NodeShape((channels, height + top + bottom, width + left + right), 0, field)


def _flatten(node: Node, inputs: Sequence[NodeShape]) -> NodeShape:
    return NodeShape((math.prod(inputs[0].shape),), 0, _whole(inputs[0]))


def _whole(before: NodeShape) -> ReceptiveField:
    """All that the values before see together."""
    field = before.field
    if field.jump == EVERYTHING or len(before.shape) == 1:
        return field
    size, centre = [], []
    for axis in (0, 1):
        reach = (before.shape[1 + axis] - 1) * field.jump[axis]
        size.append(field.size[axis] + reach)
        centre.append(field.centre[axis] + reach / 2)
    return ReceptiveField((size[0], size[1]), EVERYTHING, (centre[0], centre[1]))


def _linear(node: Node, inputs: Sequence[NodeShape]) -> NodeShape:
    assert node.channels
    return NodeShape((node.channels[1],), 0, inputs[0].field)


def _add(node: Node, inputs: Sequence[NodeShape]) -> NodeShape:
    return NodeShape(inputs[0].shape, 0, _union([one.field for one in inputs]))


def _concatenate(node: Node, inputs: Sequence[NodeShape]) -> NodeShape:
    channels = sum(one.shape[0] for one in inputs)
    return NodeShape((channels, *inputs[0].shape[1:]), 0, _union([one.field for one in inputs]))


def _union(fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """The smallest window that has all windows of the summands in it."""
    size, centre = [], []
    for axis in (0, 1):
        starts = [one.centre[axis] - (one.size[axis] - 1) / 2 for one in fields]
        ends = [one.centre[axis] + (one.size[axis] - 1) / 2 for one in fields]
        size.append(int(max(ends) - min(starts)) + 1)
        centre.append((max(ends) + min(starts)) / 2)
    return ReceptiveField((size[0], size[1]), fields[0].jump, (centre[0], centre[1]))


RULES: Mapping[str, Callable[[Node, Sequence[NodeShape]], NodeShape]] = {
    "Conv2d": _slide,
    "MaxPool2d": _slide,
    "AvgPool2d": _slide,
    "AdaptiveAvgPool2d": _adapt,
    "ZeroPad2d": _pad,
    "Flatten": _flatten,
    "Linear": _linear,
    "Add": _add,
    "Concatenate": _concatenate,
}  # all other kinds keep shape and field


def _times(sides: Sequence[int]) -> str:
    return " × ".join(map(str, sides))
