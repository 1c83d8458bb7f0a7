"""What an answer rests on: a heat map, with what tests it beside it."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image

from cnn_explorer.classics.explaining import COVER, GRIDS, Explained
from cnn_explorer.classics.graph import Graph
from cnn_explorer.classics.running import Classified
from cnn_explorer.classics.worker import WorkerError
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.classics import kept, state
from cnn_explorer.ui.classics.later import ASKED_AGAIN, later
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.picture_view import Figure, mount_cover_test
from cnn_explorer.ui.widgets import jpeg_url

SIDE = 224  # pixels of each picture
NOTHING_LEARNED = "A network that has learned nothing. What looks alike in both says nothing about learning."


def drop_unknown_class() -> None:
    """Drop a class in the address that there is not."""
    if state.label() and state.label() not in kept.categories():
        state.drop_label()


def explained(found: Classified, graph: Graph, open_place: int | None) -> None:
    """Grad-CAM for any class, at the part that is open or at the last maps, with its tests."""
    name, picture = state.network(), state.picture_file()
    st.toggle("Where does the network look?", **controlled("classic_explain", state.heat(), state.show_heat))
    if not state.heat():
        return
    label = _choice(found)
    place = _place(graph, open_place)

    def ask() -> tuple[Explained, bool] | None:
        value = kept.explained(name, picture, place, label)
        return None if value is None else (value, bool(np.isnan(_grids(name, picture, label)[-1]).any()))

    def show(value: tuple[Explained, bool]) -> None:
        going = value[1]
        st.fragment(_test, run_every=ASKED_AGAIN if going else None)(value[0], found, graph.nodes[place].name, going)

    later(ask, show, "Computing the heat map.")


def _choice(found: Classified) -> str:
    """The class: the answers first, then all others by the alphabet."""
    answers = {one.label: f"{one.label} ({100 * one.probability:.1f} %)" for one in found.answers}
    first = found.answers[0].label
    label = state.label() or first
    others = sorted(set(kept.categories()) - answers.keys(), key=str.casefold)
    st.selectbox(
        "Class: type to search all 1,000",
        width=320,
        format_func=lambda label: answers.get(label, label),
        **chosen(
            "classic_class",
            label,
            [*answers, *others],
            lambda label: state.show_label("" if label == first else label),
        ),
    )
    return label


def _place(graph: Graph, wanted: int | None) -> int:
    """The node that is open, if it has maps of more than one pixel; else the last such node."""
    shapes = kept.seen_shapes(graph.name).nodes
    with_maps = [place for place, one in enumerate(shapes) if len(one.shape) == 3 and min(one.shape[1:]) > 1 and place]
    return wanted if wanted in with_maps else with_maps[-1]


def _grids(name: str, picture: bytes, label: str) -> list[np.ndarray]:
    """The probability with each place covered, on the coarse grid and on the fine one; the fine one comes after."""
    coarse, fine = GRIDS
    first = kept.covered(name, picture, label, coarse)
    if np.isnan(first).any():
        return [first, np.full((fine, fine), np.nan, np.float32)]
    return [first, kept.covered(name, picture, label, fine)]


@guarded()
def _test(explained: Explained, seen: Classified, node: str, going: bool) -> None:
    """The heat maps, and the picture to cover: its grids fill while the visitor looks on, and stop when nobody does."""
    try:
        grids = _grids(state.network(), state.picture_file(), explained.label)
    except (ValueError, WorkerError):
        st.rerun()  # the run of the whole page shows it
    if going and not np.isnan(grids[-1]).any():
        st.rerun()
    says = f"What the maps of {node} say for “{explained.label}”: red for much."
    mount_cover_test(
        "classic_cover_test",
        [
            Figure("Grad-CAM", jpeg_url(_overlaid(seen.cropped, explained.cam)), says),
            Figure("The same, random weights", jpeg_url(_overlaid(seen.cropped, explained.random)), NOTHING_LEARNED),
        ],
        Figure("The test: cover a place", jpeg_url(Image.fromarray(seen.cropped)), ""),
        COVER / seen.preprocessing.crop,
        explained.label,
        explained.probability,
        grids,
    )
    st.caption(_verdict(explained, grids))


def _verdict(found: Explained, grids: list[np.ndarray]) -> str:
    """What covering the place says that the map is brightest at; how far the test is."""
    coarse, fine = grids
    if np.isnan(coarse).any():
        return f"Covering {coarse.size} places, one after the other: {_done(coarse)} are done."
    places = len(coarse)
    reduced = Image.fromarray(found.cam).resize((places, places), Image.Resampling.BOX)
    row, column = np.unravel_index(int(np.asarray(reduced).argmax()), coarse.shape)
    after = float(coarse[row, column])
    lower = int((coarse < after).sum())
    others = f"{lower} of the other {coarse.size - 1} places of a grid of {places} × {places} lower it more."
    if not lower:
        others = f"No other place of a grid of {places} × {places} lowers it more."
    verdict = (
        f"Covering the brightest place of the map takes the probability from {_percent(found.probability)} to "
        f"{_percent(after)} %. {others}"
    )
    if np.isnan(fine).any():
        verdict += f" A finer grid follows: {_done(fine)} of {fine.size} places are done."
    return verdict


def _percent(share: float) -> str:
    """Two digits of what is less than a thousandth."""
    return f"{100 * share:.1f}" if share >= 0.001 else f"{100 * share:.2g}"


def _done(grid: np.ndarray) -> int:
    return int(np.isfinite(grid).sum())


def _overlaid(pixels: np.ndarray, cam: np.ndarray) -> Image.Image:
    """The picture in grey, with the map over it in red."""
    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE))
    heat = Image.fromarray(cam.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    share = 0.75 * np.clip(np.asarray(heat), 0, 1)[..., None]
    mixed = (1 - share) * (90 + 0.6 * np.asarray(grey, np.float32))[..., None] + share * np.array([225, 40, 20])
    return Image.fromarray(mixed.round().astype(np.uint8))
