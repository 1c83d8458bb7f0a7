"""Widgets of the number-by-number pages, by torch's parameter names. Each shows the scene as it is and changes it at
once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from cnn_explorer.numbers.scenes import LIMITS, ConvScene, PoolScene
from cnn_explorer.spec.layers import GeometryError
from cnn_explorer.spec.network import LECTURE_HELP
from cnn_explorer.ui import grid_player
from cnn_explorer.ui.boundary import careful
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.numbers.state import NumberPage
from cnn_explorer.ui.widgets import NUMBER_WIDTH


def header(page: NumberPage, title: str, steps: Mapping[str, str]) -> None:
    """Title and steps."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"## {title}", width="content")
        st.segmented_control(
            "Step",
            list(steps),
            required=True,
            format_func=steps.__getitem__,
            label_visibility="collapsed",
            **controlled(page.key("steps"), page.step, page.show_step, "default", list(steps)),
        )
    if page.notice():
        st.warning(page.notice(), icon=":material/link_off:")
    else:
        st.empty()  # keeps the elements below in their positions, so that Streamlit does not build them anew


def parameters(page: NumberPage, names: Sequence[str], presets: Mapping[str, Any]) -> None:
    """The choice of an example, the step's parameters, and the way back to the example."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        _preset(page, presets)
        for name in names:
            _number(page, name)
        _reset(page)


def _preset(page: NumberPage, presets: Mapping[str, Any]) -> None:
    shown = next((name for name, scene in presets.items() if scene == page.scene), None)

    def choose(name: str | None) -> None:
        if name:
            page.show(presets[name])

    widget = chosen(page.key(f"preset_{page.step}"), shown, list(presets), choose)
    st.selectbox("Example", placeholder="Your own numbers", width=290, help=LECTURE_HELP, **widget)


def _reset(page: NumberPage) -> None:
    st.button(
        "Reset",
        icon=":material/restart_alt:",
        key=page.key("reset"),
        disabled=page.scene == page.original,
        help="Undo all changes of the numbers and parameters.",
        on_click=careful(page.reset),
    )


def value_of(scene: ConvScene | PoolScene, name: str) -> int:
    """A parameter by its name in `LIMITS`."""
    channels, height, width = scene.shape
    value: int = {"in_channels": channels, "height": height, "width": width}.get(name) or getattr(scene, name)
    return value


def _number(page: NumberPage, name: str) -> None:
    scene = page.scene
    assert isinstance(scene, ConvScene | PoolScene)
    label = "channels" if name == "in_channels" and isinstance(scene, PoolScene) else name
    widget = controlled(page.key(f"{page.step}_{name}"), value_of(scene, name), lambda new: change(page, name, new))
    st.number_input(label, *LIMITS[name], width=NUMBER_WIDTH, **widget)


def change(page: NumberPage, name: str, value: int) -> None:
    """Change a parameter of the present scene."""
    scene = page.scene
    if isinstance(scene, ConvScene):
        page.show(page.last_numbers.conv(scene, **{name: value}))
    elif isinstance(scene, PoolScene):
        page.show(page.last_numbers.pool(scene, **{name: value}))


def problem(page: NumberPage) -> None:
    """Say why the layer cannot take this input, and offer the nearest parameters with which it can."""
    scene = page.scene
    assert isinstance(scene, ConvScene | PoolScene)
    try:
        scene.spec().output_shape(scene.shape)
        st.empty()
    except GeometryError as error:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/construction: {plain(f'{error.problem}; {error.remedy}')}.", width="stretch")
            for repair in error.repairs:
                name, value = repair.name, repair.value
                if isinstance(value, int) and LIMITS[name][0] <= value <= LIMITS[name][1]:
                    st.button(
                        repair.label,
                        key=page.key(f"repair_{name}"),
                        on_click=careful(change),
                        args=(page, name, value),
                    )


def player(page: NumberPage, data: grid_player.Data, about: str, code: str) -> None:
    """The grids of the step with a sentence about them, and the same in PyTorch where there is a result."""
    grid_player.mount(data, about, page.player_key, page.confirmed)
    if data["outputs"]:
        show_code(code)


def show_code(text: str) -> None:
    """The source of what is on screen."""
    st.markdown("**The same in PyTorch**: it prints the numbers above.")
    st.code(text, language="python")


FORMULAS = (
    r"\text{convolution: } y(t) = \int x(p)\, h(t-p)\, dp",
    r"y_{ij} = \sum_{u, v} x_{i-u,\, j-v}\, h_{uv}",
    r"\text{conv2d: } y_{ij} = \sum_{u, v} x_{i+u,\, j+v}\, h_{uv}",
)


def flip_switch(page: NumberPage, scene: ConvScene) -> None:
    """What the mathematics says, what `conv2d` does, and the switch between them."""

    def turn(flip: bool) -> None:
        now = page.scene
        assert isinstance(now, ConvScene)
        page.show(replace(now, flip=flip))

    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        for formula in FORMULAS:
            st.latex(formula, width="content")
        st.toggle("Flip the kernel and show both", **controlled(page.key("flip"), scene.flip, turn))
