"""The PyTorch code of a network runs as it is pasted, and is that network."""

import pytest
import torch
from hypothesis import given, settings
from programs import run
from strategies import networks
from torch import nn

from cnn_explorer.spec.codegen import network_code
from cnn_explorer.spec.network import LECTURE, PRESETS, NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.weights.builder import build_layers


def marked(net: str, before: str) -> list[str]:
    """The lines with a mark and those that they point at, without what these say of shapes."""
    lines = network_code(infer_shapes(parse(net)), infer_shapes(parse(before))).splitlines()
    found = [at for at, line in enumerate(lines) if "←" in line or "↓" in line or (at and "↓" in lines[at - 1])]
    return [lines[at].strip().split(",  ")[0] for at in found]


@settings(max_examples=60)
@given(networks())
def test_the_code_makes_the_very_layers(spec: NetworkSpec) -> None:
    shapes = infer_shapes(spec)
    names: dict[str, object] = {"print": lambda shown: None}
    code = network_code(shapes)
    exec(code.split("\nx = ")[0], names)
    network = names["network"]
    assert isinstance(network, nn.Sequential)
    assert [*map(repr, network)] == [*map(repr, build_layers(shapes)[1:])]
    for layer, line in zip(shapes.layers, code.splitlines()[4:], strict=False):
        assert f"# {layer.name}: {'×'.join(map(str, layer.output_shape))}" in line


@pytest.mark.parametrize("net", [str(preset) for preset in PRESETS.values()])
def test_the_code_runs_as_it_is_pasted(net: str) -> None:
    """It prints ten probabilities."""
    printed = run(network_code(infer_shapes(parse(net)))).stdout
    values = [
        float(word)
        for word in printed.replace("[", " ").replace("]", " ").replace(",", " ").split()
        if word[0].isdigit()
    ]
    assert sum(values) == pytest.approx(1, abs=0.01)
    assert len(values) == 10


def test_the_input_is_normalised_as_in_the_package() -> None:
    normalize = build_layers(infer_shapes(LECTURE))[0]
    x = torch.rand(1, 1, 28, 28)
    names = {"x": x}
    (line,) = [line for line in network_code(infer_shapes(LECTURE)).splitlines() if line.startswith("x = (x")]
    exec(line, names)
    assert torch.equal(names["x"], normalize(x))


def test_what_changed_last_is_marked() -> None:
    lecture = str(LECTURE)
    assert not marked(lecture, lecture)
    assert marked(lecture.replace("20k5", "20k5s3"), lecture) == [
        "# ↓ was nn.Conv2d(10, 20, kernel_size=5)",
        "nn.Conv2d(10, 20, kernel_size=5, stride=3)",
    ]
    assert marked(lecture.replace("10k5-max2-relu", "12k5-max2"), lecture) == [
        "# ↓ was nn.Conv2d(1, 10, kernel_size=5)",
        "nn.Conv2d(1, 12, kernel_size=5)",
        "# ← gone: nn.ReLU()",
    ]
    assert marked(lecture.replace("-fc10", "-fc50-fc10"), lecture) == ["# ↓ new", "nn.Linear(320, 50)"]


def test_a_network_that_breaks_runs_up_to_there() -> None:
    code = network_code(infer_shapes(parse("conv4k5-max2-conv4k20-fc10")))
    assert "# conv2 does not fit: kernel_size (=20) exceeds" in code
    assert run(code).stdout.strip() == "torch.Size([1, 4, 12, 12])"
