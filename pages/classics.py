"""The networks that came after the lecture's: every layer of them, from far and from near."""

import streamlit as st

from cnn_explorer.ui import network_map, shell
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.classics import controls, kept, state
from cnn_explorer.ui.classics.details import details
from cnn_explorer.ui.classics.explained import drop_unknown_class
from cnn_explorer.ui.classics.maps import maps, take_pixel
from cnn_explorer.ui.classics.your_picture import your_picture
from cnn_explorer.ui.controlled import listening


@st.fragment
@guarded(stop=True)
@listening()
def page() -> None:
    """Everything that follows the network and what is unfolded; a change reruns this alone."""
    pressed = network_map.pressed()
    if pressed is not None:
        state.show_part(pressed)
    controls.header()
    network = kept.folded(state.network())
    shapes = kept.shapes(state.network(), state.size())
    path = state.opened(network.parts)
    place = path[-1].nodes[-1] if path else None
    take_pixel(network.graph, place)
    drop_unknown_class()
    controls.totals(network, shapes)
    network_map.mount(network.graph, network.parts, shapes, path)
    details(network.graph, shapes, path)
    your_picture(network.graph, place)
    maps(network.graph, place)


@st.fragment
@guarded()
def comparison() -> None:
    """All networks side by side. No press above reruns it."""
    controls.comparison()


shell.open_page("Classic networks", state.ADDRESS)
page()
with guarded(stop=True):
    controls.lineage()
comparison()
shell.footer(shell.CLASSICS_CREDITS)
