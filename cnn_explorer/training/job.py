"""A training that is done in units of work and can be paused between two of them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from cnn_explorer.sharing.fair_lock import FairLock


class Job(ABC):
    """A training; `advance` it until it is `finished`. Safe to use from several threads.

    `batch`: number of batches trained so far. `cpu_seconds`: CPU time of all units so far. `problem`: "", or a sentence
    that says why it ended early.
    """

    def __init__(self) -> None:
        self.batch = 0
        self.cpu_seconds = 0.0
        self.finished = False
        self.problem = ""
        self._lock = FairLock()  # held during a unit; copying the weights waits for the unit's end
        self._units = self._work()

    def advance(self) -> None:
        """Do one unit of work, a batch or a part of a test; nothing when finished. Raises what the work raises."""
        with self._lock:
            if self.finished:
                return
            started = time.thread_time()
            try:
                next(self._units)
            except StopIteration:
                self.finished = True
            self.cpu_seconds += time.thread_time() - started

    def fail(self, problem: str) -> None:
        """End the training here, with a sentence that says why."""
        self.problem, self.finished = problem, True

    def close(self) -> None:
        """End the training here and drop its generator, which keeps this object alive: they refer to each other."""
        with self._lock:
            self._units, self.finished = iter(()), True

    @abstractmethod
    def is_due(self, until: int) -> bool:
        """True while something is left to do before `until` batches are trained."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """Memory that the training takes, in bytes."""

    @abstractmethod
    def _work(self) -> Iterator[None]:
        """The whole training. The work between two yields is one unit."""
