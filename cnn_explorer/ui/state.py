"""What a page is about: the drawing and the network. Both live in the session while the page is open and in its URL always."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cnn_explorer.drawing import Drawing, DrawingError, example_drawing, parse_drawing
from cnn_explorer.network import LECTURE, NetworkSpec, parse
from cnn_explorer.shapes import NetworkShapes
from cnn_explorer.ui import cached
from cnn_explorer.ui.network_view import PenEvent

NET, DRAWING = "net", "drawing"  # query parameters and session keys
SEQ = "drawing_seq"
LAST_VALID = "last_valid_network"

# What this page computes with every stroke, for every visitor at once. The lecture's network needs a hundredth.
MAX_PARAMETERS = 5_000_000
MAX_MACS = 200_000_000
MAX_VALUES = 400_000


def read_url() -> None:
    """Take over what the URL says, where it says something new; a part that cannot be read gets a sentence and is left as it was."""
    _read(NET, _checked_network, str(LECTURE), "network")
    _read(DRAWING, lambda text: parse_drawing(text).text, example_drawing().text, "drawing")
    _write_url()


def _read(name: str, check: Callable[[str], str], default: str, word: str) -> None:
    given = st.query_params.get(name)
    if given is not None and given != st.session_state.get(f"{name}_in_url"):
        try:
            st.session_state[name] = check(given)
        except ValueError as problem:
            kept = "the one before" if name in st.session_state else "the one everyone starts with"
            sentence = f"The {word} in this page's address cannot be read, so here is {kept}. {_sentence(problem)}"
            st.warning(sentence, icon=":material/link_off:")
    st.session_state.setdefault(name, default)


def _write_url() -> None:
    for name in (NET, DRAWING):
        value = st.session_state[name]
        if st.query_params.get(name) != value:
            st.query_params[name] = value
        st.session_state[f"{name}_in_url"] = value


def architecture() -> str:
    """The network's architecture string."""
    text: str = st.session_state[NET]
    return text


def last_valid_network() -> NetworkSpec | None:
    """The last network before this one whose geometry worked out."""
    text = st.session_state.get(LAST_VALID)
    return parse(text) if text else None


def drawing() -> Drawing:
    """What is drawn."""
    return parse_drawing(st.session_state[DRAWING])


def set_network(spec: NetworkSpec) -> None:
    """Show another network; one that is too large for a live page is refused in words."""
    before = architecture()
    try:
        st.session_state[NET] = _checked_network(str(spec))
        if cached.shapes_of(before).error is None:
            st.session_state[LAST_VALID] = before
    except ValueError as problem:
        st.toast(_sentence(problem), icon=":material/block:", duration="long")
    _write_url()


def set_drawing(drawing: Drawing) -> None:
    """Show another drawing."""
    st.session_state[DRAWING] = drawing.text
    _write_url()


def take(event: PenEvent | None) -> int:
    """Take over what was drawn in the browser. Returns the number of the last event seen, for the view to know that it arrived."""
    seen: int = st.session_state.get(SEQ, 0)
    if event is None or event.seq == seen:
        return seen
    try:
        st.session_state[DRAWING] = parse_drawing(event.drawing).text
    except DrawingError as problem:
        st.toast(_sentence(problem), icon=":material/block:")
    st.session_state[SEQ] = event.seq
    if event.final:
        _write_url()
    return event.seq


def _checked_network(text: str) -> str:
    spec = parse(text)
    excess = excess_of(cached.shapes_of(str(spec)))
    if excess:
        raise ValueError(excess)
    return str(spec)


def excess_of(shapes: NetworkShapes) -> str:
    """Why a network is too large for a page that answers at once, or ""."""
    values = sum(layer.values for layer in shapes.layers)
    for count, most, word in (
        (shapes.parameters, MAX_PARAMETERS, "parameters"),
        (shapes.macs, MAX_MACS, "multiply-adds"),
        (values, MAX_VALUES, "values"),
    ):
        if count > most:
            return (
                f"this network has {count:,} {word}, more than the {most:,} that this page computes live; "
                "take fewer channels or features, or pool or stride earlier"
            )
    return ""


def _sentence(problem: Exception) -> str:
    text = str(problem)
    return f"{text[:1].upper()}{text[1:]}."
