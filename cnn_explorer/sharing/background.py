"""Values computed in a background thread, for pages that ask again until they are there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass
from typing import Generic, TypeVar

from cnn_explorer.sharing.lru_cache import LruCache

# Seconds after which a value that nobody asks for any more is not computed, and a failure is forgotten.
FORGOTTEN = 10.0

Value = TypeVar("Value")


@dataclass
class _Job(Generic[Value]):
    future: Future[Value]
    asked: float  # when last, while it was not done, as `time.monotonic` counts


class DroppedError(Exception):
    """Nobody has asked for a value any more before its turn came."""


class Background(Generic[Value]):
    """Computes values one after the other, first come, first served, and keeps the last `capacity`. Thread-safe."""

    def __init__(self, capacity: int, forgotten: float = FORGOTTEN) -> None:
        self._values: LruCache[Value] = LruCache(capacity)
        self._jobs: dict[str, _Job[Value]] = {}
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "background")
        self._forgotten = forgotten

    def get(self, key: str, compute: Callable[[], Value], wait: float = 0.0) -> Value | None:
        """The value of a key, None while it is being computed; waits for it so many seconds.

        What `compute` raises is raised for a while. Later calls compute anew.
        """
        known = self._values.get(key)
        if known is not None:
            return known
        with self._lock:
            self._drop_failures()
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job(self._thread.submit(self._compute, key, compute), time.monotonic())
            if not job.future.done():
                job.asked = time.monotonic()
        try:
            return job.future.result(wait)
        except (NotYetError, DroppedError):
            return None

    def _compute(self, key: str, compute: Callable[[], Value]) -> Value:
        with self._lock:
            job = self._jobs[key]
            if time.monotonic() - job.asked > self._forgotten:
                del self._jobs[key]
                raise DroppedError
        value = compute()
        self._values.keep(key, value)
        with self._lock:
            self._jobs.pop(key, None)
        return value

    def _drop_failures(self) -> None:
        now = time.monotonic()
        for key, job in list(self._jobs.items()):
            if job.future.done() and now - job.asked > self._forgotten:
                del self._jobs[key]
