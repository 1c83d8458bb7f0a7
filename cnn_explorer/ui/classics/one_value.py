"""One value of a classic network's convolution, number by number: its window, its kernels and its bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from cnn_explorer.classics.catalogue import FIRST, NETWORKS
from cnn_explorer.classics.folding import Step, layers
from cnn_explorer.classics.photographs import PHOTOGRAPHS
from cnn_explorer.classics.wording import size_formula, times
from cnn_explorer.numbers.cutout import Cutout
from cnn_explorer.numbers.scenes import ClassicScene
from cnn_explorer.ui import grid_player, top_bar, widgets
from cnn_explorer.ui.classics import kept, state
from cnn_explorer.ui.classics.later import later
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.numbers.state import NumberPage

ABOUT = "The numbers are PyTorch's float32 values: short in the cells, whole in the sum."


@dataclass(frozen=True)
class _Found:
    """What a scene names, as far as there is such a thing: the `network`, the `step` that draws the layer, the
    `picture`, the value's `at`, and a `problem` for what had to be changed for that, "" for nothing.
    """

    network: str
    step: Step
    picture: str
    at: tuple[int, int, int]
    problem: str

    @property
    def place(self) -> int:
        """Of the layer in the network's graph."""
        return self.step.nodes[0]


def classic_step(page: NumberPage, scene: ClassicScene) -> None:
    """A value of a convolution in a classic network."""
    found = _find(scene)
    _controls(page, found)
    if found.problem:
        st.warning(plain(found.problem), icon=":material/info:")
    else:
        st.empty()
    name, title = found.network, NETWORKS[found.network].title
    if not kept.has_weights(name):
        st.info(f"The weights of {title} are not on this server. The page Classic networks can fetch them.")
        return
    node = kept.folded(name).graph.nodes[found.place]
    shape = kept.seen_shapes(name).nodes[found.place].shape
    picture = PHOTOGRAPHS[found.picture].title if found.picture in PHOTOGRAPHS else "Your own picture"
    channel, row, column = found.at
    st.caption(
        f"{title} with its trained weights, on a picture: {plain(picture)}. Layer {plain(node.name)}, map {channel} of "
        f"{times(shape)} values, pixel ({row}, {column}). Maps count from 0 here."
    )
    file = state.file_of(found.picture)
    later(
        lambda: kept.cut_out(name, file, found.place, found.at),
        lambda cutout: _show(page, found, cutout),
        "Computing this layer's numbers.",
    )


def _find(scene: ClassicScene) -> _Found:
    problems: list[str] = []
    name = scene.network or FIRST
    if name not in NETWORKS:
        problems.append(f"There is no network named {name}, so here is {NETWORKS[FIRST].title}.")
        name = FIRST
    steps = _convolutions(name)
    layer = scene.layer if not problems else ""
    if layer and layer not in steps:
        problems.append(f"{NETWORKS[name].title} has no convolution {layer} that is drawn, so here is the first one.")
    step = steps.get(layer, next(iter(steps.values())))
    picture = scene.picture or next(iter(PHOTOGRAPHS))
    if not state.has_picture(picture):
        problems.append(f"There is no picture {picture} here, so here is another. One of one's own is in no link.")
        picture = next(iter(PHOTOGRAPHS))
    shape = kept.seen_shapes(name).nodes[step.nodes[0]].shape
    middle = 0, shape[1] // 2, shape[2] // 2
    wanted = scene.place if scene.place and layer in ("", *steps) else middle
    channel, row, column = (min(at, side - 1) for at, side in zip(wanted, shape, strict=True))
    if (channel, row, column) != wanted:
        problems.append(f"The layer has {times(shape)} values, and none at {wanted}, so here is the nearest one.")
    return _Found(name, step, picture, (channel, row, column), " ".join(problems))


def _convolutions(name: str) -> Mapping[str, Step]:
    """The steps of the convolutions that are drawn, by torch's names."""
    network = kept.folded(name)
    nodes = network.graph.nodes
    return {nodes[step.nodes[0]].name: step for step in layers(network.parts) if nodes[step.nodes[0]].kind == "Conv2d"}


def _controls(page: NumberPage, found: _Found) -> None:
    """The place, to be changed in place, and the way back to it on the page of the network."""
    maps, height, width = kept.seen_shapes(found.network).nodes[found.place].shape
    layer = kept.folded(found.network).graph.nodes[found.place].name
    channel, row, column = found.at

    def go(layer: str, at: tuple[int, int, int] | None) -> None:
        page.show(ClassicScene(found.network, layer, found.picture, at))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        names = list(_convolutions(found.network))
        choice = chosen(page.key("classic_layer"), layer, names, lambda other: go(other, None))
        st.selectbox(f"Layer of {NETWORKS[found.network].title}", width=280, **choice)
        numbers: list[tuple[str, int, int, Callable[[int], None]]] = [
            ("map", maps, channel, lambda value: go(layer, (value, row, column))),
            ("row", height, row, lambda value: go(layer, (channel, value, column))),
            ("column", width, column, lambda value: go(layer, (channel, row, value))),
        ]
        for name, count, value, act in numbers:
            widget = controlled(page.key(f"classic_{name}"), value, act)
            st.number_input(name, 0, count - 1, width=widgets.NUMBER_WIDTH, **widget)
        if st.button("Back to this pixel", icon=":material/arrow_back:", key=page.key("classic_back")):
            at = ".".join(map(str, found.at))
            query = {"network": found.network, "open": found.step.id, "at": at, "picture": found.picture}
            top_bar.request("classics", query)


def _show(page: NumberPage, found: _Found, cutout: Cutout) -> None:
    graph = kept.folded(found.network).graph
    node = graph.nodes[found.place]
    (source,) = node.inputs
    lines = size_formula(node, kept.seen_shapes(found.network).nodes[source].shape)
    origin = grid_player.Source(node.name, found.at[0], graph.nodes[source].name, lines, first=0)
    about = [ABOUT]
    if cutout.left_out:
        about.append(f"Shown are the {len(cutout.channels)} input channels that add most; the sum has all.")
    data = grid_player.cutout_data("classic", cutout, origin)
    grid_player.mount(data, " ".join(about), page.player_key, 0)
