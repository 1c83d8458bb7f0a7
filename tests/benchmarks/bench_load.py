"""A class, and a lecture hall, on one server: real sessions over websockets, without a browser.

    python tests/benchmarks/bench_load.py            # the scenarios of docs/measurements.md, about 8 minutes
    python tests/benchmarks/bench_load.py --visitors 400 --within 60 --rate 0.5 --seconds 60
    python tests/benchmarks/bench_load.py --costs    # processor time of a visit, of maps, of a setting
    python tests/benchmarks/bench_load.py --memory   # of a session, and after a thousand visits: 6 minutes
    python tests/benchmarks/bench_load.py --soak 30  # everything switched on, for so many minutes
    python tests/benchmarks/bench_load.py --page tests/benchmarks/pages/conventional.py …   # another page: opening alone

Server and sessions share the machine. Each session opens the first page, then sends drawings as the browser's view
does: at a steady rate, and the next one not before the last one is confirmed. Every fourth update ends a stroke: it
runs the page, which writes the address. The others ask for PyTorch's maps over HTTP; with `--runs` they run the page as
well, as in a browser that has no such answer. "usable" is the time from connecting to the maps that PyTorch made,
"confirmed" the time from sending a drawing to its maps. Sessions come at random moments.

Memory is resident memory in MB, which are 10⁶ bytes. PyTorch's share is what importing it and one forward pass add to a
Python process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import itertools
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.driver import Server, running_app
from PIL import Image, ImageDraw
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from visits import open_visit, resident_mb
from websockets.asyncio.client import ClientConnection, connect

from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.photographs import PHOTOGRAPHS
from cnn_explorer.digits.drawing import drawing_from_strokes

CLOCK = os.sysconf("SC_CLK_TCK")
PATIENCE = 120  # seconds for one answer
FORGOTTEN = 75  # seconds until Streamlit has dropped sessions whose browser is gone, and the server their memory
STROKE = 4  # updates
SCENARIOS = (  # name, visitors, seconds within which they come, updates a second each, seconds of updates
    ("a class, an update a second", 60, 30, 1, 30),
    ("a class that draws without pause", 60, 30, 4, 30),
    ("a lecture hall", 400, 60, 0.5, 60),
)


class Http:
    """A connection for PyTorch's maps while the pen moves, kept open as browsers keep it."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc

    async def __aenter__(self) -> Http:
        host, _, port = self.host.partition(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def pen_maps(self, net: str, version: str, drawing: str) -> bytes:
        """The answer's body. Raises `RuntimeError` if there is none."""
        query = urlencode({"net": net, "version": version})
        lines = (
            f"POST /pen_maps?{query} HTTP/1.1",
            f"Host: {self.host}",
            f"Content-Length: {len(drawing)}",
            "",
            drawing,
        )
        question = "\r\n".join(lines).encode()
        try:
            head = await self._ask(question)
        except (ConnectionError, asyncio.IncompleteReadError):  # the server has closed it: it was at rest for 5 seconds
            self.writer.close()
            await self.__aenter__()
            head = await self._ask(question)
        (length,) = (int(line.partition(":")[2]) for line in head.splitlines() if line.startswith("content-length:"))
        body = await self.reader.readexactly(length)
        if " 200 " not in head.splitlines()[0]:
            raise RuntimeError(f"{head.splitlines()[0]}: {body.decode()}")
        return body

    async def _ask(self, question: bytes) -> str:
        self.writer.write(question)
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode().lower()


@dataclass
class Session:
    """One visitor of the first page, or of the page at `path`. `usable`, `confirmed` and `ended` are in seconds:
    until there was a page, until the maps of each drawing, and of these the ones of a stroke's end. `header` is that of
    the network view's last update, and `texts` has the last run's HTML.
    """

    socket: ClientConnection
    path: str = ""
    query: str = ""
    hash: str = ""  # Streamlit's name of the page
    usable: float = 0
    confirmed: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    strokes: int = 0
    view: str = ""
    fragment: str = ""
    number: str = ""  # widget of the first block's kernel_size
    page: str = ""  # fragment that shows it
    header: dict[str, Any] = field(default_factory=lambda: {"seq": 0, "pending": True})
    texts: list[str] = field(default_factory=list)
    widgets: dict[str, dict[str, object]] = field(default_factory=dict)

    async def rerun(self, fragment: str = "") -> None:
        """Run the page, or one of its fragments, and read all that it sends."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = "" if self.hash else self.path
        message.rerun_script.page_script_hash = self.hash
        message.rerun_script.fragment_id = fragment
        self.texts.clear()
        for widget, value in self.widgets.items():
            state = message.rerun_script.widget_states.widgets.add(id=widget)
            for name, content in value.items():
                setattr(state, name, content)
        await self.socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await asyncio.wait_for(self.socket.recv(), PATIENCE))
            if answer.HasField("navigation"):
                self.hash = answer.navigation.page_script_hash
            elif answer.HasField("page_info_changed"):
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
            self.header = json.loads(data[4 : 4 + length])
            self.view, self.fragment = element.bidi_component.id, answer.delta.fragment_id
        elif element.HasField("number_input") and "block1_kernel_size" in element.number_input.id:
            self.number, self.page = element.number_input.id, answer.delta.fragment_id
        elif element.HasField("html"):
            self.texts.append(element.html.body)
        elif element.HasField("exception"):
            raise RuntimeError(element.exception.message)
        elif element.HasField("alert") and element.alert.format == Alert.ERROR:
            raise RuntimeError(element.alert.body)

    async def open(self) -> None:
        """Open the page, and ask until PyTorch has answered, as often as a browser does."""
        await self.rerun()
        while self.view and self.header["pending"]:
            await asyncio.sleep(0.3)
            await self.draw(drawn=False)

    def drawing(self) -> str:
        """Another one each time."""
        self.strokes += 1
        x = 60 + 7 * self.strokes % 160
        return drawing_from_strokes([[(x, 60), (x + 20, 140), (x, 220)]]).text

    async def move(self, http: Http) -> None:
        """Ask for the maps of a stroke that is going on."""
        await http.pen_maps(self.header["net"], self.header["version"], self.drawing())

    async def draw(self, drawn: bool = True, final: bool = False) -> None:
        """Send a stroke that is going on or ends, or a question alone, and wait until it is confirmed."""
        seq = self.header["seq"] + 1
        message = {
            "seq": seq,
            "drawing": self.drawing() if drawn else "",
            "final": final,
            "moving": drawn and not final,
            "lacking": "",
            "drawn": drawn,
        }
        self.widgets = {self.view: {"json_value": json.dumps({"message": message})}}
        await self.rerun(self.fragment)
        if self.header["seq"] < seq:
            raise RuntimeError(f"the page confirmed {self.header['seq']} and not {seq}")

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


async def visit(url: str, delay: float, rate: float, end: float, runs: bool = True) -> Session:
    """One session from its coming to the end, both in seconds of `time.monotonic`. With `runs`, every update is a run of
    the page.
    """
    await asyncio.sleep(delay)
    start = time.monotonic()
    async with connected(url) as socket, Http(url) as http:
        session = Session(socket)
        await session.open()
        session.usable = time.monotonic() - start
        due = time.monotonic()
        for number in itertools.count(1):
            if not (rate and session.view and due < end):
                break
            await asyncio.sleep(max(0, due - time.monotonic()))
            sent = time.monotonic()
            final = number % STROKE == 0
            await (session.draw(final=final) if final or runs else session.move(http))
            session.confirmed.append(time.monotonic() - sent)
            session.ended += session.confirmed[-1:] if final else []
            due = sent + 1 / rate
        await asyncio.sleep(max(0, end - time.monotonic()))
        return session


async def crowd(
    server: Server, name: str, visitors: int, within: float, rate: float, seconds: float, runs: bool
) -> None:
    """Have visitors come, draw and go; print what they met."""
    memory, used, start = resident_mb(server.pid), processor_time(server.pid), time.monotonic()
    end, chance = start + within + seconds, random.Random(0)
    results = await asyncio.gather(
        *(visit(server.url, within * chance.random(), rate, end, runs) for _ in range(visitors)),
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
    ended = [each * 1000 for session in sessions for each in session.ended]
    if ended:
        print(
            f"  of these at the end of a stroke  p50 {statistics.median(ended):6.0f} ms  p95 {at(ended, 0.95):6.0f} ms  "
            f"max {max(ended):6.0f}   n = {len(ended)}"
        )
    print(
        f"  server      {busy / took:.2f} of a core; {memory:.0f} MB before, {resident_mb(server.pid):.0f} MB with all; "
        f"{len(problems)} errors {' '.join(sorted(set(problems))[:3])}",
        flush=True,
    )


async def costs(server: Server, count: int) -> None:
    """Print the server's processor time for opening the page, a stroke's end, maps while it moves, a changed setting."""

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
            await session.draw(final=True)
        print(f"the end of a stroke  {per(used)}")
        async with Http(server.url) as http:
            used = processor_time(server.pid)
            for _ in range(10 * count):
                await session.move(http)
            print(f"maps while it moves  {(processor_time(server.pid) - used) / count * 100:6.1f} ms")
        for size in (3, 5):  # all that is computed once for these networks
            await session.set_kernel_size(size)
        used = processor_time(server.pid)
        for number in range(count):
            await session.set_kernel_size((3, 5)[number % 2])
        print(f"a changed setting    {per(used)}")


# --- memory ---


TORCH = """
import resource
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) * 1024 / 1e6
before = resident()
import torch
torch.nn.Conv2d(1, 10, 5)(torch.zeros(1, 1, 28, 28))
print(resident() - before)
"""


def torch_mb() -> float:
    """What PyTorch adds to a process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", TORCH], capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


async def come_and_go(url: str, together: int, count: int) -> None:
    """So many visits, some at a time: each opens the page, draws twice, changes a setting and leaves."""
    numbers = itertools.count()

    async def come() -> None:
        while next(numbers) < count:
            async with connected(url) as socket:
                session = Session(socket)
                await session.open()
                await session.draw()
                await session.draw()
                await session.set_kernel_size(3)

    await asyncio.gather(*(come() for _ in range(together)))


async def memory(server: Server, count: int = 1000) -> None:
    """Print what the server holds with a session more, and after visits that have come and gone."""
    torch, first = torch_mb(), resident_mb(server.pid)
    print(f"after the first visitor      {first:6.0f} MB, {first - torch:.0f} without PyTorch's share")
    await come_and_go(server.url, 5, 50)
    await asyncio.sleep(FORGOTTEN)
    before = resident_mb(server.pid)
    print(f"after 50 visits, all gone    {before:6.0f} MB, {before - torch:.0f} without", flush=True)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            session = Session(await stack.enter_async_context(connected(server.url)))
            await session.open()
            await session.draw()
        print(f"a further open session       {(resident_mb(server.pid) - before) / 100:6.2f} MB, of 100", flush=True)
    await come_and_go(server.url, 5, count - 150)
    print(f"after {count:,} visits, at once   {resident_mb(server.pid):6.0f} MB")
    await asyncio.sleep(FORGOTTEN)
    after = resident_mb(server.pid)
    print(f"after {count:,} visits, all gone  {after:6.0f} MB, {after - torch:.0f} without: {after - before:+.0f} MB")


# --- everything switched on ---


@dataclass
class Soak:
    """What the visitors of a soak have done and met: how many `answers` of each kind, and `problems`."""

    url: str
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    answers: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    async def draw(self) -> None:
        """Draw twice a second."""
        async with connected(self.url) as socket:
            session = Session(socket)
            await session.open()
            for _ in range(40):
                await session.draw()
                self.answers["drawings"] += 1
                await asyncio.sleep(0.5)

    async def change(self) -> None:
        """Change a setting of a random network every second; many of them are fitted, or trained on the spot."""
        parts = [f"conv{self.chance.randint(1, 16)}k{self.chance.randint(1, 6)}", "relu", "max2"]
        net = "-".join([*parts, f"fc{self.chance.randint(10, 80)}", "relu", "fc10"])
        async with connected(self.url) as socket:
            session = Session(socket, query=urlencode({"net": net}))
            await session.open()
            sizes = [size for size in range(1, 8) if f"k{size}-" not in net]
            for size in self.chance.sample(sizes, len(sizes)):
                await session.set_kernel_size(size)
                await session.draw(drawn=False)
                self.answers["settings"] += 1
                await asyncio.sleep(1)

    async def train(self) -> None:
        """Watch a training of a random network from its beginning to its end, as a page does."""
        net = f"conv{self.chance.randint(4, 12)}k5-max2-relu-fc{self.chance.randint(10, 200)}-relu-fc10"
        recipe = f"bundled-sgd0.05m0.5-b64-e4-s{self.chance.randint(0, 999)}"
        query = urlencode({"net": net, "recipe": recipe, "until": 252})
        async with connected(self.url) as socket:
            session = Session(socket, "training", query)
            await session.open()
            while (session.header["training"] or {}).get("going"):
                await session.draw(drawn=False)
                self.answers["looks at a training"] += 1
                await asyncio.sleep(0.3)

    async def upload(self) -> None:
        """Upload a picture of a digit."""
        await asyncio.to_thread(self._upload)

    def _upload(self) -> None:
        picture, file = Image.new("L", (1200, 900), 255), io.BytesIO()
        place = self.chance.randint(200, 800)
        ImageDraw.Draw(picture).line([(place, 150), (place + 80, 750)], fill=0, width=60)
        picture.save(file, "BMP")
        with open_visit(self.url) as visit:
            before = visit.drawing
            if visit.upload("digit", file.getvalue()) != 204 or not visit.rerun(files={"upload": "digit"}):
                raise RuntimeError("the upload failed")
            if visit.drawing == before or visit.error:
                raise RuntimeError(f"the picture was not taken over: {visit.error}")
        self.answers["pictures"] += 1
        time.sleep(1)

    async def classify(self) -> None:
        """Have a classic network say what is on a picture."""
        query = urlencode({"network": LITE0, "picture": self.chance.choice([*PHOTOGRAPHS])})
        async with connected(self.url) as socket:
            session = Session(socket, "classics", query)
            await session.rerun()
            while not any('class="answers"' in text for text in session.texts):
                await asyncio.sleep(0.5)
                await session.rerun()
            self.answers["pictures classified"] += 1
            await asyncio.sleep(5)

    async def again(self, act: Callable[[], Awaitable[None]]) -> None:
        """One visitor after the other, each on a connection of their own."""
        while True:
            try:
                await act()
            except Exception as problem:
                self.problems.append(f"{act.__name__}: {problem!r}")
                await asyncio.sleep(1)


def beside_mb(pid: int) -> float:
    """The resident memory of a process's children. Threads and children may end meanwhile."""
    found = 0.0
    for file in Path(f"/proc/{pid}/task").glob("*/children"):  # every thread has children of its own
        with contextlib.suppress(OSError, StopIteration):
            found += sum(resident_mb(int(child)) for child in file.read_text().split())
    return found


async def soak(server: Server, minutes: int, log: Path) -> None:
    """Have everything on for so many minutes; print what there was in each."""
    soak = Soak(server.url)
    visitors = [*[soak.draw] * 8, *[soak.change] * 2, *[soak.train] * 2, soak.upload, soak.classify]
    tasks = [asyncio.create_task(soak.again(act)) for act in visitors]
    print(f"{len(visitors)} visitors at a time")
    shown: set[str] = set()
    for minute in range(1, minutes + 1):
        await asyncio.sleep(60)
        beside = beside_mb(server.pid)
        told = log.read_text().count('"event": "error"')
        print(
            f"{minute:3d} min  {resident_mb(server.pid):5.0f} MB, {beside:5.0f} in the process of classic networks  "
            f"errors: {len(soak.problems)} met, {told} in the server's log  "
            f"{', '.join(f'{count} {kind}' for kind, count in sorted(soak.answers.items()))}",
            flush=True,
        )
        for problem in sorted({*soak.problems} - shown):
            print(f"         {problem}", flush=True)
        shown.update(soak.problems)
        soak.answers.clear()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--visitors", type=int)
    parser.add_argument("--within", type=float, default=60)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--page", type=Path, default=ROOT / "app.py")
    parser.add_argument("--runs", action="store_true")
    parser.add_argument("--costs", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--soak", type=int, metavar="MINUTES")
    options = parser.parse_args()
    with tempfile.NamedTemporaryFile() as log, running_app(options.page, log=Path(log.name)) as server:
        asyncio.run(visit(server.url, 0, 0, 0))
        print(f"after the first visitor: {resident_mb(server.pid):.0f} MB")
        if options.costs:
            asyncio.run(costs(server, 60))
        elif options.memory:
            asyncio.run(memory(server))
        elif options.soak:
            asyncio.run(soak(server, options.soak, Path(log.name)))
        elif options.visitors:
            asyncio.run(
                crowd(server, "as asked", options.visitors, options.within, options.rate, options.seconds, options.runs)
            )
        else:
            for scenario in SCENARIOS:
                asyncio.run(crowd(server, *scenario, runs=options.runs))


if __name__ == "__main__":
    main()
