"""The top bar: the component with the app's name, the links to all pages and the button that copies the address.

A link does not change the page by itself. The browser asks the server first, which answers with the other page's whole
address. The server runs messages in order, so that address holds every stroke and setting that came before.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import streamlit as st

from cnn_explorer.ui.component import component
from cnn_explorer.ui.messages import message, text
from cnn_explorer.ui.session import remembered

KEY = "top_bar"  # session key of the component
FRAGMENT = "links"  # key of the fragment that mounts it
MAX_PATH = 100  # characters


@dataclass(frozen=True)
class Link:
    """A page's `path` below the app's address, its `label`, whether it is the `current` one, and its parameters as its
    last visit left them.
    """

    path: str
    label: str
    current: bool
    query: Mapping[str, str]


@dataclass(frozen=True)
class Once:
    """Parameters of a page that the browser is to use once, however often they are sent; `id` tells them apart."""

    query: Mapping[str, str]
    path: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass
class _Requested:
    """The path of a page that the server wants to be opened, None for none, and what that page is to show."""

    path: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)


def asked() -> str | None:
    """The path of the page that is to be opened now, by a link or by `request`; None for none."""
    requested = remembered(_Requested)
    wanted, requested.path = requested.path, None
    return wanted


def _pressed() -> None:
    """Remember the link that was pressed, and rerun the bar. A browser may send the press together with what the view
    has to say; Streamlit would then rerun the view alone.
    """
    path = message(st.session_state.get(KEY), "go", lambda sent: text(sent.get("path"), MAX_PATH))
    if path is not None:
        requested = remembered(_Requested)
        requested.path, requested.query = path, {}
        st.rerun(FRAGMENT)


def wanted_query() -> Mapping[str, str]:
    """What the page that was requested is to show, once; nothing for a link."""
    requested = remembered(_Requested)
    query, requested.query = requested.query, {}
    return query


def request(path: str, query: Mapping[str, str] | None = None) -> None:
    """Have the browser open another page, with these parameters in place of those that it was left with; reruns this
    page.
    """
    requested = remembered(_Requested)
    requested.path, requested.query = path, query or {}
    st.rerun()


def mount(
    title: str,
    links: Sequence[Link],
    shared: Sequence[str],
    answer: Once | None,
    correction: Once,
) -> None:
    """Show the bar. `shared` names the parameters that all pages have: links take them from the present address.

    With an `answer` the browser opens that page. It sets the parameters in `correction` in the present address, without
    a step of the history.
    """
    data: dict[str, Any] = {
        "title": title,
        "links": [asdict(link) for link in links],
        "shared": list(shared),
        "answer": asdict(answer) if answer else None,
        "correction": asdict(correction),
    }
    component(KEY)(key=KEY, data=[data], on_go_change=_pressed)
