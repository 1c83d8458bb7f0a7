"""Scenes as text and back, and what becomes of numbers when a grid changes its size."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_explorer.numbers.examples import CONV_PRESETS, LECTURE_INPUT, POOL_PRESETS
from cnn_explorer.numbers.scenes import (
    LEARNED,
    LIMITS,
    MAX_CHANNELS,
    MAX_KERNEL,
    MAX_SIDE,
    NAMED_KERNELS,
    ConvScene,
    LastNumbers,
    PictureScene,
    PoolScene,
    SceneError,
    read_grids,
    read_number,
    with_number,
)

LECTURE = next(iter(CONV_PRESETS["one"].values()))
POOL = next(iter(POOL_PRESETS["compare"].values()))

values = st.one_of(st.integers(-999, 999), st.integers(-99_999, 99_999).map(lambda number: number / 1000)).map(float)


def grids(*shape: int) -> st.SearchStrategy[tuple[object, ...]]:
    """A few numbers, repeated until the grid is full: to draw each of hundreds takes long."""
    return st.lists(values, min_size=1, max_size=9).map(lambda few: filled(cycle(few), shape))


def filled(numbers: Iterator[float], shape: tuple[int, ...]) -> tuple[object, ...]:
    return tuple(filled(numbers, shape[1:]) if shape[1:] else next(numbers) for _ in range(shape[0]))


@st.composite
def scenes(draw: st.DrawFn) -> ConvScene:
    groups, inside, out = draw(st.sampled_from([(1, 1, 1), (1, 3, 2), (2, 2, 2), (1, 2, 4), (4, 1, 4)]))
    height, width, size = (draw(st.integers(1, most)) for most in (MAX_SIDE, MAX_SIDE, 3))
    sliding = {name: draw(st.integers(*LIMITS[name])) for name in ("stride", "padding", "dilation")}
    weight = draw(grids(out, inside, size, size))
    return ConvScene(
        draw(grids(groups * inside, height, width)),
        weight,
        draw(grids(out)),
        groups=groups,
        flip=draw(st.booleans()),
        **sliding,
    )  # type: ignore[arg-type]


@given(scenes())
def test_a_scene_survives_its_address(scene: ConvScene) -> None:
    query = scene.query()
    assert ConvScene.read(query, LECTURE) == scene
    assert not {*"".join(query.values())} - {*"0123456789-._~e+"}  # what an address keeps as it is


@given(st.data())
def test_a_pooling_survives_its_address(data: st.DataObject) -> None:
    numbers = {
        name: data.draw(st.integers(*LIMITS[name]))
        for name in ("kernel_size", "stride", "padding", "output_size", "shift")
    }
    scene = PoolScene(data.draw(grids(2, 3, 4)), **numbers)  # type: ignore[arg-type]
    assert PoolScene.read(scene.query(), POOL) == scene


@pytest.mark.parametrize("name", [*NAMED_KERNELS, *LEARNED])
def test_a_named_kernel_survives_its_address(name: str) -> None:
    assert PictureScene.read(PictureScene(name).query(), PictureScene()) == PictureScene(name)


def test_what_is_missing_comes_from_the_default() -> None:
    assert ConvScene.read({}, LECTURE) == LECTURE
    assert ConvScene.read({"stride": "2"}, LECTURE) == replace(LECTURE, stride=2)
    assert ConvScene.read({"kernel": "1~~~2"}, LECTURE).bias == (0, 0)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"input": "1_2~3"}, ["input", "1 number", "first has 2"]),
        ({"input": "1_x"}, ["input has `x` where a number belongs"]),
        ({"input": ""}, ["input has nothing where a number belongs"]),
        ({"input": "nan"}, ["`nan`", "−999 to 999"]),
        ({"input": "1000"}, ["input has `1000` where a number from −999 to 999 belongs"]),
        ({"input": "1e999"}, ["`1e999`", "−999 to 999"]),
        ({"input": "1/0"}, ["`1/0`", "where a number belongs"]),
        ({"input": "_".join("1" * 13)}, ["1×13", "12×12"]),
        ({"input": "~~".join("12345")}, ["5 channels", "4"]),
        ({"input": "1_2~~1"}, ["input", "1 number", "first has 2"]),
        ({"input": "1~2~~1"}, ["input", "1 row", "first has 2"]),
        ({"input": "1_" * 5000}, ["10,000 characters", "8,000"]),
        ({"kernel": "1_2"}, ["1×2", "square"]),
        ({"kernel": "1~~~1_2~3_4"}, ["1×1, 2×2", "one size"]),
        ({"kernel": "~".join(["_".join("1" * 8)] * 8)}, ["8×8", "7×7"]),
        ({"kernel": "~~~".join("12345")}, ["5 output channels", "4"]),
        ({"kernel": "1~~1~~~1"}, ["different numbers of input channels"]),
        ({"kernel": "1~~1"}, ["2 input channels", "make 1"]),
        ({"bias": "1_2"}, ["2 numbers", "1 output channel"]),
        ({"stride": "0"}, ["stride (=`0`)", "1 to 6"]),
        ({"padding": "-1"}, ["padding (=`-1`)", "0 to 6"]),
        ({"padding": "²"}, ["padding (=`²`)", "0 to 6"]),
        ({"dilation": "99999999999"}, ["dilation", "1 to 4"]),
        ({"groups": "two"}, ["groups (=`two`)", "1 to 4"]),
        ({"flip": "yes"}, ["flip (=`yes`)", "0 to 1"]),
    ],
)
def test_a_broken_address_is_explained(query: dict[str, str], told: list[str]) -> None:
    with pytest.raises(SceneError) as caught:
        ConvScene.read(query, LECTURE)
    assert not [part for part in told if part not in str(caught.value)], str(caught.value)


@given(st.text(alphabet="0123456789_~-./e", max_size=40))
def test_any_text_is_read_or_explained(text: str) -> None:
    try:
        found = read_grids("input", text)
    except SceneError:
        return
    assert np.abs(np.array(found)).max() <= 999
    assert np.array(found).ndim == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), (" −2,5 ", -2.5), ("1/8", 0.125), ("-1/4", -0.25), ("1e2", 100), ("0.1234567", 0.123457)],
)
def test_a_number_as_it_is_typed(text: str, value: float) -> None:
    assert read_number("input", text) == value


def test_smaller_and_larger_again_loses_nothing() -> None:
    last = LastNumbers().remember(LECTURE)
    small = last.conv(LECTURE, height=2, width=3, kernel_size=1)
    assert small.input == (((3, 4, 6), (2, 4, 6)),)
    assert small.weight == ((((1,),),),)
    changed = with_number(small, "input", (0, 0, 0), 50)
    again = last.remember(changed).conv(changed, height=5, width=5, kernel_size=3)
    assert again == with_number(LECTURE, "input", (0, 0, 0), 50)
    wide = last.conv(
        again,
        in_channels=MAX_CHANNELS,
        out_channels=MAX_CHANNELS,
        height=MAX_SIDE,
        width=MAX_SIDE,
        kernel_size=MAX_KERNEL,
    )
    assert np.array(wide.weight).shape == (4, 4, 7, 7)
    assert np.array(wide.input)[0, :5, :5].tolist() == [list(row) for row in again.input[0]]
    assert len({*np.ravel(wide.input)}) > 5  # new cells hold something to look at
    assert ConvScene.read({**wide.query(), "kernel": "~~~".join(["~~".join("1234")] * 4)}, LECTURE).shape == (4, 12, 12)


def test_groups_share_the_channels_out() -> None:
    full = ConvScene((((1.0,),),) * 4, ((((1.0,),),) * 4,) * 4, (0.0,) * 4)
    last = LastNumbers().remember(full)
    assert [len(last.conv(full, groups=groups).weight[0]) for groups in (1, 2, 4)] == [4, 2, 1]
    odd = last.conv(full, groups=3)  # impossible, which the geometry says; the address can be read all the same
    assert ConvScene.read(odd.query(), LECTURE) == odd


@pytest.mark.parametrize(
    ("part", "place", "value"),
    [
        *[("input", place, 1) for place in ((1, 0, 0), (0, 5, 0), (0, -1, 0), (0, 0))],
        *[("weight", (0, 0, 3, 0), 1), ("bias", (1,), 1), ("stride", (), 1)],
        *[("input", (0, 0, 0), value) for value in (1000, -1000, float("nan"), float("inf"))],
    ],
)
def test_a_number_that_is_not_there_or_too_large_is_refused(part: str, place: tuple[int, ...], value: float) -> None:
    with pytest.raises(SceneError):
        with_number(LECTURE, part, place, value)


def test_a_pooling_has_an_input_only() -> None:
    assert with_number(POOL, "input", (0, 3, 3), -1).input[0][3] == (9, 7, 4, -1)
    with pytest.raises(SceneError):
        with_number(POOL, "weight", (0, 0, 0, 0), 1)


def test_every_preset_of_a_step_has_its_name_for_itself() -> None:
    for cases in [*CONV_PRESETS.values(), *POOL_PRESETS.values()]:
        assert len({*cases.values()}) == len(cases)
    assert LECTURE.input == LECTURE_INPUT
