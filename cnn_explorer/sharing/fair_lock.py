"""A lock that is handed on in the order in which it was asked for."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """`with turns:` waits for everybody who asked before. Not reentrant.

    Python's own lock goes to whoever is quickest: a worker that takes it again at once keeps all others out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for a moment only
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

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
                self._waiting.popleft().set()  # stays taken: handed over
            else:
                self._taken = False
