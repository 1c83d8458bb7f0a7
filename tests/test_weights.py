"""Trained weights where they fit, and a label that says so."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from cnn_explorer.builder import build_network
from cnn_explorer.data import bundled_digits
from cnn_explorer.network import LECTURE, PRESETS, parse
from cnn_explorer.weights import ASSETS, load_network, recipe


def trained() -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = torch.load(ASSETS / "lecture.pt", weights_only=True)
    return tensors


def test_the_lecture_network_is_trained() -> None:
    network = load_network(LECTURE)
    state = network.module.state_dict()
    assert state.keys() == trained().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in trained().items())
    assert not network.module.training
    assert network.label.trained
    assert network.label.source == "trained"
    assert network.label.accuracy == recipe()["results"]["mnist_test"]["accuracy"]
    assert f"{network.label.accuracy:.1%}".replace("%", " %") in network.label.sentence


def test_it_reads_the_bundled_digits() -> None:
    digits = bundled_digits()
    images = torch.from_numpy(digits.images.astype(np.float32) / 255).unsqueeze(1)
    with torch.inference_mode():
        answers = load_network(LECTURE).module(images).argmax(dim=1)
    assert (answers.numpy() == digits.labels).mean() > 0.97


def test_a_written_flatten_makes_no_difference() -> None:
    network = load_network(parse("conv10k5-max2-relu-conv20k5-max2-relu-flatten-fc10"))
    assert network.label == load_network(LECTURE).label


@pytest.mark.parametrize(
    ("text", "kept", "source", "words"),
    [
        (
            "conv10k5-max2-relu-conv20k5-max2-relu-fc64-relu-fc5",
            {"conv1", "conv2"},
            "partly trained",
            "conv1 and conv2 from the lecture's network, fc1 and fc2 random",
        ),
        (
            "conv10k5-max2-relu-conv20k5g2-max2-relu-fc10",
            {"conv1", "fc1"},
            "partly trained",
            "conv1 and fc1 from the lecture's network, conv2 random",
        ),
        (
            "bn-conv10k5-max2-relu-conv20k5-max2-relu-fc10",
            {"conv1", "conv2", "fc1"},
            "partly trained",
            "trained with other steps in between",
        ),
        ("conv12k9-max2-relu-fc10", set(), "random", "all weights are random"),
        ("max2-relu", set(), "random", "Nothing to train"),
        ("conv10k5-max28-fc10", {"conv1"}, "partly trained", "trained with other steps in between"),  # as far as it works out
    ],
)
def test_an_edited_network_keeps_what_fits_and_says_so(text: str, kept: set[str], source: str, words: str) -> None:
    network = load_network(parse(text))
    state = network.module.state_dict()
    same = {name.split(".")[0] for name, tensor in trained().items() if name in state and torch.equal(state[name], tensor)}
    assert same == kept
    assert network.label.source == source
    assert words in network.label.sentence
    assert network.label.accuracy is None
    assert not network.label.trained
    assert not network.module.training


def test_presets_of_convolutions_are_fitted_and_others_say_untrained() -> None:
    labels = {name: load_network(spec).label for name, spec in PRESETS.items()}
    assert {name for name, label in labels.items() if not label.trained} == {"the lecture's fully connected network"}
    assert all(label.accuracy is None or label.accuracy > 0.75 for name, label in labels.items())


def test_what_is_not_trained_is_seeded() -> None:
    text = "conv10k5-max2-relu-conv20k9p4-max2-relu-fc10"
    loaded, built = load_network(parse(text)).module.state_dict(), build_network(parse(text)).state_dict()
    assert torch.equal(loaded["conv2.weight"], built["conv2.weight"])


def test_every_load_is_a_network_of_its_own() -> None:
    first = load_network(LECTURE).module
    with torch.no_grad():
        first.conv1.weight.zero_()  # type: ignore[union-attr, operator]
    assert torch.equal(load_network(LECTURE).module.state_dict()["conv1.weight"], trained()["conv1.weight"])


def test_threads_load_the_same() -> None:
    specs = [LECTURE, parse("conv10k5-max2-relu-fc10")] * 10
    with ThreadPoolExecutor(8) as pool:
        networks = list(pool.map(load_network, specs))
    for first, other in zip(networks[:2] * 10, networks, strict=True):
        states = first.module.state_dict(), other.module.state_dict()
        assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
        assert first.label == other.label
