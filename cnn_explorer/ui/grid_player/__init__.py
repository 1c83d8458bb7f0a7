"""The grid player: the component that shows input, kernels and output of one small layer, number by number.

This module makes the data that the browser gets, and reads the edits that come back. One update has the numbers for
every output value, so the browser asks the server nothing when another value is selected. `types.d.ts` describes the
fields.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from cnn_explorer.numbers import arithmetic, wording
from cnn_explorer.numbers.arithmetic import Windows
from cnn_explorer.numbers.cutout import Cutout
from cnn_explorer.numbers.scenes import ConvScene, Grid, Grids, PoolScene
from cnn_explorer.spec.layers import GeometryError
from cnn_explorer.ui.component import component, nothing
from cnn_explorer.ui.messages import fields, message, number, several, text, whole

Data = dict[str, Any]
TINTS = ("red", "green", "blue")
AXES = {"input": 3, "weight": 4, "bias": 1, "pixel": 2}  # the length of an index, by part of a scene
MAX_EDITS, MAX_AXES, MAX_INDEX = 500, 4, 999  # of a message: its edits, the length of an index, a number in it


@dataclass(frozen=True)
class Edit:
    """A number edited in the browser: `part` is input, weight or bias, `index` its index there. The part "pixel" is no
    number: the pixel `index` of a picture was chosen.
    """

    seq: int
    part: str
    index: tuple[int, ...]
    value: float


def mount(data: Data, about: str, key: str, ack: int) -> None:
    """Show a scene with a sentence `about` it, "" for the scene's own; `ack` is the number of the last edit that it
    contains.
    """
    component("grid_player")(
        key=key, data=[{**data, "about": about or data["about"], "ack": ack}], on_edits_change=nothing
    )


def edits_of(key: str) -> list[Edit]:
    """The edits in the browser's last message. It repeats edits that it does not know to be confirmed.

    Empty for a message that is not a list of at most `MAX_EDITS` of the form of `Edit`.
    """
    return (
        message(
            st.session_state.get(key),
            "edits",
            lambda sent: [_edit(edit) for edit in several(sent.get("edits"), MAX_EDITS)],
        )
        or []
    )


def _edit(sent: Any) -> Edit:
    edit = fields(sent)
    part = text(edit.get("part"), 10)
    # A part or an index that the scene does not have is refused later, with a sentence on the page.
    least, most = (AXES[part], AXES[part]) if part in AXES else (0, MAX_AXES)
    index = several(edit.get("index"), most, least)
    return Edit(whole(edit.get("seq")), part, tuple(whole(at, 0, MAX_INDEX) for at in index), number(edit.get("value")))


def convolution_data(name: str, scene: ConvScene, *, matrix: bool = False, titles: Sequence[str] = ()) -> Data:
    """A convolution, computed by PyTorch and, channel by channel, by `arithmetic`. Without outputs where the geometry
    is impossible.

    `matrix` lays several kernels out in rows of output channels and columns of input channels. `titles` name the
    kernels.
    """
    rows, columns = (
        arithmetic.slide(side, scene.kernel_size, scene.stride, scene.padding, scene.dilation)
        for side in scene.shape[1:]
    )
    data = _scene(name, scene.input, scene.padding, "0", scene.colour and scene.shape[0] == 3) | {
        "layout": "matrix" if matrix else "rows",
        "windows": [_windows(rows, columns)],
        "kernels": scene.weight,
        "kernelTitles": titles,
        "biases": scene.bias,
        "seen": [[*_seen(scene, out)] for out in range(scene.out_channels)],
        "axes": _axes(scene) if matrix and not titles else [],
        "formula": "" if titles else wording.convolution_formula(scene),
    }
    try:
        scene.spec().output_shape(scene.shape)
    except GeometryError:
        return data
    output = torch_convolution(scene)
    partials = arithmetic.partial_maps(np.array(scene.input), np.array(scene.weight), rows, columns, scene.groups)
    own = partials.sum(axis=1) + np.array(scene.bias)[:, None, None]
    data["lines"] = [*scene.spec().formula_lines(scene.shape), *_left_over(scene.spec().unused(scene.shape))]
    data["partials"] = partials.tolist()
    names = titles or ["output"]
    if scene.out_channels > 1 and not titles:
        names = [f"output {out}" for out in range(scene.out_channels)]
    data["agrees"] = bool(np.allclose(own, output, rtol=1e-9, atol=1e-9))
    data["outputs"] = [
        {
            "title": names[out],
            "note": "{}×{}".format(*output.shape[1:]),
            "values": values.tolist(),
            "input": 0,
            "windows": 0,
            "rule": "conv",
            "changed": None,
            "corner": (0, 0),
        }
        for out, values in enumerate(output)
    ]
    return data


def torch_convolution(scene: ConvScene) -> np.ndarray:
    """`torch.nn.functional.conv2d` of a scene whose geometry works out, `(out_channels, H', W')` float64."""
    import torch

    x, weight, bias = (torch.tensor(values, dtype=torch.float64) for values in (scene.input, scene.weight, scene.bias))
    output: np.ndarray = torch.nn.functional.conv2d(
        x, weight, bias, scene.stride, scene.padding, scene.dilation, scene.groups
    ).numpy()
    return output


def _axes(scene: ConvScene) -> list[str]:
    """The axes of `weight`, in torch's order."""
    inside = (
        f"in_channels / groups {scene.shape[0]}/{scene.groups}" if scene.groups > 1 else f"in_channels {scene.shape[0]}"
    )
    return [f"out_channels {scene.out_channels}", inside, f"rows {scene.kernel_size}", f"columns {scene.kernel_size}"]


def _seen(scene: ConvScene, out: int) -> Sequence[int]:
    """Input channels that an output channel reads; the first ones where groups do not divide the channels."""
    width = len(scene.weight[0])
    if scene.shape[0] % scene.groups or scene.out_channels % scene.groups:
        return range(width)
    return arithmetic.input_channels(out, scene.shape[0], scene.out_channels, scene.groups)


def pooling_data(name: str, scene: PoolScene) -> Data:
    """Max pooling, average pooling and no pooling of every channel."""
    rows, columns = (arithmetic.slide(side, scene.kernel_size, scene.stride, scene.padding) for side in scene.shape[1:])
    data = _scene(name, scene.input, scene.padding, "", False) | {
        "layout": "pool",
        "windows": [_windows(rows, columns), _cells(scene.shape)],
        "formula": wording.pooling_formula(scene),
    }
    try:
        scene.spec().output_shape(scene.shape)
    except GeometryError:
        return data
    data["lines"] = [*scene.spec().formula_lines(scene.shape), *_left_over(scene.spec().unused(scene.shape))]
    overlap = scene.kernel_size - scene.stride
    if overlap > 0:
        data["lines"].append(f"windows overlap by {overlap}")
    return _with_outputs(data, np.array(scene.input), rows, columns)


def adaptive_data(name: str, scene: PoolScene) -> Data:
    """Adaptive pooling: the windows follow from the output's size."""
    rows, columns = (arithmetic.slide_adaptive(side, scene.output_size) for side in scene.shape[1:])
    data = _scene(name, scene.input, 0, "", False) | {
        "layout": "pool",
        "windows": [_windows(rows, columns), _cells(scene.shape)],
    }
    data["lead"] = "Windows cover"
    data["lines"] = [f"rows {_spans(rows)}"] + ([f"columns {_spans(columns)}"] if columns != rows else [])
    return _with_outputs(data, np.array(scene.input), rows, columns)


def shift_data(name: str, scene: PoolScene) -> Data:
    """Pooling of the first channel, before and after a shift to the right; `changed` says which outputs differ."""
    before = np.array(scene.input[:1])
    both = np.concatenate([before, arithmetic.shifted(before, scene.shift)])
    rows, columns = (arithmetic.slide(side, scene.kernel_size, scene.stride, scene.padding) for side in scene.shape[1:])
    data = _scene(name, both.tolist(), scene.padding, "", False) | {
        "layout": "pool",
        "windows": [_windows(rows, columns), _cells(scene.shape)],
    }
    data["inputs"][0] |= {"title": "input"}
    data["inputs"][1] |= {"title": f"shifted by {scene.shift}", "editable": False}
    try:
        scene.spec().output_shape(scene.shape)
    except GeometryError:
        return data
    data["lines"] = [*scene.spec().formula_lines(scene.shape), *_left_over(scene.spec().unused(scene.shape))]
    data = _with_outputs(data, both, rows, columns)
    half = len(data["outputs"]) // 2
    changed: dict[str, tuple[int, int]] = {}
    for old, new in zip(data["outputs"][:half], data["outputs"][half:], strict=True):
        differ = np.argwhere(np.array(old["values"]) != np.array(new["values"]))
        new["changed"] = differ.tolist()
        new["note"] = f"{len(differ)} of {np.size(new['values'])} changed"
        changed[new["title"]] = (len(differ), np.size(new["values"]))
    data["about"] = wording.shift_sentence(scene.shift, changed)
    return data


@dataclass(frozen=True)
class Source:
    """Where a cutout comes from: the name of the `layer` and the index of its `map`, the name of what the layer reads
    (`reads`), and the `lines` about the size of its output. `first` is the number of the first map.
    """

    layer: str
    map: int
    reads: str
    lines: Sequence[str]
    first: int = 1  # as the page Draw counts


def cutout_data(name: str, cutout: Cutout, source: Source) -> Data:
    """A part of a layer with the layer's own float32 numbers, to be looked at and not to be changed. The outputs are
    PyTorch's.

    `agrees` is true if each of them differs by at most a millionth of the sum of all magnitudes from the sum of the
    products: PyTorch adds float32 numbers, in another order.
    """
    pad_text = "0" if cutout.weight is not None else ""
    data = _scene(name, cutout.x.astype(np.float64).tolist(), 0, pad_text, False)
    (top, left), (height, width) = cutout.corner, cutout.x.shape[1:]
    for channel, grid in zip(cutout.channels, data["inputs"], strict=True):
        grid |= {"title": _map_of(source.reads, channel + source.first), "editable": False, "corner": cutout.corner}
        grid["note"] = f"rows {top}–{top + height - 1}, columns {left}–{left + width - 1}"
    data |= {
        "layout": "rows" if cutout.weight is not None else "pool",
        "editable": False,
        "padding": _border(cutout),
        "windows": [_windows(cutout.rows, cutout.columns)],
        "lines": list(source.lines),
        "start": {"map": 0, "row": cutout.chosen[0], "column": cutout.chosen[1]},
    }
    if cutout.weight is None:
        return _pooled_cutout(data, cutout, source)
    x, weight = cutout.x.astype(np.float64), cutout.weight.astype(np.float64)
    partials = arithmetic.partial_maps(x, weight[None], cutout.rows, cutout.columns)
    rest = cutout.rest if cutout.rest is not None else np.zeros(cutout.output.shape)
    own = partials[0].sum(axis=0) + rest + cutout.bias
    magnitudes = arithmetic.partial_maps(np.abs(x), np.abs(weight)[None], cutout.rows, cutout.columns)[0].sum(axis=0)
    tolerance = 1e-6 * (magnitudes + np.abs(rest) + abs(cutout.bias))
    return data | {
        "kernels": [weight.tolist()],
        "kernelTitles": [],
        "biases": [cutout.bias],
        "seen": [[*range(len(x))]],
        "partials": partials.tolist(),
        "rest": {"count": cutout.left_out, "values": rest.tolist()} if cutout.left_out else None,
        "outputs": [_cutout_output(cutout, source, "conv", cutout.output)],
        "agrees": bool((np.abs(own - cutout.output) <= tolerance).all()),
    }


def picture_data(pixels: np.ndarray, kernel: Grid, values: np.ndarray, pixel: tuple[int, int], *, signed: bool) -> Data:
    """A picture, `(H, W)` uint8, a kernel, and PyTorch's result, `(H', W')`. The browser computes the result as well,
    so it follows the pointer and every change of the kernel at once.

    `signed` tells that the result is shown in two colours, whatever the kernel adds up to.
    """
    return {
        "name": "picture",
        "layout": "picture",
        "size": pixels.shape,
        "pixels": base64.b64encode(pixels.tobytes()).decode(),
        "kernel": kernel,
        "pixel": pixel,
        "signed": signed,
        "result": base64.b64encode(values.astype("<f4").tobytes()).decode(),
        "about": "",
    }


def _pooled_cutout(data: Data, cutout: Cutout, source: Source) -> Data:
    pooled = arithmetic.pool(cutout.x.astype(np.float64), cutout.rows, cutout.columns)
    is_max = source.layer.startswith("max")
    own, rule = (pooled.maximum[0], "max") if is_max else (pooled.average[0], "avg")
    return data | {
        "outputs": [_cutout_output(cutout, source, rule, cutout.output)],
        "winners": [pooled.winners[0].tolist() if is_max else []],
        "agrees": bool(np.allclose(own, cutout.output, rtol=1e-6, atol=0)),
    }


def _cutout_output(cutout: Cutout, source: Source, rule: str, values: np.ndarray) -> Data:
    (row, column), (height, width) = cutout.first, values.shape
    return {
        "title": _map_of(source.layer, source.map + source.first),
        "note": f"rows {row}–{row + height - 1}, columns {column}–{column + width - 1}",
        "values": values.astype(np.float64).tolist(),
        "input": 0,
        "windows": 0,
        "rule": rule,
        "changed": None,
        "corner": cutout.first,
    }


def _map_of(layer: str, number: int) -> str:
    return layer if layer == "image" else f"{layer} map {number}"


def _border(cutout: Cutout) -> dict[str, int]:
    """How many rows and columns of padding the windows reach on each side of the cutout."""
    height, width = cutout.x.shape[1:]
    rows = [index for window in cutout.rows for index in window]
    columns = [index for window in cutout.columns for index in window]
    return {
        "top": max(0, -min(rows)),
        "bottom": max(0, max(rows) - height + 1),
        "left": max(0, -min(columns)),
        "right": max(0, max(columns) - width + 1),
    }


def _scene(name: str, grids: Grids | list[Any], padding: int, pad_text: str, colour: bool) -> Data:
    """The fields of every scene, without outputs; it stays like that if the geometry is impossible."""
    titles: Sequence[str] = ["input"]
    if len(grids) > 1:
        titles = TINTS if colour else [f"channel {channel}" for channel in range(len(grids))]
    inputs = [
        {
            "title": titles[channel],
            "values": grid,
            "tint": TINTS[channel] if colour else "",
            "editable": True,
            "corner": (0, 0),
        }
        for channel, grid in enumerate(grids)
    ]
    empty: Mapping[str, Any] = {
        name: []
        for name in ("lines", "kernels", "kernelTitles", "biases", "seen", "partials", "outputs", "winners", "axes")
    }
    return {
        "name": name,
        "lead": "Size of the output:",
        "inputs": inputs,
        "padding": {"top": padding, "bottom": padding, "left": padding, "right": padding},
        "editable": True,
        "start": None,
        "rest": None,
        "padText": pad_text,
        "agrees": True,
        "formula": "",
        "about": "",
        **empty,
    }


def _with_outputs(data: Data, x: np.ndarray, rows: Windows, columns: Windows) -> Data:
    """Add max pooling, average pooling and no pooling of each channel, and the index of each maximum."""
    pooled = arithmetic.pool(x, rows, columns)
    for channel in range(len(x)):
        for rule, title, values in (
            ("max", "max", pooled.maximum),
            ("avg", "average", pooled.average),
            ("none", "none", x),
        ):
            data["outputs"].append(
                {
                    "title": title,
                    "note": "{}×{}".format(*values.shape[1:]),
                    "values": values[channel].tolist(),
                    "input": channel,
                    "windows": 1 if rule == "none" else 0,
                    "rule": rule,
                    "changed": None,
                    "corner": (0, 0),
                }
            )
            data["winners"].append(pooled.winners[channel].tolist() if rule == "max" else [])
    return data


def _windows(rows: Windows, columns: Windows) -> dict[str, Windows]:
    return {"rows": rows, "columns": columns}


def _cells(shape: Sequence[int]) -> dict[str, Windows]:
    """Windows of one cell each: no pooling."""
    return _windows(arithmetic.slide(shape[1], 1), arithmetic.slide(shape[2], 1))


def _left_over(unused: tuple[int, int]) -> list[str]:
    parts = [f"{count} {word}{'s' if count > 1 else ''} {where}" for count, word, where in
        zip(unused, ("row", "column"), ("at the bottom", "on the right"), strict=True) if count]  # fmt: skip
    return [f"left over (hatched): {' and '.join(parts)}"] if parts else []


def _spans(windows: Windows) -> str:
    return ", ".join(f"{window[0]}–{window[-1]}" if len(window) > 1 else f"{window[0]}" for window in windows)


def flip_data(name: str, scene: ConvScene) -> Data:
    """A single kernel as it is and, where the scene says so, turned by 180° below."""
    if not scene.flip:
        return convolution_data(name, scene, matrix=True, titles=["kernel as it is: cross-correlation"])
    both = replace(scene, weight=scene.weight[:1] + scene.flipped().weight[:1], bias=scene.bias[:1] * 2)
    return convolution_data(
        name, both, matrix=True, titles=["as it is: cross-correlation", "turned by 180°: convolution"]
    )
