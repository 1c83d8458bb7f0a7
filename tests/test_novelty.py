"""Drawings that are unlike all digits."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from full_data import drawn_by_others, full_mnist
from non_digits import letters, rotated, scribbles

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.digits.drawing import drawing_from_strokes, parse_drawing
from cnn_explorer.weights.novelty import Novelty, fitted_novelty

ZIGZAG = drawing_from_strokes([[(60, 60), (220, 90), (60, 130), (220, 160), (60, 200), (220, 230)]])


@pytest.fixture(scope="module")
def novelty() -> Novelty:
    return fitted_novelty()


def alarms(novelty: Novelty, images: np.ndarray) -> float:
    """The share of images that are said to be unlike all digits."""
    return float((novelty.scores(torch.tensor(images.copy())) > novelty.threshold).float().mean())


def test_real_digits_are_known(novelty: Novelty) -> None:
    assert alarms(novelty, full_mnist(train=False).images[::10]) <= 0.02
    assert alarms(novelty, drawn_by_others()[0]) <= 0.02
    assert alarms(novelty, bundled_digits().images) == pytest.approx(0.0175, abs=0.002)  # its threshold is from these


@pytest.mark.parametrize(
    "draw",
    [lambda: scribbles(300, seed=1), lambda: letters(300, seed=1), lambda: rotated(bundled_digits())],
    ids=["scribbles", "letters", "rotated"],
)
def test_what_is_no_digit_is_caught(novelty: Novelty, draw: Callable[[], np.ndarray]) -> None:
    assert alarms(novelty, draw()) >= 0.8


def test_one_drawing(novelty: Novelty) -> None:
    three = parse_drawing("d3").preprocess().pixels
    seen = {"3": three, "sideways": np.rot90(three).copy(), "zigzag": ZIGZAG.preprocess().pixels}
    told = {name: novelty.is_unlike(pixels) for name, pixels in seen.items()}
    assert told == {"3": False, "sideways": True, "zigzag": True}
