"""What the number-by-number pages are about: a scene for every step, in the session while the page is open and in its
URL always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import streamlit as st

from cnn_explorer.numbers.examples import CONV_PRESETS, POOL_PRESETS
from cnn_explorer.numbers.scenes import ConvScene, PictureScene, PoolScene, Reserve, SceneError, with_number
from cnn_explorer.text import quoted
from cnn_explorer.ui import state
from cnn_explorer.ui.grid_player import edits_of

Scene = ConvScene | PoolScene | PictureScene
STEP = "step"  # the query parameter


@dataclass(frozen=True)
class NumberPage:
    """A page: its `name`, which starts its session keys, and what each of its steps opens with."""

    name: str
    first: Mapping[str, Scene]

    # --- the session ---

    def key(self, word: str) -> str:
        """A session key of this page's own."""
        return f"{self.name}_{word}"

    @property
    def step(self) -> str:
        """The step that is shown."""
        return cast(str, st.session_state[self.key(STEP)])

    @property
    def scene(self) -> Scene:
        """The scene of the step that is shown."""
        return self._scenes.get(self.step, self.first[self.step])

    @property
    def player(self) -> str:
        """Key of the step's grid player."""
        return self.key(f"player_{self.step}")

    @property
    def ack(self) -> int:
        """Number of the last change in the step's grid player that was taken over."""
        return cast(int, st.session_state.get(f"{self.player}_ack", 0))

    @property
    def reserve(self) -> Reserve:
        """All numbers that the step has shown."""
        reserve = st.session_state.setdefault(self.key(f"reserve_{self.step}"), Reserve())
        assert isinstance(reserve, Reserve)
        return reserve

    @property
    def _scenes(self) -> dict[str, Scene]:
        return cast(dict[str, Scene], st.session_state.setdefault(self.key("scenes"), {}))

    def show(self, scene: Scene, step: str = "") -> None:
        """Show another scene in this step, or in one to go to."""
        if step:
            st.session_state[self.key(STEP)] = step
        if not isinstance(scene, PictureScene):
            self.reserve.remember(scene)
        self._scenes[self.step] = scene
        st.session_state.pop(self.key("notice"), None)
        self._write_url()

    def show_step(self, step: str) -> None:
        """Go to another step, where everything is as it was left."""
        st.session_state[self.key(STEP)] = step
        self._write_url()

    # --- the address ---

    def read_url(self) -> None:
        """Take over what the URL says, where it says something new; a part that cannot be read gets a sentence and is
        left as it was.
        """
        given = {name: value for name, value in st.query_params.to_dict().items() if name in self._names}
        opening = self.key(STEP) not in st.session_state
        if opening:
            st.session_state[self.key(STEP)] = next(iter(self.first))
        if given and given != st.session_state.get(self.key("in_url")):
            self._adopt(given)
        if opening:
            self._write_url()
        if not isinstance(self.scene, PictureScene):
            self.reserve.remember(self.scene)

    def _adopt(self, given: Mapping[str, str]) -> None:
        step = given.get(STEP, self.step)
        st.session_state[self.key("in_url")] = given
        try:
            if step not in self.first:
                raise SceneError(f"there is no step named {quoted(step)}; there are {', '.join(self.first)}")
            st.session_state[self.key(STEP)] = step
            default: Any = self.first[step]
            scene = default.read(given, default)
        except SceneError as problem:
            st.session_state[self.key("notice")] = (
                f"The numbers in this page's address cannot be read, so here are others: {state.plain(problem)}."
            )
        else:
            self._scenes[step] = scene
            st.session_state.pop(self.key("notice"), None)

    def carried(self) -> dict[str, str]:
        """All that the page shows, for its address; as much as the session has of it."""
        return state.carried() | (self._own() if self.key(STEP) in st.session_state else {})

    def _own(self) -> dict[str, str]:
        return {STEP: self.step, **self.scene.query()}

    def _write_url(self) -> None:
        own = self._own()
        state.carry(own, self._names)
        st.session_state[self.key("in_url")] = own

    @property
    def _names(self) -> set[str]:
        return {STEP, *(name for scene in self.first.values() for name in scene.query())}

    def notice(self) -> str:
        """What the address asked for in vain, or ""."""
        return cast(str, st.session_state.get(self.key("notice"), ""))

    # --- numbers changed in the grids ---

    def take_edits(self) -> None:
        """Take over what was changed in the browser; what does not fit the scene any more is left out."""
        scene = self.scene
        new = [edit for edit in edits_of(self.player) if edit.seq > self.ack]
        if not new or isinstance(scene, PictureScene):
            return
        for edit in new:
            try:
                scene = with_number(scene, *_unflipped(edit.part, edit.place, scene), edit.value)
            except SceneError as problem:
                st.toast(state.sentence(problem), icon=":material/block:")
        self.show(scene)
        # Last: the next change may interrupt this run at any use of the session, and what is confirmed is never sent
        # again.
        st.session_state[f"{self.player}_ack"] = max(edit.seq for edit in new)


def _unflipped(part: str, place: tuple[int, ...], scene: ConvScene | PoolScene) -> tuple[str, tuple[int, ...]]:
    """A place in the kernel that is shown turned beside the kernel itself, as the place in the latter."""
    if not (isinstance(scene, ConvScene) and scene.flip and part in ("weight", "bias") and place[:1] == (1,)):
        return part, place
    if part == "bias":
        return part, (0,)
    _, channel, row, column = place
    return part, (0, channel, scene.kernel_size - 1 - row, scene.kernel_size - 1 - column)


def _first(presets: Mapping[str, Mapping[str, Any]]) -> dict[str, Scene]:
    return {step: next(iter(cases.values())) for step, cases in presets.items()}


_CONV = _first(CONV_PRESETS)
CONVOLUTION = NumberPage(
    "conv",
    {
        step: PictureScene() if step == "picture" else _CONV[step]
        for step in ("one", "channels", "kernels", "groups", "picture", "flip")
    },
)
POOLING = NumberPage("pool", _first(POOL_PRESETS))
