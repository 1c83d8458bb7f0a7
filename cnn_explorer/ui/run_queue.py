"""A queue for runs of pages: sessions that ask for much wait for each other, and the others do not wait for them.

Streamlit runs a page as soon as a browser asks, in a thread of the session's own. Python runs one thread at a time:
where thirty want to run, each waits for the interpreter hundreds of times, and so does the thread that reads questions
and sends answers. Thirty sessions that asked for their whole page twice a second once left another one without an
answer for minutes. So a question waits here until there is room for its run.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from streamlit.proto.BackMsg_pb2 import BackMsg
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
SMALL = 500  # bytes; the message that a run has ended is smaller


@dataclass(eq=False)
class _Session:
    """A websocket. It is `gone` once nothing can be sent any more, and `opened` once its page has been run.

    `used` are the seconds that its runs have lately taken, at most `LONG` of each, as of `then`.
    """

    gone: bool = False
    opened: bool = False
    kind: str = ""  # of the run that it has room for, "" for none
    began: float = 0.0
    used: float = 0.0
    then: float = 0.0
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
    """A session that waits for its turn; the lowest `due` comes first."""

    session: _Session
    kind: str
    due: float
    begins: asyncio.Future[None]


class RunQueue:
    """ASGI middleware that hands a browser's question on when it is the session's turn.

    Sessions come in the order of their questions, but each is set back by the time that its runs have taken of late. A
    session has one turn at a time, and none before its browser has read the answers so far. A page that has been opened
    and is run again as a whole, which browsers hardly ever ask for, begins only after a pause as long as the run
    before, 0.1 seconds at most.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._waiting: list[_Waiting] = []
        self._running: Counter[str] = Counter()
        self._rest: asyncio.TimerHandle | None = None  # no page is run again before it has fired

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        session = _Session()

        async def receive_in_turn() -> MutableMapping[str, Any]:
            message = await receive()
            kind = _kind_of_run(message.get("bytes"))
            if kind:
                await self._turn(session, kind)
            return message

        async def send_and_note(message: MutableMapping[str, Any]) -> None:
            session.taken.clear()
            try:
                await send(message)
            except OSError:
                session.gone = True
                raise
            finally:
                session.taken.set()
            if _ends_run(message.get("bytes")):
                self._end(session)

        try:
            await self.app(scope, receive_in_turn, send_and_note)
        except RuntimeError:  # Streamlit's, where a browser goes while it is sent something: it would fill the log
            if not session.gone:
                raise
        finally:
            self._end(session)

    async def _turn(self, session: _Session, kind: str) -> None:
        await session.answered.wait()
        await session.taken.wait()
        now = time.monotonic()
        turn = _Waiting(session, kind, now + PENALTY * session.used_by(now), asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        self._admit()
        await turn.begins

    def _admit(self) -> None:
        """Begin as many turns as there is room for."""
        now = time.monotonic()
        self._waiting = [turn for turn in self._waiting if not turn.begins.cancelled()]
        for kind, places in PLACES.items():
            while self._running[kind] < places:
                waiting = [turn for turn in self._waiting if turn.kind == kind]
                if kind == "page" and self._rest:
                    waiting = [turn for turn in waiting if not turn.session.opened]
                if not waiting:
                    break
                self._begin(min(waiting, key=lambda turn: turn.due), now)

    def _begin(self, turn: _Waiting, now: float) -> None:
        session = turn.session
        self._waiting.remove(turn)
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


def _kind_of_run(data: bytes | None) -> str:
    """Whether a browser's message runs the whole page or a part of it, "" for neither."""
    question = BackMsg()
    try:
        question.ParseFromString(data or b"")
    except DecodeError:
        return ""
    if not question.HasField("rerun_script"):
        return ""
    return "part" if question.rerun_script.fragment_id else "page"


def _ends_run(data: bytes | None) -> bool:
    if data is None or len(data) > SMALL:
        return False
    answer = ForwardMsg.FromString(data)
    return bool(answer.HasField("script_finished") and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN)
