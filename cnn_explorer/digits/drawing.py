"""Drawings as text that fits into a URL: the drawing string.

Its first letter says what follows:

    s…   pen strokes, base64url of varints: for each stroke 2·points + (1 if it has pressure); then for each point the
         differences from the point before (from 0 at a stroke's start) of x, y and, with pressure, of the pressure in
         percent, zigzag-coded
    d17  digit 17 of the bundled digits
    p…   a 28×28 picture, zlib-compressed, base64url

Strokes are whole pixels of a 280 × 280 canvas. `network_view/assets/drawing.js` reads and writes the same strokes in
the browser.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.digits.preprocessing import SIZE, Preprocessed, Stage, Stroke, preprocess_strokes
from cnn_explorer.shipped import read_asset
from cnn_explorer.text import quoted

CANVAS = 280
PEN_WIDTH = 16
MAX_TEXT = 6000  # characters; browsers and proxies cut longer addresses
MAX_POINTS = 5000


class DrawingError(ValueError):
    """A string that is not a drawing; the message is a clause for a page."""


@dataclass(frozen=True)
class Drawing:
    """A drawing string, `text`, and what it holds: `strokes` in canvas pixels, or the `pixels` of a picture, `(28, 28)`
    uint8.
    """

    text: str
    strokes: tuple[tuple[tuple[int, int], ...], ...] = ()
    pixels: np.ndarray | None = field(default=None, compare=False)  # `text` says the same

    def preprocess(self) -> Preprocessed:
        """The network's image and all stages up to it. A digit or a picture is used as it is."""
        if self.pixels is None:
            return preprocess_strokes(self.strokes, CANVAS, PEN_WIDTH)
        source = (
            f"a digit from MNIST, {SIZE}×{SIZE}"
            if self.text[0] == "d"
            else "a picture, cropped, scaled and centred when it was uploaded"
        )
        picture = Stage("picture", source, self.pixels)
        return Preprocessed(self.pixels, lambda: (picture,))


def drawing_from_strokes(strokes: Sequence[Stroke]) -> Drawing:
    """A drawing of pen strokes in canvas pixels, rounded to whole numbers. Raises as `parse_drawing`."""
    return parse_drawing("s" + _base64(bytes(_pack(strokes))))


def drawing_from_pixels(pixels: np.ndarray) -> Drawing:
    """A drawing of a picture, `(28, 28)` uint8 with 0 for the background."""
    return Drawing("p" + _base64(zlib.compress(pixels.tobytes(), 9)), pixels=pixels)


@cache
def example_drawing() -> Drawing:
    """The drawing that a page opens with: a digit written with a pen; `assets/example.json` names its source."""
    example = json.loads(read_asset("example.json"))
    return drawing_from_strokes(example["strokes"])


@lru_cache(maxsize=64)  # every update of a page reads its drawing twice
def parse_drawing(text: str) -> Drawing:
    """Read a drawing string. Raises `DrawingError` for any other text: anybody can write an address."""
    if len(text) > MAX_TEXT:
        raise DrawingError(f"the drawing has {len(text):,} characters; at most {MAX_TEXT:,} are read")
    readers = {"s": _read_strokes, "d": _read_digit, "p": _read_picture}
    if text[:1] not in readers:
        raise DrawingError(f"a drawing starts with s, d or p, not with {quoted(text[:1])}")
    return readers[text[0]](text)


def _read_strokes(text: str) -> Drawing:
    numbers = _varints(_unbase64(text))
    strokes: list[tuple[tuple[int, int], ...]] = []
    total = 0
    for head in numbers:
        count, with_pressure = head >> 1, head & 1
        total += count
        if total > MAX_POINTS:
            raise DrawingError(f"the drawing has more than {MAX_POINTS:,} points")
        x = y = 0
        points: list[tuple[int, int]] = []
        for _ in range(count):
            try:
                x, y = x + _unzigzag(next(numbers)), y + _unzigzag(next(numbers))
                if with_pressure:
                    next(numbers)  # the pen's width on the canvas alone; the network's image has a fixed pen
            except StopIteration:
                raise DrawingError("the drawing breaks off in the middle of a stroke") from None
            if not (-CANVAS <= x <= 2 * CANVAS and -CANVAS <= y <= 2 * CANVAS):
                raise DrawingError(f"point ({x}, {y}) of the drawing is far outside the canvas of {CANVAS} × {CANVAS}")
            points.append((x, y))
        if points:
            strokes.append(tuple(points))
    return Drawing(text, tuple(strokes))


def _read_digit(text: str) -> Drawing:
    images = bundled_digits().images
    if not re.fullmatch(r"d[0-9]{1,4}", text) or int(text[1:]) >= len(images):
        raise DrawingError(f"{quoted(text)} is not a bundled digit: d0 to d{len(images) - 1}")
    return Drawing(text, pixels=images[int(text[1:])])


def _read_picture(text: str) -> Drawing:
    reader = zlib.decompressobj()
    try:
        pixels = reader.decompress(_unbase64(text), SIZE * SIZE + 1)
    except zlib.error:
        raise DrawingError("the drawing's picture cannot be unpacked") from None
    if len(pixels) != SIZE * SIZE:
        raise DrawingError(f"the drawing's picture does not have {SIZE}×{SIZE} pixels")
    return Drawing(text, pixels=np.frombuffer(pixels, dtype=np.uint8).reshape(SIZE, SIZE))


# --- numbers as text ---


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    body = text[1:]
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise DrawingError("the drawing has characters that do not belong there: letters, digits, - and _ do") from None


def _pack(strokes: Sequence[Stroke]) -> Iterator[int]:
    for stroke in strokes:
        yield from _varint(2 * len(stroke))
        x = y = 0
        for point in stroke:
            next_x, next_y = round(point[0]), round(point[1])
            yield from _varint(_zigzag(next_x - x))
            yield from _varint(_zigzag(next_y - y))
            x, y = next_x, next_y


def _varint(number: int) -> Iterator[int]:
    while number > 127:
        yield number & 127 | 128
        number >>= 7
    yield number


def _varints(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
        elif shift > 28:
            raise DrawingError("the drawing has a number that is too large")
    if shift:
        raise DrawingError("the drawing breaks off in the middle of a number")


def _zigzag(number: int) -> int:
    return 2 * number if number >= 0 else -2 * number - 1


def _unzigzag(number: int) -> int:
    return number >> 1 if number % 2 == 0 else -((number + 1) >> 1)
