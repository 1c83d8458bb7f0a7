"""A least-recently-used cache for many threads that computes each value once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class LruCache(Generic[Value]):
    """A least-recently-used cache: the sizes of its values add up to at most `capacity`, but one value always stays.

    `size(value)` is 1 by default: then `capacity` is the number of values. Thread-safe.
    """

    def __init__(self, capacity: int, size: Callable[[Value], int] = lambda value: 1) -> None:
        self.capacity = capacity
        self._size = size
        self._lock = threading.Lock()  # never held while something is computed
        self._values: OrderedDict[str, Value] = OrderedDict()  # the least recently used first
        # By key: a lock, and the number of threads that compute the value or wait for it.
        self._computing: dict[str, tuple[threading.Lock, int]] = {}

    def get(self, key: str) -> Value | None:
        """The value of a key, None if it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: str, value: Value) -> None:
        """Set the value of a key."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            total = sum(map(self._size, self._values.values()))
            while len(self._values) > 1 and total > self.capacity:
                _, dropped = self._values.popitem(last=False)
                total -= self._size(dropped)

    def get_or_compute(self, key: str, compute: Callable[[], Value]) -> Value:
        """The value of a key; if it is not kept, it is computed and kept. Other threads that ask for it wait.

        What `compute` raises is passed on; a thread that waited then calls its own `compute`.
        """
        value = self.get(key)
        if value is not None:
            return value
        with self._lock:
            lock, users = self._computing.get(key, (threading.Lock(), 0))
            self._computing[key] = (lock, users + 1)
        try:
            with lock:
                value = self.get(key)
                if value is None:
                    value = compute()
                    self.keep(key, value)
                return value
        finally:
            with self._lock:
                lock, users = self._computing.pop(key)
                if users > 1:
                    self._computing[key] = (lock, users - 1)
