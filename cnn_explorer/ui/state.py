"""What all pages share: the drawing, the network, and the origin of the visitor's own weights for it.

The first page has a pinned network as well, with which the present one is compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from cnn_explorer.digits.drawing import Drawing, DrawingError, example_drawing, parse_drawing
from cnn_explorer.spec.limits import excess_of
from cnn_explorer.spec.network import LECTURE, NetworkSpec, parse
from cnn_explorer.text import quoted
from cnn_explorer.ui import caches
from cnn_explorer.ui.address import Address, Moves, Parameter, cannot_be_read, set_notice
from cnn_explorer.ui.markdown import sentence
from cnn_explorer.ui.network_view import ViewMessage
from cnn_explorer.ui.session import remembered

BESIDE = "beside"  # the one place of the code that an address names


@dataclass
class Shown:
    """On screen: the architecture string `net`, the `drawing` as text, the origin of the visitor's own `weights`, the
    architecture string of the pinned network (`pin`), and the origin of its weights (`pin_weights`); "" for none.
    `code` tells that the network's code stands beside its maps.

    `former` is the network before this one, and `last_valid` the last before it whose geometry worked out; "" for none.
    `origins` has the origin of their weights for networks shown earlier. `seq` is the number of the view's last message
    that was applied. `moves` is how many times the browser had gone to another address by then.
    """

    net: str = ""
    drawing: str = ""
    weights: str = ""
    pin: str = ""
    pin_weights: str = ""
    code: bool = False
    former: str = ""
    last_valid: str = ""
    origins: dict[str, str] = field(default_factory=dict)
    moves: int = 0
    seq: int = 0


def architecture() -> str:
    """The network's architecture string."""
    return remembered(Shown).net


def drawing() -> Drawing:
    """What is drawn."""
    return parse_drawing(remembered(Shown).drawing)


def weights() -> str:
    """Where the visitor's own weights for the network come from; "" for the shipped ones, and for those of a file."""
    return remembered(Shown).weights


def pin() -> str:
    """The pinned network's architecture string, "" for none."""
    return remembered(Shown).pin


def pin_weights() -> str:
    """Where the visitor's own weights for the pinned network come from; as `weights`."""
    return remembered(Shown).pin_weights


def code() -> bool:
    """Whether the network's code stands beside its maps."""
    return remembered(Shown).code


def origin_of(net: str) -> str:
    """Where the visitor's own weights for a network come from, as it was last on the page; "" for the shipped ones."""
    shown = remembered(Shown)
    return shown.weights if net == shown.net else shown.origins.get(net, "")


def former() -> str:
    """The architecture string of the network before this one, "" for none."""
    return remembered(Shown).former


def last_valid_network() -> NetworkSpec | None:
    """The last network before this one whose geometry worked out."""
    text = remembered(Shown).last_valid
    return parse(text) if text else None


# --- changes ---


def set_network(spec: NetworkSpec) -> None:
    """Show another network, and write the address. Raises as `show_network`."""
    show_network(str(spec))
    ADDRESS.write()


def set_drawing(drawing: Drawing) -> None:
    """Show another drawing, and write the address."""
    show_drawing(drawing.text)
    ADDRESS.write()


def set_code(beside: bool) -> None:
    """Show the network's code beside its maps, or not, and write the address."""
    remembered(Shown).code = beside
    set_notice(CODE.name, "")
    FIRST_PAGE.write()


def affordable(text: str) -> str:
    """The architecture string of a network that is small enough for a live page.

    Raises `ValueError` if it cannot be read or is too large.
    """
    net = str(parse(text))
    excess = excess_of(caches.shapes_of(net))
    if excess:
        raise ValueError(excess)
    return net


def show_network(text: str) -> None:
    """Show another network, by its architecture string, with the weights that it last had.

    Raises `ValueError` if it cannot be read or is too large for a live page; the present one then stays.
    """
    net, shown = affordable(text), remembered(Shown)
    before, shown.net = shown.net, net
    if before and caches.shapes_of(before).error is None:
        shown.last_valid = before
    if before and before != shown.net:
        shown.former = before
        shown.origins[before] = shown.weights
        show_weights(shown.origins.get(shown.net, ""))
    set_notice(NET.name, "")


def show_drawing(text: str) -> None:
    """Show another drawing. Raises `DrawingError` if it cannot be read."""
    remembered(Shown).drawing = parse_drawing(text).text
    set_notice(DRAWING.name, "")


def show_weights(origin: str) -> None:
    """Show the visitor's own weights, by their origin. `own_weights.own` finds out whether they are kept."""
    remembered(Shown).weights = origin
    set_notice(WEIGHTS.name, "")


def show_pin(text: str, origin: str = "") -> None:
    """Compare with this network, by its architecture string ("" for none), with weights of this origin.

    Raises `ValueError` if it cannot be read or is too large for a live page; the present one then stays.
    """
    shown = remembered(Shown)
    shown.pin = affordable(text) if text else ""
    shown.pin_weights = origin if shown.pin else ""
    set_notice(PIN.name, "")


def show_code(text: str) -> None:
    """Show the network's code ("beside"), or not (""). Raises `ValueError` for anything else."""
    if text not in ("", BESIDE):
        raise ValueError(f"code (={quoted(text)}) must be {BESIDE}, or be left out")
    remembered(Shown).code = text == BESIDE
    set_notice(CODE.name, "")


def is_new(message: ViewMessage | None) -> bool:
    """True for a view's message that `apply_message` has not applied yet."""
    return message is not None and message.seq != remembered(Shown).seq


def apply_message(message: ViewMessage | None) -> int:
    """Apply a view's message: show its drawing and its pin. Returns the number of the last message; the view waits for
    it.

    A message that arrives together with another address was sent before it. The address then counts, not the message.
    """
    shown, moves = remembered(Shown), remembered(Moves).count
    moved, shown.moves = moves != shown.moves, moves
    if message is None or not is_new(message):
        return shown.seq
    if message.drawn and not moved:
        try:
            show_drawing(message.drawing)
        except DrawingError as problem:
            st.toast(sentence(problem), icon=":material/block:")
        if message.final:
            ADDRESS.write()
    if message.pin is not None and not moved:
        _apply_pin(message.pin)
    shown.seq = message.seq  # last: Streamlit may end a run at any use of the session
    return message.seq


def _apply_pin(net: str) -> None:
    try:
        show_pin(net, origin_of(net))
    except ValueError as problem:
        st.toast(sentence(problem), icon=":material/block:")
    else:
        FIRST_PAGE.write()


# --- in the address ---


NET = Parameter(
    "net",
    lambda query: show_network(query.get("net", str(LECTURE))),
    lambda: {"net": architecture()},
    cannot_be_read("network", "the one everyone starts with"),
)
DRAWING = Parameter(
    "drawing",
    lambda query: show_drawing(query.get("drawing", example_drawing().text)),
    lambda: {"drawing": remembered(Shown).drawing},
    cannot_be_read("drawing", "the one everyone starts with"),
)
WEIGHTS = Parameter(
    "weights",
    lambda query: show_weights(query.get("weights", "")),
    lambda: {"weights": weights()},
    cannot_be_read("weights", "none"),
    depends_on="net",
)
PIN = Parameter(
    "pin",
    lambda query: show_pin(query.get("pin", ""), query.get("pin_weights", "")),
    lambda: {"pin": pin(), "pin_weights": pin_weights()},
    cannot_be_read("pinned network", "none"),
    names=("pin", "pin_weights"),
)
CODE = Parameter(
    "code",
    lambda query: show_code(query.get("code", "")),
    lambda: {"code": BESIDE if code() else ""},
    cannot_be_read("choice of the code", "the page without it"),
)
SHARED = (NET, DRAWING, WEIGHTS)  # what every page has in its address
ADDRESS = Address(*SHARED)  # written on any page, it leaves the page's own parameters as they are
FIRST_PAGE = Address(*SHARED, PIN, CODE)
