"""The part that is open: its numbers, and the ways to the other pages."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnn_explorer.classics.folding import Step
from cnn_explorer.classics.graph import EVERYTHING, Graph, GraphShapes, Node, NodeShape
from cnn_explorer.classics.wording import (
    code_of,
    field_text,
    layer_summary,
    macs_formula,
    parameters_formula,
    size_formula,
    times,
    word_for,
)
from cnn_explorer.numbers.examples import CONV_PRESETS, POOL_PRESETS
from cnn_explorer.numbers.scenes import LIMITS, ClassicScene, ConvScene, LastNumbers, PoolScene
from cnn_explorer.spec.layers import Conv2dSpec, squeeze
from cnn_explorer.spec.limits import excess_of
from cnn_explorer.spec.network import parse
from cnn_explorer.ui import caches, top_bar
from cnn_explorer.ui.classics import kept, state

SIDE = 8  # rows and columns of the small example on a number page; more where the kernel needs them


def details(graph: Graph, shapes: GraphShapes, path: Sequence[Step]) -> None:
    """What one layer computes, with its numbers, and where it can be looked at more closely."""
    if not path or path[-1].inside:
        st.empty()
        return
    place = path[-1].nodes[0]
    node = graph.nodes[place]
    with st.container(border=True):
        st.markdown(f"**{word_for(node.kind)}** `{node.name}` {layer_summary(node)}")
        code = code_of(node)
        if code:
            st.code(code, language="python")
        if place < len(shapes.nodes):
            inputs = [shapes.nodes[source] for source in node.inputs]
            st.markdown("\n".join(f"- {line}" for line in _lines(node, inputs, shapes.nodes[place])))
        _ways(graph, place)


def _lines(node: Node, inputs: Sequence[NodeShape], one: NodeShape) -> list[str]:
    lines = [f"Shape: {' and '.join(times(each.shape) for each in inputs) or 'none'} → **{times(one.shape)}**"]
    if inputs and len(inputs[0].shape) == 3:
        lines += [f"Size: `{line}`" for line in size_formula(node, inputs[0].shape)]
    for name, formula in (("Parameters", parameters_formula(node)), ("Multiply-adds", macs_formula(node, one))):
        if formula:
            lines.append(f"{name}: `{formula}`")
    sees = f"Receptive field: a value sees {field_text(one)} of the picture"
    if one.field.jump != EVERYTHING:
        sees += f"; its neighbour sees a window {one.field.jump[1]} pixels further on"
    return [*lines, f"{sees}."]


# --- to the other pages ---


def _ways(graph: Graph, place: int) -> None:
    node = graph.nodes[place]
    number_page, network = numbers_of(graph, place) or number_page_of(node), own_network_with(node)
    with st.container(horizontal=True, vertical_alignment="center"):
        if number_page and st.button("See it number by number", icon=":material/calculate:"):
            path, query = number_page
            top_bar.request(path, query)
        if network and st.button("The same layer in your own network", icon=":material/draw:"):
            top_bar.request("", {"net": network})
        if node.kind == "Conv2d" and not (number_page and network):
            st.caption(_limits(bool(number_page), bool(network)), width="stretch")


def numbers_of(graph: Graph, place: int, map: int = 0) -> tuple[str, dict[str, str]] | None:
    """Path and query of the number page that shows a convolution's own numbers, at the pixel that is kept, else in the
    middle of a map; None for another layer, and for a network whose weights are not here.
    """
    node = graph.nodes[place]
    if node.kind != "Conv2d" or not kept.has_weights(graph.name):
        return None
    _, height, width = kept.seen_shapes(graph.name).nodes[place].shape
    at = state.pixel() or (map, height // 2, width // 2)
    return "convolution", {"step": "classic", **ClassicScene(graph.name, node.name, state.picture(), at).query()}


def _limits(number_page: bool, network: bool) -> str:
    parts = [] if number_page else [f"The number pages show square kernels up to {LIMITS['kernel_size'][1]} × 7."]
    parts += [] if network else ["The page Draw computes networks at once, and this layer is too large for that."]
    return " ".join(parts)


def number_page_of(node: Node) -> tuple[str, dict[str, str]] | None:
    """Path and query of a number page that shows a small layer with this one's window; None where it is too large.

    A convolution has one channel there. A depthwise one has four, in four groups; a 1 × 1 kernel has three.
    """
    if node.window is None or node.window.ceil_mode:
        return None
    names = ("kernel_size", "stride", "padding", "dilation")
    pairs = {name: getattr(node.window, name) for name in names}
    if any(rows != columns for rows, columns in pairs.values()):
        return None
    values = {name: sides[0] for name, sides in pairs.items()}
    if any(not LIMITS[name][0] <= value <= LIMITS[name][1] for name, value in values.items()):
        return None
    side = max(SIDE, node.window.span[0])
    if node.kind == "Conv2d":
        return "convolution", _conv_query(node, {**values, "height": side, "width": side})
    pool = next(iter(POOL_PRESETS["compare"].values()))
    assert isinstance(pool, PoolScene)
    del values["dilation"]
    scene = LastNumbers().remember(pool).pool(pool, height=side, width=side, **values)
    return "pooling", {"step": "compare", **scene.query()}


def _conv_query(node: Node, values: dict[str, int]) -> dict[str, str]:
    step, channels = "one", {}
    if node.groups > 1:
        step, channels = "groups", {"in_channels": 4, "out_channels": 4, "groups": 4}
    elif node.window and node.window.kernel_size == (1, 1):
        step, channels = "channels", {"in_channels": 3}
    scene = next(iter(CONV_PRESETS[step].values()))
    assert isinstance(scene, ConvScene)
    return {"step": step, **LastNumbers().remember(scene).conv(scene, **values, **channels).query()}


def own_network_with(node: Node) -> str:
    """The architecture string of a small network for digits with this very convolution in it, behind one that makes its
    input channels; "" where it would be too large for the page Draw.
    """
    if node.kind != "Conv2d" or node.window is None or node.channels is None:
        return ""
    window = node.window
    try:
        layer = Conv2dSpec(
            node.channels[1],
            squeeze(window.kernel_size),
            squeeze(window.stride),
            squeeze(window.padding),
            squeeze(window.dilation),
            node.groups,
        )
        network = parse(f"conv{node.channels[0]}k3p1-relu-max2-{layer}-relu-fc10")
    except ValueError:  # more channels, or a larger kernel, than a network of the page may have
        return ""
    shapes = caches.shapes_of(str(network))
    return "" if shapes.error or excess_of(shapes) else str(network)
