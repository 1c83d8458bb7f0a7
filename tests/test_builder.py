"""A spec becomes a module: names, seeds, and nothing else disturbed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import assume, given, settings
from strategies import networks
from torch import nn

from cnn_explorer.spec.layers import GeometryError
from cnn_explorer.spec.network import LECTURE, PRESETS, NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.weights.builder import MNIST_MEAN, MNIST_STD, build_layers, build_network


@settings(max_examples=60)
@given(networks())
def test_children_are_the_inferred_layers(spec: NetworkSpec) -> None:
    shapes = infer_shapes(spec)
    assume(shapes.parameters < 500_000)
    children = dict(build_layers(shapes).named_children())
    assert [*children] == ["normalize", *(layer.name for layer in shapes.layers)]
    for layer in shapes.layers:
        assert type(children[layer.name]).__name__ == layer.spec.torch_name
        assert sum(parameter.numel() for parameter in children[layer.name].parameters()) == layer.parameters


@pytest.mark.parametrize("spec", PRESETS.values(), ids=str)
def test_a_built_network_takes_a_batch(spec: NetworkSpec) -> None:
    assert build_network(spec)(torch.rand(3, 1, 28, 28)).shape == (3, 10)


def test_normalize() -> None:
    black, white = build_network(LECTURE)[0](torch.tensor([0.0, 1.0]))
    assert black.item() == pytest.approx(-MNIST_MEAN / MNIST_STD) == pytest.approx(-0.4242, abs=1e-4)
    assert white.item() == pytest.approx(2.8215, abs=1e-4)


def test_an_impossible_geometry_is_refused_or_built_up_to_the_break() -> None:
    spec = parse("conv4k28-relu-max2-fc10")
    with pytest.raises(GeometryError, match="max1: kernel_size"):
        build_network(spec)
    assert [name for name, _ in build_layers(infer_shapes(spec)).named_children()] == ["normalize", "conv1", "relu1"]


def test_the_seed_decides() -> None:
    first, again, other = (build_network(LECTURE, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("conv10k5-max2-relu-conv20k5-max2-relu-fc64-relu-fc10", {"fc1", "fc2"}),
        ("conv10k5-avg2-tanh-conv20k5-max2-relu-fc10", set()),
        ("conv10k5-max2-relu-conv20k3-max2-relu-fc10", {"conv2", "fc1"}),
        ("conv12k5-max2-relu-conv20k5-max2-relu-fc10", {"conv1", "conv2"}),
        ("conv10k5-max2-relu-bn-conv20k5-max2-relu-fc10", {"bn1"}),
    ],
)
def test_a_change_leaves_other_layers_as_they_are(edited: str, changed: set[str]) -> None:
    before, after = build_network(LECTURE).state_dict(), build_network(parse(edited)).state_dict()
    kept = {name for name in after if name in before and torch.equal(before[name], after[name])}
    assert {name.split(".")[0] for name in after.keys() - kept} == changed


def test_weights_are_spread_as_torch_spreads_them() -> None:
    for name, module in build_network(parse("conv64k5-fc100")).named_children():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            torch_module = nn.Conv2d(1, 64, 5) if name == "conv1" else nn.Linear(module.weight.shape[1], 100)
            assert module.weight.abs().max() <= bound
            assert module.weight.std().item() == pytest.approx(torch_module.weight.std().item(), rel=0.1)
            assert module.bias is not None
            assert 0.5 * bound < module.bias.abs().max() <= bound


def test_the_callers_random_numbers_stay_his() -> None:
    torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    build_network(LECTURE)
    assert torch.equal(torch.rand(5), expected)


def test_threads_build_the_same() -> None:
    expected = build_network(LECTURE).state_dict()
    with ThreadPoolExecutor(8) as pool:
        for network in pool.map(lambda _: build_network(LECTURE), range(40)):
            assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())
