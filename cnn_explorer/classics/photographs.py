"""Pictures for the classic networks: four photographs that come with the app, and what a visitor uploads.

The photographs are those of scikit-image, reduced to 320 pixels.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from cnn_explorer.digits.preprocessing import (
    MAX_PICTURE,
    MAX_PICTURE_SIDE,
    SIZE_LIMITS,
    PictureError,
    have_decoded_small,
)
from cnn_explorer.shipped import read_asset

SIDE = 640  # pixels of the longer side; a larger picture is reduced to it
MAX_RATIO = 8  # of the longer side to the shorter one: the shorter one is scaled to 256 pixels


@dataclass(frozen=True)
class Photograph:
    """A photograph of the app: the `name` of its file, its `title`, and where it is from (`source`)."""

    name: str
    title: str
    source: str


PHOTOGRAPHS = {
    one.name: one
    for one in (
        Photograph("chelsea", "A cat", "Chelsea, by Stéfan van der Walt (CC0)"),
        Photograph("coffee", "A cup of coffee", "by Rachel Michetti, Pikolo Espresso Bar (CC0)"),
        Photograph("rocket", "A rocket", "Falcon 9, by SpaceX (public domain)"),
        Photograph("astronaut", "An astronaut", "Eileen Collins, by NASA (public domain)"),
    )
}


def photograph(name: str) -> bytes:
    """The JPEG file of a photograph, by its name. Raises `AssetError` if it is damaged."""
    return read_asset(f"{name}.jpg")


def decoded(file: bytes) -> Image.Image:
    """A JPEG file of `photograph` or `as_jpeg`, mode RGB."""
    with Image.open(io.BytesIO(file), formats=["JPEG"]) as picture:
        return picture.convert("RGB")


def as_jpeg(picture: Image.Image) -> bytes:
    """Any picture as a JPEG file in colour, upright, at most `SIDE` pixels on a side.

    Raises `PictureError` for one that is too large or too narrow, before a pixel is decoded, and what Pillow raises for
    a file that it cannot read.
    """
    _check(picture)
    turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    picture.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG file is decoded at half its size, or less, where that is enough
    small = _colour(picture)
    if turn is not None:
        small = small.transpose(turn)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=95)
    return file.getvalue()


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _check(picture: Image.Image) -> None:
    have_decoded_small(picture)
    width, height = picture.size
    size = f"the picture has {width:,}×{height:,} pixels"
    if width * height > MAX_PICTURE or max(width, height) > MAX_PICTURE_SIDE:
        raise PictureError(f"{size}; {SIZE_LIMITS}")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise PictureError(f"{size}; one side may be at most {MAX_RATIO} times as long as the other")


def _colour(picture: Image.Image) -> Image.Image:
    """Mode RGB and reduced. What is transparent becomes white."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _reduced(_eight_bits(picture)).convert("RGB")
    if picture.mode == "LAB":
        return _reduced(picture.getchannel("L")).convert("RGB")
    if picture.mode in ("1", "P", "PA") or picture.has_transparency_data:
        rgba = _reduced(picture.convert("RGBA"))
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return _reduced(picture).convert("RGB")


def _reduced(picture: Image.Image) -> Image.Image:
    small = picture.copy() if max(picture.size) <= SIDE else picture
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3)
    return small


def _eight_bits(picture: Image.Image) -> Image.Image:
    """A picture of whole numbers up to 65,535 or of floats as mode L, from its smallest to its largest value."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32), posinf=0, neginf=0)
    values -= values.min()
    values *= 255 / max(float(values.max()), 1e-6)
    return Image.fromarray(values.round().astype(np.uint8))
