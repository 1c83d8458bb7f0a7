"""The runs of all visitors of a process: shared, one at a time, a second for everybody in turn.

    drive(visitor, spec, recipe, until) ─► Standing: the run to watch, whether it goes on, how many wait before this visitor

A run is a pure function of network and recipe, so whoever asks for the same one watches the same one. It goes on while some present
visitor wants more batches of it than are trained, and holds where it is when nobody does; then it is kept for whoever comes back, until
others need the room. Who wants to see it happen all over again names a `take` of their own, which is another run.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cnn_explorer.network import NetworkSpec
from cnn_explorer.shapes import NetworkShapes
from cnn_explorer.training.background import FORGOTTEN, Background
from cnn_explorer.training.recipes import RunRecipe
from cnn_explorer.training.run import Run, bytes_needed, check_trainable
from cnn_explorer.training.turns import Turns

TURN = 1.0  # seconds that a visitor's runs go on before the next visitor's
GROUP = 0.3  # seconds of one run before the visitor's other one, or a training elsewhere that shares the turns
ASKED = 0.3  # seconds until it is asked again whether a visitor is present

_Key = str


@dataclass(frozen=True)
class Standing:
    """How it stands with a run, as one visitor sees it.

    `run`: None if there is none (yet). `going`: somebody present drives it on. `ahead`: how many other visitors' turns come before this
    visitor's next one, or another's with the same run. `seconds_left`: wall time until as many batches are trained as this visitor wants,
    at the present pace and with the turns of others; None if that is not known. `problem`: "", or a sentence that says why it cannot go on.
    """

    run: Run | None = None
    going: bool = False
    ahead: int = 0
    seconds_left: float | None = None
    problem: str = ""


@dataclass
class _Kept:
    """A run, and the pace at which it went in its own turns: seconds and batches, what is long past counting less."""

    run: Run
    seconds: float = 0.0
    batches: float = 0.0
    failed: float = math.inf  # when

    def passed(self, seconds: float, batches: int) -> None:
        self.seconds, self.batches = 0.9 * self.seconds + seconds, 0.9 * self.batches + batches


class Runs(Background):
    """Keeps and advances runs; safe to use from many threads, and quick to answer while one computes.

    `turns` are shared with whatever else trains in this process. `present(visitor)` tells whether a visitor is still there. `bytes_kept`
    bounds the runs' memory, `waiting` the number of visitors who drive one.
    """

    def __init__(self, turns: Turns, present: Callable[[str], bool], bytes_kept: int = 72_000_000, waiting: int = 50) -> None:
        super().__init__()
        self.bytes_kept, self.waiting = bytes_kept, waiting
        self._turns, self._present = turns, present
        self._unit = Turns()  # who holds a run waits here for the end of what is under way
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()  # the least recently used first
        self._wanted: dict[str, dict[_Key, int]] = {}  # by visitor: until which batch, the run whose group comes next first
        self._line: deque[str] = deque()  # visitors in the order of their turns; the first one has it
        self._turn_began = 0.0
        self._asked: dict[str, float] = {}  # when a visitor was last known to be present

    def run(self, spec: NetworkSpec, recipe: RunRecipe, take: str = "") -> Run | None:
        """The run of a network by a recipe, if it is kept."""
        with self._lock:
            kept = self._used(_key(spec, recipe, take))
            return kept.run if kept else None

    def check(self, shapes: NetworkShapes, recipe: RunRecipe) -> None:
        """Raise `ValueError` with a sentence if a network can never be trained here by this recipe."""
        check_trainable(shapes, recipe)
        problem = self._excess(shapes.spec, recipe)
        if problem:
            raise ValueError(problem)

    def check_together(self, specs: Sequence[NetworkSpec], recipe: RunRecipe) -> None:
        """Raise `ValueError` with a sentence if these networks can be trained here one by one only."""
        needed = sum(bytes_needed(spec, recipe) for spec in specs)
        if len(specs) > 1 and needed > self.bytes_kept:
            raise ValueError(f"{self._need(needed, 'Both trainings need')}: train one of the networks alone, or a smaller one.")

    def drive(self, visitor: str, spec: NetworkSpec, recipe: RunRecipe, until: int, take: str = "") -> Standing:
        """Have a run go on until so many batches are trained, from its start if it is not kept; hold it where `until` is below that.

        The wish lasts until another takes its place, the visitor leaves or is not present any more. Where the run cannot be made or not
        go on, `Standing.problem` says why. Once it is held nothing more is trained of it, unless others want that.
        """
        key = _key(spec, recipe, take)
        if until <= 0:
            return self._held(visitor, key)
        with self._lock:
            problem = self._refusal(visitor, key, spec, recipe)
            if problem:
                return replace(self._standing(visitor, key), problem=problem)
            kept = self._kept.get(key)
        try:  # a network takes milliseconds to build and MNIST seconds to read: nobody else has to wait for that
            kept = kept or _Kept(Run(spec, recipe))
        except Exception as error:  # no such network, no digits, no memory: whoever asked hears of it
            return Standing(problem=str(error) or f"The training cannot begin: {error!r}.")
        with self._lock:
            problem = self._refusal(visitor, key, spec, recipe)
            if problem or self._closed:
                return replace(self._standing(visitor, key), problem=problem)
            self._kept.setdefault(key, kept)  # another visitor may have been quicker
            self._want(visitor, key, until)
            return self._standing(visitor, key)

    def forget(self, spec: NetworkSpec, recipe: RunRecipe, take: str) -> None:
        """Give up a run, whoever drives it."""
        with self._lock:
            if _key(spec, recipe, take) in self._kept:
                self._drop(_key(spec, recipe, take))

    def leave(self, visitor: str) -> None:
        """Hold all that a visitor drives, unless others do so too."""
        with self._lock:
            self._wanted.pop(visitor, None)

    def _held(self, visitor: str, key: _Key) -> Standing:
        with self._lock:
            held = self._wanted.get(visitor, {}).pop(key, None)
        if held:
            with self._unit:
                pass
        with self._lock:
            return self._standing(visitor, key)

    # --- with the lock held ---

    def _used(self, key: _Key) -> _Kept | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _want(self, visitor: str, key: _Key, until: int) -> None:
        if not self._kept[key].run.is_due(until):
            self._wanted.get(visitor, {}).pop(key, None)
            return
        self._wanted.setdefault(visitor, {})[key] = until
        self._asked[visitor] = time.monotonic()
        if visitor not in self._line:
            self._line.append(visitor)
        if self._worker is None:
            self._turn_began = time.monotonic()
            self._begin("advance runs")

    def _is_due(self, visitor: str, key: _Key) -> bool:
        """True if this visitor's wish for a run is not fulfilled yet."""
        until = self._wanted.get(visitor, {}).get(key, 0)
        return until > 0 and key in self._kept and self._kept[key].run.is_due(until)

    def _due(self, visitor: str) -> list[_Key]:
        return [key for key in self._wanted.get(visitor, {}) if self._is_due(visitor, key)]

    def _ahead(self, visitor: str, key: _Key = "") -> int:
        """Turns before this visitor's, or before that of somebody who drives the same run on: a second tab does not wait for the first."""
        due = [other for other in self._line if self._due(other)]
        shares = self._is_due(visitor, key)
        return next((place for place, other in enumerate(due) if other == visitor or (shares and self._is_due(other, key))), len(due))

    def _standing(self, visitor: str, key: _Key) -> Standing:
        kept = self._used(key)
        if kept is None:
            return Standing(ahead=self._ahead(visitor))
        going = any(self._is_due(other, key) for other in self._wanted)
        return Standing(kept.run, going, self._ahead(visitor, key), self._seconds_left(visitor, key, kept), kept.run.problem)

    def _seconds_left(self, visitor: str, key: _Key, kept: _Kept) -> float | None:
        if not self._is_due(visitor, key) or kept.batches < 1:
            return None
        visitors = [due for due in map(self._due, self._wanted) if due]
        share = sum(1 / len(due) for due in visitors if key in due) / len(visitors)  # of all the time
        return (self._wanted[visitor][key] - kept.run.batch) * kept.seconds / kept.batches / share

    def _refusal(self, visitor: str, key: _Key, spec: NetworkSpec, recipe: RunRecipe) -> str:
        """Why a visitor's wish cannot be taken, or ""; makes room for a new run."""
        others = [other for other in self._wanted if other != visitor and self._due(other)]
        if len(others) >= self.waiting:
            return f"{len(others)} visitors are training already, as many as can take turns here; try again in a minute."
        kept = self._kept.get(key)
        if kept and time.monotonic() - kept.failed > FORGOTTEN:
            self._drop(key)
        return "" if key in self._kept else self._excess(spec, recipe) or self._room_for(bytes_needed(spec, recipe))

    def _excess(self, spec: NetworkSpec, recipe: RunRecipe) -> str:
        """Why a run is too large even if it were the only one, or ""."""
        needed, plain = bytes_needed(spec, recipe), bytes_needed(spec, replace(recipe, optimizer="sgd"))
        remedy = "choose a smaller network or SGD" if plain <= self.bytes_kept else "choose a smaller network"
        return f"{self._need(needed)}: {remedy}." if needed > self.bytes_kept else ""

    def _need(self, needed: int, who: str = "This training needs") -> str:
        return f"{who} {_megabytes(needed)} of memory, and there are {_megabytes(self.bytes_kept)} for all"

    def _room_for(self, needed: int) -> str:
        """Drop what nobody drives, the least recently used first, until so many bytes are free; a sentence if that is not enough."""
        driven = {key for visitor in self._wanted for key in self._due(visitor)}
        fixed = sum(self._kept[key].run.bytes for key in driven)
        if fixed + needed > self.bytes_kept:
            others = f"other runs in progress take {_megabytes(fixed)}"
            return f"{self._need(needed)}: {others}; try again when they are over, or choose a smaller network."
        total = sum(kept.run.bytes for kept in self._kept.values())
        for key in [key for key in self._kept if key not in driven]:
            if total + needed <= self.bytes_kept:
                break
            total -= self._kept[key].run.bytes
            self._drop(key)
        return ""

    def _drop(self, key: _Key) -> None:
        del self._kept[key]
        for wishes in self._wanted.values():
            wishes.pop(key, None)

    # --- the worker ---

    def _work(self) -> None:
        """Advance one run after another; ends when nobody wants more."""
        try:
            while job := self._next_job():
                self._advance(*job)
        except BaseException:
            self._worker = None  # `present` may fail: the next wish begins anew
            raise

    def _next_job(self) -> tuple[str, _Key, Run] | None:
        """Whose turn it is and with which run; None, and the worker's end, if nobody wants more."""
        self._send_away_who_is_gone()
        with self._lock:
            job = None if self._closed else self._next()
            if job is None:
                self._worker = None
            return job

    def _send_away_who_is_gone(self) -> None:
        now = time.monotonic()
        with self._lock:
            unsure = [visitor for visitor in self._wanted if now - self._asked[visitor] > ASKED]
        for visitor in unsure:
            if self._present(visitor):
                with self._lock:
                    self._asked[visitor] = now
            else:
                self.leave(visitor)

    def _next(self) -> tuple[str, _Key, Run] | None:
        """The first in the line who wants more, and the run; with the lock held."""
        now = time.monotonic()
        if self._line and now - self._turn_began >= TURN:
            self._line.rotate(-1)
            self._turn_began = now
        while self._line:
            visitor = self._line[0]
            due = self._due(visitor)
            if due:
                self._wanted[visitor][due[0]] = self._wanted[visitor].pop(due[0])  # next time comes another one's group
                return visitor, due[0], self._kept[due[0]].run
            self._line.popleft()
            self._wanted.pop(visitor, None)
            self._asked.pop(visitor, None)
            self._turn_began = now
        return None

    def _advance(self, visitor: str, key: _Key, run: Run) -> None:
        """A group of a run's units; ends early when the visitor does not want them any more."""
        began, before, failed = time.monotonic(), run.batch, False
        with self._turns:
            end = time.monotonic() + GROUP
            while time.monotonic() < end:
                with self._unit:
                    if not self._goes_on(visitor, key):
                        break
                    try:
                        run.advance()
                    except Exception as problem:  # whatever it is, whoever watches hears of it, and the others go on
                        run.fail(f"The training failed: {problem}.")
                        failed = True
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept.run is run:
                kept.passed(time.monotonic() - began, run.batch - before)
                kept.failed = time.monotonic() if failed else kept.failed

    def _goes_on(self, visitor: str, key: _Key) -> bool:
        with self._lock:
            return not self._closed and self._is_due(visitor, key)


def _key(spec: NetworkSpec, recipe: RunRecipe, take: str) -> _Key:
    return f"{spec.input_shape} {spec} {recipe} {take}"  # looked up many times: a string knows its hash


def _megabytes(number: int) -> str:
    return f"{number / 1e6:.0f} MB"
