"""A queue for runs of pages: sessions that ask for much wait for each other, and the others do not wait for them.

Streamlit runs a page as soon as a browser asks, in a thread of the session's own. Python runs one thread at a time:
where thirty want to run, each waits for the interpreter hundreds of times, and so does the thread that reads questions
and sends answers. Thirty sessions that asked for their whole page twice a second once left another one without an
answer for minutes. So a question waits here until there is room for its run.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import math
import socket
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.types import ASGIApp, Receive, Scope, Send

# Runs at a time. Streamlit sends answers every 5 ms, and a turn is over only then. So four runs of a part of a page, of
# some 6 ms each, keep two threads busy. A whole page takes longer.
PLACES = {"part": 4, "page": 1}
LONG = 0.1  # seconds after which a run no longer keeps others waiting: it may be waiting itself
REMEMBERED = 10.0  # seconds after which the time of a run counts for a third
PENALTY = 5.0  # seconds that a session is put back in the queue for each second that its runs lately took
# Seconds added to a question's place in the queue. A changed setting shows nothing until it is answered. A drawing is
# followed by the browser itself. A look at what is under way, such as a training, loses nothing by waiting.
LATER = {"setting": 0.0, "drawing": 2.0, "look": 4.0}
UNSENT_LIMIT = 16_384  # bytes that wait for a browser, in the server and again in the system
SMALL = 500  # bytes; the message that a run has ended is smaller


@dataclass(eq=False)
class _Session:
    """A websocket. It is `gone` once nothing can be sent any more, and `opened` once its page has been run.

    `used` are the seconds that its runs have lately taken, at most `LONG` of each, as of `then`. `told` has the hash
    of each component's last value.
    """

    gone: bool = False
    opened: bool = False
    kind: str = ""  # of the run that it has room for, "" for none
    began: float = 0.0
    used: float = 0.0
    then: float = 0.0
    told: dict[str, int] = field(default_factory=dict)
    answered: asyncio.Event = field(default_factory=asyncio.Event)  # no run of its own keeps others waiting
    taken: asyncio.Event = field(default_factory=asyncio.Event)  # the browser has read what it was sent
    timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self.answered.set()
        self.taken.set()

    def used_by(self, now: float) -> float:
        """The seconds that its runs have taken of late."""
        return self.used * math.exp((self.then - now) / REMEMBERED)


@dataclass(eq=False)
class _Waiting:
    """A session that waits for its turn, until it `begins`."""

    session: _Session
    kind: str
    begins: asyncio.Future[None]


class _Line:
    """Turns that wait; the one with the lowest `due` comes first, and of two with the same the earlier one."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _Waiting]] = []
        self._numbers = itertools.count()

    def join(self, due: float, turn: _Waiting) -> None:
        heapq.heappush(self._heap, (due, next(self._numbers), turn))

    def take(self) -> _Waiting | None:
        """Take out the first turn that is still waited for."""
        while self._heap:
            turn = heapq.heappop(self._heap)[2]
            if not turn.begins.cancelled():
                return turn
        return None


class RunQueue:
    """ASGI middleware that hands a browser's question on when it is the session's turn.

    Sessions come in the order of their questions, but each is put back by the time that its runs have taken of late,
    and by what it asks (`LATER`): changed settings come first, looks at a training last. A session has one turn at a
    time, and none before its browser has read the answers so far. A page that has been opened and is run again as a
    whole, which browsers hardly ever ask for, begins only after the first runs of all pages that wait, and after a
    pause as long as the run before, 0.1 seconds at most.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._parts, self._pages, self._pages_again = _Line(), _Line(), _Line()
        self._running: Counter[str] = Counter()
        self._rest: asyncio.TimerHandle | None = None  # no page is run again before it has fired

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        session = _Session()
        _limit_unsent(send)

        async def receive_in_turn() -> MutableMapping[str, Any]:
            message = await receive()
            question = _question(message.get("bytes"))
            if question:
                await self._turn(session, question)
            return message

        async def send_and_note(message: MutableMapping[str, Any]) -> None:
            session.taken.clear()
            if _ends_run(message.get("bytes")):
                self._end(session)
            try:
                await send(message)
            except OSError:
                session.gone = True
                raise
            finally:
                session.taken.set()

        try:
            await self.app(scope, receive_in_turn, send_and_note)
        except RuntimeError:  # Streamlit's, where a browser goes while it is sent something: it would fill the log
            if not session.gone:
                raise
        finally:
            self._end(session)

    async def _turn(self, session: _Session, question: ClientState) -> None:
        later = LATER[_asks(question, session.told)]
        await session.answered.wait()
        await session.taken.wait()
        now = time.monotonic()
        turn = _Waiting(session, "part" if question.fragment_id else "page", asyncio.get_running_loop().create_future())
        line = self._parts
        if turn.kind == "page":
            line = self._pages_again if session.opened else self._pages
        line.join(now + later + PENALTY * session.used_by(now), turn)
        self._admit()
        await turn.begins

    def _admit(self) -> None:
        """Begin as many turns as there is room for."""
        now = time.monotonic()
        while self._running["part"] < PLACES["part"] and (turn := self._parts.take()):
            self._begin(turn, now)
        while self._running["page"] < PLACES["page"] and (turn := self._pages.take() or self._next_page_again()):
            self._begin(turn, now)

    def _next_page_again(self) -> _Waiting | None:
        return None if self._rest else self._pages_again.take()

    def _begin(self, turn: _Waiting, now: float) -> None:
        session = turn.session
        self._running[turn.kind] += 1
        session.kind, session.began = turn.kind, now
        session.answered.clear()
        session.timer = asyncio.get_running_loop().call_later(LONG, self._end, session)
        turn.begins.set_result(None)

    def _end(self, session: _Session) -> None:
        """Its run is over, or has become long."""
        if not session.kind:
            return
        now = time.monotonic()
        took = now - session.began
        session.used, session.then = session.used_by(now) + took, now
        self._running[session.kind] -= 1
        if session.kind == "page" and session.opened:
            if self._rest:
                self._rest.cancel()
            self._rest = asyncio.get_running_loop().call_later(took, self._end_rest)
        session.opened = session.opened or session.kind == "page"
        session.kind = ""
        session.answered.set()
        if session.timer:
            session.timer.cancel()
        self._admit()

    def _end_rest(self) -> None:
        self._rest = None
        self._admit()


def _limit_unsent(send: Send) -> None:
    """Limit what is buffered unsent. By default the system takes megabytes, and dozens of runs end before `send` waits
    for the browser.

    ASGI does not expose the connection. uvicorn's `send` is a method of its protocol, which has it; with another server
    nothing is limited.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if not transport:
        return
    transport.set_write_buffer_limits(UNSENT_LIMIT)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with suppress(OSError, ValueError):  # the browser has gone
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_LIMIT)


def _question(data: bytes | None) -> ClientState | None:
    """What a browser's message asks to run, None if it asks for no run."""
    question = BackMsg()
    try:
        question.ParseFromString(data or b"")
    except DecodeError:
        return None
    return question.rerun_script if question.HasField("rerun_script") else None


def _asks(question: ClientState, told: dict[str, int]) -> str:
    """What a question is about: a key of `LATER`. `told` has the hash of each component's last value; it is
    updated.

    A browser sends the values of all widgets each time. A component's value that is new tells of a drawing, or asks how
    far something is, if it says that there is nothing `drawn`. Where none is new, another widget has changed.
    """
    if question.is_auto_rerun:
        return "look"
    now = {state.id: state.json_value for state in question.widget_states.widgets if state.HasField("json_value")}
    new = [value for name, value in now.items() if told.get(name) != hash(value)]
    told.clear()
    told.update({name: hash(value) for name, value in now.items()})
    if not new:
        return "setting"
    return "drawing" if any(map(_tells, new)) else "look"


def _tells(value: str) -> bool:
    """Whether a component's value says more than that it asks how far something is."""
    try:
        message = json.loads(value)["message"]
        return bool(message["drawn"] or any(message[press] for press in ("numbers", "repair", "pin", "lacking")))
    except (ValueError, TypeError, KeyError, RecursionError):
        return True


def _ends_run(data: bytes | None) -> bool:
    if data is None or len(data) > SMALL:
        return False
    answer = ForwardMsg.FromString(data)
    return bool(answer.HasField("script_finished") and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN)
