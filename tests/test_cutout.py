"""One value of a network, number by number: every number is PyTorch's own, and no zero stands in for a neighbour."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from test_number_pages import opened, sent
from torch.nn import functional
from widgets import address, follow, tell_view

from cnn_explorer.digits.drawing import parse_drawing
from cnn_explorer.numbers import cutout as cutout_module
from cnn_explorer.numbers.cutout import cut_convolution
from cnn_explorer.spec.layers import Conv2dSpec
from cnn_explorer.spec.network import LECTURE, parse
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations

NETS = {
    "lecture": str(LECTURE),
    "padded": "conv4k3p1-relu-avg3s2p1-conv6k3s2p1d2g2-relu-fc10",
}


def truth(net: str, layer: str) -> tuple[Any, Any, Any]:
    """Input and output of a layer for the digit d7, and the layer's module."""
    network = load_network(parse(net), measure=False)
    trace = trace_activations(network.module, parse_drawing("d7").preprocess().image)
    names = [activation.name for activation in trace.activations]
    at = names.index(layer)
    x = trace.activations[at - 1].values if at else trace.normalized
    return x.numpy(), trace.activations[at].values.numpy(), network.module.get_submodule(layer)


@pytest.mark.parametrize(
    ("net", "at"),
    [
        ("lecture", "conv1.3.0.11"),
        ("lecture", "conv2.6.3.4"),
        ("lecture", "max2.19.3.0"),
        ("padded", "conv1.2.0.27"),
        ("padded", "conv2.5.0.0"),
        ("padded", "conv2.0.5.5"),
        ("padded", "avg1.3.0.13"),
    ],
)
def test_every_number_is_pytorchs_own(net: str, at: str) -> None:
    layer, *rest = at.split(".")
    out, row, column = map(int, rest)
    x, output, module = truth(NETS[net], layer)
    path = "convolution" if layer.startswith("conv") else "pooling"
    page = opened(path, net=NETS[net], drawing="d7", step="network", at=at)
    data = sent(page)
    assert data["agrees"] is True
    (shown,) = data["outputs"]
    top, left = shown["corner"]
    start = data["start"]
    assert (top + start["row"], left + start["column"]) == (row, column)
    values = np.array(shown["values"])
    height, width = values.shape
    np.testing.assert_array_equal(values, output[out, top : top + height, left : left + width].astype(float))
    seen = range(len(x))
    if layer.startswith("conv"):
        wide = len(x) // module.groups
        first = out // (len(output) // module.groups) * wide
        seen = range(first, first + wide)
        np.testing.assert_array_equal(np.array(data["kernels"][0]), module.weight[out].detach().double().numpy())
        assert data["biases"] == [module.bias[out].item()]
        assert data["rest"] is None
    else:
        seen = range(out, out + 1)
    assert len(data["inputs"]) == len(seen)
    for channel, grid in zip(seen, data["inputs"], strict=True):
        (y0, x0), numbers = grid["corner"], np.array(grid["values"])
        part = x[channel, y0 : y0 + numbers.shape[0], x0 : x0 + numbers.shape[1]]
        np.testing.assert_array_equal(numbers, part.astype(float))
    # What lies outside the numbers shown lies outside the map as well: it is the layer's own padding.
    (y0, x0), size, windows = (
        data["inputs"][0]["corner"],
        np.array(data["inputs"][0]["values"]).shape,
        data["windows"][0],
    )
    for side, begin, count, whole in (("rows", y0, size[0], x.shape[1]), ("columns", x0, size[1], x.shape[2])):
        for index in {index for window in windows[side] for index in window}:
            assert (0 <= index < count) == (0 <= begin + index < whole)
    kernel = data["windows"][0]["rows"][start["row"]], data["windows"][0]["columns"][start["column"]]
    stride, padding = np.broadcast_to(module.stride, 2), np.broadcast_to(module.padding, 2)
    assert kernel[0][0] + y0 == row * stride[0] - padding[0]
    assert kernel[1][0] + x0 == column * stride[1] - padding[1]


def test_input_channels_without_room_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutout_module, "MOST_CELLS", 3 * (25 + 9))
    generator = torch.Generator().manual_seed(3)
    x, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((8, 9, 9), (2, 8, 3, 3), (2,)))
    output = functional.conv2d(x, weight, bias)
    arrays = [each.numpy() for each in (x, weight, bias, output)]
    cutout = cut_convolution(Conv2dSpec(2, 3), 1, *arrays, (1, 3, 3))
    assert len(cutout.channels) == 3
    assert cutout.left_out == 5
    others = [channel for channel in range(8) if channel not in cutout.channels]
    alone = functional.conv2d(x[others].double(), weight[1:, others].double())[0, 2:5, 2:5]
    assert cutout.rest is not None
    np.testing.assert_allclose(cutout.rest, alone.numpy(), rtol=1e-12, atol=1e-12)
    partial = {
        channel: abs(float(functional.conv2d(x[channel : channel + 1], weight[1:, channel : channel + 1])[0, 3, 3]))
        for channel in range(8)
    }
    assert min(partial[kept] for kept in cutout.channels) >= max(partial[other] for other in others)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"at": "conv7.0.0.0"}, "no convolution named conv7, so here is conv1"),
        ({"at": "conv1.99.0.0"}, "map 100, row 0, column 0 is outside"),
        ({"at": "conv1.0.0.0", "of": "00000000"}, "has other weights now than when this address was made"),
        ({"at": "somewhere"}, "must be a layer, a map, a row and a column"),
    ],
)
def test_an_address_that_does_not_fit_is_explained(query: dict[str, str], told: str) -> None:
    page = opened("convolution", step="network", **query)
    assert any(told in warning.value.replace("\\", "") for warning in page.warning), [
        each.value for each in page.warning
    ]
    assert sent(page)["agrees"]


def test_a_network_without_the_layer_says_so() -> None:
    page = opened("pooling", step="network", net="conv4k5-fc10")
    assert ["has no pooling" in info.value for info in page.info] == [True]


def test_the_way_from_a_pixel_and_back() -> None:
    first = AppTest.from_file("../app.py", default_timeout=60)
    first.query_params.update({"net": NETS["lecture"], "drawing": "d7"})
    first.run()
    page = follow(tell_view(first, 1, numbers="conv2.6.3.4"))
    assert not page.exception
    given = address(page)
    assert (given["step"], given["at"], given["net"], given["drawing"]) == (
        "network", "conv2.6.3.4", NETS["lecture"], "d7",
    )  # fmt: skip
    assert given["of"] == load_network(LECTURE, measure=False).fingerprint
    assert "kernel" not in given
    assert not page.warning
    before = sent(page)
    again = opened("convolution", **given)  # on another server
    assert sent(again)["inputs"] == before["inputs"]
    page.button(key="conv_back").click().run()
    (bar,) = [one for one in page.get("bidi_component") if ".top_bar_" in one.proto.component_name]
    answer = json.loads(bar.proto.json)[0]["answer"]
    assert (answer["path"], answer["query"]["view"]) == ("", "map.conv2.6.3.4.pinned")
    assert (answer["query"]["net"], answer["query"]["drawing"]) == (NETS["lecture"], "d7")


def test_a_place_that_is_none_opens_nothing() -> None:
    page = AppTest.from_file("../app.py", default_timeout=60).run()
    for seq, nonsense in enumerate(("conv9.0.0.0", "relu1.0.0.0", "x" * 40), 1):
        tell_view(page, seq, numbers=nonsense)
        (bar,) = [one for one in page.get("bidi_component") if ".top_bar_" in one.proto.component_name]
        assert json.loads(bar.proto.json)[0]["answer"] is None
