"""Drawing strings: read back what was written, and nothing a stranger sends does harm."""

import base64
import time
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.digits.drawing import (
    CANVAS,
    MAX_POINTS,
    MAX_TEXT,
    DrawingError,
    drawing_from_pixels,
    drawing_from_strokes,
    parse_drawing,
)

coordinates = st.integers(-CANVAS, 2 * CANVAS)
strokes = st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=40).map(tuple), max_size=8).map(
    tuple
)


def text_of(data: bytes, letter: str = "s") -> str:
    return letter + base64.urlsafe_b64encode(data).decode().rstrip("=")


def numbers(*values: int) -> bytes:
    """LEB128, written here once more: seven bits a byte, the lowest first, the top bit set on all but the last."""
    out = bytearray()
    for value in values:
        while value >= 128:
            out.append(value % 128 + 128)
            value //= 128
        out.append(value)
    return bytes(out)


def steps(value: int) -> int:
    """Zigzag: 0, −1, 1, −2 → 0, 1, 2, 3."""
    return abs(2 * value) - (value < 0)


@settings(max_examples=150)
@given(strokes)
def test_strokes_are_read_back(drawn: tuple[tuple[tuple[int, int], ...], ...]) -> None:
    drawing = drawing_from_strokes(drawn)
    assert drawing.strokes == drawn
    assert drawing.text.startswith("s")
    assert drawing.text.isascii()
    assert parse_drawing(drawing.text) == drawing


def test_strokes_are_rounded_to_whole_pixels() -> None:
    assert drawing_from_strokes([[(10.4, 20.6), (11.6, 19.2)], []]).strokes == (((10, 21), (12, 19)),)


def test_the_bytes_of_a_stroke() -> None:
    data = numbers(2 * 3, steps(100), steps(50), steps(-3), steps(4), steps(0), steps(0))
    assert parse_drawing(text_of(data)).strokes == (((100, 50), (97, 54), (97, 54)),)
    assert drawing_from_strokes([[(100, 50), (97, 54), (97, 54)]]).text == text_of(data)


def test_pressure_is_read_over() -> None:
    with_pressure = numbers(2 * 2 + 1, steps(100), steps(50), steps(80), steps(-3), steps(4), steps(-15))
    without = numbers(2 * 1, steps(7), steps(8))
    assert parse_drawing(text_of(with_pressure + without)).strokes == (((100, 50), (97, 54)), ((7, 8),))


def test_no_strokes() -> None:
    assert parse_drawing("s") == drawing_from_strokes([])
    assert parse_drawing("s").preprocess().is_empty


@pytest.mark.parametrize("index", [0, 17, 999])
def test_a_bundled_digit(index: int) -> None:
    drawing = parse_drawing(f"d{index}")
    assert drawing.pixels is not None
    assert np.array_equal(drawing.pixels, bundled_digits().images[index])
    assert np.array_equal(drawing.preprocess().pixels, drawing.pixels)
    assert drawing.preprocess().image.shape == (1, 1, 28, 28)


@settings(max_examples=30)
@given(st.binary(min_size=784, max_size=784))
def test_a_picture_is_read_back(data: bytes) -> None:
    pixels = np.frombuffer(data, dtype=np.uint8).reshape(28, 28)
    drawing = drawing_from_pixels(pixels)
    again = parse_drawing(drawing.text)
    assert again == drawing
    assert again.pixels is not None
    assert np.array_equal(again.pixels, pixels)
    assert np.array_equal(again.preprocess().pixels, pixels)


def test_drawings_are_compared_and_hashed_by_what_they_show() -> None:
    pictures = [drawing_from_pixels(np.full((28, 28), value, dtype=np.uint8)) for value in (0, 0, 9)]
    assert pictures[0] == pictures[1] != pictures[2]
    assert len({*pictures}) == 2


alphabet = st.text("ABCZabcz0189-_=", max_size=40)


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(max_size=40),
        st.tuples(st.sampled_from("sdp"), alphabet).map("".join),
        st.binary(max_size=40).map(text_of),
        st.binary(max_size=900).map(lambda data: text_of(zlib.compress(data), "p")),
    )
)
@example("")
@example("s=")
@example("sé")
@example("s\ud800")
@example("d\u0663")
@example("d-1")
@example("d1000")
@example("d99999999")
def test_any_text_is_a_drawing_or_a_drawing_error(text: str) -> None:
    try:
        drawing = parse_drawing(text)
    except DrawingError as error:
        words = str(error)
    else:
        assert drawing.text == text
        assert drawing.preprocess().pixels.shape == (28, 28)
        return
    assert 10 < len(words) < 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "starts with s, d or p, not with nothing"),
        ("x17", "starts with s, d or p, not with `x`"),
        ("sA A", "characters that do not belong there"),
        ("s" + "A" * MAX_TEXT, "6,001 characters; at most 6,000"),
        (text_of(numbers(2 * (MAX_POINTS + 1))), "more than 5,000 points"),
        (text_of(numbers(2 * 2, 2, 2)), "breaks off in the middle of a stroke"),
        (text_of(b"\x80"), "breaks off in the middle of a number"),
        (text_of(b"\xff" * 20 + b"\x01"), "a number that is too large"),
        (
            text_of(numbers(2, steps(561), steps(0))),
            "point (561, 0) of the drawing is far outside the canvas of 280 × 280",
        ),
        (text_of(numbers(2, steps(0), steps(-281))), "far outside the canvas"),
        ("d1000", "`d1000` is not a bundled digit: d0 to d999"),
        ("d", "not a bundled digit"),
        ("pAAAA", "cannot be unpacked"),
        (text_of(zlib.compress(b"x" * 783), "p"), "does not have 28×28 pixels"),
        (text_of(zlib.compress(b"x" * 785), "p"), "does not have 28×28 pixels"),
    ],
)
def test_error_in_words(text: str, words: str) -> None:
    with pytest.raises(DrawingError) as caught:
        parse_drawing(text)
    assert words in str(caught.value)


def test_too_much_is_refused_before_it_is_written() -> None:
    with pytest.raises(DrawingError, match="at most 6,000"):
        drawing_from_strokes([[(x % 200, x * 7 % 200) for x in range(4000)]])


def test_a_picture_that_unpacks_to_gigabytes_is_refused_at_once() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(4)) + packer.flush()
    assert len(text_of(bomb, "p")) < MAX_TEXT
    start = time.process_time()
    with pytest.raises(DrawingError, match="28×28"):
        parse_drawing(text_of(bomb, "p"))
    assert time.process_time() - start < 0.05


LINE = numbers(2 * 2200, *[steps(1 if index // 250 % 2 == 0 else -1) for index in range(4400)])
DOTS = numbers(*[2, steps(150), steps(5)] * 1100)


@pytest.mark.parametrize(
    "data", [LINE, DOTS, numbers(2 * 1100) + LINE[2:2202] + DOTS[:2000]], ids=["points", "strokes", "both"]
)
def test_the_fullest_drawing_is_quick(data: bytes) -> None:
    text = text_of(data)
    assert 4000 < len(text) <= MAX_TEXT
    start = time.process_time()
    parse_drawing(text).preprocess()
    assert time.process_time() - start < 1
