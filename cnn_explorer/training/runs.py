"""The runs of all visitors of a process: shared, one at a time, a second for every address in turn and for its visitors
in theirs.

    drive(visitor, spec, recipe, until) ─► Standing: the run to watch, whether it goes on, how many wait before

A run is a pure function of network and recipe, so whoever asks for the same one watches the same one. It goes on while
some present visitor wants more batches of it than are trained, and holds where it is when nobody does. It is kept as
long as a visitor who asked for it is present, within that visitor's share of the memory, and then until others need the
room. A visitor who wants to see it happen all over again names a `take` of their own, which is another run.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from cnn_explorer.sharing.fair_cache import FairCache, Shares, Shortage
from cnn_explorer.sharing.fair_lock import FairLock
from cnn_explorer.spec.network import NetworkSpec
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.training.background import FORGOTTEN, Background, failure
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.run import Run, bytes_needed, check_trainable

TURN = 1.0  # seconds that a visitor's runs go on before the next visitor's
SHARES = Shares.of(96_000_000)  # bytes of runs: that of the lecture's network takes two million
PLACES, OF_ADDRESS = 50, 40  # visitors who may train at a time: altogether, and from one address, as a school has
GROUP = 0.3  # seconds of one run before the visitor's other one, or a training elsewhere that shares the turns
ASKED = 0.3  # seconds until it is asked again whether a visitor is present

_Key = str


@dataclass(frozen=True)
class Standing:
    """How it stands with a run, as one visitor sees it.

    `run`: None if there is none (yet). `going`: somebody present drives it on. `ahead`: how many other visitors' turns
    come before this visitor's next one, or another's with the same run. `seconds_left`: wall time until as many batches
    are trained as this visitor wants, at the present pace and with the turns of others; None if that is not known.
    `problem`: "", or a sentence that says why it cannot go on.
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

    `turns` are shared with whatever else trains in this process. `present(visitor)` tells whether a visitor is still
    there and `address(visitor)` where from ("" if that is not known). `shares` bound the runs' memory, `places` the
    visitors who drive one: altogether, and of one address.
    """

    def __init__(
        self,
        turns: FairLock,
        present: Callable[[str], bool],
        address: Callable[[str], str] = lambda visitor: "",
        shares: Shares = SHARES,
        places: tuple[int, int] = (PLACES, OF_ADDRESS),
    ) -> None:
        super().__init__()
        self.shares, self.places = shares, places
        self._turns, self._present, self._address = turns, present, address
        self._unit = FairLock()  # who holds a run waits here for the end of what is under way
        self._kept: FairCache[_Kept] = FairCache(shares, lambda kept: kept.run.bytes, present, address)
        self._wanted: dict[
            str, dict[_Key, int]
        ] = {}  # by visitor: until which batch, the run whose group comes next first
        # By address, in the order of their turns: visitors in the order of theirs. The first one of the first has the
        # turn.
        self._line: dict[str, deque[str]] = {}
        self._turn_began = 0.0
        self._asked: dict[str, float] = {}  # when a visitor was last known to be present

    def run(self, spec: NetworkSpec, recipe: RunRecipe, take: str = "", visitor: str = "") -> Run | None:
        """The run of a network by a recipe, if it is kept; for a `visitor`, if one is named, as long as they are
        present.
        """
        with self._lock:
            kept = self._kept.get(_key(spec, recipe, take), visitor)
            return kept.run if kept else None

    def check(self, shapes: NetworkShapes, recipe: RunRecipe) -> None:
        """Raise `ValueError` with a sentence if a network can never be trained here by this recipe."""
        check_trainable(shapes, recipe)
        needed, plain = bytes_needed(shapes.spec, recipe), bytes_needed(shapes.spec, replace(recipe, optimizer="sgd"))
        if needed > self.shares.visitor:
            remedy = "choose a smaller network or SGD" if plain <= self.shares.visitor else "choose a smaller network"
            raise ValueError(f"{self._need(needed)}: {remedy}.")

    def check_together(self, specs: Sequence[NetworkSpec], recipe: RunRecipe) -> None:
        """Raise `ValueError` with a sentence if these networks can be trained here one by one only."""
        needed = sum(bytes_needed(spec, recipe) for spec in specs)
        if len(specs) > 1 and needed > self.shares.visitor:
            raise ValueError(
                f"{self._need(needed, 'Both trainings need')}: train one of the networks alone, or a smaller one."
            )

    def drive(self, visitor: str, spec: NetworkSpec, recipe: RunRecipe, until: int, take: str = "") -> Standing:
        """Have a run go on until so many batches are trained, from its start if it is not kept; hold it where `until`
        is below that.

        The wish lasts until another takes its place, the visitor leaves or is not present any more. Where the run
        cannot be made or not go on, `Standing.problem` says why. Once it is held nothing more is trained of it, unless
        others want that.
        """
        key = _key(spec, recipe, take)
        if until <= 0:
            return self._held(visitor, key)
        with self._lock:
            problem = self._refusal(visitor, key, spec, recipe)
            if problem:
                return replace(self._standing(visitor, key), problem=problem)
            kept = self._kept.get(key, visitor)
        try:  # a network takes milliseconds to build and MNIST seconds to read: nobody else has to wait for that
            kept = kept or _Kept(Run(spec, recipe))
        except (ValueError, OSError) as error:  # no such network, no digits
            return Standing(problem=str(error))
        except Exception as error:  # no memory: whoever asked hears of it
            return Standing(problem=failure(error))
        with self._lock:
            problem = self._refusal(visitor, key, spec, recipe)
            if problem or self._closed:
                return replace(self._standing(visitor, key), problem=problem)
            self._kept.keep(key, self._kept.get(key) or kept, [visitor])  # another visitor may have been quicker
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

    def _want(self, visitor: str, key: _Key, until: int) -> None:
        if not self._kept[key].run.is_due(until):
            self._wanted.get(visitor, {}).pop(key, None)
            return
        self._wanted.setdefault(visitor, {})[key] = until
        self._asked[visitor] = time.monotonic()
        if not any(visitor in line for line in self._line.values()):
            self._line.setdefault(self._address(visitor), deque()).append(visitor)
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
        """Turns before this visitor's, or before that of somebody who drives the same run on: a second tab does not
        wait for the first.
        """
        due = list(dict.fromkeys(other for other in self._next_turns() if self._due(other)))
        shares = self._is_due(visitor, key)
        return next(
            (place for place, other in enumerate(due) if other == visitor or (shares and self._is_due(other, key))),
            len(due),
        )

    def _next_turns(self) -> Iterator[str]:
        """Visitors in the order of their next turns: one of every address, then the next one of every address, and so
        on.
        """
        longest = max(map(len, self._line.values()), default=0)
        for place in range(longest):
            for line in self._line.values():
                yield line[place % len(line)]

    def _standing(self, visitor: str, key: _Key) -> Standing:
        kept = self._kept.get(key, visitor)
        if kept is None:
            return Standing(ahead=self._ahead(visitor))
        going = any(self._is_due(other, key) for other in self._wanted)
        return Standing(
            kept.run, going, self._ahead(visitor, key), self._seconds_left(visitor, key, kept), kept.run.problem
        )

    def _seconds_left(self, visitor: str, key: _Key, kept: _Kept) -> float | None:
        if not self._is_due(visitor, key) or kept.batches < 1:
            return None
        due = {other: keys for other in self._wanted if (keys := self._due(other))}
        addresses = [self._address(other) for other in due]
        share = sum(  # of all the time
            1 / len(keys) / addresses.count(address) / len(set(addresses))
            for keys, address in zip(due.values(), addresses, strict=True)
            if key in keys
        )
        return (self._wanted[visitor][key] - kept.run.batch) * kept.seconds / kept.batches / share

    def _refusal(self, visitor: str, key: _Key, spec: NetworkSpec, recipe: RunRecipe) -> str:
        """Why a visitor's wish cannot be taken, or ""; makes room for a new run."""
        others = [other for other in self._wanted if other != visitor and self._due(other)]
        neighbours = [other for other in others if self._address(other) == self._address(visitor)]
        for there, most, where in ((others, self.places[0], ""), (neighbours, self.places[1], " from your address")):
            if len(there) >= most:
                return (
                    f"{len(there)} visitors{where} are training already, as many as can take turns here; "
                    "try again in a minute."
                )
        if key in self._kept and time.monotonic() - self._kept[key].failed > FORGOTTEN:
            self._drop(key)
        if key in self._kept:
            return ""
        needed = bytes_needed(spec, recipe)
        shortage = self._kept.make_room(visitor, needed, {key for other in self._wanted for key in self._due(other)})
        return self._shortage_sentence(needed, shortage) if shortage else ""

    def _need(self, needed: int, who: str = "This training needs") -> str:
        return f"{who} {_megabytes(needed)} of memory, and one visitor may take {_megabytes(self.shares.visitor)}"

    def _shortage_sentence(self, needed: int, shortage: Shortage) -> str:
        taken, limit = _megabytes(shortage.taken), _megabytes(shortage.limit)
        if shortage.scope == "visitor" and needed > shortage.limit:
            return f"{self._need(needed)}: choose a smaller network."
        who, remedy = {
            "visitor": ("you may take", "pause your other trainings"),
            "address": ("all visitors from your address may take", "try again when they are over"),
            "all": ("there are", "try again when others are over"),
        }[shortage.scope]
        return (
            f"This training needs {_megabytes(needed)} of memory; {who} {limit}, of which {taken} are taken: {remedy}, "
            "or choose a smaller network."
        )

    def _drop(self, key: _Key) -> None:
        self._kept.drop(key)
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
            address = next(iter(self._line))
            self._line[address].rotate(-1)
            self._line[address] = self._line.pop(address)  # last in the order of the addresses
            self._turn_began = now
        while self._line:
            address, line = next(iter(self._line.items()))
            visitor = line[0]
            due = self._due(visitor)
            if due:
                self._wanted[visitor][due[0]] = self._wanted[visitor].pop(due[0])  # next time comes another one's group
                return visitor, due[0], self._kept[due[0]].run
            line.popleft()
            if not line:
                del self._line[address]
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
                        run.fail(failure(problem))
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
