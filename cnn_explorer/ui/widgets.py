"""Widgets that several pages show, and the common part of their callbacks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

import streamlit as st
from PIL import Image

from cnn_explorer.spec.network import PRESETS, NetworkSpec
from cnn_explorer.ui.boundary import careful
from cnn_explorer.ui.controlled import chosen
from cnn_explorer.ui.loading import torch_loading
from cnn_explorer.ui.markdown import plain

NUMBER_WIDTH = 108  # pixels; a narrower number loses its − and + buttons
PAGE = "page"  # key of the fragment that shows a page's controls


def then_page(act: Callable[..., None]) -> Callable[..., None]:
    """Make a callback rerun the whole page, unless it has asked for a rerun itself. With a stroke in the same message
    Streamlit would rerun the view alone.
    """

    def acted(*args: Any) -> None:
        careful(act)(*args)
        st.rerun(PAGE)

    return acted


PRESET_NAMES = {str(preset): name for name, preset in PRESETS.items()}


def preset_choice(spec: NetworkSpec, show: Callable[[NetworkSpec], None]) -> None:
    """A choice of well-known networks. `show` gets the chosen one."""

    def choose(name: str | None) -> None:
        if name:
            show(PRESETS[name])

    st.selectbox(
        "Network",
        placeholder="Your own network",
        label_visibility="collapsed",
        width=250,
        **chosen("preset", PRESET_NAMES.get(str(spec)), list(PRESETS), then_page(choose)),
    )


def show_notices(texts: Iterable[str]) -> None:
    """A warning for each text; for "" an empty element, which keeps those below in their positions."""
    for text in texts:
        if text:
            st.warning(text, icon=":material/link_off:")
        else:
            st.empty()


def ready() -> bool:
    """Wait until PyTorch is loaded. Returns False, and shows why, if it cannot be loaded."""
    loading = torch_loading()
    if not loading.ready and not loading.error:
        with st.spinner("Loading PyTorch…"):
            loading.wait()
    if loading.error:
        st.error(plain(loading.error), icon=":material/error:")
    return loading.ready


def data_url(picture: Image.Image) -> str:
    """The picture as a data: URL, so that the browser has no file to fetch that may be gone by then."""
    return _encoded(picture, "PNG")


def jpeg_url(picture: Image.Image) -> str:
    """The same for a photograph, which is smaller as a JPEG file."""
    return _encoded(picture, "JPEG", quality=88)


def _encoded(picture: Image.Image, kind: str, **settings: int) -> str:
    file = BytesIO()
    picture.save(file, kind, **settings)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
