"""The progress of the trainings on the page "Train", as one visitor sees it, and in the address.

A run depends on network and recipe alone, and all visitors who ask for it share it. Each visitor has a progress of
their own: how much of the run they have seen, and how far it is to go. Batches that were trained before are replayed. A
visitor who starts over gets a run of their own, another attempt.

The address has two numbers of batches: the visitor has seen the run up to `at`, and it goes on to `until`. Each is one
number for all networks of the page, or one for each. A page that is opened by it goes on from `at`. A run that is not
kept any more is trained again up to `at`: the same seed gives the same weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cnn_explorer.spec.network import NetworkSpec, parse
from cnn_explorer.text import quoted
from cnn_explorer.training.recipe import RunRecipe, parse_recipe
from cnn_explorer.ui import caches, state, visitors
from cnn_explorer.ui.address import Address, Parameter, Query, cannot_be_read, set_notice
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.session import remembered
from cnn_explorer.ui.train.choices import BESIDE, RECIPE, networks, recipe, show_beside, show_recipe

if TYPE_CHECKING:
    from cnn_explorer.training.run import Run
    from cnn_explorer.training.scheduler import RunStatus

Key = tuple[str, str]  # architecture string and recipe

REPLAY = 4  # a replay is so many times as fast as the training
WRITE_INTERVAL = 1.0  # seconds: browsers refuse more than a hundred changes of the address in half a minute
MAX_DIGITS = 9  # of a number of batches in an address
LOST = (
    "What was trained here is not kept any more: others needed the room, or it was a run of your own, which no address "
    "can name. Train it again: the same seed gives the same weights."
)
PASSED = (
    "Others went on with this training, and the weights of this place are not kept any more, so here is the place "
    "before it."
)


@dataclass(frozen=True)
class Progress:
    """One visitor's progress in a run: they have seen `at` batches of it, and it is to go on to `until`.

    `attempt` 0 is the run that visitors share, others are the visitor's own. `since` is when the visitor started it, by
    `time.monotonic`; the training up to `at` had taken `seconds` of CPU time then. `named` is the batch in the address,
    while the run is trained again up to it.
    """

    at: int = 0
    until: int = 0
    attempt: int = 0
    since: float = 0.0
    seconds: float = 0.0
    testing: bool = False  # all batches are trained, and the test goes on
    replaying: bool = False  # the batches on screen were trained before
    restarted: bool = False  # in a run of the visitor's own, because the shared one has gone further
    named: int = 0

    @property
    def going(self) -> bool:
        """True while there is more to come."""
        return self.until > self.at or self.testing

    @property
    def is_trained_again(self) -> bool:
        """True while the run is trained again up to the batch in the address."""
        return self.at < self.named

    def paused(self, at: int) -> Progress:
        """The same, paused after `at` batches."""
        return replace(self, at=at, until=at, testing=False, replaying=False, restarted=False, named=0)


@dataclass
class _Trainings:
    """By network and recipe: the `progress`, and `at` and `until` of an address that is yet to be followed (`named`).

    `looked_at` says which batch the visitor has gone back to: network and recipe, `at` at that time, and the batch.
    `attempts` is the number of runs of the visitor's own so far. `written` is when the address was last written.
    """

    progress: dict[Key, Progress] = field(default_factory=dict)
    named: dict[Key, tuple[int, int]] = field(default_factory=dict)
    looked_at: tuple[Key, int, int] = (("", ""), 0, 0)
    attempts: int = 0
    written: float = field(default_factory=time.monotonic)


# --- the address ---


def note_change() -> None:
    """Write a change by the visitor to the address, and remove the notice on the training before it."""
    set_notice(BATCHES.name, "")
    ADDRESS.write()


def note_progress() -> None:
    """Write the progress to the address, at most once a second, and not in the first second of a session.

    Until the top bar has loaded, the browser adds every address to its history.
    """
    trainings, now = remembered(_Trainings), time.monotonic()
    if now - trainings.written >= WRITE_INTERVAL:
        trainings.written = now
        ADDRESS.write()


def _show_batches(query: Query) -> None:
    at, until = (_read_batches(query.get(name, "")) for name in ("at", "until"))
    for index, net in enumerate(networks()):
        start = at[min(index, len(at) - 1)]
        remembered(_Trainings).named[_key(net)] = (start, max(start, until[min(index, len(until) - 1)]))


def _read_batches(text: str) -> list[int]:
    numbers = text.split("_") if text else ["0"]
    for number in numbers:
        if not number.isascii() or not number.isdigit() or len(number) > MAX_DIGITS:
            raise ValueError(f"{quoted(number)} is no number of batches; a whole number from 0 is")
    return [*map(int, numbers)]


def _batches_shown() -> Query:
    batches = [remembered(_Trainings).named.get(_key(net)) or _batches_of(net) for net in networks()]
    untils = [until if until > at else 0 for at, until in batches]
    return {"at": _written([at for at, _ in batches]), "until": _written(untils)}


def _batches_of(net: str) -> tuple[int, int]:
    """`at` and `until` for the address."""
    now = of(net)
    if now.is_trained_again:
        return now.named, max(now.until, now.named)
    if now.going:
        return now.at, now.until
    return viewed_batch(net), 0


def _written(numbers: list[int]) -> str:
    if not any(numbers):
        return ""
    return "_".join(map(str, numbers if len(set(numbers)) > 1 else numbers[:1]))


BATCHES = Parameter(
    "at",
    _show_batches,
    _batches_shown,
    cannot_be_read("number of batches", "none"),
    ("at", "until"),
    depends_on="recipe",
)
ADDRESS = Address(*state.SHARED, RECIPE, BESIDE, BATCHES)


# --- networks and recipe ---


def set_recipe(new: RunRecipe) -> None:
    """Train by another recipe."""
    show_recipe(str(new))
    note_change()


def set_network(spec: NetworkSpec) -> None:
    """Train another network. Raises `ValueError` if it is too large for a live page; the present one then stays."""
    state.show_network(str(spec))
    note_change()


def set_beside(architecture: str) -> None:
    """Compare with another network, or with none ("")."""
    show_beside(architecture)
    note_change()


# --- progress ---


def of(net: str) -> Progress:
    """This visitor's progress with a network and the present recipe."""
    return remembered(_Trainings).progress.get(_key(net), Progress())


def _set(net: str, now: Progress) -> None:
    remembered(_Trainings).progress[_key(net)] = now


def follow(net: str) -> RunStatus:
    """Have a network's run go on as far as the visitor wants, and update their progress."""
    named = remembered(_Trainings).named.pop(_key(net), None)
    if named:
        _go_to_named(net, *named)
    now = of(net)
    status = _train(net, now.until if now.going else 0)
    run = status.run
    if run is None:
        _give_up(net, now, status.problem)
    elif now.going:
        if run.batch < now.at:  # it was dropped during the replay and starts anew
            set_notice(BATCHES.name, LOST)
        _set(net, _moved(now, run))
    elif run.available_batch(now.at) != now.at:
        _set(net, now.paused(run.available_batch(now.at)))
        set_notice(BATCHES.name, LOST if run.batch < now.at else PASSED)
    return status


def _go_to_named(net: str, at: int, until: int) -> None:
    """Go to the batch `at` of an address: to its weights if they are available, else by training up to it."""
    now, goes_on = of(net), until > at
    if goes_on and now.going and now.until == until:
        return
    if at <= now.at and not goes_on:
        if now.going:
            _pause(net)
        look_at(net, at)
        return
    run = caches.scheduler().run(parse(net), recipe(), _run_name(now))
    if (
        run is None or run.available_batch(at) != at
    ):  # the visitor's own run has not come as far; the shared one may have
        _forget_other_attempts(net, Progress())
        now, run = Progress(), caches.scheduler().run(parse(net), recipe())
    here, seconds = 0, 0.0
    if run:
        until, here = min(until, run.batches), run.available_batch(at)
        seconds = run.seconds_at(here)
        if here < at < run.batch:
            at = here
            if not goes_on:
                set_notice(BATCHES.name, PASSED)
    wanted = until if goes_on or here < at else here
    _set(net, Progress(here, wanted, now.attempt, time.monotonic(), seconds, named=at))


def _give_up(net: str, now: Progress, problem: str) -> None:
    """Reset the progress, because there is no run, and say why in a notice."""
    if now.at or now.going:
        _set(net, Progress())
        lost = LOST if now.at or now.named else ""
        set_notice(BATCHES.name, " ".join(filter(None, [plain(problem), lost])))


def _train(net: str, until: int) -> RunStatus:
    """`Scheduler.train` for this visitor and their attempt."""
    return caches.scheduler().train(visitors.visitor(), parse(net), recipe(), until, _run_name(of(net)))


def _run_name(now: Progress) -> str:
    return f"{visitors.visitor()} {now.attempt}" if now.attempt else ""


def _moved(now: Progress, run: Run) -> Progress:
    """The progress by now: the run's present batch, or a replay of batches that were trained before."""
    seen = run.reached(now.seconds + REPLAY * (time.monotonic() - now.since))
    replaying = seen < (run.points[-1].batch if run.points else 0)
    at = min(max(seen, now.at) if replaying else run.batch, now.until)
    until = at if run.finished and at >= run.batch else now.until
    testing = at == until and run.is_due(until)
    if at == until and not testing:
        return now.paused(run.keep(at))
    return replace(now, at=at, until=until, testing=testing, replaying=replaying)


def pause_others() -> None:
    """Pause the runs of networks and recipes that are not on the page any more."""
    present = {_key(net) for net in networks()}
    for key, known in remembered(_Trainings).progress.items():
        if known.going and key not in present:
            net, text = key
            run = caches.scheduler().train(visitors.visitor(), parse(net), parse_recipe(text), 0, _run_name(known)).run
            at = run.keep(_moved(known, run).at) if run else 0
            remembered(_Trainings).progress[key] = known.paused(at)


def go_on(batches: int | None = None) -> None:
    """Train each network for so many more batches, or to the end of its run; start a run where there is none.

    Raises `ValueError` with a sentence if one cannot be trained.
    """
    _go(lambda at, run: run.batches if batches is None else at + batches, alone=batches is not None)


def go_on_for_an_epoch() -> None:
    """Train each network to the end of its present epoch. Raises as `go_on`."""
    _go(lambda at, run: (at // run.batches_per_epoch + 1) * run.batches_per_epoch)


def _go(until: Callable[[int, Run], int], *, alone: bool = False) -> None:
    """Train each network up to `until(at, run)`; if `alone`, in a run that no other visitor takes further."""
    caches.scheduler().check_together([parse(net) for net in networks()], recipe())
    problems = [problem for net in networks() if (problem := _set_going(net, until, alone))]
    note_change()
    if problems:
        raise ValueError(" ".join(problems))


def _set_going(net: str, until: Callable[[int, Run], int], alone: bool) -> str:
    """Train a network up to `until(at, run)`. Returns why that cannot be, or ""."""
    status, start = _train(net, 0), of(net)
    run, wanted = status.run, 0
    if run:
        wanted = min(until(start.at, run), run.batches)
        passed = wanted < run.batch and run.available_batch(wanted) != wanted
        if passed or (alone and status.going):  # the shared run does not stop there; one of the visitor's own does
            start = Progress(attempt=_new_attempt(), restarted=True)
    status = caches.scheduler().train(visitors.visitor(), parse(net), recipe(), max(wanted, 1), _run_name(start))
    run = status.run
    if run is None:
        return status.problem
    _forget_other_attempts(net, start)
    wanted = wanted or min(until(0, run), run.batches)
    since, seconds = time.monotonic(), run.seconds_at(start.at)
    _set(net, replace(start, until=wanted, testing=run.is_due(wanted), since=since, seconds=seconds))
    return ""


def _new_attempt() -> int:
    remembered(_Trainings).attempts += 1
    return remembered(_Trainings).attempts


def _forget_other_attempts(net: str, now: Progress) -> None:
    """Drop the visitor's own run that `now` replaces: nobody else can see it."""
    before = of(net)
    if before.attempt not in (0, now.attempt):
        caches.scheduler().forget(parse(net), recipe(), _run_name(before))


def pause() -> None:
    """Pause the training of all networks."""
    for net in networks():
        _pause(net)
    note_change()


def _pause(net: str) -> None:
    now, run = of(net), _train(net, 0).run
    if run and now.going:
        _set(net, now.paused(run.keep(_moved(now, run).at)))


def start_over() -> None:
    """Start over from the same initial weights, in a run of the visitor's own."""
    for net in networks():
        _train(net, 0)
        now = Progress(attempt=_new_attempt())
        _forget_other_attempts(net, now)
        _set(net, now)
    note_change()


def viewed_batch(net: str) -> int:
    """The batch whose weights are shown: the one that the visitor has gone back to, or the newest one seen."""
    key, at, looked_at = remembered(_Trainings).looked_at
    now = of(net).at
    return min(looked_at, now) if (key, at) == (_key(net), now) else now


def look_at(net: str, batch: int) -> None:
    """Show the weights after an earlier batch, until the run goes on."""
    remembered(_Trainings).looked_at = (_key(net), of(net).at, batch)


def shown() -> tuple[str, ...]:
    """Architecture strings of the page's networks, and the recipe."""
    return *networks(), str(recipe())


def _key(net: str) -> Key:
    return net, str(recipe())
