"""One value of the network on the pages, number by number: exactly its window, its kernels and its bias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from cnn_explorer.numbers.cutout import Cutout, cut_convolution, cut_pooling
from cnn_explorer.numbers.scenes import NetworkScene
from cnn_explorer.spec.layers import Conv2dSpec, WindowSpec
from cnn_explorer.spec.shapes import LayerShapes
from cnn_explorer.ui import caches, grid_player, own_weights, state, top_bar, visitors, widgets
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.numbers.state import NumberPage

if TYPE_CHECKING:
    from cnn_explorer.weights.load import TrainedNetwork
    from cnn_explorer.weights.trace import Trace

OTHER_WEIGHTS = (
    "The network has other weights now than when this address was made: it was trained since, or its weights were "
    "trained on another server or came from a file. Place and drawing are the same, the numbers are those of the "
    "present weights."
)


@dataclass(frozen=True)
class _Found:
    """The `layer` that a scene names, the `scene` with a place that the layer has, and what had to be changed for that
    (`problem`, "" for nothing).
    """

    layer: LayerShapes
    scene: NetworkScene
    problem: str


def network_step(page: NumberPage, scene: NetworkScene, kind: type[WindowSpec], called: str) -> None:
    """A value of a layer of this `kind`, which a learner calls so: "convolution" or "pooling"."""
    shapes = caches.shapes_of(state.architecture())
    layers = [layer for layer in shapes.layers if isinstance(layer.spec, kind)]
    if not layers:
        st.info(f"The network on the page Draw has no {called}. Add one there, or choose another network.")
        return
    found = _find(layers, scene, called)
    _controls(page, layers, found)
    if not widgets.ready():
        return
    network = _network()
    for problem in (found.problem, OTHER_WEIGHTS if scene.weights not in ("", network.fingerprint) else ""):
        if problem:
            st.warning(plain(problem), icon=":material/info:")
        else:
            st.empty()
    _origin(found, network)
    layer = found.layer
    cutout = cut(network, _trace(network), layer, found.scene)
    source = grid_player.Source(layer.name, found.scene.map, _input_of(layer), layer.formula.split("\n"))
    grid_player.mount(grid_player.cutout_data("network", cutout, source), _about(cutout, found), page.player_key, 0)


def _find(layers: list[LayerShapes], scene: NetworkScene, called: str) -> _Found:
    by_name = {layer.name: layer for layer in layers}
    layer = by_name.get(scene.layer, layers[0])
    maps, height, width = layer.output_shape
    if scene.layer not in by_name:
        middle = NetworkScene(layer.name, 0, height // 2, width // 2)
        missing = f"This network has no {called} named {scene.layer}, so here is {layer.name}." if scene.layer else ""
        return _Found(layer, middle, missing)
    inside = replace(
        scene, map=min(scene.map, maps - 1), row=min(scene.row, height - 1), column=min(scene.column, width - 1)
    )
    problem = ""
    if inside != scene:
        problem = (
            f"{layer.name} has {maps} maps of {height}×{width} values: map {scene.map + 1}, row {scene.row}, column "
            f"{scene.column} is outside, so here is the nearest one."
        )
    return _Found(layer, inside, problem)


def _controls(page: NumberPage, layers: list[LayerShapes], found: _Found) -> None:
    """The place, to be changed in place."""
    scene, (maps, height, width) = found.scene, found.layer.output_shape

    def go(there: NetworkScene) -> None:
        page.show(replace(there, weights=_network().fingerprint))

    def choose(name: str | None) -> None:
        layer = next(layer for layer in layers if layer.name == name)
        _, rows, columns = layer.output_shape
        go(NetworkScene(layer.name, 0, rows // 2, columns // 2))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        names = [layer.name for layer in layers]
        st.selectbox("Layer", width=140, **chosen(page.key("layer"), found.layer.name, names, choose))
        numbers: list[tuple[str, int, int, int, Callable[[int], None]]] = [
            ("map", 1, maps, scene.map + 1, lambda value: go(replace(scene, map=value - 1))),
            ("row", 0, height - 1, scene.row, lambda value: go(replace(scene, row=value))),
            ("column", 0, width - 1, scene.column, lambda value: go(replace(scene, column=value))),
        ]
        for name, low, high, value, act in numbers:
            widget = controlled(page.key(f"network_{name}"), value, act)
            st.number_input(name, low, high, width=widgets.NUMBER_WIDTH, **widget)
        if st.button("Back to this pixel", icon=":material/arrow_back:", key=page.key("back")):
            view = f"map.{scene.layer}.{scene.map}.{scene.row}.{scene.column}.pinned"
            top_bar.request("", {"view": view})  # the page Draw, with the same map open


def _network() -> TrainedNetwork:
    """The network with the weights that this visitor has seen it with last."""
    net = state.architecture()
    mine = own_weights.own()
    return (
        mine or caches.scheduler().trained_quickly(visitors.visitor(), caches.shapes_of(net)) or caches.network_of(net)
    )


def _trace(network: TrainedNetwork) -> Trace:
    from cnn_explorer.weights.trace import trace_activations

    return trace_activations(network.module, state.drawing().preprocess().image)


def _input_of(layer: LayerShapes) -> str:
    """Name of the layer whose output a layer reads, "image" for the first one."""
    names = [each.name for each in caches.shapes_of(state.architecture()).layers]
    at = names.index(layer.name)
    return names[at - 1] if at else "image"


def cut(network: TrainedNetwork, trace: Trace, layer: LayerShapes, scene: NetworkScene) -> Cutout:
    """The numbers around a value, as PyTorch computes with them."""
    outputs = {activation.name: activation.values.numpy() for activation in trace.activations}
    before = _input_of(layer)
    x = trace.normalized.numpy() if before == "image" else outputs[before]
    output, spec = outputs[layer.name], layer.spec
    assert isinstance(spec, WindowSpec)
    if not isinstance(spec, Conv2dSpec):
        return cut_pooling(spec, x, output, scene.place)
    weights = network.module.state_dict()
    weight, bias = (weights[f"{layer.name}.{name}"].numpy() for name in ("weight", "bias"))
    return cut_convolution(spec, spec.groups, x, weight, bias, output, scene.place)


def _origin(found: _Found, network: TrainedNetwork) -> None:
    """Say where the numbers come from."""
    scene, name = found.scene, found.layer.name
    st.caption(
        f"From your network, on your drawing: {name}, map {scene.map + 1} of {found.layer.output_shape[0]}, pixel "
        f"({scene.row}, {scene.column}). {plain(network.label.sentence)}"
    )


def _about(cutout: Cutout, found: _Found) -> str:
    parts = ["The numbers are PyTorch's float32 values: short in the cells, whole in the sum."]
    if found.layer.name.startswith("conv") and _input_of(found.layer) == "image":
        from cnn_explorer.weights.builder import MNIST_MEAN, MNIST_STD

        low, high = -MNIST_MEAN / MNIST_STD, (1 - MNIST_MEAN) / MNIST_STD
        parts.append(f"The image's pixels are normalized: 0 becomes −{-low:.4f}, 1 becomes {high:.4f}.")
    if cutout.left_out:
        parts.append(f"Shown are the {len(cutout.channels)} input channels that add most; the sum has all.")
    return " ".join(parts)
