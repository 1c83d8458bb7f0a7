"""Layers and numbers of a graph in words and formulas. Text for pages, without markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cnn_explorer.classics.folding import Step, steps_of
from cnn_explorer.classics.graph import EVERYTHING, Graph, Node, NodeShape, Pair, Window
from cnn_explorer.spec.layers import Shape

WORDS = {
    "Input": "Picture",
    "Conv2d": "Convolution",
    "BatchNorm2d": "Batch norm",
    "MaxPool2d": "Max pooling",
    "AvgPool2d": "Average pooling",
    "AdaptiveAvgPool2d": "Adaptive average",
    "ZeroPad2d": "Zero padding",
    "Add": "Addition",
    "Concatenate": "Concatenation",
    "_DenseBlock": "Dense block",
    "_DenseLayer": "Dense layer",
    "_Transition": "Transition",
    "Sequential": "Stage",
    "BasicConv2d": "Convolution, norm, ReLU",
    "Conv2dNormActivation": "Convolution, norm, ReLU6",
    "InvertedResidual": "Inverted residual",
    "BasicBlock": "Residual block",
    "Bottleneck": "Residual bottleneck",
}
FUNCTIONS = {"Add": "x + y", "Concatenate": "torch.cat([x, y, …], dim=1)", "Flatten": "torch.flatten(x, 1)"}
# What is counted of a group's parts; norms and activations follow the convolutions.
COUNTED = ("Conv2d", "Linear", "MaxPool2d", "AvgPool2d", "Add", "Concatenate")


def word_for(kind: str) -> str:
    """A class of torch or torchvision in plain words; its own name where that is plain."""
    return WORDS.get(kind, kind)


def inside_a_sentence(kind: str) -> str:
    """`word_for` with a small letter, but for classes that go by their own names."""
    word = word_for(kind)
    return word if word == kind else word[0].lower() + word[1:]


def compact(number: float) -> str:
    """A number with three digits: 576, 36.9 k, 25.6 M, 4.09 G."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{_three_digits(number / size)}{unit}"
    return f"{number:.0f}"


def _three_digits(number: float) -> str:
    digits = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:.{digits}f}"


def times(sides: Sequence[int]) -> str:
    """For example "64 × 56 × 56"."""
    return " × ".join(map(str, sides))


def summary(graph: Graph, step: Step) -> str:
    """What is in a step, in a few words: a layer's kernel and channels, or the parts of a group and their number."""
    if step.inside:
        counts: Counter[str] = Counter()
        for part in steps_of(step.inside):
            if part.inside or part.kind in COUNTED:
                counts[inside_a_sentence(part.kind)] += part.count
        return ", ".join(f"{count}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{word}" for word, count in counts.items())
    return layer_summary(graph.nodes[step.nodes[0]])


def layer_summary(node: Node) -> str:
    """Kernel, stride and channels of a layer; "" where there are none."""
    parts = []
    if node.window:
        parts.append(times(node.window.kernel_size))
        if node.window.stride != (1, 1):
            parts.append(f"stride {_either(node.window.stride)}")
    if node.channels:
        parts.append(f"{node.channels[0]} → {node.channels[1]}")
    if node.groups > 1:
        parts.append("depthwise" if node.groups == (node.channels or (0, 0))[0] else f"{node.groups} groups")
    if node.output_size:
        parts.append(f"to {times(node.output_size)}")
    return ", ".join(parts)


def field_text(one: NodeShape) -> str:
    """How much of the picture a value sees."""
    if one.field.jump == EVERYTHING:
        return "the whole picture"
    return f"{times(one.field.size)} pixels"


def code_of(node: Node) -> str:
    """The layer as one writes it in PyTorch; "" for what is not in torch.nn."""
    window = node.window
    if node.kind == "Conv2d" and window and node.channels:
        named = _arguments(window) + ([f"groups={node.groups}"] if node.groups > 1 else [])
        bias = [] if node.parameters % node.channels[1] == 0 and _has_bias(node) else ["bias=False"]
        return f"nn.Conv2d({', '.join([*map(str, node.channels), *named, *bias])})"
    if node.kind in ("MaxPool2d", "AvgPool2d") and window:
        ceil = ["ceil_mode=True"] if window.ceil_mode else []
        return f"nn.{node.kind}({', '.join([*_arguments(window), *ceil])})"
    if node.kind == "Linear" and node.channels:
        return f"nn.Linear({node.channels[0]}, {node.channels[1]})"
    if node.kind == "AdaptiveAvgPool2d" and node.output_size:
        return f"nn.AdaptiveAvgPool2d({node.output_size})"
    if node.pads:
        return f"nn.ZeroPad2d({node.pads})"
    return FUNCTIONS.get(node.kind, "")


def _has_bias(node: Node) -> bool:
    return node.parameters > weights_of(node)


def weights_of(node: Node) -> int:
    """Numbers in the kernels of a convolution or the matrix of a linear layer, without biases; else 0."""
    if node.channels is None:
        return 0
    rows, columns = node.window.kernel_size if node.window else (1, 1)
    return node.channels[1] * (node.channels[0] // node.groups) * rows * columns


def _arguments(window: Window) -> list[str]:
    values = {"stride": window.stride, "padding": window.padding, "dilation": window.dilation}
    usual = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    return [
        f"kernel_size={_either(window.kernel_size)}",
        *(f"{name}={_either(value)}" for name, value in values.items() if value != usual[name]),
    ]


def _either(sides: Pair) -> str:
    return str(sides[0]) if sides[0] == sides[1] else str(sides)


def size_formula(node: Node, shape: Shape) -> list[str]:
    """The sides of the output of a convolution or a pooling, with today's numbers; one line where both are equal."""
    window = node.window
    if window is None:
        return []
    lines = [_side(window, axis, shape[1 + axis]) for axis in (0, 1)]
    return lines[:1] if lines[0] == lines[1] else [f"H: {lines[0]}", f"W: {lines[1]}"]


def _side(window: Window, axis: int, size: int) -> str:
    kernel, stride = window.kernel_size[axis], window.stride[axis]
    padding, dilation = window.padding[axis], window.dilation[axis]
    left, right = "⌈⌉" if window.ceil_mode else "⌊⌋"
    windows = f"{left}({size} + 2·{padding} − {dilation}·({kernel}−1) − 1)/{stride}{right} + 1"
    return f"{windows} = {window.places(size, axis)}"


def parameters_formula(node: Node) -> str:
    """How the number of a layer's parameters comes about; "" for a layer without."""
    weights = weights_of(node)
    if not weights or node.channels is None:
        return f"{node.parameters:,}" if node.parameters else ""
    sides = (node.channels[1], node.channels[0] // node.groups, *(node.window.kernel_size if node.window else ()))
    bias = f" + {node.parameters - weights:,}" if _has_bias(node) else ""
    return f"{' · '.join(map(str, sides))}{bias} = {node.parameters:,}"


def macs_formula(node: Node, one: NodeShape) -> str:
    """How the number of a layer's multiply-adds comes about; "" for none."""
    if not one.macs:
        return ""
    places = one.shape[1:]
    return f"{' · '.join(f'{number:,}' for number in (weights_of(node), *places))} = {one.macs:,}"
