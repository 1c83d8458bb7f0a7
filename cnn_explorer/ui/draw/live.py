"""The live part of the first page: what is drawn goes in, every layer comes out. A fragment of its own: a stroke reruns
nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image

from cnn_explorer.numbers.scenes import NetworkScene, SceneError
from cnn_explorer.spec.layers import Conv2dSpec, WindowSpec
from cnn_explorer.spec.limits import excess_of
from cnn_explorer.spec.network import NetworkSpec
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.ui import caches, network_view, own_weights, state, top_bar, visitors
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.draw.before import label_before, pinned
from cnn_explorer.ui.loading import torch_loading
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.show_network import show_network

if TYPE_CHECKING:
    from cnn_explorer.weights.load import TrainedNetwork
    from cnn_explorer.weights.novelty import Novelty

KEY = network_view.DRAW
LIVE = "live"  # key of the fragment
BRIEFLY, ON_THE_SPOT, MOST = 4, 10, 40  # seconds of training: on a press of the button, without one, altogether
STAGE_SIDE = 140  # CSS pixels


@st.fragment(key=LIVE)
@guarded()
def live_view() -> None:
    """Mount the network view for the session's drawing and network."""
    message = network_view.view_message(KEY)
    new = state.is_new(message)
    seq = state.apply_message(message)
    repaired = bool(new and message and message.repair and _repaired(message.repair))
    shapes = caches.shapes_of(state.architecture())
    repairs = _repairs(shapes)
    loading = torch_loading()
    if loading.error:
        st.error(plain(loading.error), icon=":material/error:")
    if not loading.ready:
        drawing = state.drawing()
        data = network_view.pack(
            seq,
            drawing.text,
            shapes,
            drawing.preprocess().pixels,
            None,
            None,
            pinned=pinned(shapes, None),
            repairs=repairs,
        )
        network_view.mount(data, KEY)
        return
    told = state.FIRST_PAGE.notices()
    network, training = trained(shapes, message)
    if message and message.numbers and new:
        open_numbers(message.numbers, shapes, network)
    compared = pinned(shapes, message)
    if state.FIRST_PAGE.notices() != told:  # they stand above
        st.rerun()
    before = label_before(shapes, network.label)
    known, judging = _novelty(shapes, network, message)
    show_network(KEY, seq, message, shapes, network, training, compared, before, known, judging, repairs)
    if repaired:  # once the view is there: the widgets follow
        st.rerun()


def _repairs(shapes: NetworkShapes) -> list[tuple[str, NetworkSpec]]:
    """The nearest networks that work, by their labels; none where the geometry works out."""
    if shapes.error is None:
        return []
    last = state.last_valid_network()
    offers = [*caches.repairs_of(str(shapes.spec)), *([("back to the network before", last)] if last else [])]
    return [(label, spec) for label, spec in offers if not excess_of(caches.shapes_of(str(spec)))]


def _repaired(net: str) -> bool:
    """Show the network of a repair, if it is on offer."""
    for _, spec in _repairs(caches.shapes_of(state.architecture())):
        if str(spec) == net:
            state.set_network(spec)
            return True
    return False


def _novelty(
    shapes: NetworkShapes, network: TrainedNetwork, message: network_view.ViewMessage | None
) -> tuple[Novelty | None, bool]:
    """What tells drawings that are unlike all digits, while the pen rests, and whether it is still to come."""
    if not (network.label.trained and shapes.classifies and shapes.output_shape == (10,)):
        return None, False
    if message is None or message.moving:
        return None, True
    known = caches.novelty()
    return known, known is None


def open_numbers(at: str, shapes: NetworkShapes, network: TrainedNetwork) -> None:
    """Open the page with the numbers of one value, by its place; nothing if the network has no such layer."""
    try:
        place = replace(NetworkScene.read({"at": at}, NetworkScene()), weights=network.fingerprint)
    except SceneError:
        return
    for layer in shapes.layers:
        if layer.name == place.layer and isinstance(layer.spec, WindowSpec):
            page = "convolution" if isinstance(layer.spec, Conv2dSpec) else "pooling"
            top_bar.request(page, {"step": "network", **place.query()})


def trained(
    shapes: NetworkShapes, message: network_view.ViewMessage | None
) -> tuple[TrainedNetwork, network_view.Training | None]:
    """The network with the best weights there are for this visitor now, and what is to be said of training it; None
    where that is out of the question.

    Where nothing is known of a network's weights, it is trained without being asked.
    """
    from cnn_explorer.training.run import is_trainable
    from cnn_explorer.weights.label import describe

    mine = own_weights.own()
    if mine:
        return mine, None
    architecture = str(shapes.spec)
    network = caches.network_of(architecture)
    visitor = visitors.visitor()
    if not is_trainable(shapes) or network.label.source == "trained":
        caches.scheduler().train_quickly(visitor, shapes, network)  # gives up what was asked for before
        return network, None
    asked = (
        min(message.seconds, MOST) if message and message.train == architecture and message.seconds > 0 else 0
    )  # no number at all: 0
    seconds = max(asked, 0 if network.label.trained else ON_THE_SPOT)
    status = caches.scheduler().train_quickly(visitor, shapes, network, seconds)
    label = status.network.label
    sentence, to = describe(label, label_before(shapes, label)), status.seconds
    if status.problem:
        sentence = f"{status.problem} {sentence}"
    elif status.ahead:
        others = "another training" if status.ahead == 1 else f"{status.ahead} other trainings"
        sentence = f"Waiting for {others} to end. {sentence}"
    if not status.going:
        more = min(label.trained_for + BRIEFLY, MOST) if label.trained else ON_THE_SPOT
        to = more if more > label.trained_for else 0
    return status.network, network_view.Training(sentence, status.going, label.trained_for, to)


@st.fragment
@guarded()
def stages() -> None:
    """The steps from the drawing to the network's image, computed when they are looked at."""
    steps = st.popover("What the network sees", icon=":material/visibility:", on_change="rerun", key="stages")
    if not steps.open:
        return
    with steps, st.container(horizontal=True):
        for stage in state.drawing().preprocess().stages:
            picture = _enlarged(stage.pixels)
            with st.container(width=STAGE_SIDE):
                st.image(picture, width=picture.width, alt=stage.caption)
                st.caption(stage.caption)


def _enlarged(pixels: np.ndarray) -> Image.Image:
    """With its pixels to be seen, the longer side `STAGE_SIDE`."""
    picture = Image.fromarray(pixels)
    scale = STAGE_SIDE / max(picture.size)
    return picture.resize(
        (round(picture.width * scale) or 1, round(picture.height * scale) or 1), Image.Resampling.NEAREST
    )
