"""A network as data: its input shape and its layers, and the architecture string, one line of text that says the same.

The architecture string joins one token a layer with hyphens; `parse` takes blanks, commas and arrows as well. The
lecture's network is `conv10k5-max2-relu-conv20k5-max2-relu-fc10`; other tokens are `conv8k5x3s2p1d1g1`, `avg3s2p1`,
`tanh`, `sigmoid`, `leakyrelu`, `gelu`, `bn`, `drop50` (percent), `flatten` and `fc512`. A pair is height x width.
Parameters that are left out have torch's defaults.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cnn_explorer.spec.layers import LAYERS, FlattenSpec, LayerSpec, LinearSpec, Shape
from cnn_explorer.text import quoted

MAX_LAYERS = 24
SEPARATOR = re.compile(r"\s*(?:->|→|[-,;])\s*|\s+")
IMAGE_SHAPE: Shape = (1, 28, 28)


class ArchitectureError(ValueError):
    """A string that is not an architecture: the `token` that cannot be read, its `position` in characters from 0, and
    what was `expected` there.
    """

    def __init__(self, token: str, position: int, expected: str, problem: str = ""):
        self.token, self.position, self.expected = token, position, expected
        super().__init__(f"{quoted(token)} at position {position}: {problem or f'expected {expected}'}")


@dataclass(frozen=True)
class NetworkSpec:
    """The layers of a network in order, as written, and the shape of its input `(C, H, W)`.

    Raises `ValueError` for no layers or more than 24. Does not check the geometry: `infer_shapes` does.
    """

    layers: tuple[LayerSpec, ...]
    input_shape: Shape = IMAGE_SHAPE

    def __post_init__(self) -> None:
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise ValueError(f"a network has 1 to {MAX_LAYERS} layers, not {len(self.layers)}")

    def __str__(self) -> str:
        return "-".join(map(str, self.layers))

    def named_layers(self) -> Iterator[tuple[str, LayerSpec]]:
        """Every layer under its name (`conv1`, `max1`, `relu1`, `conv2`, …), with the `flatten` that the first linear
        layer implies.
        """
        numbers: Counter[str] = Counter()
        flat = False
        for layer in self.layers:
            if isinstance(layer, LinearSpec) and not flat:
                yield "flatten", FlattenSpec()
                flat = True
                numbers["flatten"] += 1
            flat = flat or isinstance(layer, FlattenSpec)
            numbers[layer.token] += 1
            first_flatten = isinstance(layer, FlattenSpec) and numbers[layer.token] == 1
            yield layer.token if first_flatten else f"{layer.token}{numbers[layer.token]}", layer


def parse(architecture: str) -> NetworkSpec:
    """Read an architecture string; the input shape is `IMAGE_SHAPE`.

    `str(parse(text))` is its shortest form, and `parse(str(spec)) == spec`. Capital letters are accepted, and between
    tokens blanks, commas and arrows as well as hyphens. Raises `ArchitectureError` with the token, its position and
    what was expected.
    """
    layers: list[LayerSpec] = []
    for token, start in tokens(architecture.lower()):
        if len(layers) == MAX_LAYERS:
            raise ArchitectureError(token, start, f"the end: a network has at most {MAX_LAYERS} layers")
        layers.append(_parse_token(token, start))
    return NetworkSpec(tuple(layers))


def tokens(architecture: str) -> Iterator[tuple[str, int]]:
    """The tokens of an architecture string, each with its position."""
    start, end = len(architecture) - len(architecture.lstrip()), len(architecture.rstrip())
    for separator in SEPARATOR.finditer(architecture, start, max(start, end)):
        yield architecture[start : separator.start()], start
        start = separator.end()
    yield architecture[start:end], start


def _parse_token(token: str, position: int) -> LayerSpec:
    name = re.match(r"[a-z]*", token)
    word = name.group() if name else ""
    if word not in LAYERS:
        raise ArchitectureError(token, position, f"a layer: {', '.join(LAYERS)}")
    layer = LAYERS[word]
    match = re.fullmatch(layer.pattern, token[len(word) :], re.ASCII)
    if not match:
        raise ArchitectureError(token, position, f"after {quoted(word)}: {layer.expected}")
    try:
        return layer.parse(word, match.groupdict())
    except ValueError as problem:
        raise ArchitectureError(token, position, layer.expected, str(problem)) from None


LECTURE = parse("conv10k5-max2-relu-conv20k5-max2-relu-fc10")

LECTURE_HELP = (
    "“The lecture” is a PyTorch lecture on basic CNNs. Its network has two convolutions of 10 and 20 kernels of 5×5, "
    "each with a max pooling and ReLU, and a linear layer; in the lecture it is right on 98 % of MNIST's test digits. "
    "Its fully connected forerunner, with five linear layers, is right on 97 %."
)
PRESETS: Mapping[str, NetworkSpec] = {
    "the lecture's network": LECTURE,
    "the lecture's fully connected network": parse("fc512-relu-fc256-relu-fc128-relu-fc64-relu-fc10"),
    "LeNet-5": parse("conv6k5p2-tanh-avg2-conv16k5-tanh-avg2-fc120-tanh-fc84-tanh-fc10"),
    "padding=1 keeps the size": parse("conv10k3p1-relu-conv20k3p1-relu-fc10"),
    "stride=2 halves": parse("conv10k3s2p1-relu-conv20k3s2p1-relu-fc10"),
    "stride=3: one number a channel": parse("conv10k5-max2-relu-conv20k5s3-max2-relu-fc10"),
    "average pooling": parse("conv10k5-avg2-relu-conv20k5-avg2-relu-fc10"),
    "no pooling": parse("conv10k5-relu-conv20k5-relu-fc10"),
}
