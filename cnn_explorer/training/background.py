"""A thread that trains while there is something to train, and ends with the process."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from abc import ABC, abstractmethod
from contextlib import suppress

FORGOTTEN = 60.0  # seconds after a failure until another attempt

_LOG = logging.getLogger(__name__)


def failure(problem: Exception) -> str:
    """What a visitor reads of a training that failed. The details go to the log."""
    _LOG.error("a training failed", exc_info=problem)
    known = isinstance(problem, ValueError | OSError)  # those of this package are sentences
    return (
        f"The training failed: {problem}."
        if known
        else "The training failed; the reason is in the server's log. Try again in a minute."
    )


class Background(ABC):
    """Work in one thread of its own; a subclass says which, and clears `_worker` when it finds none. `_lock` guards all
    that is shared.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # never held while something computes
        self._worker: threading.Thread | None = None
        self._closed = False
        atexit.register(self.close)

    def close(self) -> None:
        """Give everything up and wait for the end of what is going on: torch must not be at work when
        the process ends.
        """
        with self._lock:
            self._closed = True
            worker = self._worker
        if worker:
            worker.join()

    def _begin(self, name: str) -> None:
        """Start the thread under this name unless it is at work; with the lock held."""
        if self._worker is None:
            self._worker = threading.Thread(target=self._run, name=name, daemon=True)
            self._worker.start()

    def _run(self) -> None:
        if sys.platform == "linux":
            with suppress(OSError):  # who draws goes first
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        self._work()

    @abstractmethod
    def _work(self) -> None:
        """Do one thing after another until none is left."""
