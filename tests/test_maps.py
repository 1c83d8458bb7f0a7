"""Maps of any node, against hooks that copy what each layer of the untouched network gives at that very moment."""

import time
from collections import defaultdict
from functools import cache

import numpy as np
import pytest
import torch
from classic_networks import seeded
from streamlit.testing.v1 import AppTest
from torch import Tensor, nn

from cnn_explorer.classics import lite0, running, tracing
from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.photographs import photograph
from cnn_explorer.ui.classics.maps import ZERO, coloured

pytestmark = pytest.mark.usefixtures("own_visitors")
ONE_A_FAMILY = [
    "alexnet",
    "vgg11_bn",
    "googlenet",
    "inception_v3",
    "resnet18",
    "densenet121",
    "squeezenet1_1",
    "mobilenet_v2",
    LITE0,
]


def network_of(name: str) -> nn.Module:
    """With its trained weights where they come with the app, else with seeded ones."""
    return lite0.load() if name == LITE0 else seeded(name, whole=True)


@pytest.mark.parametrize("name", ONE_A_FAMILY)
@torch.no_grad()
def test_every_node_gives_what_the_untouched_layer_gave(name: str) -> None:
    network, image = network_of(name), torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    found: dict[str, list[Tensor]] = defaultdict(list)
    hooks = [
        layer.register_forward_hook(lambda _, __, value, path=path: found[path].append(value.clone()))
        for path, layer in network.named_modules()
        if not list(layer.children())
    ]
    output = network(image)
    for hook in hooks:
        hook.remove()
    nodes = list(running.out_of_place(network).graph.nodes)
    seen: dict[str, int] = defaultdict(int)
    layers: list[tuple[int, str, int]] = []
    for place, node in enumerate(nodes):
        if node.op == "call_module":
            layers.append((place, node.target, seen[node.target]))
            seen[node.target] += 1
    for place, path, use in layers[:: max(1, len(layers) // 12)]:
        value = running.value_at(network, image, place)
        assert torch.equal(value, found[path][use]), path
    torch.testing.assert_close(running.value_at(network, image, len(nodes) - 2), output)
    assert torch.equal(network(image), output)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "googlenet"])
@torch.no_grad()
def test_no_node_changes_after_it_was_computed(name: str) -> None:
    """Additions, too: they are no layers, and hooks do not see them."""
    traced, kept, copies = running.out_of_place(network_of(name)), {}, {}

    class Keep(torch.fx.Interpreter):
        def run_node(self, node: torch.fx.Node) -> object:
            value = super().run_node(node)
            kept[node.name], copies[node.name] = value, value.clone()
            return value

    Keep(traced).run(torch.randn(1, 3, 96, 96))
    assert all(torch.equal(kept[one], copies[one]) for one in kept)


@pytest.mark.parametrize("name", ONE_A_FAMILY)
def test_places_are_those_of_the_graph(name: str) -> None:
    nodes = list(running.out_of_place(network_of(name)).graph.nodes)[:-1]
    graph = tracing.trace_graph(name)
    assert len(nodes) == len(graph.nodes)
    for node, drawn in zip(nodes, graph.nodes, strict=True):
        if node.op == "call_module":
            assert drawn.name.split("_2")[0].startswith(str(node.target).split("_2")[0])


# --- pages of maps ---


@cache
def place_of(path: str) -> int:
    return next(place for place, node in enumerate(tracing.trace_graph(LITE0).nodes) if node.name == path)


def test_the_strongest_come_first_and_pages_have_all() -> None:
    place = place_of("layer3.0.block.0.2")
    by_channel = [running.maps(LITE0, photograph("coffee"), place, False, page) for page in range(6)]
    values = np.concatenate([one.values for one in by_channel])
    assert [channel for one in by_channel for channel in one.channels] == [*range(144)]
    assert values.shape == by_channel[0].shape == (144, 56, 56)
    strongest = running.maps(LITE0, photograph("coffee"), place, True, 0)
    peaks = np.abs(values.astype(np.float32)).max((1, 2))
    assert sorted(peaks[list(strongest.channels)]) == pytest.approx(sorted(peaks)[-running.PAGE :])
    assert np.array_equal(strongest.values[0], values[strongest.channels[0]])


def test_a_first_layer_shows_its_kernels() -> None:
    found = running.maps(LITE0, photograph("coffee"), place_of("conv_stem.1"), False, 0)
    assert found.kernels is not None
    weights = lite0.read_weights()["_conv_stem.weight"].numpy()[: running.PAGE]
    assert found.kernels.shape == (running.PAGE, 3, 3, 3)
    for kernel, own in zip(found.kernels, weights, strict=True):
        largest = np.abs(own).max()
        assert np.allclose((kernel.astype(float) - 128) / 127 * largest, own.transpose(1, 2, 0), atol=largest / 200)
    assert running.maps(LITE0, photograph("coffee"), place_of("layer1.0.block.0.0"), False, 0).kernels is None


def test_a_linear_layer_has_no_maps() -> None:
    found = running.maps(LITE0, photograph("coffee"), place_of("fc"), True, 0)
    assert (found.shape, found.channels) == ((1000,), ())


def test_colours_tell_signs_apart_and_zero_from_both() -> None:
    pixels = coloured(np.array([[-2.0, 0.0], [1.0, 2.0]], np.float16)).astype(int)
    assert np.array_equal(pixels[0, 1], ZERO)
    assert pixels[0, 0, 2] > pixels[0, 0, 0]  # blue below zero
    assert pixels[1, 1, 0] > pixels[1, 1, 2]  # orange above
    assert pixels[1, 0].sum() > pixels[1, 1].sum()  # paler nearer to zero
    assert np.array_equal(coloured(np.zeros((2, 2)))[0, 0], ZERO)


# --- the page ---


def shown(page: AppTest, name: str) -> str:
    """A block of the page, once it is there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = [text for text in (one.proto.body for one in page.get("html")) if f'class="{name}"' in text]
        if found:
            return str(found[0])
        assert not page.error
        time.sleep(0.2)
        page.run()
    raise TimeoutError(name)


def opened(**query: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=120)
    page.switch_page("pages/classics.py")
    page.query_params.update(query)
    return page.run()


def test_the_page_shows_the_maps_of_what_is_open() -> None:
    page = opened(open="layer2")
    assert shown(page, "classic-maps").count("<figure>") == 24  # the stage's output has so many channels
    assert any("24 × 56 × 56 in all" in caption.value for caption in page.caption)
    page = opened(open="stem.conv_stem.1")
    assert shown(page, "classic-maps").count('alt="kernel') == 24
    page.number_input("classic_page efficientnet_lite0 2").set_value(2).run()
    assert shown(page, "classic-maps").count("<figure>") == 8
    page.segmented_control[0].set_value("by channel").run()
    deadline = time.monotonic() + 60
    while 'alt="map 31"' not in shown(page, "classic-maps"):
        assert time.monotonic() < deadline
        page.run()
    assert shown(page, "classic-maps").count("<figure>") == 8


def test_without_an_open_part_the_page_says_how_to_see_maps() -> None:
    assert any("Open a part" in caption.value for caption in opened().caption)
