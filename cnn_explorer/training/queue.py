"""One training at a time, for all visitors of a process: a visitor who asks for one waits in a queue, and gives it up
by leaving.

    attend(visitor, shapes, network, seconds) ─► Place: the network to show, and the place in the queue

A visitor attends again and again, a few times a second; one who does not for `patience` seconds has left. A training
that nobody attends is dropped, with all that it has learnt. A finished network is kept by architecture string, for
everybody, as long as a visitor who asked for it is present, within that visitor's share of the memory, and then until
others need the room.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cnn_explorer.sharing.fair_cache import FairCache, Shares
from cnn_explorer.sharing.fair_lock import FairLock
from cnn_explorer.sharing.memory import give_back_memory
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.training.background import FORGOTTEN, Background, failure
from cnn_explorer.training.quick import train_briefly
from cnn_explorer.weights.load import TrainedNetwork

SHARES = Shares.of(48_000_000)  # bytes of finished networks: the lecture's takes 34,000
GROUP = 0.3  # seconds of a training before another one that shares the turns
DONE = object()  # after the last unit of a training
WAITING, OF_ADDRESS = 50, 40  # trainings that may wait: altogether, and from one address, as a school has


@dataclass(frozen=True)
class Place:
    """The `network` to show now; `ahead` is the number of trainings before the one that was asked for, 0 while that one
    runs and None if there is none: it is finished, failed or was not asked for. `seconds` are those that it goes on to
    altogether; `problem` says why it failed, or why it cannot be taken yet.
    """

    network: TrainedNetwork
    ahead: int | None = None
    seconds: float = 0
    problem: str = ""


@dataclass
class _Job:
    shapes: NetworkShapes
    address: str  # of the visitor who asked first
    seconds: float
    start: TrainedNetwork  # where the training begins
    network: TrainedNetwork | None = None  # how far it has come
    attended: dict[str, float] = field(default_factory=dict)  # when each visitor attended last

    @property
    def architecture(self) -> str:
        return str(self.shapes.spec)


class TrainingQueue(Background):
    """Trainings of all visitors, one of every address in turn; safe to use from many threads.

    `shares` bound the parameters of finished networks in bytes, `waiting` the jobs: altogether, and of one address;
    `patience` is in seconds. `turns` are shared with whatever else trains in this process. `present(visitor)` tells
    whether a visitor is still there and `address(visitor)` where from ("" if that is not known).
    """

    def __init__(
        self,
        turns: FairLock | None = None,
        present: Callable[[str], bool] = lambda visitor: True,
        address: Callable[[str], str] = lambda visitor: "",
        shares: Shares = SHARES,
        waiting: tuple[int, int] = (WAITING, OF_ADDRESS),
        patience: float = 5.0,
    ) -> None:
        super().__init__()
        self.waiting, self.patience = waiting, patience
        self._turns, self._address = turns or FairLock(), address
        self._jobs: list[
            _Job
        ] = []  # in the order in which they were asked for, but for the one that runs, which is the first
        self._finished: FairCache[TrainedNetwork] = FairCache(shares, lambda network: network.bytes, present, address)
        self._failed: dict[str, tuple[float, str]] = {}  # when, and why

    def attend(self, visitor: str, shapes: NetworkShapes, network: TrainedNetwork, seconds: float = 0) -> Place:
        """The network to show to `visitor`, who wants it trained for `seconds` of CPU time altogether, or takes it as
        it is (0).

        `network` is what there is without a training, for `shapes`. What the visitor asked for before is given up.
        """
        architecture = str(shapes.spec)
        with self._lock:
            for other in self._jobs:
                if other.architecture != architecture or not seconds:
                    other.attended.pop(visitor, None)
            best = self._finished.get(architecture, visitor) or network
            if best.label.trained_for >= seconds:
                return Place(best)
            failed, problem = self._failed.get(architecture, (-math.inf, ""))
            if time.monotonic() - failed < FORGOTTEN:
                return Place(best, problem=problem)
            self._jobs[1:] = filter(
                self._is_attended, self._jobs[1:]
            )  # the first one's turn is over when it sees that by itself
            job = next((job for job in self._jobs if job.architecture == architecture), None)
            if job is None:
                address = self._address(visitor)
                problem = self._refusal(visitor, address, best)
                if problem:
                    return Place(best, len(self._jobs), seconds, problem)
                job = _Job(shapes, address, seconds, best)
                self._jobs.append(job)
                self._begin("train networks")
            job.attended[visitor] = time.monotonic()
            return Place(job.network or best, self._line().index(job), job.seconds)

    def _refusal(self, visitor: str, address: str, network: TrainedNetwork) -> str:
        """Why one more job cannot be taken from an address, or ""."""
        neighbours = [job for job in self._jobs if job.address == address]
        for jobs, most, where in (
            (self._jobs, self.waiting[0], ""),
            (neighbours, self.waiting[1], " from your address"),
        ):
            if len(jobs) >= most:
                return f"{len(jobs)} trainings{where} are waiting already, and this one for its place."
        for jobs, most in ((self._jobs, self._finished.shares.total), (neighbours, self._finished.shares.address)):
            if sum(job.start.bytes for job in jobs) + network.bytes > most:
                return "Trainings of other large networks are waiting already, and this one for its place."
        if self._finished.make_room(visitor, network.bytes):
            return "Other visitors' trained networks take all the memory there is, and this one waits for some."
        return ""

    def _line(self) -> list[_Job]:
        """The jobs in the order of their turns: the one that runs, then the first of every address, then the second,
        and so on.
        """
        before: Counter[str] = Counter()
        ranks = []
        for job in self._jobs:
            ranks.append(before[job.address])
            before[job.address] += 1
        waiting = sorted(range(1, len(self._jobs)), key=lambda index: ranks[index])
        return [self._jobs[index] for index in (0, *waiting)] if self._jobs else []

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
                following = self._line()[1:2]
                self._jobs.remove(job)
                for first in following:
                    self._jobs.remove(first)
                    self._jobs.insert(0, first)

    def _train(self, job: _Job) -> None:
        with self._lock:
            if not self._is_attended(job):
                return
        try:
            training = train_briefly(job.start, job.shapes, job.seconds)
            while self._advance(job, training):
                pass
        except Exception as problem:  # whatever it is, whoever asked hears of it, and the next one's turn comes
            with self._lock:
                now = time.monotonic()
                self._failed = {net: known for net, known in self._failed.items() if now - known[0] < FORGOTTEN}
                self._failed[job.architecture] = (now, failure(problem))

    def _advance(self, job: _Job, training: Iterator[TrainedNetwork | None]) -> bool:
        """A group of a training's units; False at its end, or when nobody waits for it any more."""
        with self._turns:
            end = time.monotonic() + GROUP
            while time.monotonic() < end:
                network = next(training, DONE)
                with self._lock:
                    if network is DONE or not self._is_attended(job):
                        return False
                    if isinstance(network, TrainedNetwork):
                        job.network = network
                        if network.label.trained_for >= job.seconds:
                            self._keep(job, network)
        return True

    def _keep(self, job: _Job, network: TrainedNetwork) -> None:
        """Keep what a job has come to, for all who attended it, if one of them has room for it."""
        for visitor in job.attended:
            if self._finished.make_room(visitor, network.bytes) is None:
                self._finished.keep(job.architecture, network, job.attended)
                return
        self._failed[job.architecture] = (
            time.monotonic(),
            "There is no room to keep what was trained; try again in a minute.",
        )

    def _is_attended(self, job: _Job) -> bool:
        left = time.monotonic() - self.patience
        return not self._closed and any(last > left for last in job.attended.values())
