"""Which sessions' pages run, when many ask: against a server of which the test decides when its runs end."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from coroutines import completed
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from cnn_explorer.ui import run_queue
from cnn_explorer.ui.run_queue import PLACES, RunQueue


def run_of(fragment: str = "") -> bytes:
    question = BackMsg()
    question.rerun_script.query_string = "net=fc10"
    question.rerun_script.fragment_id = fragment
    return question.SerializeToString()


def finished(status: "ForwardMsg.ScriptFinishedStatus.ValueType" = ForwardMsg.FINISHED_SUCCESSFULLY) -> bytes:
    return ForwardMsg(script_finished=status).SerializeToString()


PAGE, PART = run_of(), run_of("live_view")


@dataclass
class Server:
    """Sessions by name, of one server. `runs` has the names in the order in which their runs began."""

    runs: list[str] = field(default_factory=list)
    sessions: dict[str, "Client"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queue = RunQueue(self.serve)

    async def serve(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
        """What Streamlit does: take every message, answer when the test says so."""
        session = self.sessions[scope["name"]]
        session.send = send
        while (await receive())["type"] != "websocket.disconnect":
            self.runs.append(session.name)

    async def ask(self, name: str, *messages: bytes) -> None:
        """Have a session ask, and give all others the time to begin."""
        if name not in self.sessions:
            self.sessions[name] = Client(name)
            self.sessions[name].start(self.queue)
        for message in messages:
            self.sessions[name].asked.put_nowait({"type": "websocket.receive", "bytes": message})
        await asyncio.sleep(0.001)

    async def answer(self, name: str, message: bytes | None = None) -> None:
        await self.sessions[name].send({"type": "websocket.send", "bytes": message or finished()})
        await asyncio.sleep(0.001)


@dataclass
class Client:
    name: str
    asked: "asyncio.Queue[MutableMapping[str, Any]]" = field(default_factory=asyncio.Queue)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    send: Callable[..., Any] = print

    def start(self, middleware: RunQueue) -> None:
        self.reads.set()
        scope = {"type": "websocket", "name": self.name}
        self.task = asyncio.create_task(middleware(scope, self.asked.get, self.take))

    async def take(self, message: MutableMapping[str, Any]) -> None:
        await self.reads.wait()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run is long, however busy the machine."""
    monkeypatch.setattr(run_queue, "LONG", 60.0)


@pytest.mark.usefixtures("patient")
def test_few_runs_at_a_time_and_a_page_keeps_no_part_waiting() -> None:
    async def check() -> None:
        server = Server()
        for name in "abcd":
            await server.ask(name, PAGE)
        assert server.runs == ["a"]
        for number in range(PLACES["part"] + 1):
            await server.ask(f"part {number}", PART)
        assert len(server.runs) == 1 + PLACES["part"]
        await server.answer("part 2", finished(ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY))
        assert server.runs[-1] == f"part {PLACES['part']}"
        await server.answer("a", finished(ForwardMsg.FINISHED_EARLY_FOR_RERUN))  # it goes on
        assert "b" not in server.runs
        await server.answer("a")
        assert server.runs[-1] == "b"

    completed(check())


def telling(seq: int, **others: object) -> bytes:
    """A run of a part, with the network view's message among the values of the widgets."""
    question = BackMsg.FromString(PART)
    message = {"seq": seq, "drawn": False, "numbers": "", "repair": "", "pin": None, "lacking": "", **others}
    widgets = question.rerun_script.widget_states.widgets
    widgets.add(id="view", json_value=json.dumps({"message": message}))
    widgets.add(id="kernel_size", int_value=seq)
    return question.SerializeToString()


@pytest.mark.usefixtures("patient")
def test_settings_come_before_drawings_and_those_before_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLACES, "part", 1)
    by_itself = BackMsg.FromString(PART)
    by_itself.rerun_script.is_auto_rerun = True
    strange = BackMsg.FromString(PART)
    strange.rerun_script.widget_states.widgets.add(id="view", json_value="[" * 100_000)

    async def check() -> None:
        server = Server()
        await server.ask("setting", telling(1))
        await server.answer("setting")
        await server.ask("first", PART)
        await server.ask("look", telling(1))
        await server.ask("look by itself", by_itself.SerializeToString())
        await server.ask("repair", telling(1, repair="fc10"))
        await server.ask("pin", telling(1, pin="fc10"))
        await server.ask("drawing", telling(1, drawn=True))
        await server.ask("strange", strange.SerializeToString())
        await server.ask("setting", telling(1))  # the view says what it said before
        while len(server.runs) < 9:
            await server.answer(server.runs[-1])
        assert server.runs == [
            "setting", "first", "setting", "repair", "pin", "drawing", "strange", "look", "look by itself",
        ]  # fmt: skip

    completed(check())


@pytest.mark.usefixtures("patient")
def test_who_has_run_for_long_comes_after_those_who_have_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_queue, "PENALTY", 1000.0)
    monkeypatch.setitem(PLACES, "part", 1)

    async def check() -> None:
        server = Server()
        await server.ask("greedy", PART)
        await asyncio.sleep(0.05)
        await server.answer("greedy")
        await server.ask("another", PART)
        for name in ("greedy", "modest", "new"):
            await server.ask(name, PART)
        for name in ("another", "modest", "new"):
            await server.answer(name)
        assert server.runs == ["greedy", "another", "modest", "new", "greedy"]

    completed(check())


def test_a_long_run_keeps_neither_others_nor_its_own_browser_waiting() -> None:
    async def check() -> None:
        server = Server()
        for name in "abc":
            await server.ask(name, PAGE)
        await server.ask("a", PAGE)  # which interrupts the run under way
        end = time.monotonic() + 20
        while sorted(server.runs) != ["a", "a", "b", "c"] and time.monotonic() < end:
            await asyncio.sleep(0.01)
        assert server.runs[:2] == ["a", "b"]
        assert sorted(server.runs) == ["a", "a", "b", "c"]

    completed(check())


@pytest.mark.usefixtures("patient")
def test_nothing_runs_for_a_browser_that_does_not_read() -> None:
    async def check() -> None:
        server = Server()
        await server.ask("silent", PART)
        server.sessions["silent"].reads.clear()
        answer = asyncio.create_task(server.answer("silent"))
        await server.ask("silent", PART, PART)
        await server.ask("other", PART)
        assert server.runs == ["silent", "other"]
        server.sessions["silent"].reads.set()
        await answer
        assert server.runs == ["silent", "other", "silent"]

    completed(check())


@pytest.mark.usefixtures("patient")
def test_a_page_that_is_run_again_and_again_takes_half_of_the_time() -> None:
    async def check() -> None:
        server = Server()
        await server.ask("flood", PAGE)
        await server.answer("flood")
        await server.ask("flood", PAGE)
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await server.answer("flood")
        await server.ask("flood", PAGE)
        assert server.runs == ["flood"] * 2
        await server.ask("new", PAGE)  # a page that is opened does not wait
        assert server.runs == ["flood", "flood", "new"]
        await server.answer("new")
        while len(server.runs) < 4:
            await asyncio.sleep(0.01)
            assert time.monotonic() < began + 20
        assert time.monotonic() > began + 0.15

    completed(check())


@pytest.mark.usefixtures("patient")
def test_what_runs_nothing_passes_and_who_goes_makes_room() -> None:
    async def check() -> None:
        server, heartbeat = Server(), BackMsg(app_heartbeat=True).SerializeToString()
        await server.ask("a", PAGE)
        await server.ask("b", heartbeat, b"\xff no message", PAGE)
        assert server.runs == ["a", "b", "b"]
        server.sessions["a"].asked.put_nowait({"type": "websocket.disconnect"})
        await asyncio.wait_for(server.sessions["a"].task, 20)
        await asyncio.sleep(0.001)
        assert server.runs == ["a", "b", "b", "b"]

    completed(check())


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
        completed(RunQueue(streamlit)({"type": "websocket"}, asyncio.Queue[Any]().get, send))
