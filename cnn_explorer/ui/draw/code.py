"""The PyTorch code of the network beside its maps: it stays there while settings change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from cnn_explorer.spec.codegen import network_code
from cnn_explorer.ui import caches, state
from cnn_explorer.ui.controlled import controlled
from cnn_explorer.ui.widgets import then_page


def code_switch() -> None:
    """The switch that shows or hides the code."""
    st.toggle(
        "Code",
        help="This network in PyTorch, beside its maps.",
        **controlled("code", state.code(), then_page(state.set_code)),
    )


@contextmanager
def code_beside(net: str) -> Iterator[None]:
    """What is shown inside has the network's code at its right where there is room, else below. What changed last is
    marked.
    """
    with st.container(horizontal=True, key="beside"):
        with st.container(key="beside_maps"):
            yield
        if not state.code():
            st.empty()
            return
        with st.container(key="beside_code"):
            former = caches.shapes_of(state.former()) if state.former() else None
            st.code(network_code(caches.shapes_of(net), former), language="python", wrap_lines=True)
            st.caption("This network in PyTorch: it runs as you paste it. An arrow marks what you changed last.")
