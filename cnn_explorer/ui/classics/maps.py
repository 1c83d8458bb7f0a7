"""The maps of the part that is open, for the picture on the page, and what their pixels see of it; of a first layer
also its kernels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import streamlit as st
from PIL import Image

from cnn_explorer.classics.graph import Graph
from cnn_explorer.classics.origins import joined
from cnn_explorer.classics.running import PAGE, Classified, Maps, Wanted
from cnn_explorer.classics.wording import times
from cnn_explorer.spec.layers import Shape
from cnn_explorer.ui import top_bar
from cnn_explorer.ui.classics import kept, state
from cnn_explorer.ui.classics.details import numbers_of
from cnn_explorer.ui.classics.later import later
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.picture_view import FeatureMap, Field, Figure, Tile, chosen_in, mount_maps
from cnn_explorer.ui.widgets import NUMBER_WIDTH, data_url, jpeg_url

KEY = "classic_maps"  # session key of the component
STRONGEST, IN_ORDER = "strongest first", "by channel"
# The colours of values in the network view: orange above zero, blue below.
POSITIVE, ZERO, NEGATIVE = np.array([166, 70, 0]), np.array([246, 246, 246]), np.array([16, 78, 155])
KERNELS = "The small pictures are the kernels, in the colours that they look for; grey is zero."


def take_pixel(graph: Graph, place: int | None) -> None:
    """Keep the pixel that was pressed just now, and drop what the address says of maps that the layer does not have."""
    if place is None:
        return
    layer, shape = graph.nodes[place].name, kept.seen_shapes(graph.name).nodes[place].shape
    pressed = chosen_in(KEY)
    if pressed and pressed[0] == layer and _has(shape, pressed[1]):
        state.keep_pixel(pressed[1])
    problem = _problem(graph, place, layer, shape)
    if problem:
        state.drop_maps(problem)


def _problem(graph: Graph, place: int, layer: str, shape: Shape) -> str:
    """Why the layer has no such maps as the address says, "" if it has."""
    channels, pixel, pages = state.channels(), state.pixel(), _pages(graph, place)
    if channels and channels not in _parts(graph, place):
        return f"{layer} joins no part with the channels {channels[0]} to {channels[1]}"
    if state.page() > pages:
        return f"the maps of {layer} have {pages} pages, so there is no page {state.page()}"
    if pixel and not _has(shape, pixel):
        channel, row, column = pixel
        return f"{layer} gives {times(shape)} values, so there is no map {channel} with row {row} and column {column}"
    return ""


def _has(shape: Shape, pixel: tuple[int, int, int]) -> bool:
    return len(shape) == 3 and all(at < side for at, side in zip(pixel, shape, strict=True))


def _parts(graph: Graph, place: int) -> dict[tuple[int, int], str]:
    """The first and the last channel of each part of a join, with the name of the layer that it comes from."""
    parts = joined(graph, kept.seen_shapes(graph.name).nodes, place)
    return {(part.first, part.end - 1): graph.nodes[part.source].name for part in parts}


def _pages(graph: Graph, place: int) -> int:
    """Pages of the maps, or of the part of a join that is shown."""
    shape = kept.seen_shapes(graph.name).nodes[place].shape
    first, last = state.channels() or (0, shape[0] - 1)
    return -(-(last + 1 - first) // PAGE) if len(shape) == 3 else 1


def maps(graph: Graph, place: int | None) -> None:
    """A page of the maps of the layer that is open, or of the last layer of the group that is open."""
    name = state.network()
    if not kept.has_weights(name):
        return
    st.markdown("### Maps")
    if place is None:
        st.caption("Open a part of the network above to see its maps of this picture.")
        return
    _choice(graph, place)
    picture, channels, node = state.picture_file(), state.channels(), graph.nodes[place]
    wanted = Wanted(
        place,
        not state.by_channel(),
        state.page() - 1,
        (channels[0], channels[1] + 1) if channels else None,
        node.inputs if node.kind == "Add" else (),
    )

    def ask() -> tuple[Maps, Classified] | None:
        found, seen = kept.maps(name, picture, wanted), kept.classified(name, picture)
        return None if found is None or seen is None else (found, seen)

    later(ask, lambda both: _show(graph, wanted, *both), "Computing the maps of this layer.")


def _choice(graph: Graph, place: int) -> None:
    """The order of the maps, of a join the part that they come from, and the page."""
    by_channel, channels, pages = state.by_channel(), state.channels(), _pages(graph, place)
    parts = _parts(graph, place)
    orders = [STRONGEST, IN_ORDER]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Order",
            orders,
            label_visibility="collapsed",
            required=True,
            **controlled(
                "classic_order",
                IN_ORDER if by_channel else STRONGEST,
                lambda order: state.show_maps(order == IN_ORDER, channels),
                "default",
                orders,
            ),
        )
        if parts:
            st.selectbox(
                "Part",
                label_visibility="collapsed",
                width=330,
                format_func=lambda part: f"{part[0]}–{part[1]}: {parts[part]}" if part else f"all {len(parts)} parts",
                **chosen("classic_joined", channels, [None, *parts], lambda part: state.show_maps(by_channel, part)),
            )
        if pages > 1:
            st.number_input(
                f"Page, of {pages}",
                1,
                pages,
                width=NUMBER_WIDTH,
                **controlled("classic_page", state.page(), lambda page: state.show_maps(by_channel, channels, page)),
            )
        st.markdown(f"`{graph.nodes[place].name}`", width="content")


def _show(graph: Graph, wanted: Wanted, found: Maps, seen: Classified) -> None:
    if not found.channels:
        st.caption(f"This layer gives {found.shape[0]:,} numbers, and no maps.")
        return
    side, layer = seen.preprocessing.crop, graph.nodes[wanted.place].name
    fields = _Fields(graph)
    tiles = [_tile(graph, wanted, found, at, fields) for at in range(len(found.channels))]
    caption = f"{side} × {side} pixels, as the network gets it."
    picture = Figure("The picture", jpeg_url(Image.fromarray(seen.cropped)), caption)
    mount_maps(KEY, layer, picture, side, fields.shown, tiles, state.pixel())
    st.caption(" ".join(_about(graph, wanted, found)))
    _numbers(graph, wanted.place, found.channels[0])


def _numbers(graph: Graph, place: int, first: int) -> None:
    """The way to the pixel that is kept, number by number; else to one in the middle of the first map shown."""
    way = numbers_of(graph, place, first)
    if way is None:
        return
    label = "A pixel of the first map, number by number"
    if pixel := state.pixel():
        label = f"Row {pixel[1]}, column {pixel[2]} of map {pixel[0]}, number by number"
    if st.button(label, icon=":material/calculate:", key="classic_numbers"):
        top_bar.request(*way)


def _tile(graph: Graph, wanted: Wanted, found: Maps, at: int, fields: _Fields) -> Tile:
    """The map of a channel, behind what was added to make it, all in the same colours."""
    channel, values, beside = found.channels[at], found.values[at], found.beside[:, at : at + 1]
    together = np.concatenate([*beside, values[None]])
    largest = float(np.abs(together).max())
    shown = [
        FeatureMap(title, data_url(Image.fromarray(coloured(one, largest))), fields.index_of(place, channel))
        for title, place, one in zip(
            [*(f"map {channel} of {graph.nodes[place].name}" for place in wanted.beside), f"map {channel}"],
            [*wanted.beside, wanted.place],
            together,
            strict=True,
        )
    ]
    kernel = "" if found.kernels is None else data_url(Image.fromarray(found.kernels[at]))
    origin = next(
        (
            f", map {channel - first} of {'.'.join(name.split('.')[-2:])}"
            for (first, last), name in _parts(graph, wanted.place).items()
            if first <= channel <= last
        ),
        "",
    )
    return Tile(channel, shown, kernel, f"{channel}: {largest:.3g}{origin}")


def _about(graph: Graph, wanted: Wanted, found: Maps) -> Iterator[str]:
    yield f"{times(found.shape)} in all."
    names = [f"`{graph.nodes[place].name}`" for place in wanted.beside]
    parts = _parts(graph, wanted.place)
    if names:
        yield f"Each map is the sum of the two before it, of {' and of '.join(names)}. The three have one scale:"
    else:
        yield "Each map has a scale of its own:"
    yield "orange for positive values, white for zero, blue for negative ones, full at the largest, which stands below."
    if found.kernels is not None:
        yield KERNELS
    if parts:
        yield f"{len(parts)} parts are joined; below each map stands the one that it comes from."


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


def coloured(values: np.ndarray, largest: float) -> np.ndarray:
    """`(H, W)` → `(H, W, 3)` uint8: the further from zero, the nearer to a colour for the sign, which is full at
    `largest`.
    """
    exact = values.astype(np.float32)
    share = (np.abs(exact) / max(largest, 1e-12))[..., None]
    full = np.where(exact[..., None] >= 0, POSITIVE, NEGATIVE)
    pixels: np.ndarray = (ZERO + share * (full - ZERO)).round().astype(np.uint8)
    return pixels
