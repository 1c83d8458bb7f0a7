"""Widgets for a network, by torch's parameter names. Each shows the network as it is and changes it at once.

Everything has a place of its own, held by `st.empty` where there is nothing to show. So what comes and goes moves
nothing, and the browser builds nothing anew. Streamlit would also leave a widget on screen that a run has not shown
again, where the next run is waiting already, as it may with every stroke.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args

import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from cnn_explorer.digits.drawing import drawing_from_pixels
from cnn_explorer.digits.preprocessing import preprocess_picture
from cnn_explorer.spec.blocks import MAX_BLOCKS, MAX_HIDDEN, Block, Blocks, one_value_apart, split
from cnn_explorer.spec.layers import (
    MAX_CHANNELS,
    MAX_EXTENT,
    MAX_FEATURES,
    ActivationKind,
    IntOrPair,
    LayerSpec,
    LinearSpec,
    Pair,
    PoolKind,
    Shape,
    WindowSpec,
)
from cnn_explorer.spec.near_misses import near_miss
from cnn_explorer.spec.network import LECTURE_HELP, MAX_LAYERS, NetworkSpec, parse
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.text import quoted
from cnn_explorer.ui import caches, events, own_weights, state
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.draw.code import code_switch
from cnn_explorer.ui.draw.live import LIVE, stages
from cnn_explorer.ui.loading import torch_loading
from cnn_explorer.ui.markdown import plain, sentence
from cnn_explorer.ui.session import remembered
from cnn_explorer.ui.uploads import picture_uploader, upload_error
from cnn_explorer.ui.widgets import NUMBER_WIDTH, preset_choice, show_notices, then_page

TOP = "top"  # key of the fragment with the top row
GROUP = "group_"  # in the keys of groups of widgets, before their names
HELP = {  # what a knob is for, and what to watch; the first whose name is in the knob's label counts
    "out_channels": "How many feature maps come out, each with its own kernels: watch the parameters grow with them.",
    "pool kernel_size": "Rows and columns of the window that becomes one number: watch how much coarser the maps get.",
    "pool stride": "How far the pooling window moves on each time: watch its positions, and what it leaves out.",
    "kernel_size": "Rows and columns of the window that slides over the input, and sees more at once the larger it is: "
    "watch the map lose its edge.",
    "stride": "How far the window moves from one value to the next: watch its positions, dotted on the maps before.",
    "padding": "Rows and columns of zeros around the input, so that the window can stand on its edge: watch the map "
    "stay as large as its input at half of the kernel.",
    "dilation": "Distance between the cells of the window, which sees farther with as many weights: watch the gaps.",
    "out_features": "How many values come out, each a weighted sum of all that go in: watch the parameters.",
    "pooling": "Makes one number of each window, the largest or the average: watch the maps shrink and calm down.",
    "activation": "Bends every value by itself; without it, two layers do no more than one: watch what becomes zero.",
}
LIMITS = {
    "out_channels": "each is computed with every stroke",
    "kernel_size": "the window must fit into its input. Add padding for more",
    "stride": "a longer step leaves the input. Stride or pool less before for more",
    "padding": "as wide as the drawing itself. Take less",
    "dilation": "the window must fit into its input. Take a smaller kernel for more",
    "out_features": "each is computed with every stroke",
}
ARCHITECTURE_HELP = (
    "One word a layer, between hyphens or blanks: conv8k5x3s2p1d1g1 (out_channels, kernel_size, stride, padding, "
    "dilation, groups), max2 or avg3s2p1, relu, tanh, sigmoid, leakyrelu, gelu, bn, drop50, flatten, fc10."
)
UPLOAD = "upload"


@dataclass
class _Rejected:
    """The `text` that was typed and is no network, the `error` in it ("" for none), what is probably `meant`, and the
    network shown meanwhile.
    """

    text: str = ""
    error: str = ""
    meant: NetworkSpec | None = None
    net: str = ""


# --- the top row ---


@st.fragment(key=TOP)
@guarded(stop=True)  # else Streamlit would forget an uploaded file that it has not come to
def top_row() -> None:
    """The network by its name and as a line of text, what else there is to choose, and what could not be read."""
    spec = parse(state.architecture())
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="top_row"):
        _about_presets()
        preset_choice(spec, show)
        typing_error = _architecture_text(spec)
        _picture_popover()
        stages()
        code_switch()
        _own_weights_button()
    _notices(typing_error)


def _notices(typing_error: str) -> None:
    """What could not be read: what was typed, what the page's address says."""
    meant = remembered(_Rejected).meant
    if typing_error:
        st.error(typing_error, icon=":material/edit:")
    else:
        st.empty()
    if typing_error and meant:
        use = f"Use {meant}"
        st.button(use, key="use_meant", icon=":material/build:", on_click=then_page(show), args=(meant,))
    else:
        st.empty()
    show_notices(state.FIRST_PAGE.notices())


def _architecture_text(spec: NetworkSpec) -> str:
    """The network as one line of text, to read, edit and copy. Returns what is wrong with the typed text, or ""."""
    rejected = remembered(_Rejected)
    if rejected.net != str(spec):  # the network has changed by other means since
        rejected.error = ""
    typed = rejected.text if rejected.error else str(spec)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="architecture_row"):
        st.markdown("Architecture", width="content", help=ARCHITECTURE_HELP)
        st.text_input(
            "Architecture",
            max_chars=400,
            label_visibility="collapsed",
            **controlled("architecture", typed, then_page(_read_architecture)),
        )
    return rejected.error


def _read_architecture(text: str) -> None:
    try:
        show(parse(text))
    except ValueError as problem:
        events.refusal("network")
        rejected = remembered(_Rejected)
        rejected.text, rejected.net = text, state.architecture()
        miss = near_miss(text)
        rejected.meant = miss.spec if miss else None
        wrong = ", ".join(_correction(*pair) for pair in dict.fromkeys(miss.corrected)) if miss else plain(problem)
        rejected.error = f"Not yet a network for this page: {wrong}."


def _correction(written: str, meant: str) -> str:
    return f"{quoted(written)} is written {quoted(meant)} here" if meant else f"the page does without {quoted(written)}"


def show(spec: NetworkSpec) -> None:
    """Show another network."""
    state.set_network(spec)
    remembered(_Rejected).error = ""


def _about_presets() -> None:
    """What the list of networks takes its names from."""
    st.markdown("Network", width="content", help=LECTURE_HELP)


def _picture_popover() -> None:
    """Upload a picture of a digit."""
    with st.popover("Upload a picture", icon=":material/upload:"):
        picture_uploader("A picture of one digit, light on dark or dark on light", UPLOAD, _draw, then_page)
        if upload_error(UPLOAD):
            st.error(upload_error(UPLOAD))
        else:
            st.empty()


def _draw(picture: Image.Image) -> str:
    seen = preprocess_picture(picture)
    if seen.is_empty:
        return "shows no writing: ink and ground are too much alike. Try more contrast."
    state.set_drawing(drawing_from_pixels(seen.pixels))
    return ""


def _own_weights_button() -> None:
    """Back from the visitor's own weights to those that come with the package."""
    if torch_loading().ready and own_weights.own():
        st.button(
            "Back to the shipped weights",
            icon=":material/undo:",
            key="forget_weights",
            on_click=then_page(own_weights.forget),
        )
    else:
        st.empty()


# --- blocks ---


@dataclass
class _Places:
    """Numbers of blocks and hidden layers that the page keeps elements for. They never shrink: an empty element then
    takes the place of a group that is removed. Elements for all that an address can name would be half of what a
    changed setting sends.

    `net` is the network that the groups show, "" while they are sent.
    """

    blocks: int = MAX_BLOCKS
    hidden: int = MAX_HIDDEN
    net: str = ""


Edit = Callable[[Blocks, Any], Blocks]  # the network as it is when the visitor acts, and the new value


def _edit(edit: Callable[[Blocks], Blocks]) -> None:
    """Change the network as it is now: it may have changed since the page was drawn. Say why if that cannot be.

    Where only the value has changed that the visitor has just chosen, all groups of widgets are right as they are. Then
    the fragments beside them run, and the groups are not sent again. The code belongs to neither fragment.
    """
    before, places = parse(state.architecture()), remembered(_Places)
    try:
        with suppress(IndexError):  # the part is gone
            show(edit(split(before)).spec())
    except ValueError as problem:
        events.refusal("network")
        st.toast(sentence(problem), icon=":material/block:", duration="long")
    now = parse(state.architecture())
    if places.net == str(before) and one_value_apart(before, now) and not state.code():
        places.net = str(now)
        st.rerun([TOP, LIVE])


_edit_page = then_page(_edit)


def _number(key: str, label: str, value: int, low: int, high: int | Callable[[], int], edit: Edit) -> None:
    """A whole number. `high` is a function where the bound depends on the rest of the network. The browser does not
    know the bounds: it would refuse a number beyond them without a word.
    """

    def changed(new: int) -> None:
        most = high if isinstance(high, int) else high()
        if low <= new <= most:
            _edit(lambda now: edit(now, new))
        else:
            limit = f"at least {low}" if new < low else f"at most {most:,} here: {_of(LIMITS, label)}"
            st.toast(f"{label} is {limit}.", icon=":material/block:", duration="long")

    widget = controlled(f"{key}_{label}", value, then_page(changed))
    bounds = f"{low} to {high}" if isinstance(high, int) else f"{low} to {MAX_EXTENT}, as far as the input allows"
    st.number_input(label, width=NUMBER_WIDTH, help=f"{_of(HELP, label)} {bounds}.", **widget)


def _of(texts: Mapping[str, str], label: str) -> str:
    """The text for the parameter that a label names."""
    return next(text for parameter, text in texts.items() if parameter in label)


def _window(key: str, label: str, value: IntOrPair, low: int, high: int | Callable[[], Pair], edit: Edit) -> None:
    """A parameter of a window: one number, or two where height and width differ."""

    def bound(of: Callable[[Pair], int]) -> int | Callable[[], int]:
        return high if isinstance(high, int) else lambda: of(high())

    if not isinstance(value, tuple):
        _number(key, label, value, low, bound(min), edit)
        st.empty()
        return
    height, width = value
    _number(key, f"{label} H", height, low, bound(lambda pair: pair[0]), lambda now, new: edit(now, (new, width)))
    _number(key, f"{label} W", width, low, bound(lambda pair: pair[1]), lambda now, new: edit(now, (height, new)))


def _choice(key: str, label: str, value: str | None, options: tuple[str, ...], edit: Edit) -> None:
    """One of a few words, or none."""

    def changed(new: str) -> None:
        _edit(lambda now: edit(now, None if new == "none" else new))

    widget = chosen(f"{key}_{label}", value or "none", ["none", *options], then_page(changed))
    st.selectbox(label, width=NUMBER_WIDTH, help=_of(HELP, label), **widget)


def _button(key: str, icon: str, name: str, edit: Callable[[Blocks], Blocks], *, disabled: bool = False) -> None:
    """An action, of which the icon is shown and the name is read."""
    st.button(
        name,
        icon=f":material/{icon}:",
        key=f"icon_{key}_{name}",
        help=name,
        disabled=disabled,
        on_click=_edit_page,
        args=(edit,),
    )


def block_groups() -> None:
    """A group of widgets for each block, in the order of the blocks' columns, then one for the linear layers.

    A group keeps its place while its settings change: the − and + under the pointer stay there. The browser gives each
    group its name and its place by its key (`network_view/assets/knobs.js`).
    """
    spec, places = parse(state.architecture()), remembered(_Places)
    parts, places.net = split(spec), ""
    if parts.stem:
        then = "then the blocks" if parts.blocks else "then"
        st.markdown(f"First {', '.join(map(str, parts.stem))}, {then}:")
    else:
        st.empty()
    places.blocks, places.hidden = max(places.blocks, len(parts.blocks)), max(places.hidden, len(parts.hidden))
    with st.container(horizontal=True, gap="small", key="controls"):
        for index in range(places.blocks):
            if index >= len(parts.blocks):
                st.empty()
                continue
            with st.container(gap="xxsmall", key=f"{GROUP}conv{index + 1}"):
                _block_group(parts, index)
        with st.container(gap="xxsmall", key=f"{GROUP}linear"):
            _linear_group(parts, len(spec.layers), places.hidden)
    places.net = str(spec)


def _block_group(parts: Blocks, index: int) -> None:
    key, block, number = f"block{index + 1}", parts.blocks[index], index + 1
    conv, pool, activation = block.conv, block.pool, block.activation

    def of_block(change: Callable[[Block, Any], Block]) -> Edit:
        return lambda now, new: now.with_block(index, change(now.blocks[index], new))

    def of_conv(name: str) -> Edit:
        return of_block(lambda block, new: block.with_conv(**{name: new}))

    def of_pool(name: str) -> Edit:
        return of_block(lambda block, new: block.with_pool(block.pool.kind, **{name: new}) if block.pool else block)

    def room(name: str, layer: Callable[[Block], WindowSpec | None]) -> Callable[[], Pair]:
        return lambda: _room(index, layer, name)

    with _row():
        st.markdown(f"**conv{number}**", width="content")
        first = index == 0
        _button(
            key, "arrow_upward", f"Move block {number} up", lambda now: now.with_block_moved_up(index), disabled=first
        )
        alone = len(parts.blocks) == 1 and not parts.head and not parts.stem
        _button(key, "delete", f"Remove block {number}", lambda now: now.without_block(index), disabled=alone)
        others = [str(layer) for layer in block.layers[1:] if layer is not pool and layer is not activation]
        if others:
            st.markdown(f"and {', '.join(others)}", width="content")
        else:
            st.empty()
    with _row():
        _number(key, "out_channels", conv.out_channels, 1, MAX_CHANNELS, of_conv("out_channels"))
        for name in ("kernel_size", "stride"):
            _window(key, name, getattr(conv, name), 1, room(name, lambda block: block.conv), of_conv(name))
        _window(key, "padding", conv.padding, 0, MAX_EXTENT, of_conv("padding"))
        _window(key, "dilation", conv.dilation, 1, room("dilation", lambda block: block.conv), of_conv("dilation"))
        _choice(key, "pooling", pool.kind if pool else None, get_args(PoolKind), of_block(Block.with_pool))
        if pool:
            for name in ("kernel_size", "stride"):
                high = room(name, lambda block: block.pool)
                _window(key, f"pool {name}", getattr(pool, name), 1, high, of_pool(name))
        else:
            _nothing(4)
        kind = activation.kind if activation else None
        _choice(key, "activation", kind, get_args(ActivationKind), of_block(Block.with_activation))


def _row() -> DeltaGenerator:
    """Widgets side by side, which wrap where the room ends."""
    return st.container(horizontal=True, vertical_alignment="center", gap="xxsmall")


def _room(index: int, layer: Callable[[Block], WindowSpec | None], name: str) -> Pair:
    """The largest values of a parameter, height and width, that fit the input of a block's `layer` in the present
    network, or the present ones if these are larger; torch's own limits where the input is not known.
    """
    shapes = caches.shapes_of(state.architecture())
    blocks = split(shapes.spec).blocks
    window = layer(blocks[index]) if index < len(blocks) else None
    shape = _input_of(window, shapes) if window else None
    if window is None or shape is None or len(shape) != 3:
        return MAX_EXTENT, MAX_EXTENT
    kernel, stride, padding, dilation = window.window()
    present = {"kernel_size": kernel, "stride": stride, "dilation": dilation}[name]

    def along(axis: int) -> int:
        padded = shape[axis + 1] + 2 * padding[axis]
        most = {
            "kernel_size": (padded - 1) // dilation[axis] + 1,
            "stride": padded,
            "dilation": (padded - 1) // max(1, kernel[axis] - 1),
        }
        return max(present[axis], min(MAX_EXTENT, most[name]))

    return along(0), along(1)


def _input_of(layer: LayerSpec, shapes: NetworkShapes) -> Shape | None:
    """The shape that goes into a layer, also into the first one that it does not fit; None behind that one."""
    inputs = {id(each.spec): each.input_shape for each in shapes.layers}
    if shapes.error:
        broken = [each for _, each in shapes.spec.named_layers()][shapes.error.index]
        inputs[id(broken)] = shapes.output_shape
    return inputs.get(id(layer))


def _linear_group(parts: Blocks, layers: int, places: int) -> None:
    hidden = len(parts.hidden)
    with _row():
        st.markdown("**linear**", width="content")
        if any(isinstance(layer, LinearSpec) for layer in parts.head):
            full = hidden == MAX_HIDDEN or layers + 2 > MAX_LAYERS
            _button("linear", "add", "Add a linear layer", Blocks.with_new_hidden, disabled=full)
            remove = "Remove the last hidden linear layer"
            _button("linear", "remove", remove, Blocks.without_last_hidden, disabled=not hidden)
        else:
            _nothing(2)
        between = dict.fromkeys(str(layer) for layer in parts.head if not isinstance(layer, LinearSpec))
        if between:
            st.markdown(f"with {', '.join(between)}", width="content")
        else:
            st.empty()
    with _row():
        for number, features in enumerate(parts.hidden):
            _number("linear", f"fc{number + 1} out_features", features, 1, MAX_FEATURES, _hidden_edit(number))
        _nothing(places - hidden)
        if any(isinstance(layer, LinearSpec) for layer in parts.head):
            st.empty()
        else:
            st.button(
                "Add fc10: ten outputs, one a digit",
                key="add_fc10",
                on_click=_edit_page,
                args=(Blocks.with_answer,),
                disabled=layers + 1 > MAX_LAYERS,
            )
        full = len(parts.blocks) >= MAX_BLOCKS or layers + 2 > MAX_LAYERS
        why = f"{MAX_BLOCKS} blocks, or {MAX_LAYERS} layers, are the most that this page shows" if full else None
        st.button(
            "Add a block",
            icon=":material/add:",
            key="add_block",
            help=why,
            on_click=_edit_page,
            args=(Blocks.with_new_block,),
            disabled=full,
        )


def _nothing(places: int) -> None:
    for _ in range(places):
        st.empty()


def _hidden_edit(number: int) -> Edit:
    return lambda now, features: now.with_hidden(number, features)
