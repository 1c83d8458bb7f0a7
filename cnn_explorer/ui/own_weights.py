"""Weights that a visitor has trained, or uploaded, for all pages. They are kept by visitor, network and origin.

The origin of trained weights is in the address, `weights=<recipe>@<batch>`: a page that is opened again finds them
while their run is kept. Weights from a file have the origin "", as the shipped ones: no address can name them.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from cnn_explorer.sharing.fair_cache import FairCache, Shares
from cnn_explorer.spec.network import parse
from cnn_explorer.ui import caches, state, visitors
from cnn_explorer.ui.address import set_notice

if TYPE_CHECKING:
    from torch import nn

    from cnn_explorer.training.recipe import RunRecipe
    from cnn_explorer.weights.load import TrainedNetwork

MOST = 4  # networks of a visitor
SHARES = Shares.of(96_000_000)  # bytes of all visitors' weights
NO_ROOM = "the weights that other visitors keep here take all the memory there is; try again when they have left"
NOT_KEPT = (
    "The weights that this page's address names were trained here and are not kept any more, so here are others. Train "
    "the network again: the same seed gives the same weights."
)
PIN_NOT_KEPT = (
    "The pinned network's weights were trained here and are not kept any more, so it has others. Train it again and "
    "pin it anew: the same seed gives the same weights."
)

_LOCK = threading.Lock()  # guards _KEPT
_KEPT: FairCache[TrainedNetwork] = FairCache(
    SHARES, lambda network: network.bytes, visitors.is_present, visitors.address_of
)


def own() -> TrainedNetwork | None:
    """The network on the page with the visitor's own weights; None if there are none."""
    net, origin = _shown()
    network = _find(net, origin)
    if network is None and origin:
        state.show_weights("")
        set_notice(state.WEIGHTS.name, NOT_KEPT)
        return _get(net, "")
    return network


def pinned() -> TrainedNetwork | None:
    """The pinned network with the visitor's own weights; None if there are none."""
    net, origin = state.pin(), state.pin_weights()
    network = _find(net, origin)
    if network is None and origin:
        state.show_pin(net)
        set_notice(state.PIN.name, PIN_NOT_KEPT)
        return _get(net, "")
    return network


def use(net: str, network: TrainedNetwork, recipe: RunRecipe, batch: int) -> None:
    """Keep the page's network as it was trained here, and have the pages show its weights. Raises `ValueError` if there
    is no room for it.
    """
    origin = f"{recipe}@{batch}"
    _keep(net, origin, network)
    state.show_weights(origin)


def keep_from_file(net: str, network: TrainedNetwork) -> None:
    """Keep a network from a file. Raises `ValueError` if there is no room for it."""
    _keep(net, "", network)


def has_file(net: str) -> bool:
    """True if a network from a file is there."""
    return _get(net, "") is not None


def use_file() -> None:
    """Have the pages show the page's network as it came from a file."""
    state.show_weights("")


def forget() -> None:
    """Drop the visitor's own weights of the page's network, and show those that come with the package."""
    net, origin = _shown()
    with _LOCK:
        for one in (origin, ""):
            _KEPT.drop(_key(net, one))
    state.show_weights("")
    state.ADDRESS.write()


def loaded(net: str, module: nn.Sequential) -> TrainedNetwork:
    """A network from a file, with its accuracy on bundled digits, as many as take about a second."""
    from cnn_explorer.weights.label import FromFile, Label
    from cnn_explorer.weights.load import TrainedNetwork

    # Without a pause: Streamlit does not call a callback again that has been interrupted.
    evaluation = caches.evaluation(net, module, "bundled", pause=lambda: None)
    return TrainedNetwork(module, Label(FromFile(), evaluation.accuracy, len(evaluation)))


def _find(net: str, origin: str) -> TrainedNetwork | None:
    """A network with the weights of this origin: those that are kept, else those of their run; None without either."""
    kept = _get(net, origin)
    if kept or not origin:
        return kept
    from cnn_explorer.training.recipe import parse_recipe

    with suppress(ValueError):  # an address may say anything
        recipe, batch = origin.split("@")
        run = caches.scheduler().run(parse(net), parse_recipe(recipe))
        if run and 0 < int(batch) == run.available_batch(int(batch)):
            _keep(net, origin, caches.tested_at(run, int(batch)))
    return _get(net, origin)


def _shown() -> tuple[str, str]:
    """Architecture string, and origin of its weights."""
    return state.architecture(), state.weights()


def _key(net: str, origin: str) -> str:
    return f"{visitors.visitor()} {net} {origin}"


def _get(net: str, origin: str) -> TrainedNetwork | None:
    with _LOCK:
        return _KEPT.get(_key(net, origin))


def _keep(net: str, origin: str, network: TrainedNetwork) -> None:
    visitor = visitors.visitor()
    with _LOCK:
        _KEPT.drop(_key(net, origin))
        if _KEPT.make_room(visitor, network.bytes):
            raise ValueError(NO_ROOM)
        _KEPT.keep(_key(net, origin), network, [visitor])
        for key in _KEPT.owned_by(visitor)[:-MOST]:
            _KEPT.drop(key)


def forget_absent() -> None:
    """Drop what belongs to visitors who have left."""
    with _LOCK:
        _KEPT.drop_unowned()
