"""Shapes, parameters and receptive fields against PyTorch itself, and against numbers worked by hand."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import extents, networks
from torch import nn

from cnn_explorer.spec.layers import Conv2dSpec, LayerSpec, Pool2dSpec, Shape, WindowSpec
from cnn_explorer.spec.network import LECTURE, PRESETS, NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes

# --- an independent reader: from the architecture string straight to torch.nn ---

Numbers = dict[str, tuple[int, ...]]
MODULES: dict[str, Callable[[Numbers, int], nn.Module]] = {
    "conv": lambda n, c: nn.Conv2d(
        c, n["conv"][0], n["k"], n.get("s", 1), n.get("p", 0), n.get("d", 1), n.get("g", (1,))[0]
    ),
    "max": lambda n, c: nn.MaxPool2d(n["max"], n.get("s"), n.get("p", 0)),
    "avg": lambda n, c: nn.AvgPool2d(n["avg"], n.get("s"), n.get("p", 0)),
    "relu": lambda n, c: nn.ReLU(),
    "tanh": lambda n, c: nn.Tanh(),
    "sigmoid": lambda n, c: nn.Sigmoid(),
    "leakyrelu": lambda n, c: nn.LeakyReLU(),
    "gelu": lambda n, c: nn.GELU(),
    "bn": lambda n, c: nn.BatchNorm2d(c).eval(),
    "drop": lambda n, c: nn.Dropout(n["drop"][0] / 100),
    "flatten": lambda n, c: nn.Flatten(),
    "fc": lambda n, c: nn.Linear(c, n["fc"][0]),
}


def numbers(token: str) -> Numbers:
    """`conv8k5x3s2` → conv: (8, 8), k: (5, 3), s: (2, 2)."""
    found = {}
    for word, first, second in re.findall(r"([a-z]+)(\d+)(?:x(\d+))?", token):
        found[word] = (int(first), int(second or first))
    return found


def torch_layers(text: str) -> Iterator[tuple[str, Callable[[int], nn.Module]]]:
    """Names and constructors (of in_channels), with the flatten that the first linear layer needs."""
    seen: Counter[str] = Counter()
    for token in text.split("-"):
        word = re.match("[a-z]+", token)[0]  # type: ignore[index]
        for kind in ("flatten", "fc") if word == "fc" and not seen["flatten"] else (word,):
            seen[kind] += 1
            name = kind if kind == "flatten" and seen[kind] == 1 else f"{kind}{seen[kind]}"
            yield name, lambda channels, kind=kind, token=token: MODULES[kind](numbers(token), channels)  # type: ignore[misc]


def test_agrees_with_torch() -> None:
    outcomes = Counter[bool]()

    @settings(max_examples=200)
    @given(networks())
    def check(spec: NetworkSpec) -> None:
        agrees_with_torch(spec)
        outcomes[infer_shapes(spec).error is None] += 1

    check()
    assert min(outcomes[True], outcomes[False]) > 40  # the random networks are of both kinds


def agrees_with_torch(spec: NetworkSpec) -> None:
    shapes = infer_shapes(spec)
    reached = iter(shapes.layers)
    with torch.device("meta"), torch.no_grad():
        value = torch.zeros(1, 1, 28, 28)
        for name, make in torch_layers(str(spec)):
            try:
                module = make(value.shape[1])
                value = module(value)
            except (RuntimeError, ValueError, IndexError):
                assert shapes.error is not None
                assert shapes.error.layer == name
                assert [*spec.named_layers()][shapes.error.index][0] == name
                assert next(reached, None) is None
                return
            layer = next(reached)
            assert layer.name == name
            assert layer.output_shape == tuple(value.shape[1:])
            assert layer.values == value.numel()
            assert layer.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert shapes.error is None
    assert next(reached, None) is None
    assert shapes.output_shape == tuple(value.shape[1:])


# --- numbers known from elsewhere ---


def test_the_lecture_network() -> None:
    shapes = infer_shapes(LECTURE)
    assert [layer.output_shape for layer in shapes.layers] == [
        (10, 24, 24), (10, 12, 12), (10, 12, 12), (20, 8, 8), (20, 4, 4), (20, 4, 4), (320,), (10,)
    ]  # fmt: skip
    assert [layer.parameters for layer in shapes.layers] == [260, 0, 0, 5020, 0, 0, 0, 3210]
    assert shapes.parameters == 8490
    # 10·24·24 values of 5·5 products, 20·8·8 of 10·5·5, and 10 of 320
    assert [layer.macs for layer in shapes.layers if layer.macs] == [144_000, 320_000, 3200]
    assert shapes.layers[0].formula == "⌊(28 + 2·0 − 1·(5−1) − 1)/1⌋ + 1 = 24"
    assert [layer.receptive_field.size[0] for layer in shapes.layers] == [5, 6, 6, 14, 16, 16, 28, 28]
    assert [layer.receptive_field.jump[0] for layer in shapes.layers] == [1, 2, 2, 2, 4, 4, 0, 0]
    assert shapes.classifies


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        # LeNet-5 with every map connected: 6·(1·5·5 + 1) + 16·(6·5·5 + 1) + 120·(16·5·5 + 1) + 84·(120 + 1) + 10·(84 +
        # 1)
        (str(PRESETS["LeNet-5"]), 156 + 2416 + 48_120 + 10_164 + 850),
        # 512·785 + 256·513 + 128·257 + 64·129 + 10·65
        ("fc512-relu-fc256-relu-fc128-relu-fc64-relu-fc10", 401_920 + 131_328 + 32_896 + 8256 + 650),
        # PyTorch's MNIST example: 32·(9 + 1) + 64·(32·9 + 1) + 128·(64·12·12 + 1) + 10·129
        ("conv32k3-relu-conv64k3-relu-max2-drop25-flatten-fc128-relu-drop50-fc10", 1_199_882),
        # depthwise separable, with a batch normalisation: 8·(9 + 1) + 16·(8 + 1) + 2·16
        ("conv8k3p1-conv8k3p1g8-conv16k1-bn", 80 + 80 + 144 + 32),
    ],
)
def test_parameters_by_hand(text: str, parameters: int) -> None:
    assert infer_shapes(parse(text)).parameters == parameters


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        # VGG's first two stages; torchvision gives the same shapes
        ("conv64k3p1-relu-conv64k3p1-relu-max2-conv128k3p1-relu-conv128k3p1-relu-max2", (3, 224, 224), (128, 56, 56)),
        ("conv64k7s2p3-bn-relu-max3s2p1", (3, 224, 224), (64, 56, 56)),  # ResNet's stem
        ("conv64k11s4p2-relu-max3s2-conv192k5p2-relu-max3s2", (3, 224, 224), (192, 13, 13)),  # AlexNet
        ("conv6k5-avg2-conv16k5-avg2-flatten", (1, 32, 32), (400,)),  # LeNet-5 on its own 32×32
        ("max28", (1, 28, 28), (1, 1, 1)),
        ("conv1k14d2", (1, 28, 28), (1, 2, 2)),
        ("relu-tanh-drop50", (1, 28, 28), (1, 28, 28)),
    ],
)
def test_output_shape_by_hand(text: str, shape: Shape, expected: Shape) -> None:
    assert infer_shapes(NetworkSpec(parse(text).layers, shape)).output_shape == expected


@pytest.mark.parametrize(
    ("text", "reached", "layer", "index"),
    [
        ("max28-max2", ["max1"], "max2", 1),
        ("conv10k5-conv8k25", ["conv1"], "conv2", 1),
        ("fc10-conv8k3", ["flatten", "fc1"], "conv1", 2),
        ("conv9k3-conv8k3g4", ["conv1"], "conv2", 1),
        ("flatten-bn", ["flatten"], "bn1", 1),
        ("max2p2", [], "max1", 0),
    ],
)
def test_where_the_geometry_breaks(text: str, reached: list[str], layer: str, index: int) -> None:
    shapes = infer_shapes(parse(text))
    assert [each.name for each in shapes.layers] == reached
    assert shapes.error is not None
    assert (shapes.error.layer, shapes.error.index) == (layer, index)
    assert str(shapes.error).startswith(f"{layer}: ")
    assert not shapes.classifies
    assert shapes.output_shape == (shapes.layers[-1].output_shape if reached else (1, 28, 28))


@pytest.mark.parametrize(
    ("text", "classifies"), [("fc10", True), ("fc10-relu", False), ("conv8k3", False), ("conv8k3-flatten", False)]
)
def test_logits_come_from_a_linear_layer(text: str, classifies: bool) -> None:
    assert infer_shapes(parse(text)).classifies is classifies


def test_a_strangers_worst_geometry_is_quick() -> None:
    spec = parse("-".join(["conv256k28x27p28x27d28"] * 24))
    assert math.isfinite(infer_shapes(spec).macs)


# --- receptive fields ---

windows: st.SearchStrategy[LayerSpec] = st.one_of(
    st.builds(Conv2dSpec, st.just(1), extents(1, 3, 4), extents(1, 2, 3), extents(0, 2), extents(1, 2, 3)),
    st.builds(Pool2dSpec, st.just("avg"), extents(2, 3), extents(1, 3), extents(0, 1)),
)


@settings(max_examples=150)
@given(st.lists(windows, min_size=1, max_size=4).map(tuple), st.data())
def test_receptive_field_is_where_the_gradient_is(layers: tuple[WindowSpec, ...], data: st.DataObject) -> None:
    image = torch.ones(1, 1, 41, 37, requires_grad=True)
    spec = NetworkSpec(layers, (1, 41, 37))
    shapes = infer_shapes(spec)
    if not shapes.layers:
        return
    field = shapes.layers[-1].receptive_field
    value: torch.Tensor = image
    for layer in shapes.layers:
        module = layer.spec.build(layer.input_shape)
        for parameter in module.parameters():
            nn.init.ones_(parameter)
        value = module(value)
    place = tuple(data.draw(st.integers(0, size - 1)) for size in value.shape[2:])
    (gradient,) = torch.autograd.grad(value[0, 0, place[0], place[1]], image)
    for axis in (0, 1):
        reached = gradient[0, 0].sum(dim=1 - axis).nonzero().flatten().tolist()
        first = field.centre[axis] + place[axis] * field.jump[axis] - (field.size[axis] - 1) / 2
        last = first + field.size[axis] - 1
        if first >= 0 and last <= image.shape[2 + axis] - 1:
            assert not reached or (min(reached), max(reached)) == (first, last)
        else:  # partly over the edge: what is left lies inside
            assert all(first <= pixel <= last for pixel in reached)


@pytest.mark.parametrize(
    ("text", "size", "jump", "centre"),
    [
        ("conv1k3", 3, 1, 1.0),
        ("conv1k3-conv1k3", 5, 1, 2.0),  # two 3×3 see what one 5×5 sees
        ("conv1k3p1-conv1k3p1", 5, 1, 0.0),
        ("conv1k3d2-conv1k3d4", 13, 1, 6.0),
        ("conv1k7s2p3-max3s2p1", 11, 4, 0.0),  # ResNet's stem
        ("max2-max2-max2", 8, 8, 3.5),
    ],
)
def test_receptive_field_by_hand(text: str, size: int, jump: int, centre: float) -> None:
    field = infer_shapes(parse(text)).layers[-1].receptive_field
    assert (field.size, field.jump, field.centre) == ((size, size), (jump, jump), (centre, centre))


def test_features_see_the_whole_image() -> None:
    field = infer_shapes(parse("conv1k5-max2-fc10")).layers[-1].receptive_field
    assert (field.size, field.centre) == ((28, 28), (13.5, 13.5))
