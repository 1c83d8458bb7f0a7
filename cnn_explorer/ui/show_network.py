"""Sends a network's layers, for the session's drawing, to a network view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnn_explorer.spec.network import NetworkSpec
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.ui import network_view, state

if TYPE_CHECKING:
    from cnn_explorer.weights.label import Label
    from cnn_explorer.weights.load import TrainedNetwork
    from cnn_explorer.weights.novelty import Novelty


def show_network(
    key: str,
    seq: int,
    message: network_view.ViewMessage | None,
    shapes: NetworkShapes,
    network: TrainedNetwork,
    training: network_view.Training | None,
    pinned: network_view.Pinned | None = None,
    before: Label | None = None,
    novelty: Novelty | None = None,
    judging: bool = False,
    repairs: Sequence[tuple[str, NetworkSpec]] = (),
) -> None:
    """Mount a network view: every layer of `network` for the session's drawing, and its weights if the browser asks for
    them. With a `pinned`, the view offers a comparison; `before` is the label of the other network.
    `novelty` tells whether the drawing is unlike all digits; `judging` while it is still to come. `repairs` are
    offered where the geometry breaks.
    """
    from cnn_explorer.weights.trace import trace_activations

    drawing = state.drawing()
    seen = drawing.preprocess()
    trace = trace_activations(network.module, seen.image)
    asked = message is not None and message.lacking == str(shapes.spec)
    network_view.mount(
        network_view.pack(
            seq,
            drawing.text,
            shapes,
            seen.pixels,
            trace,
            network.label,
            exact=message is None or not message.moving,
            weights=network_view.pack_weights(network.module) if asked else b"",
            version=network.fingerprint,
            training=training,
            pinned=pinned,
            before=before,
            unlike=novelty is not None and novelty.is_unlike(seen.pixels),
            judging=judging,
            repairs=repairs,
        ),
        key,
    )
