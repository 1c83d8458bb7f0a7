"""What an answer rests on: a heat map, with what tests it beside it."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st
from PIL import Image

from cnn_explorer.classics.explaining import COVER, GRID, Explained
from cnn_explorer.classics.graph import Graph
from cnn_explorer.classics.running import Classified
from cnn_explorer.ui.classics import kept, state
from cnn_explorer.ui.classics.later import later
from cnn_explorer.ui.widgets import data_url

SIDE = 224  # pixels of each picture
NOTHING_LEARNED = "A network that has learned nothing. What looks alike in both says nothing about learning."
STYLE = """<style>
.explained { display: flex; flex-wrap: wrap; gap: 14px 22px; font-size: 13px; }
.explained figure { margin: 0; width: 224px; }
.explained figure b { display: block; margin-bottom: 4px; }
.explained :is(img, .covers) { display: block; width: 224px; height: 224px; }
.explained .covers { display: grid; grid-template: repeat(7, 1fr) / repeat(7, 1fr); }
.explained .covers span { display: grid; place-items: center; font-size: 11px; color: #10151d; }
.explained figcaption { margin-top: 4px; opacity: 0.85; }
</style>"""


def explained(found: Classified, graph: Graph, open_place: int | None) -> None:
    """Grad-CAM for one of the five answers, at the part that is open or at the last maps, with its tests."""
    name, picture = state.network(), state.picture_file()
    if not st.toggle("Where does the network look?", key="classic_explain"):
        return
    labels = [one.label for one in found.answers]
    label = st.selectbox("Class", labels, key=f"classic_class {labels}", width=250)
    place = _place(graph, open_place)
    later(
        lambda: kept.explained(name, picture, place, label),
        lambda value: _show(value, found, graph.nodes[place].name),
        f"Covering {GRID * GRID} places, one after the other.",
    )


def _place(graph: Graph, wanted: int | None) -> int:
    """The node that is open, if it has maps of more than one pixel; else the last such node."""
    shapes = kept.shapes(graph.name, 299).nodes
    with_maps = [place for place, one in enumerate(shapes) if len(one.shape) == 3 and min(one.shape[1:]) > 1 and place]
    return wanted if wanted in with_maps else with_maps[-1]


def _show(found: Explained, seen: Classified, node: str) -> None:
    maps = (
        ("Grad-CAM", found.cam, f"What the maps of {node} say for “{found.label}”: red for much."),
        (
            "The same, random weights",
            found.random,
            NOTHING_LEARNED,
        ),
    )
    figures = [
        f'<figure><b>{title}</b><img alt="{title}" src="{data_url(_overlaid(seen.cropped, cam))}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for title, cam, caption in maps
    ]
    st.html(f'{STYLE}<div class="explained">{"".join(figures)}{_covers(found)}</div>')
    st.caption(_verdict(found))


def _covers(found: Explained) -> str:
    cells = "".join(
        f'<span style="background: rgb({_shade(float(value), found.probability)})">{100 * value:.0f}</span>'
        for value in found.covered.ravel()
    )
    caption = (
        f"The probability in percent when a grey square of {COVER} pixels covers this place. Without it: "
        f"{100 * found.probability:.1f} %. Red where covering lowers it."
    )
    grid = f'<div class="covers">{cells}</div>'
    return f"<figure><b>The test: cover a place</b>{grid}<figcaption>{caption}</figcaption></figure>"


def _shade(value: float, uncovered: float) -> str:
    """White where covering changes nothing, red where it takes all of the probability, blue where it adds to it."""
    lost = (uncovered - value) / max(uncovered, 1e-6)
    full = (240, 110, 90) if lost > 0 else (120, 165, 235)
    share = min(1.0, abs(lost))
    return ", ".join(f"{246 + share * (channel - 246):.0f}" for channel in full)


def _verdict(found: Explained) -> str:
    """What covering the place says that the map is brightest at."""
    reduced = Image.fromarray(found.cam).resize((GRID, GRID), Image.Resampling.BOX)
    row, column = np.unravel_index(int(np.asarray(reduced).argmax()), (GRID, GRID))
    after = float(found.covered[row, column])
    lower = int((found.covered < after).sum())
    others = (
        "No other place lowers it more."
        if not lower
        else f"{lower} of the other {GRID * GRID - 1} places lower it more."
    )
    return (
        f"Covering the brightest place of the map takes the probability from {100 * found.probability:.1f} to "
        f"{100 * after:.1f} %. {others}"
    )


def _overlaid(pixels: np.ndarray, cam: np.ndarray) -> Image.Image:
    """The picture in grey, with the map over it in red."""
    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE))
    heat = Image.fromarray(cam.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    share = 0.75 * np.clip(np.asarray(heat), 0, 1)[..., None]
    mixed = (1 - share) * (90 + 0.6 * np.asarray(grey, np.float32))[..., None] + share * np.array([225, 40, 20])
    return Image.fromarray(mixed.round().astype(np.uint8))
