import json
import os
import pickle
import resource
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from attacks import SENTENCE, attacks, zipped
from hypothesis import given
from hypothesis import strategies as st
from programs import run
from torch import nn

from cnn_explorer.spec.layers import LAYERS
from cnn_explorer.spec.network import LECTURE, PRESETS, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.training.files import CONVERT, LOAD_AND_SAVE, PickleError, read_weights, run_csv, weights_file
from cnn_explorer.training.run import CurvePoint
from cnn_explorer.weights.builder import build_network

SHAPES = infer_shapes(LECTURE)
SAVE = "safetensors.torch.save_file(module.state_dict(), file)"
REMEDY = f"Choose a file that was saved from this network, here or by `{SAVE}`."
MAPS = "conv4k5s2p1-bn-relu-max2-conv6k3x2p1-tanh-avg2s1-drop50-leakyrelu-conv6k2g2-sigmoid-bn-gelu"
EVERY_LAYER = f"{MAPS}-flatten-fc12-relu-fc10"
ALIKE = parse("conv4k3s2-relu-conv4k3p1-relu-conv4k3p1-relu-fc10")  # conv2 and conv3 have the same shapes
NORMED = parse("conv2k5s4-bn-relu-fc10")
DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.int64: "I64", torch.bool: "BOOL"}

Tensors = dict[str, torch.Tensor]


def tensors(net: str = str(LECTURE), seed: int = 3) -> Tensors:
    return dict(build_network(parse(net), seed).state_dict())


def written(content: Mapping[str, torch.Tensor]) -> bytes:
    """A safetensors file whose tensors stand in the order of `content`, which the library does not keep."""
    header, data = {}, b""
    for name, tensor in content.items():
        numbers = tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        places = [len(data), len(data) + len(numbers)]
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": places}
        data += numbers
    return with_header(json.dumps(header), data)


def with_header(header: str | bytes, data: bytes) -> bytes:
    encoded = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(encoded)) + encoded + data


def parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and numbers of a file."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def refused(content: bytes, net: str = str(LECTURE), name: str = "") -> str:
    with pytest.raises(ValueError, match=r"^[^\n]*\.$") as caught:
        read_weights(content, infer_shapes(parse(net)), name)
    message = str(caught.value)
    assert message.endswith(REMEDY)
    assert len(message) < 350
    return message.removesuffix(REMEDY).strip()


def same(module: nn.Module, expected: Mapping[str, torch.Tensor]) -> bool:
    state = module.state_dict()
    return [*state] == [*expected] and all(
        torch.equal(state[name], tensor) and state[name].dtype == tensor.dtype for name, tensor in expected.items()
    )


# --- what is written ---


def test_the_net_of_every_layer_has_every_layer():
    assert {token for token in LAYERS if token in EVERY_LAYER} == {*LAYERS}


@pytest.mark.parametrize("net", [*map(str, PRESETS.values()), EVERY_LAYER, str(ALIKE)])
def test_weights_come_back_as_they_went(net: str):
    module = build_network(parse(net), 5).to(memory_format=torch.channels_last)
    for buffer in module.buffers():  # of batch norms
        buffer += 2
    read = read_weights(weights_file(module), infer_shapes(parse(net)))
    assert read.matched == ()
    assert read.sentence == ""
    assert not read.module.training
    assert same(read.module, module.state_dict())


def test_a_weights_file_is_a_plain_state_dict_apart_from_the_module():
    module = build_network(LECTURE, 5).to(memory_format=torch.channels_last)
    content = weights_file(module)
    with torch.no_grad():
        module.fc1.bias.zero_()
    plain = safetensors.torch.load(content)
    assert {name: tensor.dtype for name, tensor in plain.items()} == dict.fromkeys(module.state_dict(), torch.float32)
    assert plain["fc1.bias"].any()
    assert "__metadata__" not in parts(content)[0]
    assert len(content) < 8490 * 4 + 1000


def test_the_lines_beside_the_button_load_and_save_such_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    content = weights_file(build_network(LECTURE, 5))
    Path("weights.safetensors").write_bytes(content)
    module = build_network(LECTURE, 6)
    exec(LOAD_AND_SAVE, {"module": module})
    assert same(module, tensors(seed=5))
    assert Path("weights.safetensors").read_bytes() == content


def test_the_lines_that_convert_a_file_of_pytorch_do_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    module = build_network(LECTURE, 5).to(memory_format=torch.channels_last)
    torch.save(module.state_dict(), "weights.pt")
    exec(CONVERT, {})
    assert same(read_weights(Path("weights.safetensors").read_bytes(), SHAPES).module, module.state_dict())


def test_a_network_that_was_read_can_be_trained_on_without_touching_another():
    content = weights_file(build_network(LECTURE, 5))
    one, other = (read_weights(content, SHAPES).module for _ in range(2))
    with torch.no_grad():
        one.fc1.bias.fill_(9)
    assert not (other.fc1.bias == 9).any()
    assert all(parameter.requires_grad for parameter in one.parameters())


# --- what is read ---


@pytest.mark.parametrize(
    "content",
    [
        written(dict(reversed(tensors().items()))),
        written(tensors()),
        written({name: tensor.double() for name, tensor in tensors().items()}),
        safetensors.torch.save(tensors(), {"format": "pt", "note": '[[[["\\"{{{{'}),
    ],
    ids=["backwards", "in order", "double", "with metadata"],
)
def test_other_ways_to_save_the_same_weights(content: bytes):
    read = read_weights(content, SHAPES)
    assert same(read.module, tensors())
    assert read.matched == ()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single(dtype: torch.dtype):
    halves = {name: tensor.to(dtype) for name, tensor in tensors().items()}
    assert same(read_weights(safetensors.torch.save(halves), SHAPES).module, {n: t.float() for n, t in halves.items()})


def renamed(names: Mapping[str, str], net: str = str(LECTURE)) -> Tensors:
    """A state dict with layers called otherwise, in the same order."""
    changed = {}
    for name, tensor in tensors(net).items():
        layer, role = name.split(".")
        changed[f"{names.get(layer, layer)}.{role}".removeprefix(".")] = tensor
    return changed


@pytest.mark.parametrize("save", [safetensors.torch.save, written])
@pytest.mark.parametrize(
    ("net", "names"),
    [
        (str(LECTURE), {"fc1": "fc"}),
        (str(LECTURE), {"conv1": "0", "conv2": "3", "fc1": "7"}),
        (str(LECTURE), {"conv1": "layer2", "conv2": "layer1", "fc1": "a.b.c"}),  # the shapes tell
        (str(LECTURE), {"conv1": "conv2", "conv2": "conv1"}),
        ("fc10", {"fc1": ""}),
        (str(ALIKE), {"conv1": "0", "conv2": "2", "conv3": "10", "fc1": "12"}),  # for the library, 10 is before 2
        (str(ALIKE), {"conv1": "net.1.conv", "conv2": "net.9.conv", "conv3": "net.10.conv", "fc1": "head"}),
        (str(ALIKE), {"conv1": "conv2", "conv2": "conv3", "conv3": "conv4"}),
        (EVERY_LAYER, {"bn1": "norms.0", "bn2": "norms.1", "conv2": "middle"}),
        (EVERY_LAYER, {"bn1": "bn2", "bn2": "bn3"}),
    ],
    ids=str,
)
def test_layers_with_other_names_are_matched(net: str, names: dict[str, str], save: Callable[[Tensors], bytes]):
    read = read_weights(save(renamed(names, net)), infer_shapes(parse(net)))
    assert same(read.module, tensors(net))
    layers = dict.fromkeys(name.split(".")[0] for name in tensors(net))
    assert read.matched == tuple((names.get(layer, layer), layer) for layer in layers)


def test_what_was_matched_is_said():
    names = {"conv1": "x" * 100, "conv2": "a`b", "fc1": "![](http://a)"}
    read = read_weights(written(renamed(names)), SHAPES)
    pairs = f"`{'x' * 40}…` → conv1, `a'b` → conv2, `![](http://a)` → fc1"
    assert read.sentence == f"Layers were matched by their shapes: {pairs}."
    assert read_weights(written(renamed({"fc1": ""}, "fc10")), infer_shapes(parse("fc10"))).sentence == (
        "Layers were matched by their shapes: the layer without a name → fc1."
    )


def test_the_same_names_count_more_than_the_order():
    state = tensors(str(ALIKE))
    backwards = ("fc1", "conv3", "conv2", "conv1")
    swapped = {name: state[name] for layer in backwards for name in state if name.startswith(layer)}
    read = read_weights(written(swapped), infer_shapes(ALIKE))
    assert same(read.module, state)
    assert read.matched == ()


def test_an_order_that_was_kept_tells_layers_apart():
    first = renamed({"conv2": "start", "conv3": "end"}, str(ALIKE))
    assert same(read_weights(written(first), infer_shapes(ALIKE)).module, tensors(str(ALIKE)))


@pytest.mark.parametrize(
    "content",
    [
        safetensors.torch.save(renamed({"conv2": "start", "conv3": "end"}, str(ALIKE))),
        written(renamed({"conv2": "block2", "conv3": "block1"}, str(ALIKE))),
        safetensors.torch.save(renamed({"conv2": "a1", "conv3": "a01"}, str(ALIKE))),
    ],
    ids=["sorted by the library", "order against numbers", "the same number"],
)
def test_layers_that_could_be_each_other_are_refused(content: bytes):
    with pytest.raises(ValueError, match=r"Name the layers as this network does: conv2, conv3\.$") as caught:
        read_weights(content, infer_shapes(ALIKE))
    assert "in the file have the same shapes, and neither names nor order tell which comes first" in str(caught.value)


# --- weights of something else ---


def changed(**replaced: torch.Tensor | None) -> Tensors:
    """The lecture's tensors with others in their place, or without some."""
    content: dict[str, Any] = tensors()
    content |= {name.replace("__", "."): value for name, value in replaced.items()}
    return {name: tensor for name, tensor in content.items() if tensor is not None}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            tensors("conv8k5-max2-relu-conv20k5-max2-relu-fc10"),
            "`conv1.weight` has shape (8, 1, 5, 5); this network's conv1 has (10, 1, 5, 5).",
        ),
        (
            tensors("conv10k5-max2-relu-conv20k5-max2-relu-fc20-relu-fc10"),
            "`fc1.weight` has shape (20, 320); this network's fc1 has (10, 320).",
        ),
        (
            tensors("conv10k5-max2-relu-conv20k5-max2-relu-fc10-relu-fc10"),
            "The file has `fc2.weight` of shape (10, 10); this network has no such layer.",
        ),
        (tensors("fc10"), "No layer of the file can be this network's conv1, whose weight has shape (10, 1, 5, 5)."),
        (
            nn.Sequential(nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5), nn.Linear(400, 10)).state_dict(),
            "`2.weight` has shape (10, 400); this network's fc1 has (10, 320).",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 10, 5, bias=False), nn.Conv2d(10, 20, 5), nn.Linear(320, 10)).state_dict(),
            "`0` in the file has no bias; this network's conv1 has one of shape (10,).",
        ),
        (changed(conv2__bias=None), "`conv2` in the file has no bias; this network's conv2 has one of shape (20,)."),
        (changed(fc1__scale=torch.ones(3)), "`fc1.scale` has shape (3,); this network's fc1 has no such tensor."),
        (
            changed(fc1__weight=torch.zeros(320, 10)),
            "`fc1.weight` has shape (320, 10); this network's fc1 has (10, 320).",
        ),
        (changed(conv1__bias=torch.zeros(10, 1)), "`conv1.bias` has shape (10, 1); this network's conv1 has (10,)."),
        (changed(conv1__bias=torch.tensor(0.0)), "`conv1.bias` has shape (); this network's conv1 has (10,)."),
        ({}, "No layer of the file can be this network's conv1, whose weight has shape (10, 1, 5, 5)."),
        (
            changed(conv1__bias=torch.zeros(10, dtype=torch.int64)),
            "`conv1.bias` has dtype I64; it must have one of F64, F32, F16, BF16.",
        ),
        (
            changed(conv1__bias=torch.zeros(10, dtype=torch.bool)),
            "`conv1.bias` has dtype `BOOL`; weights have one of F64, F32, F16, BF16.",
        ),
        (
            changed(conv1__bias=torch.full((10,), torch.nan)),
            "`conv1.bias` has values that are not finite in float32: that training went wrong.",
        ),
        (
            changed(fc1__bias=torch.full((10,), 1e300, dtype=torch.float64)),
            "`fc1.bias` has values that are not finite in float32: that training went wrong.",
        ),
        (
            changed(conv1__weight=torch.full((10, 1, 5, 5), 3e38)),
            "The numbers in the file are so large that the network's answers overflow.",
        ),
        (
            changed(**{"`a`" + 100 * "b": torch.zeros(1)}),
            f"The file has `'a'{37 * 'b'}…` of shape (1,); this network has no such layer.",
        ),
    ],
)
def test_the_first_misfit_is_named(content: Tensors, said: str):
    assert refused(written(content)) == said


def test_statistics_of_a_batch_norm_are_checked():
    net = str(NORMED)
    state = tensors(net)
    assert same(read_weights(written(state), infer_shapes(NORMED)).module, state)
    negative = {**state, "bn1.running_var": -torch.ones(2)}
    assert refused(written(negative), net) == "`bn1.running_var` has values below 0, and a variance has none."
    foreign = {name.replace("bn1", "norm"): tensor for name, tensor in negative.items()}
    assert refused(written(foreign), net) == "`norm.running_var` has values below 0, and a variance has none."
    state["bn1.num_batches_tracked"] = torch.tensor(1.5)
    said = "`bn1.num_batches_tracked` has dtype F32; it must have one of I64, I32, I16, I8, U8."
    assert refused(written(state), net) == said
    del state["bn1.num_batches_tracked"]
    said = "`bn1` in the file has no num_batches_tracked; this network's bn1 has one of shape ()."
    assert refused(written(state), net) == said


def test_a_count_of_batches_may_be_any_whole_number():
    state = tensors(str(NORMED))
    state["bn1.num_batches_tracked"] = torch.tensor(7, dtype=torch.int32)
    read = read_weights(safetensors.torch.save(state), infer_shapes(NORMED)).module
    assert read.bn1.num_batches_tracked.item() == 7
    assert read.bn1.num_batches_tracked.dtype == torch.int64


# --- what is no safetensors file, or a damaged one ---

NONE = "This is not a safetensors file, or it was cut short."
NO_JSON = "The file's header is damaged: it is not the JSON of a safetensors file."


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"conv1.weight = 3\n",
        "Größe".encode(),
        bytes(1000),
        b"\xff" * 1000,
        b"{",
        weights_file(build_network(LECTURE))[:300],
        weights_file(build_network(LECTURE))[100:],
        pickle.dumps({"conv1.weight": [1.0]}, protocol=0),
    ],
)
def test_what_is_no_safetensors_file(content: bytes):
    assert refused(content) == NONE


def test_an_empty_file():
    assert refused(b"") == "The file is empty."


def test_a_file_larger_than_the_network_is_refused_by_its_length():
    most = 8 + 6 * 300 + 10_000 + 8490 * 8
    said = f"The file has 1,000,000 bytes; this network's weights take at most {most:,}."
    assert refused(bytes(1_000_000)) == said
    assert refused(bytes(most + 1)).startswith(f"The file has {most + 1:,} bytes")
    assert refused(bytes(most)) == NONE


def test_a_long_header_is_not_read():
    content = with_header(b"{" + b" " * 12_000, b"")
    assert refused(content) == "The file's header has 12,001 bytes; for this network it has at most 11,800."


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"{}}",
        b"{ \xff",
        b'{"a":' + 5000 * b"[",
        b'{"__metadata__":' + 1500 * b'{"a":' + 1500 * b"}" + b"}",
        b'{"a":' + 5000 * b"9" + b"}",
        b'{"a":' + 13 * b"9" + b"}",
        b'{"a":1e5}',
        b'{"a":NaN}',
        b'{"a":{},"a":{}}',
        b'{"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
        b"{" + b'\\"' * 5000,
    ],
    ids=lambda header: header[:20].decode(errors="replace"),
)
def test_headers_that_are_not_json_or_odd(header: bytes):
    start = time.process_time()
    assert refused(with_header(header, b"")) == NO_JSON
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("field", "said"),
    [
        *(
            (field, "The file's header is damaged: what it says of `a` is not a dtype, a shape and two offsets.")
            for field in (
                7,
                None,
                [],
                {},
                {"dtype": "F32", "shape": [1]},
                {"dtype": "F32", "shape": [1], "data_offsets": [0]},
                {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]},
                {"dtype": "F32", "shape": [1], "data_offsets": {"0": 0, "4": 4}},
                {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]},
                {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]},
                {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]},
                {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]},
                {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], "more": 1},
            )
        ),
        (
            {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]},
            "`a` has dtype `C64`; weights have one of F64, F32, F16, BF16.",
        ),
        (
            {"dtype": "F32", "shape": [1] * 900, "data_offsets": [0, 4]},
            "`a` has 900 dimensions; weights have at most 4.",
        ),
        (
            {"dtype": "F32", "shape": [10**11] * 4, "data_offsets": [0, 4]},
            f"The file is damaged: `a` takes {4 * 10**44:,} bytes from 0 on, but its offsets are 0 and 4.",
        ),
        (
            {"dtype": "F32", "shape": [1], "data_offsets": [1, 5]},
            "The file is damaged: `a` takes 4 bytes from 0 on, but its offsets are 1 and 5.",
        ),
        (
            {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]},
            "The file is damaged: `a` takes 4 bytes from 0 on, but its offsets are 4 and 0.",
        ),
        (
            {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            "The file is damaged: its header tells of 4 bytes of numbers, and it has 8.",
        ),
    ],
)
def test_what_a_header_says_of_a_tensor_is_checked(field: Any, said: str):
    assert refused(with_header(json.dumps({"a": field}), bytes(8))) == said


def test_tensors_neither_overlap_nor_leave_gaps():
    header, data = parts(weights_file(build_network(LECTURE)))
    for name in header:
        for shift in (-4, 4):
            places = [at + shift for at in header[name]["data_offsets"]]
            moved = {**header, name: {**header[name], "data_offsets": places}}
            assert "damaged" in refused(with_header(json.dumps(moved), data))
    twice = {**header, "fc1.bias": {**header["fc1.bias"], "data_offsets": header["conv1.bias"]["data_offsets"]}}
    assert refused(with_header(json.dumps(twice), data)).startswith("The file is damaged: `")


@pytest.mark.parametrize("name", ["a\nb", "\ud800", "x" * 201, ".weight", "\u202e"])
def test_names_that_no_layer_has_are_refused(name: str):
    said = refused(with_header(json.dumps({name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}), bytes(4)))
    assert said.startswith("The tensor name `")
    assert said.endswith("` is not printable text of at most 200 characters that begins with no dot.")
    assert said.isprintable()


def test_every_way_to_cut_a_file_short_is_a_sentence():
    content = weights_file(build_network(LECTURE))
    for length in range(0, len(content), 997):
        refused(content[:length])


# --- any file at all ---

SMALL = weights_file(build_network(NORMED, 4))
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F64", "F32", "F16", "BF16", "I64", "I8", "BOOL", "C64", "F4", ""]),
        "shape": st.lists(st.integers(0, 50), max_size=5),
        "data_offsets": st.lists(st.integers(0, 4000), min_size=2, max_size=2),
    }
)
NAMES = st.sampled_from([*parts(SMALL)[0], "0.weight", "weight", ".weight", "__metadata__"]) | st.text(max_size=8)
MUTATIONS = st.one_of(
    st.tuples(st.just("put"), NAMES, FIELDS | ODD),
    st.tuples(st.just("drop"), NAMES, st.none()),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.sampled_from(["dtype", "shape", "data_offsets", "more"]), NAMES, ODD),
    st.tuples(st.just("dtype"), NAMES, st.sampled_from(["F64", "F32", "I64", "I32", "F16", "BF16"])),
)


@st.composite
def headers(draw: st.DrawFn) -> str:
    header = parts(SMALL)[0] if draw(st.integers(0, 3)) else draw(st.dictionaries(NAMES, FIELDS | ODD, max_size=6))
    for kind, name, value in draw(st.lists(MUTATIONS, max_size=3)):
        if kind == "put":
            header[name] = value
        elif kind == "drop":
            header.pop(name, None)
        elif kind == "rename" and name in header:
            header[value] = header.pop(name)
        elif isinstance(header.get(name), dict):
            header[name] = {**header[name], kind: value}
    items = draw(st.permutations(list(header.items())))
    return json.dumps(dict(items), ensure_ascii=draw(st.booleans()))


@st.composite
def files(draw: st.DrawFn) -> bytes:
    data = parts(SMALL)[1]
    content = bytearray(SMALL)
    if draw(st.integers(0, 3)):
        content[:] = with_header(draw(headers()).encode(errors="surrogatepass"), data)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        content[start : start + draw(st.integers(0, 9))] = draw(st.binary(max_size=9))
    return bytes(content)


@given(files())
def test_any_file_is_a_sentence_or_a_sound_network(content: bytes):
    shapes = infer_shapes(NORMED)
    start = time.process_time()
    try:
        read = read_weights(content, shapes)
    except ValueError as error:
        said = str(error)
        assert said.endswith(".")
        assert said.isprintable()
        assert len(said) < 500
    else:
        assert all(tensor.isfinite().all() for tensor in read.module.state_dict().values())
        assert (read.module.bn1.running_var >= 0).all()
        assert len(read.sentence) < 500
    assert time.process_time() - start < 2


# --- pickles ---


class Calls:
    """Pickled as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_no_pickle_is_opened(protocol: int, tmp_path: Path):
    bare = pickle.dumps(Calls(os.system, f"touch {tmp_path / 'trace'}"), protocol=protocol)
    legacy = tmp_path / "legacy"
    torch.save(Calls(os.system, f"touch {tmp_path / 'trace'}"), legacy, _use_new_zipfile_serialization=False)
    named = [(bare, "weights.PT"), (bare, "a.pth"), (zipped(bare), "a.safetensors"), (legacy.read_bytes(), "")]
    for content, name in named:
        with pytest.raises(PickleError, match=SENTENCE):
            read_weights(content, SHAPES, name)
    with pytest.raises(PickleError if protocol > 1 else ValueError, match=SENTENCE if protocol > 1 else NONE):
        read_weights(bare, SHAPES, "a.safetensors")
    assert not (tmp_path / "trace").exists()


def test_the_ending_alone_decides_that_a_file_may_be_a_pickle():
    content = weights_file(build_network(LECTURE))
    for name in ("weights.pt", "WEIGHTS.PTH"):
        with pytest.raises(PickleError):
            read_weights(content, SHAPES, name)
    assert read_weights(content, SHAPES, "weights.pt.safetensors").matched == ()


@pytest.mark.parametrize("length", [0x0280, 0x0480])
def test_a_header_whose_length_looks_like_the_beginning_of_a_pickle_is_read(length: int):
    header, data = parts(weights_file(build_network(LECTURE, 3)))
    content = with_header(json.dumps(header).ljust(length), data)
    assert content[:2] in (b"\x80\x02", b"\x80\x04")
    assert same(read_weights(content, SHAPES).module, tensors())


MEASURED = """if True:
    import resource, sys, time
    from cnn_explorer.spec.network import LECTURE, parse
    from cnn_explorer.spec.shapes import infer_shapes
    from cnn_explorer.training.files import build_layers, read_weights, weights_file

    shapes = infer_shapes(LECTURE)
    read_weights(weights_file(build_layers(shapes)), shapes)
    large = infer_shapes(parse("fc4096-fc400-fc10"))
    for path in sys.argv[1:]:
        content = open(path, "rb").read()
        start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read_weights(content, large)
        except ValueError as error:
            said = str(error)
        print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, said)
"""


def test_files_that_once_stopped_the_server_cost_nothing(tmp_path: Path):
    paths = [tmp_path / name for name in attacks()]
    for path, content in zip(paths, attacks().values(), strict=True):
        path.write_bytes(content)
        assert len(content) < 60_000
    lines = run(MEASURED, *paths).stdout.splitlines()
    assert len(lines) == len(paths) == 4
    for line in lines:
        seconds, kilobytes, said = line.split(" ", 2)
        assert float(seconds) < 1
        assert int(kilobytes) < 50_000
        assert SENTENCE in said


def test_a_large_network_costs_no_more_than_its_own_size():
    """A few times its weights, whatever the header says."""
    spec = parse("fc2000-fc400-fc10")
    content = weights_file(build_network(spec))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_weights(content, infer_shapes(spec))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 5 * len(content) / 1000  # kB


def test_reading_does_not_load_torchs_compiler():
    code = """if True:
        import sys
        from cnn_explorer.spec.network import LECTURE
        from cnn_explorer.spec.shapes import infer_shapes
        from cnn_explorer.training.files import build_layers, read_weights, weights_file
        shapes = infer_shapes(LECTURE)
        read_weights(weights_file(build_layers(shapes)), shapes)
        print("torch._dynamo" in sys.modules)
    """
    assert run(code).stdout == "False\n"


# --- a run as a table ---


def test_a_run_as_csv():
    points = [
        CurvePoint(0, 0.0, None, 0.1, 400, 0.0),
        CurvePoint(25, 0.5, 2.25, 0.5, 400, 0.125, (("conv1", 0.5), ("fc1", 2.0))),
        CurvePoint(50, 1.0, 1.5, 0.75, 1000, 0.25, (("conv1", 0.25), ("fc1", 1.0))),
    ]
    assert run_csv(points).splitlines() == [
        "batch,epoch,loss,accuracy,measured,seconds,gradient_norm_conv1,gradient_norm_fc1",
        "0,0.0,,0.1,400,0.0,,",
        "25,0.5,2.25,0.5,400,0.125,0.5,2.0",
        "50,1.0,1.5,0.75,1000,0.25,0.25,1.0",
    ]
    assert run_csv([]).splitlines() == ["batch,epoch,loss,accuracy,measured,seconds"]
