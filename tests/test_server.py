"""A real server: what it costs at rest, what it gives back, what it sends, what it refuses."""

import io
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

import pytest
from browser.driver import ROOT, Server, running_app
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from visits import Visit, cpu_seconds, open_visit, resident_mb, run_of_a_page, runs_without_reading

from cnn_explorer.ui import shell

TTL = 1  # seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The app beside a virtual environment of 20,000 files, in memory where that can be had."""
    memory = Path("/dev/shm")
    usual = tmp_path_factory.mktemp("clone")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else usual))
    for part in ("app.py", "pages", "cnn_explorer", ".streamlit"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    environment = folder / ".venv"
    environment.mkdir()
    (module := environment / "module.py").touch()
    for package in range(4000):
        os.mkdir(made := f"{environment}/{package}")
        for name in "abcde":
            os.link(module, f"{made}/{name}.py")  # quicker than a file of its own
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    options = ["--server.disconnectedSessionTTL", str(TTL)]
    with running_app(folder / "app.py", options=options, folder=folder, forked=True) as running:
        with open_visit(running.url) as visit:
            visit.wait_maps()
        yield running


# --- what it costs ---


def test_an_open_page_at_rest_costs_nothing_beside_a_virtual_environment(server: Server, folder: Path) -> None:
    with open_visit(server.url):
        # All files are read, as when PyTorch is imported from there.
        subprocess.run(["grep", "-rq", "nothing", folder / ".venv"], check=False)
        time.sleep(1)
        before, began = cpu_seconds(server.pid), time.monotonic()
        time.sleep(3)
        assert (cpu_seconds(server.pid) - before) / (time.monotonic() - began) <= 0.1


def test_a_browser_that_reads_nothing_gets_few_runs(server: Server) -> None:
    """Its answers wait in the server, whatever the system would buffer of them."""
    assert 2 < runs_without_reading(server.url, server.pid) < 25


def test_sessions_that_ask_and_do_not_read_hold_up_nobody_else(server: Server) -> None:
    """Each asks for its whole page twice a second; the other one asks for a part."""
    over = threading.Event()

    def flood(visit: Visit) -> None:
        while not over.wait(0.5):
            visit.socket.send(run_of_a_page())

    with ExitStack() as stack, ThreadPoolExecutor(30) as flooding:
        other = stack.enter_context(open_visit(server.url))
        silent = [stack.enter_context(open_visit(server.url)) for _ in range(30)]
        stack.callback(over.set)
        for visit in silent:
            flooding.submit(flood, visit)
        time.sleep(1)
        took = []
        for _ in range(5):
            began = time.monotonic()
            assert other.rerun(fragment=other.fragment)
            took.append(time.monotonic() - began)
            time.sleep(0.1)
        for visit in silent:
            visit.socket.socket.shutdown(socket.SHUT_RDWR)  # a proper end would wait for an answer
    assert statistics.median(took) < 0.5  # it was minutes


# --- what it gives back ---


def falls_below(pid: int, megabytes: float, seconds: float) -> bool:
    """Wait until a process takes no more than that."""
    deadline = time.monotonic() + seconds
    while resident_mb(pid) > megabytes:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_sessions_that_have_ended_give_their_memory_back(server: Server) -> None:
    before = resident_mb(server.pid)
    with ExitStack() as visits:
        for number in range(6):
            visit = visits.enter_context(open_visit(server.url))
            assert visit.upload(f"file{number}", bytes(10_000_000)) == 204
        assert resident_mb(server.pid) > before + 55
    # Their time, the time to the next look, and a busy machine's.
    assert falls_below(server.pid, before + 15, seconds=TTL + 5 + 20)


def test_an_upload_that_has_been_read_is_not_kept(server: Server) -> None:
    with open_visit(server.url) as visit:
        before = resident_mb(server.pid)
        for number in range(4):
            assert visit.upload(f"file{number}", bytes(12_000_000)) == 204
            assert visit.rerun(files={"upload": f"file{number}"})
            assert "is not a picture that can be read" in visit.error
        assert falls_below(server.pid, before + 20, seconds=20)


def test_an_uploaded_picture_is_taken_over_once(server: Server) -> None:
    image = Image.new("L", (300, 400), 255)
    image.paste(0, (130, 50, 170, 350))
    file = io.BytesIO()
    image.save(file, "BMP")
    with open_visit(server.url) as visit:
        example = visit.drawing
        assert visit.upload("picture", file.getvalue()) == 204
        assert visit.rerun(files={"upload": "picture"})
        drawing = visit.drawing
        assert drawing != example
        assert visit.rerun(files={"upload": "picture"})  # a browser names its file in every run of the page
        assert visit.drawing == drawing
        assert not visit.error


# --- what it sends ---


def headers(url: str) -> dict[str, str]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return {name.lower(): value for name, value in answer.headers.items()}


def test_every_answer_has_the_security_headers(server: Server) -> None:
    with open_visit(server.url) as visit:
        view = visit.elements["bidi_component"][0].bidi_component.component_name
    page = urllib.request.urlopen(server.url, timeout=30).read().decode()
    script = page.split('src="./static/js/')[1].split('"')[0]
    for path in ("", "training", f"static/js/{script}", f"_stcore/bidi-components/{view}/index.js", "_stcore/health"):
        sent = headers(f"{server.url}/{path}")
        assert sent["x-content-type-options"] == "nosniff", path
        assert sent["x-frame-options"] == "SAMEORIGIN", path
        assert sent["referrer-policy"] == "same-origin", path
        policy = dict(directive.split(" ", 1) for directive in sent["content-security-policy"].split("; "))
        assert policy["default-src"] == "'self'", path
        assert policy["object-src"] == "'none'", path
        assert "unsafe" not in policy["script-src"], path
        assert ("immutable" in sent.get("cache-control", "")) == ("/js/" in path or view in path), path


@pytest.mark.parametrize("page", shell.PAGES, ids=lambda page: page.label)
def test_a_pages_modules_are_named_at_once(server: Server, page: shell.Page) -> None:
    links = headers(f"{server.url}/{page.path}")["link"].split(", ")
    named = {link.removeprefix("<").removesuffix(">; rel=modulepreload") for link in links}
    folders = [Path(shell.__file__).parent / name / "assets" for name in ("top_bar", page.component)]
    assert sorted(Path(path).name for path in named) == sorted(
        file.name for each in folders for file in each.glob("*.js")
    )
    for path in named:
        assert headers(urljoin(f"{server.url}/{page.path}", path))["content-type"] == "application/javascript", path


def test_a_path_that_is_not_there_has_them_too(server: Server) -> None:
    with pytest.raises(urllib.error.HTTPError) as missing:
        headers(f"{server.url}/_stcore/bidi-components/nothing/index.js")
    assert missing.value.code == 404
    assert missing.value.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" not in missing.value.headers.get("Cache-Control", "")


@pytest.mark.parametrize("part", ["the bar", "the view"])
def test_a_link_is_followed_whichever_part_of_the_page_its_message_runs(server: Server, part: str) -> None:
    """A browser sends a press together with what the view has to say, as a run of the view."""
    with open_visit(server.url) as visit:
        visit.wait_maps()
        view = visit.fragment
        assert visit.answer is None
        assert visit.rerun(fragment=view if part == "the view" else "", link="pooling")
        assert visit.answer
        assert visit.answer["path"] == "pooling"
        first = visit.answer["id"]
        assert visit.rerun()
        assert visit.answer is None or visit.answer["id"] == first


# --- what it refuses ---


@pytest.mark.parametrize("megabytes", [1.1, 22.1, 50])
def test_a_frame_above_the_limit_is_refused_and_the_server_lives(server: Server, megabytes: float) -> None:
    message = BackMsg()
    message.rerun_script.query_string = "x" * int(megabytes * 1e6)
    before = resident_mb(server.pid)
    with open_visit(server.url) as visit, open_visit(server.url) as other:
        # Too big. Where the server closes before all is sent, its code can be lost on the way.
        assert visit.refused(message.SerializeToString()) in (1009, 1006)
        assert other.rerun()
    assert resident_mb(server.pid) < before + 15 + min(megabytes, 22)  # no more is read


def test_an_upload_above_the_limit_is_refused(server: Server) -> None:
    with open_visit(server.url) as visit:
        assert visit.upload("large", bytes(21_000_000)) == 413
        assert visit.upload("weights", bytes(20_900_000)) == 204
