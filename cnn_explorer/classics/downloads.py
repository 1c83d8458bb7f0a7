"""Fetches torchvision's weights into the folder where torchvision looks for them.

A file gets its name only when it is complete and its hash is right; torchvision's names end in the first digits of the
SHA-256 sum. All visitors share one download.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
import secrets
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 1 << 18  # bytes
TIMEOUT = 20.0  # seconds without a byte

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a download is: bytes `done` of `total` (0 while that is not known). `error` says why it ended, "" while
    it goes on.
    """

    done: int = 0
    total: int = 0
    error: str = ""


OFFLINE = "The weights could not be fetched: there is no connection to the server that has them. All else goes on."
WRONG = "The weights arrived incomplete or damaged and were thrown away. Try again."
NO_ROOM = "The weights could not be stored on this server. All else goes on."


class Downloads:
    """Downloads of one process, one at a time, by file. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: dict[Path, Progress] = {}
        self._thread = ThreadPoolExecutor(1, "download")

    def progress(self, file: Path) -> Progress | None:
        """How far the download of a file is, None if there is none or it is complete."""
        with self._lock:
            return self._progress.get(file)

    def start(self, url: str) -> None:
        """Fetch a file in the background, unless that goes on already."""
        file = checkpoint(url)
        with self._lock:
            known = self._progress.get(file)
            if known is not None and not known.error:
                return
            self._progress[file] = Progress()
        self._thread.submit(self._fetch, url, file)

    def lost(self, file: Path) -> None:
        """Say that a file was found damaged, and deleted, when it was to be used."""
        self._tell(file, Progress(error=WRONG))

    def _fetch(self, url: str, file: Path) -> None:
        try:
            self._download(url, file)
        except WrongHashError:
            error = WRONG
        except (http.client.HTTPException, ConnectionError, TimeoutError, urllib.error.URLError):
            _LOG.warning("weights could not be fetched", exc_info=True)
            error = OFFLINE
        except Exception:  # whatever it is, the page says so and goes on
            _LOG.warning("weights could not be stored", exc_info=True)
            error = NO_ROOM
        else:
            with self._lock:
                del self._progress[file]
            return
        self._tell(file, Progress(error=error))

    def _download(self, url: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.{secrets.token_hex(8)}.partial")
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, part.open("wb") as written:
                progress = Progress(0, int(answer.headers.get("Content-Length") or 0))
                while chunk := answer.read(CHUNK):
                    written.write(chunk)
                    progress = replace(progress, done=progress.done + len(chunk))
                    self._tell(file, progress)
            check(part, file.name)
            os.replace(part, file)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    def _tell(self, file: Path, progress: Progress) -> None:
        with self._lock:
            self._progress[file] = progress


class WrongHashError(ValueError):
    """A file is not the one that its name says; the message is for a page."""


def checkpoint(url: str) -> Path:
    """Where torchvision looks for a file of weights."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    return Path(home).expanduser() / "hub" / "checkpoints" / os.path.basename(urlsplit(url).path)


def check(file: Path, name: str) -> None:
    """Raises `WrongHashError` unless the SHA-256 sum of a file begins as `name` ends."""
    digits = re.search(r"-([0-9a-f]{8,})\.pth$", name)
    sha256 = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            sha256.update(chunk)
    if digits is None or not sha256.hexdigest().startswith(digits[1]):
        raise WrongHashError(WRONG)
