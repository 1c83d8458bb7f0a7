"""Widgets that show a value which the visitor and others change alike: a preset, the address, another widget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

VERSIONS = "widget_versions"  # session key: how often each widget has been replaced by a new one


def controlled(name: str, value: object, act: Callable[[Any], None]) -> dict[str, Any]:
    """Key and callback for a widget that is to show `value`; `act` gets what the visitor has changed it to.

    With every change a browser sends the values of all its widgets, and where others have changed one a moment ago, it still sends
    the old value. So a widget that others change is replaced by a new one, and nobody listens to the old one any more.
    """
    versions: dict[str, int] = st.session_state.setdefault(VERSIONS, {})
    key = f"{name} v{versions.get(name, 0)}"
    if key not in st.session_state or st.session_state[key] != value:
        versions[name] = versions.get(name, 0) + 1
        key = f"{name} v{versions[name]}"
        st.session_state[key] = value
    version = versions.get(name, 0)

    def changed() -> None:
        if versions.get(name, 0) == version:
            act(st.session_state[key])

    return {"key": key, "on_change": changed}
