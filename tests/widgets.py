"""Widgets of an AppTest by their name: the key of one that others may change ends in a version (cnn_explorer/ui/controlled.py)."""

from typing import Any


def name_of(widget: Any) -> str:
    return (widget.key or "").rsplit(" v", 1)[0]


def control(widgets: Any, wanted: str) -> Any:
    (found,) = [widget for widget in widgets if name_of(widget) == wanted]
    return found
