"""The top bar: the component with the app's name, the links to all pages and the button that copies the address.

A link does not change the page by itself. The browser asks the server first, which answers with the other page's whole
address. The server runs messages in order, so that address holds every stroke and setting that came before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from cnn_explorer.ui.component import component, nothing
from cnn_explorer.ui.messages import message, text

KEY = "top_bar"  # session key
REQUEST = "page_to_open"  # session key: the path of a page that the server wants to be opened
ANSWERS = "page_answers"  # session key: how many addresses the browser was given
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


def asked() -> str | None:
    """The path of the page that is to be opened now, by a link or by `request`; None for none."""
    wanted: str | None = st.session_state.pop(REQUEST, None)
    pressed = message(st.session_state.get(KEY), "go", lambda sent: text(sent.get("path"), MAX_PATH))
    return wanted if pressed is None else pressed


def request(path: str) -> None:
    """Have the browser open another page; reruns this one."""
    st.session_state[REQUEST] = path
    st.rerun()


def mount(
    title: str, links: Sequence[Link], shared: Sequence[str], answer: tuple[str, Mapping[str, str]] | None
) -> None:
    """Show the bar. `shared` names the parameters that all pages have: links take them from the present address.

    With an `answer`, a path and its parameters, the browser opens that page.
    """
    data: dict[str, Any] = {
        "title": title,
        "links": [asdict(link) for link in links],
        "shared": list(shared),
        "answer": None,
    }
    if answer:
        st.session_state[ANSWERS] = st.session_state.get(ANSWERS, 0) + 1
        data["answer"] = {"number": st.session_state[ANSWERS], "path": answer[0], "query": dict(answer[1])}
    component(KEY)(key=KEY, data=data, on_go_change=nothing)
