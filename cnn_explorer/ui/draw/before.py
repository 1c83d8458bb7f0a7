"""The network that the present one is compared with: the pinned one, else the one before the last change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.ui import caches, network_view, own_weights, state, visitors
from cnn_explorer.ui.session import remembered
from cnn_explorer.ui.widgets import PRESET_NAMES

if TYPE_CHECKING:
    from cnn_explorer.weights.label import Label
    from cnn_explorer.weights.load import TrainedNetwork


@dataclass
class Labels:
    """Labels as they were last shown: of the network on the page (`net`, `label`), of the one before it (`former`), and
    of the pinned one (`pinned_net`, `pinned`).
    """

    net: str = ""
    label: Label | None = None
    former: Label | None = None
    pinned_net: str = ""
    pinned: Label | None = None


def pinned(shapes: NetworkShapes, message: network_view.ViewMessage | None) -> network_view.Pinned:
    """What the view is told of the pinned network; its layers and weights if the view lacks them."""
    net, present = state.pin(), str(shapes.spec)
    name, present_name = PRESET_NAMES.get(net, net), PRESET_NAMES.get(present, present)
    if not net or message is None or not message.lacking_pin:
        return network_view.Pinned(net, name, present_name)
    network = _pinned_network(net)
    _remember_pinned(net, network.label)
    weights = network_view.pack_weights(network.module)
    return network_view.Pinned(net, name, present_name, caches.shapes_of(net), weights)


def label_before(shapes: NetworkShapes, label: Label) -> Label | None:
    """The label of the network that the one on the page is compared with, None for none; its own `label` is kept for
    the next one.
    """
    labels, net, pin = remembered(Labels), str(shapes.spec), state.pin()
    if labels.net != net:
        labels.former, labels.net = labels.label, net
    labels.label = label
    if not pin:
        return labels.former
    if pin == net:
        _remember_pinned(net, label)
        return None
    return labels.pinned if labels.pinned_net == pin else None


def _remember_pinned(net: str, label: Label) -> None:
    labels = remembered(Labels)
    labels.pinned_net, labels.pinned = net, label


def _pinned_network(net: str) -> TrainedNetwork:
    """The pinned network with the weights that this visitor saw it with, as far as they are kept."""
    trained = own_weights.pinned() or caches.scheduler().trained_quickly(visitors.visitor(), caches.shapes_of(net))
    if trained:
        return trained
    caches.network_of(net)
    return caches.network_of(net)  # the second call measures how often it is right
