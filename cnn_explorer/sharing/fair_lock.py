"""A first-come, first-served lock."""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    """A first-come, first-served lock, used as `with lock:`. Not reentrant.

    `threading.Lock` makes no promise about the order: a worker that releases it and takes it again at once can keep all
    other threads waiting.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for a moment only
        self._taken = False
        self._waiting: deque[threading.Event] = deque()  # one event a waiting thread, in the order of arrival

    def __enter__(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        mine.wait()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()  # the lock stays taken and passes to that thread
            else:
                self._taken = False
