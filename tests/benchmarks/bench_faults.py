"""An honest visitor beside hostile ones, and a class whose server is killed.

    python tests/benchmarks/bench_faults.py                  # beside each attack, without nginx and with it: 15 minutes
    python tests/benchmarks/bench_faults.py --attack silent  # one attack
    python tests/benchmarks/bench_faults.py --killed         # 60 sessions on two replicas, one killed and brought back

An honest session sends four drawings a second. Its answers are timed alone, beside an attack from another process, and
after that. "memory" is the server's before the attack, at most during it, and after it, once Streamlit has forgotten
the sessions.

With nginx in front, its bounds for an address are those of docs/nginx.conf: honest and hostile sessions share one.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(Path(__file__).parent))

from bench_load import FORGOTTEN, Session, at, connected
from browser.driver import Server, running_app
from proxy import free_port, running_proxy
from visits import Visit, resident_mb, run_of_a_page
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from cnn_explorer.digits.drawing import drawing_from_strokes

RATE = 4  # drawings a second of the honest session
NETWORK_ERRORS = (OSError, WebSocketException, asyncio.IncompleteReadError, TimeoutError)


# --- hostile visitors ---


def stream(url: str) -> connect:
    """A websocket that reads no further than one message."""
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    return connect(address, subprotocols=["streamlit"], max_size=None, max_queue=1, proxy=None, ping_interval=None)  # type: ignore[list-item]


async def half_open(url: str) -> None:
    """A connection that never finishes its request."""
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    writer.write(b"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: webso")
    await reader.read()  # until the server gives up
    writer.close()


async def silent(url: str) -> None:
    """A session that asks twice a second and reads nothing."""
    async with stream(url) as socket:
        while True:
            await socket.send(run_of_a_page())
            await asyncio.sleep(0.5)


async def slow(url: str) -> None:
    """A session that asks as often and reads one message a second."""

    async def read() -> None:
        while True:
            await socket.recv()
            await asyncio.sleep(1)

    async with stream(url) as socket:
        reading = asyncio.create_task(read())
        try:
            while True:
                await socket.send(run_of_a_page())
                await asyncio.sleep(0.5)
        finally:
            reading.cancel()


async def dropped(url: str) -> None:
    """A session that is gone without a word before its page is there."""
    async with stream(url) as socket:
        await socket.send(run_of_a_page())
        await socket.recv()
        socket.transport.abort()


async def large(url: str) -> None:
    """A frame of 50 MB."""
    async with stream(url) as socket:
        await socket.send(bytes(50_000_000))
        await socket.wait_closed()


# What a hostile process runs, how often at a time, and how often a second anew at most.
ATTACKS: dict[str, tuple[Callable[[str], Awaitable[None]], int, float]] = {
    "half_open": (half_open, 200, 100),
    "silent": (silent, 30, 30),
    "slow": (slow, 30, 30),
    "dropped": (dropped, 10, 17),  # 500 in half a minute
    "large": (large, 4, 2),
}


def attack(name: str, url: str) -> None:
    """Run an attack until the process is ended."""
    act, together, rate = ATTACKS[name]
    spaced = asyncio.Lock()

    async def again() -> None:
        while True:
            async with spaced:
                await asyncio.sleep(1 / rate)
            with suppress(*NETWORK_ERRORS, AttributeError):  # asyncio's, where a connection is aborted twice
                await act(url)

    async def all_of_them() -> None:
        await asyncio.gather(*(again() for _ in range(together)))

    asyncio.run(all_of_them())


# --- the honest one ---


async def honest(url: str, seconds: float) -> list[float]:
    """Seconds from a drawing to its confirmation, one for each drawing."""
    async with connected(url) as socket:
        session = Session(socket)
        await session.open()
        took, end, due = [], time.monotonic() + seconds, time.monotonic()
        while due < end:
            await asyncio.sleep(max(0, due - time.monotonic()))
            start = time.monotonic()
            await session.draw()
            took.append(time.monotonic() - start)
            due = max(due + 1 / RATE, time.monotonic())
        return took


def described(took: list[float]) -> str:
    """Median, 95 % quantile and the longest of these times."""
    return (
        f"p50 {statistics.median(took) * 1000:5.0f}  p95 {at(took, 0.95) * 1000:6.0f}  max {max(took) * 1000:6.0f} ms"
    )


class Memory:
    """The most memory that a process takes while the block runs."""

    def __init__(self, pid: int) -> None:
        self.pid, self.most = pid, 0.0
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.most = max(self.most, resident_mb(self.pid))

    def __enter__(self) -> Memory:
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()


def beside(name: str, url: str, server: Server, seconds: float) -> None:
    """Time the honest session before, during and after one attack; print it."""
    alone = asyncio.run(honest(url, seconds / 2))
    before = resident_mb(server.pid)
    hostile = multiprocessing.get_context("spawn").Process(target=attack, args=(name, url))
    hostile.start()
    time.sleep(2)
    try:
        with Memory(server.pid) as memory:
            during = asyncio.run(honest(url, seconds))
    finally:
        hostile.terminate()
        hostile.join()
    alone += asyncio.run(honest(url, seconds / 2))
    time.sleep(FORGOTTEN)
    print(f"  {name:<10} alone   {described(alone)}")
    print(f"  {'':<10} beside  {described(during)}  p95 × {at(during, 0.95) / at(alone, 0.95):.1f}", end="  ")
    print(f"memory {before:.0f}, {memory.most:.0f}, {resident_mb(server.pid):.0f} MB", flush=True)


def attacks(names: list[str], seconds: float) -> None:
    """Each attack on the server itself, then through nginx."""
    for behind in ("", "nginx"):
        with ExitStack() as stack:
            server = stack.enter_context(running_app(ROOT / "app.py"))
            url = server.url
            if behind:
                ports = (int(str(urlsplit(url).port)), free_port())
                url = stack.enter_context(
                    running_proxy(ports, Path(stack.enter_context(tempfile.TemporaryDirectory())))
                )
            print(f"behind {behind}" if behind else "the server itself")
            asyncio.run(honest(url, 5))
            for name in names:
                beside(name, url, server, seconds)


# --- a replica that is killed ---


class Member(threading.Thread):
    """A visitor who runs the page twice a second and comes back whenever the connection is lost. `gaps` are the seconds
    from the last answer before that to the next one; `wrong` counts answers of another drawing or network.
    """

    def __init__(self, url: str, number: int, over: threading.Event) -> None:
        super().__init__()
        self.net = ("conv10k5-max2-relu-conv20k5-max2-relu-fc10", "conv8k3-relu-max2-fc10")[number % 2]
        self.drawing = drawing_from_strokes([[(40 + 3 * number, 60), (90, 140), (80, 220)]]).text
        self.visit = Visit(url, urlencode({"net": self.net, "drawing": self.drawing}))
        self.over, self.gaps, self.wrong, self.answers = over, [], 0, 0
        self.open = threading.Event()

    def run(self) -> None:
        """Until it is over."""
        answered, lost = time.monotonic(), True
        while not self.over.is_set():
            try:
                if lost:
                    self.visit.connect()
                if not self.visit.rerun():
                    raise RuntimeError("the page failed")
                if self.visit.view["pending"]:
                    time.sleep(0.3)
                    continue
                now = time.monotonic()
                if lost and self.open.is_set():
                    self.gaps.append(now - answered)
                answered, lost = now, False
                self.open.set()
                self.answers += 1
                self.wrong += (self.visit.view["net"], self.visit.view["drawing"]) != (self.net, self.drawing)
                self.over.wait(0.5)
            except NETWORK_ERRORS:
                lost = True
                self.over.wait(0.2)
        self.visit.close()


def killed(sessions: int) -> None:
    """Kill one of two replicas while sessions are open, bring it back, then kill the other one."""
    with ExitStack() as stack:
        ports = [free_port(), free_port()]
        servers = [stack.enter_context(running_app(ROOT / "app.py", port=port)) for port in ports]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(running_proxy((ports[0], ports[1]), folder))
        for server in servers:
            asyncio.run(honest(server.url, 1))
        over = threading.Event()
        stack.callback(over.set)
        members = [Member(url, number, over) for number in range(sessions)]
        with ThreadPoolExecutor() as several:
            list(several.map(Member.start, members))
        for member in members:
            member.open.wait(120)
        time.sleep(5)
        for number, dead in enumerate(servers):
            here = [member.visit.cookies["replica"] for member in members]
            was = sum(len(member.gaps) for member in members)
            os.kill(dead.pid, signal.SIGKILL)
            time.sleep(10)
            gaps = sorted(gap for member in members for gap in member.gaps)
            print(
                f"replica {number + 1} killed with {here.count(('one', 'two')[number])} of {sessions} sessions: "
                f"{len(gaps) - was} came back, {described(gaps)}"
            )
            for member in members:
                member.gaps.clear()
            if number == 0:
                server = stack.enter_context(running_app(ROOT / "app.py", port=ports[0]))
                asyncio.run(honest(server.url, 1))
                time.sleep(5)
        over.set()
        for member in members:
            member.join()
        print(f"{sum(member.answers for member in members)} answers, {sum(member.wrong for member in members)} wrong")


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--attack", choices=ATTACKS, help="this one alone")
    parser.add_argument("--seconds", type=float, default=30, help="of each attack")
    parser.add_argument("--killed", action="store_true")
    parser.add_argument("--sessions", type=int, default=60)
    options = parser.parse_args()
    if options.killed:
        killed(options.sessions)
    else:
        attacks([options.attack] if options.attack else list(ATTACKS), options.seconds)


if __name__ == "__main__":
    main()
