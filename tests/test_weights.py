"""Trained weights where they fit, and a label that says so."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.shipped import ASSETS
from cnn_explorer.spec.layers import FlattenSpec, LinearSpec
from cnn_explorer.spec.network import LECTURE, PRESETS, NetworkSpec, parse
from cnn_explorer.weights.builder import build_network
from cnn_explorer.weights.load import load_network, recipe


def trained(spec: NetworkSpec = LECTURE) -> dict[str, torch.Tensor]:
    """The tensors in the shipped files."""
    file = torch.load(ASSETS / ("lecture.pt" if spec == LECTURE else "presets.pt"), weights_only=True)
    tensors: dict[str, torch.Tensor] = file if spec == LECTURE else file[str(spec)]
    return tensors


def results_of(spec: NetworkSpec) -> dict[str, Any]:
    """The results in the shipped files."""
    described = recipe() if spec == LECTURE else recipe("presets")["networks"][str(spec)]
    results: dict[str, Any] = described["results"]
    return results


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


@pytest.mark.parametrize("spec", PRESETS.values(), ids=str)
def test_every_preset_is_trained(spec: NetworkSpec) -> None:
    network = load_network(spec)
    tensors, results = trained(spec), results_of(spec)
    state = network.module.state_dict()
    assert state.keys() == tensors.keys()
    assert all(torch.equal(state[name], tensor.float()) for name, tensor in tensors.items())
    assert all(tensor.dtype == torch.float32 for tensor in state.values())
    assert not network.module.training
    label = network.label
    assert (label.source, label.accuracy, label.measured) == ("trained", results["mnist_test"]["accuracy"], 10_000)
    assert f"Right on {100 * results['mnist_test']['accuracy']:.1f} % of MNIST's 10,000 test digits" in label.sentence
    assert (
        f"on {100 * results['pen_unseen_writers']['accuracy']:.1f} % of 1,498 digits by 6 people it never saw"
        in label.sentence
    )


@pytest.mark.parametrize("spec", PRESETS.values(), ids=str)
def test_a_written_flatten_makes_no_difference(spec: NetworkSpec) -> None:
    first = next(place for place, layer in enumerate(spec.layers) if isinstance(layer, LinearSpec))
    written = load_network(NetworkSpec((*spec.layers[:first], FlattenSpec(), *spec.layers[first:])))
    assert written.label == load_network(spec).label
    assert written.label.source == "trained"


def test_one_step_away_from_a_preset_is_another_network() -> None:
    for text in ("fc512-relu-fc256-relu-fc128-relu-fc64-tanh-fc10", "conv10k5-avg2-relu-conv20k5-max2-relu-fc10"):
        assert load_network(parse(text)).label.source != "trained"
    assert load_network(NetworkSpec(LECTURE.layers, (1, 32, 32))).label.source != "trained"


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
        (
            "conv10k5-max28-fc10",
            {"conv1"},
            "partly trained",
            "trained with other steps in between",
        ),  # as far as it works out
    ],
)
def test_an_edited_network_keeps_what_fits_and_says_so(text: str, kept: set[str], source: str, words: str) -> None:
    network = load_network(parse(text))
    state = network.module.state_dict()
    same = {
        name.split(".")[0] for name, tensor in trained().items() if name in state and torch.equal(state[name], tensor)
    }
    assert same == kept
    assert network.label.source == source
    assert words in network.label.sentence
    assert network.label.accuracy is None
    assert not network.label.trained
    assert not network.module.training


def test_what_is_not_trained_is_seeded() -> None:
    text = "conv10k5-max2-relu-conv20k9p4-max2-relu-fc10"
    loaded, built = load_network(parse(text)).module.state_dict(), build_network(parse(text)).state_dict()
    assert torch.equal(loaded["conv2.weight"], built["conv2.weight"])


@pytest.mark.parametrize("spec", PRESETS.values(), ids=str)
def test_every_load_is_a_network_of_its_own(spec: NetworkSpec) -> None:
    first = load_network(spec).module
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    again = load_network(spec).module.state_dict()
    assert all(torch.equal(again[name], tensor.float()) for name, tensor in trained(spec).items())


def test_threads_load_the_same() -> None:
    specs = [LECTURE, parse("conv10k5-max2-relu-fc10")] * 10
    with ThreadPoolExecutor(8) as pool:
        networks = list(pool.map(load_network, specs))
    for first, other in zip(networks[:2] * 10, networks, strict=True):
        states = first.module.state_dict(), other.module.state_dict()
        assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
        assert first.label == other.label
