"""Pen strokes or a picture → the 28×28 image a network trained on MNIST expects.

MNIST's digits were cropped, scaled so that their longer side has 20 of 28 pixels, and shifted so that their centre of
mass is at pixel (14, 14) (http://yann.lecun.com/exdb/mnist/). A visitor's drawing gets the same preprocessing, and
every step can be shown:

    strokes ─► drop specks ─► crop ─► redraw in a 20×20 box with a fixed pen ─┐
    picture ─► ink on black ─► drop specks ─► crop ─► resize into a 20×20 box ┴─► centre of mass to (14, 14)

Pixel values are called ink: 0 is background, 1 (or 255 in 8 bits) a full stroke. Coordinates: x to the right, y down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFilter, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

if TYPE_CHECKING:
    from torch import Tensor

SIZE = 28  # pixels on a side of the network's image
BOX = 20  # pixels of the digit's longer side
CENTRE = 14.0  # index of the pixel that holds the centre of mass
PEN = 2.6  # width of the redrawn pen in pixels of the image; MNIST's median is about 2.5
SUPERSAMPLING = 10  # strokes are drawn at ten times the resolution, then averaged
SPECK = 0.06  # a stroke shorter than this share of the longest one is dropped if it touches no other
MAX_CANVAS = 4096  # a side of the drawing surface
FARTHEST = 1_000_000  # the largest coordinate
MAX_PICTURE = 25_000_000  # pixels of a picture; a telephone's camera makes 12 to 24 million
MAX_PICTURE_SIDE = 200_000  # pixels of its longer side; a panorama has 16,000
MAX_PHOTOGRAPH = 120_000_000  # pixels of a JPEG file, which can be decoded at a half or a quarter of its sides
MAX_PROGRESSIVE = 50_000_000  # of a progressive one: libjpeg holds its coefficients, up to six bytes a pixel
SIZE_LIMITS = (
    f"at most {MAX_PICTURE // 10**6} million are read ({MAX_PHOTOGRAPH // 10**6} million of a JPEG file, "
    f"{MAX_PROGRESSIVE // 10**6} million of a progressive one), and at most {MAX_PICTURE_SIDE:,} on a side; make it "
    "smaller"
)
STRIP = 1_000_000  # pixels of a large picture that are converted at a time
PICTURE_SIDE = 280  # pixels; larger pictures are first reduced to this
FAINT = 12  # of 255: a picture with less contrast is empty
GRAIN = 5  # ink differs from paper by so many times its noise (from the 10 % quantile to the median)
# Pen widths, in pixels of the network's image, that a picture keeps; others are made thicker or thinner.
PICTURE_PEN = (1.3, 5.0)

Stroke = Sequence[Sequence[float]]

# By EXIF's orientation: how to turn a picture upright, whether its rows are then columns of the file, and whether these
# are counted from the end.
_UPRIGHT = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, False, False),
    3: (Image.Transpose.ROTATE_180, False, True),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, False, True),
    5: (Image.Transpose.TRANSPOSE, True, False),
    6: (Image.Transpose.ROTATE_270, True, False),
    7: (Image.Transpose.TRANSVERSE, True, True),
    8: (Image.Transpose.ROTATE_90, True, True),
}


class PictureError(ValueError):
    """A picture that is not read; the message is a clause for a page."""


@dataclass(frozen=True)
class Stage:
    """One step of the preprocessing: a `name`, a `caption` for the learner and `pixels`, `(H, W)` uint8, 0 background
    to 255 ink.
    """

    name: str
    caption: str
    pixels: np.ndarray


@dataclass(frozen=True)
class Preprocessed:
    """The network's image, `pixels`, `(28, 28)` uint8. `compute_stages()` computes the stages up to it."""

    pixels: np.ndarray
    compute_stages: Callable[[], tuple[Stage, ...]]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in order; the last one is the network's image. Computed anew with every use."""
        return self.compute_stages()

    @property
    def is_empty(self) -> bool:
        """True if there is no ink."""
        return not self.pixels.any()

    @property
    def image(self) -> Tensor:
        """The network's image, `(1, 1, 28, 28)`, float32 in [0, 1]."""
        return image_from_pixels(self.pixels)


def image_from_strokes(strokes: Sequence[Stroke], canvas_size: float = 280, pen_width: float = 16) -> Tensor:
    """Turn pen strokes into an MNIST-like image.

    `strokes` are lists of (x, y), y down, in canvas pixels. A stroke of one point is a dot; no strokes give a black
    image. `canvas_size` is the side of the drawing surface and `pen_width` the width of the pen on it, in the same
    pixels. The position and the size of the digit on the canvas do not change the result.

    Returns `(1, 1, 28, 28)`, float32 in [0, 1]. Raises `ValueError` for points that are not pairs of finite numbers,
    and for a canvas or a pen that is not 1 to 4,096 pixels wide.
    """
    return preprocess_strokes(strokes, canvas_size, pen_width).image


def image_from_picture(picture: Image.Image) -> Tensor:
    """Turn a picture of one digit (any size and mode, dark on light or light on dark) into an MNIST-like image.

    Returns `(1, 1, 28, 28)`, float32 in [0, 1]; a picture without contrast gives a black image. Raises
    `PictureError`, a `ValueError`, for more than 25 million pixels (120 million in a JPEG file, 50 million in a
    progressive one) or 200,000 on a side, before a pixel is decoded, and what Pillow raises for a file that it cannot
    read.
    """
    return preprocess_picture(picture).image


def image_from_pixels(pixels: np.ndarray) -> Tensor:
    """`(28, 28)` uint8 → `(1, 1, 28, 28)`, float32 in [0, 1]."""
    import torch

    return torch.from_numpy(pixels.astype(np.float32) / 255).reshape(1, 1, SIZE, SIZE)


def preprocess_strokes(strokes: Sequence[Stroke], canvas_size: float = 280, pen_width: float = 16) -> Preprocessed:
    """As `image_from_strokes`, with all stages."""
    for name, value in (("canvas_size", canvas_size), ("pen_width", pen_width)):
        if not 1 <= value <= MAX_CANVAS:
            raise ValueError(f"`{name}` (={value}) must be a number from 1 to {MAX_CANVAS:,}")
    drawn = [points for number, stroke in enumerate(strokes) if len(points := _points(number, stroke))]
    kept = _without_specks(drawn, pen_width)
    ink = _redraw(kept, pen_width)

    def earlier() -> tuple[Image.Image, Image.Image]:
        canvas = _draw(drawn, pen_width, (round(canvas_size), round(canvas_size)))
        return canvas, _cropped(canvas, _bounds(kept, pen_width))

    return _preprocessed(earlier, ink, SUPERSAMPLING)


def grey_pixels(picture: Image.Image, side: int) -> np.ndarray:
    """Any picture in grey as it is, `(H, W)` uint8 with 255 for white, at most `side` pixels on a side.

    Raises as `image_from_picture` does.
    """
    upright = _upright(picture)
    if max(upright.size) <= side:
        return np.asarray(_grey(_averageable(upright.whole())))
    scale = side / max(upright.size)
    width, height = (max(1, round(length * scale)) for length in upright.size)
    simple = upright.turn is None and _averaging(upright.rows(0, 1)).mode == upright.picture.mode
    whole = upright.picture if simple else _stacked(upright, 1, _averaging)
    return np.asarray(_grey(_averaged(whole.resize((width, height), Image.Resampling.BOX))))


def have_decoded_small(picture: Image.Image) -> None:
    """Have a large photograph, not yet loaded, decoded at a half or a quarter of its sides; in place."""
    pixels = picture.width * picture.height
    progressive = "progressive" in picture.info or "progression" in picture.info
    most = MAX_PROGRESSIVE if progressive else MAX_PHOTOGRAPH
    if isinstance(picture, JpegImageFile) and MAX_PICTURE < pixels <= most:
        part = 2 if pixels <= 4 * MAX_PICTURE else 4
        picture.draft(None, (picture.width // part, picture.height // part))


def _check_size(picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PICTURE or max(picture.size) > MAX_PICTURE_SIDE:
        raise PictureError(f"the picture has {picture.width:,}×{picture.height:,} pixels; {SIZE_LIMITS}")


def preprocess_picture(picture: Image.Image) -> Preprocessed:
    """As `image_from_picture`, with all stages."""
    raw = _ink_on_black(picture)
    kept = _without_small_parts(raw)
    crop = kept.crop(kept.getbbox() or (0, 0, 1, 1))
    crop = _with_usual_pen(crop, BOX / max(crop.size))
    crop = crop.crop(crop.getbbox() or (0, 0, 1, 1))  # a thinner pen leaves a rim
    scale = BOX / max(crop.size)
    size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
    ink = crop if crop.size == size else crop.resize(size, Image.Resampling.BICUBIC)
    return _preprocessed(lambda: (raw, crop), ink, 1)


def _preprocessed(
    earlier: Callable[[], tuple[Image.Image, Image.Image]], ink: Image.Image, detail: int
) -> Preprocessed:
    """Centre `ink`. `earlier()` returns the two stages before it: what was drawn, and its crop."""
    pixels = np.asarray(_centred(ink, detail))

    def stages() -> tuple[Stage, ...]:
        raw, crop = earlier()
        return (
            Stage("drawn", "what was drawn", np.asarray(raw)),
            Stage("cropped", "cropped to the ink, stray specks dropped", np.asarray(crop)),
            Stage("scaled", f"longer side to {BOX} pixels, pen to its usual width", np.asarray(_reduced(ink, detail))),
            Stage("centred", f"centre of mass to pixel (14, 14) of {SIZE}×{SIZE}", pixels),
        )

    return Preprocessed(pixels, stages)


# --- strokes ---


def _points(number: int, stroke: Stroke) -> np.ndarray:
    """One stroke as `(points, 2)` float64."""
    try:
        points = np.asarray(stroke, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.array(np.nan)
    if points.size == 0:
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2 or not (np.abs(points) <= FARTHEST).all():
        raise ValueError(f"stroke {number} is not a list of (x, y) pairs of finite numbers of at most {FARTHEST:,}")
    return points


def _extent(stroke: np.ndarray) -> float:
    return float(np.ptp(stroke, axis=0).max())


def _bounds(strokes: Sequence[np.ndarray], pen_width: float) -> tuple[int, int, int, int]:
    if not strokes:
        return (0, 0, 1, 1)
    points = np.concatenate(strokes)
    left, top = np.floor(points.min(axis=0) - pen_width / 2)
    right, bottom = np.ceil(points.max(axis=0) + pen_width / 2)
    return (int(left), int(top), int(right), int(bottom))


def _cropped(canvas: Image.Image, bounds: tuple[int, int, int, int]) -> Image.Image:
    left, top, right, bottom = bounds
    left, top = min(max(left, 0), canvas.width - 1), min(max(top, 0), canvas.height - 1)
    return canvas.crop((left, top, max(left + 1, min(right, canvas.width)), max(top + 1, min(bottom, canvas.height))))


def _without_specks(strokes: Sequence[np.ndarray], pen_width: float) -> list[np.ndarray]:
    """Leave out strokes that are much shorter than the longest one and touch no other."""
    longest = max((_extent(stroke) for stroke in strokes), default=0.0)
    if longest <= 2 * pen_width:  # a drawing of dots only keeps them
        return list(strokes)
    small = max(pen_width / 2, SPECK * longest)
    large = [_extent(stroke) >= small for stroke in strokes]
    if all(large):
        return list(strokes)
    body = [stroke for stroke, is_large in zip(strokes, large, strict=True) if is_large]
    starts, steps = (
        np.concatenate([stroke[:-1] for stroke in body]),
        np.concatenate([np.diff(stroke, axis=0) for stroke in body]),
    )
    return [
        stroke
        for stroke, is_large in zip(strokes, large, strict=True)
        if is_large or _distance(stroke[0], starts, steps) <= pen_width
    ]


def _distance(point: np.ndarray, starts: np.ndarray, steps: np.ndarray) -> float:
    """Distance from a point to the nearest of the line segments, `(segments, 2)` each."""
    length2 = np.maximum((steps**2).sum(axis=1), 1e-12)
    along = np.clip(((point - starts) * steps).sum(axis=1) / length2, 0, 1)
    return float(np.linalg.norm(starts + along[:, None] * steps - point, axis=1).min())


def _redraw(strokes: Sequence[np.ndarray], pen_width: float) -> Image.Image:
    """Draw the strokes with a fixed pen so that they fill the box, at `SUPERSAMPLING` times its resolution."""
    if not strokes:
        return Image.new("L", (SUPERSAMPLING, SUPERSAMPLING))
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = max(float((high - low).max()), pen_width)  # a dot stays a dot
    scale = (BOX - PEN) / extent * SUPERSAMPLING
    pen = PEN * SUPERSAMPLING
    width, height = np.ceil((high - low) * scale + pen).astype(int)
    return _draw([(stroke - low) * scale + pen / 2 for stroke in strokes], pen, (int(width), int(height)))


def _draw(strokes: Sequence[np.ndarray], pen_width: float, size: tuple[int, int]) -> Image.Image:
    """Ink of round-ended strokes, mode L. Coordinates are pixel edges: (0, 0) is the corner of the first pixel."""
    ink = Image.new("L", size)
    draw = ImageDraw.Draw(ink)
    radius = pen_width / 2
    for stroke in strokes:
        points = [(x - 0.5, y - 0.5) for x, y in stroke.tolist()]  # Pillow counts from pixel centres
        draw.line(points, fill=255, width=round(pen_width))
        for x, y in points:  # round ends and joints
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return ink


# --- strokes and pictures ---


def _centred(ink: Image.Image, detail: int) -> Image.Image:
    """Shift ink so that its centre of mass is at pixel (14, 14), or as near as possible without cutting it off.

    A pixel of the result is the mean of `detail` × `detail` pixels of `ink`.
    """
    values = np.asarray(ink, dtype=np.float64)
    mass = values.sum()
    if mass == 0:
        return Image.new("L", (SIZE, SIZE))
    centre_x = (values.sum(axis=0) @ np.arange(ink.width)) / mass
    centre_y = (values.sum(axis=1) @ np.arange(ink.height)) / mass
    target = (CENTRE + 0.5) * detail - 0.5  # the middle of pixel 14
    field = SIZE * detail
    left = min(max(round(target - centre_x), 0), field - ink.width)
    top = min(max(round(target - centre_y), 0), field - ink.height)
    centred = Image.new("L", (field, field))
    centred.paste(ink, (left, top))
    return _reduced(centred, detail)


def _reduced(ink: Image.Image, detail: int) -> Image.Image:
    """Average blocks of detail × detail pixels: the anti-aliasing."""
    return ink if detail == 1 else ink.reduce(detail)


# --- pictures ---


class _Upright:
    """A decoded picture, turned upright as its EXIF data say. Rows are turned when they are read, to save memory.

    `size` is (width, height).
    """

    def __init__(self, picture: Image.Image):
        picture.load()
        self.picture, self.turn = picture, _UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
        self.size = picture.size[::-1] if self.turn and self.turn[1] else picture.size

    def whole(self) -> Image.Image:
        """A copy of all of it."""
        return self.rows(0, self.size[1])

    def rows(self, top: int, bottom: int) -> Image.Image:
        """A copy of some rows."""
        if self.turn is None:
            return self.picture.crop((0, top, self.size[0], bottom))
        method, across, backwards = self.turn
        first, last = (self.size[1] - bottom, self.size[1] - top) if backwards else (top, bottom)
        box = (first, 0, last, self.picture.height) if across else (0, first, self.picture.width, last)
        return self.picture.crop(box).transpose(method)


def _upright(picture: Image.Image) -> _Upright:
    """Any picture that is not too large, with at most 8 bits a channel."""
    have_decoded_small(picture)
    _check_size(picture)
    upright = _Upright(picture)
    return _Upright(_eight_bits(upright)) if picture.mode[0] in "IF" else upright


def _stacked(upright: _Upright, factor: int, act: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Apply `act` to strips of the picture and stack the results, to save memory.

    `act` makes one row of every `factor` rows, and one of the rows left over at the end.
    """
    width, height = upright.size
    rows = max(STRIP // width // factor, 1) * factor
    stacked: Image.Image | None = None
    for top in range(0, height, rows):
        part = act(upright.rows(top, min(top + rows, height)))
        stacked = stacked or Image.new(part.mode, (part.width, math.ceil(height / factor)))
        stacked.paste(part, (0, top // factor))
    assert stacked  # no picture is empty
    return stacked


def _thumbnail(upright: _Upright, side: int) -> Image.Image:
    """The picture with at most `side` pixels on a side, reduced as by `Image.thumbnail`: first by whole factors."""
    if max(upright.size) <= side:
        return _averageable(upright.whole())
    width, height = upright.size
    shape = width / height
    if shape <= 1:
        size = (_rounded(side * shape, lambda short: abs(shape - short / side)), side)
    else:
        size = (side, _rounded(side / shape, lambda short: abs(shape - side / short) if short else 0))
    factor = (int(width / size[0] / 2) or 1, int(height / size[1] / 2) or 1)
    reduced = _stacked(upright, factor[1], lambda strip: _averaging(strip).reduce(factor))
    box = (0, 0, width / factor[0], height / factor[1])
    return _averaged(reduced.resize(size, Image.Resampling.BOX, box))


def _rounded(number: float, distance: Callable[[int], float]) -> int:
    """`number` rounded down or up, to the smaller `distance`; at least 1."""
    return max(min(math.floor(number), math.ceil(number), key=distance), 1)


def _averaging(picture: Image.Image) -> Image.Image:
    """The picture in a mode in which pixels can be averaged: with alpha, colours are multiplied by it."""
    picture = _averageable(picture)
    return picture.convert({"LA": "La", "RGBA": "RGBa"}.get(picture.mode, picture.mode))


def _averaged(picture: Image.Image) -> Image.Image:
    """The inverse of `_averaging`."""
    return picture.convert({"La": "LA", "RGBa": "RGBA"}.get(picture.mode, picture.mode))


def _ink_on_black(picture: Image.Image) -> Image.Image:
    """Any picture → mode L, light ink on black, at most `PICTURE_SIDE` on a side."""
    values = np.asarray(_grey(_thumbnail(_upright(picture), PICTURE_SIDE)), dtype=np.float64)
    frame = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    ground = np.bincount(frame.astype(np.intp)).argmax()  # the most frequent value: there may be ink at the edge, too
    ink = values - ground
    if -ink.min() > ink.max():
        ink = -ink
    even = np.mean(np.abs(frame - ground) <= 2) >= 0.4 and -ink.min() <= 0.25 * ink.max()
    ink = _ink_on_even_ground(ink) if even else _ink_on_paper(values)
    return Image.fromarray(np.round(255 * ink).astype(np.uint8))


def _ink_on_even_ground(ink: np.ndarray) -> np.ndarray:
    """A scan or a drawing: `ink` is the difference from the background; the result is in [0, 1], without noise."""
    peak, grain = float(ink.max()), -float(np.percentile(ink, 10))
    if peak < FAINT:
        return np.zeros_like(ink)
    return np.where(ink < max(0.04 * peak, 3 * grain), 0, np.clip(ink / peak, 0, 1))


def _ink_on_paper(values: np.ndarray) -> np.ndarray:
    """A photograph, with uneven light and noise: ink, in [0, 1], is what differs from the brightness around it."""
    ink = values - _smooth_ground(values)
    lowest, highest = np.percentile(ink, (0.1, 99.9))
    if -lowest > highest:
        ink = -ink
    ink = ink - _local_ground(ink)
    low, middle, peak = np.percentile(ink, (10, 50, 99.9))
    if peak < max(FAINT, GRAIN * (middle - low)):
        return np.zeros_like(ink)
    clear: np.ndarray = np.clip((ink / peak - 0.35) / (0.75 - 0.35), 0, 1)
    return clear


def _averageable(picture: Image.Image) -> Image.Image:
    """A picture with 8 bits a channel in a mode whose pixels can be averaged: no palette."""
    if picture.mode in ("P", "PA") or "transparency" in picture.info:
        return picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode == "LAB":
        return picture.getchannel("L")
    return picture


def _eight_bits(upright: _Upright) -> Image.Image:
    """Mode L of a picture of whole numbers or floats, reduced by a whole factor where it is large."""
    mode = "F" if upright.picture.mode == "F" else "I"
    excess = max(1, max(upright.size) // PICTURE_SIDE)  # first, as a pixel then takes eight bytes
    wide = _stacked(upright, excess, lambda strip: strip.convert(mode).reduce(excess))
    with np.errstate(invalid="ignore"):
        values = np.nan_to_num(np.asarray(wide, dtype=np.float64))  # 16 bits up to 65,535, floats up to 1 or 255
    peak = values.max()
    if mode == "F" and peak <= 1:
        full = 1.0
    elif peak <= 255:
        full = 255.0
    else:
        full = max(65_535.0, peak)
    return Image.fromarray(np.clip(values * (255 / full), 0, 255).round().astype(np.uint8))


def _grey(picture: Image.Image) -> Image.Image:
    """Mode L; a transparent ground becomes white under dark ink and black under light ink."""
    if not picture.has_transparency_data:
        return picture.convert("L")
    rgba = picture.convert("RGBA")
    alpha, light = np.asarray(rgba.getchannel("A")), np.asarray(rgba.convert("L"))
    dark_ink = light[alpha > 127].mean() < 128 if (alpha > 127).any() else True
    ground = Image.new("RGBA", rgba.size, "white" if dark_ink else "black")
    return Image.alpha_composite(ground, rgba).convert("L")


def _smooth_ground(values: np.ndarray) -> np.ndarray:
    """Brightness of paper: a plane, then a quadratic surface, fitted repeatedly to the nearest half of the pixels."""
    y, x = (side.ravel() for side in np.meshgrid(*(np.linspace(-1, 1, side) for side in values.shape), indexing="ij"))
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    step = max(1, values.size // 5000) | 1
    sample, seen = terms[::step], values.ravel()[::step]
    close = np.ones(len(seen), dtype=bool)
    for used in (3, 3, 3, 3, 3, 6, 6, 6, 6, 6):
        kept = sample[close, :used]
        weights = np.linalg.pinv(kept.T @ kept) @ (kept.T @ seen[close])
        distance = np.abs(sample[:, :used] @ weights - seen)
        close = distance <= np.median(distance)
    ground: np.ndarray = (terms @ weights).reshape(values.shape)
    return ground


def _local_ground(ink: np.ndarray) -> np.ndarray:
    """Shadows that no surface fits: light ink without all that is as narrow as a pen stroke, smoothed."""
    picture = Image.fromarray(np.clip(ink + 128, 0, 255).astype(np.uint8))
    small = picture.resize((max(1, picture.width // 4), max(1, picture.height // 4)), Image.Resampling.BOX)
    reach = max(3, min(small.size) // 3 | 1)
    opened = _extremum_filter(np.maximum, _extremum_filter(np.minimum, np.asarray(small), reach), reach)
    smooth = Image.fromarray(opened).filter(ImageFilter.GaussianBlur(reach / 2))
    return np.asarray(smooth.resize(picture.size, Image.Resampling.BILINEAR), dtype=np.float64) - 128


def _without_small_parts(ink: Image.Image) -> Image.Image:
    """Leave out connected parts with less than 2 % of all dark pixels of ink."""
    box = ink.getbbox()
    if box is None:
        return ink
    values = np.asarray(ink.crop(box))
    parts = _connected_parts(values > 0)
    areas = np.bincount(parts[values > 60], minlength=parts.max() + 1)
    keep = areas >= max(1, 0.02 * areas.sum())
    kept = Image.new("L", ink.size)
    kept.paste(Image.fromarray(np.where(keep[parts], values, 0).astype(np.uint8)), box)
    return kept


def _connected_parts(mask: np.ndarray) -> np.ndarray:
    """Number the 8-connected parts of a `(H, W)` mask from 1, with 0 for what is outside.

    Every pixel starts as a part of its own. A part takes the largest number next to any of its pixels, until none has a
    larger neighbour. Whole parts change at once: even a maze takes only a few rounds.
    """
    numbers = np.arange(1, mask.size + 1).reshape(mask.shape) * mask
    while True:
        grown = mask * _extremum_filter(np.maximum, numbers, 3)
        if np.array_equal(grown, numbers):
            break
        joined = np.arange(mask.size + 1)
        np.maximum.at(joined, numbers.ravel(), grown.ravel())
        while not np.array_equal(joined[joined], joined):
            joined = joined[joined]
        numbers = joined[numbers]
    used = np.unique(numbers[mask])
    return np.where(mask, np.searchsorted(used, numbers) + 1, 0)


def _with_usual_pen(crop: Image.Image, scale: float) -> Image.Image:
    """Make thin strokes as wide as the fixed pen, and very wide ones thinner, by whole pixels.

    `scale` is that of the resizing which follows.
    """
    width = _pen_width(np.asarray(crop) > 127) * scale
    low, high = PICTURE_PEN
    if width == 0 or low <= width <= high:
        return crop
    grow = int(((PEN if width < low else high) - width) / 2 / scale)
    reach = 2 * abs(grow) + 1
    if grow <= 0:
        return Image.fromarray(_extremum_filter(np.minimum, np.asarray(crop), reach))
    room = ImageOps.expand(crop, reach // 2)
    return Image.fromarray(_extremum_filter(np.maximum, np.asarray(room), reach))


def _extremum_filter(extremum: np.ufunc, values: np.ndarray, side: int) -> np.ndarray:
    """For every pixel the least value (`np.minimum`) or the greatest (`np.maximum`) of the square around it, whose
    `side` is odd. Beyond its edges the picture goes on as it ends.

    It is what Pillow's MinFilter and MaxFilter give. They take `side` times as long, as they do not do one side after
    the other.
    """
    for _ in range(2):
        beyond = np.pad(values, ((side // 2, side // 2), (0, 0)), mode="edge")
        values = reduce(extremum, [beyond[start : start + len(values)] for start in range(side)]).T
    return values


def _pen_width(mask: np.ndarray) -> float:
    """Width of a stroke in pixels: 2 · area / perimeter. Counting pixel edges makes a perimeter 4/π times too long."""
    padded = np.pad(mask, 1)
    edges = np.count_nonzero(padded[1:] != padded[:-1]) + np.count_nonzero(padded[:, 1:] != padded[:, :-1])
    return 2 * float(mask.sum()) / (edges * math.pi / 4) if edges else 0.0
