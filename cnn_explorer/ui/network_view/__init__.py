"""The network view: the component that is the drawing surface and shows every layer. Python side: pack, mount, unpack.

An update is one blob, decoded by `assets/protocol.js`:

    uint32 header length · header, JSON · 784 bytes image · values layer by layer · float32 logits,
    float32 probabilities · float32 weights · float32 weights of the pinned network

While the pen moves, values are float16: three significant digits are enough to paint, at half the size. At rest they
are float32, and whoever opens a pixel can work out PyTorch's own numbers. Weights come once a network, when the browser
asks for them; so do layers and weights of the pinned network. `flatten` repeats the values of the layer before it and
is left out where another layer follows; its formula stands before that layer's own.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnn_explorer.spec.layers import Conv2dSpec, FlattenSpec, WindowSpec
from cnn_explorer.spec.network import NetworkSpec
from cnn_explorer.spec.shapes import LayerShapes, NetworkShapes
from cnn_explorer.ui.component import component, nothing
from cnn_explorer.ui.messages import Message, at_most, flag, message, text, whole

if TYPE_CHECKING:
    from torch import nn

    from cnn_explorer.weights.label import Label
    from cnn_explorer.weights.trace import Trace

# Session keys of the views on the first page and on the page "Train".
KEYS = DRAW, TRAIN = "network_view", "training_view"
HALF_MAX = 65504.0  # float16 ends here
MAX_CLASSES = 16
# Of a message: characters of a drawing, where one that is too long to be kept is told so on the page, and of a network;
# seconds of training.
MAX_DRAWING, MAX_NET, MAX_SECONDS, MAX_PLACE = 100_000, 2_000, 3_600, 40


@dataclass(frozen=True)
class ViewMessage:
    """A message of the view: a running number, the drawing string, whether the drawing is `final` and the address is
    to hold it, whether the pen is `moving`, the architecture string of the network whose weights it lacks ("" for
    none), and that of the one that is to be trained, for so many `seconds` altogether ("" and 0 for none).

    It is `drawn` until it has arrived. Later messages only ask, and their drawing is "". `pin` is the architecture
    string of the network that has just been pinned, "" if one has been unpinned, None for neither. `lacking_pin`: the
    view lacks layers and weights of the pinned network. `numbers` is a value whose page of numbers is to be opened, as
    `NetworkScene` has it in the address, "" for none. `repair` is the architecture string of the repair on offer that
    was pressed, "" for none.
    """

    seq: int
    drawing: str
    final: bool
    moving: bool
    lacking: str
    train: str
    seconds: float
    drawn: bool = True
    pin: str | None = None
    lacking_pin: bool = False
    numbers: str = ""
    repair: str = ""


@dataclass(frozen=True)
class Training:
    """What the view says of training: the `sentence`, whether it is `going` on, for how many seconds the network `has`
    been trained here and for how many it is to be on a press of the button (`to`, 0 where there is no more to be had).
    """

    sentence: str
    going: bool
    has: float
    to: float


@dataclass(frozen=True)
class Pinned:
    """The pinned network: its architecture string `net` ("" for none) and its `name` on the page. `present` is the name
    of the network on the page, which can be pinned next. Its `shapes` and `weights` are sent where the browser lacks
    them.
    """

    net: str
    name: str
    present: str
    shapes: NetworkShapes | None = None
    weights: bytes = b""


def mount(data: bytes, key: str) -> None:
    """Show the view with one update's data."""
    component("network_view")(key=key, data=data, on_message_change=nothing)


def view_message(key: str) -> ViewMessage | None:
    """The newest message of the view under this session key. None before the first one, and for one that is not of the
    form of `ViewMessage`.
    """
    return message(st.session_state.get(key), "message", _view_message)


def _view_message(sent: Message) -> ViewMessage:
    return ViewMessage(
        whole(sent.get("seq")),
        text(sent.get("drawing"), MAX_DRAWING),
        flag(sent.get("final")),
        flag(sent.get("moving")),
        text(sent.get("lacking"), MAX_NET),
        text(sent.get("train", ""), MAX_NET),  # a page that was open before an upgrade says nothing of it
        at_most(sent.get("seconds", 0), MAX_SECONDS),
        flag(sent.get("drawn", True)),
        None if sent.get("pin") is None else text(sent.get("pin"), MAX_NET),
        flag(sent.get("lacking_pin", False)),
        text(sent.get("numbers", ""), MAX_PLACE),
        text(sent.get("repair", ""), MAX_NET),
    )


def pack(
    seq: int,
    drawing: str,
    shapes: NetworkShapes,
    pixels: np.ndarray,
    trace: Trace | None,
    label: Label | None,
    *,
    exact: bool = True,
    weights: bytes = b"",
    version: str = "",
    training: Training | None = None,
    pinned: Pinned | None = None,
    before: Label | None = None,
    unlike: bool = False,
    judging: bool = False,
    repairs: Sequence[tuple[str, NetworkSpec]] = (),
) -> bytes:
    """One update as bytes. Without a `trace` (PyTorch is still loading) the view shows the structure alone.

    `version` tells one set of weights of the same network from another. Without a `pinned` (with no network, perhaps)
    the view offers no comparison. `before` is the label of the network that the present one is compared with.
    `unlike`: the drawing is unlike all digits; `judging`: that is not known yet. `repairs` are
    offered where the geometry breaks: valid networks by their labels.
    """
    header = (
        _header(seq, shapes, label, training, before)
        | {"error": _error(shapes, repairs)}
        | {"pin": _pin_header(pinned) if pinned else None}
    )
    header |= {"unlike": unlike, "judging": judging}
    header |= {"pending": trace is None, "exact": exact, "version": version, "weights": len(weights) // 4}
    header["drawing"] = drawing if exact else ""  # while the pen moves, the browser knows better
    head = json.dumps(header | {"layers": _layers(shapes)}, ensure_ascii=False, separators=(",", ":")).encode()
    parts = [struct.pack("<I", len(head)), head, pack_maps(shapes, pixels, trace, exact)]
    return b"".join([*parts, weights, pinned.weights if pinned else b""])


def pack_maps(shapes: NetworkShapes, pixels: np.ndarray, trace: Trace | None, exact: bool) -> bytes:
    """The image, and what a network makes of it: values, logits, probabilities. Without a `trace` the image alone."""
    parts = [pixels.astype(np.uint8).tobytes()]
    if trace is not None:
        names = {layer.name for layer in _shown(shapes)}
        shown = [activation.values.numpy().ravel() for activation in trace.activations if activation.name in names]
        values = np.concatenate([*shown, np.empty(0, np.float32)])
        parts.append(
            values.astype("<f4").tobytes() if exact else np.clip(values, -HALF_MAX, HALF_MAX).astype("<f2").tobytes()
        )
        if trace.logits is not None and trace.probabilities is not None and _classes(shapes):
            parts += [trace.logits.numpy().astype("<f4").tobytes(), trace.probabilities.numpy().astype("<f4").tobytes()]
    return b"".join(parts)


def pack_weights(module: nn.Sequential) -> bytes:
    """All weights as float32, layer by layer: `weight` and `bias` of Conv2d and Linear; these, mean and variance of
    BatchNorm2d.
    """
    tensors = [tensor for tensor in module.state_dict().values() if tensor.is_floating_point()]
    return b"".join(tensor.numpy().astype("<f4").tobytes() for tensor in tensors)


def _header(
    seq: int, shapes: NetworkShapes, label: Label | None, training: Training | None, before: Label | None
) -> dict[str, Any]:
    return {
        "seq": seq,
        "net": str(shapes.spec),
        "trained": label.trained if label else True,
        "measured": label.measured > 0 or not label.trained if label else True,
        "sentence": _sentence(label, training, before),
        "training": asdict(training) if training else None,
        "classes": _classes(shapes),
    }


def _error(shapes: NetworkShapes, repairs: Sequence[tuple[str, NetworkSpec]]) -> dict[str, Any] | None:
    if shapes.error is None:
        return None
    offers = [{"label": label, "net": str(spec)} for label, spec in repairs]
    return {
        "layer": shapes.error.layer,
        "text": shapes.error.problem,
        "remedy": shapes.error.remedy,
        "repairs": offers,
    }


def _sentence(label: Label | None, training: Training | None, before: Label | None) -> str:
    if training:
        return training.sentence
    if label is None:
        return "Loading PyTorch…"
    from cnn_explorer.weights.label import describe

    return describe(label, before)


def _pin_header(pinned: Pinned) -> dict[str, Any]:
    return {
        "net": pinned.net,
        "name": pinned.name,
        "present": pinned.present,
        "layers": _layers(pinned.shapes) if pinned.shapes else None,
        "classes": _classes(pinned.shapes) if pinned.shapes else 0,
        "weights": len(pinned.weights) // 4,
    }


def _classes(shapes: NetworkShapes) -> int:
    """How many outputs are shown as an answer; 0 where the last layer is none, or too wide for a list."""
    outputs = shapes.output_shape[0] if shapes.classifies else 0
    return outputs if outputs <= MAX_CLASSES else 0


def _shown(shapes: NetworkShapes) -> list[LayerShapes]:
    """The layers with a column of their own: all but a flatten that another layer follows."""
    last = len(shapes.layers) - 1
    return [layer for at, layer in enumerate(shapes.layers) if at == last or not isinstance(layer.spec, FlattenSpec)]


def _layers(shapes: NetworkShapes) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = []
    shown = _shown(shapes)
    flattening = ""
    for layer in shapes.layers:
        if layer not in shown:
            flattening = f"{layer.formula}\n"
            continue
        layers.append(
            {
                "name": layer.name,
                "kind": layer.spec.torch_name,
                "shape": layer.output_shape,
                "formula": flattening + layer.formula,
                "unused": layer.unused,
                "field": layer.receptive_field.size,
                "parameters": layer.parameters,
                "macs": layer.macs,
                "window": layer.spec.window() if isinstance(layer.spec, WindowSpec) else None,
                "groups": layer.spec.groups if isinstance(layer.spec, Conv2dSpec) else 1,
            }
        )
        flattening = ""
    return layers
