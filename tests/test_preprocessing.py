"""What a network sees of strokes and pictures: as MNIST would have it, wherever, however large and on whatever paper
they were.
"""

import io
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from cnn_explorer.digits import preprocessing
from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.digits.preprocessing import (
    MAX_PICTURE,
    PictureError,
    Preprocessed,
    _connected_parts,
    _extremum_filter,
    grey_pixels,
    image_from_picture,
    image_from_strokes,
    preprocess_picture,
    preprocess_strokes,
)
from cnn_explorer.spec.network import LECTURE
from cnn_explorer.weights.load import load_network

Points = list[tuple[float, float]]
THREE: list[Points] = [
    [(90, 70), (120, 50), (160, 60), (165, 95), (130, 120), (170, 150), (165, 200), (120, 220), (85, 200)]
]
FIVE: list[Points] = [[(110, 60), (105, 130), (150, 125), (170, 170), (140, 215), (95, 205)], [(110, 60), (170, 58)]]


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over all pixels of how far two 8-bit images are apart."""
    return float(np.abs(first.astype(int) - second).mean())


def closest(first: np.ndarray, second: np.ndarray) -> float:
    """The same, after a shift of up to a pixel: pictures are centred by whole pixels."""
    return min(difference(np.roll(first, (down, right), (0, 1)), second) for down in (-1, 0, 1) for right in (-1, 0, 1))


def moved(strokes: list[Points], scale: float, x: float, y: float) -> list[Points]:
    return [[(scale * point[0] + x, scale * point[1] + y) for point in stroke] for stroke in strokes]


def centre_of_mass(pixels: np.ndarray) -> tuple[float, float]:
    """(x, y) as pixel indices."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    return float((pixels * x).sum() / pixels.sum()), float((pixels * y).sum() / pixels.sum())


# --- strokes ---


@pytest.mark.parametrize(
    "strokes", [THREE, FIVE, [[(140, 40), (140, 240)]], [[(5, 5)]], []], ids=["three", "five", "line", "dot", "nothing"]
)
def test_the_image_of_strokes(strokes: list[Points]) -> None:
    image = image_from_strokes(strokes)
    assert image.shape == (1, 1, 28, 28)
    assert image.dtype == torch.float32
    assert 0 <= image.min() <= image.max() <= 1
    assert image.max() == (1 if strokes else 0)
    assert torch.equal(image[0, 0] * 255, torch.from_numpy(preprocess_strokes(strokes).pixels.astype(np.float32)))


@settings(max_examples=60)
@given(st.floats(0.15, 1.6), st.floats(-200, 200), st.floats(-200, 200), st.sampled_from([THREE, FIVE]))
def test_place_and_size_make_no_difference(scale: float, x: float, y: float, strokes: list[Points]) -> None:
    assert difference(preprocess_strokes(moved(strokes, scale, x, y)).pixels, preprocess_strokes(strokes).pixels) < 0.5


@pytest.mark.parametrize("pen_width", [2, 8, 24, 40])
def test_the_pen_makes_no_difference(pen_width: float) -> None:
    assert difference(preprocess_strokes(THREE, pen_width=pen_width).pixels, preprocess_strokes(THREE).pixels) < 0.5


def test_the_canvas_makes_no_difference() -> None:
    assert difference(preprocess_strokes(moved(THREE, 2, 0, 0), 560, 32).pixels, preprocess_strokes(THREE).pixels) < 0.5


@settings(max_examples=150)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(20, 260), st.integers(20, 260)), min_size=2, max_size=8), min_size=1, max_size=3
    )
)
def test_centre_and_size_are_those_of_mnist(strokes: list[Points]) -> None:
    pixels = preprocess_strokes(strokes).pixels
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    for centre, inked in zip(centre_of_mass(pixels), (columns, rows), strict=True):
        clamped = inked[0] == 0 or inked[-1] == 27  # a lopsided drawing, which must not leave the image
        assert clamped or centre == pytest.approx(14, abs=0.1)
    if np.ptp(np.concatenate(strokes), axis=0).max() >= 60:
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (20, 21)  # 20 pixels, which may begin within one


def test_the_pen_is_as_wide_as_mnists() -> None:
    line = preprocess_strokes([[(140, 40), (140, 240)]]).pixels
    assert line[14].sum() / 255 == pytest.approx(2.6, abs=0.15)
    lit = bundled_digits().images[1::10].astype(float) / 255  # the ones
    assert np.median(lit.sum(axis=2)[lit.any(axis=2)]) == pytest.approx(2.6, abs=0.6)


def test_nothing_is_black() -> None:
    for nothing in ([], [[]], [[], []]):
        seen = preprocess_strokes(nothing)
        assert seen.is_empty
        assert not seen.pixels.any()


@pytest.mark.parametrize("dot", [[(3, 3)], [(140, 140)], [(140, 140), (140, 140)]])
def test_a_dot_stays_a_dot(dot: Points) -> None:
    pixels = preprocess_strokes([dot]).pixels
    rows, columns = np.nonzero(pixels)
    assert np.ptp(rows) <= 3
    assert np.ptp(columns) <= 3
    assert centre_of_mass(pixels) == pytest.approx((14, 14), abs=0.1)


@pytest.mark.parametrize(
    ("speck", "kept"),
    [
        ([(250, 30)], False),
        ([(30, 250), (32, 251)], False),
        ([(80, 66)], True),
        ([(150, 135), (151, 135)], True),
        ([(200, 40), (240, 90)], True),
    ],
)
def test_a_stray_speck_is_dropped_and_what_touches_stays(speck: Points, kept: bool) -> None:
    alone, with_speck = preprocess_strokes(THREE).pixels, preprocess_strokes([*THREE, speck]).pixels
    assert np.array_equal(alone, with_speck) is not kept


def test_two_dots_are_a_drawing() -> None:
    pixels = preprocess_strokes([[(100, 100)], [(100, 180)]]).pixels
    assert _connected_parts(pixels > 60).max() == 2


@pytest.mark.parametrize(
    "stroke",
    [
        [(float("nan"), 0)],
        [(0, float("inf"))],
        [(1e9, 0)],
        [(1, 2, 3)],
        [(1,)],
        [(1, 2), (3,)],
        [("a", "b")],
        [(None, 1)],
        [1, 2],
        "text",
        7,
        None,
        [(10**400, 1)],
    ],
)
def test_bad_points_are_named(stroke: object) -> None:
    with pytest.raises(ValueError, match=r"stroke 1 is not a list of \(x, y\) pairs of finite numbers"):
        image_from_strokes([[(1, 2)], stroke])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("name", "value"), [("canvas_size", 0), ("canvas_size", 10**6), ("pen_width", 0), ("pen_width", float("nan"))]
)
def test_an_impossible_canvas_or_pen_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{name}` .* must be a number from 1 to 4,096"):
        image_from_strokes(THREE, **{name: value})


def test_the_steps() -> None:
    seen = preprocess_strokes(THREE)
    assert [stage.name for stage in seen.stages] == ["drawn", "cropped", "scaled", "centred"]
    assert [max(stage.pixels.shape) for stage in seen.stages] == [
        280,
        186,
        20,
        28,
    ]  # 170 px from end to end and the pen's 16
    assert all(stage.caption and stage.pixels.dtype == np.uint8 for stage in seen.stages)


# --- pictures ---


def mnist(index: int) -> np.ndarray:
    return bundled_digits().images[index]


@cache
def large(
    index: int, size: int = 300, corner: tuple[int, int] = (60, 40), canvas: tuple[int, int] = (420, 520)
) -> np.ndarray:
    """A bundled digit on a large sheet, ink in [0, 1]."""
    sheet = Image.new("L", canvas)
    sheet.paste(Image.fromarray(mnist(index)).resize((size, size), Image.Resampling.BICUBIC), corner)
    return np.asarray(sheet) / 255


@cache
def grain_of(shape: tuple[int, int], strength: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, strength, shape)


def photograph(
    ink: np.ndarray, shade: np.ndarray, paper: float = 210, pen: float = 60, grain: float = 5, quality: int = 85
) -> Image.Image:
    """Ink on paper under uneven light, out of a camera: sharp edges blurred, grain, JPEG."""
    ink = np.clip(1.6 * ink - 0.3, 0, 1)
    light = shade * (paper * (1 - ink) + pen * ink) + grain_of(ink.shape, grain)
    picture = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=quality)
    return Image.open(file)


def falling(ink: np.ndarray, depth: float) -> np.ndarray:
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]]
    return 1 - depth * (0.6 * x / ink.shape[1] + 0.4 * y / ink.shape[0])


def vignette(ink: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : ink.shape[0] * 1j, -1 : 1 : ink.shape[1] * 1j]
    return 1 - 0.3 * (x**2 + y**2)


def shadow(ink: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]]
    edge = Image.fromarray(np.where(x + 0.4 * y < 0.7 * ink.shape[1], 255, 150).astype(np.uint8))
    return np.asarray(edge.filter(ImageFilter.GaussianBlur(12))) / 255


def cut_out(index: int) -> Image.Image:
    return Image.fromarray(np.round(255 - 255 * large(index, 280, (0, 0), (280, 280))[40:240, 60:220]).astype(np.uint8))


PHOTOGRAPHS: dict[str, Callable[[int], Image.Image]] = {
    "even light": lambda index: photograph(large(index), np.ones((520, 420)), grain=3),
    "light from the side": lambda index: photograph(large(index), falling(large(index), 0.4)),
    "dim, coarse and compressed": lambda index: photograph(
        large(index), falling(large(index), 0.6), grain=10, quality=50
    ),
    "dark corners": lambda index: photograph(large(index), vignette(large(index))),
    "a shadow's edge": lambda index: photograph(large(index), shadow(large(index))),
    "pencil": lambda index: photograph(large(index), falling(large(index), 0.35), pen=140, grain=3),
    "a small digit": lambda index: photograph(large(index, 90, (200, 300)), falling(large(index), 0.4)),
    "chalk": lambda index: ImageOps.invert(photograph(large(index), falling(large(index), 0.4))),
    "cut out of the sheet": cut_out,
}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_is_read_as_the_digit_it_shows(name: str) -> None:
    """The judge is the trained network, which is right about 98 % of such digits when they are clean."""
    images = torch.cat([image_from_picture(PHOTOGRAPHS[name](index)) for index in range(10)])
    with torch.inference_mode():
        answers = load_network(LECTURE).module(images).argmax(dim=1)
    assert sum(answer == index for index, answer in enumerate(answers.tolist())) >= 9


@pytest.mark.parametrize("grain", [0, 2, 4, 6, 10, 15])
@pytest.mark.parametrize("depth", [0, 0.2, 0.6])
@pytest.mark.parametrize("size", [(520, 420), (80, 100)])
def test_blank_paper_is_empty(grain: float, depth: float, size: tuple[int, int]) -> None:
    assert preprocess_picture(photograph(np.zeros(size), falling(np.zeros(size), depth), grain=grain)).is_empty


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (2, 300), (500, 500)])
def test_a_picture_of_one_colour_is_empty(value: int, size: tuple[int, int]) -> None:
    seen = preprocess_picture(Image.new("L", size, value))
    assert seen.is_empty
    assert seen.image.shape == (1, 1, 28, 28)


def test_mnists_own_digits_come_back() -> None:
    differences = [
        difference(preprocess_picture(Image.fromarray(image)).pixels, image) for image in bundled_digits().images[::3]
    ]
    assert np.quantile(differences, 0.98) < 1
    # where a speck was dropped, the rest is set anew, by about a pixel
    assert np.max(differences) < 30


def transparent(index: int, ink: int) -> Image.Image:
    """Ink of one grey on nothing, as a drawing program saves it; the ground's colour, hidden, is the ink's own."""
    alpha = np.round(255 * large(index)).astype(np.uint8)
    return Image.fromarray(np.dstack([np.full((*alpha.shape, 3), ink, np.uint8), alpha]))


def coloured(index: int, paper: tuple[int, int, int], pen: tuple[int, int, int]) -> Image.Image:
    ink = large(index)[..., None]
    return Image.fromarray(np.round(np.array(paper) * (1 - ink) + np.array(pen) * ink).astype(np.uint8))


@cache
def grey_seen(index: int) -> np.ndarray:
    return preprocess_picture(grey(index)).pixels


def grey(index: int) -> Image.Image:
    return Image.fromarray(np.round(255 * large(index)).astype(np.uint8))


def jpeg(index: int) -> Image.Image:
    file = io.BytesIO()
    ImageOps.invert(grey(index)).save(file, "JPEG", quality=50)
    return Image.open(file)


def palette_with_transparency(index: int) -> Image.Image:
    picture = Image.fromarray((large(index) > 0.4).astype(np.uint8), "P")
    picture.putpalette([255, 0, 0, 30, 30, 90])
    picture.info["transparency"] = 0
    return picture


FORMS: dict[str, Callable[[int], Image.Image]] = {
    "inverted": lambda index: ImageOps.invert(grey(index)),
    "RGB": lambda index: coloured(index, (250, 245, 235), (40, 60, 190)),
    "yellow on white": lambda index: coloured(index, (255, 255, 255), (255, 220, 0)),
    "CMYK": lambda index: coloured(index, (255, 255, 255), (0, 0, 0)).convert("CMYK"),
    "two colours": lambda index: ImageOps.invert(grey(index)).convert("1", dither=Image.Dither.NONE),
    "palette": lambda index: coloured(index, (250, 245, 235), (40, 60, 190)).quantize(64),
    "palette with transparency": palette_with_transparency,
    "dark ink on nothing": lambda index: transparent(index, 20),
    "light ink on nothing": lambda index: transparent(index, 240),
    "opaque RGBA": lambda index: coloured(index, (255, 255, 255), (0, 0, 0)).convert("RGBA"),
    "grey and alpha": lambda index: transparent(index, 0).convert("LA"),
    "16 bits": lambda index: Image.fromarray(np.round(65_535 * large(index)).astype(np.uint16)),
    "16 bits, inverted": lambda index: Image.fromarray(np.round(65_535 * (1 - large(index))).astype(np.uint16)),
    "16 bits, faint": lambda index: Image.fromarray(np.round(20_000 * (1 - large(index))).astype(np.uint16)),
    "32 bits": lambda index: Image.fromarray(np.round(65_535 * (1 - large(index))).astype(np.int32)),
    "floats": lambda index: Image.fromarray((1 - large(index)).astype(np.float32)),
    "JPEG": jpeg,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_picture_gives_the_same_digit(name: str) -> None:
    for index in range(0, 10, 2):
        picture = FORMS[name](index)
        before = picture.copy()
        assert closest(preprocess_picture(picture).pixels, grey_seen(index)) < 12  # hard edges cost most
        assert (picture.size, picture.tobytes()) == (before.size, before.tobytes())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_taken_with_the_camera_turned(orientation: int) -> None:
    """EXIF's eight orientations: the pixels are stored turned, and the tag says how to turn them back."""
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = ImageOps.invert(grey(5))
    stored = upright.transpose(turns[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    seen = preprocess_picture(Image.open(file))
    assert np.array_equal(seen.pixels, preprocess_picture(upright).pixels)


def seven(width: int, side: int = 300) -> Preprocessed:
    picture = Image.new("L", (side, side), 255)
    ImageDraw.Draw(picture).line([(80, 60), (220, 60), (120, 250)], fill=0, width=width, joint="curve")
    return preprocess_picture(picture)


def test_hairlines_are_thickened_and_blobs_thinned() -> None:
    ink = [float(seven(width).pixels.sum()) / 255 for width in (1, 2, 24, 60)]
    assert ink[0] == pytest.approx(ink[2], rel=0.35)
    assert ink[1] == pytest.approx(ink[2], rel=0.35)
    assert ink[3] < 2 * ink[2]  # 60 of 190 pixels are 2.5 times the usual 24
    assert all(_connected_parts(seven(width).pixels > 60).max() == 1 for width in (1, 2, 24, 60))


def test_specks_of_a_picture_are_dropped() -> None:
    clean = np.asarray(ImageOps.invert(grey(3))).copy()
    dirty = clean.copy()
    dirty[3:6, 400:403] = 0
    dirty[500:502, 10:14] = 90
    assert np.array_equal(
        preprocess_picture(Image.fromarray(dirty)).pixels, preprocess_picture(Image.fromarray(clean)).pixels
    )


def test_connected_parts_against_a_flood_fill() -> None:
    random = np.random.default_rng(0)
    for _ in range(100):
        mask = random.random((random.integers(1, 16), random.integers(1, 16))) < random.random()
        filled, count = np.zeros(mask.shape, dtype=int), 0
        for start in zip(*np.nonzero(mask), strict=True):
            count += not filled[start]
            waiting = [start] if not filled[start] else []
            while waiting:
                y, x = waiting.pop()
                if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] and not filled[y, x]:
                    filled[y, x] = count
                    waiting += [(y + down, x + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        parts = _connected_parts(mask)
        assert parts.max() == count
        assert len({*zip(parts.ravel(), filled.ravel(), strict=True)}) == len({*filled.ravel()})


@pytest.mark.parametrize("size", [(30, 41), (1, 6), (5, 1)])
@pytest.mark.parametrize("side", [1, 3, 9])
def test_the_least_and_greatest_extremum_filter_are_pillows(size: tuple[int, int], side: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    picture = Image.fromarray(values)
    for act, pillows_own in ((np.minimum, ImageFilter.MinFilter(side)), (np.maximum, ImageFilter.MaxFilter(side))):
        np.testing.assert_array_equal(_extremum_filter(act, values, side), np.asarray(picture.filter(pillows_own)))


def serpentine() -> np.ndarray:
    """One line that fills a picture: the longest way from end to end."""
    picture = np.zeros((280, 280), dtype=np.uint8)
    picture[::2] = 255
    picture[1::4, -1] = picture[3::4, 0] = 255
    return picture


EXTREMES: dict[str, Callable[[], Image.Image]] = {
    "large": lambda: Image.new("RGB", (5000, 4900), "white"),
    "large and transparent": lambda: Image.new("RGBA", (5000, 4900)),
    "long and thin": lambda: Image.new("L", (2, 60_000), 200),
    "long and thin, with ink": lambda: Image.fromarray(
        np.repeat(np.arange(60_000) == 30_000, 3).reshape(1, -1).astype(np.uint8) * 255
    ),
    "a maze": lambda: Image.fromarray(serpentine()),
    "noise": lambda: Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)),
    "noise of two pixels": lambda: Image.fromarray(np.array([[0, 255]], dtype=np.uint8)),
    "black with one white pixel": lambda: Image.fromarray(np.pad(np.array([[255]], dtype=np.uint8), 140)),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_no_picture_takes_long(name: str) -> None:
    picture = EXTREMES[name]()
    start = time.process_time()
    seen = preprocess_picture(picture)
    assert time.process_time() - start < 2
    assert seen.pixels.shape == (28, 28)
    assert seen.pixels.dtype == np.uint8


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="the picture has 5,001×5,000 pixels; at most 25 million are read"):
        preprocess_picture(Image.new("1", (5001, 5000)))
    assert MAX_PICTURE == 5000 * 5000


def test_too_long_a_side_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    Image.new("1", (1, 1_000_000)).save(file, "PNG")
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it is decoded"))
    for read in (preprocess_picture, lambda picture: grey_pixels(picture, 280)):
        with (
            Image.open(file) as picture,
            pytest.raises(
                PictureError,
                match=r"the picture has 1×1,000,000 pixels; .* at most 200,000 on a side; make it smaller$",
            ),
        ):
            read(picture)


def pillows(picture: Image.Image) -> Image.Image:
    """A picture upright and at most 280 pixels on a side, all of it turned and averaged at once by Pillow."""
    upright = ImageOps.exif_transpose(picture)
    if picture.mode == "P" or "transparency" in picture.info:
        upright = upright.convert("RGBA")
    upright.thumbnail((280, 280), Image.Resampling.BOX)
    return upright


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("mode", "width", "height"), [("RGB", 351, 203), ("P", 150, 457), ("RGBA", 1300, 31), ("LA", 5, 2000), ("L", 9, 4)]
)
def test_a_picture_read_in_strips_is_the_same(
    monkeypatch: pytest.MonkeyPatch, orientation: int, mode: str, width: int, height: int
) -> None:
    noise = np.random.default_rng(orientation).integers(0, 256, (height, width, 4), dtype=np.uint8)
    noise[height // 4 : height // 2, width // 4 : width // 2] = 200
    picture = Image.fromarray(noise).convert(mode)
    picture.getexif()[0x112] = orientation
    expected = pillows(picture)
    before = picture.tobytes()
    (whole, *_) = preprocess_picture(expected).stages  # small and upright: nothing is done in strips
    assert whole.pixels.shape == expected.size[::-1]
    upright = ImageOps.exif_transpose(picture)
    large, small = grey_pixels(upright, 4000), grey_pixels(upright, 90)
    for strip in (1, 10_000, 1_000_000):
        monkeypatch.setattr(preprocessing, "STRIP", strip)
        (raw, *_) = preprocess_picture(picture).stages
        np.testing.assert_array_equal(raw.pixels, whole.pixels)
        np.testing.assert_array_equal(grey_pixels(picture, 4000), large)
        np.testing.assert_array_equal(grey_pixels(picture, 90), small)
        assert picture.tobytes() == before


PEAK = """
import io, re, sys
from PIL import Image
from cnn_explorer.digits.preprocessing import grey_pixels, preprocess_picture

def memory(what):  # in MB, as Linux counts it
    return int(re.search(what + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1000

file = io.BytesIO()
mode, size, kind, orientation = sys.argv[1], (4000, 3000), sys.argv[2], int(sys.argv[3])
exif = Image.Exif()
exif[0x112] = orientation
Image.linear_gradient("L").resize(size, Image.Resampling.NEAREST).convert(mode).save(file, kind, exif=exif, compress_level=1)
preprocess_picture(Image.linear_gradient("L"))
before = memory("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
with Image.open(file) as picture:
    preprocess_picture(picture)
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory was taken from /proc")
@pytest.mark.parametrize(("mode", "kind", "orientation"), [("RGB", "JPEG", 6), ("RGBA", "PNG", 1)])
def test_a_large_picture_is_in_memory_once(mode: str, kind: str, orientation: int) -> None:
    """12 million pixels of four bytes are 48 MB."""
    command = [sys.executable, "-c", PEAK, mode, kind, str(orientation)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 45 < float(done.stdout) < 62


@settings(max_examples=60)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "HSV", "YCbCr", "LAB", "I", "F", "I;16"]),
    st.integers(0, 1000),
)
def test_any_small_picture_gives_an_image(width: int, height: int, mode: str, seed: int) -> None:
    data = np.random.default_rng(seed).bytes(4 * width * height)
    empty = Image.new(mode, (width, height))
    seen = preprocess_picture(Image.frombytes(mode, (width, height), data[: len(empty.tobytes())]))
    assert seen.image.shape == (1, 1, 28, 28)
    assert torch.isfinite(seen.image).all()
