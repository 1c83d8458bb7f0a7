"""Weights that a visitor has trained, or brought along, for the other pages: by network and origin, in the session.

The origin of trained ones is in the address, `weights=<recipe>@<batch>`: a page that is opened again finds them while their run is kept.
That of a file is "", as is that of the shipped weights: no address can name it.
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

OWN = "own_weights"  # session key
MOST = 4  # networks of a visitor


def own() -> TrainedNetwork | None:
    """The visitor's own weights for the network on the page."""
    _find()
    return _kept().get(_shown())


def use(net: str, network: TrainedNetwork, recipe: RunRecipe, batch: int) -> None:
    """Have the pages show this network, which is the page's, as it was trained here."""
    st.session_state[state.WEIGHTS] = f"{recipe}@{batch}"
    _keep((net, st.session_state[state.WEIGHTS]), network)


def bring(net: str, network: TrainedNetwork) -> None:
    """Keep a network from a file."""
    _keep((net, ""), network)


def has_file(net: str) -> bool:
    """True if a network from a file is there."""
    return (net, "") in _kept()


def use_file() -> None:
    """Have the pages show the page's network as it came from a file."""
    st.session_state[state.WEIGHTS] = ""


def forget() -> None:
    """Back to the weights that come with the package."""
    net, origin = _shown()
    _kept().pop((net, origin), None)
    _kept().pop((net, ""), None)
    st.session_state[state.WEIGHTS] = ""
    state.write_url()


def loaded(net: str, module: nn.Sequential) -> TrainedNetwork:
    """A network from a file, with how often it is right on the bundled digits, on as many as take about a second."""
    from cnn_explorer.weights import Label, TrainedNetwork

    evaluation = cached.evaluation(net, module, "bundled")
    right, count = evaluation.accuracy, len(evaluation)
    sentence = f"Weights from your file: right on {100 * right:.1f} % of {count:,} MNIST digits, which it may have learned from."
    return TrainedNetwork(module, Label("a file", "unknown", right, sentence, measured=count))


def _find() -> None:
    """Look up what the address says."""
    net, origin = _shown()
    if not origin or (net, origin) in _kept():
        return
    from cnn_explorer.training.recipes import parse_recipe

    with suppress(ValueError):  # whatever an address may say
        recipe, batch = origin.split("@")
        run = cached.runs().run(parse(net), parse_recipe(recipe))
        if run and 0 < int(batch) == run.place_at(int(batch)):
            _keep((net, origin), cached.tested_at(run, int(batch)))
            return
    st.session_state[state.WEIGHTS] = ""
    st.session_state[f"{state.WEIGHTS}_notice"] = (
        "The weights that this page's address names were trained here and are not kept any more, so here are others. "
        "Train the network again: the same seed gives the same weights."
    )


def _shown() -> tuple[str, str]:
    """Architecture string, and origin of its weights."""
    return state.architecture(), st.session_state.get(state.WEIGHTS, "")


def _keep(which: tuple[str, str], network: TrainedNetwork) -> None:
    kept = _kept()
    kept.pop(which, None)
    kept[which] = network
    while len(kept) > MOST:
        kept.pop(next(iter(kept)))


def _kept() -> dict[tuple[str, str], TrainedNetwork]:
    kept: dict[tuple[str, str], TrainedNetwork] = st.session_state.setdefault(OWN, {})
    return kept
