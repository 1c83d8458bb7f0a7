"""The theme of `.streamlit/config.toml`, read once. Streamlit reads it for every run, which takes a millisecond."""

from __future__ import annotations

from functools import cache

from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

_READ = app_session._populate_theme_msg


@cache
def _theme(section: str) -> CustomThemeConfig:
    theme = CustomThemeConfig()
    _READ(theme, section)
    return theme


def _write(msg: CustomThemeConfig, section: str = "theme") -> None:
    theme = _theme(section)
    if theme.ByteSize():
        msg.MergeFrom(theme)


def read_once() -> None:
    """Have Streamlit send the theme as it is now, without reading it again."""
    _theme.cache_clear()
    app_session._populate_theme_msg = _write
