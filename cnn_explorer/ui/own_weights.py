"""Weights that a visitor has trained, or brought along, for the other pages: by architecture string, in the session.

The address holds where trained ones come from, `weights=<recipe>@<batch>`: a page that is opened again finds them while their run is kept.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from cnn_explorer.network import parse
from cnn_explorer.ui import cached, state

if TYPE_CHECKING:
    from torch import nn

    from cnn_explorer.training.recipes import RunRecipe
    from cnn_explorer.weights import TrainedNetwork

OWN, LOOKED = "own_weights", "own_weights_looked"  # session keys: the networks; for which one and what the address said at the last look
MOST = 4  # networks of a visitor


def own() -> TrainedNetwork | None:
    """The visitor's own weights for the network on the page."""
    net = state.architecture()
    _find(net)
    return _kept().get(net)


def use(net: str, network: TrainedNetwork, recipe: RunRecipe, batch: int) -> None:
    """Have the pages show a network as it was trained here."""
    _keep(net, network, f"{recipe}@{batch}")


def bring(net: str, network: TrainedNetwork) -> None:
    """Have the pages show a network from a file, which no address can name."""
    _keep(net, network, "")


def forget() -> None:
    """Back to the weights that come with the package."""
    net = state.architecture()
    _kept().pop(net, None)
    _origins().pop(net, None)
    st.session_state.pop(LOOKED, None)
    st.session_state[state.WEIGHTS] = ""
    state.write_url()


def loaded(net: str, module: nn.Sequential) -> TrainedNetwork:
    """A network from a file, with how often it is right on the bundled digits, on as many as take about a second."""
    from cnn_explorer.weights import Label, TrainedNetwork

    evaluation = cached.evaluation(net, module, "bundled")
    right, count = evaluation.accuracy, len(evaluation)
    sentence = f"Weights from your file: right on {100 * right:.1f} % of {count:,} MNIST digits, which it may have learned from."
    return TrainedNetwork(module, Label("a file", "unknown", right, sentence, measured=count))


def _find(net: str) -> None:
    """Look up what the address says, once."""
    text = st.session_state.get(state.WEIGHTS, "")
    if not text or st.session_state.get(LOOKED) == (net, text):
        return
    st.session_state[LOOKED] = (net, text)
    from cnn_explorer.training.recipes import parse_recipe

    with suppress(ValueError):  # whatever an address may say
        recipe, batch = text.split("@")
        run = cached.runs().run(parse(net), parse_recipe(recipe))
        if run and 0 < int(batch) == run.place_at(int(batch)):
            _keep(net, cached.tested_at(run, int(batch)), text)
            return
    st.session_state[state.WEIGHTS] = ""
    st.session_state[f"{state.WEIGHTS}_notice"] = (
        "The weights that this page's address names were trained here and are not kept any more, so here are others. "
        "Train the network again: the same seed gives the same weights."
    )


def _keep(net: str, network: TrainedNetwork, origin: str) -> None:
    kept = _kept()
    kept.pop(net, None)
    kept[net] = network
    _origins()[net] = origin
    while len(kept) > MOST:
        oldest = next(iter(kept))
        kept.pop(oldest)
        _origins().pop(oldest)
    if net == state.architecture():
        st.session_state[state.WEIGHTS] = origin
        st.session_state[LOOKED] = (net, origin)


def _kept() -> dict[str, TrainedNetwork]:
    kept: dict[str, TrainedNetwork] = st.session_state.setdefault(OWN, {})
    return kept


def _origins() -> dict[str, str]:
    origins: dict[str, str] = st.session_state.setdefault(state.ORIGINS, {})
    return origins
