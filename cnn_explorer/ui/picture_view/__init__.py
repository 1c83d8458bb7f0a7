"""The picture view: a component with pictures to point at, by pointer, finger or arrow keys.

It shows what becomes of a class's probability where a place is covered (`assets/cover_test.js`), or maps with what
their pixels see of the picture (`assets/maps.js`). All that can be pointed at is sent beforehand, so the browser
answers by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import streamlit as st

from cnn_explorer.ui.component import component, nothing
from cnn_explorer.ui.messages import Message, message, text, whole

COMPONENT = "picture_view"
MAX_LAYER = 200  # characters of a layer's name
MAX_INDEX = 100_000

Pixel = tuple[int, int, int]  # channel, row, column


@dataclass(frozen=True)
class Figure:
    """A picture with its `title` and `caption`; `image` is its address."""

    title: str
    image: str
    caption: str


def mount_cover_test(
    key: str,
    heat_maps: Sequence[Figure],
    test: Figure,
    cover: float,
    label: str,
    probability: float,
    grids: Sequence[np.ndarray],
) -> None:
    """Show heat maps and the picture of the `test` beside them, on which the visitor covers places.

    `cover` is the covering square's share of a side. `probability` is that of the class `label` when nothing is
    covered; `grids` have it with each place covered, `(places, places)`, NaN for what is not computed yet; the finest
    grid is the last.
    """
    data = {
        "kind": "cover test",
        "heatMaps": list(map(asdict, heat_maps)),
        "test": asdict(test),
        "cover": cover,
        "label": label,
        "probability": probability,
        "grids": [
            {"places": len(grid), "values": [None if math.isnan(value) else value for value in grid.ravel().tolist()]}
            for grid in grids
        ],
    }
    component(COMPONENT)(key=key, data=[data])


@dataclass(frozen=True)
class Field:
    """What each of the `rows` and `columns` of a map sees of the picture: the first pixel and the last one. A last one
    before the first means nothing.
    """

    rows: Sequence[Sequence[int]]
    columns: Sequence[Sequence[int]]


@dataclass(frozen=True)
class FeatureMap:
    """A map with its `title`; `image` is its address. `field` is the index of its field."""

    title: str
    image: str
    field: int


@dataclass(frozen=True)
class Tile:
    """The `maps` of one `channel`: its own is the last, behind those that were added to make it, if any were. `kernel`
    is the address of a picture, "" for none.
    """

    channel: int
    maps: Sequence[FeatureMap]
    kernel: str
    caption: str


def mount_maps(
    key: str,
    layer: str,
    picture: Figure,
    side: int,
    fields: Sequence[Field],
    tiles: Sequence[Tile],
    chosen: Pixel | None,
) -> None:
    """Show maps of a layer beside the picture, which has `side` × `side` pixels. `chosen` is the pixel that is kept."""
    names = ("channel", "row", "column")
    data = {
        "kind": "maps",
        "layer": layer,
        "picture": asdict(picture),
        "side": side,
        "fields": list(map(asdict, fields)),
        "tiles": list(map(asdict, tiles)),
        "chosen": dict(zip(names, chosen, strict=True)) if chosen else None,
    }
    component(COMPONENT)(key=key, data=[data], on_choose_change=nothing)


def chosen_in(key: str) -> tuple[str, Pixel] | None:
    """The layer and the pixel that were chosen just now, None for none."""

    def read(sent: Message) -> tuple[str, Pixel]:
        channel, row, column = (whole(sent.get(name), 0, MAX_INDEX) for name in ("channel", "row", "column"))
        return text(sent.get("layer"), MAX_LAYER), (channel, row, column)

    return message(st.session_state.get(key), "choose", read)
