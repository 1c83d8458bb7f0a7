"""A component of this package by its folder's name, as the manifest registers it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_MANIFEST = Path(__file__).parents[1] / "pyproject.toml"


@cache
def component(folder: str) -> Callable[..., Any]:
    """The component in a folder of `ui/`.

    Its `data` are bytes, or a list of one value that JSON can hold. In a mapping, Streamlit would look for data frames,
    and would load pandas and pyarrow for that: 70 MB and a second of the first page.

    Its name in the manifest ends in a hash of its assets, so a browser never uses modules that it keeps of an older
    version.
    """
    return st.components.v2.component(
        _full_names()[folder],
        html=f'<div class="{folder.replace("_", "-")}">\n</div>',
        css="style.css",
        js="index.js",
    )


def module_paths(folder: str) -> list[str]:
    """Where the server has the component's JavaScript modules, below the app's address."""
    files = sorted((_MANIFEST.parent / "ui" / folder / "assets").glob("*.js"))
    return [f"_stcore/bidi-components/{_full_names()[folder]}/{file.name}" for file in files]


@cache
def _full_names() -> dict[str, str]:
    """The components' names, by folder. The manifest is read once."""
    manifest = tomllib.loads(_MANIFEST.read_text(encoding="utf-8"))
    entries = manifest["tool"]["streamlit"]["component"]["components"]
    return {entry["asset_dir"].split("/")[1]: f"{manifest['project']['name']}.{entry['name']}" for entry in entries}


def nothing() -> None:
    """A callback without effect: Streamlit keeps a component's state only if it has a callback."""
