"""What a page is about: the drawing and the network. Both live in the session while the page is open and in its URL
always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set

import streamlit as st

from cnn_explorer.digits.drawing import Drawing, DrawingError, example_drawing, parse_drawing
from cnn_explorer.spec.cost import forward_time, layer_time
from cnn_explorer.spec.network import LECTURE, NetworkSpec, parse
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.ui import caches
from cnn_explorer.ui.network_view import ViewMessage

NET, DRAWING = "net", "drawing"  # query parameters and session keys
WEIGHTS = "weights"  # likewise: where the visitor's own weights come from, if there are any
# session key: what the address says of the weights of each network that was left, by architecture string
ORIGINS = "weights_origins"
SEQ = "drawing_seq"
LAST_VALID = "last_valid_network"

# What this page computes with every stroke, for every visitor at once. The lecture's network needs a hundredth.
MAX_PARAMETERS = 5_000_000
MAX_TIME = 10_000_000  # nanoseconds, as `cost` counts them
MAX_VALUES = 400_000


def read_url() -> None:
    """`adopt_url`, and the page's first address says all that it shows."""
    opening = NET not in st.session_state
    adopt_url()
    if opening:
        write_url()


def adopt_url() -> None:
    """Take over what the URL says, where it says something new; a part that cannot be read gets a sentence and is left
    as it was.
    """
    before = st.session_state.get(NET)
    read(NET, str(LECTURE), show_network, "network")
    if st.session_state[NET] != before:
        st.session_state.pop(f"{WEIGHTS}_in_url", None)  # the same words are of another network's weights
    read(DRAWING, example_drawing().text, _show_drawing, "drawing")
    read(WEIGHTS, "", _show_weights, "weights")
    if before is None:
        st.session_state.pop(LAST_VALID, None)  # what stood in for the address was never on screen


def carried() -> dict[str, str]:
    """Drawing, network and its weights, for the address of another page."""
    return {name: st.session_state[name] for name in (NET, DRAWING, WEIGHTS) if st.session_state.get(name)}


def carry(own: dict[str, str], names: Set[str]) -> None:
    """On a page that changes neither drawing nor network: keep both in the address, with the page's `own` parameters
    for all that it has `names` for.

    The session's are newer than those of a link that was drawn before the last stroke.
    """
    if NET not in st.session_state:
        adopt_url()
    _write({name: st.session_state[name] for name in (NET, DRAWING, WEIGHTS)}, own, names)


def read(name: str, default: str, show: Callable[[str], None], word: str) -> None:
    """Take over one part of the URL, where it says something new, by `show`, which raises `ValueError` for what cannot
    be shown.

    An address without the part, as the browser's way back can lead to, stands for the default.
    """
    opening = name not in st.session_state
    if opening:
        show(default)
    given = st.query_params.get(name, default)
    if given == st.session_state.get(f"{name}_in_url"):
        return
    st.session_state[f"{name}_in_url"] = given
    try:
        show(given)
    except ValueError as problem:
        kept = "the one before" if not opening else "the one everyone starts with" if default else "none"
        st.session_state[f"{name}_notice"] = (
            f"The {word} in this page's address cannot be read, so here is {kept}. {sentence(problem)}"
        )


def write_url(*more: str) -> None:
    """Drawing, network and its weights, and what else is named, at once: every write is a step of the browser's way
    back. What is empty is left out.
    """
    _write({name: st.session_state.get(name, "") for name in (NET, DRAWING, WEIGHTS, *more)}, {}, set())


def _write(values: dict[str, str], own: dict[str, str], names: Set[str]) -> None:
    """`values` of the session, what is empty left out, and a page's `own` ones in place of all that it has `names` for;
    the rest stays.
    """
    before = st.query_params.to_dict()
    kept = {name: value for name, value in before.items() if name not in names | values.keys()}
    wanted = kept | {name: value for name, value in values.items() if value} | own
    if wanted != before:
        st.query_params.from_dict(wanted)  # one write: every one is a step of the browser's way back
    for name, value in values.items():
        st.session_state[f"{name}_in_url"] = value


def show_network(text: str) -> None:
    """Show another network, by its architecture string, without a word in the address yet. Raises `ValueError` if it
    cannot be.
    """
    spec = parse(text)
    excess = excess_of(caches.shapes_of(str(spec)))
    if excess:
        raise ValueError(excess)
    before = st.session_state.get(NET)
    if before and caches.shapes_of(before).error is None:
        st.session_state[LAST_VALID] = before
    st.session_state[NET] = str(spec)
    if before and before != str(spec):
        origins = st.session_state.setdefault(ORIGINS, {})
        origins[before] = st.session_state.get(WEIGHTS, "")
        st.session_state[WEIGHTS] = origins.get(str(spec), "")
        st.session_state.pop(f"{WEIGHTS}_notice", None)
    st.session_state.pop(f"{NET}_notice", None)


def _show_drawing(text: str) -> None:
    st.session_state[DRAWING] = parse_drawing(text).text
    st.session_state.pop(f"{DRAWING}_notice", None)


def _show_weights(text: str) -> None:
    """Whether they are to be had is found out when they are needed."""
    st.session_state[WEIGHTS] = text
    st.session_state.pop(f"{WEIGHTS}_notice", None)


def notices(*more: str) -> list[str]:
    """What the address asked for in vain, until it changes: of the network, the drawing, its weights and what else is
    named, "" for nothing.
    """
    return [st.session_state.get(f"{name}_notice", "") for name in (NET, DRAWING, WEIGHTS, *more)]


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
    """Show another network. Raises `ValueError` if it is too large for a live page; the one before then stays."""
    show_network(str(spec))
    write_url()


def set_drawing(drawing: Drawing) -> None:
    """Show another drawing."""
    _show_drawing(drawing.text)
    write_url()


def take(message: ViewMessage | None) -> int:
    """Take over what was drawn in the browser. Returns the number of the last message seen: the view waits for it."""
    seen: int = st.session_state.get(SEQ, 0)
    if message is None or message.seq == seen:
        return seen
    try:
        _show_drawing(message.drawing)
    except DrawingError as problem:
        st.toast(sentence(problem), icon=":material/block:")
    st.session_state[SEQ] = message.seq
    if message.final:
        write_url()
    return message.seq


def excess_of(shapes: NetworkShapes) -> str:
    """Why a network is too large for a page that answers at once, or ""."""
    values = sum(layer.values for layer in shapes.layers)
    for count, most, word in ((shapes.parameters, MAX_PARAMETERS, "parameters"), (values, MAX_VALUES, "values")):
        if count > most:
            return (
                f"this network has {count:,} {word}, more than the {most:,} that this page computes live; "
                "take fewer channels or features, or pool or stride earlier"
            )
    time = forward_time(shapes.layers)
    if time > MAX_TIME:
        slowest = max(shapes.layers, key=lambda layer: layer_time(layer).forward)
        return (
            f"this network takes about {time / 1e6:.0f} ms a digit, more than the {MAX_TIME / 1e6:.0f} ms that this "
            "page has, most of "
            f"them in {slowest.name}; take fewer channels or features, a smaller kernel, or pool or stride earlier"
        )
    return ""


def plain(problem: Exception | str) -> str:
    """What it says, on one line, as Markdown in which code spans stay and all else is shown as it is.

    `cnn_explorer.text.quoted` makes such spans. Nothing outside them can be a link, an image, an icon, a formula, HTML
    or a list.
    """
    parts = re.split(r"(`[^`]+`)", " ".join(str(problem).split()))  # every second one is a code span
    parts[::2] = map(_escaped, parts[::2])
    return re.sub(r"^([0-9]+(?=[.)]( |$))|(?=[-+]))", r"\1\\", "".join(parts))  # no list, no rule


def _escaped(text: str) -> str:
    # A backslash stops what Markdown reads. But the browser looks for addresses and `:names:` of icons in the finished
    # text, without the backslashes: only a character between their parts stops that, here one without width.
    parted = re.sub(r"[:@](?=\S)|www(?=\.)", "\\g<0>\N{WORD JOINER}", text, flags=re.IGNORECASE)
    return re.sub(r"([\\\[\]!<>`*:$_~#|&])", r"\\\1", parted)


def sentence(problem: Exception | str) -> str:
    """`plain`, with a capital letter and a full stop."""
    text = plain(problem)
    return f"{text[:1].upper()}{text[1:]}."
