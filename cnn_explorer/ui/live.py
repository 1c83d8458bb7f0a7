"""The live part of the first page: what is drawn goes in, every layer comes out. A fragment of its own: a stroke reruns nothing else."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image

from cnn_explorer.ui import cached, network_view, state

KEY = "network_view"
STAGE_SIDE = 140  # CSS pixels


@st.fragment
def live_view() -> None:
    """Mount the network view for the session's drawing and network."""
    pen = network_view.pen_event(KEY)
    seq = state.take(pen)
    drawing, architecture = state.drawing(), state.architecture()
    shapes = cached.shapes_of(architecture)
    seen = drawing.preprocess()
    loading = cached.loading()
    with st.container():
        if loading.error:
            st.error(state.plain(loading.error), icon=":material/error:")
    if not loading.ready:
        network_view.mount(network_view.pack(seq, drawing.text, shapes, seen.pixels, None, None), KEY)
        return
    from cnn_explorer.trace import trace_activations

    network = cached.network_of(architecture)
    trace = trace_activations(network.module, seen.image)
    exact = pen is None or not pen.moving
    weights = network_view.pack_weights(network.module) if pen and pen.lacking == architecture else b""
    network_view.mount(network_view.pack(seq, drawing.text, shapes, seen.pixels, trace, network.label, exact=exact, weights=weights), KEY)


@st.fragment
def stages_popover() -> None:
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
    return picture.resize((round(picture.width * scale) or 1, round(picture.height * scale) or 1), Image.Resampling.NEAREST)
