"""The sentences of the number pages, against PyTorch: a formula is computed as it reads."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional

from cnn_explorer.numbers.examples import CONV_PRESETS, POOL_PRESETS
from cnn_explorer.numbers.scenes import ConvScene, PoolScene
from cnn_explorer.numbers.wording import convolution_formula, pooling_formula, shift_sentence

LECTURE = CONV_PRESETS["one"]["The lecture's example, padding 1"]
SCENES = [
    *(LECTURE, replace(LECTURE, stride=2, padding=2, dilation=2), replace(LECTURE, stride=3, padding=0)),
    *(CONV_PRESETS[step][name] for step in ("channels", "kernels") for name in list(CONV_PRESETS[step])[:1]),
]


def place(formula: str, **index: int) -> tuple[int, int]:
    """Row and column that the formula reads."""
    (inside,) = re.findall(r"input\[(?:c, )?(.*?)\]", formula)
    row, column = (re.sub(r"(\d)([ijuv])", r"\1*\2", side.replace("−", "-")) for side in inside.split(", "))
    return eval(row, {}, index), eval(column, {}, index)


@pytest.mark.parametrize("scene", SCENES)
def test_a_convolutions_formula_is_what_torch_computes(scene: ConvScene) -> None:
    formula = convolution_formula(scene)
    x, weight, bias = (np.array(values, dtype=float) for values in (scene.input, scene.weight, scene.bias))
    truth = functional.conv2d(
        *map(torch.tensor, (x, weight, bias)), scene.stride, scene.padding, scene.dilation, scene.groups
    ).numpy()
    for o, i, j in product(*map(range, truth.shape)):
        total = bias[o]
        for c, u, v in product(*map(range, weight.shape[1:])):
            row, column = place(formula, i=i, j=j, u=u, v=v)
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                total += x[c, row, column] * weight[o, c, u, v]
        assert total == pytest.approx(truth[o, i, j])


@pytest.mark.parametrize("scene", [*POOL_PRESETS["compare"].values()])
def test_a_poolings_formula_is_what_torch_computes(scene: PoolScene) -> None:
    formula = pooling_formula(scene)
    x = np.array(scene.input[0], dtype=float)
    how = (scene.kernel_size, scene.stride, scene.padding)
    largest, mean = (
        pool(torch.tensor(x)[None], *how)[0].numpy() for pool in (functional.max_pool2d, functional.avg_pool2d)
    )
    divisor = int(formula.rpartition("/ ")[2])
    for i, j in product(*map(range, largest.shape)):
        cells = [place(formula, i=i, j=j, u=u, v=v) for u, v in product(range(scene.kernel_size), repeat=2)]
        inside = [x[row, column] for row, column in cells if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]]
        assert max(inside) == largest[i, j]
        assert sum(inside) / divisor == pytest.approx(mean[i, j])


def test_a_shift_is_told_as_it_is() -> None:
    told = shift_sentence(1, {"max": (2, 6), "average": (4, 6), "none": (12, 24)})
    assert "50 % of its numbers change (underlined), 33 % of the maximum's (less), 67 % of the average's (more)" in told
    assert shift_sentence(0, {"max": (0, 6), "average": (0, 6), "none": (0, 24)}).endswith("no number changes.")
    assert "(as much)" in shift_sentence(2, {"max": (3, 6), "average": (4, 6), "none": (12, 24)})
