"""A trace is the forward pass, kept."""

from collections import OrderedDict

import pytest
import torch
from hypothesis import assume, given, settings
from strategies import networks
from torch import nn

from cnn_explorer.spec.network import LECTURE, PRESETS, NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.weights.builder import build_layers, build_network
from cnn_explorer.weights.trace import trace_activations


def picture() -> torch.Tensor:
    return torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@settings(max_examples=50)
@given(networks())
def test_equals_the_forward_pass_bit_for_bit(spec: NetworkSpec) -> None:
    shapes = infer_shapes(spec)
    assume(shapes.layers and shapes.parameters < 300_000 and shapes.macs < 20_000_000)
    module = build_layers(shapes).eval()
    trace = trace_activations(module, picture())
    with torch.no_grad():
        value = picture()
        for (name, layer), activation in zip([*module.named_children()][1:], trace.activations, strict=True):
            value = layer(value if name != shapes.layers[0].name else module.normalize(value))  # type: ignore[operator]
            assert (activation.name, activation.kind) == (name, type(layer).__name__)
            assert activation.shape == tuple(value.shape[1:])
            assert torch.equal(activation.values, value[0])
        assert torch.equal(module(picture())[0], trace.activations[-1].values)
    assert torch.equal(trace.image, picture()[0])
    assert torch.equal(trace.normalized, module.normalize(picture())[0])  # type: ignore[operator]


@pytest.mark.parametrize("spec", PRESETS.values(), ids=str)
def test_logits_and_probabilities(spec: NetworkSpec) -> None:
    trace = trace_activations(build_network(spec), picture())
    assert trace.logits is not None
    assert trace.probabilities is not None
    assert trace.probabilities.sum().item() == pytest.approx(1, abs=1e-6)
    assert torch.equal(trace.logits.softmax(0), trace.probabilities)
    assert torch.equal(trace.logits, trace.activations[-1].values)


@pytest.mark.parametrize("text", ["conv4k3-relu", "conv4k3-flatten"])
def test_no_logits_without_a_linear_layer_at_the_end(text: str) -> None:
    trace = trace_activations(build_network(parse(text)), picture())
    assert trace.logits is None
    assert trace.probabilities is None


def test_every_activation_is_a_copy() -> None:
    image = picture()
    trace = trace_activations(build_network(parse("conv2k5-drop50-flatten-flatten-fc10")), image)
    kept = [image, trace.image, trace.normalized, *(activation.values for activation in trace.activations)]
    assert len({tensor.untyped_storage().data_ptr() for tensor in kept}) == len(kept)


def test_layers_that_work_in_place_change_neither_image_nor_trace() -> None:
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
    image = picture() - 0.5
    before = image.clone()
    trace = trace_activations(module, image)
    assert torch.equal(image, before)
    assert torch.equal(trace.image, before[0])
    assert torch.equal(trace.normalized, before[0])
    assert trace.activations[1].values.min() < 0


def test_a_network_of_ones_own_without_normalize() -> None:
    module = nn.Sequential(OrderedDict(a=nn.Conv2d(1, 3, 3), b=nn.Flatten(), c=nn.Linear(3 * 26 * 26, 4)))
    trace = trace_activations(module, picture()[0])
    assert [activation.name for activation in trace.activations] == ["a", "b", "c"]
    assert torch.equal(trace.normalized, trace.image)
    assert trace.probabilities is not None
    assert trace.probabilities.shape == (4,)


@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (0, 1, 28, 28), (28, 28), (1, 1, 1, 28, 28)])
def test_a_batch_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a trace takes one image"):
        trace_activations(build_network(LECTURE), torch.zeros(shape))


@pytest.mark.parametrize("training", [True, False])
def test_a_network_in_training_is_traced_as_if_it_were_not_and_left_as_it_was(training: bool) -> None:
    module = build_network(parse("conv4k3-bn-drop50-fc10")).train(training)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    first, second = trace_activations(module, picture()), trace_activations(module, picture())
    assert all(torch.equal(a.values, b.values) for a, b in zip(first.activations, second.activations, strict=True))
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert all(child.training is training for child in module.modules())
