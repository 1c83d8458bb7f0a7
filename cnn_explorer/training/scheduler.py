"""The one scheduler of a process: it trains for all visitors, in one thread.

    train(visitor, spec, recipe, until)              ─► RunStatus: the run, whether it goes on, how long to wait
    train_quickly(visitor, shapes, network, seconds) ─► QuickStatus: the network to show, how long to wait

A run depends on network and recipe alone, so all visitors who ask for the same run share it. It goes on while a visitor
who is present wants more batches than are trained, and pauses when nobody does. Visitors take turns of a second: one
visitor of every address, then the next visitor of every address. Several runs of one visitor alternate in that
visitor's turns.

Quick trainings are finished one after the other, one of every address in turn. The one under way gets half of the time
while there are runs, because a visitor waits for it. Visitors ask again a few times a second. A quick training that
nobody asks for any more is dropped with all that it has learnt.

Runs and finished networks are kept while a visitor who asked for them is present, within that visitor's share of the
memory, and then until others need the room.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from cnn_explorer.sharing.fair_cache import FairCache, Shares, Shortage
from cnn_explorer.sharing.fair_line import FairLine
from cnn_explorer.sharing.fair_lock import FairLock
from cnn_explorer.sharing.memory import give_back_memory
from cnn_explorer.spec.network import NetworkSpec
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.training.quick import QuickRun
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.run import Run, bytes_needed, check_trainable
from cnn_explorer.weights.load import TrainedNetwork

SHARES = Shares.of(96_000_000)  # bytes of runs and networks: a run of the lecture's network takes two million
MAX_VISITORS = 50, 40  # who may train at a time: altogether, and from one address, which may be a whole school's
# Seconds.
TURN = 1.0  # a visitor's turn
GROUP = 0.3  # of one training, before the next one
PRESENCE = 0.3  # from one check of a visitor's presence to the next
PATIENCE = 5.0  # until a wish for a quick training ends that is not repeated
FAILED = 60.0  # after a failure until another attempt

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunStatus:
    """A run as one visitor sees it.

    `run`: None if there is none (yet). `going`: some visitor wants it to go on. `ahead`: how many other visitors' turns
    come before the next turn of this one, or of another who wants the same run. `seconds_left`: wall time until as many
    batches are trained as this visitor wants, at the present pace; None if that is not known. `problem`: "", or a
    sentence that says why it cannot go on.
    """

    run: Run | None = None
    going: bool = False
    ahead: int = 0
    seconds_left: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class QuickStatus:
    """A quick training as one visitor sees it.

    `network`: the one to show now. `going`: the training is under way or waits. `ahead`: how many other quick trainings
    come before it. `seconds`: CPU time that the network will have been trained altogether. `problem`: "", or a
    sentence that says why it failed or cannot be taken yet.
    """

    network: TrainedNetwork
    going: bool = False
    ahead: int = 0
    seconds: float = 0
    problem: str = ""


class _Wish(NamedTuple):
    """The batch up to which a visitor wants a training to go on, and when this wish ends, by `time.monotonic`."""

    until: int
    expires: float = math.inf


@dataclass
class _Kept:
    """A training; its pace, `batches` in `seconds` of its turns, where the latest count most; and when it `failed`."""

    job: Run | QuickRun
    seconds: float = 0.0
    batches: float = 0.0
    failed: float = math.inf

    def add(self, seconds: float, batches: int) -> None:
        self.seconds, self.batches = 0.9 * self.seconds + seconds, 0.9 * self.batches + batches


class Scheduler:
    """Keeps and advances trainings; safe to use from many threads, and quick to answer while one computes.

    `present(visitor)` says whether a visitor is still there. `address(visitor)` is their network address, "" if it is
    not known. `shares` bound the memory in bytes, and `max_visitors` the visitors who train at a time: altogether, and
    from one address. Visitors who train the very same count as one. `patience` is in seconds.
    """

    def __init__(
        self,
        present: Callable[[str], bool] = lambda visitor: True,
        address: Callable[[str], str] = lambda visitor: "",
        shares: Shares = SHARES,
        max_visitors: tuple[int, int] = MAX_VISITORS,
        patience: float = PATIENCE,
    ) -> None:
        self.shares, self.max_visitors, self.patience = shares, max_visitors, patience
        self._present, self._address = present, address
        self._lock = threading.Lock()  # guards all below; never held while something computes
        self._unit = FairLock()  # held during a unit of work; pausing a run waits for the unit's end
        self._kept: FairCache[_Kept] = FairCache(shares, lambda kept: kept.job.bytes, present, address)
        self._wishes: dict[str, dict[str, _Wish]] = {}  # by visitor, then by key; the next training comes first
        self._line = FairLine()  # visitors who want runs to go on
        self._quick: dict[str, str] = {}  # by key, in order: the address of the first who asked
        self._was_quick = False  # whether the last group was of a quick training
        self._turn_began = 0.0
        self._seen: dict[str, float] = {}  # when a visitor was last known to be present
        self._worker: threading.Thread | None = None
        self._closed = False
        atexit.register(self.close)

    def close(self) -> None:
        """End all trainings and take no more: torch must not be at work when the process ends."""
        with self._lock:
            self._closed = True
            worker = self._worker
        if worker:
            worker.join()

    # --- runs ---

    def run(self, spec: NetworkSpec, recipe: RunRecipe, name: str = "", visitor: str = "") -> Run | None:
        """The run of a network by a recipe, if it is kept; for a `visitor`, if one is named, while they are present."""
        with self._lock:
            kept = self._kept.get(_key(spec, recipe, name), visitor)
            return kept.job if kept and isinstance(kept.job, Run) else None

    def check(self, shapes: NetworkShapes, recipe: RunRecipe) -> None:
        """Raise `ValueError` with a sentence if a network can never be trained here by this recipe."""
        check_trainable(shapes, recipe)
        needed, plain = bytes_needed(shapes.spec, recipe), bytes_needed(shapes.spec, replace(recipe, optimizer="sgd"))
        if needed > self.shares.visitor:
            remedy = "choose a smaller network or SGD" if plain <= self.shares.visitor else "choose a smaller network"
            raise ValueError(f"{self._need(needed)}: {remedy}.")

    def check_together(self, specs: Sequence[NetworkSpec], recipe: RunRecipe) -> None:
        """Raise `ValueError` with a sentence if these networks together need more memory than one visitor may take."""
        needed = sum(bytes_needed(spec, recipe) for spec in specs)
        if len(specs) > 1 and needed > self.shares.visitor:
            raise ValueError(
                f"{self._need(needed, 'Both trainings need')}: train one of the networks alone, or a smaller one."
            )

    def train(self, visitor: str, spec: NetworkSpec, recipe: RunRecipe, until: int, name: str = "") -> RunStatus:
        """Have a run trained until `until` batches, from its start if it is not kept; pause it if `until` is 0 or less.

        The wish lasts until another one replaces it, or the visitor leaves. Each `name` stands for another run of the
        same network and recipe. Where the run cannot be made or cannot go on, the status has a `problem`. A run that is
        paused does not advance, unless other visitors want that.
        """
        key = _key(spec, recipe, name)
        if until <= 0:
            return self._paused(visitor, key)
        needed = partial(bytes_needed, spec, recipe)
        with self._lock:
            if key in self._kept and time.monotonic() - self._kept[key].failed > FAILED:
                self._drop(key)
            problem = self._refusal(visitor, key, needed)
            if problem:
                return replace(self._status(visitor, key), problem=problem)
            kept = self._kept.get(key, visitor)
        try:  # without the lock: building a network takes milliseconds, reading MNIST seconds
            kept = kept or _Kept(Run(spec, recipe))
        except (ValueError, OSError) as error:  # no such network, no digits
            return RunStatus(problem=str(error))
        except Exception as error:  # such as too little memory
            return RunStatus(problem=_failure(error))
        with self._lock:
            problem = self._refusal(visitor, key, needed)
            if problem or self._closed:
                return replace(self._status(visitor, key), problem=problem)
            self._kept.keep(key, self._kept.get(key) or kept, [visitor])  # another visitor may have been quicker
            self._add_wish(visitor, key, _Wish(until))
            return self._status(visitor, key)

    def forget(self, spec: NetworkSpec, recipe: RunRecipe, name: str) -> None:
        """Drop a run for all visitors."""
        with self._lock:
            if _key(spec, recipe, name) in self._kept:
                self._drop(_key(spec, recipe, name))

    def leave(self, visitor: str) -> None:
        """End all wishes of a visitor."""
        with self._lock:
            self._wishes.pop(visitor, None)

    def _paused(self, visitor: str, key: str) -> RunStatus:
        with self._lock:
            wish = self._wishes.get(visitor, {}).pop(key, None)
        if wish:
            with self._unit:
                pass
        with self._lock:
            return self._status(visitor, key)

    # --- quick trainings ---

    def train_quickly(
        self, visitor: str, shapes: NetworkShapes, network: TrainedNetwork, seconds: float = 0
    ) -> QuickStatus:
        """Ask for a network that is trained for `seconds` of CPU time altogether, or as it is (0).

        Returns the network to show now. `network` is what there is for `shapes` without a training. The visitor's wish
        for any other quick training ends. This wish ends after `patience` seconds, if the visitor does not ask again.
        """
        key = f"quick {shapes.spec.input_shape} {shapes.spec}"
        with self._lock:
            wishes = self._wishes.get(visitor, {})
            for other in [other for other in wishes if other in self._quick and (other != key or not seconds)]:
                del wishes[other]
            self._drop_unwanted([*self._quick][1:])  # the worker drops the one under way between two units
            kept = self._kept.get(key, visitor)
            job = kept.job if kept and isinstance(kept.job, QuickRun) else QuickRun(network, shapes, 0)
            best = job.result
            if best.label.trained_for >= seconds or self._closed:
                return QuickStatus(best)
            if kept and job.problem and time.monotonic() - kept.failed < FAILED:
                return QuickStatus(best, problem=job.problem)
            if job.finished:
                problem = self._refusal(visitor, key, lambda: best.bytes)
                if problem:
                    return QuickStatus(best, True, len(self._quick), seconds, problem)
                job = QuickRun(best, shapes, seconds)
                self._kept.keep(key, _Kept(job), [visitor])
                self._queue(key, self._address(visitor))
            self._add_wish(visitor, key, _Wish(1, time.monotonic() + self.patience))
            return QuickStatus(job.network, True, list(self._quick).index(key), job.seconds)

    def trained_quickly(self, visitor: str, shapes: NetworkShapes) -> TrainedNetwork | None:
        """The best network that a visitor's quick trainings have made for `shapes`, if it is kept."""
        with self._lock:
            kept = self._kept.get(f"quick {shapes.spec.input_shape} {shapes.spec}", visitor)
            return kept.job.result if kept and isinstance(kept.job, QuickRun) else None

    # --- called with the lock held, up to the worker ---

    def _queue(self, key: str, address: str) -> None:
        """Add a quick training to the queue. The one under way stays first; behind it come the first one of every
        address, then the second one of every address, and so on.
        """
        self._quick[key] = address
        before: Counter[str] = Counter()
        ranks = {}
        for other, its_address in self._quick.items():
            ranks[other] = before[its_address]
            before[its_address] += 1
        under_way, *others = self._quick
        self._quick = {other: self._quick[other] for other in (under_way, *sorted(others, key=ranks.__getitem__))}

    def _drop_unwanted(self, quick: Sequence[str]) -> None:
        """Drop those of these quick trainings that nobody asks for any more. Results of earlier ones are kept."""
        wanted = self._wanted()
        for key in [key for key in quick if key not in wanted]:
            del self._quick[key]
            job = self._kept[key].job if key in self._kept else None
            if isinstance(job, QuickRun) and not job.finished:
                job.close()
                if job.result.label.trained_for:
                    self._kept.keep(key, _Kept(QuickRun(job.result, job.shapes, 0)), [])
                else:
                    self._drop(key)

    def _add_wish(self, visitor: str, key: str, wish: _Wish) -> None:
        """Store a visitor's wish, or drop it if it is fulfilled."""
        if not self._kept[key].job.is_due(wish.until):
            self._wishes.get(visitor, {}).pop(key, None)
            return
        self._wishes.setdefault(visitor, {})[key] = wish
        self._seen[visitor] = time.monotonic()
        if key not in self._quick and visitor not in self._line:
            self._line.join(visitor, self._address(visitor))
        if self._worker is None:
            self._turn_began = time.monotonic()
            self._worker = threading.Thread(target=self._work, name="train", daemon=True)
            self._worker.start()

    def _is_due(self, visitor: str, key: str) -> bool:
        """True if a visitor's wish for a training is not fulfilled yet."""
        wish = self._wishes.get(visitor, {}).get(key)
        return (
            wish is not None
            and wish.expires > time.monotonic()
            and key in self._kept
            and self._kept[key].job.is_due(wish.until)
        )

    def _due(self, visitor: str) -> list[str]:
        """Keys of the trainings that a visitor wants to go on, the one that comes next first."""
        return [key for key in self._wishes.get(visitor, {}) if self._is_due(visitor, key)]

    def _due_runs(self, visitor: str) -> list[str]:
        return [key for key in self._due(visitor) if key not in self._quick]

    def _wanted(self) -> set[str]:
        """Keys of the trainings that anybody wants to go on."""
        return {key for visitor in self._wishes for key in self._due(visitor)}

    def _ahead(self, visitor: str, key: str) -> int:
        """Turns before the next one of this visitor, or of another who wants the same training."""
        due = [other for other in self._line if self._due_runs(other)]
        shares = self._is_due(visitor, key)
        return next(
            (turns for turns, other in enumerate(due) if other == visitor or (shares and self._is_due(other, key))),
            len(due),
        )

    def _status(self, visitor: str, key: str) -> RunStatus:
        kept, ahead = self._kept.get(key, visitor), self._ahead(visitor, key)
        if kept is None or not isinstance(kept.job, Run):
            return RunStatus(ahead=ahead)
        seconds_left = self._seconds_left(visitor, key, kept)
        return RunStatus(kept.job, key in self._wanted(), ahead, seconds_left, kept.job.problem)

    def _seconds_left(self, visitor: str, key: str, kept: _Kept) -> float | None:
        if not self._is_due(visitor, key) or kept.batches < 1:
            return None
        due = {other: keys for other in self._wishes if (keys := self._due_runs(other))}
        addresses = [self._address(other) for other in due]
        share = (0.5 if self._quick else 1) * sum(  # of all the time
            1 / len(keys) / addresses.count(address) / len(set(addresses))
            for keys, address in zip(due.values(), addresses, strict=True)
            if key in keys
        )
        return (self._wishes[visitor][key].until - kept.job.batch) * kept.seconds / kept.batches / share

    # --- what is refused ---

    def _refusal(self, visitor: str, key: str, needed: Callable[[], int]) -> str:
        """Why a visitor's wish cannot be taken, or ""; makes room for a new training of `needed()` bytes."""
        mine = frozenset({*self._due(visitor), key})
        others = {other: frozenset(keys) for other in self._wishes if other != visitor and (keys := self._due(other))}
        neighbours = [wanted for other, wanted in others.items() if self._address(other) == self._address(visitor)]
        for there, most, where in (
            ({*others.values()}, self.max_visitors[0], ""),
            ({*neighbours}, self.max_visitors[1], " from your address"),
        ):
            if mine not in there and len(there) >= most:
                return (
                    f"{len(there)} visitors{where} are training already, as many as can take turns here; "
                    "try again in a minute."
                )
        if key in self._kept:
            return ""
        shortage = self._kept.make_room(visitor, needed(), self._wanted())
        return self._shortage_sentence(needed(), shortage) if shortage else ""

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

    def _drop(self, key: str) -> None:
        self._kept.drop(key)
        for wishes in self._wishes.values():
            wishes.pop(key, None)

    # --- the worker: a thread that takes the lock itself ---

    def _work(self) -> None:
        """Advance one training after another; ends when nobody wants more."""
        if sys.platform == "linux":
            with suppress(OSError):  # threads that answer visitors go first
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        try:
            while task := self._next_task():
                ended = self._advance(*task)
                del task
                if ended:
                    give_back_memory()
        except BaseException:
            self._worker = None  # `present` may raise; the next wish starts another worker
            raise

    def _next_task(self) -> tuple[str, Run | QuickRun] | None:
        """The next training and its key. None if nobody wants more; the worker then ends."""
        self._drop_absent_visitors()
        with self._lock:
            self._drop_unwanted([*self._quick])
            task = None if self._closed else self._next()
            if task is None:
                self._worker = None
            return task

    def _drop_absent_visitors(self) -> None:
        now = time.monotonic()
        with self._lock:
            unsure = [visitor for visitor in self._wishes if now - self._seen[visitor] > PRESENCE]
        for visitor in unsure:
            if self._present(visitor):
                with self._lock:
                    self._seen[visitor] = now
            else:
                self.leave(visitor)

    def _next(self) -> tuple[str, Run | QuickRun] | None:
        """The quick training under way or a run, by turns. Called with the lock held."""
        self._wishes = {visitor: wishes for visitor, wishes in self._wishes.items() if self._due(visitor)}
        self._seen = {visitor: seen for visitor, seen in self._seen.items() if visitor in self._wishes}
        quick = next(iter(self._quick), None)
        run = self._next_run() if self._was_quick or quick is None else None
        key = run or quick
        self._was_quick = run is None
        return (key, self._kept[key].job) if key else None

    def _next_run(self) -> str | None:
        """The run that the first visitor in the line wants. Called with the lock held."""
        now = time.monotonic()
        if self._line and now - self._turn_began >= TURN:
            self._line.end_turn()
            self._turn_began = now
        while visitor := self._line.first:
            due = self._due_runs(visitor)
            if due:
                wishes = self._wishes[visitor]
                wishes[due[0]] = wishes.pop(due[0])  # the next group is another run's
                return due[0]
            self._line.leave(visitor)
            self._turn_began = now
        return None

    def _advance(self, key: str, job: Run | QuickRun) -> bool:
        """Advance a training for `GROUP` seconds. Returns True if it is a quick training and has ended."""
        began, before, failed = time.monotonic(), job.batch, math.inf
        while time.monotonic() < began + GROUP:
            with self._unit:
                if not self._goes_on(key, job):
                    break
                try:
                    job.advance()
                except Exception as problem:  # the visitors read of any failure, and other trainings go on
                    job.fail(_failure(problem))
                    failed = time.monotonic()
        goes_on = self._goes_on(key, job)
        with self._lock:
            kept = self._kept.get(key)
            if kept and kept.job is job:
                kept.add(time.monotonic() - began, job.batch - before)
                kept.failed = failed
            self._drop_unwanted([*self._quick])
        return isinstance(job, QuickRun) and not goes_on

    def _goes_on(self, key: str, job: Run | QuickRun) -> bool:
        with self._lock:
            return not self._closed and key in self._wanted() and self._kept[key].job is job


def _failure(problem: Exception) -> str:
    """The sentence on a training that failed, for its visitors. The details go to the log."""
    _LOG.error("a training failed", exc_info=problem)
    if isinstance(problem, ValueError | OSError):  # those of this package are sentences
        return f"The training failed: {problem}."
    return "The training failed; the reason is in the server's log. Try again in a minute."


def _key(spec: NetworkSpec, recipe: RunRecipe, name: str) -> str:
    return f"{spec.input_shape} {spec} {recipe} {name}"  # looked up many times: a string knows its hash


def _megabytes(number: int) -> str:
    return f"{number / 1e6:.0f} MB"
