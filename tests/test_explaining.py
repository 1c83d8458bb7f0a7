"""Grad-CAM against hooks on a copy of the network, covering against a loop of single passes; and the page."""

import copy
import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from test_downloads import saved
from test_maps import image_of, network_of, opened, place_of, shown
from torch import Tensor, nn
from widgets import address, components, control

from cnn_explorer.classics import explaining, running, tracing
from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.photographs import photograph
from cnn_explorer.sharing.background import Background
from cnn_explorer.ui.classics import explained, kept

pytestmark = pytest.mark.usefixtures("own_visitors")


@pytest.fixture(scope="module", autouse=True)
def settled() -> None:
    """Nothing that is here before is garbage; each explanation looks for some, several times."""
    tracing.categories()
    gc.collect()
    gc.freeze()


def hooked(network: nn.Module, path: str, image: Tensor, wanted: int) -> np.ndarray:
    """Grad-CAM as its authors' code has it: hooks for the maps and for their gradient, on a copy."""
    network = copy.deepcopy(network)
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    kept: dict[str, Tensor] = {}
    layer = network.get_submodule(path)
    layer.register_forward_hook(lambda _, __, value: kept.update(maps=value))
    layer.register_full_backward_hook(lambda _, __, gradient: kept.update(gradient=gradient[0]))
    network(image.requires_grad_())[0, wanted].backward()
    weights = kept["gradient"][0].double().mean((1, 2))
    cam = torch.einsum("c,chw->hw", weights, kept["maps"][0].double()).clamp_min(0).detach().numpy()
    return cam / cam.max()


@pytest.mark.parametrize(
    ("name", "path", "wanted"),
    [
        (LITE0, "conv_head.2", 285),
        (LITE0, "layer4.1.block.0.2", 285),
        ("resnet18", "layer3.0.conv2", 7),
        ("densenet121", "features.denseblock3.denselayer5.conv2", 7),
        ("squeezenet1_1", "features.7.expand3x3", 7),
    ],
)
def test_grad_cam_is_that_of_hooks_on_a_copy(name: str, path: str, wanted: int) -> None:
    network = network_of(name)
    expected = hooked(network, path, image_of("chelsea"), wanted)
    place = next(place for place, node in enumerate(tracing.graph_of(name, network).nodes) if node.name == path)
    found = explaining.grad_cam(running.out_of_place(network), image_of("chelsea"), place, wanted)
    assert found.max() == 1
    np.testing.assert_allclose(found, expected, atol=2e-3)


@torch.no_grad()
@pytest.mark.parametrize("grid", explaining.GRIDS)
def test_covering_is_a_loop_of_single_passes(grid: int) -> None:
    network, image = network_of(LITE0), image_of("coffee")
    places = [0, grid * (grid // 2) + grid // 2, grid * grid - 3]
    found = explaining.occlusion(network, image, 967, grid, places)
    for value, place in zip(found, places, strict=True):
        middle_y, middle_x = ((one + 0.5) * 224 / grid for one in divmod(place, grid))
        covered = image.clone()
        for y in range(224):
            for x in range(224):
                if abs(y + 0.5 - middle_y) < 32 and abs(x + 0.5 - middle_x) < 32:
                    covered[0, :, y, x] = 0
        assert value == pytest.approx(float(network(covered).softmax(1)[0, 967]), abs=1e-4)


def test_parts_make_up_the_grid() -> None:
    network, image = network_of(LITE0), image_of("coffee")
    parts = [explaining.covered(LITE0, photograph("coffee"), "espresso", 7, part) for part in (2, 6)]
    assert [len(part) for part in parts] == [7, 7]
    assert [part[at] for part in parts for at in (0, 3, 6)] == pytest.approx(
        explaining.occlusion(network, image, 967, 7, [14, 17, 20, 42, 45, 48]), abs=1e-4
    )
    assert all(grid * grid % explaining.PART == 0 for grid in explaining.GRIDS)


def test_covering_takes_probability_away_and_random_weights_give_another_map() -> None:
    place = place_of("conv_head.2")
    found = explaining.explain(LITE0, photograph("coffee"), place, "espresso")
    assert found.probability == pytest.approx(running.classify(LITE0, photograph("coffee")).answers[0].probability)
    middle = explaining.covered(LITE0, photograph("coffee"), "espresso", 7, 2)
    assert middle.min() < found.probability - 0.1
    assert found.cam.shape == found.random.shape == (7, 7)
    assert np.abs(found.cam - found.random).max() > 0.3
    again = explaining.explain(LITE0, photograph("coffee"), place, "espresso")
    assert np.array_equal(again.random, found.random)


def test_what_is_no_class_or_needs_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="none of ImageNet's"):
        explaining.explain(LITE0, photograph("coffee"), 5, "nothing")
    running.trained(LITE0)
    monkeypatch.setenv(running.MEMORY, "150")
    with pytest.raises(ValueError, match="needs 172 MB of memory, and this server gives 150 MB"):
        explaining.explain(LITE0, photograph("coffee"), 2, "espresso")
    assert explaining.explain(LITE0, photograph("coffee"), 60, "espresso").cam.max() == 1


def test_where_two_networks_do_not_fit_the_trained_one_makes_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The maps are the same as with room for both."""
    file, _ = saved("resnet18", tmp_path)
    place, weights = 30, 47
    needed = explaining.gradient_megabytes("resnet18", place)
    found = []
    for limit in (1000, weights + needed + 5):
        monkeypatch.setenv(running.MEMORY, str(limit))
        running._KEPT.clear()
        found.append(explaining.explain("resnet18", photograph("coffee"), place, "espresso", file))
        assert ("resnet18" in running._KEPT) == (limit == 1000)
    assert np.array_equal(found[0].cam, found[1].cam)
    assert np.array_equal(found[0].random, found[1].random)
    running._KEPT.clear()


@pytest.fixture
def nobody_looks_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """When the test has ended, no more places are covered for its page."""
    background = Background(kept.KEPT, kept._bytes_of)
    monkeypatch.setattr(kept, "_BACKGROUND", background)
    yield
    background._forgotten = 0


def cover_test(page: AppTest) -> dict[str, Any]:
    """What the picture view was sent, {} while there is none."""
    sent: list[dict[str, Any]] = [json.loads(found.proto.json)[0] for found in components(page)]
    return next((data for data in sent if "heatMaps" in data), {})


@pytest.mark.usefixtures("nobody_looks_on")
def test_the_page_never_shows_a_heat_map_alone_and_its_grids_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(picture="coffee", open="layer5")
    shown(page, "classified")
    control(page.toggle, "classic_explain").set_value(True).run()
    deadline, counts = time.monotonic() + 120, [(0, 0)]
    while not counts[-1][1]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
        page.run()
        data = cover_test(page)
        if data:
            assert [figure["title"] for figure in data["heatMaps"]] == ["Grad-CAM", "The same, random weights"]
            assert "layer5.2.add" in data["heatMaps"][0]["caption"]
            assert [len(grid["values"]) for grid in data["grids"]] == [49, 196]
            coarse, fine = (sum(value is not None for value in grid["values"]) for grid in data["grids"])
            counts.append((coarse, fine))
    assert counts == sorted(counts)
    assert counts[-1][0] == 49
    assert any("Covering the brightest place" in one.value and "A finer grid" in one.value for one in page.caption)
    values = data["grids"][0]["values"]
    assert values[3] == pytest.approx(
        explaining.occlusion(network_of(LITE0), image_of("coffee"), 967, 7, [3])[0], abs=1e-3
    )
    assert min(values) < data["probability"] - 0.1
    monkeypatch.setattr(explained, "GRIDS", (7, 7))  # the finer grid is full as well
    page.run()
    assert all(grid["values"] == values for grid in cover_test(page)["grids"])
    (verdict,) = [one.value for one in page.caption if "Covering the brightest place" in one.value]
    assert "A finer grid" not in verdict


@pytest.mark.usefixtures("nobody_looks_on")
def test_any_class_can_be_asked_about_and_the_address_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "covered", lambda *asked: np.full((asked[-1], asked[-1]), np.nan))  # no place yet
    page = opened(picture="coffee", open="layer5")
    shown(page, "classified")
    control(page.toggle, "classic_explain").set_value(True).run()
    classes = control(page.selectbox, "classic_class")
    assert len(classes.options) == 1000
    assert classes.options[0].startswith("espresso (")
    classes.select("goldfish").run()
    query = address(page)
    assert (query["heat"], query["class"]) == ("1", "goldfish")
    page = opened(**query)
    shown(page, "classified")
    deadline = time.monotonic() + 120
    while not cover_test(page):
        assert time.monotonic() < deadline
        page.run()
    data = cover_test(page)
    assert data["label"] == "goldfish"
    with torch.no_grad():
        expected = float(network_of(LITE0)(image_of("coffee")).softmax(1)[0, tracing.categories().index("goldfish")])
    assert data["probability"] == pytest.approx(expected, rel=1e-3)
    page = opened(heat="1", **{"class": "unicorn"})
    assert "unicorn" in page.warning[0].value
