"""A value of a classic network's convolution, number by number, against hooks on the untouched network; the page."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from test_maps import image_of, maps_of, network_of, opened, place_of, waited_for
from torch import Tensor
from widgets import address, components, follow

from cnn_explorer.classics import running
from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.photographs import photograph

pytestmark = pytest.mark.usefixtures("own_visitors")


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("conv_stem.1", (5, 0, 0)),
        ("layer3.0.block.1.1", (99, 27, 13)),  # depthwise
        ("layer6.0.block.0.0", (300, 7, 3)),  # 112 channels come in
        ("conv_head.0", (1279, 6, 6)),
    ],
)
@torch.no_grad()
def test_window_kernels_and_bias_make_the_value_of_the_untouched_network(path: str, at: tuple[int, int, int]) -> None:
    network, kept = network_of(LITE0), {}

    def keep(_: object, inputs: tuple[Tensor, ...], value: Tensor) -> None:
        kept["x"], kept["value"] = inputs[0][0].clone(), float(value[0][at])

    place = place_of(path)
    network.get_submodule(path).register_forward_hook(keep)
    network(image_of("coffee"))
    found = running.cut_out(LITE0, photograph("coffee"), place, at)
    assert found.output[found.chosen] == pytest.approx(kept["value"], rel=1e-4, abs=1e-4)
    assert found.weight is not None
    assert found.rest is not None
    rows, columns = found.rows[found.chosen[0]], found.columns[found.chosen[1]]
    total = float(found.bias) + float(found.rest[found.chosen])
    for channel, x, weight in zip(found.channels, found.x, found.weight, strict=True):
        for kernel_row, row in enumerate(rows):
            for kernel_column, column in enumerate(columns):
                if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:
                    corner_row, corner_column = found.corner
                    assert x[row, column] == pytest.approx(
                        float(kept["x"][channel, corner_row + row, corner_column + column]), rel=1e-4, abs=1e-4
                    )
                    total += float(x[row, column]) * float(weight[kernel_row, kernel_column])
    assert total == pytest.approx(kept["value"], rel=1e-4, abs=1e-4)


def player_of(page: AppTest) -> dict[str, Any]:
    """What the grid player was sent, once it is there."""

    def found() -> dict[str, Any]:
        sent: list[dict[str, Any]] = [json.loads(one.proto.json)[0] for one in components(page)]
        return next((data for data in sent if "kernels" in data), {})

    return waited_for(page, found)


def test_the_way_from_a_pixel_of_a_map_and_back() -> None:
    page = opened(open="layer6.0.block.0.0", at="300.7.3", picture="coffee")
    maps_of(page)
    page = follow(page.button("classic_numbers").click().run())
    query = address(page)
    assert (query["step"], query["layer"], query["at"], query["picture"]) == (
        "classic", "layer6.0.block.0.0", "300.7.3", "coffee",
    )  # fmt: skip
    player = player_of(page)
    assert player["agrees"]
    assert player["outputs"][0]["title"] == "layer6.0.block.0.0 map 300"
    cutout = running.cut_out(LITE0, photograph("coffee"), place_of("layer6.0.block.0.0"), (300, 7, 3))
    chosen = player["start"]["row"], player["start"]["column"]
    assert player["outputs"][0]["values"][chosen[0]][chosen[1]] == pytest.approx(float(cutout.output[cutout.chosen]))
    assert player["kernels"][0][0] == np.asarray(cutout.weight, np.float64)[0].tolist()
    page = follow(page.button("conv_classic_back").click().run())
    query = address(page)
    assert (query["open"], query["at"], query["picture"]) == ("layer6.0.block.0.0", "300.7.3", "coffee")
    assert maps_of(page)["chosen"] == {"channel": 300, "row": 7, "column": 3}
    (button,) = [button for button in page.button if "See it number by number" in button.label]
    page = follow(button.click().run())
    assert address(page)["at"] == "300.7.3"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"network": "vgg99"}, "no network named vgg99"),
        ({"layer": "layer9.conv"}, "no convolution layer9.conv"),
        ({"picture": "own"}, "no picture own here"),
        ({"layer": "conv_head.0", "at": "0.7.0"}, "1280 × 7 × 7 values"),
        ({"at": "somewhere"}, "such as 7.3.4"),
        ({"layer": "<b>"}, "letters, digits and dots"),
    ],
)
def test_what_there_is_not_is_told(query: dict[str, str], told: str) -> None:
    page = numbers(**query)
    assert any(told in warning.value.replace("\\", "") for warning in page.warning), [one.value for one in page.warning]
    assert player_of(page)["agrees"]


def test_a_network_without_weights_says_so() -> None:
    page = numbers(network="resnet152", layer="layer1.0.conv2")
    assert "ResNet-152 are not on this server" in page.info[0].value


def numbers(**query: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=120)
    page.switch_page("pages/convolution.py")
    page.query_params.update({"step": "classic", **query})
    return page.run()
