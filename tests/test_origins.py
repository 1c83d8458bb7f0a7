"""Receptive fields of maps, against the gradient of a real pass; the parts of joins, against their real values."""

from collections.abc import Iterator

import pytest
import torch
from classic_networks import THIN, nothing_drawn, thin
from test_maps import ONE_A_FAMILY, lite0_graph, network_of
from torch import fx, nn
from torch.nn import functional

from cnn_explorer.classics import running, tracing
from cnn_explorer.classics.catalogue import LITE0, NETWORKS, network_named
from cnn_explorer.classics.graph import infer_graph
from cnn_explorer.classics.origins import Origins, joined

SIDE = 112  # pixels of the picture


class Averages(fx.Interpreter):
    """A pass that keeps every node's value. Averages take the place of maxima, which have no gradient but at one
    pixel.
    """

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network, garbage_collect_values=False)

    def run_node(self, node: fx.Node) -> object:
        args, kwargs = self.fetch_args_kwargs_from_env(node)
        if node.op == "call_module":
            layer = self.module.get_submodule(str(node.target))
            if isinstance(layer, nn.MaxPool2d):
                return functional.avg_pool2d(args[0], layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode)
        if node.op == "call_function" and node.name.startswith("max_pool2d"):
            return functional.avg_pool2d(*args, **{"stride": kwargs["stride"]})
        return super().run_node(node)


def positive(name: str) -> nn.Module:
    """A network of the same build in which nothing cancels out: all weights are positive, and norms change nothing."""
    with nothing_drawn():
        network = thin(tracing.build(name)).double().to_empty(device="cpu")
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data.uniform_(0.5, 1.5)
            layer.weight.data /= 3 * layer.weight[0].numel()  # no ReLU6 comes to its upper end
            if layer.bias is not None:
                layer.bias.data.zero_()
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.reset_parameters()
    return network


def chosen_places(count: int) -> Iterator[int]:
    yield from range(1, count, max(1, count // 9))


@pytest.mark.parametrize("name", ONE_A_FAMILY)
def test_a_pixel_of_a_map_sees_what_its_gradient_reaches(name: str) -> None:
    network = positive(name)
    graph = tracing.graph_of(name, network)
    shapes = infer_graph(graph, SIDE).nodes
    origins = Origins(graph, shapes)
    traced = running.out_of_place(network)
    image = torch.rand(1, 3, SIDE, SIDE, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    kept = Averages(traced)
    kept.run(image.requires_grad_())
    joins = [place for place, node in enumerate(graph.nodes) if node.kind in ("Add", "Concatenate")]
    checked = 0
    for place in sorted({*chosen_places(len(graph.nodes)), *joins[1 :: max(1, len(joins) // 3)]}):
        one = shapes[place]
        if len(one.shape) != 3:
            continue
        value = kept.env[list(traced.graph.nodes)[place]]
        channels, height, width = one.shape
        for channel, row, column in ((0, 0, 0), (channels - 1, height // 2, width // 2), (channels // 2, 0, width - 1)):
            thin = channel // THIN if place else channel
            (gradient,) = torch.autograd.grad(value[0, thin, row, column], image, retain_graph=True)
            rows, columns = (gradient[0].abs().sum((0, other)).nonzero().flatten() for other in (2, 1))
            seen = [side[at].tolist() for side, at in zip(origins.spans(place, channel), (row, column), strict=True)]
            about = f"map {channel} of {graph.nodes[place].name}"
            if len(rows):
                assert seen == [[rows[0], rows[-1]], [columns[0], columns[-1]]], about
            else:  # a value of padding
                assert any(first > last for first, last in seen), about
            checked += 1
    assert checked >= 12


def test_a_value_of_padding_sees_nothing_and_one_inside_sees_the_receptive_field() -> None:
    graph = lite0_graph()
    shapes = infer_graph(graph, 224).nodes
    origins = Origins(graph, shapes)
    pad = next(place for place, node in enumerate(graph.nodes) if node.pads)
    rows, _ = origins.spans(pad, 0)
    assert len(rows) == 225
    assert rows[-2].tolist() == [223, 223]
    assert rows[-1, 0] > rows[-1, 1]
    place = next(place for place, node in enumerate(graph.nodes) if node.name == "layer2.0.block.1.0")
    rows, columns = origins.spans(place, 7)
    assert columns[28, 1] - columns[28, 0] + 1 == shapes[place].field.size[1]
    assert rows[29, 0] - rows[28, 0] == shapes[place].field.jump[0]


@pytest.mark.parametrize("name", ["densenet121", "googlenet", "squeezenet1_1"])
@torch.no_grad()
def test_a_join_has_its_parts_by_channels(name: str) -> None:
    network = network_of(name)
    graph, image = tracing.graph_of(name, network), torch.rand(1, 3, SIDE, SIDE)
    shapes = infer_graph(graph, SIDE).nodes
    place = [place for place, node in enumerate(graph.nodes) if node.kind == "Concatenate"][-1]
    parts = joined(graph, shapes, place)
    whole, *values = running.values_at(network, image, [place, *(part.source for part in parts)])
    assert len(parts) > 1
    assert [part.end for part in parts] == [*[part.first for part in parts[1:]], whole.shape[1]]
    for part, value in zip(parts, values, strict=True):
        assert torch.equal(whole[:, part.first : part.end], value)
    assert joined(graph, shapes, 1) == []


def test_pictures_have_the_size_of_the_catalogue() -> None:
    """The page draws fields on the picture as the network gets it."""
    assert {name: running.preprocessing_of(name).crop for name in NETWORKS} == {
        name: network_named(name).size for name in NETWORKS
    }
    assert network_named(LITE0).size == 224
