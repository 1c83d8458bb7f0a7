"""The first layer's filters as pictures."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st
from PIL import Image
from torch import nn

from cnn_explorer.ui.widgets import data_url

SHOWN = 24  # filters
SIDE, GAP = 36, 3  # CSS pixels of a filter, and between two
# Colours from −1 to 1: purple below zero, green above, as for weights in the network view.
STOPS = np.array([[90, 30, 130], [175, 140, 205], [246, 246, 246], [125, 190, 135], [10, 100, 50]], dtype=np.float64)


def filters(module: nn.Sequential) -> tuple[str, np.ndarray] | None:
    """The name of the first convolution or linear layer, and at most `SHOWN` of its filters, `(M, h, w)`.

    A convolution's are those of its first input channel. A linear layer's are its rows of weights as square images.
    None if there is no such layer, or if its rows are not square.
    """
    for name, layer in module.named_children():
        if isinstance(layer, nn.Conv2d):
            return name, layer.weight[:SHOWN, 0].numpy(force=True)
        if isinstance(layer, nn.Linear):
            side = round(layer.in_features**0.5)
            return (
                (name, layer.weight[:SHOWN].numpy(force=True).reshape(-1, side, side))
                if side * side == layer.in_features
                else None
            )
    return None


def show_filters(module: nn.Sequential) -> None:
    """The first layer's filters, each scaled to its own largest weight."""
    found = filters(module)
    if found is None:
        st.empty()
        return
    name, weights = found
    layer = module.get_submodule(name)
    count, kind = len(layer.weight), "filters" if isinstance(layer, nn.Conv2d) else "rows of weights"  # type: ignore[arg-type]
    what = f"The {count} {kind} of {name}" if count <= SHOWN else f"The first {SHOWN} of {count:,} {kind} of {name}"
    pictures = "".join(f'<img src="{data_url(_coloured(weight))}" alt="" style="{_STYLE}">' for weight in weights)
    st.html(
        f'<figure style="margin:0" role="img" aria-label="{html.escape(what)}">'
        f'<figcaption style="font-size:14px;opacity:.8">{html.escape(what)}: purple −, green +</figcaption>'
        f'<div style="display:flex;flex-wrap:wrap;gap:{GAP}px">{pictures}</div></figure>'
    )


_STYLE = f"width:{SIDE}px;height:{SIDE}px;image-rendering:pixelated;border-radius:2px"


def _coloured(weight: np.ndarray) -> Image.Image:
    """`(h, w)` weights → a picture of that size, with zero in the middle of the colour scale."""
    reach = float(np.abs(weight).max()) or 1.0
    position = (weight / reach + 1) / 2 * (len(STOPS) - 1)
    anchors = np.arange(len(STOPS))
    colours = np.stack([np.interp(position, anchors, STOPS[:, channel]) for channel in range(3)], axis=-1)
    return Image.fromarray(colours.round().astype(np.uint8))
