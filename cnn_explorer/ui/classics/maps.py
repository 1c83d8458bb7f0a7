"""The maps of the part that is open, for the picture on the page, and what their pixels see of it; of a first layer
also its kernels.
"""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image

from cnn_explorer.classics.graph import Graph
from cnn_explorer.classics.running import PAGE, Classified, Maps
from cnn_explorer.classics.wording import times
from cnn_explorer.spec.layers import Shape
from cnn_explorer.ui.classics import kept, state
from cnn_explorer.ui.classics.later import later
from cnn_explorer.ui.controlled import controlled
from cnn_explorer.ui.picture_view import FeatureMap, Field, Figure, Tile, chosen_in, mount_maps
from cnn_explorer.ui.widgets import NUMBER_WIDTH, data_url, jpeg_url

KEY = "classic_maps"  # session key of the component
STRONGEST, IN_ORDER = "strongest first", "by channel"
# The colours of values in the network view: orange above zero, blue below.
POSITIVE, ZERO, NEGATIVE = np.array([166, 70, 0]), np.array([246, 246, 246]), np.array([16, 78, 155])
KERNELS = "The small pictures are the kernels, in the colours that they look for; grey is zero."


def take_pixel(graph: Graph, place: int | None) -> None:
    """Keep the pixel that was pressed just now, and what the address says of maps as far as the layer has them."""
    if place is None:
        return
    layer, shape = graph.nodes[place].name, _shape(graph, place)
    chosen = chosen_in(KEY)
    if chosen and chosen[0] == layer and _has(shape, chosen[1]):
        state.keep_pixel(chosen[1])
    state.fit_maps(layer, shape, _pages(shape))


def _has(shape: Shape, pixel: tuple[int, int, int]) -> bool:
    return len(shape) == 3 and all(at < side for at, side in zip(pixel, shape, strict=True))


def _shape(graph: Graph, place: int) -> Shape:
    """What the node gives for a picture of the size that the network's weights are made for."""
    return kept.seen_shapes(graph.name).nodes[place].shape


def _pages(shape: Shape) -> int:
    return -(-shape[0] // PAGE) if len(shape) == 3 else 1


def maps(graph: Graph, place: int | None) -> None:
    """A page of the maps of the layer that is open, or of the last layer of the group that is open."""
    name = state.network()
    if not kept.has_weights(name):
        return
    st.markdown("##### Maps")
    if place is None:
        st.caption("Open a part of the network above to see its maps of this picture.")
        return
    picture, by_channel, page = state.picture_file(), state.by_channel(), state.page()
    _choice(graph, place)

    def ask() -> tuple[Maps, Classified] | None:
        found = kept.maps(name, picture, place, not by_channel, page - 1)
        seen = kept.classified(name, picture)
        return None if found is None or seen is None else (found, seen)

    later(ask, lambda both: _show(graph, place, *both), "Computing the maps of this layer.")


def _choice(graph: Graph, place: int) -> None:
    """The order of the maps, and the page."""
    by_channel, page, pages = state.by_channel(), state.page(), _pages(_shape(graph, place))
    with st.container(horizontal=True, vertical_alignment="center"):
        order = IN_ORDER if by_channel else STRONGEST
        orders = [STRONGEST, IN_ORDER]

        def change(order: str) -> None:
            state.show_maps(order == IN_ORDER, page)

        st.segmented_control(
            "Order",
            orders,
            label_visibility="collapsed",
            required=True,
            **controlled("classic_order", order, change, "default", orders),
        )
        if pages > 1:
            widget = controlled("classic_page", page, lambda page: state.show_maps(by_channel, page))
            st.number_input(f"Page, of {pages}", 1, pages, width=NUMBER_WIDTH, **widget)
        st.markdown(f"`{graph.nodes[place].name}`", width="content")


def _show(graph: Graph, place: int, found: Maps, seen: Classified) -> None:
    if not found.channels:
        st.caption(f"This layer gives {found.shape[0]:,} numbers, and no maps.")
        return
    side = seen.preprocessing.crop
    fields = _Fields(graph)
    tiles = [
        Tile(
            channel,
            [FeatureMap(f"map {channel}", _address(values), fields.index_of(place, channel))],
            "" if found.kernels is None else data_url(Image.fromarray(found.kernels[at])),
            f"{channel}: {float(np.abs(values).max()):.3g}",
        )
        for at, (channel, values) in enumerate(zip(found.channels, found.values, strict=True))
    ]
    caption = f"{side} × {side} pixels, as the network gets it."
    picture = Figure("The picture", jpeg_url(Image.fromarray(seen.cropped)), caption)
    mount_maps(KEY, graph.nodes[place].name, picture, side, fields.shown, tiles, state.pixel())
    scale = (
        f"{times(found.shape)} in all. Each map has a scale of its own: orange for positive values, white for zero, "
        "blue for negative ones, full at the largest, which stands below."
    )
    st.caption(scale if found.kernels is None else f"{scale} {KERNELS}")


class _Fields:
    """What the maps shown see of the picture, each field once."""

    def __init__(self, graph: Graph) -> None:
        self._origins = kept.origins(graph.name)
        self.shown: list[Field] = []

    def index_of(self, place: int, channel: int) -> int:
        """Where the field of a map of the node at a place stands."""
        field = Field(*(spans.tolist() for spans in self._origins.spans(place, channel)))
        if field not in self.shown:
            self.shown.append(field)
        return self.shown.index(field)


def _address(values: np.ndarray) -> str:
    return data_url(Image.fromarray(coloured(values)))


def coloured(values: np.ndarray) -> np.ndarray:
    """`(H, W)` → `(H, W, 3)` uint8: the further from zero, the nearer to a colour for the sign."""
    exact = values.astype(np.float32)
    share = (np.abs(exact) / max(float(np.abs(exact).max()), 1e-12))[..., None]
    full = np.where(exact[..., None] >= 0, POSITIVE, NEGATIVE)
    pixels: np.ndarray = (ZERO + share * (full - ZERO)).round().astype(np.uint8)
    return pixels
