"""Values computed in one background thread for all visitors, for pages that ask again until they are there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cnn_explorer.sharing.fair_line import FairLine
from cnn_explorer.sharing.lru_cache import LruCache

# Seconds after which a value that nobody asks for any more is not computed, and a failure is forgotten.
FORGOTTEN = 5.0

Value = TypeVar("Value")


@dataclass
class _Job:
    """`asked` says when each visitor asked last, as `time.monotonic` counts, while it was not done."""

    compute: Callable[[], Any]
    last: bool
    future: Future[Any] = field(default_factory=Future)
    asked: dict[str, float] = field(default_factory=dict)


class Background:
    """Computes values one after the other and keeps them. Thread-safe.

    Network addresses take turns, and so do the visitors of each; a turn is one value. The sizes of the values kept add
    up to at most `capacity`, by `size(value)`.
    """

    def __init__(
        self, capacity: int, size: Callable[[Any], int] = lambda value: 1, forgotten: float = FORGOTTEN
    ) -> None:
        self._values: LruCache[Any] = LruCache(capacity, size)
        self._jobs: dict[str, _Job] = {}  # in the order in which they were first asked for
        self._started: set[str] = set()
        self._line = FairLine()
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "background")
        self._forgotten = forgotten

    def get(
        self,
        key: str,
        compute: Callable[[], Value],
        wait: float = 0.0,
        visitor: str = "",
        address: str = "",
        last: bool = False,
    ) -> Value | None:
        """The value of a key, None while it is being computed; waits for it so many seconds.

        What a visitor asks for is computed in the order of asking, but after all else what is to come `last`. What
        `compute` raises is raised for a while. Later calls compute anew.
        """
        with self._lock:  # the look-up, too: else the job could end before the lock is held, and be computed again
            known: Value | None = self._values.get(key)
            if known is not None:
                return known
            self._drop_forgotten()
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job(compute, last)
                self._thread.submit(self._take_turn)
            if not job.future.done():
                job.asked[visitor] = time.monotonic()
                if visitor not in self._line:
                    self._line.join(visitor, address)
        try:
            value: Value = job.future.result(wait)
        except NotYetError:
            return None
        return value

    def _take_turn(self) -> None:
        with self._lock:
            key = self._next()
            if key is None:  # dropped
                return
            self._started.add(key)
            job = self._jobs[key]
        try:
            value = job.compute()
        except Exception as problem:  # passed on to whoever asks
            job.future.set_exception(problem)
        else:
            self._values.keep(key, value)
            job.future.set_result(value)
        with self._lock:
            self._started.discard(key)
            if job.future.exception() is None:
                del self._jobs[key]

    def _next(self) -> str | None:
        """Whose turn it is decides what is computed next."""
        self._drop_forgotten()
        while (visitor := self._line.first) is not None:
            wanted = [key for key in self._waiting() if visitor in self._jobs[key].asked]
            if wanted:
                self._line.end_turn()
                return next((key for key in wanted if not self._jobs[key].last), wanted[0])
            self._line.leave(visitor)
        return None

    def _waiting(self) -> list[str]:
        return [key for key, job in self._jobs.items() if key not in self._started and not job.future.done()]

    def _drop_forgotten(self) -> None:
        now = time.monotonic()
        for key, job in list(self._jobs.items()):
            job.asked = {visitor: asked for visitor, asked in job.asked.items() if now - asked <= self._forgotten}
            if not job.asked and key not in self._started:
                del self._jobs[key]
