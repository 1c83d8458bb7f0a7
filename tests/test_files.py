import io
import os
import pickle
import random
import resource
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from cnn_explorer.builder import build_network
from cnn_explorer.network import LECTURE, parse
from cnn_explorer.shapes import infer_shapes
from cnn_explorer.training.files import read_weights, run_csv, weights_file
from cnn_explorer.training.run import Look

SHAPES = infer_shapes(LECTURE)
REMEDY = "Choose a file that was saved from this network, here or by torch.save(network.state_dict(), file)."


def tensors(seed: int = 3) -> dict[str, Any]:
    return dict(build_network(LECTURE, seed).state_dict())


def saved(content: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def refused(content: bytes) -> str:
    with pytest.raises(ValueError, match=r"^[A-Z\w][^\n]*\.$") as caught:
        read_weights(content, SHAPES)
    message = str(caught.value)
    assert message.endswith(REMEDY)
    assert len(message) < 350
    return message.removesuffix(REMEDY).strip()


# --- what is read ---


@pytest.mark.parametrize("architecture", [str(LECTURE), "conv4k3-bn-relu-max2-drop50-fc30-relu-fc10", "fc10"])
def test_weights_come_back_as_they_went(architecture: str):
    spec = parse(architecture)
    module = build_network(spec, 5).to(memory_format=torch.channels_last)
    for buffer in module.buffers():  # of batch norms
        buffer += 2
    read = read_weights(weights_file(module), infer_shapes(spec))
    assert not read.training
    assert [*read.state_dict()] == [*module.state_dict()]
    for name, tensor in read.state_dict().items():
        assert torch.equal(tensor, module.state_dict()[name])
        assert tensor.dtype == module.state_dict()[name].dtype


def test_a_weights_file_is_a_plain_state_dict_apart_from_the_module():
    module = build_network(LECTURE, 5).to(memory_format=torch.channels_last)
    content = weights_file(module)
    with torch.no_grad():
        module.fc1.bias.zero_()
    plain = torch.load(io.BytesIO(content), weights_only=True)
    assert type(plain) is dict
    assert all(type(tensor) is torch.Tensor and tensor.is_contiguous() and tensor.dtype == torch.float32 for tensor in plain.values())
    assert plain["fc1.bias"].any()
    assert len(content) < 8490 * 4 + 4000


def test_a_network_that_was_read_can_be_trained_on_without_touching_another():
    content = weights_file(build_network(LECTURE, 5))
    one, other = read_weights(content, SHAPES), read_weights(content, SHAPES)
    with torch.no_grad():
        one.fc1.bias.fill_(9)
    assert not (other.fc1.bias == 9).any()
    assert all(parameter.requires_grad for parameter in one.parameters())


@pytest.mark.parametrize(
    "change",
    [
        lambda state: OrderedDict(reversed(state.items())),
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {name: nn.Parameter(tensor) for name, tensor in state.items()},
        lambda state: {name: tensor.double() for name, tensor in state.items()},
        lambda state: {
            name: tensor.to(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor for name, tensor in state.items()
        },
        lambda state: build_network(LECTURE, 3).state_dict(),  # with its metadata
    ],
    ids=["another order", "wrapped", "parameters", "double", "channels last", "as torch makes it"],
)
def test_other_ways_to_save_the_same_weights(change: Callable[[dict[str, Any]], Any]):
    read = read_weights(saved(change(tensors())), SHAPES)
    assert all(torch.equal(read.state_dict()[name], tensor) for name, tensor in tensors().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single(dtype: torch.dtype):
    read = read_weights(saved({name: tensor.to(dtype) for name, tensor in tensors().items()}), SHAPES)
    assert torch.equal(read.conv1.weight, tensors()["conv1.weight"].to(dtype).float())


def test_a_zip_packed_again_is_the_same_file():
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(tensors()))) as archive, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as again:
        for name in archive.namelist():
            again.writestr(name.replace("archive/", "my weights/"), archive.read(name))
    assert torch.equal(read_weights(packed.getvalue(), SHAPES).fc1.weight, tensors()["fc1.weight"])


# --- what is no weights file ---


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("L", (28, 28)).save(file, "PNG")
    return file.getvalue()


def zipped(records: dict[str, bytes], **options: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, record in records.items():
            archive.writestr(name, record)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        picture(),
        b"conv1.weight = 3\n",
        "Größe".encode(),
        bytes(1000),
        os.urandom(1000),
        b"PK\x03\x04" + bytes(100),
        zipped({"readme.txt": b"hello"}),
        zipped({}),
        saved(tensors())[:-2000],
        saved(tensors())[:2000],
        saved(tensors())[100:],
        pickle.dumps({"conv1.weight": [1.0]}),
        saved({"a": 1}, _use_new_zipfile_serialization=False),
    ],
    ids=["picture", "text", "umlauts", "zeros", "noise", "almost a zip", "another zip", "empty zip", "no end", "no more than a beginning",
         "no beginning", "pickle", "torch before 1.6"],
)  # fmt: skip
def test_what_torch_has_not_written(content: bytes):
    assert refused(content) in (
        "This is not a weights file that PyTorch has written, or it is damaged.",
        "The file is damaged: PyTorch cannot read it.",
    )


def test_an_empty_file():
    assert refused(b"") == "The file is empty."


def test_every_way_to_cut_a_file_short_is_a_sentence():
    content = saved(tensors())
    for length in range(0, len(content), 997):
        refused(content[:length])


def test_damage_anywhere_is_a_sentence_or_other_numbers():
    content = bytearray(saved(tensors()))
    generator = torch.Generator().manual_seed(0)
    for place in torch.randint(len(content), (150,), generator=generator).tolist():
        damaged = content.copy()
        damaged[place] ^= 1 << int(torch.randint(8, (1,), generator=generator))
        try:
            read_weights(bytes(damaged), SHAPES)
        except ValueError as error:
            assert str(error).endswith(REMEDY)  # noqa: PT017


@pytest.mark.filterwarnings("ignore")  # torch and Python remark on the pickle's protocol and on escapes in it
def test_damage_to_the_pickle_is_a_sentence_or_other_weights():
    """In a zip that is whole, so that no checksum tells."""
    with zipfile.ZipFile(io.BytesIO(saved(tensors()))) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    place = next(name for name in records if name.endswith("/data.pkl"))
    chance = random.Random(0)
    for _ in range(500):
        damaged = bytearray(records[place])
        for _ in range(chance.choice([1, 1, 3])):
            start = chance.randrange(len(damaged))
            damaged[start : start + chance.randrange(10)] = chance.choice([chance.randbytes(3), damaged[start : start + 30], b""])
        try:
            read_weights(zipped({**records, place: bytes(damaged)}), SHAPES)
        except ValueError as error:
            assert str(error).endswith(REMEDY)  # noqa: PT017


# --- hostile files ---


class Calls:
    """Pickled as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class _Storage:
    def __init__(self, numbers: int, key: str = "0") -> None:
        self.described = "storage", torch.FloatStorage, key, "cpu", numbers


class _Pickler(pickle._Pickler):
    def persistent_id(self, value: Any) -> Any:
        return value.described if isinstance(value, _Storage) else None


def pickled(content: Any, **records: bytes) -> bytes:
    """A file in torch's format with any pickle in it; `records` are its storages, "data_0" and so on."""
    file = io.BytesIO()
    _Pickler(file, 2).dump(content)
    return zipped(
        {"a/data.pkl": file.getvalue(), "a/version": b"3\n", **{f"a/{name.replace('_', '/')}": record for name, record in records.items()}}
    )


def claimed(size: tuple[int, ...], stride: tuple[int, ...], numbers: int = 4, offset: int = 0) -> Calls:
    """A tensor of any claimed size on a storage of four numbers."""
    return Calls(torch._utils._rebuild_tensor_v2, _Storage(numbers), offset, size, stride, False, OrderedDict())


@pytest.mark.parametrize("function", [os.system, eval, exec, subprocess.Popen, print], ids=lambda function: function.__name__)
def test_a_function_in_the_pickle_is_named_and_not_called(function: Callable[..., Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    trace = tmp_path / "trace"
    program = f"touch {trace}" if function in (os.system, subprocess.Popen) else f"open({str(trace)!r}, 'w')"
    for content in (
        saved({**tensors(), "more": Calls(function, program)}),
        saved(Calls(function, program)),
        pickled(Calls(function, program)),
    ):
        said = refused(content)
        assert said.startswith("The file holds more than weights (")
        assert f".{function.__name__})" in said
    assert not trace.exists()
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_pickle_is_not_run(protocol: int, tmp_path: Path):
    content = pickle.dumps(Calls(os.system, f"touch {tmp_path / 'trace'}"), protocol=protocol)
    refused(content)
    refused(zipped({"a/data.pkl": content, "a/version": b"3\n"}))
    refused(zipped({"a/data.pkl": content.replace(b"\x93", b"\x82\x01"), "a/version": b"3\n"}))
    assert not (tmp_path / "trace").exists()


def test_a_whole_module_is_more_than_weights():
    assert refused(saved(build_network(LECTURE))).startswith("The file holds more than weights (torch.nn.modules.container.Sequential)")


@pytest.mark.parametrize("call", [Calls(bytearray, 10**10), Calls(torch.Tensor, 10**10)], ids=["bytearray", "Tensor"])
def test_what_torch_allows_but_takes_all_memory_is_refused(call: Calls):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(pickled({"conv1.weight": call})).startswith("The file holds more than weights (")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (claimed((10**10,), (1,)), "The file is damaged"),
        (claimed((10, 1, 5, 5), (25, 25, 5, 1)), "The file is damaged"),
        (claimed((10, 1, 5, 5), (25, 25, 5, 1), numbers=10**10), "The file is damaged"),
        (claimed((10, 1, 5, 5), (25, 25, 5, 1), offset=-9), "The file is damaged"),
        (claimed((2,), (-1,)), "The file is damaged"),
        (claimed((10**6, 10**6), (0, 0)), "conv1.weight has shape (1000000, 1000000) in the file"),
    ],
    ids=["huge", "past the end", "a huge storage", "before the start", "backwards", "one number as many"],
)
def test_claims_that_the_file_does_not_keep(tensor: Calls, said: str):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(pickled({**tensors_without_data(), "conv1.weight": tensor}, data_0=bytes(16))).startswith(said)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def tensors_without_data() -> dict[str, Calls]:
    """All names of the lecture's network, so that the tensor in question is reached."""
    return {name: claimed(tuple(tensor.shape), (0,) * tensor.dim()) for name, tensor in tensors().items()}


def test_one_number_in_all_places_is_plain_enough():
    read = read_weights(pickled(tensors_without_data(), data_0=struct.pack("<4f", 0.5, 1, 2, 3)), SHAPES)
    assert (read.conv1.weight == 0.5).all()
    assert read.conv1.weight.is_contiguous()


def test_a_zip_bomb_is_not_unpacked():
    bomb = zipped({"a/data.pkl": saved({}), "a/data/0": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 60_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(bomb).startswith("The file unpacks to 50,00")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_a_zip_bomb_that_lies_about_its_size_is_cut_short():
    bomb = bytearray(zipped({"a/data.pkl": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED))
    honest = struct.pack("<I", 50_000_000)
    for _ in range(2):  # in front of the record, and in the directory
        place = bomb.index(honest)
        bomb[place : place + 4] = struct.pack("<I", 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(bytes(bomb))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_a_file_larger_than_the_network_is_not_opened():
    assert refused(bytes(1_000_000)) == "The file has 1,000,000 bytes; this network's weights take no more than 129,920."


def test_a_pickle_beside_the_one_that_was_looked_through_is_not_read(tmp_path: Path):
    """Two folders in one zip: whichever is looked through is the one that is loaded."""
    with zipfile.ZipFile(io.BytesIO(saved(tensors()))) as archive:
        good = {name: archive.read(name) for name in archive.namelist()}
    evil = pickle.dumps(Calls(os.system, f"touch {tmp_path / 'trace'}"), protocol=2)
    assert torch.equal(read_weights(zipped({**good, "b/data.pkl": evil}), SHAPES).fc1.bias, tensors()["fc1.bias"])
    assert refused(zipped({"b/data.pkl": evil, **good})).startswith("The file holds more than weights (")
    assert not (tmp_path / "trace").exists()


def test_deep_nesting_is_a_sentence():
    nested: list[Any] = []
    for _ in range(100):
        nested = [nested]
    assert refused(saved({"conv1.weight": nested})).startswith("The file lacks conv1.bias")
    deep = b"\x80\x02" + b"]" * 30_000 + b"a" * 29_999 + b"."
    assert refused(zipped({"a/data.pkl": deep, "a/version": b"3\n"})).startswith("Where tensors by name should be, the file has type list")


# --- weights of something else ---


def changed(**replaced: Any) -> bytes:
    return saved({**tensors(), **{name.replace("__", "."): value for name, value in replaced.items()}})


def test_another_network_is_named_by_what_differs():
    small = saved(build_network(parse("conv8k5-max2-relu-conv20k5-max2-relu-fc10")).state_dict())
    assert refused(small) == "conv1.weight has shape (8, 1, 5, 5) in the file, (10, 1, 5, 5) in this network: it is of another network."
    deeper = saved(build_network(parse("conv10k5-max2-relu-conv20k5-max2-relu-fc20-relu-fc10")).state_dict())
    assert refused(deeper) == "The file has 'fc2.weight', which this network has not: it is of another network."
    assert refused(saved(build_network(parse("fc10")).state_dict())) == "The file lacks conv1.weight: it is of another network."
    unnamed = nn.Sequential(nn.Conv2d(1, 10, 5), nn.Linear(320, 10)).state_dict()
    assert (
        refused(saved(unnamed)) == "The file lacks conv1.weight and has '0.weight', which this network has not: it is of another network."
    )


OF_ANOTHER = "it is of another network."
NOT_FLOATING = "it must be floating-point numbers."
NOT_FINITE = "has values that are not finite: that training went wrong."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (saved([1, 2]), "Where tensors by name should be, the file has type list."),
        (saved(torch.zeros(3)), "Where tensors by name should be, the file has type Tensor."),
        (saved({1: torch.zeros(3)}), "Where tensors by name should be, the file has type dict."),
        (saved({"state_dict": 7}), "Where tensors by name should be, the file has type int."),
        (saved({}), f"The file lacks conv1.weight: {OF_ANOTHER}"),
        (changed(conv1__weight="hello"), "conv1.weight in the file is no plain tensor."),
        (changed(conv1__bias=None), "conv1.bias in the file is no plain tensor."),
        (changed(conv1__bias=torch.zeros(10, dtype=torch.int32)), f"conv1.bias is int32 in the file; {NOT_FLOATING}"),
        (changed(conv1__bias=torch.zeros(10, dtype=torch.bool)), f"conv1.bias is bool in the file; {NOT_FLOATING}"),
        (changed(conv1__bias=torch.zeros(10, dtype=torch.complex64)), f"conv1.bias is complex64 in the file; {NOT_FLOATING}"),
        (changed(conv1__bias=torch.full((10,), torch.nan)), f"conv1.bias in the file {NOT_FINITE}"),
        (changed(fc1__bias=torch.full((10,), -torch.inf)), f"fc1.bias in the file {NOT_FINITE}"),
        (changed(fc1__bias=torch.full((10,), 1e300, dtype=torch.float64)), f"fc1.bias in the file {NOT_FINITE}"),
        (changed(conv1__bias=torch.zeros(10, 1)), f"conv1.bias has shape (10, 1) in the file, (10,) in this network: {OF_ANOTHER}"),
        (changed(conv1__bias=torch.tensor(0.0)), f"conv1.bias has shape () in the file, (10,) in this network: {OF_ANOTHER}"),
        (
            changed(conv1__weight=torch.full((10, 1, 5, 5), 3e38)),
            "The numbers in the file are so large that the network's answers overflow.",
        ),
    ],
)
def test_wrong_values_are_named(content: bytes, said: str):
    assert refused(content) == said


@pytest.mark.parametrize("tensor", [torch.zeros(10).to_sparse(), torch.zeros(10, device="meta")], ids=["sparse", "meta"])
def test_tensors_of_other_kinds_are_refused(tensor: torch.Tensor):
    assert refused(changed(conv1__bias=tensor)).startswith("The file holds more than weights (torch._utils._rebuild_")


def test_a_negative_variance_is_refused():
    shapes = infer_shapes(parse("conv4k3-bn-relu-fc10"))
    state = build_network(shapes.spec).state_dict()
    state["bn1.running_var"] = -torch.ones(4)
    with pytest.raises(ValueError, match=r"^bn1\.running_var in the file has values below 0, and a variance has none\. Choose"):
        read_weights(saved(state), shapes)
    state["bn1.running_var"], state["bn1.num_batches_tracked"] = torch.ones(4), torch.tensor(1.5)
    with pytest.raises(ValueError, match=r"^bn1\.num_batches_tracked is float32 in the file; it must be a whole number\. Choose"):
        read_weights(saved(state), shapes)


def test_names_in_the_file_are_shown_harmless_and_short():
    said = refused(saved({**tensors(), "<script>\n" + 500 * "x": torch.zeros(1)}))
    assert "\\n" in said
    assert len(said) < 200


def test_reading_does_not_load_torchs_compiler():
    code = """if True:
        import sys
        from cnn_explorer.network import LECTURE
        from cnn_explorer.shapes import infer_shapes
        from cnn_explorer.training.files import build_layers, read_weights, weights_file
        shapes = infer_shapes(LECTURE)
        read_weights(weights_file(build_layers(shapes)), shapes)
        print("torch._dynamo" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# --- a run as a table ---


def test_a_run_as_csv():
    looks = [
        Look(0, 0.0, None, 0.1, 400, 0.0),
        Look(25, 0.5, 2.25, 0.5, 400, 0.125, (("conv1", 0.5), ("fc1", 2.0))),
        Look(50, 1.0, 1.5, 0.75, 1000, 0.25, (("conv1", 0.25), ("fc1", 1.0))),
    ]
    assert run_csv(looks).splitlines() == [
        "batch,epoch,loss,accuracy,measured,seconds,gradient_norm_conv1,gradient_norm_fc1",
        "0,0.0,,0.1,400,0.0,,",
        "25,0.5,2.25,0.5,400,0.125,0.5,2.0",
        "50,1.0,1.5,0.75,1000,0.25,0.25,1.0",
    ]
    assert run_csv([]).splitlines() == ["batch,epoch,loss,accuracy,measured,seconds"]
