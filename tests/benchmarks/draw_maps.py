"""Draw the maps of conv1 for several networks, a network a row: what a change does to them.

    python tests/benchmarks/draw_maps.py --out FILE.png [ARCHITECTURE …]

The drawing is the one that the app opens with. A map's colours go from blue (negative) over white to orange (positive),
to its largest absolute value.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from cnn_explorer import LECTURE, load_network, parse
from cnn_explorer.digits.drawing import example_drawing

CHANGES = (
    str(LECTURE),
    "conv10k5s2-max2-relu-conv20k5-max2-relu-fc10",
    "conv10k5-avg2-relu-conv20k5-max2-relu-fc10",
    "conv10k3-max2-relu-conv20k5-max2-relu-fc10",
)
SIDE, GAP, TITLE = 72, 6, 22
BLUE, WHITE, ORANGE = (np.array(colour, dtype=float) for colour in ((33, 102, 172), (247, 247, 247), (230, 97, 1)))


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("architectures", nargs="*", default=CHANGES)
    options = parser.parse_args()
    rows = [row_of(architecture) for architecture in options.architectures]
    picture = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        picture.paste(row, (0, top))
        top += row.height
    picture.save(options.out, optimize=True)


def row_of(architecture: str) -> Image.Image:
    """The first ten maps of conv1, with the architecture above them."""
    module = load_network(parse(architecture)).module
    image = example_drawing().preprocess().image
    with torch.no_grad():
        maps = module[:2](image.reshape(1, 1, 28, 28))[0, :10].numpy()
    row = Image.new("RGB", (len(maps) * (SIDE + GAP), TITLE + SIDE + GAP), "white")
    shape = "x".join(map(str, maps.shape[1:]))
    ImageDraw.Draw(row).text((2, 4), f"{architecture}  ({shape})", "black", ImageFont.load_default(13))
    for index, values in enumerate(maps / abs(maps).max(axis=(1, 2), keepdims=True)):
        weight = values[..., None]
        colours = WHITE + np.where(weight < 0, -weight * (BLUE - WHITE), weight * (ORANGE - WHITE))
        tile = Image.fromarray(colours.round().astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        row.paste(tile, (index * (SIDE + GAP), TITLE))
    return row


if __name__ == "__main__":
    main()
