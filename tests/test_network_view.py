"""What the network view is sent, read back by a decoder written here from the layout alone."""

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from cnn_explorer.digits.drawing import example_drawing, parse_drawing
from cnn_explorer.spec.network import LECTURE, PRESETS, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.ui.network_view import Training, ViewMessage, pack, pack_weights, view_message
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import Activation, Trace, trace_activations

MAX_BYTES = (
    24_000  # of an update of the lecture's network while the pen moves: several a second, over a school's network
)


@dataclass
class Update:
    header: dict[str, Any]
    image: np.ndarray
    values: dict[str, np.ndarray]
    logits: np.ndarray
    probabilities: np.ndarray
    weights: np.ndarray


def decoded(data: bytes) -> Update:
    """uint32 header length, header (JSON), 784 bytes image, float32 or float16 values layer by layer, float32 logits
    and probabilities, float32 weights; all little-endian, and nothing behind them.
    """
    at = 4 + int.from_bytes(data[:4], "little")
    header = json.loads(data[4:at].decode("utf-8"))

    def take(kind: str, count: int) -> np.ndarray:
        nonlocal at
        taken = np.frombuffer(data, kind, count, at)
        at += taken.nbytes
        return taken

    image = take("u1", 784).reshape(28, 28)
    pending, kind = header["pending"], "<f4" if header["exact"] else "<f2"
    values = {
        layer["name"]: take(kind, int(np.prod(layer["shape"]))).reshape(layer["shape"])
        for layer in header["layers"]
        if not pending
    }
    classes = 0 if pending else header["classes"]
    logits, probabilities = take("<f4", classes), take("<f4", classes)
    weights = take("<f4", header["weights"])
    assert at == len(data)
    return Update(header, image, values, logits, probabilities, weights)


def traced(net: str, drawing: str = "d7", exact: bool = True) -> tuple[Update, Trace]:
    """One update of a network as the page makes it, and the numbers that went in."""
    shapes = infer_shapes(parse(net))
    seen = parse_drawing(drawing).preprocess()
    network = load_network(parse(net))
    trace = trace_activations(network.module, seen.image)
    return decoded(pack(3, drawing, shapes, seen.pixels, trace, network.label, exact=exact)), trace


@pytest.mark.parametrize("net", [str(preset) for preset in PRESETS.values()])
def test_every_layer_is_what_pytorch_computed(net: str) -> None:
    update, trace = traced(net)
    computed = {
        activation.name: activation.values.numpy() for activation in trace.activations if activation.kind != "Flatten"
    }
    assert [*update.values] == [*computed]
    for name, values in computed.items():
        assert update.values[name].shape == values.shape
        np.testing.assert_array_equal(update.values[name], values)
    assert trace.logits is not None
    np.testing.assert_array_equal(update.logits, trace.logits.numpy())
    powers = np.exp(update.logits.astype(np.float64))
    np.testing.assert_allclose(update.probabilities, powers / powers.sum(), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("net", [str(preset) for preset in PRESETS.values()])
def test_while_the_pen_moves_values_are_rounded(net: str) -> None:
    update, trace = traced(net, exact=False)
    for activation in trace.activations:
        if activation.kind != "Flatten":
            rounded = update.values[activation.name].astype(np.float64)
            np.testing.assert_allclose(
                rounded, activation.values.numpy(), rtol=2**-11, atol=2**-25
            )  # half a step of float16
    assert trace.logits is not None
    np.testing.assert_array_equal(update.logits, trace.logits.numpy())


@pytest.mark.parametrize(
    "net", [str(LECTURE), "conv4k3x5g1-bn-conv8k3g4-bn-drop20-fc7-tanh-fc10", "max2", "conv3k5-max2-conv2k20"]
)
def test_weights_come_in_the_order_of_the_layers(net: str) -> None:
    shapes = infer_shapes(parse(net))
    module = load_network(parse(net)).module
    seen = parse_drawing("d7").preprocess()
    weights = pack_weights(module)
    data = pack(3, "d7", shapes, seen.pixels, trace_activations(module, seen.image), None, weights=weights)
    expected = [
        tensor.detach().numpy().ravel()
        for layer in module
        for name in ("weight", "bias", "running_mean", "running_var")
        if isinstance(tensor := getattr(layer, name, None), torch.Tensor)
    ]
    np.testing.assert_array_equal(decoded(data).weights, np.concatenate([*expected, np.empty(0, np.float32)]))


def test_the_image_is_what_the_network_sees() -> None:
    update, trace = traced(str(LECTURE))
    np.testing.assert_array_equal(update.image / np.float32(255), trace.image[0].numpy())
    assert update.image.max() > 200


def test_the_header_of_the_lectures_network() -> None:
    header = traced(str(LECTURE))[0].header
    layers = header.pop("layers")
    sentence = header.pop("sentence")
    assert header == {
        "seq": 3, "drawing": "d7", "net": str(LECTURE), "pending": False, "exact": True, "weights": 0,
        "trained": True,
        "measured": True, "unlike": False, "judging": False, "error": None, "classes": 10, "version": "",
            "training": None, "pin": None,
    }  # fmt: skip
    assert "Trained on MNIST" in sentence
    assert [
        (layer["name"], layer["kind"], layer["shape"], layer["parameters"], layer["macs"], layer["field"])
        for layer in layers
    ] == [
        ("conv1", "Conv2d", [10, 24, 24], 260, 10 * 24 * 24 * 25, [5, 5]),
        ("max1", "MaxPool2d", [10, 12, 12], 0, 0, [6, 6]),
        ("relu1", "ReLU", [10, 12, 12], 0, 0, [6, 6]),
        ("conv2", "Conv2d", [20, 8, 8], 20 * (250 + 1), 20 * 8 * 8 * 250, [14, 14]),
        ("max2", "MaxPool2d", [20, 4, 4], 0, 0, [16, 16]),
        ("relu2", "ReLU", [20, 4, 4], 0, 0, [16, 16]),
        ("fc1", "Linear", [10], 3210, 3200, [28, 28]),
    ]
    assert layers[0]["formula"].endswith("= 24")
    assert layers[6]["formula"].startswith(
        "20·4·4 = 320\n"
    )  # flatten has no column of its own; its formula stands before fc1's


def test_an_update_is_small() -> None:
    drawing = example_drawing()
    seen = drawing.preprocess()
    network = load_network(LECTURE)
    trace = trace_activations(network.module, seen.image)
    data = pack(1_000_000, drawing.text, infer_shapes(LECTURE), seen.pixels, trace, network.label, exact=False)
    assert decoded(data).header["drawing"] == ""
    assert len(data) <= MAX_BYTES


def test_before_pytorch_is_there_the_structure_is_sent_alone() -> None:
    seen = example_drawing().preprocess()
    update = decoded(pack(0, "s", infer_shapes(LECTURE), seen.pixels, None, None))
    assert update.header["pending"] is True
    assert [layer["name"] for layer in update.header["layers"]] == [
        "conv1",
        "max1",
        "relu1",
        "conv2",
        "max2",
        "relu2",
        "fc1",
    ]
    assert update.values == {}
    np.testing.assert_array_equal(update.image, seen.pixels)


def test_a_network_that_breaks_is_sent_up_to_the_break() -> None:
    update, trace = traced("conv10k5-max2-relu-conv20k13-max2-relu-fc10")
    assert update.header["error"]["layer"] == "conv2"
    assert "13" in update.header["error"]["text"]
    assert update.header["classes"] == 0
    assert {name: values.shape for name, values in update.values.items()} == {
        "conv1": (10, 24, 24), "max1": (10, 12, 12), "relu1": (10, 12, 12),
    }  # fmt: skip
    np.testing.assert_allclose(
        update.values["relu1"].astype(np.float32), trace.activations[2].values.numpy(), rtol=2**-11, atol=2**-25
    )


@pytest.mark.parametrize(
    ("net", "names"),
    [
        ("conv3k5-max2", ["conv1", "max1"]),
        ("conv3k28-fc10-fc4", ["conv1", "fc1", "fc2"]),
        ("flatten-fc3-relu", ["fc1", "relu1"]),
        ("conv2k28-max2-fc10", ["conv1"]),
        ("relu-bn-drop50-conv2k3g1-flatten", ["relu1", "bn1", "drop1", "conv1", "flatten"]),
        ("max2-conv1k20", ["max1"]),
        ("flatten", ["flatten"]),
    ],
)
def test_other_networks(net: str, names: list[str]) -> None:
    update, trace = traced(net)
    assert [*update.values] == names
    ends_in_logits = (
        update.header["error"] is None
        and names[-1:] == [f"fc{net.count('fc')}"]
        and net.rsplit("-", 1)[1].startswith("fc")
    )
    assert update.header["classes"] == (len(trace.activations[-1].values) if ends_in_logits else 0)


def test_what_float16_cannot_hold_is_clipped() -> None:
    shapes = infer_shapes(parse("conv1k27-fc2"))
    _, trace = traced("conv1k27-fc2")
    loud = torch.tensor([[[1e6, -1e6], [65504.0, 1e-9]]])
    assert trace.activations[0].shape == loud.shape
    logits = torch.tensor([1e6, -1e6])
    changed = (
        Activation("conv1", "Conv2d", loud[None]),
        trace.activations[1],
        Activation("fc1", "Linear", logits[None]),
    )
    data = pack(0, "d7", shapes, np.zeros((28, 28), np.uint8), replace(trace, activations=changed), None, exact=False)
    update = decoded(data)
    np.testing.assert_array_equal(update.values["conv1"], np.array([[[65504, -65504], [65504, 0]]], np.float16))
    np.testing.assert_array_equal(update.values["fc1"], np.array([65504, -65504], np.float16))
    np.testing.assert_array_equal(update.logits, logits.numpy())  # exact: the answer is read from these


@pytest.mark.parametrize("state", [None, {}, {"message": None}])
def test_no_message_before_the_first_stroke(state: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.session_state", {"view": state} if state is not None else {})
    assert view_message("view") is None


def test_a_stroke_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = {"seq": 4.0, "drawing": "s", "final": False, "moving": True, "lacking": ""}
    monkeypatch.setattr("streamlit.session_state", {"view": {"message": sent}})
    message = ViewMessage(
        4, "s", final=False, moving=True, lacking="", train="", seconds=0
    )  # from a page opened before an upgrade
    assert view_message("view") == message
    sent |= {"train": "fc10", "seconds": 4}
    assert view_message("view") == replace(message, train="fc10", seconds=4)


def test_training_is_told() -> None:
    shapes, network = infer_shapes(LECTURE), load_network(LECTURE)
    seen = example_drawing().preprocess()
    trace = trace_activations(network.module, seen.image)
    training = Training("Training, 1.5 of 4 s", going=True, has=1.5, to=4)
    header = decoded(pack(1, "s", shapes, seen.pixels, trace, network.label, version="ab", training=training)).header
    assert header["sentence"] == "Training, 1.5 of 4 s"
    assert header["training"] == {"sentence": "Training, 1.5 of 4 s", "going": True, "has": 1.5, "to": 4}
    assert header["version"] == "ab"
