"""Files to download and upload: trained weights as a safetensors file, and a run as a CSV table.

A safetensors file has 8 bytes with the length of its header (little-endian), then the header, which is JSON with the
name, dtype, shape and offsets of every tensor, then the raw numbers. It holds no code. The header of an uploaded file
is checked against the network before a number is read, so time and memory depend on the network alone.

PyTorch's own files are never opened: they are pickles, and a pickle can call any function.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.text import quoted
from cnn_explorer.training.run import CurvePoint
from cnn_explorer.weights.builder import build_layers
from cnn_explorer.weights.evaluation import predict

LOAD_AND_SAVE = """\
import safetensors.torch  # pip install safetensors

module.load_state_dict(safetensors.torch.load_file("weights.safetensors"))
safetensors.torch.save_file(module.state_dict(), "weights.safetensors")
"""
CONVERT = """\
import safetensors.torch  # pip install safetensors
import torch

tensors = torch.load("weights.pt", weights_only=True)
safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, "weights.safetensors")
"""
SAVE = "`safetensors.torch.save_file(module.state_dict(), file)`"
REMEDY = f"Choose a file that was saved from this network, here or by {SAVE}."

# The names of a layer's tensors, in the order of a state dict.
ROLES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
FLOATING = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # bytes of a number, by safetensors' name of the dtype
WHOLE = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}
MOST_DIMENSIONS = 4
MOST_DIGITS = 12  # of a number in a header
MOST_IN_NAME = 200  # characters

Layers = dict[str, dict[str, tuple[int, ...]]]  # shapes of tensors by layer, then by role


class PickleError(ValueError):
    """A file that may be a pickle. The lines in `CONVERT` turn it into a safetensors file."""


@dataclass(frozen=True)
class FileWeights:
    """A network with the weights of a file, in eval mode.

    `matched` has (layer in the file, layer of this network) for all layers with weights; empty if no name differs.
    """

    module: nn.Sequential
    matched: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        """Which layer of the file became which, as Markdown; "" if the names are the same."""
        pairs = ", ".join(f"{_layer_name(theirs)} → {ours}" for theirs, ours in self.matched)
        return f"Layers were matched by their shapes: {pairs}." if pairs else ""


def weights_file(module: nn.Module) -> bytes:
    """The state dict of `module` as a safetensors file, without metadata.

    `module.load_state_dict(safetensors.torch.load(content))` reads it.
    """
    tensors = module.state_dict()
    return safetensors.torch.save({name: tensor.detach().contiguous() for name, tensor in tensors.items()})


def read_weights(content: bytes, shapes: NetworkShapes, name: str = "") -> FileWeights:
    """Build the network of `shapes` with the weights of a safetensors file that is called `name`.

    Its layers may have other names than this network's; they are then matched by their shapes and, where several have
    the same, by the numbers in their names or by their order. Other precisions become float32.

    Raises `PickleError` for a file that is called `.pt` or `.pth`, or begins as a zip or a pickle does, without opening
    it. Raises `ValueError` if the file is no safetensors file or larger than this network's weights can be, if its
    layers do not fit, or if its numbers are not those of a trained network. Both say in Markdown what is wrong.
    """
    _refuse_pickle(content, name)
    module = build_layers(shapes).eval()
    expected = module.state_dict()
    header = _read_header(content, expected)
    layers = _match(header, expected)
    names = {}  # by this network's name of a tensor: the file's
    for ours in expected:
        layer, role = _split(ours)
        names[ours] = theirs = _joined(layers[layer], role)
        _check_dtype(theirs, header[theirs].dtype, whole=not expected[ours].is_floating_point())
    try:
        tensors = safetensors.torch.load(content)
    except Exception as error:  # the library has no list of what it raises
        raise ValueError(f"The file is damaged: safetensors cannot read it. {REMEDY}") from error
    module.load_state_dict({ours: _checked(theirs, tensors[theirs], expected[ours]) for ours, theirs in names.items()})
    if not predict(module, bundled_digits().images[:10]).isfinite().all():
        raise ValueError(f"The numbers in the file are so large that the network's answers overflow. {REMEDY}")
    same = all(ours == theirs for ours, theirs in layers.items())
    return FileWeights(module, () if same else tuple((theirs, ours) for ours, theirs in layers.items()))


def run_csv(points: Sequence[CurvePoint]) -> str:
    """A run as CSV: a line for each point of the curves, and a column for each layer's gradient norm. Cells without a
    number are empty.
    """
    layers = list(dict.fromkeys(layer for point in points for layer, _ in point.gradient_norms))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(
        ["batch", "epoch", "loss", "accuracy", "measured", "seconds", *(f"gradient_norm_{layer}" for layer in layers)]
    )
    for point in points:
        norms = dict(point.gradient_norms)
        writer.writerow(
            [
                point.batch,
                point.epoch,
                point.loss,
                point.accuracy,
                point.measured,
                point.seconds,
                *map(norms.get, layers),
            ]
        )
    return table.getvalue()


# --- the header of an uploaded file ---


@dataclass(frozen=True)
class _Entry:
    """A tensor in the header; `start` and `end` are offsets in bytes from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def _refuse_pickle(content: bytes, name: str) -> None:
    # The length of a header may begin with the byte of a pickle, but it ends in zeros, and a brace follows.
    is_pickle = content[:2] == b"PK" or content[:1] == b"\x80"
    is_pickle = is_pickle and content[3:9] != b"\0\0\0\0\0{"
    if is_pickle or name.lower().endswith((".pt", ".pth")):
        raise PickleError(
            "PyTorch's .pt and .pth files are pickles, and a pickle can run any program when it is opened, so this "
            "file was not opened. Convert it on your own computer, if you trust it, and choose `weights.safetensors`."
        )


def _read_header(content: bytes, expected: Mapping[str, Tensor]) -> dict[str, _Entry]:
    """The header's entries by name, ordered by their offsets. Together they cover the rest of the file exactly."""
    most_header = 300 * len(expected) + 10_000
    most = 8 + most_header + sum(tensor.numel() * max(FLOATING.values()) for tensor in expected.values())
    if not content:
        raise ValueError(f"The file is empty. {REMEDY}")
    if len(content) > most:
        size = f"The file has {len(content):,} bytes; this network's weights take at most {most:,}."
        raise ValueError(f"{size} {REMEDY}")
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8 or content[8:9] != b"{":
        raise ValueError(f"This is not a safetensors file, or it was cut short. {REMEDY}")
    if length > most_header:
        size = f"The file's header has {length:,} bytes; for this network it has at most {most_header:,}."
        raise ValueError(f"{size} {REMEDY}")
    try:
        fields = _parsed(content[8 : 8 + length].decode())
    except ValueError as error:
        said = "The file's header is damaged: it is not the JSON of a safetensors file."
        raise ValueError(f"{said} {REMEDY}") from error
    fields.pop("__metadata__", None)
    entries = {name: _entry(name, field) for name, field in fields.items()}
    entries = dict(sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)))
    _check_offsets(entries, len(content) - 8 - length)
    return entries


def _parsed(header: str) -> dict[str, Any]:
    """The header's JSON. Raises `ValueError` for JSON that no header has."""
    if _depth(header) > 3:  # the header, a tensor, its shape
        raise ValueError("nested too deeply")
    fields: dict[str, Any] = json.loads(
        header,
        parse_int=_whole_number,
        parse_float=_refuse,
        parse_constant=_refuse,
        object_pairs_hook=_without_duplicates,
    )
    return fields


def _depth(text: str) -> int:
    """How deeply brackets and braces are nested; those in strings do not count."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif in_string:
            in_string, escaped = character != '"', character == "\\"
        elif character == '"':
            in_string = True
        elif character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError("too many digits")
    return int(digits)


def _refuse(number: str) -> None:
    raise ValueError("not a whole number")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name twice")
    return fields


def _entry(name: str, field: Any) -> _Entry:
    """One tensor of the header. Raises `ValueError` if it is not valid by itself."""
    if len(name) > MOST_IN_NAME or not name.isprintable() or name.startswith("."):
        rule = f"is not printable text of at most {MOST_IN_NAME} characters that begins with no dot"
        raise ValueError(f"The tensor name {quoted(name)} {rule}. {REMEDY}")
    try:
        dtype, shape, (start, end) = field.pop("dtype"), field.pop("shape"), field.pop("data_offsets")
        sound = not field and isinstance(dtype, str) and isinstance(shape, list)
        sound = sound and all(type(number) is int and number >= 0 for number in (*shape, start, end))
    except (AttributeError, KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        what = "a dtype, a shape and two offsets"
        raise ValueError(f"The file's header is damaged: what it says of {quoted(name)} is not {what}. {REMEDY}")
    if dtype not in FLOATING | WHOLE:
        rule = f"weights have one of {', '.join(FLOATING)}"
        raise ValueError(f"{quoted(name)} has dtype {quoted(dtype)}; {rule}. {REMEDY}")
    if len(shape) > MOST_DIMENSIONS:
        rule = f"weights have at most {MOST_DIMENSIONS}"
        raise ValueError(f"{quoted(name)} has {len(shape):,} dimensions; {rule}. {REMEDY}")
    return _Entry(dtype, tuple(shape), start, end)


def _check_offsets(entries: Mapping[str, _Entry], size: int) -> None:
    """Raise `ValueError` unless the tensors, with the sizes of their shapes, fill the file without gap or overlap."""
    at = 0
    for name, entry in entries.items():
        needed = math.prod(entry.shape) * (FLOATING | WHOLE)[entry.dtype]
        if (entry.start, entry.end) != (at, at + needed):
            raise ValueError(
                f"The file is damaged: {quoted(name)} takes {needed:,} bytes from {at:,} on, but its offsets are "
                f"{entry.start:,} and {entry.end:,}. {REMEDY}"
            )
        at = entry.end
    if at != size:
        sizes = f"its header tells of {at:,} bytes of numbers, and it has {size:,}"
        raise ValueError(f"The file is damaged: {sizes}. {REMEDY}")


# --- which layer is which ---


def _match(header: Mapping[str, _Entry], expected: Mapping[str, Tensor]) -> dict[str, str]:
    """The file's layer for each layer of this network. Raises `ValueError` if none fits, or several do."""
    theirs = _layers({name: entry.shape for name, entry in header.items()})
    ours = _layers({name: tuple(tensor.shape) for name, tensor in expected.items()})
    signatures = list(map(_signature, ours.values()))
    if Counter(map(_signature, theirs.values())) != Counter(signatures):
        raise ValueError(f"{_misfit(theirs, ours)} {REMEDY}")
    written = _as_written(list(header), theirs)
    layers: dict[str, str] = {}
    for signature in dict.fromkeys(signatures):
        alike = [layer for layer, shapes in ours.items() if _signature(shapes) == signature]
        found = [layer for layer, shapes in theirs.items() if _signature(shapes) == signature]
        layers |= dict(zip(alike, _ordered(found, alike, written), strict=True))
    return {layer: layers[layer] for layer in ours}


def _layers(shapes: Mapping[str, tuple[int, ...]]) -> Layers:
    layers: Layers = {}
    for name, shape in shapes.items():
        layer, role = _split(name)
        layers.setdefault(layer, {})[role] = shape
    return layers


def _split(name: str) -> tuple[str, str]:
    """The name of a tensor as layer and role: what is before and after the last dot."""
    layer, _, role = name.rpartition(".")
    return layer, role


def _joined(layer: str, role: str) -> str:
    return f"{layer}.{role}" if layer else role


def _signature(shapes: Mapping[str, tuple[int, ...]]) -> frozenset[tuple[str, tuple[int, ...]]]:
    """Layers with equal signatures can have each other's weights."""
    return frozenset(shapes.items())


def _as_written(names: list[str], layers: Layers) -> list[str]:
    """Layers in the file's order, or none if that is not the order of a state dict.

    The library itself sorts tensors by dtype and name, so that a bias stands before its weight. Only a file in which
    every layer's tensors stand as in a state dict has kept the order.
    """
    order = [_joined(layer, role) for layer, shapes in layers.items() for role in ROLES if role in shapes]
    return list(layers) if order == names else []


def _ordered(found: Sequence[str], alike: Sequence[str], written: Sequence[str]) -> Sequence[str]:
    """Layers of the file that have the same shapes, in the order of this network's `alike`.

    Names decide if they are the same or differ in their numbers alone, as `block1.conv` and `block2.conv` do. Else the
    order in the file decides, if it was kept. The two must not contradict each other.
    """
    if len(found) == 1:
        return found
    if set(found) == set(alike):
        return alike
    words = {tuple(_parts(layer)[::2]) for layer in found}
    numbers = {tuple(_parts(layer)[1::2]) for layer in found}
    by_number = sorted(found, key=_parts) if len(words) == 1 and len(numbers) == len(found) else []
    by_file_order = [layer for layer in written if layer in found]
    orders = [order for order in (by_number, by_file_order) if order]
    if orders and orders[0] == orders[-1]:
        return orders[0]
    one, other = map(_layer_name, sorted(found)[:2])
    raise ValueError(
        f"{one} and {other} in the file have the same shapes, and neither names nor order tell which comes first. "
        f"Name the layers as this network does: {', '.join(alike)}."
    )


def _parts(name: str) -> list[Any]:
    """A name as words and, at odd indices, numbers: a sort key with which `conv2` comes before `conv10`."""
    return [int(part) if index % 2 else part for index, part in enumerate(re.split("([0-9]+)", name))]


def _misfit(theirs: Layers, ours: Layers) -> str:
    """A sentence on the first thing that differs between layers that do not fit."""
    left = {layer: theirs[layer] for layer in sorted(theirs, key=_parts)}
    lacking: Layers = {}
    for layer, shapes in ours.items():
        same = [found for found in left if left[found] == shapes and left[found] != ours.get(found)]
        if left.get(layer) == shapes:
            del left[layer]
        elif same:
            del left[same[0]]
        else:
            lacking[layer] = shapes
    if not lacking:
        layer, shapes = next(iter(left.items()))
        role = "weight" if "weight" in shapes else next(iter(shapes))
        return f"The file has {quoted(_joined(layer, role))} of shape {shapes[role]}; this network has no such layer."
    layer, shapes = next(iter(lacking.items()))
    kin = [found for found in left if _kind(left[found]) == _kind(shapes)]
    found = layer if layer in left else next(iter(kin), None)
    if found is None:
        role, shape = next(iter(shapes.items()))
        return f"No layer of the file can be this network's {layer}, whose {role} has shape {shape}."
    role = next(role for role in (*shapes, *left[found]) if left[found].get(role) != shapes.get(role))
    if role not in left[found]:
        lacks = f"{_layer_name(found)} in the file has no {role}"
        return f"{lacks}; this network's {layer} has one of shape {shapes[role]}."
    tensor = f"{quoted(_joined(found, role))} has shape {left[found][role]}"
    if role not in shapes:
        return f"{tensor}; this network's {layer} has no such tensor."
    return f"{tensor}; this network's {layer} has {shapes[role]}."


def _kind(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, bool]:
    """Tells convolutions, linear layers and batch norms apart: dimensions of the weight, and running statistics."""
    return len(shapes.get("weight", ())), "running_mean" in shapes


def _layer_name(layer: str) -> str:
    return quoted(layer) if layer else "the layer without a name"


# --- the numbers ---


def _check_dtype(name: str, dtype: str, whole: bool) -> None:
    allowed = WHOLE if whole else FLOATING
    if dtype not in allowed:
        raise ValueError(f"{quoted(name)} has dtype {dtype}; it must have one of {', '.join(allowed)}. {REMEDY}")


def _checked(name: str, tensor: Tensor, expected: Tensor) -> Tensor:
    """A tensor of the file in the dtype of this network. Raises `ValueError` for numbers that no training makes."""
    converted: Tensor = tensor.to(expected.dtype)
    if not converted.isfinite().all():
        fault = "has values that are not finite in float32: that training went wrong"
        raise ValueError(f"{quoted(name)} {fault}. {REMEDY}")
    if _split(name)[1] == "running_var" and (converted < 0).any():
        raise ValueError(f"{quoted(name)} has values below 0, and a variance has none. {REMEDY}")
    return converted
