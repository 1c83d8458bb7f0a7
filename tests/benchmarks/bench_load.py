"""A class, and a lecture hall, on one server: real sessions over websockets, without a browser.

    python tests/benchmarks/bench_load.py            # the scenarios of docs/measurements.md, about 8 minutes
    python tests/benchmarks/bench_load.py --visitors 400 --within 60 --rate 0.5 --seconds 60
    python tests/benchmarks/bench_load.py --costs    # processor time of one visit, one confirmation, one setting
    python tests/benchmarks/bench_load.py --page tests/benchmarks/pages/plotly_page.py …   # another page: opening alone

Server and sessions share the machine. Each session opens the first page, then sends drawings as the browser's view
does: at a steady rate, and the next one not before the last one is confirmed. "usable" is the time from connecting to
the maps that PyTorch made, "confirmed" the time from sending a drawing to its maps. Sessions come at random moments.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.driver import Server, running_app
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from visits import resident_mb
from websockets.asyncio.client import ClientConnection, connect

from cnn_explorer.digits.drawing import drawing_from_strokes

CLOCK = os.sysconf("SC_CLK_TCK")
PATIENCE = 120  # seconds for one answer
SCENARIOS = (  # name, visitors, seconds within which they come, updates a second each, seconds of updates
    ("a class, an update a second", 60, 30, 1, 30),
    ("a class that draws without pause", 60, 30, 4, 30),
    ("a lecture hall", 400, 60, 0.5, 60),
)


@dataclass
class Session:
    """One visitor. `usable` and `confirmed` are in seconds."""

    socket: ClientConnection
    usable: float = 0
    confirmed: list[float] = field(default_factory=list)
    view: str = ""
    fragment: str = ""
    number: str = ""  # widget of the first block's kernel_size
    page: str = ""  # fragment that shows it
    query: str = ""
    seq: int = 0
    pending: bool = True
    widgets: dict[str, dict[str, object]] = field(default_factory=dict)

    async def rerun(self, fragment: str = "") -> None:
        """Run the page, or one of its fragments, and read all that it sends."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.fragment_id = fragment
        for widget, value in self.widgets.items():
            state = message.rerun_script.widget_states.widgets.add(id=widget)
            for name, content in value.items():
                setattr(state, name, content)
        await self.socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await asyncio.wait_for(self.socket.recv(), PATIENCE))
            if answer.HasField("page_info_changed"):
                self.query = answer.page_info_changed.query_string
            elif answer.HasField("delta") and answer.delta.HasField("new_element"):
                self._look(answer)
            elif answer.HasField("script_finished") and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return

    def _look(self, answer: ForwardMsg) -> None:
        element = answer.delta.new_element
        if element.HasField("bidi_component") and "network_view" in element.bidi_component.component_name:
            data = element.bidi_component.bytes
            (length,) = struct.unpack_from("<I", data)
            header = json.loads(data[4 : 4 + length])
            self.pending, self.seq = header["pending"], header["seq"]
            self.view, self.fragment = element.bidi_component.id, answer.delta.fragment_id
        elif element.HasField("number_input") and "block1_kernel_size" in element.number_input.id:
            self.number, self.page = element.number_input.id, answer.delta.fragment_id
        elif element.HasField("exception"):
            raise RuntimeError(element.exception.message)

    async def open(self) -> None:
        """Open the page, and ask until PyTorch has answered, as often as a browser does."""
        await self.rerun()
        while self.view and self.pending:
            await asyncio.sleep(0.3)
            await self.draw(drawn=False)

    async def draw(self, drawn: bool = True) -> None:
        """Send a stroke that is going on, or a question alone, and wait until it is confirmed."""
        seq = self.seq + 1
        x = 60 + 7 * seq % 160
        message = {
            "seq": seq,
            "drawing": drawing_from_strokes([[(x, 60), (x + 20, 140), (x, 220)]]).text if drawn else "",
            "final": False,
            "moving": drawn,
            "lacking": "",
            "drawn": drawn,
        }
        self.widgets = {self.view: {"json_value": json.dumps({"message": message})}}
        await self.rerun(self.fragment)
        if self.seq < seq:
            raise RuntimeError(f"the page confirmed {self.seq} and not {seq}")

    async def set_kernel_size(self, size: int) -> None:
        """Change the first block's kernel_size."""
        self.widgets = {self.number: {"int_value": size}}
        before = self.query
        await self.rerun(self.page)
        if self.query == before:
            raise RuntimeError(f"kernel_size did not become {size}")


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK


def at(values: list[float], share: float) -> float:
    """The value below which this share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def connected(url: str) -> connect:
    """A connection to a server's page, as a context manager."""
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    return connect(address, subprotocols=["streamlit"], max_size=None, proxy=None, open_timeout=PATIENCE)  # type: ignore[list-item]


async def visit(url: str, delay: float, rate: float, end: float) -> Session:
    """One session from its coming to the end, both in seconds of `time.monotonic`."""
    await asyncio.sleep(delay)
    start = time.monotonic()
    async with connected(url) as socket:
        session = Session(socket)
        await session.open()
        session.usable = time.monotonic() - start
        due = time.monotonic()
        while rate and session.view and due < end:
            await asyncio.sleep(max(0, due - time.monotonic()))
            sent = time.monotonic()
            await session.draw()
            session.confirmed.append(time.monotonic() - sent)
            due = sent + 1 / rate
        await asyncio.sleep(max(0, end - time.monotonic()))
        return session


async def crowd(server: Server, name: str, visitors: int, within: float, rate: float, seconds: float) -> None:
    """Have visitors come, draw and go; print what they met."""
    memory, used, start = resident_mb(server.pid), processor_time(server.pid), time.monotonic()
    end, chance = start + within + seconds, random.Random(0)
    results = await asyncio.gather(
        *(visit(server.url, within * chance.random(), rate, end) for _ in range(visitors)),
        return_exceptions=True,
    )
    sessions = [result for result in results if isinstance(result, Session)]
    problems = [repr(result) for result in results if not isinstance(result, Session)]
    took, busy = time.monotonic() - start, processor_time(server.pid) - used
    print(f"{name}: {visitors} visitors within {within:g} s, {rate:g} updates a second each")
    usable = [session.usable for session in sessions]
    print(
        f"  usable      p50 {statistics.median(usable):6.2f} s   p95 {at(usable, 0.95):6.2f} s   max {max(usable):6.2f}"
    )
    confirmed = [each * 1000 for session in sessions for each in session.confirmed]
    if confirmed:
        counts = sorted(len(session.confirmed) for session in sessions)
        print(
            f"  confirmed   p50 {statistics.median(confirmed):6.0f} ms  p95 {at(confirmed, 0.95):6.0f} ms  "
            f"max {max(confirmed):6.0f}   n = {len(confirmed)}; a session {counts[0]} to {counts[-1]}, "
            f"median {statistics.median(counts):g}"
        )
    print(
        f"  server      {busy / took:.2f} of a core; {memory:.0f} MB before, {resident_mb(server.pid):.0f} MB with all; "
        f"{len(problems)} errors {' '.join(sorted(set(problems))[:3])}",
        flush=True,
    )


async def costs(server: Server, count: int) -> None:
    """Print the processor time of the server for one visit, one confirmation and one changed setting."""

    def per(used: float) -> str:
        return f"{(processor_time(server.pid) - used) / count * 1000:6.1f} ms"

    async with connected(server.url) as socket:
        session = Session(socket)
        await session.open()
        used = processor_time(server.pid)
        for _ in range(count):
            await visit(server.url, 0, 0, 0)
        print(f"opening the page     {per(used)}")
        used = processor_time(server.pid)
        for _ in range(count):
            await session.draw()
        print(f"a confirmation       {per(used)}")
        for size in (5, 3, 5):  # all that is computed once for these networks
            await session.set_kernel_size(size)
        used = processor_time(server.pid)
        for number in range(count):
            await session.set_kernel_size((3, 5)[number % 2])
        print(f"a changed setting    {per(used)}")


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--visitors", type=int)
    parser.add_argument("--within", type=float, default=60)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--page", type=Path, default=ROOT / "app.py")
    parser.add_argument("--costs", action="store_true")
    options = parser.parse_args()
    with running_app(options.page) as server:
        asyncio.run(visit(server.url, 0, 0, 0))
        print(f"after the first visitor: {resident_mb(server.pid):.0f} MB")
        if options.costs:
            asyncio.run(costs(server, 60))
        elif options.visitors:
            asyncio.run(crowd(server, "as asked", options.visitors, options.within, options.rate, options.seconds))
        else:
            for scenario in SCENARIOS:
                asyncio.run(crowd(server, *scenario))


if __name__ == "__main__":
    main()
