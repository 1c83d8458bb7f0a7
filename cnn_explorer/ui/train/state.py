"""What the page "Train" is about beside drawing and network: the recipe, a network to compare with, how far both have
been trained.

A run depends on network and recipe alone and is shared by everybody who asks for it. What is a visitor's own is how far
they have it go, and how much of it they have seen: what others have trained before is replayed. Who starts over gets a
run of their own, a new take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from cnn_explorer.spec.network import NetworkSpec, parse
from cnn_explorer.text import quoted
from cnn_explorer.training.recipe import RunRecipe, parse_recipe, recipes_for
from cnn_explorer.ui import caches, state

if TYPE_CHECKING:
    from cnn_explorer.training.run import Run
    from cnn_explorer.training.runs import Standing

RECIPE, BESIDE, AT = "recipe", "beside", "at"  # query parameters and session keys
# Session keys: how far each run is driven; the places that an address was opened with; the place that was gone back to;
# the number of runs of the visitor's own so far.
DRIVES, OPENED, PLACE, TAKES = "drives", "opened_at", "place", "takes"
REPLAY = 4  # times the pace of the training
LOST = (
    "What was trained here is not kept any more: others needed the room, the server began anew, or it was a run of "
    "your own, which no "
    "address can name. Train it again: the same seed gives the same weights."
)
PASSED = (
    "Others went on with this training, and the weights of this place are not kept any more, so here is the "
    "place before it."
)


@dataclass(frozen=True)
class Drive:
    """How far a visitor has a run go: they have seen it after `at` batches and want it to go on `until` so many are
    trained, since a moment on the clock when the run had taken so many `seconds` of CPU time. The first `take` is
    everybody's.
    """

    at: int = 0
    until: int = 0
    take: int = 0
    since: float = 0.0
    seconds: float = 0.0
    testing: bool = False  # what is trained is still being tested
    replaying: bool = False  # what is seen has been trained before
    again: bool = False  # on the way to a place that others have passed

    @property
    def going(self) -> bool:
        """True while there is more to come."""
        return self.until > self.at or self.testing


# --- the address ---


def read_url() -> None:
    """Take over what the URL says, where it says something new; a part that cannot be read gets a sentence and is left
    as it was.
    """
    opening = RECIPE not in st.session_state
    state.adopt_url()
    if (
        opening or RECIPE in st.query_params
    ):  # without one it is no address of this page's own, but a step between two pages
        state.read(RECIPE, str(recipes_for("bundled")["fast"]), _show_recipe, "recipe")
        state.read(BESIDE, "", _show_beside, "network to compare with")
        state.read(AT, "", _show_at, "number of batches")
    if opening:
        st.session_state[OPENED] = {_key(net): int(st.session_state[AT] or 0) for net in networks()}
        state.write_url(RECIPE, BESIDE, AT)


def write_url() -> None:
    """All that the page shows, and the place that is looked at."""
    st.session_state[AT] = _at()
    state.write_url(RECIPE, BESIDE, AT)


def _note_change() -> None:
    """Write what the visitor has changed; what was told before is over."""
    st.session_state.pop(f"{AT}_notice", None)
    write_url()


def carried() -> dict[str, str]:
    """All that the page shows, for its address; as much as the session has of it."""
    values = {name: st.session_state.get(name, "") for name in (RECIPE, BESIDE)}
    if values[RECIPE]:
        values[AT] = _at()
    return state.carried() | {name: value for name, value in values.items() if value}


def _at() -> str:
    at = place(state.architecture())
    return str(at) if at else ""


def notices() -> list[str]:
    """What the address asked for in vain."""
    return state.notices(RECIPE, BESIDE, AT)


def _show_recipe(text: str) -> None:
    st.session_state[RECIPE] = str(parse_recipe(text))
    st.session_state.pop(f"{RECIPE}_notice", None)


def _show_beside(text: str) -> None:
    spec = str(parse(text)) if text else ""
    excess = state.excess_of(caches.shapes_of(spec)) if spec else ""
    if excess:
        raise ValueError(excess)
    st.session_state[BESIDE] = spec
    st.session_state.pop(f"{BESIDE}_notice", None)


def _show_at(text: str) -> None:
    if text and (not text.isascii() or not text.isdigit() or len(text) > 9):
        raise ValueError(f"{quoted(text)} is no number of batches; a whole number from 0 is")
    st.session_state.pop(f"{AT}_notice", None)
    if AT in st.session_state:  # on the browser's way back
        for net in networks():
            _go_back_to(net, int(text or 0))
    st.session_state[AT] = text


# --- what is trained ---


def recipe() -> RunRecipe:
    """How both networks are trained."""
    return parse_recipe(st.session_state[RECIPE])


def set_recipe(new: RunRecipe) -> None:
    """Train by another recipe."""
    _show_recipe(str(new))
    _note_change()


def set_network(spec: NetworkSpec) -> None:
    """Train another network. Raises `ValueError` if it is too large for a live page; the one before then stays."""
    state.show_network(str(spec))
    _note_change()


def beside() -> str:
    """The architecture string of the network to compare with, "" for none."""
    text: str = st.session_state[BESIDE]
    return text


def set_beside(architecture: str) -> None:
    """Compare with another network, or with none."""
    _show_beside(architecture)
    _note_change()


def put_first(net: str) -> None:
    """Make one of the networks that of all pages; the other one stands beside it."""
    first = state.architecture()
    if net != first:
        state.show_network(net)
        st.session_state[BESIDE] = first
        for name in (BESIDE, AT):  # whatever the way back leads to is news
            st.session_state.pop(f"{name}_in_url", None)


def networks() -> list[str]:
    """Architecture strings: the page's network, and the one beside it if that is another."""
    return list(dict.fromkeys(filter(None, [state.architecture(), beside()])))


# --- how far ---


def drive(net: str) -> Drive:
    """How far this visitor has a network go by the recipe as it is."""
    return _drives().get(_key(net), Drive())


def attend(net: str) -> Standing:
    """Have a network's run go as far as the visitor wants, and say how it stands; what has been seen of it moves on."""
    key, now = _key(net), drive(net)
    standing = _driven(net, now.until if now.going else 0)
    run = standing.run
    if run is None:
        _give_up(net, now, standing.problem)
    elif key not in _drives():  # an address that is opened again finds what is still there
        opened = _opened().pop(key, 0)
        at = run.place_at(opened)
        _drives()[key] = Drive(at, at)
        if at < opened and net == state.architecture():
            _notice(LOST)
    elif now.going:
        if run.batch < now.at:  # it was dropped while it was replayed, and begins anew
            _notice(LOST)
        _drives()[key] = _moved(now, run)
    elif run.place_at(now.at) != now.at:
        at = run.place_at(now.at)
        _drives()[key] = replace(now, at=at, until=at)
        _notice(LOST if run.batch < now.at else PASSED)
    return standing


def _give_up(net: str, now: Drive, problem: str) -> None:
    """There is no run, or not any more."""
    named = _opened().pop(_key(net), 0) and net == state.architecture()  # by the address
    if now.at or now.going or named:
        _drives()[_key(net)] = Drive()
        _notice(" ".join(filter(None, [state.plain(problem), LOST if now.at or named else ""])))


def _notice(text: str) -> None:
    st.session_state[f"{AT}_notice"] = text


def _driven(net: str, until: int) -> Standing:
    return caches.runs().drive(caches.visitor(), parse(net), recipe(), until, _take(drive(net)))


def _take(now: Drive) -> str:
    return f"{caches.visitor()} {now.take}" if now.take else ""


def _moved(now: Drive, run: Run) -> Drive:
    """What has been seen by this time: the present, or a replay of what had been trained before."""
    seen = run.reached(now.seconds + REPLAY * (time.monotonic() - now.since))
    replaying = seen < (run.looks[-1].batch if run.looks else 0)
    at = min(max(seen, now.at) if replaying else run.batch, now.until)
    until = at if run.finished and at >= run.batch else now.until
    testing = at == until and run.is_due(until)
    if at == until and not testing:
        at = until = run.keep(at)
    return replace(now, at=at, until=until, testing=testing, replaying=replaying, again=now.again and at < until)


def hold_others() -> None:
    """Hold the runs of networks and recipes that are not on the page any more."""
    shown = {_key(net) for net in networks()}
    for key, known in _drives().items():
        if known.going and key not in shown:
            net, text = key.split(" ")
            run = caches.runs().drive(caches.visitor(), parse(net), parse_recipe(text), 0, _take(known)).run
            at = run.keep(_moved(known, run).at) if run else 0
            _drives()[key] = replace(known, at=at, until=at, testing=False, replaying=False, again=False)


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
    caches.runs().check_together([parse(net) for net in networks()], recipe())
    problems = [problem for net in networks() if (problem := _set_going(net, until, alone))]
    _note_change()
    if problems:
        raise ValueError(" ".join(problems).removesuffix("."))


def _set_going(net: str, until: Callable[[int, Run], int], alone: bool) -> str:
    """Why it cannot be, or ""."""
    standing, start = _driven(net, 0), drive(net)
    run, wanted = standing.run, 0
    if run:
        wanted = min(until(start.at, run), run.batches)
        passed = wanted < run.batch and run.place_at(wanted) != wanted
        if passed or (
            alone and standing.going
        ):  # others would not stop there: a run of one's own does, from the beginning
            start = Drive(take=_new_take(), again=True)
    standing = caches.runs().drive(caches.visitor(), parse(net), recipe(), max(wanted, 1), _take(start))
    run = standing.run
    if run is None:
        return standing.problem
    _forget_other_takes(net, start)
    wanted = wanted or min(until(0, run), run.batches)
    now = replace(
        start, until=wanted, testing=run.is_due(wanted), since=time.monotonic(), seconds=run.seconds_at(start.at)
    )
    _drives()[_key(net)] = now
    return ""


def _new_take() -> int:
    st.session_state[TAKES] = st.session_state.get(TAKES, 0) + 1
    return int(st.session_state[TAKES])


def _forget_other_takes(net: str, now: Drive) -> None:
    """Nobody else could watch the visitor's own run that this one takes the place of."""
    before = drive(net)
    if before.take not in (0, now.take):
        caches.runs().forget(parse(net), recipe(), _take(before))


def hold() -> None:
    """Hold both networks where they are."""
    for net in networks():
        now, run = drive(net), _driven(net, 0).run
        if run and now.going:
            at = run.keep(_moved(now, run).at)
            _drives()[_key(net)] = replace(now, at=at, until=at, testing=False, replaying=False, again=False)
    _note_change()


def start_over() -> None:
    """Back to the very same initial weights."""
    for net in networks():
        _driven(net, 0)
        now = Drive(take=_new_take())
        _forget_other_takes(net, now)
        _drives()[_key(net)] = now
    _note_change()


def place(net: str) -> int:
    """The place that is looked at: where it has been gone back to, or how far it is."""
    key, at, gone_to = st.session_state.get(PLACE, ("", 0, 0))
    now = drive(net).at
    return min(gone_to, now) if (key, at) == (_key(net), now) else now


def go_to(net: str, batch: int) -> None:
    """Look at a place before, until it goes on."""
    st.session_state[PLACE] = (_key(net), drive(net).at, batch)


def _go_back_to(net: str, batch: int) -> None:
    """Look at a place that the address names for the first network: of this drive, or of everybody's run, before it was
    started over.
    """
    now, first = drive(net), net == state.architecture()
    if batch <= now.at or now.going:
        if first:
            go_to(net, batch)
        return
    run = caches.runs().run(parse(net), recipe())
    if (
        run and run.place_at(batch) == batch and (first or now.take)
    ):  # the same seed: what was trained since is there, too
        _forget_other_takes(net, Drive())
        _drives()[_key(net)] = Drive(batch, batch)
    elif first:
        _notice(LOST)


def key() -> str:
    """Networks and recipe, as text."""
    return " ".join([*networks(), st.session_state[RECIPE]])


def _key(net: str) -> str:
    return f"{net} {st.session_state[RECIPE]}"


def _drives() -> dict[str, Drive]:
    drives: dict[str, Drive] = st.session_state.setdefault(DRIVES, {})
    return drives


def _opened() -> dict[str, int]:
    opened: dict[str, int] = st.session_state.setdefault(OPENED, {})
    return opened
