"""Networks that compute the same: one form, the same weights, the same numbers."""

import pytest
import torch

from cnn_explorer import load_network, parse
from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.spec.canonical import canonical
from cnn_explorer.weights.evaluation import as_input

LECTURE_AS_CANONICAL = "conv10k5-max2-relu-conv20k5-max2-relu-fc10"


@pytest.mark.parametrize(
    ("architecture", "form"),
    [
        ("conv10k5-relu-max2-conv20k5-relu-max2-fc10", LECTURE_AS_CANONICAL),
        ("conv10k5-max2-relu-conv20k5-max2-relu-flatten-fc10", LECTURE_AS_CANONICAL),
        ("conv10k5-max2-relu-conv20k5-max2-flatten-relu-fc10", LECTURE_AS_CANONICAL),
        ("conv10k5-max2-relu-drop20-conv20k5-max2-relu-drop50-fc10", LECTURE_AS_CANONICAL),
        ("conv10k5-relu-max2-relu-conv20k5-relu-relu-max2-fc10", LECTURE_AS_CANONICAL),
        ("conv10k5-max1-max2-relu-avg1-conv20k5-max2-relu-fc10", LECTURE_AS_CANONICAL),
        ("conv8k3-tanh-max2-max2-fc10", "conv8k3-max2-max2-tanh-fc10"),
        ("conv8k3-gelu-max2-fc10", "conv8k3-gelu-max2-fc10"),  # GELU falls before it rises
        ("conv8k3-relu-avg2-fc10", "conv8k3-relu-avg2-fc10"),  # the mean of ReLUs is not the ReLU of the mean
        ("conv8k3-relu-max1s2-fc10", "conv8k3-max1s2-relu-fc10"),  # leaves values out
        ("conv8k3-flatten", "conv8k3-flatten"),
        ("conv8k3-flatten-max2-fc10", "conv8k3-flatten-max2-fc10"),  # does not work out, before and after
        ("drop50", "drop50"),
    ],
)
def test_the_form_of_a_network(architecture: str, form: str) -> None:
    assert str(canonical(parse(architecture))) == form
    assert canonical(canonical(parse(architecture))) == canonical(parse(architecture))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LECTURE_AS_CANONICAL, "conv10k5-relu-max2-conv20k5-relu-max2-flatten-fc10"),
        ("conv10k5s2-relu-max2-fc10", "conv10k5s2-drop30-max2-relu-fc10"),
        ("conv6k3-max3s2p1-sigmoid-conv8k3-tanh-max2-fc10", "conv6k3-sigmoid-max3s2p1-conv8k3-max2-tanh-flatten-fc10"),
        ("conv10k3p1-relu-conv20k3p1-relu-fc10", "conv10k3p1-relu-max1-conv20k3p1-relu-relu-fc10"),
    ],
)
def test_networks_that_compute_the_same_give_the_same_numbers(one: str, other: str) -> None:
    images = as_input(torch.tensor(bundled_digits().images[:40]))
    first, second = (load_network(parse(architecture)) for architecture in (one, other))
    with torch.no_grad():
        assert torch.allclose(first.module(images), second.module(images), rtol=0, atol=1e-5)
    assert first.label == second.label
