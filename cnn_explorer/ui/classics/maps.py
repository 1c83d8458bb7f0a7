"""The maps of the part that is open, for the picture on the page; of a first layer also its kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from PIL import Image

from cnn_explorer.classics.folding import Step
from cnn_explorer.classics.graph import Graph
from cnn_explorer.classics.running import PAGE, Maps
from cnn_explorer.classics.wording import times
from cnn_explorer.ui.classics import kept, state
from cnn_explorer.ui.classics.later import later
from cnn_explorer.ui.widgets import NUMBER_WIDTH, data_url

STRONGEST, IN_ORDER = "strongest first", "by channel"
# The colours of values in the network view: orange above zero, blue below.
POSITIVE, ZERO, NEGATIVE = np.array([166, 70, 0]), np.array([246, 246, 246]), np.array([16, 78, 155])
KERNELS = "The small pictures are the kernels, in the colours that they look for; grey is zero."
STYLE = """<style>
.classic-maps { display: flex; flex-wrap: wrap; gap: 8px; font-size: 11px; line-height: 1.3; }
.classic-maps figure { margin: 0; width: 92px; }
.classic-maps img { display: block; width: 92px; height: 92px; image-rendering: pixelated; }
.classic-maps img + img { width: 46px; height: 46px; margin-top: 2px; }
</style>"""


def maps(graph: Graph, path: Sequence[Step]) -> None:
    """A page of the maps of the layer that is open, or of the last layer of the group that is open."""
    name = state.network()
    if not kept.has_weights(name):
        return
    st.markdown("### Maps")
    if not path:
        st.caption("Open a part of the network above to see its maps of this picture.")
        return
    place = path[-1].nodes[-1] if path[-1].inside else path[-1].nodes[0]
    node, picture = graph.nodes[place], state.picture_file()
    with st.container(horizontal=True, vertical_alignment="center"):
        order = st.segmented_control(
            "Order",
            [STRONGEST, IN_ORDER],
            key="classic_order",
            label_visibility="collapsed",
            required=True,
            default=STRONGEST,
        )
        channels = _channels(graph, place)
        pages = max(1, -(-channels // PAGE))
        page = 1
        if pages > 1:
            key = f"classic_page {name} {place}"
            page = st.number_input(f"Page, of {pages}", 1, pages, key=key, width=NUMBER_WIDTH)
        st.markdown(f"`{node.name}`", width="content")
    strongest = order == STRONGEST
    later(lambda: kept.maps(name, picture, place, strongest, page - 1), _show, "Computing the maps of this layer.")


def _channels(graph: Graph, place: int) -> int:
    """Channels of a node's output, whatever the size of the input."""
    shape = kept.shapes(graph.name, 299).nodes[place].shape
    return shape[0] if len(shape) == 3 else 1


def _show(found: Maps) -> None:
    if not found.channels:
        st.caption(f"This layer gives {found.shape[0]:,} numbers, and no maps.")
        return
    tiles = [
        _tile(channel, values, None if found.kernels is None else found.kernels[place])
        for place, (channel, values) in enumerate(zip(found.channels, found.values, strict=True))
    ]
    st.html(f'{STYLE}<div class="classic-maps">{"".join(tiles)}</div>')
    scale = (
        f"{times(found.shape)} in all. Each map has a scale of its own: orange for positive values, white for zero, "
        "blue for negative ones, full at the largest, which stands below."
    )
    st.caption(scale if found.kernels is None else f"{scale} {KERNELS}")


def _tile(channel: int, values: np.ndarray, kernel: np.ndarray | None) -> str:
    largest = float(np.abs(values).max())
    map_ = f'<img alt="map {channel}" src="{data_url(Image.fromarray(coloured(values)))}">'
    kernel_ = "" if kernel is None else f'<img alt="kernel {channel}" src="{data_url(Image.fromarray(kernel))}">'
    return f"<figure>{map_}{kernel_}<figcaption>{channel}: {largest:.3g}</figcaption></figure>"


def coloured(values: np.ndarray) -> np.ndarray:
    """`(H, W)` → `(H, W, 3)` uint8: the further from zero, the nearer to a colour for the sign."""
    exact = values.astype(np.float32)
    share = (np.abs(exact) / max(float(np.abs(exact).max()), 1e-12))[..., None]
    full = np.where(exact[..., None] >= 0, POSITIVE, NEGATIVE)
    pixels: np.ndarray = (ZERO + share * (full - ZERO)).round().astype(np.uint8)
    return pixels
