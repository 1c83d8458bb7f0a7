"""Edits: each does what it says, and the suggested repairs are whole networks that work."""

import pytest
from hypothesis import given, settings
from strategies import networks

from cnn_explorer.spec.blocks import Block, Blocks, one_value_apart, repairs, split
from cnn_explorer.spec.layers import Conv2dSpec, Pool2dSpec
from cnn_explorer.spec.network import LECTURE, NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes


@settings(max_examples=100)
@given(networks())
def test_split_and_joined_again(spec: NetworkSpec) -> None:
    blocks = split(spec)
    assert blocks.spec() == spec
    assert all(isinstance(block.conv, Conv2dSpec) for block in blocks.blocks)


def test_the_input_shape_is_kept() -> None:
    spec = NetworkSpec(LECTURE.layers, (3, 32, 32))
    assert split(spec).spec() == spec
    broken = NetworkSpec(parse("conv4k28-max6").layers, (3, 32, 32))
    error = infer_shapes(broken).error
    assert error is not None
    assert {repaired.input_shape for _, repaired in repairs(broken, error)} == {(3, 32, 32)}


def test_the_parts() -> None:
    blocks = split(parse("max2-conv4k3-relu-max2-conv8k3-bn-fc32-relu-drop50-fc10"))
    assert [str(layer) for layer in blocks.stem] == ["max2"]
    assert [[str(layer) for layer in block.layers] for block in blocks.blocks] == [
        ["conv4k3", "relu", "max2"],
        ["conv8k3", "bn"],
    ]
    assert [str(layer) for layer in blocks.head] == ["fc32", "relu", "drop50", "fc10"]
    assert blocks.hidden == (32,)
    first, second = blocks.blocks
    assert (first.pool, first.activation) == (first.layers[2], first.layers[1])
    assert (second.pool, second.activation) == (None, None)


BLOCK = split(parse("conv4k3-max2-relu")).blocks[0]
BARE = split(parse("conv4k3-bn")).blocks[0]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (BLOCK.with_conv(kernel_size=5, padding=2), "conv4k5p2-max2-relu"),
        (BLOCK.with_pool("avg"), "conv4k3-avg2-relu"),
        (BLOCK.with_pool("max", kernel_size=3), "conv4k3-max3-relu"),  # the stride follows where it did before
        (BLOCK.with_pool("max", kernel_size=3, stride=2), "conv4k3-max3s2-relu"),
        (BLOCK.with_pool("max", stride=1).with_pool("max", kernel_size=3), "conv4k3-max3s1-relu"),
        (BLOCK.with_pool("max", padding=1), "conv4k3-max2p1-relu"),
        (BLOCK.with_pool(None), "conv4k3-relu"),
        (BARE.with_pool("max"), "conv4k3-max2-bn"),
        (BARE.with_pool("avg", kernel_size=3, stride=2, padding=1), "conv4k3-avg3s2p1-bn"),
        (BARE.with_pool(None), "conv4k3-bn"),
        (BLOCK.with_activation("gelu"), "conv4k3-max2-gelu"),
        (BLOCK.with_activation(None), "conv4k3-max2"),
        (BARE.with_activation("tanh"), "conv4k3-bn-tanh"),
        (BARE.with_activation(None), "conv4k3-bn"),
        (Block((Conv2dSpec(1, 1), Pool2dSpec("max", 2), Pool2dSpec("max", 2))).with_pool("avg"), "conv1k1-avg2-max2"),
    ],
)
def test_editing_a_block(block: Block, expected: str) -> None:
    assert "-".join(map(str, block.layers)) == expected


PARTS = split(LECTURE)
HIDDEN = split(parse("conv4k3-fc64-tanh-drop50-fc32-relu-fc10-drop5"))


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (PARTS.with_block(1, BARE), "conv10k5-max2-relu-conv4k3-bn-fc10"),
        (PARTS.with_new_block(), "conv10k5-max2-relu-conv20k5-max2-relu-conv16k3p1-relu-fc10"),
        (PARTS.without_block(0), "conv20k5-max2-relu-fc10"),
        (PARTS.without_block(1), "conv10k5-max2-relu-fc10"),
        (PARTS.with_block_moved_up(1), "conv20k5-max2-relu-conv10k5-max2-relu-fc10"),
        (PARTS.with_new_hidden(), "conv10k5-max2-relu-conv20k5-max2-relu-fc64-relu-fc10"),
        (PARTS.with_new_hidden().without_last_hidden(), str(LECTURE)),
        (HIDDEN.with_hidden(1, 48), "conv4k3-fc64-tanh-drop50-fc48-relu-fc10-drop5"),
        (HIDDEN.with_hidden(0, 48), "conv4k3-fc48-tanh-drop50-fc32-relu-fc10-drop5"),
        (HIDDEN.with_new_hidden(), "conv4k3-fc64-tanh-drop50-fc32-relu-fc64-relu-fc10-drop5"),
        (HIDDEN.without_last_hidden(), "conv4k3-fc64-tanh-drop50-fc10-drop5"),
        (HIDDEN.without_last_hidden().without_last_hidden(), "conv4k3-fc10-drop5"),
    ],
)
def test_editing_a_network(blocks: Blocks, expected: str) -> None:
    assert str(blocks.spec()) == expected


@settings(max_examples=100)
@given(networks())
def test_a_new_block_fits_wherever_the_network_works(spec: NetworkSpec) -> None:
    blocks = split(spec)
    maps = NetworkSpec(spec.layers[: len(spec.layers) - len(blocks.head)] or parse("relu").layers)
    if infer_shapes(maps).error is None:
        assert infer_shapes(split(maps).with_new_block().spec()).error is None


@settings(max_examples=100)
@given(networks())
def test_repairs_are_whole_networks_that_work(spec: NetworkSpec) -> None:
    error = infer_shapes(spec).error
    if error is None:
        return
    for label, repaired in repairs(spec, error):
        assert infer_shapes(repaired).error is None
        assert error.layer in label
        before, after = spec.layers, repaired.layers
        if label == f"without {error.layer}":
            assert len(after) == len(before) - 1
        elif "," not in label:
            assert sum(old != new for old, new in zip(before, after, strict=True)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "conv10k5-max2-relu-conv20k15-relu-fc10",
            {
                "conv2: kernel_size = 12": "conv10k5-max2-relu-conv20k12-relu-fc10",
                "conv2: padding = 2": "conv10k5-max2-relu-conv20k15p2-relu-fc10",
                "without conv2": "conv10k5-max2-relu-relu-fc10",
            },
        ),
        ("fc10-flatten-conv8k3", {"without conv1": "fc10-flatten"}),  # the implied flatten before, a written one after
        ("fc10-max2-fc5", {"without max1": "fc10-fc5"}),
        ("conv6k3-conv9k3g4", {"conv2: groups = 3": "conv6k3-conv9k3g3", "without conv2": "conv6k3"}),
        # one change is not enough: the other pooling breaks next
        ("conv4k28-max3s1-max2", {"max1: kernel_size = 1, max2: kernel_size = 1": "conv4k28-max1-max1"}),
        ("max2p2", {"max1: padding = 1": "max2p1"}),
    ],
)
def test_repairs(text: str, expected: dict[str, str]) -> None:
    spec = parse(text)
    error = infer_shapes(spec).error
    assert error is not None
    found = {label: str(repaired) for label, repaired in repairs(spec, error)}
    assert expected.items() <= found.items()


@pytest.mark.parametrize(
    ("other", "apart"),
    [
        ("conv10k5-max2-relu-fc10", False),
        ("conv10k3-max2-relu-fc10", True),
        ("conv10k5-avg2-relu-fc10", True),
        ("conv10k5-max2-tanh-fc10", True),
        ("conv10k5-max2-relu-fc11", True),
        ("conv10k3-max2-tanh-fc10", False),
        ("conv10k5-max3-relu-fc10", False),  # its stride as well
        ("conv10k5x3-max2-relu-fc10", False),
        ("conv10k5-relu-fc10", False),
        ("conv10k5-max2-bn-fc10", False),
        ("conv10k5-max2-relu-fc30-fc10", False),
    ],
)
def test_networks_that_are_one_value_apart(other: str, apart: bool) -> None:
    assert one_value_apart(parse("conv10k5-max2-relu-fc10"), parse(other)) is apart
