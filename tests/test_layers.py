"""One layer at a time: shapes against a table, costs by counting, errors with remedies that work."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import any_layer, convolutions, extents, poolings
from torch.nn import functional

from cnn_explorer.spec.layers import (
    LAYERS,
    ActivationSpec,
    BatchNorm2dSpec,
    Conv2dSpec,
    DropoutSpec,
    FlattenSpec,
    GeometryError,
    LayerSpec,
    LinearSpec,
    Pool2dSpec,
    Shape,
    WindowSpec,
    pair,
)

shapes = st.tuples(st.sampled_from([1, 2, 3, 4, 6]), st.integers(1, 12), st.integers(1, 12))


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Conv2dSpec(10, 5), (1, 28, 28), (10, 24, 24)),
        (Conv2dSpec(64, 3, padding=1), (3, 224, 224), (64, 224, 224)),  # VGG
        (Conv2dSpec(64, 7, stride=2, padding=3), (3, 224, 224), (64, 112, 112)),  # ResNet's stem
        (Conv2dSpec(96, 11, stride=4, padding=2), (3, 224, 224), (96, 55, 55)),  # AlexNet's first
        (Conv2dSpec(4, (5, 3), (2, 1), (0, 1), (1, 2)), (2, 11, 9), (4, 4, 7)),
        (Conv2dSpec(6, 3, groups=3), (3, 5, 5), (6, 3, 3)),
        (Conv2dSpec(2, 28), (1, 28, 28), (2, 1, 1)),
        (Pool2dSpec("max", 2), (64, 224, 224), (64, 112, 112)),
        (Pool2dSpec("max", 3, 2, 1), (64, 112, 112), (64, 56, 56)),  # ResNet's stem
        (Pool2dSpec("avg", 3), (5, 8, 8), (5, 2, 2)),
        (Pool2dSpec("avg", (2, 4), (1, 3), (1, 2)), (5, 8, 8), (5, 9, 3)),
        (ActivationSpec("gelu"), (5, 8, 8), (5, 8, 8)),
        (ActivationSpec("tanh"), (5,), (5,)),
        (BatchNorm2dSpec(), (5, 8, 7), (5, 8, 7)),
        (DropoutSpec(0.25), (5,), (5,)),
        (FlattenSpec(), (20, 4, 4), (320,)),
        (FlattenSpec(), (320,), (320,)),
        (LinearSpec(10), (320,), (10,)),
    ],
    ids=str,
)
def test_output_shape(layer: LayerSpec, shape: Shape, expected: Shape) -> None:
    assert layer.output_shape(shape) == expected
    with torch.device("meta"):
        assert layer.build(shape).eval()(torch.zeros(1, *shape)).shape[1:] == expected


@pytest.mark.parametrize(
    ("layer", "shape", "formula"),
    [
        (Conv2dSpec(10, 5), (1, 28, 28), "⌊(28 + 2·0 − 1·(5−1) − 1)/1⌋ + 1 = 24"),
        (
            Conv2dSpec(8, (5, 3), dilation=2),
            (1, 28, 28),
            "H: ⌊(28 + 2·0 − 2·(5−1) − 1)/1⌋ + 1 = 20\nW: ⌊(28 + 2·0 − 2·(3−1) − 1)/1⌋ + 1 = 24",
        ),
        (Pool2dSpec("max", 3, 2, 1), (4, 9, 9), "⌊(9 + 2·1 − 3)/2⌋ + 1 = 5"),
        (FlattenSpec(), (20, 4, 4), "20·4·4 = 320"),
        (LinearSpec(10), (320,), "W·x + b, W 10×320"),
        (ActivationSpec("relu"), (320,), "max(0, x)"),
    ],
    ids=str,
)
def test_formula(layer: LayerSpec, shape: Shape, formula: str) -> None:
    assert layer.formula(shape) == formula


@settings(max_examples=150)
@given(st.one_of(convolutions, poolings), shapes)
def test_formula_says_what_python_computes(layer: WindowSpec, shape: Shape) -> None:
    try:
        sizes = layer.output_shape(shape)[1:]
    except GeometryError:
        return
    lines = layer.formula(shape).splitlines()
    for line, size in zip(lines * (3 - len(lines)), sizes, strict=True):
        left, right = line.removeprefix("H: ").removeprefix("W: ").split(" = ")
        python = left.replace("·", "*").replace("−", "-").replace("⌊", "(").replace("/", "//").replace("⌋", ")")
        assert eval(python) == int(right) == size


def ones(layer: LayerSpec, shape: Shape) -> torch.Tensor:
    """Output of a layer whose weights are all 1 and whose biases are 0, for an image of ones with padding of ones:
    counts of products.
    """
    module = layer.build(shape).double()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.fill_(float("weight" in name))
        image = torch.ones(1, *shape, dtype=torch.float64)
        if isinstance(layer, Conv2dSpec):
            height, width = pair(layer.padding)
            module.padding = (0, 0)
            image = functional.pad(image, (width, width, height, height), value=1.0)
        return module(image)


@settings(max_examples=200)
@given(
    st.builds(
        Conv2dSpec,
        st.sampled_from([1, 2, 4, 6]),
        extents(1, 4, 6),
        extents(1, 3, 4),
        extents(0, 2, 3),
        extents(1, 2, 3),
        st.sampled_from([1, 1, 2]),
    ),
    shapes,
)
def test_a_convolutions_multiply_adds_are_its_products(layer: Conv2dSpec, shape: Shape) -> None:
    try:
        macs = layer.output_shape(shape) and layer.macs(shape)
    except GeometryError:
        return
    assert macs == ones(layer, shape).sum()


def test_multiply_adds_of_other_layers() -> None:
    assert LinearSpec(7).macs((30,)) == ones(LinearSpec(7), (30,)).sum() == 210
    assert BatchNorm2dSpec().macs((3, 4, 5)) == 60
    for free in (Pool2dSpec("avg", 2), ActivationSpec("gelu"), DropoutSpec(), FlattenSpec()):
        assert free.macs((3, 4, 4)) == 0


@settings(max_examples=200)
@given(st.one_of(convolutions, poolings), shapes)
def test_unused_rows_and_columns_are_those_without_influence(layer: WindowSpec, shape: Shape) -> None:
    try:
        layer.output_shape(shape)
    except GeometryError:
        return
    kernel, stride, padding, dilation = layer.window()
    padded = torch.ones(1, 1, shape[1] + 2 * padding[0], shape[2] + 2 * padding[1], requires_grad=True)
    functional.conv2d(padded, torch.ones(1, 1, *kernel), stride=stride, dilation=dilation).sum().backward()
    assert padded.grad is not None
    reached = padded.grad[0, 0] > 0
    rows, columns = reached.any(dim=1).nonzero().max(), reached.any(dim=0).nonzero().max()
    assert layer.unused(shape) == (padded.shape[2] - 1 - rows, padded.shape[3] - 1 - columns)


@settings(max_examples=200)
@given(any_layer, st.one_of(shapes, st.tuples(st.integers(1, 500))))
def test_an_error_says_what_to_do_and_its_repairs_work(layer: LayerSpec, shape: Shape) -> None:
    try:
        layer.output_shape(shape)
        return
    except GeometryError as caught:
        error = caught
    assert str(error) == f"{error.problem}; {error.remedy}"
    for repair in error.repairs:
        repair.layer.output_shape(shape)
        assert getattr(repair.layer, repair.name) == repair.value
        assert getattr(layer, repair.name) != repair.value
        assert repair.label == f"{repair.name} = {'×'.join(map(str, dict.fromkeys(pair(repair.value))))}"


@pytest.mark.parametrize(
    ("layer", "shape", "message", "repairs"),
    [
        (
            Conv2dSpec(8, 7),
            (4, 5, 5),
            "kernel_size (=7) exceeds the padded input height (5 + 2·0 = 5), "
            "so ⌊(5 + 2·0 − 1·(7−1) − 1)/1⌋ + 1 = −1; reduce kernel_size or raise padding",
            ["kernel_size = 5", "padding = 1"],
        ),
        (
            Conv2dSpec(8, 3, dilation=4),
            (4, 9, 8),
            "the dilated kernel (4·(3−1) + 1 = 9) exceeds the padded input width (8 + 2·0 = 8), "
            "so ⌊(8 + 2·0 − 4·(3−1) − 1)/1⌋ + 1 = 0; reduce kernel_size or dilation, or raise padding",
            ["kernel_size = 2", "padding = 1", "dilation = 3"],
        ),
        (
            Conv2dSpec(9, 3, groups=4),
            (6, 9, 9),
            "in_channels (=6) must be divisible by groups (=4); choose groups that divide both 6 and 9",
            ["groups = 3"],
        ),
        (
            Pool2dSpec("max", 2, 2, 2),
            (6, 9, 9),
            "padding (=2) must be at most half of kernel_size (=2): a window could see nothing but padding; "
            "reduce padding to 1 or less, or raise kernel_size",
            ["padding = 1"],
        ),
        (
            Pool2dSpec("avg", 2),
            (320,),
            "AvgPool2d needs feature maps C×H×W, but its input is 320 features; move it before the first linear layer",
            [],
        ),
        (
            BatchNorm2dSpec(),
            (1000,),
            "BatchNorm2d needs feature maps C×H×W, but its input is 1,000 features; move it before the first linear "
            "layer",
            [],
        ),
        (LinearSpec(10), (20, 4, 4), "Linear needs features, but its input is 20×4×4; put flatten before it", []),
    ],
    ids=str,
)
def test_error_in_words(layer: LayerSpec, shape: Shape, message: str, repairs: list[str]) -> None:
    with pytest.raises(GeometryError) as caught:
        layer.output_shape(shape)
    assert str(caught.value) == message
    assert [repair.label for repair in caught.value.repairs] == repairs
    assert str(caught.value.at("conv2", 3)) == f"conv2: {message}"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conv2dSpec(0, 3), "out_channels (=0) must be a whole number from 1 to 256"),
        (lambda: Conv2dSpec(257, 3), "out_channels (=257)"),
        (lambda: Conv2dSpec(8, 29), "kernel_size (=29) must be a whole number from 1 to 28"),
        (lambda: Conv2dSpec(8, (3, 0)), "kernel_size (=(3, 0))"),
        (lambda: Conv2dSpec(8, (3, 3, 3)), "kernel_size (=(3, 3, 3))"),  # type: ignore[arg-type]
        (lambda: Conv2dSpec(8, 3, stride=0), "stride (=0)"),
        (lambda: Conv2dSpec(8, 3, padding=-1), "padding (=-1)"),
        (lambda: Conv2dSpec(8, 3, dilation=0), "dilation (=0)"),
        (lambda: Conv2dSpec(8, 3, groups=0), "groups (=0)"),
        (lambda: Conv2dSpec(8, 2.5), "kernel_size (=2.5)"),  # type: ignore[arg-type]
        (lambda: Conv2dSpec(True, 3), "out_channels (=True)"),
        (lambda: Conv2dSpec((8, 8), 3), "out_channels (=(8, 8))"),  # type: ignore[arg-type]
        (lambda: Pool2dSpec("min", 2), "kind (='min') must be 'max' or 'avg'"),  # type: ignore[arg-type]
        (lambda: Pool2dSpec("max", 0), "kernel_size (=0)"),
        (lambda: ActivationSpec("softplus"), "kind (='softplus') must be one of relu, "),  # type: ignore[arg-type]
        (lambda: DropoutSpec(0.96), "p (=0.96) must be from 0 to 0.95 in whole percent"),
        (lambda: DropoutSpec(0.123), "p (=0.123)"),
        (lambda: DropoutSpec(float("nan")), "p (=nan)"),
        (lambda: LinearSpec(4097), "out_features (=4097) must be a whole number from 1 to 4096"),
    ],
)
def test_parameters_out_of_bounds(make: object, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        make()  # type: ignore[operator]
    assert words in str(caught.value)


def test_a_square_pair_is_the_int() -> None:
    assert Conv2dSpec(8, (3, 3), (2, 2), (1, 1), (1, 1)) == Conv2dSpec(8, 3, 2, 1)
    assert Pool2dSpec("max", (2, 2)) == Pool2dSpec("max", 2, 2)


def test_every_layer_of_the_registry_answers_for_itself() -> None:
    examples = {"conv": "conv2k3", "max": "max2", "avg": "avg2", "drop": "drop50", "fc": "fc10"}
    from cnn_explorer.spec.network import parse

    for token, kind in LAYERS.items():
        (layer,) = parse(examples.get(token, token)).layers
        shape = (8,) if token == "fc" else (2, 6, 6)
        assert type(layer) is kind
        assert layer.token == token
        assert type(layer.build(shape)).__name__ == layer.torch_name
        assert layer.formula(shape)
