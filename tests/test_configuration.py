"""Streamlit sends the same theme and settings as it would by itself, and reads them once."""

import pytest
from streamlit import config
from streamlit.proto.NewSession_pb2 import NewSession
from streamlit.runtime import app_session

from cnn_explorer.ui import configuration

SECTIONS = ("theme", "theme.light", "theme.dark", "theme.sidebar", "theme.light.sidebar", "theme.dark.sidebar")


def sent() -> bytes:
    """What a run's first message says of the configuration."""
    whole = NewSession()
    app_session._populate_config_msg(whole.config)
    for section in SECTIONS:
        message = whole.custom_theme
        for part in section.split(".")[1:]:
            message = getattr(message, part)
        app_session._populate_theme_msg(message, section)
    return whole.SerializeToString(deterministic=True)


def test_the_configuration_is_read_once_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_session, "_populate_theme_msg", configuration._READ_THEME)
    monkeypatch.setattr(app_session, "_populate_config_msg", configuration._READ_CONFIG)
    itself = sent()
    assert b"1f5fbf" in itself  # of .streamlit/config.toml
    configuration.read_once()
    assert sent() == itself
    monkeypatch.setattr(config, "get_options_for_section", None)
    monkeypatch.setattr(config, "get_option", None)
    assert sent() == itself
