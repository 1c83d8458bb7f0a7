"""Widgets that show a value which the visitor and others change alike: a preset, the address, another widget.

With every message a browser sends the values of all its widgets, as it last knew them. So a message can hold the old
value of a widget that others have changed a moment ago, or a value of one that is gone. Neither is anybody's wish: a
widget that others change is replaced by a new one, by its key, and nobody listens any more to one that has been
replaced or is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from cnn_explorer.ui.boundary import careful
from cnn_explorer.ui.session import remembered


@dataclass
class _Widgets:
    """By name, how often each widget has been replaced (`versions`), and the names that this run has `shown`."""

    versions: dict[str, int] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)


@contextmanager
def listening() -> Iterator[None]:
    """Around (or decorating) all that shows such widgets on a page: what is not shown in it is not listened to after
    it.

    A run that is interrupted says nothing about what is shown.
    """
    shown: set[str] = set()
    remembered(_Widgets).shown = shown
    yield
    versions = remembered(_Widgets).versions
    for name in versions.keys() - shown:
        versions[name] += 1


def controlled(
    name: str, value: object, act: Callable[[Any], None], parameter: str = "value", options: Sequence[Any] | None = None
) -> dict[str, Any]:
    """Key, value and callback for a widget that is to show `value`; `act` gets what the visitor has changed it to.

    `parameter` is what the widget calls its value. Where there are `options`, a message with anything else changes
    nothing: Streamlit takes it as it comes.
    """
    versions = remembered(_Widgets).versions
    key = f"{name} v{versions.get(name, 0)}"
    if key not in st.session_state or st.session_state[key] != value:
        versions[name] = versions.get(name, 0) + 1
        key = f"{name} v{versions[name]}"
    version = versions[name]
    remembered(_Widgets).shown.add(name)

    def changed() -> None:
        new = st.session_state[key]
        if versions.get(name, 0) == version and (options is None or new in options):
            careful(act)(new)

    # The value goes along with the widget: one that is set in the session instead is told to the browser once only, and
    # is lost where a run follows before the browser has drawn that.
    return {"key": key, "on_change": changed, parameter: value}


def chosen(name: str, value: object, options: Sequence[Any], act: Callable[[Any], None]) -> dict[str, Any]:
    """`controlled` for a selectbox with its `options`, of which none may be chosen (None)."""
    widget = controlled(name, value, act, options=options)
    value = widget.pop("value")
    return {**widget, "options": options, "index": options.index(value) if value in options else None}
