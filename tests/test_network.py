"""The architecture string: read and written without loss, refused in words."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import networks

from cnn_explorer.spec.layers import Conv2dSpec, FlattenSpec, LinearSpec
from cnn_explorer.spec.network import LECTURE, MAX_LAYERS, PRESETS, ArchitectureError, NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes


@settings(max_examples=100)
@given(networks())
def test_what_is_written_is_read(spec: NetworkSpec) -> None:
    assert parse(str(spec)) == spec
    assert str(parse(str(spec))) == str(spec)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("conv8k3s1p0d1g1", "conv8k3"),
        ("conv8k3x3s2x2p1x1d2x2", "conv8k3s2p1d2"),
        ("conv8k5x3s2x1p1x0d1x2g1", "conv8k5x3s2x1p1x0d1x2"),
        ("conv008k03", "conv8k3"),
        ("max2s2p0", "max2"),
        ("max2x2s2", "max2"),
        ("avg3x2s3x2", "avg3x2"),
        ("max3s2p1", "max3s2p1"),
        ("drop05-flatten-fc010", "drop5-flatten-fc10"),
        (" CONV8K3-ReLU\n", "conv8k3-relu"),
        ("conv8k3 relu, max2->fc10", "conv8k3-relu-max2-fc10"),
        ("conv8k3 \u2192 relu ;max2 - fc10", "conv8k3-relu-max2-fc10"),
        (str(LECTURE), "conv10k5-max2-relu-conv20k5-max2-relu-fc10"),
    ],
)
def test_canonical_form(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


grammar = st.lists(
    st.sampled_from([*"0123456789xkspdg-", "conv", "max", "avg", "relu", "bn", "drop", "flatten", "fc", "28", "256"]),
    max_size=14,
)


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=60), grammar.map("".join)))
@example("")
@example("-")
@example("İconv")
@example("conv٣k٣")
@example("conv8k3\u2212relu")
def test_any_text_is_a_network_or_an_architecture_error(text: str) -> None:
    try:
        spec = parse(text)
    except ArchitectureError as caught:
        error = caught
    else:
        assert parse(str(spec)) == spec
        return
    assert text.lower()[error.position :].startswith(error.token)
    assert error.expected
    assert f"position {error.position}: " in str(error)


@pytest.mark.parametrize(
    ("text", "token", "position", "expected"),
    [
        ("", "", 0, "a layer: conv, max, avg, relu"),
        ("conv8k3-", "", 8, "a layer: "),
        ("conv8k3-rellu-fc10", "rellu", 8, "a layer: "),
        ("  conv8k3-fc", "fc", 10, "after `fc`: out_features: fc10"),
        ("conv8", "conv8", 0, "out_channels, then k kernel_size"),
        ("conv8k3p1s2", "conv8k3p1s2", 0, "in this order"),
        ("max2d2", "max2d2", 0, "kernel_size and optionally s stride, p padding"),
        ("relu6", "relu6", 0, "after `relu`: nothing more"),
        ("drop100", "drop100", 0, "p (=1.0) must be from 0 to 0.95 in whole percent"),
        ("drop96", "drop96", 0, "p (=0.96) must be from 0 to 0.95 in whole percent"),
        ("relu-conv257k3", "conv257k3", 5, "out_channels (=257) must be a whole number from 1 to 256"),
        ("conv0k3", "conv0k3", 0, "out_channels (=0)"),
        ("conv8k29", "conv8k29", 0, "kernel_size (=29) must be a whole number from 1 to 28"),
        ("conv8k3s0", "conv8k3s0", 0, "stride (=0)"),
        ("conv8k3d29", "conv8k3d29", 0, "dilation (=29)"),
        ("max2x0", "max2x0", 0, "kernel_size (=(2, 0))"),
        ("fc4097", "fc4097", 0, "out_features (=4097) must be a whole number from 1 to 4096"),
        ("fc99999", "fc99999", 0, "out_features (=99999) must be a whole number from 1 to 4096"),
        ("conv8k3p9999", "conv8k3p9999", 0, "padding (=9999) must be a whole number from 0 to 28"),
        (" conv8k3 -  rleu - fc10", "rleu", 12, "a layer: conv, "),
        ("-".join(["relu"] * 25), "relu", 120, "the end: a network has at most 24 layers"),
    ],
)
def test_error_names_token_position_and_expectation(text: str, token: str, position: int, expected: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        parse(text)
    assert (caught.value.token, caught.value.position) == (token, position)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "text", ["relu-" * 300_000, "conv" * 300_000, "conv8k" + "3" * 1_000_000, "9" * 1_000_000, "fc1" + "-" * 1_000_000]
)
def test_long_text_is_refused_at_once_and_in_short(text: str) -> None:
    start = time.process_time()
    with pytest.raises(ArchitectureError) as caught:
        parse(text)
    assert time.process_time() - start < 1
    assert len(str(caught.value)) < 300


def test_bounds() -> None:
    assert len(parse("-".join(["relu"] * MAX_LAYERS)).layers) == MAX_LAYERS == 24
    assert parse("conv256k28s28p28d28g256-fc4096").layers == (Conv2dSpec(256, 28, 28, 28, 28, 256), LinearSpec(4096))
    with pytest.raises(ValueError, match="1 to 24 layers, not 0"):
        NetworkSpec(())
    with pytest.raises(ValueError, match="1 to 24 layers, not 25"):
        NetworkSpec((FlattenSpec(),) * 25)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (str(LECTURE), "conv1 max1 relu1 conv2 max2 relu2 flatten fc1"),
        ("max2-avg2-max2", "max1 avg1 max2"),
        ("flatten-fc8-flatten-fc8", "flatten fc1 flatten2 fc2"),
        ("fc8-flatten-fc8", "flatten fc1 flatten2 fc2"),
        ("conv2k3-bn-drop50-bn", "conv1 bn1 drop1 bn2"),
    ],
)
def test_names(text: str, names: str) -> None:
    assert [name for name, _ in parse(text).named_layers()] == names.split()


@settings(max_examples=100)
@given(networks())
def test_names_differ(spec: NetworkSpec) -> None:
    names = [name for name, _ in spec.named_layers()]
    assert len({*names}) == len(names)


@pytest.mark.parametrize("spec", PRESETS.values(), ids=str)
def test_presets_classify_ten_digits(spec: NetworkSpec) -> None:
    shapes = infer_shapes(spec)
    assert shapes.classifies
    assert shapes.output_shape == (10,)
    assert parse(str(spec)) == spec
