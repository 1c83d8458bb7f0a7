"""A picture and what the network says of it: a photograph of the app, or one that the visitor uploads or takes."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st
from PIL import Image

from cnn_explorer.classics.graph import Graph
from cnn_explorer.classics.photographs import PHOTOGRAPHS, as_jpeg
from cnn_explorer.classics.running import Classified, Colour
from cnn_explorer.ui.classics import kept, state
from cnn_explorer.ui.classics.explained import explained
from cnn_explorer.ui.classics.fetching import fetching
from cnn_explorer.ui.classics.later import later
from cnn_explorer.ui.controlled import chosen
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.uploads import picture_camera, picture_uploader, upload_error
from cnn_explorer.ui.widgets import jpeg_url

UPLOAD, CAMERA = "classic_upload", "classic_camera"
MUST_CHOOSE = (
    "The network was trained on ImageNet, with 1,000 classes, animals and things for the most part. It must choose one "
    "of them whatever it is shown, even for a face, which is none of them."
)
LOADING = "Loading the network. The first picture takes some seconds."
STYLE = """<style>
.classified { display: flex; flex-wrap: wrap; gap: 14px 22px; align-items: flex-start; font-size: 13px; }
.classified figure { margin: 0; max-width: 230px; }
.classified figure b { display: block; margin-bottom: 4px; }
.classified img { display: block; height: 150px; max-width: 100%; object-fit: contain; object-position: left; }
.classified figcaption { margin-top: 4px; opacity: 0.85; }
.classified .answers { flex: 1 1 260px; max-width: 420px; }
.classified ol { margin: 4px 0 0; padding: 0; list-style: none; }
.classified li { margin-bottom: 6px; }
.classified li span { display: flex; justify-content: space-between; gap: 10px; }
.classified i { display: block; height: 7px; min-width: 1px; background: #2f7ed8; }
.classified table { border-collapse: collapse; }
.classified :is(th, td) { padding: 1px 10px 1px 0 !important; border: 0 !important; text-align: right; }
.classified th { font-weight: 400; }
@media (min-width: 1700px) { .classified, .classified :is(th, td) { font-size: 14px !important; } } /* a projector */
</style>"""


def your_picture(graph: Graph, open_place: int | None) -> None:
    """The choice of a picture, the network's answer as soon as it is there, and what that rests on: by the maps of the
    node at `open_place`, if any.
    """
    st.markdown("### On a picture")
    name = state.network()
    if kept.has_weights(name):
        _choice()
        picture = state.picture_file()

        def show(found: Classified) -> None:
            _show(found)
            explained(found, graph, open_place)

        later(lambda: kept.classified(name, picture), show, LOADING)
    if not kept.has_weights(name):  # also where the file was damaged
        fetching(name)


def _choice() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.selectbox(
            "Picture",
            label_visibility="collapsed",
            width=250,
            format_func=lambda name: PHOTOGRAPHS[name].title if name in PHOTOGRAPHS else "Your own picture",
            **chosen("classic_picture", state.picture(), state.pictures(), state.show_picture),
        )
        with st.popover("Your own picture", icon=":material/upload:"):
            picture_uploader("Any picture in colour", UPLOAD, _take)
            _error(UPLOAD)
            if st.toggle("Take one with the camera", key="classic_with_camera"):
                picture_camera("Camera", CAMERA, _take)
                _error(CAMERA)
            st.caption("It stays in this server's memory until you leave, and is in no link.")
        if state.picture() in PHOTOGRAPHS:
            st.caption(plain(PHOTOGRAPHS[state.picture()].source), width="content")


def _error(key: str) -> None:
    if upload_error(key):
        st.error(upload_error(key))
    else:
        st.empty()


def _take(picture: Image.Image) -> str:
    state.show_own(as_jpeg(picture))
    return ""


def _show(found: Classified) -> None:
    st.html(STYLE + _steps(found))
    side = found.preprocessing.crop
    other = f" The weights are made for {side} × {side} pixels: the size above changes the drawing alone."
    st.caption(MUST_CHOOSE + (other if state.size() != side else ""))


def _steps(found: Classified) -> str:
    wanted = found.preprocessing
    rows, columns, _ = found.resized.shape
    steps = [
        _figure(
            "1 · Resize",
            found.resized,
            f"The shorter side to {wanted.resize} pixels ({wanted.interpolation}): {columns} × {rows}.",
        ),
        _figure("2 · Crop", found.cropped, f"The middle {wanted.crop} × {wanted.crop} pixels."),
        f'<figure class="normalise"><b>3 · Normalise</b>{_normalised(found)}<figcaption>(value/255 − mean)/std, '
        f"for the pixel in the middle.</figcaption></figure>",
    ]
    return f'<div class="classified">{"".join(steps)}{_answers(found)}</div>'


def _figure(title: str, pixels: np.ndarray, caption: str) -> str:
    image = f'<img alt="{title}" src="{jpeg_url(Image.fromarray(pixels))}">'
    return f"<figure><b>{title}</b>{image}<figcaption>{caption}</figcaption></figure>"


def _normalised(found: Classified) -> str:
    def row(name: str, values: Colour | tuple[int, int, int], digits: int) -> str:
        return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{value:.{digits}f}</td>" for value in values)}</tr>'

    wanted = found.preprocessing
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("", "red", "green", "blue"))
    lines = [row("value", found.pixel, 0), row("mean", wanted.mean, 3), row("std", wanted.std, 3)]
    return f"<table><tr>{heads}</tr>{''.join(lines)}{row('result', found.normalised, 3)}</table>"


def _answers(found: Classified) -> str:
    items = [
        f"<li><span><span>{html.escape(one.label)}</span><span>{100 * one.probability:.1f} %</span></span>"
        f'<i style="width: {100 * one.probability:.1f}%"></i></li>'
        for one in found.answers
    ]
    return f'<div class="answers"><b>The five most probable of 1,000 classes</b><ol>{"".join(items)}</ol></div>'
