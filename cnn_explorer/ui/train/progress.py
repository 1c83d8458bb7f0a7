"""How far the networks of the page "Train" have been trained, as one visitor sees it; and that in the address.

A run depends on network and recipe alone, and everybody who asks for it shares it. A visitor's own are how far it is to
go and how much of it they have seen: what others have trained before is replayed. A visitor who starts over gets a run
of their own, another attempt.

The address names the place, `at`, and how far the training goes on, `until`, each as a number of batches: one for all
networks of the page, or one for each. A page that is opened by it goes on from there. What is not kept any more is
trained again up to there, since the same seed gives the same weights.
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
from cnn_explorer.ui.address import Address, Parameter, Query, cannot_be_read, tell
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.session import remembered
from cnn_explorer.ui.train.choices import BESIDE, RECIPE, networks, recipe, show_beside, show_recipe

if TYPE_CHECKING:
    from cnn_explorer.training.run import Run
    from cnn_explorer.training.scheduler import RunStatus

Key = tuple[str, str]  # architecture string and recipe

REPLAY = 4  # times the pace of the training
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
    """How far a visitor has a network trained: they have seen it after `at` batches, it is to go on `until` so many.

    `attempt` 0 is everybody's run, others are the visitor's own. `since` is when the visitor set it going, by
    `time.monotonic`; the run's training had taken `seconds` of CPU time by then. `named` is the place that an address
    names, while it is trained again up to there.
    """

    at: int = 0
    until: int = 0
    attempt: int = 0
    since: float = 0.0
    seconds: float = 0.0
    testing: bool = False  # what is trained is still being tested
    replaying: bool = False  # what is seen has been trained before
    restarted: bool = False  # on the way to a place that others have passed, in a run of the visitor's own
    named: int = 0

    @property
    def going(self) -> bool:
        """True while there is more to come."""
        return self.until > self.at or self.testing

    @property
    def is_trained_again(self) -> bool:
        """True on the way to the place that the address names."""
        return self.at < self.named

    def resting(self, at: int) -> Progress:
        """The same, held after `at` batches."""
        return replace(self, at=at, until=at, testing=False, replaying=False, restarted=False, named=0)


@dataclass
class _Trainings:
    """By network and recipe: the `progress`, and what an address says that has yet to be found (`named`): at and until.

    `looked_at` is the place that was gone back to: of which network and recipe, how far that was then, and the place.
    `attempts` is the number of runs of the visitor's own so far. `written` is when the address was last written.
    """

    progress: dict[Key, Progress] = field(default_factory=dict)
    named: dict[Key, tuple[int, int]] = field(default_factory=dict)
    looked_at: tuple[Key, int, int] = (("", ""), 0, 0)
    attempts: int = 0
    written: float = field(default_factory=time.monotonic)


# --- the address ---


def note_change() -> None:
    """Write what the visitor has changed; notices on the training before it are over."""
    tell(PLACE.name, "")
    ADDRESS.write()


def note_progress() -> None:
    """Write how far it is while it goes on, at most once a second, and not in the first second of a session: until its
    top bar has loaded, the browser makes a step of its history of every address.
    """
    trainings, now = remembered(_Trainings), time.monotonic()
    if now - trainings.written >= WRITE_INTERVAL:
        trainings.written = now
        ADDRESS.write()


def _show_place(query: Query) -> None:
    at, until = (_read_batches(query.get(name, "")) for name in ("at", "until"))
    for index, net in enumerate(networks()):
        place = at[min(index, len(at) - 1)]
        remembered(_Trainings).named[_key(net)] = (place, max(place, until[min(index, len(until) - 1)]))


def _read_batches(text: str) -> list[int]:
    numbers = text.split("_") if text else ["0"]
    for number in numbers:
        if not number.isascii() or not number.isdigit() or len(number) > MAX_DIGITS:
            raise ValueError(f"{quoted(number)} is no number of batches; a whole number from 0 is")
    return [*map(int, numbers)]


def _place_shown() -> Query:
    places = [remembered(_Trainings).named.get(_key(net)) or _place_of(net) for net in networks()]
    untils = [until if until > at else 0 for at, until in places]
    return {"at": _written([at for at, _ in places]), "until": _written(untils)}


def _place_of(net: str) -> tuple[int, int]:
    """At and until, as an address is to name them."""
    now = of(net)
    if now.is_trained_again:
        return now.named, max(now.until, now.named)
    if now.going:
        return now.at, now.until
    return place(net), 0


def _written(numbers: list[int]) -> str:
    if not any(numbers):
        return ""
    return "_".join(map(str, numbers if len(set(numbers)) > 1 else numbers[:1]))


PLACE = Parameter(
    "at", _show_place, _place_shown, cannot_be_read("number of batches", "none"), ("at", "until"), depends_on="recipe"
)
ADDRESS = Address(*state.SHARED, RECIPE, BESIDE, PLACE)


# --- what is trained ---


def set_recipe(new: RunRecipe) -> None:
    """Train by another recipe."""
    show_recipe(str(new))
    note_change()


def set_network(spec: NetworkSpec) -> None:
    """Train another network. Raises `ValueError` if it is too large for a live page; the one before then stays."""
    state.show_network(str(spec))
    note_change()


def set_beside(architecture: str) -> None:
    """Compare with another network, or with none ("")."""
    show_beside(architecture)
    note_change()


# --- how far ---


def of(net: str) -> Progress:
    """How far this visitor has a network trained by the recipe as it is."""
    return remembered(_Trainings).progress.get(_key(net), Progress())


def _set(net: str, now: Progress) -> None:
    remembered(_Trainings).progress[_key(net)] = now


def follow(net: str) -> RunStatus:
    """Have a network's run go on as far as the visitor wants, and see what has come of it since."""
    named = remembered(_Trainings).named.pop(_key(net), None)
    if named:
        _go_to_named(net, *named)
    now = of(net)
    status = _driven(net, now.until if now.going else 0)
    run = status.run
    if run is None:
        _give_up(net, now, status.problem)
    elif now.going:
        if run.batch < now.at:  # it was dropped while it was replayed, and begins anew
            tell(PLACE.name, LOST)
        _set(net, _moved(now, run))
    elif run.available_batch(now.at) != now.at:
        _set(net, now.resting(run.available_batch(now.at)))
        tell(PLACE.name, LOST if run.batch < now.at else PASSED)
    return status


def _go_to_named(net: str, at: int, until: int) -> None:
    """Go to the place that an address names: where its weights are kept, or by training it again up to there."""
    now, goes_on = of(net), until > at
    if goes_on and now.going and now.until == until:
        return
    if at <= now.at and not goes_on:
        if now.going:
            _hold(net)
        look_at(net, at)
        return
    run = caches.scheduler().run(parse(net), recipe(), _run_name(now))
    if run is None or run.available_batch(at) != at:  # the visitor's own run has not come as far: everybody's may have
        _forget_other_attempts(net, Progress())
        now, run = Progress(), caches.scheduler().run(parse(net), recipe())
    here, seconds = 0, 0.0
    if run:
        until, here = min(until, run.batches), run.available_batch(at)
        seconds = run.seconds_at(here)
        if here < at < run.batch:
            at = here
            if not goes_on:
                tell(PLACE.name, PASSED)
    wanted = until if goes_on or here < at else here
    _set(net, Progress(here, wanted, now.attempt, time.monotonic(), seconds, named=at))


def _give_up(net: str, now: Progress, problem: str) -> None:
    """There is no run, or not any more."""
    if now.at or now.going:
        _set(net, Progress())
        lost = LOST if now.at or now.named else ""
        tell(PLACE.name, " ".join(filter(None, [plain(problem), lost])))


def _driven(net: str, until: int) -> RunStatus:
    return caches.scheduler().train(visitors.visitor(), parse(net), recipe(), until, _run_name(of(net)))


def _run_name(now: Progress) -> str:
    return f"{visitors.visitor()} {now.attempt}" if now.attempt else ""


def _moved(now: Progress, run: Run) -> Progress:
    """What has been seen by this time: the present, or a replay of what had been trained before."""
    seen = run.reached(now.seconds + REPLAY * (time.monotonic() - now.since))
    replaying = seen < (run.points[-1].batch if run.points else 0)
    at = min(max(seen, now.at) if replaying else run.batch, now.until)
    until = at if run.finished and at >= run.batch else now.until
    testing = at == until and run.is_due(until)
    if at == until and not testing:
        return now.resting(run.keep(at))
    return replace(now, at=at, until=until, testing=testing, replaying=replaying)


def hold_others() -> None:
    """Hold the runs of networks and recipes that are not on the page any more."""
    present = {_key(net) for net in networks()}
    for key, known in remembered(_Trainings).progress.items():
        if known.going and key not in present:
            net, text = key
            run = caches.scheduler().train(visitors.visitor(), parse(net), parse_recipe(text), 0, _run_name(known)).run
            at = run.keep(_moved(known, run).at) if run else 0
            remembered(_Trainings).progress[key] = known.resting(at)


def go_on(batches: int | None = None) -> None:
    """Have each network trained for so many more batches, or to the end of the run; makes the runs where there are
    none.

    Raises `ValueError` with a sentence where that cannot be.
    """
    _go(lambda at, run: run.batches if batches is None else at + batches, alone=batches is not None)


def go_on_for_an_epoch() -> None:
    """Have each network trained to the end of the epoch that it is in. Raises `ValueError` as well."""
    _go(lambda at, run: (at // run.batches_per_epoch + 1) * run.batches_per_epoch)


def _go(until: Callable[[int, Run], int], *, alone: bool = False) -> None:
    """Have each network trained until there, `alone` where others would not stop there."""
    caches.scheduler().check_together([parse(net) for net in networks()], recipe())
    problems = [problem for net in networks() if (problem := _set_going(net, until, alone))]
    note_change()
    if problems:
        raise ValueError(" ".join(problems))


def _set_going(net: str, until: Callable[[int, Run], int], alone: bool) -> str:
    """Why it cannot be, or ""."""
    status, start = _driven(net, 0), of(net)
    run, wanted = status.run, 0
    if run:
        wanted = min(until(start.at, run), run.batches)
        passed = wanted < run.batch and run.available_batch(wanted) != wanted
        if passed or (alone and status.going):  # others would not stop there: a run of one's own does
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
    """Nobody else could watch the visitor's own run that this one takes the place of."""
    before = of(net)
    if before.attempt not in (0, now.attempt):
        caches.scheduler().forget(parse(net), recipe(), _run_name(before))


def hold() -> None:
    """Hold all networks where they are."""
    for net in networks():
        _hold(net)
    note_change()


def _hold(net: str) -> None:
    now, run = of(net), _driven(net, 0).run
    if run and now.going:
        _set(net, now.resting(run.keep(_moved(now, run).at)))


def start_over() -> None:
    """Back to the very same initial weights."""
    for net in networks():
        _driven(net, 0)
        now = Progress(attempt=_new_attempt())
        _forget_other_attempts(net, now)
        _set(net, now)
    note_change()


def place(net: str) -> int:
    """The place that is looked at: where the visitor has gone back to, or how far it is."""
    key, at, looked_at = remembered(_Trainings).looked_at
    now = of(net).at
    return min(looked_at, now) if (key, at) == (_key(net), now) else now


def look_at(net: str, batch: int) -> None:
    """Look at a place before, until it goes on."""
    remembered(_Trainings).looked_at = (_key(net), of(net).at, batch)


def shown() -> tuple[str, ...]:
    """Architecture strings and recipe: what is trained on the page as it is."""
    return *networks(), str(recipe())


def _key(net: str) -> Key:
    return net, str(recipe())
