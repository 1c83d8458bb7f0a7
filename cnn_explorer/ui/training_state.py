"""What the page "Train" is about beside drawing and network: the recipe, a network to compare with, how far both have been trained.

A run depends on network and recipe alone and is shared by everybody who asks for it. What is a visitor's own is how far they have it go,
and how much of it they have seen: what others have trained before is replayed. Who starts over gets a run of their own, a new take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from cnn_explorer.network import parse
from cnn_explorer.training.recipes import RunRecipe, parse_recipe, recipes_for
from cnn_explorer.ui import cached, state

if TYPE_CHECKING:
    from cnn_explorer.training.run import Run
    from cnn_explorer.training.runs import Standing

RECIPE, BESIDE, AT = state.RECIPE, state.BESIDE, "at"  # query parameters and session keys
DRIVES, OPENED = "drives", "opened_at"  # session keys: by run; the run that the address was opened with
REPLAY = 4  # times the pace of the training


@dataclass(frozen=True)
class Drive:
    """How far a visitor has a run go: they have seen it after `at` batches and want it to go on `until` so many are trained, since a
    moment on the clock when the run had taken so many `seconds` of CPU time. The first `take` is everybody's."""

    at: int = 0
    until: int = 0
    take: int = 0
    since: float = 0.0
    seconds: float = 0.0
    testing: bool = False  # what is trained is still being tested

    @property
    def going(self) -> bool:
        """True while there is more to come."""
        return self.until > self.at or self.testing


# --- the address ---


def read_url() -> None:
    """Take over what the URL says, where it says something new; a part that cannot be read gets a sentence and is left as it was."""
    opening = RECIPE not in st.session_state
    state.read_url()
    state.read(RECIPE, str(recipes_for("bundled")["fast"]), _show_recipe, "recipe")
    state.read(BESIDE, "", _show_beside, "network to compare with")
    state.read(AT, "0", _show_at, "number of batches")
    if opening:
        st.session_state[OPENED] = _key(state.architecture())
        _write_url()


def _write_url() -> None:
    state.write_url(RECIPE, BESIDE, AT)


def notices() -> list[str]:
    """What the address asked for in vain."""
    return state.notices(RECIPE, BESIDE, AT)


def _show_recipe(text: str) -> None:
    st.session_state[RECIPE] = str(parse_recipe(text))
    st.session_state.pop(f"{RECIPE}_notice", None)


def _show_beside(text: str) -> None:
    spec = str(parse(text)) if text else ""
    excess = state.excess_of(cached.shapes_of(spec)) if spec else ""
    if excess:
        raise ValueError(excess)
    st.session_state[BESIDE] = spec
    st.session_state.pop(f"{BESIDE}_notice", None)


def _show_at(text: str) -> None:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"'{text[:20]}' is no number of batches; a whole number from 0 is")
    st.session_state[AT] = text
    st.session_state.pop(f"{AT}_notice", None)


# --- what is trained ---


def recipe() -> RunRecipe:
    """How both networks are trained."""
    return parse_recipe(st.session_state[RECIPE])


def set_recipe(new: RunRecipe) -> None:
    """Train by another recipe."""
    _show_recipe(str(new))
    _write_url()


def beside() -> str:
    """The architecture string of the network to compare with, "" for none."""
    text: str = st.session_state[BESIDE]
    return text


def set_beside(architecture: str) -> None:
    """Compare with another network, or with none."""
    _show_beside(architecture)
    _write_url()


def networks() -> list[str]:
    """Architecture strings: the page's network, and the one beside it if that is another."""
    return list(dict.fromkeys(filter(None, [state.architecture(), beside()])))


# --- how far ---


def drive(net: str) -> Drive:
    """How far this visitor has a network go by the recipe as it is."""
    return _drives().get(_key(net), Drive())


def attend(net: str) -> Standing:
    """Have a network's run go as far as the visitor wants, and say how it stands; what has been seen of it moves on."""
    now = drive(net)
    standing = _driven(net, now.until if now.going else 0)
    run = standing.run
    if run and _key(net) not in _drives():  # an address that was opened again finds what is still there
        at = min(int(st.session_state[AT]), run.batch) if _key(net) == st.session_state.get(OPENED) else 0
        _drives()[_key(net)] = Drive(at, at)
    elif run and now.going:
        _drives()[_key(net)] = _moved(now, run)
    elif run and not standing.going and _front(run) <= now.at < run.batch:  # it went a few batches further before it held
        _drives()[_key(net)] = replace(now, at=run.batch, until=run.batch)
    return standing


def _driven(net: str, until: int) -> Standing:
    return cached.runs().drive(cached.visitor(), parse(net), recipe(), until, _take(drive(net)))


def _take(now: Drive) -> str:
    return f"{cached.visitor()} {now.take}" if now.take else ""


def _moved(now: Drive, run: Run) -> Drive:
    """What has been seen by this time: the present, or a replay of what had been trained before."""
    replayed = run.reached(now.seconds + REPLAY * (time.monotonic() - now.since))
    at = min(run.batch if replayed >= _front(run) else max(replayed, now.at), now.until)
    until = at if run.finished and at >= run.batch else now.until
    return replace(now, at=at, until=until, testing=at == until and run.is_due(until))


def _front(run: Run) -> int:
    """The batch of the newest look."""
    return run.looks[-1].batch if run.looks else 0


def hold_others() -> None:
    """Hold the runs of networks and recipes that are not on the page any more."""
    shown = {_key(net) for net in networks()}
    for key, known in _drives().items():
        if known.going and key not in shown:
            net, text = key.split(" ")
            cached.runs().drive(cached.visitor(), parse(net), parse_recipe(text), 0, _take(known))
            _drives()[key] = replace(known, until=known.at, testing=False)


def go_on(batches: int | None = None) -> None:
    """Have each network trained for so many more batches, or to the end of the run; makes the runs where there are none."""
    for net in networks():
        _go(net, lambda at, run: run.batches if batches is None else at + batches)


def go_on_for_an_epoch() -> None:
    """Have each network trained to the end of the epoch that it is in."""
    for net in networks():
        _go(net, lambda at, run: (at // run.batches_per_epoch + 1) * run.batches_per_epoch)


def _go(net: str, until: Callable[[int, Run], int]) -> None:
    run, now = _driven(net, 1).run, drive(net)
    if run:
        wanted = min(until(now.at, run), run.batches)
        if wanted < _front(run) and not now.at:  # to be looked at batch by batch, and kept are some places only
            _start_over(net)
            run, now = _driven(net, 1).run or run, drive(net)
        seen = max((look.seconds for look in run.looks if look.batch <= now.at), default=0.0)
        _drives()[_key(net)] = Drive(now.at, wanted, now.take, time.monotonic(), seen)


def hold() -> None:
    """Hold both networks where they are."""
    for net in networks():
        now, run = drive(net), _driven(net, 0).run
        if run:
            run.wait()
        at = _moved(now, run).at if run and now.going else now.at
        _drives()[_key(net)] = replace(now, at=at, until=at, testing=False)
    note_place()


def start_over() -> None:
    """Back to the very same initial weights."""
    for net in networks():
        _driven(net, 0)
        _start_over(net)
    note_place()


def _start_over(net: str) -> None:
    _drives()[_key(net)] = Drive(take=drive(net).take + 1)


def note_place() -> None:
    """Put the place that has been reached into the address."""
    st.session_state[AT] = str(drive(state.architecture()).at)
    _write_url()


def _key(net: str) -> str:
    return f"{net} {st.session_state[RECIPE]}"


def _drives() -> dict[str, Drive]:
    drives: dict[str, Drive] = st.session_state.setdefault(DRIVES, {})
    return drives
