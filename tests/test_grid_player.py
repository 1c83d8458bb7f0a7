"""What the grid player is sent, against PyTorch and against numbers worked by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from cnn_explorer.numbers.examples import CONV_PRESETS, LECTURE_INPUT, POOL_PRESETS
from cnn_explorer.numbers.scenes import ConvScene, PoolScene
from cnn_explorer.ui.grid_player import (
    Edit,
    adaptive_data,
    convolution_data,
    edits_of,
    flip_data,
    pooling_data,
    shift_data,
)

CONVOLUTIONS = [scene for cases in CONV_PRESETS.values() for scene in cases.values()]
LECTURE = CONVOLUTIONS[0]


def outputs(data: dict[str, Any], rule: str) -> list[Any]:
    return [output["values"] for output in data["outputs"] if output["rule"] == rule]


@pytest.mark.parametrize("scene", CONVOLUTIONS)
@pytest.mark.parametrize("matrix", [False, True])
def test_a_convolution_is_torchs(scene: ConvScene, matrix: bool) -> None:
    data = convolution_data("any", scene, matrix=matrix)
    x, weight, bias = (torch.tensor(values, dtype=torch.float64) for values in (scene.input, scene.weight, scene.bias))
    truth = functional.conv2d(x, weight, bias, scene.stride, scene.padding, scene.dilation, scene.groups)
    np.testing.assert_array_equal(outputs(data, "conv"), truth.numpy())
    assert data["agrees"] is True
    assert [len(data["windows"][0][side]) for side in ("rows", "columns")] == [*truth.shape[1:]]
    assert len(data["axes"]) == (4 if matrix else 0)
    for out, seen in enumerate(data["seen"]):
        for at, channel in enumerate(seen):  # this channel alone, through torch
            alone = functional.conv2d(
                x[channel][None], weight[out, at][None, None], None, scene.stride, scene.padding, scene.dilation
            )
            np.testing.assert_allclose(data["partials"][out][at], alone[0], atol=1e-9)


def test_a_difference_to_torch_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    from cnn_explorer.ui import grid_player

    real = grid_player.torch_convolution
    monkeypatch.setattr(grid_player, "torch_convolution", lambda scene: real(scene) + 1e-3)
    assert convolution_data("any", LECTURE)["agrees"] is False


def test_an_impossible_kernel_leaves_the_numbers() -> None:
    data = convolution_data("any", replace(LECTURE, dilation=4))
    assert (data["outputs"], data["lines"]) == ([], [])
    assert data["kernels"] == LECTURE.weight
    assert data["inputs"][0]["values"] == LECTURE_INPUT[0]
    assert pooling_data("any", PoolScene(LECTURE_INPUT, kernel_size=7))["outputs"] == []
    assert shift_data("any", PoolScene(LECTURE_INPUT, kernel_size=7))["outputs"] == []


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ["⌊(5 + 2·1 − 1·(3−1) − 1)/1⌋ + 1 = 5"]),
        ({"padding": 0, "stride": 2}, ["⌊(5 + 2·0 − 1·(3−1) − 1)/2⌋ + 1 = 2"]),
        (
            {"stride": 3},
            [
                "⌊(5 + 2·1 − 1·(3−1) − 1)/3⌋ + 1 = 2",
                "left over (hatched): 1 row at the bottom and 1 column on the right",
            ],
        ),
        (
            {"input": (LECTURE_INPUT[0][:4],), "padding": 0, "stride": 2},
            [
                "H: ⌊(4 + 2·0 − 1·(3−1) − 1)/2⌋ + 1 = 1",
                "W: ⌊(5 + 2·0 − 1·(3−1) − 1)/2⌋ + 1 = 2",
                "left over (hatched): 1 row at the bottom",
            ],
        ),
    ],
)
def test_the_shape_line(changes: dict[str, Any], lines: list[str]) -> None:
    assert convolution_data("any", replace(LECTURE, **changes))["lines"] == lines


def test_the_turned_kernel_is_a_convolution() -> None:
    """A single 1 is answered with the kernel itself by a convolution, with the turned kernel by a cross-correlation."""
    data = flip_data("flip", CONV_PRESETS["flip"]["A single 1"])
    correlated, convolved = (np.array(values)[1:4, 1:4].tolist() for values in outputs(data, "conv"))
    assert convolved == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert correlated == [[9, 8, 7], [6, 5, 4], [3, 2, 1]]
    assert len(flip_data("flip", replace(CONV_PRESETS["flip"]["A single 1"], flip=False))["outputs"]) == 1


def test_the_lectures_pooling() -> None:
    data = pooling_data("compare", POOL_PRESETS["compare"]["The lecture's example"])
    assert outputs(data, "max") == [[[4, 8], [9, 8]]]
    assert outputs(data, "avg") == [[[3.25, 6.25], [5.75, 6.25]]]
    assert outputs(data, "none") == [[[3, 4, 6, 5], [2, 4, 6, 8], [1, 6, 7, 8], [9, 7, 4, 6]]]
    assert data["winners"][0] == [[[0, 1], [1, 3]], [[3, 0], [2, 3]]]
    assert data["lines"] == ["⌊(4 + 2·0 − 2)/2⌋ + 1 = 2"]


def test_pooling_keeps_the_number_of_channels() -> None:
    data = pooling_data("compare", POOL_PRESETS["compare"]["Three channels"])
    assert [len(outputs(data, rule)) for rule in ("max", "avg", "none")] == [3, 3, 3]
    assert "windows overlap by 2" in pooling_data("compare", POOL_PRESETS["compare"]["Windows that overlap"])["lines"]


def test_adaptive_windows_are_named() -> None:
    data = adaptive_data("adaptive", PoolScene(LECTURE_INPUT, output_size=2))
    assert data["lines"] == ["rows 0–2, 2–4"]
    (average,) = outputs(adaptive_data("adaptive", PoolScene(LECTURE_INPUT, output_size=1)), "avg")
    assert average == [[pytest.approx(121 / 25)]]


def test_a_shift_changes_a_maximum_least() -> None:
    data = shift_data("shift", POOL_PRESETS["shift"]["A soft line"])
    moved = [output for output in data["outputs"] if output["input"] == 1]
    assert [output["note"] for output in moved] == ["2 of 6 changed", "4 of 6 changed", "12 of 24 changed"]
    assert data["inputs"][1]["editable"] is False


def test_changes_come_from_the_components_state(monkeypatch: pytest.MonkeyPatch) -> None:
    from cnn_explorer.ui import grid_player

    message = {
        "seq": 2,
        "edits": [
            {"seq": 1, "part": "input", "index": [0, 1, 2], "value": 5},
            {"seq": 2, "part": "bias", "index": [0], "value": 1},
        ],
    }
    monkeypatch.setattr(grid_player.st, "session_state", {"player": {"edits": message}, "quiet": {}})
    assert edits_of("player") == [Edit(1, "input", (0, 1, 2), 5.0), Edit(2, "bias", (0,), 1.0)]
    assert edits_of("quiet") == edits_of("never") == []
