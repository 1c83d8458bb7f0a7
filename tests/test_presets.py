"""The presets' weights: that they are as good as their file says, and how they are trained."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from full_data import drawn_by_others, full_mnist
from torch import nn

from cnn_explorer.build_weights import presets
from cnn_explorer.build_weights.lecture import Recipe, options_of
from cnn_explorer.build_weights.presets import RECIPES
from cnn_explorer.digits.data import ASSETS, Digits, PenDigit, bundled_digits, more_digits
from cnn_explorer.spec.network import LECTURE, PRESETS, parse
from cnn_explorer.weights.builder import build_network
from cnn_explorer.weights.evaluation import accuracy

LEAST = {
    "LeNet-5": 0.992,
    "the lecture's fully connected network": 0.983,
    "stride=3: one number a channel": 0.92,
}  # others 0.985


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return json.loads((ASSETS / "presets.json").read_text(encoding="utf-8"))


def shipped(architecture: str) -> nn.Sequential:
    module = build_network(parse(architecture), seed=99)
    module.load_state_dict(torch.load(ASSETS / "presets.pt", weights_only=True)[architecture])
    return module


def test_the_files_hold_every_preset_but_the_lectures(described: dict[str, Any]) -> None:
    others = {str(spec) for spec in PRESETS.values()} - {str(LECTURE)}
    tensors = torch.load(ASSETS / "presets.pt", weights_only=True)
    assert tensors.keys() == described["networks"].keys() == RECIPES.keys() == others
    assert all(
        tensor.dtype == torch.float16 and torch.isfinite(tensor).all()
        for state in tensors.values()
        for tensor in state.values()
    )
    for architecture, network in described["networks"].items():
        assert network["parameters"] == sum(parameter.numel() for parameter in shipped(architecture).parameters())
        assert (network["epochs"], network["learning_rate"]) == (
            RECIPES[architecture].epochs,
            RECIPES[architecture].learning_rate,
        )
    assert described["bytes"] == (ASSETS / "presets.pt").stat().st_size <= 2_500_000
    assert any("CC BY-SA 3.0" in source for source in described["data"])
    assert any("CC BY 4.0" in source for source in described["data"])
    assert re.match(r"python -m cnn_explorer\.build_weights presets ", described["rebuild"])


@pytest.mark.full_mnist
@pytest.mark.parametrize("name", [name for name in PRESETS if PRESETS[name] != LECTURE])
def test_shipped_presets_on_mnist_and_on_writers_never_seen(described: dict[str, Any], name: str) -> None:
    architecture, digits = str(PRESETS[name]), full_mnist(train=False)
    module, results = shipped(architecture), described["networks"][architecture]["results"]
    on_mnist, pen = results["mnist_test"], results["pen_unseen_writers"]
    images, labels = drawn_by_others()
    assert (on_mnist["digits"], pen["digits"], pen["writers"]) == (len(digits), len(labels), [25, 26, 27, 28, 29, 30])
    assert accuracy(module, digits.images, digits.labels) == pytest.approx(
        on_mnist["accuracy"], abs=0.0002
    )  # others round otherwise
    assert accuracy(module, images, labels) == pytest.approx(pen["accuracy"], abs=0.0014)  # two digits
    assert on_mnist["accuracy"] >= LEAST.get(name, 0.985)
    assert pen["accuracy"] >= min(LEAST.get(name, 0.985), 0.985)


# --- training ---

CONVOLUTION, LINEAR = "conv3k5-avg2-tanh-fc10", "fc16-relu-fc10"


@pytest.fixture
def handful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small networks, two short epochs, and a handful of digits in the place of all."""

    def some_mnist(root: Path, train: bool = True) -> Digits:
        digits = bundled_digits() if train else more_digits()
        return Digits(digits.images[:20].copy(), digits.labels[:20].copy())

    def some_pen_digits(file: Path) -> list[PenDigit]:
        return [PenDigit(1, writer, (((10.0, 10.0), (12.0, 200.0)),)) for writer in range(7)]

    recipe = Recipe(per_epoch=(20, 5, 2), epochs=2)
    for name, value in {
        "mnist": some_mnist,
        "pen_digits": some_pen_digits,
        "RECIPES": {CONVOLUTION: recipe, LINEAR: recipe},
    }.items():
        monkeypatch.setattr(presets, name, value)


def command(out: Path, *arguments: str) -> dict[str, Any]:
    """Run the training; what it wrote: `presets.pt`'s contents."""
    presets.run(options_of(["--data", "nowhere", "--out", str(out), *arguments], "presets"))
    tensors: dict[str, Any] = torch.load(out / "presets.pt", weights_only=True)
    return tensors


@pytest.mark.usefixtures("handful")
def test_the_command_trains_measures_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = command(tmp_path)
    told = re.findall(r"^conv3\S+|^fc16\S+|^epoch \d", capsys.readouterr().out, re.MULTILINE)
    assert told == [CONVOLUTION, "epoch 1", "epoch 2", LINEAR, "epoch 1", "epoch 2"]
    described = json.loads((tmp_path / "presets.json").read_text(encoding="utf-8"))["networks"]
    assert list(tensors) == list(described) == [CONVOLUTION, LINEAR]
    for text, state in tensors.items():
        module = build_network(parse(text))
        module.load_state_dict(state)
        reached = accuracy(module, more_digits().images[:20], more_digits().labels[:20])
        assert described[text]["results"]["mnist_test"] == {"accuracy": reached, "digits": 20}
        assert described[text]["results"]["pen_unseen_writers"]["writers"] == [1, 2, 3, 4, 5, 6]
        assert described[text]["epochs"] == 2


@pytest.mark.usefixtures("handful")
def test_an_interrupted_command_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, resume = command(tmp_path / "whole"), ["--checkpoint", str(tmp_path / "progress.pt")]
    measure, measured = presets.reading_results, []

    def interrupted_at_the_second(*arguments: Any) -> dict[str, Any]:
        measured.append(arguments)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(presets, "reading_results", interrupted_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        command(tmp_path / "resumed", *resume)
    assert {file.name for file in tmp_path.glob("*.pt")} == {"progress.pt", f"progress-{LINEAR}.pt"}
    resumed = command(tmp_path / "resumed", *resume)
    assert len(measured) == 3  # the first network had been done
    assert {file.name for file in tmp_path.glob("*.pt")} == {"progress.pt"}
    assert resumed.keys() == whole.keys()
    assert all(
        torch.equal(resumed[text][name], tensor) for text, state in whole.items() for name, tensor in state.items()
    )
