"""The widgets of the page "Train": networks, digits, recipe, and the buttons that start and pause a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from cnn_explorer.digits.data import has_mnist, mnist_download
from cnn_explorer.spec.network import PRESETS, parse
from cnn_explorer.training.recipe import LIMITS, RunRecipe, recipes_for
from cnn_explorer.ui import state, widgets
from cnn_explorer.ui.boundary import careful, guarded
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.markdown import plain, sentence
from cnn_explorer.ui.train import choices, progress

KEEP = "This network, kept while you change it"
NOTHING = "Nothing beside it"
DATA = {"bundled": "4,000 of MNIST's digits", "mnist": "All 60,000 of MNIST"}
OPTIMIZERS = {"sgd": "SGD", "adam": "Adam"}
SCHEDULES = {"constant": "constant", "onecycle": "one cycle"}
HELP = {
    "learning_rate": "How far a step goes against the gradient; with one cycle, the most that it goes.",
    "momentum": "The share of the last step that goes into the next one.",
    "batch_size": "Digits that a step learns from.",
    "epochs": "Passes over all training digits.",
    "seed": "Makes the initial weights and the order of the digits. The same seed gives the same run.",
}


def try_then_page(act: Callable[..., None]) -> Callable[..., None]:
    """`widgets.then_page` for a callback that may raise `ValueError`; a toast then says why."""

    def acted(*args: Any) -> None:
        try:
            act(*args)
        except ValueError as problem:
            st.toast(sentence(problem), icon=":material/block:", duration="long")

    return widgets.then_page(acted)


# --- networks, digits, recipe ---


def header() -> None:
    """Networks, digits and recipe."""
    recipe = choices.recipe()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        widgets.preset_choice(parse(state.architecture()), progress.set_network)
        _beside_choice()
        st.selectbox(
            "Digits",
            format_func=DATA.__getitem__,
            label_visibility="collapsed",
            width=190,
            **chosen("digits", recipe.data, list(DATA), try_then_page(_choose_data)),
        )
        offered = recipes_for(recipe.data)
        st.selectbox(
            "Recipe",
            placeholder="Your own recipe",
            format_func=lambda name: f"{name}: {OPTIMIZERS[offered[name].optimizer]}, {offered[name].epochs} epochs",
            label_visibility="collapsed",
            width=250,
            **chosen(
                "recipes", _listed(recipe), list(offered), try_then_page(lambda name: _choose_recipe(offered, name))
            ),
        )
        with st.popover("Settings", icon=":material/tune:"):
            _settings(recipe)


def name_of(architecture: str) -> str:
    """A network's name on the page: that of its preset, else its architecture string."""
    return next((name for name, spec in PRESETS.items() if str(spec) == architecture), architecture)


def _beside_choice() -> None:
    now, beside = state.architecture(), choices.beside()
    names = {"": NOTHING} | {str(spec): f"vs {name}" for name, spec in PRESETS.items()}
    if beside:
        names.setdefault(beside, f"vs {beside}")
    if now not in names:
        names[now] = KEEP
    st.selectbox(
        "Compare with",
        format_func=names.__getitem__,
        label_visibility="collapsed",
        width=250,
        **chosen("compare", beside, list(names), try_then_page(progress.set_beside)),
    )


def _listed(recipe: RunRecipe) -> str | None:
    """Name of the offered recipe that equals this one but for the seed; None if there is none."""
    return next(
        (name for name, one in recipes_for(recipe.data).items() if replace(one, seed=recipe.seed) == recipe), None
    )


def _choose_data(data: Any) -> None:
    """Train on other digits: an offered recipe becomes the one of the same name, any other stays as it is."""
    recipe = choices.recipe()
    name = _listed(recipe)
    progress.set_recipe(replace(recipes_for(data)[name], seed=recipe.seed) if name else replace(recipe, data=data))


def _choose_recipe(offered: Mapping[str, RunRecipe], name: str | None) -> None:
    if name:
        progress.set_recipe(replace(offered[name], seed=choices.recipe().seed))


def _settings(recipe: RunRecipe) -> None:
    with st.container(horizontal=True, width=420):
        _choice("optimizer", recipe.optimizer, OPTIMIZERS)
        _choice("schedule", recipe.schedule, SCHEDULES)
        _number("learning_rate", recipe.learning_rate)
        _number("momentum", recipe.momentum, disabled=recipe.optimizer != "sgd")
        _number("batch_size", recipe.batch_size)
        _number("epochs", recipe.epochs)
        _number("seed", recipe.seed)
        st.checkbox(
            "Slant the digits anew in every epoch",
            help="Turned, stretched, sheared, bent and shifted a little: few digits stand for more.",
            **controlled("augment", recipe.augment, try_then_page(lambda new: _change(augment=new))),
        )


def _choice(name: str, value: str, options: Mapping[str, str]) -> None:
    widget = chosen(name, value, list(options), try_then_page(lambda new: _change(**{name: new})))
    st.selectbox(name, format_func=options.__getitem__, width=190, **widget)


def _number(name: str, value: float, *, disabled: bool = False) -> None:
    low, high = LIMITS[name]
    fraction = isinstance(value, float)
    widget = controlled(name, value, try_then_page(lambda new: _change(**{name: new})))
    if fraction:
        widget |= {
            "min_value": float(low),
            "max_value": float(high),
            "step": 0.001 if name == "learning_rate" else 0.05,
            "format": "%g",
        }
    else:
        widget |= {"min_value": int(low), "max_value": int(high)}
    st.number_input(name, width=190, help=f"{HELP[name]} {low:g} to {high:g}.", disabled=disabled, **widget)


def _change(**values: Any) -> None:
    """Change values of the present recipe."""
    if values.get("optimizer") == "adam":
        values["momentum"] = 0.0
    progress.set_recipe(replace(choices.recipe(), **values))


# --- full MNIST ---


@st.fragment(run_every=0.5)
@guarded()
def digits_missing() -> None:
    """Offer to download full MNIST and show the progress. Reruns the whole page when it is there."""
    download = mnist_download()
    if has_mnist():
        st.rerun()
    with st.container(border=True):
        st.markdown("Full MNIST is not on this server yet: 70,000 digits, a download of 12 MB.")
        if download.problem:
            st.error(plain(download.problem), icon=":material/cloud_off:")
        else:
            st.empty()
        if download.going:
            st.progress(min(download.progress, 1.0), text=f"Fetching MNIST: {100 * download.progress:.0f} %")
        else:
            with st.container(horizontal=True):
                st.button(
                    "Fetch MNIST" if not download.problem else "Try again",
                    icon=":material/download:",
                    on_click=careful(download.start),
                )
                st.button("Stay with the 4,000 digits", on_click=try_then_page(_choose_data), args=("bundled",))


# --- start and pause ---


def buttons(going: bool, started: bool, finished: bool) -> None:
    """Train or pause, one batch, one epoch, start over."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
        if going:
            st.button(
                "Pause",
                icon=":material/pause:",
                key="pause",
                type="primary",
                on_click=try_then_page(progress.pause),
                width=110,
            )
        else:
            word = "Resume" if started and not finished else "Train"
            st.button(
                word,
                icon=":material/play_arrow:",
                key="train",
                type="primary",
                on_click=try_then_page(progress.go_on),
                width=110,
                disabled=finished,
            )
        for key, label, icon, act, off in (
            ("batch", "One batch", ":material/redo:", lambda: progress.go_on(1), going or finished),
            ("epoch", "One epoch", ":material/fast_forward:", progress.go_on_for_an_epoch, going or finished),
            ("reset", "Start over", ":material/restart_alt:", progress.start_over, not started),
        ):
            st.button(label, icon=icon, key=f"train_{key}", on_click=try_then_page(act), disabled=off)
