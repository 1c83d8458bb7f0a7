"""Widgets for a network, by torch's parameter names. Each shows the network as it is and changes it at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import streamlit as st
from PIL import Image, UnidentifiedImageError

from cnn_explorer.blocks import MAX_BLOCKS, MAX_HIDDEN, Block, Blocks, repairs, split
from cnn_explorer.drawing import drawing_from_pixels
from cnn_explorer.layers import MAX_CHANNELS, MAX_EXTENT, MAX_FEATURES, ActivationKind, IntOrPair, LinearSpec, PoolKind, Shape, WindowSpec
from cnn_explorer.network import MAX_LAYERS, PRESETS, NetworkSpec, parse
from cnn_explorer.preprocessing import preprocess_picture
from cnn_explorer.shapes import NetworkShapes
from cnn_explorer.ui import state

NUMBER_WIDTH, CHOICE_WIDTH, NAME_WIDTH = 108, 108, 52  # pixels; a narrower number loses its − and + buttons
MAX_PIXELS = 25_000_000  # of an uploaded picture
TEXT_ERROR = "architecture_error"  # session key: what was typed and why it is no network
UPLOAD_ERROR = "upload_error"


# --- the top row ---


def preset_choice(spec: NetworkSpec) -> None:
    """A choice of well-known networks."""
    names = {str(preset): name for name, preset in PRESETS.items()}
    st.session_state["preset"] = names.get(str(spec))
    st.selectbox(
        "Network",
        list(PRESETS),
        key="preset",
        placeholder="Your own network",
        on_change=lambda: _choose(st.session_state["preset"]),
        label_visibility="collapsed",
        width=250,
    )


def _choose(name: str | None) -> None:
    if name:
        _show(PRESETS[name])


def architecture_text(spec: NetworkSpec) -> None:
    """The network as one line of text, to read, edit and copy."""
    typed, error = st.session_state.get(TEXT_ERROR, (str(spec), ""))
    st.session_state["architecture"] = typed
    st.text_input(
        "Architecture",
        key="architecture",
        on_change=_read_architecture,
        label_visibility="collapsed",
        help="One word a layer: conv10k5s1p0, max2, avg2, relu, bn, drop50, fc10 …",
    )
    if error:
        st.error(error, icon=":material/edit:")


def _read_architecture() -> None:
    text = st.session_state["architecture"]
    try:
        _show(parse(text))
    except ValueError as problem:
        st.session_state[TEXT_ERROR] = (text, f"This is not a network yet: {problem}.")


def _show(spec: NetworkSpec) -> None:
    st.session_state.pop(TEXT_ERROR, None)
    state.set_network(spec)


def picture_popover() -> None:
    """Upload a picture of a digit."""
    with st.popover("Upload a picture", icon=":material/upload:"):
        st.file_uploader(
            "A picture of one digit, light on dark or dark on light",
            type=["png", "jpg", "jpeg", "webp", "gif", "bmp"],
            key="upload",
            on_change=_read_upload,
            width=320,
        )
        if st.session_state.get(UPLOAD_ERROR):
            st.error(st.session_state[UPLOAD_ERROR])


def _read_upload() -> None:
    st.session_state.pop(UPLOAD_ERROR, None)
    file = st.session_state["upload"]
    if file is None:
        return
    try:
        with Image.open(file) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f"it has {picture.width}×{picture.height} pixels, more than {MAX_PIXELS:,}; make it smaller")
            seen = preprocess_picture(picture)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError):
        st.session_state[UPLOAD_ERROR] = f"{file.name} is not a picture that can be read. A PNG or JPEG file can."
    except ValueError as problem:
        st.session_state[UPLOAD_ERROR] = f"{file.name} cannot be used: {problem}."
    else:
        if seen.is_empty:
            st.session_state[UPLOAD_ERROR] = f"{file.name} shows no writing: ink and ground are too much alike. Try more contrast."
        else:
            state.set_drawing(drawing_from_pixels(seen.pixels))


# --- when the geometry breaks ---


def repair_offer(shapes: NetworkShapes) -> None:
    """Say why the network breaks and offer the nearest ones that work."""
    if shapes.error is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/construction: **{shapes.error.layer}**: {shapes.error.problem}; {shapes.error.remedy}.", width="stretch")
        last = state.last_valid_network()
        offers = (*repairs(shapes.spec, shapes.error), *([("back to the network before", last)] if last else []))
        for number, (label, spec) in enumerate(offers):
            st.button(label, key=f"repair_{number}", type="primary" if number == 0 else "secondary", on_click=_show, args=(spec,))


# --- blocks ---


@dataclass(frozen=True)
class _Row:
    """One row of widgets: keys start with `key`, every change becomes a network through `spec_of`."""

    key: str
    spec_of: Callable[[Any], NetworkSpec]

    def number(self, label: str, value: int, low: int, high: int, edit: Callable[[int], Any]) -> None:
        """A whole number."""
        key = f"{self.key}_{label}"
        st.session_state[key] = value
        st.number_input(label, low, max(high, value), key=key, width=NUMBER_WIDTH, on_change=self._changed, args=(key, edit))

    def window(self, label: str, value: IntOrPair, low: int, high: tuple[int, int], edit: Callable[[IntOrPair], Any]) -> None:
        """A parameter of a window: one number, or two where height and width differ."""
        if not isinstance(value, tuple):
            self.number(label, value, low, min(high), edit)
            return
        height, width = value
        self.number(f"{label} H", height, low, high[0], lambda new: edit((new, width)))
        self.number(f"{label} W", width, low, high[1], lambda new: edit((height, new)))

    def choice(self, label: str, value: str | None, options: tuple[str, ...], edit: Callable[[Any], Any]) -> None:
        """One of a few words, or none."""
        key = f"{self.key}_{label}"
        st.session_state[key] = value or "none"
        st.selectbox(
            label,
            ["none", *options],
            key=key,
            width=CHOICE_WIDTH,
            on_change=self._changed,
            args=(key, lambda new: edit(None if new == "none" else new)),
        )

    def button(self, icon: str, name: str, edit: Callable[[], Any], *, disabled: bool = False) -> None:
        """An action."""
        st.button(
            f":material/{icon}:", key=f"{self.key}_{name}", help=name, disabled=disabled, on_click=lambda: _show(self.spec_of(edit()))
        )

    def _changed(self, key: str, edit: Callable[[Any], Any]) -> None:
        try:
            spec = self.spec_of(edit(st.session_state[key]))
        except ValueError as problem:
            st.toast(f"Not possible: {problem}.", icon=":material/block:")
            return
        _show(spec)


def block_rows(shapes: NetworkShapes) -> None:
    """A row a block: the convolution's parameters, its activation, its pooling; then the linear layers."""
    parts = split(shapes.spec)
    inputs = {id(layer.spec): layer.input_shape for layer in shapes.layers}
    if shapes.error:
        broken = [layer for _, layer in shapes.spec.named_layers()][shapes.error.index]
        inputs[id(broken)] = shapes.output_shape
    for index, block in enumerate(parts.blocks):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
            _block_row(parts, index, block, inputs)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        _head_row(parts, len(shapes.spec.layers))


def _block_row(parts: Blocks, index: int, block: Block, inputs: dict[int, Shape]) -> None:
    row = _Row(f"block{index + 1}", lambda changed: parts.with_block(index, changed).spec())
    conv, pool = block.conv, block.pool
    st.markdown(f"**conv{index + 1}**", width=NAME_WIDTH)
    row.number("out_channels", conv.out_channels, 1, MAX_CHANNELS, lambda new: block.with_conv(out_channels=new))
    room = _room(conv, inputs.get(id(conv)))
    row.window("kernel_size", conv.kernel_size, 1, room["kernel_size"], lambda new: block.with_conv(kernel_size=new))
    row.window("stride", conv.stride, 1, room["stride"], lambda new: block.with_conv(stride=new))
    row.window("padding", conv.padding, 0, (MAX_EXTENT, MAX_EXTENT), lambda new: block.with_conv(padding=new))
    row.window("dilation", conv.dilation, 1, room["dilation"], lambda new: block.with_conv(dilation=new))
    row.choice("pooling", pool.kind if pool else None, get_args(PoolKind), lambda new: block.with_pool(new))
    if pool:
        room = _room(pool, inputs.get(id(pool)))
        row.window("pool size", pool.kernel_size, 1, room["kernel_size"], lambda new: block.with_pool(pool.kind, kernel_size=new))
        row.window("pool stride", pool.stride, 1, room["stride"], lambda new: block.with_pool(pool.kind, stride=new))
    activation = block.activation
    row.choice("activation", activation.kind if activation else None, get_args(ActivationKind), lambda new: block.with_activation(new))
    others = [str(layer) for layer in block.layers[1:] if layer is not pool and layer is not activation]
    if others:
        st.markdown(f"and {', '.join(others)}", width="content")
    edits = _Row(f"block{index + 1}", Blocks.spec)
    edits.button("arrow_upward", f"Move block {index + 1} up", lambda: parts.with_block_moved_up(index), disabled=index == 0)
    alone = len(parts.blocks) == 1 and not parts.head
    edits.button("delete", f"Remove block {index + 1}", lambda: parts.without_block(index), disabled=alone)


def _room(layer: WindowSpec, shape: Shape | None) -> dict[str, tuple[int, int]]:
    """The largest values that fit the layer's input, height and width; torch's own limits where the input is not known."""
    if shape is None or len(shape) != 3:
        return dict.fromkeys(("kernel_size", "stride", "dilation"), (MAX_EXTENT, MAX_EXTENT))
    kernel, _, padding, dilation = layer.window()
    padded = (shape[1] + 2 * padding[0], shape[2] + 2 * padding[1])

    def limited(values: list[int]) -> tuple[int, int]:
        height, width = (max(1, min(MAX_EXTENT, value)) for value in values)
        return height, width

    return {
        "kernel_size": limited([(padded[axis] - 1) // dilation[axis] + 1 for axis in (0, 1)]),
        "stride": limited(list(padded)),
        "dilation": limited([(padded[axis] - 1) // max(1, kernel[axis] - 1) for axis in (0, 1)]),
    }


def _head_row(parts: Blocks, layers: int) -> None:
    row = _Row("linear", Blocks.spec)
    st.markdown("**linear**", width=NAME_WIDTH)
    has_answer = any(isinstance(layer, LinearSpec) for layer in parts.head)
    for number, features in enumerate(parts.hidden):
        row.number(f"fc{number + 1} out_features", features, 1, MAX_FEATURES, _hidden_edit(parts, number))
    if has_answer:
        full = len(parts.hidden) == MAX_HIDDEN or layers + 2 > MAX_LAYERS
        row.button("add", "Add a linear layer", parts.with_new_hidden, disabled=full)
        row.button("remove", "Remove the last hidden linear layer", parts.without_last_hidden, disabled=not parts.hidden)
    else:
        st.button(
            "Add fc10: ten outputs, one a digit",
            key="add_fc10",
            on_click=lambda: _show(parse(f"{parts.spec()}-fc10")),
            disabled=layers + 1 > MAX_LAYERS,
        )
    st.button(
        "Add a block",
        icon=":material/add:",
        key="add_block",
        on_click=lambda: _show(parts.with_new_block().spec()),
        disabled=len(parts.blocks) >= MAX_BLOCKS or layers + 2 > MAX_LAYERS,
    )


def _hidden_edit(parts: Blocks, number: int) -> Callable[[int], Blocks]:
    return lambda features: parts.with_hidden(number, features)
