"""A layer that the registry did not know needs its class and its line of it, and nothing else in Python."""

import numpy as np
import pytest
import torch
from silu_layer import NET, REGISTRY_LINE, SiLUSpec

from cnn_explorer.digits.drawing import example_drawing
from cnn_explorer.spec.blocks import split
from cnn_explorer.spec.cost import forward_time, training_time
from cnn_explorer.spec.layers import LAYERS
from cnn_explorer.spec.network import parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.script import training_script
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for token, spec in REGISTRY_LINE.items():
        monkeypatch.setitem(LAYERS, token, spec)  # type: ignore[arg-type]  # a dict behind a Mapping


def test_it_is_read_written_and_taken_apart_into_blocks() -> None:
    spec = parse(NET)
    assert spec.layers[1] == SiLUSpec()
    assert str(spec) == NET
    assert split(spec).spec() == spec


def test_its_shape_name_and_cost_are_inferred() -> None:
    shapes = infer_shapes(parse(NET))
    assert [layer.name for layer in shapes.layers] == ["conv1", "silu1", "max1", "conv2", "silu2", "flatten", "fc1"]
    assert shapes.layers[1].output_shape == (6, 24, 24)
    assert 0 < forward_time(shapes.layers[1:2]) < forward_time(shapes.layers)
    assert 0 < training_time(shapes.layers[1:2]) < training_time(shapes.layers)


def test_its_values_are_pytorchs() -> None:
    spec = parse(NET)
    trace = trace_activations(load_network(spec).module, example_drawing().preprocess().image)
    values = {activation.name: activation.values for activation in trace.activations}
    np.testing.assert_array_equal(values["silu1"], torch.nn.functional.silu(values["conv1"]))


def test_the_script_that_trains_it_builds_it() -> None:
    script = training_script(parse(NET), RunRecipe("bundled", "adam", 0.01, batch_size=128, epochs=1))
    assert "nn.SiLU()" in script
