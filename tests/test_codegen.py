"""The source that a page shows, run as a learner runs it: in a process of its own. It prints the numbers on the page."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from programs import run

from cnn_explorer.digits.drawing import parse_drawing
from cnn_explorer.digits.preprocessing import grey_pixels
from cnn_explorer.numbers import codegen
from cnn_explorer.numbers.examples import CONV_PRESETS, LECTURE_INPUT, POOL_PRESETS
from cnn_explorer.numbers.scenes import NAMED_KERNELS, ConvScene, LastNumbers, PoolScene
from cnn_explorer.ui import grid_player
from cnn_explorer.ui.numbers.pictures import filtered


def printed(*programs: str) -> list[np.ndarray]:
    """All numbers that each program prints."""
    outputs = [run(program).stdout for program in programs]
    return [
        np.array([float(number) for number in re.findall(r"-?\d+(?:\.\d*)?(?=[,\])\s.])", tidy(output))])
        for output in outputs
    ]


def tidy(output: str) -> str:
    return output.replace("dtype=torch.float64", "").replace("tensor", " ")


def shown(data: grid_player.Data, *rules: str) -> np.ndarray:
    """Output by output, the numbers that the page has."""
    return np.concatenate(
        [np.ravel(output["values"]) for rule in rules for output in data["outputs"] if output["rule"] == rule]
    )


def test_convolutions_print_what_is_on_screen() -> None:
    scenes = [scene for cases in CONV_PRESETS.values() for scene in cases.values()]
    one = CONV_PRESETS["one"]["The lecture's example, padding 1"]
    scenes += [
        replace(one, bias=(-0.125,), padding=2, stride=3, dilation=2),
        replace(one, input=(tuple(tuple(value * 99.99 for value in row) for row in LECTURE_INPUT[0]),)),
        LastNumbers().conv(
            one, in_channels=4, out_channels=4, height=12, width=12, kernel_size=1, padding=6
        ),  # more than torch prints unasked
    ]
    for scene, numbers in zip(scenes, printed(*map(codegen.convolution_code, scenes)), strict=True):
        data = grid_player.convolution_data("any", scene)
        assert data["outputs"]
        np.testing.assert_allclose(numbers, shown(data, "conv"), atol=5.1e-5, rtol=1e-9)


def test_the_lectures_published_results_are_printed() -> None:
    cases = CONV_PRESETS["one"]
    padded, strided = printed(
        *(codegen.convolution_code(cases[f"The lecture's example, {how}"]) for how in ("padding 1", "stride 2"))
    )
    assert [*padded] == [
        *(91, 168, 224, 215, 127, 114, 211, 295, 262, 149, 192, 259, 282),
        *(214, 122, 194, 251, 253, 169, 86, 96, 112, 110, 68, 31),
    ]
    assert [*strided] == [211, 262, 251, 169]


def test_both_kernels_are_printed() -> None:
    scenes = [*CONV_PRESETS["flip"].values()]
    for scene, numbers in zip(scenes, printed(*map(codegen.flip_code, scenes)), strict=True):
        np.testing.assert_allclose(numbers, shown(grid_player.flip_data("flip", scene), "conv"))


def test_poolings_print_what_is_on_screen() -> None:
    scenes = [*POOL_PRESETS["compare"].values(), PoolScene(LECTURE_INPUT, 3, 2, 1)]
    for scene, numbers in zip(scenes, printed(*map(codegen.pooling_code, scenes)), strict=True):
        np.testing.assert_allclose(
            numbers, shown(grid_player.pooling_data("compare", scene), "max", "avg"), atol=5.1e-5
        )


def test_adaptive_poolings_print_what_is_on_screen() -> None:
    scenes = [
        *POOL_PRESETS["adaptive"].values(),
        PoolScene(LECTURE_INPUT, output_size=3),
        PoolScene(LECTURE_INPUT, output_size=7),
    ]
    for scene, numbers in zip(scenes, printed(*map(codegen.adaptive_code, scenes)), strict=True):
        adaptive = shown(grid_player.adaptive_data("adaptive", scene), "max", "avg")
        np.testing.assert_allclose(numbers, [*adaptive, *np.mean(scene.input, axis=(1, 2))], atol=5.1e-5)


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_shift_prints_how_much_changes(shift: int) -> None:
    scenes = [replace(scene, shift=shift) for scene in POOL_PRESETS["shift"].values()]
    for scene, numbers in zip(scenes, printed(*map(codegen.shift_code, scenes)), strict=True):
        moved = [output for output in grid_player.shift_data("shift", scene)["outputs"] if output["input"] == 1]
        assert [*numbers] == [len(output["changed"]) for output in moved]


def test_a_kernel_on_a_drawn_digit_prints_its_range() -> None:
    pixels = parse_drawing("d7").preprocess().pixels
    programs = [codegen.picture_code(pixels, kernel) for kernel in NAMED_KERNELS.values()]
    for kernel, numbers in zip(NAMED_KERNELS.values(), printed(*programs), strict=True):
        values = filtered(pixels, kernel)
        np.testing.assert_allclose(numbers, [values.min(), values.max()], atol=5.1e-5)


def test_a_kernel_on_a_picture_prints_its_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(3)
    picture = Image.fromarray(chance.integers(0, 256, (300, 420, 3), dtype=np.uint8))
    picture.save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    pixels = grey_pixels(picture, 280)
    assert pixels.shape == (200, 280)
    (numbers,) = printed(codegen.picture_code(pixels, NAMED_KERNELS["Sobel y"]))
    values = filtered(pixels, NAMED_KERNELS["Sobel y"])
    np.testing.assert_allclose(numbers, [values.min(), values.max()], atol=5.1e-5)


def test_the_scenes_of_these_tests_are_those_of_the_address() -> None:
    """What a page shows went through its address: rounding there must not change what is printed."""
    for cases in CONV_PRESETS.values():
        for scene in cases.values():
            assert codegen.convolution_code(ConvScene.read(scene.query(), scene)) == codegen.convolution_code(scene)
