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

OWN, LOOKED = "own_weights", "own_weights_looked"  # session keys: the networks; what the address said when it was looked at
MOST = 4  # networks of a visitor


def own() -> TrainedNetwork | None:
    """The visitor's own weights for the network on the page."""
    net = state.architecture()
    _find(net)
    return _kept().get(net)


def use(net: str, network: TrainedNetwork, recipe: RunRecipe, batch: int) -> None:
    """Have the pages show a network as it was trained here."""
    keep(net, network)
    st.session_state[state.WEIGHTS] = st.session_state[LOOKED] = f"{recipe}@{batch}"


def keep(net: str, network: TrainedNetwork) -> None:
    """Have the pages show a network."""
    kept = _kept()
    kept.pop(net, None)
    kept[net] = network
    while len(kept) > MOST:
        kept.pop(next(iter(kept)))
    st.session_state[state.WEIGHTS] = ""


def forget() -> None:
    """Back to the weights that come with the package."""
    _kept().pop(state.architecture(), None)
    st.session_state[state.WEIGHTS] = ""
    st.session_state.pop(LOOKED, None)
    state.write_url()


def loaded(module: nn.Sequential) -> TrainedNetwork:
    """A network from a file, with how often it is right on the bundled digits."""
    from cnn_explorer.data import bundled_digits
    from cnn_explorer.evaluation import accuracy
    from cnn_explorer.weights import Label, TrainedNetwork

    digits = bundled_digits()
    right = accuracy(module, digits.images, digits.labels)
    sentence = f"Weights from your file: right on {100 * right:.1f} % of {len(digits):,} MNIST digits, which it may have learned from."
    return TrainedNetwork(module, Label("a file", "unknown", right, sentence, measured=len(digits)))


def _find(net: str) -> None:
    """Look up what the address says, once."""
    text = st.session_state.get(state.WEIGHTS, "")
    if not text or st.session_state.get(LOOKED) == text:
        return
    st.session_state[LOOKED] = text
    from cnn_explorer.training.recipes import parse_recipe

    with suppress(ValueError):  # whatever an address may say
        recipe, batch = text.split("@")
        run = cached.runs().run(parse(net), parse_recipe(recipe))
        if run and 0 < int(batch) <= run.batch:
            _kept()[net] = cached.tested_at(run, int(batch))
            return
    st.session_state[state.WEIGHTS] = ""
    st.session_state[f"{state.WEIGHTS}_notice"] = (
        "The weights that this page's address names were trained here and are not kept any more, so here are others. "
        "Train the network again: the same seed gives the same weights."
    )


def _kept() -> dict[str, TrainedNetwork]:
    kept: dict[str, TrainedNetwork] = st.session_state.setdefault(OWN, {})
    return kept
