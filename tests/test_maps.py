"""Maps of any node, against hooks that copy what each layer of the untouched network gives at that very moment."""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from classic_networks import nothing_drawn, seeded
from streamlit.testing.v1 import AppTest
from test_downloads import saved
from torch import Tensor, nn
from widgets import address, components, control

from cnn_explorer.classics import lite0, running, tracing
from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.downloads import checkpoint
from cnn_explorer.classics.graph import Graph
from cnn_explorer.classics.photographs import decoded, photograph
from cnn_explorer.ui.classics import kept
from cnn_explorer.ui.classics.maps import ZERO, coloured

Value = TypeVar("Value")

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
    return seeded(name, whole=True)


def image_of(name: str) -> Tensor:
    preprocessing = running.preprocessing_of(LITE0)
    return running.normalised(running.scaled(decoded(photograph(name)), preprocessing)[1], preprocessing)


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
    *values, last = running.values_at(network, image, [*(place for place, _, _ in layers), len(nodes) - 2])
    for value, (_, path, use) in zip(values, layers, strict=True):
        assert torch.equal(value, found[path][use]), path
    torch.testing.assert_close(last, output)
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
    with nothing_drawn():
        network = tracing.build(name)
    graph = tracing.graph_of(name, network)
    nodes = list(running.out_of_place(network).graph.nodes)[:-1]
    assert len(nodes) == len(graph.nodes)
    for node, drawn in zip(nodes, graph.nodes, strict=True):
        if node.op == "call_module":
            assert drawn.name.split("_2")[0].startswith(str(node.target).split("_2")[0])


# --- pages of maps ---


@cache
def lite0_graph() -> Graph:
    return tracing.trace_graph(LITE0)


def place_of(path: str) -> int:
    return next(place for place, node in enumerate(lite0_graph().nodes) if node.name == path)


def page_of_maps(place: int, **wanted: Any) -> running.Maps:
    return running.maps(LITE0, photograph("coffee"), running.Wanted(place, **wanted))


def test_the_strongest_come_first_and_pages_have_all() -> None:
    place = place_of("layer3.0.block.0.2")
    by_channel = [page_of_maps(place, strongest=False, page=page) for page in range(6)]
    values = np.concatenate([one.values for one in by_channel])
    assert [channel for one in by_channel for channel in one.channels] == [*range(144)]
    assert values.shape == by_channel[0].shape == (144, 56, 56)
    strongest = page_of_maps(place)
    peaks = np.abs(values.astype(np.float32)).max((1, 2))
    assert sorted(peaks[list(strongest.channels)]) == pytest.approx(sorted(peaks)[-running.PAGE :])
    assert np.array_equal(strongest.values[0], values[strongest.channels[0]])


def test_a_first_layer_shows_its_kernels() -> None:
    found = page_of_maps(place_of("conv_stem.1"), strongest=False)
    assert found.kernels is not None
    weights = lite0.read_weights()["_conv_stem.weight"].numpy()[: running.PAGE]
    assert found.kernels.shape == (running.PAGE, 3, 3, 3)
    for kernel, own in zip(found.kernels, weights, strict=True):
        largest = np.abs(own).max()
        assert np.allclose((kernel.astype(float) - 128) / 127 * largest, own.transpose(1, 2, 0), atol=largest / 200)
    assert page_of_maps(place_of("layer1.0.block.0.0"), strongest=False).kernels is None


def test_an_addition_comes_with_what_it_adds() -> None:
    graph, place = lite0_graph(), place_of("layer2.1.add")
    sources = graph.nodes[place].inputs
    assert len(sources) == 2
    found = page_of_maps(place, beside=sources)
    assert found.beside.shape == (2, *found.values.shape)
    np.testing.assert_allclose(found.beside.astype(float).sum(0), found.values.astype(float), atol=0.03)
    for maps, source in zip(found.beside, sources, strict=True):
        alone = page_of_maps(source, strongest=False)
        assert np.array_equal(maps[3], alone.values[found.channels[3]])


def test_a_part_of_a_join_is_shown_alone() -> None:
    found = page_of_maps(place_of("layer3.0.block.0.2"), channels=(100, 130), page=1)
    assert len(found.channels) == 6
    assert {*found.channels, *page_of_maps(place_of("layer3.0.block.0.2"), channels=(100, 130)).channels} == {
        *range(100, 130)
    }


def test_a_linear_layer_has_no_maps() -> None:
    found = page_of_maps(place_of("fc"))
    assert (found.shape, found.channels) == ((1000,), ())


def test_colours_tell_signs_apart_and_zero_from_both() -> None:
    pixels = coloured(np.array([[-2.0, 0.0], [1.0, 2.0]], np.float16), 2).astype(int)
    assert np.array_equal(pixels[0, 1], ZERO)
    assert pixels[0, 0, 2] > pixels[0, 0, 0]  # blue below zero
    assert pixels[1, 1, 0] > pixels[1, 1, 2]  # orange above
    assert pixels[1, 0].sum() > pixels[1, 1].sum()  # paler nearer to zero
    assert np.array_equal(coloured(np.zeros((2, 2)), 0)[0, 0], ZERO)


# --- the page ---


def shown(page: AppTest, name: str) -> str:
    """A block of the page, once it is there."""
    return waited_for(page, lambda: next((text for text in texts(page) if f'class="{name}"' in text), ""))


def texts(page: AppTest) -> list[str]:
    return [str(one.proto.body) for one in page.get("html")]


def maps_of(page: AppTest, good: Callable[[dict[str, Any]], object] = bool) -> dict[str, Any]:
    """What the picture view with the maps was sent, once it is there and good."""

    def found() -> dict[str, Any]:
        sent: list[dict[str, Any]] = [json.loads(one.proto.json)[0] for one in components(page)]
        return next((data for data in sent if data.get("kind") == "maps" and good(data)), {})

    return waited_for(page, found)


def waited_for(page: AppTest, find: Callable[[], Value]) -> Value:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if found := find():
            return found
        assert not page.error
        time.sleep(0.2)
        page.run()
    raise TimeoutError


def opened(**query: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=120)
    page.switch_page("pages/classics.py")
    page.query_params.update(query)
    return page.run()


def test_the_page_shows_the_maps_of_what_is_open() -> None:
    page = opened(open="layer2")
    assert len(maps_of(page)["tiles"]) == 24  # the stage's output has so many channels
    assert any("24 × 56 × 56 in all" in caption.value for caption in page.caption)
    page = opened(open="stem.conv_stem.1")
    assert all(tile["kernel"] for tile in maps_of(page)["tiles"])
    control(page.number_input, "classic_page").set_value(2).run()
    assert len(maps_of(page, lambda data: len(data["tiles"]) == 8)["tiles"]) == 8
    assert address(page)["page"] == "2"
    control(page.get("button_group"), "classic_order").set_value("by channel").run()
    data = maps_of(page, lambda data: data["tiles"][23:] and data["tiles"][23]["channel"] == 23)
    assert [tile["channel"] for tile in data["tiles"]] == [*range(24)]
    assert (address(page)["order"], address(page).get("page")) == ("channel", None)


def test_a_pixel_that_is_pressed_is_kept_and_what_a_map_does_not_have_gets_a_sentence() -> None:
    page = opened(open="layer2")
    data = maps_of(page)
    rows, columns = (data["fields"][0][side] for side in ("rows", "columns"))
    assert (len(rows), len(columns), data["side"]) == (56, 56, 224)
    assert rows[0][0] == 0 < rows[0][1] < rows[-1][0] < rows[-1][1] == 223
    assert len(columns) == 56
    for layer in ("another", data["layer"]):
        page.session_state["classic_maps"] = {"choose": {"layer": layer, "channel": 5, "row": 3, "column": 55}}
        page.run()
        assert ("at" in address(page)) == (layer != "another")
    assert address(page)["at"] == "5.3.55"
    assert maps_of(page)["chosen"] == {"channel": 5, "row": 3, "column": 55}
    for query, words in (({"at": "5.3.56"}, "56 values"), ({"page": "3"}, "no page 3"), ({"at": "x"}, "such as")):
        page = opened(open="layer2", **query)
        assert words in page.warning[0].value
        assert maps_of(page)["chosen"] is None


def test_an_addition_has_its_summands_beside_it_on_one_scale() -> None:
    page = opened(open="layer2.1.add")
    data = maps_of(page)
    assert [len(tile["maps"]) for tile in data["tiles"]] == [3] * 24
    graph = lite0_graph()
    first = data["tiles"][0]
    names = [graph.nodes[place].name for place in graph.nodes[place_of("layer2.1.add")].inputs]
    assert [one["title"] for one in first["maps"]] == [
        *(f"map {first['channel']} of {name}" for name in names),
        f"map {first['channel']}",
    ]
    branch, unchanged, whole = (data["fields"][one["field"]] for one in first["maps"])
    widths = [field["rows"][28][1] - field["rows"][28][0] for field in (branch, unchanged, whole)]
    assert sorted(widths)[0] < max(widths) == widths[-1]
    assert any("The three have one scale" in caption.value for caption in page.caption)


def test_a_join_shows_its_parts_by_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = with_weights("squeezenet1_1", tmp_path, monkeypatch, open="stage1.3.cat", order="channel")
    data = maps_of(page)
    assert [tile["channel"] for tile in data["tiles"]] == [*range(24)]
    assert data["tiles"][7]["caption"].endswith(", map 7 of 3.expand1x1_activation")
    part = control(page.selectbox, "classic_joined")
    assert part.options == [
        "all 2 parts",
        "0–63: features.3.expand1x1_activation",
        "64–127: features.3.expand3x3_activation",
    ]
    part.select_index(2).run()
    assert address(page)["channels"] == "64-127"
    data = maps_of(page, lambda data: data["tiles"][0]["channel"] == 64)
    assert data["tiles"][1]["caption"].endswith(", map 1 of 3.expand3x3_activation")
    page = with_weights("squeezenet1_1", tmp_path, monkeypatch, open="stage1.3.cat", channels="64-100")
    assert "joins no part" in page.warning[0].value


def with_weights(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    """The page with seeded weights of a network, where torchvision's own belong."""
    monkeypatch.setenv("TORCH_HOME", str(folder))
    file, _ = saved(name, folder)
    url = f"https://host/{file.name}"
    monkeypatch.setattr(kept, "_FACTS", {**kept.facts(), name: replace(kept.facts()[name], url=url)})
    checkpoint(url).parent.mkdir(parents=True, exist_ok=True)
    file.rename(checkpoint(url))
    return opened(network=name, **query)


def test_without_an_open_part_the_page_says_how_to_see_maps() -> None:
    assert any("Open a part" in caption.value for caption in opened().caption)
