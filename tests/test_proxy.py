"""Two replicas behind nginx with the configuration of the documents: who is served by whom, also when one is killed."""

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from browser.driver import ROOT, Server, running_app
from proxy import free_port, nginx, running_proxy
from streamlit.proto.BackMsg_pb2 import BackMsg
from visits import Visit, open_visit, resident_mb, runs_without_reading
from websockets.exceptions import WebSocketException

from cnn_explorer.digits.drawing import drawing_from_strokes

NETWORKS = ("conv10k5-max2-relu-conv20k5-max2-relu-fc10", "conv6k5-relu-max2-fc10", "conv8k3-relu-max2-fc10")
VISITORS = 6
PATIENCE = 5.0  # seconds until everybody must be served again


@dataclass
class Replicas:
    """Two servers by name, as docs/nginx.conf names them. `log` has what each has written on stderr."""

    folder: Path
    stack: ExitStack
    ports: dict[str, int] = field(default_factory=lambda: {"one": free_port(), "two": free_port()})
    servers: dict[str, Server] = field(default_factory=dict)

    def start(self, name: str) -> None:
        server = running_app(ROOT / "app.py", port=self.ports[name], log=self.log(name), forked=True)
        self.servers[name] = self.stack.enter_context(server)

    def kill(self, name: str) -> None:
        os.kill(self.servers[name].pid, signal.SIGKILL)

    def log(self, name: str) -> Path:
        return self.folder / name


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=30) as answer:
            told = answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        told = refused.code, json.load(refused)
    assert told in [(200, {"ready": True}), (503, {"ready": False})]
    return told[0] == 200


def becomes_ready(url: str, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not (ready := is_ready(url)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return ready


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    if nginx() is None and "CI" not in os.environ:
        pytest.skip("needs nginx: apt-get install nginx-light")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMLIT_SERVER_COOKIE_SECRET", "the same secret of thirty-two characters")
        both = Replicas(tmp_path_factory.mktemp("replicas"), stack)
        for name in both.ports:
            both.start(name)
        yield both


@dataclass
class HalfOpen:
    """Connections that never finish their request, since a moment."""

    since: float
    sockets: list[socket.socket]


@pytest.fixture(scope="module")
def half_open(proxy: str) -> Iterator[HalfOpen]:
    address, request = urlsplit(proxy), b"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: webso"
    with ExitStack() as stack:
        opened = HalfOpen(time.monotonic(), [])
        for _ in range(200):
            opened.sockets.append(stack.enter_context(socket.create_connection((address.hostname, address.port))))
            opened.sockets[-1].sendall(request)
        yield opened


@pytest.fixture(scope="module")
def proxy(replicas: Replicas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_proxy((replicas.ports["one"], replicas.ports["two"]), tmp_path_factory.mktemp("nginx")) as url:
        yield url


def events(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_a_server_is_ready_once_its_weights_are_loaded_and_says_what_it_runs_with(replicas: Replicas) -> None:
    url = replicas.servers["one"].url
    assert not is_ready(url)  # and the question has it load them
    assert becomes_ready(url)
    start, loaded = events(replicas.log("one"))
    assert start["event"] == "start"
    assert int(str(start["memory_mb"])) > 100
    assert loaded["event"] == "loaded"
    assert str(loaded["torch"]).startswith(str(start["torch"]).partition("+")[0])
    assert loaded["threads"] == 1
    assert becomes_ready(replicas.servers["two"].url)


@pytest.mark.usefixtures("half_open")
def test_long_addresses_pass_and_large_bodies_do_not(proxy: str) -> None:
    visit = Visit(proxy)
    assert visit.request("GET", f"/convolution?x={'a' * 12_000}", headers={"Referer": f"{proxy}/{'a' * 12_000}"}) == 200
    assert visit.request("POST", "/", body=bytes(1_100_000)) == 413
    assert visit.request("PUT", "/_stcore/upload_file/x/y", body=bytes(22_100_000)) == 413


@pytest.mark.parametrize("megabytes", [1.1, 50])
def test_a_frame_above_the_limit_is_refused(replicas: Replicas, proxy: str, megabytes: float) -> None:
    question = BackMsg()
    question.rerun_script.query_string = "x" * int(megabytes * 1e6)
    before = [resident_mb(server.pid) for server in replicas.servers.values()]
    with open_visit(proxy) as visit, open_visit(proxy) as other:
        assert visit.refused(question.SerializeToString()) in (1009, 1006)
        assert other.rerun()
    after = [resident_mb(server.pid) for server in replicas.servers.values()]
    assert max(b - a for a, b in zip(before, after, strict=True)) < 40


def test_a_browser_that_reads_nothing_gets_few_runs(replicas: Replicas, proxy: str) -> None:
    pids = [server.pid for server in replicas.servers.values()]
    assert 2 < runs_without_reading(proxy, *pids) < 30


def come(visit: Visit) -> None:
    """Connect, as often as it takes, and run the page."""
    while True:
        with suppress(OSError, WebSocketException):
            visit.connect()
            assert visit.rerun()
            visit.wait_maps()
            return
        time.sleep(0.1)


@pytest.mark.usefixtures("half_open")
def test_everybody_is_served_again_when_a_replica_is_killed_and_brought_back(replicas: Replicas, proxy: str) -> None:
    drawings = [drawing_from_strokes([[(60 + 9 * i, 60), (90, 140), (80, 220)]]).text for i in range(VISITORS)]
    wanted = [(NETWORKS[i % len(NETWORKS)], drawing) for i, drawing in enumerate(drawings)]
    visits = [Visit(proxy, urlencode({"net": net, "drawing": drawing})) for net, drawing in wanted]
    with ExitStack() as stack, ThreadPoolExecutor(VISITORS) as everybody:
        for visit in visits:
            stack.callback(visit.close)
        list(everybody.map(come, visits))
        assert [(visit.view["net"], visit.view["drawing"]) for visit in visits] == wanted
        assert {visit.cookies["replica"] for visit in visits} == {"one", "two"}
        assert [visit.upload("file", b"content") for visit in visits] == [
            204
        ] * VISITORS  # of a session of that replica

        for dead, alive in (("one", "two"), ("two", "one")):
            there = [visit for visit in visits if visit.cookies["replica"] == alive]
            gone = [visit for visit in visits if visit.cookies["replica"] == dead]
            sockets = [visit.socket for visit in there]
            replicas.kill(dead)
            killed = time.monotonic()
            list(everybody.map(come, gone))
            assert time.monotonic() - killed < PATIENCE
            assert all(visit.rerun() for visit in there)  # the others have not noticed
            assert [visit.socket for visit in there] == sockets
            assert [(visit.view["net"], visit.view["drawing"]) for visit in visits] == wanted
            assert {visit.cookies["replica"] for visit in visits} == {alive}
            assert [visit.upload("file", b"content") for visit in visits] == [204] * VISITORS
            if dead == "two":
                break  # everybody is served by the one that was brought back

            replicas.start(dead)
            assert becomes_ready(replicas.servers[dead].url)
            time.sleep(2.1)  # `fail_timeout` of those who are new
            news = [Visit(proxy) for _ in range(4)]
            for visit in news:
                assert visit.request("GET", "/_stcore/health") == 200
            assert {visit.cookies["replica"] for visit in news} == {"one", "two"}
    for name in ("one", "two"):
        assert "error" not in {line["event"] for line in events(replicas.log(name))}


def test_a_request_that_is_never_finished_is_given_up(half_open: HalfOpen) -> None:
    """The server itself would wait for ever."""
    for one in half_open.sockets:
        one.settimeout(max(0.1, half_open.since + 20 - time.monotonic()))
        answer = one.recv(1000)
        assert not answer or b" 408 " in answer  # it takes too long


def test_too_many_uploads_are_refused_and_pages_still_open(proxy: str) -> None:
    visit = Visit(proxy)
    answers = [visit.request("PUT", "/_stcore/upload_file/x/y", body=b"x") for _ in range(80)]
    assert 429 in answers
    assert answers.index(429) >= 60 - 2 * VISITORS * 2 - 2  # so many at once are allowed
    assert visit.request("GET", "/") == 200
