"""What a visitor takes along or brings back: trained weights as a file, and a run as a table.

A weights file is what `torch.save(module.state_dict(), file)` writes, a zip of raw numbers and a pickle that says which is which. A
pickle can name any function and have it called, and a small zip can claim to be a large one. So a file that comes from outside is looked
through before anything is made of it, and `torch.load(weights_only=True)` sees only what is left.
"""

from __future__ import annotations

import csv
import io
import pickletools
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cnn_explorer.builder import build_layers
from cnn_explorer.data import bundled_digits
from cnn_explorer.evaluation import predict
from cnn_explorer.shapes import NetworkShapes
from cnn_explorer.training.run import Look

REMEDY = "Choose a file that was saved from this network, here or by torch.save(network.state_dict(), file)."
NEEDED = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"}  # by a pickle of tensors


def weights_file(module: nn.Module) -> bytes:
    """The state dict of `module` as a file: float32 tensors by name, which the exported script's network loads.

    `module.load_state_dict(torch.load(file, weights_only=True))` reads it.
    """
    file = io.BytesIO()
    torch.save({name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in module.state_dict().items()}, file)
    return file.getvalue()


def read_weights(content: bytes, shapes: NetworkShapes) -> nn.Sequential:
    """Build the network of `shapes` with the weights of a file as `weights_file` makes it; in eval mode.

    Other precisions become float32, and a state dict may lie in a dict under "state_dict". Raises `ValueError` with a sentence for the
    page if the file is no weights file, holds anything but weights, is larger than this network's weights can be, or if its layers, shapes
    or numbers are not those of a trained network of this kind. Nothing in the file is ever run.
    """
    module = build_layers(shapes).eval()
    expected = module.state_dict()
    saved = _saved_tensors(content, limit=_largest_file(expected))
    _check_names(saved, expected)
    module.load_state_dict({name: _checked(name, saved[name], tensor) for name, tensor in expected.items()})
    if not predict(module, bundled_digits().images[:10]).isfinite().all():
        raise ValueError(f"The numbers in the file are so large that the network's answers overflow. {REMEDY}")
    return module


def run_csv(looks: Sequence[Look]) -> str:
    """A run as a table: a line a look, its gradient norms in a column for each layer; empty where there is no number."""
    layers = list(dict.fromkeys(layer for look in looks for layer, _ in look.gradient_norms))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["batch", "epoch", "loss", "accuracy", "measured", "seconds", *(f"gradient_norm_{layer}" for layer in layers)])
    for look in looks:
        norms = dict(look.gradient_norms)
        writer.writerow([look.batch, look.epoch, look.loss, look.accuracy, look.measured, look.seconds, *map(norms.get, layers)])
    return table.getvalue()


# --- looking through a file ---


def _largest_file(expected: Mapping[str, Tensor]) -> int:
    """Bytes: double precision, and what a zip and a pickle say of each tensor."""
    return 2 * sum(tensor.nbytes for tensor in expected.values()) + 2_000 * len(expected) + 50_000


def _saved_tensors(content: bytes, limit: int) -> Mapping[str, Any]:
    """What a file maps names to, loaded by torch once nothing is left in it that could do harm."""
    if len(content) > limit:
        raise ValueError(f"The file has {len(content):,} bytes; this network's weights take no more than {limit:,}. {REMEDY}")
    records = _records(content, limit)
    _check_pickle(records["data.pkl"])
    try:
        saved = torch.load(_zipped(records), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch makes of a damaged file
        raise ValueError(f"The file is damaged: PyTorch cannot read it. {REMEDY}") from error
    inner = saved.get("state_dict", saved) if isinstance(saved, dict) else saved
    if not isinstance(inner, dict) or not all(isinstance(name, str) for name in inner):
        raise ValueError(f"Where tensors by name should be, the file has type {type(inner).__name__}. {REMEDY}")
    return inner


def _records(content: bytes, limit: int) -> dict[str, bytes]:
    """The parts of a zip written by torch, by their name within its folder, no more than `limit` bytes in all."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            folder = next(entry.filename.removesuffix("data.pkl") for entry in archive.infolist() if entry.filename.endswith("/data.pkl"))
            parts = [entry for entry in archive.infolist() if entry.filename.startswith(folder) and size <= limit]
            # Only a `read` that names its size stops there, whatever comes out of the compressed bytes.
            records = {part.filename.removeprefix(folder): archive.open(part).read(part.file_size) for part in parts}
    except Exception as error:  # no zip, no data.pkl, damaged, encrypted, packed in an unknown way: there is no end to it
        what = "The file is empty" if not content else "This is not a weights file that PyTorch has written, or it is damaged"
        raise ValueError(f"{what}. {REMEDY}") from error
    if size > limit:
        raise ValueError(f"The file unpacks to {size:,} bytes; this network's weights take no more than {limit:,}. {REMEDY}")
    return records


def _zipped(records: Mapping[str, bytes]) -> io.BytesIO:
    """The same parts in a zip of our own: torch must see what was looked through, not what another reader finds in the file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, record in records.items():
            archive.writestr(f"weights/{name}", record)
    file.seek(0)
    return file


def _check_pickle(record: bytes) -> None:
    """Refuse a pickle that names anything but tensors, without running it.

    torch's own list of what may be called is longer, and some of that makes as much memory as it is asked for.
    """
    try:
        operations = [(operation.name, argument) for operation, argument, _ in pickletools.genops(record)]
    except Exception as error:  # genops raises what comes
        raise ValueError(f"The file is damaged: PyTorch cannot read it. {REMEDY}") from error
    for operation, argument in operations:
        if operation in ("GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4") and not _is_needed(operation, str(argument)):
            named = f" ({str(argument).replace(' ', '.')[:60]})" if operation in ("GLOBAL", "INST") else ""
            raise ValueError(f"The file holds more than weights{named}, so it was not opened. {REMEDY}")


def _is_needed(operation: str, named: str) -> bool:
    """True for the few names in a pickle of tensors, such as "torch FloatStorage"."""
    module, _, name = named.partition(" ")
    return operation == "GLOBAL" and (named in NEEDED or (module == "torch" and name.endswith("Storage")))


# --- comparing it with the network ---


def _check_names(saved: Mapping[str, Any], expected: Mapping[str, Tensor]) -> None:
    missing = [name for name in expected if name not in saved]
    unknown = [name for name in saved if name not in expected]
    if missing or unknown:
        faults = [f"lacks {name}" for name in missing[:1]] + [f"has {name[:60]!r}, which this network has not" for name in unknown[:1]]
        raise ValueError(f"The file {' and '.join(faults)}: it is of another network. {REMEDY}")


def _checked(name: str, tensor: Any, expected: Tensor) -> Tensor:
    """A tensor from the file as the network can take it."""
    if not isinstance(tensor, Tensor) or tensor.layout is not torch.strided or tensor.device.type != "cpu":
        raise ValueError(f"{name} in the file is no plain tensor. {REMEDY}")
    if tensor.shape != expected.shape:
        theirs, ours = tuple(tensor.shape), tuple(expected.shape)
        raise ValueError(f"{name} has shape {theirs} in the file, {ours} in this network: it is of another network. {REMEDY}")
    if tensor.is_floating_point() != expected.is_floating_point() or tensor.is_complex():
        needed = "floating-point numbers" if expected.is_floating_point() else "a whole number"
        raise ValueError(f"{name} is {str(tensor.dtype).removeprefix('torch.')} in the file; it must be {needed}. {REMEDY}")
    converted: Tensor = tensor.detach().to(expected.dtype)
    if not converted.isfinite().all():
        raise ValueError(f"{name} in the file has values that are not finite: that training went wrong. {REMEDY}")
    if name.endswith("running_var") and (converted < 0).any():
        raise ValueError(f"{name} in the file has values below 0, and a variance has none. {REMEDY}")
    return converted
