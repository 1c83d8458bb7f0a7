"""Drawings that are unlike all digits."""

from functools import cache

import numpy as np
import pytest
import torch
from full_data import full_mnist, written_digits
from non_digits import letters, rotated, scribbles

from cnn_explorer.build_weights.lecture import Recipe, render, split_writers
from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.digits.drawing import drawing_from_strokes, parse_drawing
from cnn_explorer.spec.network import LECTURE, parse
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.weights.evaluation import as_input
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.novelty import IMAGE, Novelty, digits_to_know, layer_outputs, layers_of, novelty_of
from cnn_explorer.weights.trace import trace_activations

ZIGZAG = drawing_from_strokes([[(60, 60), (220, 90), (60, 130), (220, 160), (60, 200), (220, 230)]])


@cache
def judge(net: str) -> tuple[NetworkShapes, torch.nn.Sequential, Novelty]:
    shapes, module = infer_shapes(parse(net)), load_network(parse(net), measure=False).module
    return shapes, module, novelty_of(module, shapes)


def alarms(net: str, images: np.ndarray) -> float:
    """The share of images that are said to be unlike all digits."""
    shapes, module, novelty = judge(net)
    pixels = torch.tensor(images)
    with torch.inference_mode():
        scores = novelty.scores(layer_outputs(module, pixels, layers_of(shapes)) | {IMAGE: as_input(pixels)})
    return float((scores > novelty.threshold).float().mean())


def test_the_lecture_s_network_knows_real_digits() -> None:
    _, unseen = split_writers(written_digits(), Recipe().unseen_writers)
    assert alarms(str(LECTURE), full_mnist(train=False).images[::4]) <= 0.02
    assert alarms(str(LECTURE), np.stack([render(digit.strokes) for digit in unseen])) <= 0.02


@pytest.mark.parametrize(
    "images",
    [scribbles(300, seed=1), letters(300, seed=1), rotated(bundled_digits())],
    ids=["scribbles", "letters", "rotated"],
)
def test_the_lecture_s_network_catches_what_is_no_digit(images: np.ndarray) -> None:
    assert alarms(str(LECTURE), images) >= 0.8


@pytest.mark.parametrize(
    "net", ["fc10", "conv4k3-max2-relu-fc10", "conv6k5-avg2-drop50-fc10", "conv9k5s2-relu-fc30-tanh-fc10"]
)
def test_every_network_tells_most_scribbles_from_digits(net: str) -> None:
    assert alarms(net, scribbles(120)) > 0.4
    assert alarms(net, bundled_digits().images) == pytest.approx(0.0175, abs=0.002)  # its threshold comes from these


def test_one_drawing_is_judged_by_its_trace() -> None:
    _, module, novelty = judge(str(LECTURE))
    three = parse_drawing("d3").preprocess().pixels
    seen = {name: torch.tensor(pixels.copy()) for name, pixels in (("3", three), ("sideways", np.rot90(three)))}
    seen["zigzag"] = torch.tensor(ZIGZAG.preprocess().pixels)
    told = {name: novelty.is_unlike(trace_activations(module, as_input(pixels[None]))) for name, pixels in seen.items()}
    assert told == {"3": False, "sideways": True, "zigzag": True}


def test_layers_with_the_same_values_are_looked_at_once() -> None:
    nets = {"conv4k3-fc10": ["conv1"], "conv4k3-relu-drop50-fc10": ["conv1", "flatten"], "fc10": []}
    assert {net: layers_of(infer_shapes(parse(net))) for net in nets} == nets


@pytest.mark.parametrize(("net", "known"), [("conv10k5-max2-relu-fc10", 2000), ("conv10k5", 0), ("fc9", 0)])
def test_only_networks_with_ten_outputs_are_judged(net: str, known: int) -> None:
    assert digits_to_know(infer_shapes(parse(net))) == known
