"""Streamlit sends the same theme as it would by itself, and reads it once."""

import pytest
from streamlit import config
from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

from cnn_explorer.ui import theme

SECTIONS = ("theme", "theme.light", "theme.dark", "theme.sidebar", "theme.light.sidebar", "theme.dark.sidebar")


def sent() -> bytes:
    """What a run's first message says of the theme."""
    whole = CustomThemeConfig()
    for section in SECTIONS:
        message = whole
        for part in section.split(".")[1:]:
            message = getattr(message, part)
        app_session._populate_theme_msg(message, section)
    return whole.SerializeToString(deterministic=True)


def test_the_theme_is_read_once_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_session, "_populate_theme_msg", theme._READ)
    itself = sent()
    assert b"1f5fbf" in itself  # of .streamlit/config.toml
    theme.read_once()
    assert sent() == itself
    monkeypatch.setattr(config, "get_options_for_section", None)
    assert sent() == itself
