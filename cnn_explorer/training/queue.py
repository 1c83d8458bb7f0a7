"""One training at a time, for all visitors of a process: who asks for one waits in a queue, who leaves gives it up.

    attend(visitor, shapes, network, seconds) ─► Place: the network to show, and the place in the queue

A visitor attends again and again, a few times a second; whoever does not for `patience` seconds has left. What nobody attends is
dropped, with all that it has learnt. What is finished is kept by architecture string, for everybody, up to a number of bytes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from cnn_explorer.memory import give_back_memory
from cnn_explorer.shapes import NetworkShapes
from cnn_explorer.shelf import Shelf
from cnn_explorer.training.background import FORGOTTEN, Background
from cnn_explorer.training.brief import train_briefly
from cnn_explorer.training.turns import Turns
from cnn_explorer.weights import TrainedNetwork


@dataclass(frozen=True)
class Place:
    """The `network` to show now; `ahead` is the number of trainings before the one that was asked for, 0 while that one runs and None
    if there is none: it is finished, failed or was not asked for. `seconds` are those that it goes on to altogether; `problem` says why
    it failed, or why it cannot be taken yet."""

    network: TrainedNetwork
    ahead: int | None = None
    seconds: float = 0
    problem: str = ""


@dataclass
class _Job:
    shapes: NetworkShapes
    network: TrainedNetwork
    seconds: float
    attended: dict[str, float] = field(default_factory=dict)  # when each visitor attended last

    @property
    def architecture(self) -> str:
        return str(self.shapes.spec)


class TrainingQueue(Background):
    """Trainings in the order in which they were first asked for; safe to use from many threads.

    `bytes_kept` bounds the parameters of finished networks, `waiting` the jobs, `patience` is in seconds. `turns` are shared with
    whatever else trains in this process.
    """

    def __init__(self, bytes_kept: int = 48_000_000, waiting: int = 50, patience: float = 5.0, turns: Turns | None = None) -> None:
        super().__init__()
        self.waiting, self.patience = waiting, patience
        self._turns = turns or Turns()
        self._jobs: list[_Job] = []
        self._finished = Shelf(bytes_kept)
        self._failed: dict[str, tuple[float, str]] = {}  # when, and why

    def attend(self, visitor: str, shapes: NetworkShapes, network: TrainedNetwork, seconds: float = 0) -> Place:
        """The network to show to `visitor`, who wants it trained for `seconds` of CPU time altogether, or takes it as it is (0).

        `network` is what there is without a training, for `shapes`. What the visitor asked for before is given up.
        """
        architecture = str(shapes.spec)
        with self._lock:
            for other in self._jobs:
                if other.architecture != architecture or not seconds:
                    other.attended.pop(visitor, None)
            best = self._finished.get(architecture) or network
            if best.label.trained_for >= seconds:
                return Place(best)
            failed, problem = self._failed.get(architecture, (-math.inf, ""))
            if time.monotonic() - failed < FORGOTTEN:
                return Place(best, problem=problem)
            self._jobs[1:] = filter(self._is_attended, self._jobs[1:])  # the first one's turn is over when it sees that by itself
            job = self._job(shapes, best, seconds)
            if job is None:
                problem = f"{self.waiting} trainings are waiting already, and this one for its place."
                return Place(best, len(self._jobs), seconds, problem)
            job.attended[visitor] = time.monotonic()
            return Place(job.network, self._jobs.index(job), job.seconds)

    def _job(self, shapes: NetworkShapes, network: TrainedNetwork, seconds: float) -> _Job | None:
        """The job for an architecture, a new one if need be; None if too many are waiting."""
        found = next((job for job in self._jobs if job.shapes.spec == shapes.spec), None)
        if found or len(self._jobs) >= self.waiting:
            return found
        job = _Job(shapes, network, seconds)
        self._jobs.append(job)
        self._begin("train networks")
        return job

    def _work(self) -> None:
        """Train one job after another; ends when none is left."""
        while True:
            with self._lock:
                if not self._jobs:
                    self._worker = None
                    return
                job = self._jobs[0]
            self._train(job)
            give_back_memory()
            with self._lock:
                self._jobs.remove(job)

    def _train(self, job: _Job) -> None:
        with self._lock:
            if not self._is_attended(job):
                return
        try:
            training = train_briefly(job.network, job.shapes, job.seconds)
            while network := self._step(training):
                with self._lock:
                    if not self._is_attended(job):
                        return
                    job.network = network
                    if network.label.trained_for >= job.seconds:
                        self._finished.keep(job.architecture, network)
        except Exception as problem:  # whatever it is, whoever asked hears of it, and the next one's turn comes
            with self._lock:
                now = time.monotonic()
                self._failed = {net: known for net, known in self._failed.items() if now - known[0] < FORGOTTEN}
                self._failed[job.architecture] = (now, f"The training failed: {problem}.")

    def _step(self, training: Iterator[TrainedNetwork]) -> TrainedNetwork | None:
        """What comes of a training next, computed in its turn; None at the end."""
        with self._turns:
            return next(training, None)

    def _is_attended(self, job: _Job) -> bool:
        left = time.monotonic() - self.patience
        return not self._closed and any(last > left for last in job.attended.values())
