"""The choices of the page "Train": the recipe, and a network to compare with that of all pages."""

from __future__ import annotations

from dataclasses import dataclass

from cnn_explorer.training.recipe import RunRecipe, parse_recipe, recipes_for
from cnn_explorer.ui import state
from cnn_explorer.ui.address import Parameter, cannot_be_read, read_again, set_notice
from cnn_explorer.ui.session import remembered


@dataclass
class _Choices:
    """The `recipe` as text, and the architecture string of the network `beside` the page's, "" for none."""

    recipe: str = ""
    beside: str = ""


def recipe() -> RunRecipe:
    """How all networks of the page are trained."""
    return parse_recipe(remembered(_Choices).recipe)


def beside() -> str:
    """The architecture string of the network to compare with, "" for none."""
    return remembered(_Choices).beside


def networks() -> list[str]:
    """Architecture strings: the network of all pages, and the one to compare with if that is another."""
    return list(dict.fromkeys(filter(None, [state.architecture(), beside()])))


def show_recipe(text: str) -> None:
    """Train by another recipe. Raises `ValueError` if it cannot be read."""
    remembered(_Choices).recipe = str(parse_recipe(text))
    set_notice(RECIPE.name, "")


def show_beside(architecture: str) -> None:
    """Compare with another network, or with none (""). Raises `ValueError` if it cannot be read or is too large."""
    remembered(_Choices).beside = state.affordable(architecture) if architecture else ""
    set_notice(BESIDE.name, "")


def put_first(net: str) -> None:
    """Make `net`, one of the two networks, that of all pages. The other becomes the one to compare with."""
    first = state.architecture()
    if net != first:
        state.show_network(net)
        remembered(_Choices).beside = first
        read_again(BESIDE.name, "at")


RECIPE = Parameter(
    "recipe",
    lambda query: show_recipe(query.get("recipe", str(recipes_for("bundled")["fast"]))),
    lambda: {"recipe": remembered(_Choices).recipe},
    cannot_be_read("recipe", "the one everyone starts with"),
)
BESIDE = Parameter(
    "beside",
    lambda query: show_beside(query.get("beside", "")),
    lambda: {"beside": beside()},
    cannot_be_read("network to compare with", "none"),
)
