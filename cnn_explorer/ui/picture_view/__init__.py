"""The picture view: a component with pictures to point at, by pointer, finger or arrow keys.

It shows what becomes of a class's probability where a place is covered (`assets/cover_test.js`). All that can be
pointed at is sent beforehand, so the browser answers by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from cnn_explorer.ui.component import component

COMPONENT = "picture_view"


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
