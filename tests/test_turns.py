"""Which sessions' pages run, when many ask: against a server of which the test decides when its runs end."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from cnn_explorer.ui import turns
from cnn_explorer.ui.turns import PLACES, Turns


def run_of(fragment: str = "") -> bytes:
    question = BackMsg()
    question.rerun_script.query_string = "net=fc10"
    question.rerun_script.fragment_id = fragment
    return question.SerializeToString()


def finished(status: "ForwardMsg.ScriptFinishedStatus.ValueType" = ForwardMsg.FINISHED_SUCCESSFULLY) -> bytes:
    return ForwardMsg(script_finished=status).SerializeToString()


PAGE, PART = run_of(), run_of("live_view")


@dataclass
class Hall:
    """Sessions by name, of one server. `runs` has the names in the order in which their runs began."""

    runs: list[str] = field(default_factory=list)
    sessions: dict[str, "Member"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.turns = Turns(self.serve)

    async def serve(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
        """What Streamlit does: take every message, answer when the test says so."""
        session = self.sessions[scope["name"]]
        session.send = send
        while (await receive())["type"] != "websocket.disconnect":
            self.runs.append(session.name)

    async def ask(self, name: str, *messages: bytes) -> None:
        """Have a session ask, and give all others the time to begin."""
        if name not in self.sessions:
            self.sessions[name] = Member(name)
            self.sessions[name].start(self.turns)
        for message in messages:
            self.sessions[name].asked.put_nowait({"type": "websocket.receive", "bytes": message})
        await asyncio.sleep(0.001)

    async def answer(self, name: str, message: bytes | None = None) -> None:
        await self.sessions[name].send({"type": "websocket.send", "bytes": message or finished()})
        await asyncio.sleep(0.001)


@dataclass
class Member:
    name: str
    asked: "asyncio.Queue[MutableMapping[str, Any]]" = field(default_factory=asyncio.Queue)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    send: Callable[..., Any] = print

    def start(self, middleware: Turns) -> None:
        self.reads.set()
        scope = {"type": "websocket", "name": self.name}
        self.task = asyncio.create_task(middleware(scope, self.asked.get, self.take))

    async def take(self, message: MutableMapping[str, Any]) -> None:
        await self.reads.wait()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run is long, however busy the machine."""
    monkeypatch.setattr(turns, "LONG", 60.0)


@pytest.mark.usefixtures("patient")
def test_few_runs_at_a_time_and_a_page_keeps_no_part_waiting() -> None:
    async def check() -> None:
        hall = Hall()
        for name in "abcd":
            await hall.ask(name, PAGE)
        assert hall.runs == ["a"]
        for number in range(PLACES["part"] + 1):
            await hall.ask(f"part {number}", PART)
        assert len(hall.runs) == 1 + PLACES["part"]
        await hall.answer("part 2", finished(ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY))
        assert hall.runs[-1] == f"part {PLACES['part']}"
        await hall.answer("a", finished(ForwardMsg.FINISHED_EARLY_FOR_RERUN))  # it goes on
        assert "b" not in hall.runs
        await hall.answer("a")
        assert hall.runs[-1] == "b"

    asyncio.run(check())


@pytest.mark.usefixtures("patient")
def test_who_has_run_for_long_comes_after_those_who_have_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PENALTY", 1000.0)
    monkeypatch.setitem(PLACES, "part", 1)

    async def check() -> None:
        hall = Hall()
        await hall.ask("greedy", PART)
        await asyncio.sleep(0.05)
        await hall.answer("greedy")
        await hall.ask("another", PART)
        for name in ("greedy", "modest", "new"):
            await hall.ask(name, PART)
        for name in ("another", "modest", "new"):
            await hall.answer(name)
        assert hall.runs == ["greedy", "another", "modest", "new", "greedy"]

    asyncio.run(check())


def test_a_long_run_keeps_neither_others_nor_its_own_browser_waiting() -> None:
    async def check() -> None:
        hall = Hall()
        for name in "abc":
            await hall.ask(name, PAGE)
        await hall.ask("a", PAGE)  # which interrupts the run under way
        end = time.monotonic() + 20
        while sorted(hall.runs) != ["a", "a", "b", "c"] and time.monotonic() < end:
            await asyncio.sleep(0.01)
        assert hall.runs[:2] == ["a", "b"]
        assert sorted(hall.runs) == ["a", "a", "b", "c"]

    asyncio.run(check())


@pytest.mark.usefixtures("patient")
def test_nothing_runs_for_a_browser_that_does_not_read() -> None:
    async def check() -> None:
        hall = Hall()
        await hall.ask("silent", PART)
        hall.sessions["silent"].reads.clear()
        answer = asyncio.create_task(hall.answer("silent"))
        await hall.ask("silent", PART, PART)
        await hall.ask("other", PART)
        assert hall.runs == ["silent", "other"]
        hall.sessions["silent"].reads.set()
        await answer
        assert hall.runs == ["silent", "other", "silent"]

    asyncio.run(check())


@pytest.mark.usefixtures("patient")
def test_a_page_that_is_run_again_and_again_takes_half_of_the_time() -> None:
    async def check() -> None:
        hall = Hall()
        await hall.ask("flood", PAGE)
        await hall.answer("flood")
        await hall.ask("flood", PAGE)
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await hall.answer("flood")
        await hall.ask("flood", PAGE)
        assert hall.runs == ["flood"] * 2
        await hall.ask("new", PAGE)  # a page that is opened does not wait
        assert hall.runs == ["flood", "flood", "new"]
        await hall.answer("new")
        while len(hall.runs) < 4:
            await asyncio.sleep(0.01)
            assert time.monotonic() < began + 20
        assert time.monotonic() > began + 0.15

    asyncio.run(check())


@pytest.mark.usefixtures("patient")
def test_what_runs_nothing_passes_and_who_goes_makes_room() -> None:
    async def check() -> None:
        hall, heartbeat = Hall(), BackMsg(app_heartbeat=True).SerializeToString()
        await hall.ask("a", PAGE)
        await hall.ask("b", heartbeat, b"\xff no message", PAGE)
        assert hall.runs == ["a", "b", "b"]
        hall.sessions["a"].asked.put_nowait({"type": "websocket.disconnect"})
        await asyncio.wait_for(hall.sessions["a"].task, 20)
        await asyncio.sleep(0.001)
        assert hall.runs == ["a", "b", "b", "b"]

    asyncio.run(check())


@pytest.mark.parametrize("gone", [False, True])
def test_a_browser_that_goes_while_it_is_sent_something_is_no_failure(gone: bool) -> None:
    async def streamlit(scope: Any, receive: Any, send: Any) -> None:
        with suppress(OSError):
            await send({"type": "websocket.send", "bytes": finished()})
        raise RuntimeError("what it raises next")

    async def send(message: Any) -> None:
        if gone:
            raise OSError("the browser has gone")

    expected = nullcontext() if gone else pytest.raises(RuntimeError, match="what it raises next")
    with expected:
        asyncio.run(Turns(streamlit)({"type": "websocket"}, asyncio.Queue[Any]().get, send))
