"""Has `.streamlit/config.toml` read once a process. Streamlit reads it for every run, which takes a millisecond."""

from __future__ import annotations

from functools import cache

from streamlit.proto.NewSession_pb2 import Config, CustomThemeConfig
from streamlit.runtime import app_session

_READ_THEME, _READ_CONFIG = app_session._populate_theme_msg, app_session._populate_config_msg


@cache
def _theme(section: str) -> CustomThemeConfig:
    theme = CustomThemeConfig()
    _READ_THEME(theme, section)
    return theme


@cache
def _config() -> Config:
    config = Config()
    _READ_CONFIG(config)
    return config


def _write_theme(msg: CustomThemeConfig, section: str = "theme") -> None:
    theme = _theme(section)
    if theme.ByteSize():
        msg.MergeFrom(theme)


def _write_config(msg: Config) -> None:
    msg.MergeFrom(_config())


def read_once() -> None:
    """Have Streamlit read the configuration at the next run, and use that afterwards."""
    _theme.cache_clear()
    _config.cache_clear()
    app_session._populate_theme_msg = _write_theme
    app_session._populate_config_msg = _write_config
