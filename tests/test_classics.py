"""The graphs of torchvision's networks, against torchvision itself: its metadata, its modules, real passes."""

import gzip
import math
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
import torch
from classic_networks import nothing_drawn, thin
from torch import fx, nn

from cnn_explorer.classics import recorded, running, tracing
from cnn_explorer.classics.catalogue import FAMILIES, NETWORKS, family_of, network_named
from cnn_explorer.classics.folding import Dense, Fork, Part, Step, find, fold, steps_of
from cnn_explorer.classics.graph import EVERYTHING, Graph, infer_graph, smallest_size
from cnn_explorer.shipped import ASSETS, SUMS

ONE_A_FAMILY = [
    "alexnet",
    "vgg11_bn",
    "googlenet",
    "inception_v3",
    "resnet50",
    "densenet121",
    "squeezenet1_1",
    "mobilenet_v2",
    "efficientnet_lite0",
]
one_a_family = pytest.mark.parametrize("name", ONE_A_FAMILY)
every_network = pytest.mark.parametrize("name", NETWORKS)


@cache
def module(name: str) -> nn.Module:
    with nothing_drawn():
        return tracing.build(name)


@cache
def graph(name: str) -> Graph:
    return tracing.graph_of(name, module(name))


@cache
def traced(name: str) -> fx.GraphModule:
    return fx.symbolic_trace(module(name))


@cache
def facts() -> dict[str, tracing.Facts]:
    return {one.name: one for one in tracing.facts()}


def node(name: str, path: str) -> int:
    return next(place for place, one in enumerate(graph(name).nodes) if one.name == path)


# --- totals and shapes ---


@every_network
def test_totals_are_torchvisions(name: str) -> None:
    shapes = infer_graph(graph(name), network_named(name).size)
    assert not shapes.error
    assert shapes.nodes[-1].shape == (1000,)
    assert graph(name).parameters == facts()[name].parameters
    assert shapes.macs == pytest.approx(facts()[name].macs, rel=1e-3)


@one_a_family
def test_shapes_and_multiply_adds_are_those_of_a_pass(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    size = network_named(name).size
    with FlopCounterMode(display=False) as counter:
        found = shapes_of_a_pass(name, size)
    shapes = infer_graph(graph(name), size)
    assert [one.shape for one in shapes.nodes] == found
    assert shapes.macs == counter.get_total_flops() / 2


@one_a_family
def test_shapes_of_another_size_are_those_of_a_pass(name: str) -> None:
    assert [one.shape for one in infer_graph(graph(name), 97).nodes] == shapes_of_a_pass(name, 97)


@one_a_family
def test_the_smallest_size_is_the_smallest_that_torch_takes(name: str) -> None:
    smallest = smallest_size(graph(name))
    assert [one.shape for one in infer_graph(graph(name), smallest).nodes] == shapes_of_a_pass(name, smallest)
    if smallest > 1:
        with pytest.raises(RuntimeError):
            shapes_of_a_pass(name, smallest - 1)


@torch.no_grad()
def shapes_of_a_pass(name: str, size: int) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []

    class Shapes(fx.Interpreter):
        def run_node(self, n: fx.Node) -> object:
            result = super().run_node(n)
            if n.op != "output":
                found.append(tuple(result.shape[1:]))
            return result

    Shapes(traced(name)).run(torch.zeros(1, 3, size, size, device="meta"))
    return found


@every_network
def test_the_file_size_fits_the_parameters(name: str) -> None:
    """Four bytes each, and at most a tenth more: averages of batch norms, and GoogLeNet's classifiers for training."""
    bytes_each = 1e6 * facts()[name].megabytes / facts()[name].parameters
    assert 3.99 < bytes_each < (8 if name == "googlenet" else 4.4)


@one_a_family
def test_every_layer_of_the_network_is_a_node(name: str) -> None:
    layers = {path: one for path, one in module(name).named_modules() if not list(one.children())}
    drawn = {one.name: one for one in graph(name).nodes}
    missing = {path for path in layers if path not in drawn and not path.startswith("AuxLogits.")}
    assert missing == set()
    for path in layers.keys() & drawn.keys():
        assert drawn[path].kind == type(layers[path]).__name__
        assert drawn[path].parameters == sum(one.numel() for one in layers[path].parameters())


def test_a_size_too_small_is_told_with_its_numbers_and_the_nodes_before_are_there() -> None:
    shapes = infer_graph(graph("densenet121"), 28)
    assert (
        shapes.error
        == "`features.transition3.pool` (AvgPool2d) has windows of 2 × 2 pixels, but its input is only 1 × 1."
    )
    assert graph("densenet121").nodes[len(shapes.nodes)].name == "features.transition3.pool"
    shapes = infer_graph(graph("inception_v3"), 3)
    assert shapes.error.endswith("(Conv2d) has windows of 3 × 3 pixels, but its input is only 1 × 1.")


# --- what is recorded ---


@every_network
def test_the_recorded_graph_is_the_traced_one(name: str) -> None:
    assert recorded.records().graphs[name] == graph(name)


def test_the_recorded_facts_are_torchvisions() -> None:
    assert recorded.records().facts == facts()
    assert [*recorded.records().categories] == tracing.categories()
    assert len({*tracing.categories()}) == 1000  # a name tells a class


def test_what_was_recorded_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "installed_version", lambda: "0.1.0")
    assert recorded.records.__wrapped__() == recorded.NOTHING


def test_recording_again_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = recorded.read_asset(recorded.NAME)
    (tmp_path / SUMS).write_bytes((ASSETS / SUMS).read_bytes())
    monkeypatch.setattr(recorded, "ASSETS", tmp_path)
    monkeypatch.setattr(tracing, "trace_graph", graph)
    recorded.main()
    written = (tmp_path / recorded.NAME).read_bytes()
    assert gzip.decompress(written) == gzip.decompress(shipped)  # another zlib packs it in another way
    assert (tmp_path / SUMS).read_text().count(recorded.NAME) == 1


# --- receptive fields: what a single bright pixel reaches when all weights are 1 ---

FIELDS = [
    ("alexnet", "features.6", 127),
    ("vgg11_bn", "features.12", 96),
    ("resnet50", "layer2.0.relu_3", 128),
    ("densenet121", "features.denseblock1.cat", 96),
    ("googlenet", "inception3a.cat", 128),
    ("squeezenet1_1", "features.6.cat", 128),
    ("mobilenet_v2", "features.4.conv.3", 128),
    ("efficientnet_lite0", "layer2.1.add", 128),
    ("efficientnet_lite0", "layer3.0.block.1.1", 128),
]


@pytest.mark.parametrize(("name", "path", "size"), FIELDS)
def test_the_receptive_field_is_what_reaches_a_value(name: str, path: str, size: int) -> None:
    place = node(name, path)
    result = infer_graph(graph(name), size).nodes[place]
    _, height, _ = result.shape
    row = height // 2
    first = result.field.centre[0] + row * result.field.jump[0] - (result.field.size[0] - 1) / 2
    last = first + result.field.size[0] - 1
    middle = round((first + last) / 2)
    assert 0 < first < last < size - 1, "choose a larger picture"
    pixels = [int(first) - 1, int(first), int(last), int(last) + 1]
    assert reached(name, place, size, [(at, middle) for at in pixels], row) == [False, True, True, False]


def ones(name: str) -> nn.Module:
    with nothing_drawn():
        network = thin(tracing.build(name)).double().to_empty(device="cpu")
    for key, values in network.state_dict().items():
        if "num_batches" not in key:
            values.fill_(0 if key.endswith(("bias", "running_mean")) else 1)
    return network


def reached(name: str, place: int, size: int, pixels: Sequence[tuple[int, int]], row: int) -> list[bool]:
    """For each pixel, whether a row of the maps at a place sees it."""
    pictures = torch.zeros(len(pixels), 3, size, size, dtype=torch.float64)
    for picture, pixel in zip(pictures, pixels, strict=True):
        picture[:, *pixel] = 1
    maps = running.value_at(ones(name), pictures, place)
    return [bool(seen.any()) for seen in maps[:, :, row]]


def test_behind_the_last_pooling_every_value_sees_everything() -> None:
    for one in infer_graph(graph("resnet50"), 224).nodes[-2:]:
        assert one.field.jump == EVERYTHING
        assert one.field.size[0] >= 224


# --- folding ---


def leaves(parts: Sequence[Part]) -> list[Step]:
    return [leaf for step in steps_of(parts) for leaf in (leaves(step.inside) if step.inside else [step])]


@every_network
def test_every_node_is_drawn_once(name: str) -> None:
    parts = fold(graph(name))
    at_the_top = [place for step in steps_of(parts) for place in step.nodes]
    assert sorted(at_the_top) == [*range(len(graph(name).nodes))]
    assert len(parts) <= 10
    ids = [step.id for step in every_step(parts)]
    assert max(Counter(ids).values()) == 1
    for step in every_step(parts):
        assert find(parts, step.id)[-1] == step
        inside = sorted(place for one in steps_of(step.inside) for place in one.nodes)
        assert not step.inside or inside == sorted(step.nodes)[: len(step.nodes) // step.count]


def every_step(parts: Sequence[Part]) -> list[Step]:
    return [one for step in steps_of(parts) for one in (step, *every_step(step.inside))]


def test_every_family_names_a_network_and_a_block_of_it() -> None:
    for family in FAMILIES:
        assert family_of(family.shown) == family
        assert find(fold(graph(family.shown)), family.block)[-1].inside


def test_a_residual_block_is_a_fork_with_an_unchanged_branch_and_an_addition() -> None:
    block = find(fold(graph("resnet50")), "layer1.1")[-1]
    assert (block.count, block.title, block.kind) == (2, "1 … 2", "Bottleneck")
    fork, addition, relu = block.inside
    assert isinstance(fork, Fork)
    assert isinstance(addition, Step)
    assert isinstance(relu, Step)
    assert [len(branch) for branch in fork.branches] == [8, 0]
    assert (addition.kind, relu.kind) == ("Add", "ReLU")
    first = find(fold(graph("resnet50")), "layer1.0")[-1].inside[0]
    assert isinstance(first, Fork)
    assert [len(branch) for branch in first.branches] == [8, 2]


def test_an_inception_block_has_four_branches_and_a_concatenation() -> None:
    fork, joined = find(fold(graph("googlenet")), "stage2.inception4c")[-1].inside
    assert isinstance(fork, Fork)
    assert isinstance(joined, Step)
    assert [len(branch) for branch in fork.branches] == [1, 2, 2, 2]
    assert joined.kind == "Concatenate"
    inner = find(fold(graph("inception_v3")), "stage3.Mixed_7b")[-1].inside[0]
    assert isinstance(inner, Fork)
    assert [[type(part) for part in branch] for branch in inner.branches][1] == [Step, Fork, Step]


def test_a_dense_block_has_all_its_layers_read_all_before() -> None:
    dense, joined = find(fold(graph("densenet121")), "denseblock3")[-1].inside
    assert isinstance(dense, Dense)
    assert isinstance(joined, Step)
    assert [step.count for step in dense.steps] == [1, 23]
    assert len(graph("densenet121").nodes[joined.nodes[0]].inputs) == 25


def test_vggs_stages_end_in_a_pooling() -> None:
    stages = [step for step in steps_of(fold(graph("vgg16"))) if step.id.startswith("stage")]
    kinds = [Counter(graph("vgg16").nodes[place].kind for place in stage.nodes) for stage in stages]
    assert [kind["Conv2d"] for kind in kinds] == [2, 2, 3, 3, 3]
    assert all(graph("vgg16").nodes[stage.nodes[-1]].kind == "MaxPool2d" for stage in stages)


@pytest.mark.parametrize("id", ["nothing", "layer1.9", "layer1.0.conv1.more", "x" * 500])
def test_an_unknown_part_is_told(id: str) -> None:
    with pytest.raises(ValueError, match="no part named"):
        find(fold(graph("resnet18")), id)


def test_multiply_adds_of_a_depthwise_convolution() -> None:
    place = node("mobilenet_v2", "features.2.conv.1.0")
    one = infer_graph(graph("mobilenet_v2"), 224).nodes[place]
    assert one.macs == 96 * math.prod((56, 56)) * 9
