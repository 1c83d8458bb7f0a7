"""What a number-by-number page shows: a step, and a scene for each of its steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from cnn_explorer.numbers.examples import CONV_PRESETS, POOL_PRESETS
from cnn_explorer.numbers.scenes import (
    ClassicScene,
    ConvScene,
    LastNumbers,
    NetworkScene,
    PictureScene,
    PoolScene,
    SceneError,
    with_number,
)
from cnn_explorer.text import quoted
from cnn_explorer.ui import state
from cnn_explorer.ui.address import Address, Parameter, Query, set_notice
from cnn_explorer.ui.grid_player import Edit, edits_of
from cnn_explorer.ui.markdown import plain, sentence
from cnn_explorer.ui.session import remembered

Scene = ConvScene | PoolScene | PictureScene | NetworkScene | ClassicScene
STEP = "step"  # the query parameter


@dataclass
class _Shown:
    """On one page: the `step`. By step: the `scenes` that were changed, the `originals` that they were changed from,
    the `last_numbers` that were shown, and the number of the last edit in the grids that was applied (`confirmed`).
    """

    step: str = ""
    scenes: dict[str, Scene] = field(default_factory=dict)
    originals: dict[str, Scene] = field(default_factory=dict)
    last_numbers: defaultdict[str, LastNumbers] = field(default_factory=lambda: defaultdict(LastNumbers))
    confirmed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class _Pages:
    """The pages of a session by their names."""

    by_name: defaultdict[str, _Shown] = field(default_factory=lambda: defaultdict(_Shown))


class NumberPage:
    """A page: its `name`, which starts the keys of its widgets, and the `examples` of each of its steps, by name.

    A step opens with its first example.
    """

    def __init__(self, name: str, examples: Mapping[str, Mapping[str, Scene]]) -> None:
        self.name, self.examples = name, examples
        self.first = {step: next(iter(scenes.values())) for step, scenes in examples.items()}
        first = self.first
        names = dict.fromkeys((STEP, *(name for scene in first.values() for name in scene.query())))
        self._scene = Parameter(name, self._read, self._query, _cannot_be_read, tuple(names))
        self.address = Address(*state.SHARED, self._scene)

    def key(self, word: str) -> str:
        """A widget's key of this page's own."""
        return f"{self.name}_{word}"

    @property
    def _shown(self) -> _Shown:
        return remembered(_Pages).by_name[self.name]

    @property
    def step(self) -> str:
        """The step that is shown."""
        return self._shown.step or next(iter(self.first))

    @property
    def scene(self) -> Scene:
        """The scene of the step that is shown."""
        return self._shown.scenes.get(self.step, self.first[self.step])

    @property
    def original(self) -> Scene:
        """The scene that the step's own was changed from: the example that it showed last."""
        return self._shown.originals.get(self.step, self.first[self.step])

    @property
    def player_key(self) -> str:
        """Key of the step's grid player."""
        return self.key(f"player_{self.step}")

    @property
    def confirmed(self) -> int:
        """Number of the last edit in the step's grid player that was applied."""
        return self._shown.confirmed[self.step]

    @property
    def last_numbers(self) -> LastNumbers:
        """All numbers that the step has shown."""
        return self._shown.last_numbers[self.step]

    def show(self, scene: Scene, step: str = "") -> None:
        """Show another scene in this step, or go to another step and show it there."""
        self._set(scene, step or self.step)
        set_notice(self._scene.name, "")
        self.address.write()

    def reset(self) -> None:
        """Undo all changes in this step."""
        self.show(self.original)

    def show_step(self, step: str) -> None:
        """Go to another step, where everything is as it was left."""
        self._shown.step = step
        self.address.write()

    def _set(self, scene: Scene, step: str) -> None:
        self._shown.step = step
        self._shown.scenes[step] = scene
        if scene in self.examples[step].values():
            self._shown.originals[step] = scene
        if isinstance(scene, ConvScene | PoolScene):
            self.last_numbers.remember(scene)

    # --- the address ---

    def _read(self, query: Query) -> None:
        step = query.get(STEP, self.step)
        if step not in self.first:
            raise SceneError(f"there is no step named {quoted(step)}; there are {', '.join(self.first)}")
        self._shown.step = step
        default: Any = self.first[step]
        self._set(default.read(query, default), step)

    def _query(self) -> Query:
        return {STEP: self.step, **self.scene.query()}

    def notice(self) -> str:
        """The notice on numbers in the address that cannot be read, "" for none."""
        return self.address.notice(self._scene.name)

    # --- numbers edited in the grids ---

    def apply_edits(self, change: Callable[[Scene, Edit], Scene]) -> None:
        """Apply the edits from the browser: `change` returns the scene after one. A toast refuses one that does not
        fit the scene any more.
        """
        scene = self.scene
        new = [edit for edit in edits_of(self.player_key) if edit.seq > self.confirmed]
        if not new:
            return
        for edit in new:
            try:
                scene = change(scene, edit)
            except SceneError as problem:
                st.toast(sentence(problem), icon=":material/block:")
        self.show(scene)
        # Last: the next edit may interrupt this run at any use of the session, and what is confirmed is never sent
        # again.
        self._shown.confirmed[self.step] = max(edit.seq for edit in new)


def changed(scene: Scene, edit: Edit) -> Scene:
    """The scene with one number changed. Raises `SceneError`."""
    if not isinstance(scene, ConvScene | PoolScene):
        raise SceneError("the numbers of a network are not changed here")
    return with_number(scene, *_unflipped(edit.part, edit.index, scene), edit.value)


def _cannot_be_read(problem: ValueError, _opening: bool) -> str:
    return f"The numbers in this page's address cannot be read, so here are others: {plain(problem)}."


def _unflipped(part: str, index: tuple[int, ...], scene: ConvScene | PoolScene) -> tuple[str, tuple[int, ...]]:
    """`part` and `index` of a number in the scene, also for a number in the turned kernel below the scene's own."""
    if not (isinstance(scene, ConvScene) and scene.flip and part in ("weight", "bias") and index[:1] == (1,)):
        return part, index
    if part == "bias":
        return part, (0,)
    _, channel, row, column = index
    return part, (0, channel, scene.kernel_size - 1 - row, scene.kernel_size - 1 - column)


NETWORK = {"network": {"": NetworkScene()}}  # the first layer that there is
CLASSIC = {"classic": {"": ClassicScene()}}
CONVOLUTION = NumberPage("conv", {**CONV_PRESETS, "picture": {"Sobel x": PictureScene()}, **NETWORK, **CLASSIC})
POOLING = NumberPage("pool", {**POOL_PRESETS, **NETWORK})
