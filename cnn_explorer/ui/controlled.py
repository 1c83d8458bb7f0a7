"""Widgets whose value changes in other ways as well: by a preset, by the address, by another widget.

With every message a browser sends the values of all its widgets, as it last knew them. So a message can hold the old
value of a widget that has changed in another way a moment ago, or a value of a widget that is gone. Nobody has chosen
these values. So a widget that changes in another way is replaced by a new one, under another key, and a value of a
widget that has been replaced or is not shown is ignored.
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
    """A context manager and decorator for all that shows such widgets on a page.

    From its end on, values of widgets that it has not shown are ignored. An interrupted run changes nothing, because it
    may not have come to all widgets.
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
    """Key, value and callback for a widget that is to show `value`. `act` gets the value that the visitor has chosen.

    `parameter` is the widget's name for its value. Where there are `options`, a message with any other value changes
    nothing: Streamlit does not check it.
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

    # The value is an argument of the widget. Streamlit sends a value that is set in the session once only, and it is
    # lost where another run begins before the browser has drawn it.
    return {"key": key, "on_change": changed, parameter: value}


def chosen(name: str, value: object, options: Sequence[Any], act: Callable[[Any], None]) -> dict[str, Any]:
    """`controlled` for a selectbox with its `options`, of which none may be chosen (None)."""
    widget = controlled(name, value, act, options=options)
    value = widget.pop("value")
    return {**widget, "options": options, "index": options.index(value) if value in options else None}
