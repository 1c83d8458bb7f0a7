"""A real browser and a real server for tests and benchmarks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from programs import RunningServer, start_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

ROOT = Path(__file__).parents[2]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # a request to another host fails
    "--process-per-site",  # tabs of one context share a process, and the scripts that it has compiled
]
PHONE: dict[str, Any] = {  # options of a browser's context
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
NAMES = (  # the first has no window to draw and takes a fifth less processor time to load a page
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)


@dataclass(frozen=True)
class Server:
    """A running Streamlit server."""

    url: str
    pid: int


def launch(playwright: Playwright) -> Browser:
    """Chromium or Chrome from the PATH, else Playwright's own, else an installed Chrome. Raises `Error` if there is
    none.
    """
    from playwright.sync_api import Error  # tests without a browser start servers, too

    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path:
        return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
    try:
        return playwright.chromium.launch(args=ARGUMENTS)
    except Error:
        return playwright.chromium.launch(channel="chrome", args=ARGUMENTS)


@contextmanager
def running_app(
    script: Path,
    timeout: float = 60,
    port: int = 0,
    options: Sequence[str] = (),
    folder: Path = ROOT,
    log: Path = Path(os.devnull),
    forked: bool = False,
) -> Iterator[Server]:
    """Run `streamlit run script` in a folder on 127.0.0.1, on a free port unless one is given, until the block ends.

    What it writes on stderr is in `log`. With `forked` it is started by tests/programs.py, with torch imported, where
    the system can watch a process that is no child (Linux).
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    arguments = ["run", str(script), "--server.port", str(port)]
    arguments += ["--server.headless", "true", "--server.address", "127.0.0.1", *options]
    process: subprocess.Popen[bytes] | RunningServer
    if forked and hasattr(os, "pidfd_open"):
        process = start_server("streamlit", *arguments, folder=folder, log=log)
    else:
        command = [sys.executable, "-m", "streamlit", *arguments]
        with log.open("ab") as written:
            process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=written)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + timeout
        while not _answers(f"{url}/_stcore/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server for {script.name} did not start")
            time.sleep(0.1)
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False
