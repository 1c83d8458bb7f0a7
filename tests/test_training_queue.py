"""One training at a time for everybody: places, sharing, leaving, bounds. What trains here is a stand-in that the test
leads by the hand, but for the first test and the last.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from torch import nn

from cnn_explorer.sharing.fair_cache import Shares
from cnn_explorer.spec.network import parse
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.training import queue
from cnn_explorer.training.queue import Place, TrainingQueue
from cnn_explorer.weights.label import Initialised, Label
from cnn_explorer.weights.load import TrainedNetwork, load_network

NETS = [f"conv4k{kernel}s2-relu-conv4k3g2-relu-fc10" for kernel in range(1, 8)]


def shapes_of(net: str) -> NetworkShapes:
    return infer_shapes(parse(net))


def bare(values: int = 10) -> TrainedNetwork:
    return TrainedNetwork(nn.Sequential(nn.Linear(values, 1, bias=False)), Label(Initialised(0)))


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


class Teacher:
    """Stands in for `train_briefly`: takes a step when it is told to, and keeps a record of who was taught."""

    def __init__(self) -> None:
        self.steps = threading.Semaphore(0)
        self.begun: list[str] = []
        self.now = 0
        self.most = 0

    def __call__(self, network: TrainedNetwork, shapes: NetworkShapes, seconds: float) -> Iterator[TrainedNetwork]:
        self.begun.append(str(shapes.spec))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            for step in (1, 2):
                self.steps.acquire()
                yield TrainedNetwork(network.module, replace(network.label, trained_for=seconds * step / 2))
        finally:
            self.now -= 1


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Teacher]:
    teacher = Teacher()
    monkeypatch.setattr(queue, "train_briefly", teacher)
    yield teacher
    teacher.steps.release(1000)  # a worker that still waits comes to its end


def test_a_network_is_trained_and_kept_for_everybody() -> None:
    trainings = TrainingQueue()
    shapes, network = shapes_of(NETS[2]), load_network(parse(NETS[2]))
    seen: list[Place] = []

    def attended() -> Place:
        seen.append(trainings.attend("one", shapes, network, 1))
        return seen[-1]

    until(lambda: attended().ahead is None)
    assert seen[0] == Place(network, 0, 1)
    assert any(0 < standing.network.label.trained_for < 1 for standing in seen)
    last = seen[-1].network
    assert last.label.trained_for == 1
    assert last.label.accuracy is not None
    assert last.label.accuracy > 0.5
    assert trainings.attend("another", shapes, network) == Place(last)
    assert trainings.attend("another", shapes, network, 1) == Place(last)
    assert trainings.attend("another", shapes_of(NETS[3]), network) == Place(network)


def test_twenty_visitors_stand_in_line(teacher: Teacher) -> None:
    trainings, network = TrainingQueue(patience=60), bare()
    for number in range(20):  # all want one of seven networks, one after the other
        standing = trainings.attend(f"visitor {number}", shapes_of(NETS[number % 7]), network, 4)
        assert standing == Place(network, number % 7, 4)
    for done in range(7):
        until(lambda done=done: len(teacher.begun) == done + 1)  # type: ignore[misc]
        teacher.steps.release(2)
        until(
            lambda done=done: trainings.attend("guest", shapes_of(NETS[done]), network).network.label.trained_for == 4
        )  # type: ignore[misc]
        for number in range(20):
            ahead = trainings.attend(f"visitor {number}", shapes_of(NETS[number % 7]), network, 4).ahead
            assert ahead in (
                [None] if number % 7 <= done else [number % 7 - done - 1, number % 7 - done]
            )  # as the next one begins
    assert teacher.begun == [str(parse(net)) for net in NETS]
    assert teacher.most == 1
    until(
        lambda: (
            threading.active_count() == 1
            or not any(thread.name == "train networks" for thread in threading.enumerate())
        )
    )


def test_who_asks_for_another_gives_the_first_up(teacher: Teacher) -> None:
    trainings, network = TrainingQueue(patience=60), bare()
    trainings.attend("one", shapes_of(NETS[0]), network, 4)
    until(lambda: teacher.begun == [str(parse(NETS[0]))])
    for net in NETS[1:3]:
        trainings.attend("one", shapes_of(net), network, 4)
    teacher.steps.release(1)  # the first sees that nobody wants it any more; the second is not even begun
    until(lambda: len(teacher.begun) == 2)
    assert teacher.begun[1] == str(parse(NETS[2]))
    assert trainings.attend("one", shapes_of(NETS[2]), network, 4).ahead == 0
    teacher.steps.release(2)
    until(lambda: trainings.attend("one", shapes_of(NETS[2]), network, 4).ahead is None)
    for net in NETS[:2]:
        assert trainings.attend("one", shapes_of(net), network).network is network  # nothing was left behind


def test_who_does_not_come_back_has_left(teacher: Teacher) -> None:
    trainings, network = TrainingQueue(patience=0.2), bare()
    trainings.attend("one", shapes_of(NETS[0]), network, 4)
    until(lambda: len(teacher.begun) == 1)
    time.sleep(0.4)
    teacher.steps.release(1)
    until(lambda: teacher.now == 0)
    assert trainings.attend("another", shapes_of(NETS[0]), network).network is network
    until(lambda: not any(thread.name == "train networks" for thread in threading.enumerate()))


def test_another_visitor_keeps_a_training_alive(teacher: Teacher) -> None:
    trainings, network = TrainingQueue(patience=60), bare()
    for visitor in ("one", "another"):
        assert trainings.attend(visitor, shapes_of(NETS[0]), network, 4).ahead == 0
    assert trainings.attend("one", shapes_of(NETS[1]), network) == Place(network)
    until(lambda: len(teacher.begun) == 1)
    teacher.steps.release(2)
    until(lambda: trainings.attend("another", shapes_of(NETS[0]), network, 4).ahead is None)
    assert teacher.begun == [str(parse(NETS[0]))]


def test_more_seconds_are_another_training(teacher: Teacher) -> None:
    trainings, network = TrainingQueue(patience=60), bare()
    teacher.steps.release(4)
    for seconds in (4, 8):
        until(lambda seconds=seconds: trainings.attend("one", shapes_of(NETS[0]), network, seconds).ahead is None)  # type: ignore[misc]
        assert trainings.attend("one", shapes_of(NETS[0]), network).network.label.trained_for == seconds
    assert len(teacher.begun) == 2


def test_what_is_kept_is_bounded(teacher: Teacher) -> None:
    trainings, network = (
        TrainingQueue(shares=Shares(9_000, 9_000, 9_000, 9_000, 0), patience=60),
        bare(1000),
    )  # 4,000 bytes each
    teacher.steps.release(6)
    for net in NETS[:3]:
        until(lambda net=net: trainings.attend("one", shapes_of(net), network, 4).ahead is None)  # type: ignore[misc]
        trainings.attend("one", shapes_of(NETS[0]), network)  # looked at again and again: stays
    kept = [trainings.attend("one", shapes_of(net), network).network.label.trained_for for net in NETS[:3]]
    assert kept == [4, 0, 4]


def test_a_queue_that_is_full_says_so(teacher: Teacher) -> None:
    trainings, network = TrainingQueue(waiting=(2, 2), patience=60), bare()
    for number in range(2):
        assert trainings.attend(f"visitor {number}", shapes_of(NETS[number]), network, 4).ahead == number
    standing = trainings.attend("late", shapes_of(NETS[2]), network, 4)
    assert (standing.network, standing.ahead) == (network, 2)
    assert standing.problem == "2 trainings are waiting already, and this one for its place."


def test_addresses_take_turns_and_places(teacher: Teacher) -> None:
    trainings = TrainingQueue(address=lambda visitor: visitor.partition("@")[2], waiting=(5, 3), patience=60)
    network = bare()
    for number in range(3):  # tabs of one person
        assert trainings.attend(f"tab {number}@greedy", shapes_of(NETS[number]), network, 4).ahead == number
    refused = trainings.attend("tab 3@greedy", shapes_of(NETS[3]), network, 4)
    assert refused.problem == "3 trainings from your address are waiting already, and this one for its place."
    assert trainings.attend("one@home", shapes_of(NETS[4]), network, 4).ahead == 1  # after the one that runs
    teacher.steps.release(4)
    until(lambda: len(teacher.begun) == 3)
    assert teacher.begun == [str(parse(NETS[number])) for number in (0, 4, 1)]


def test_large_networks_that_wait_are_bounded(teacher: Teacher) -> None:
    trainings = TrainingQueue(shares=Shares(9_000, 9_000, 9_000, 9_000, 0), patience=60)
    for number in range(2):
        assert not trainings.attend(f"visitor {number}", shapes_of(NETS[number]), bare(1000), 4).problem
    assert "large networks are waiting" in trainings.attend("late", shapes_of(NETS[2]), bare(1000), 4).problem
    assert not trainings.attend("modest", shapes_of(NETS[3]), bare(10), 4).problem


def test_what_somebody_present_has_trained_stays(teacher: Teacher) -> None:
    gone: set[str] = set()
    trainings = TrainingQueue(
        present=lambda visitor: visitor not in gone, shares=Shares(9_000, 4_500, 9_000, 9_000, 0), patience=60
    )
    teacher.steps.release(20)
    for visitor, net in (("one", NETS[0]), ("two", NETS[1])):
        until(lambda visitor=visitor, net=net: trainings.attend(visitor, shapes_of(net), bare(1000), 4).ahead is None)  # type: ignore[misc]
    assert "take all the memory" in trainings.attend("late", shapes_of(NETS[2]), bare(1000), 4).problem
    gone.add("one")
    assert not trainings.attend("late", shapes_of(NETS[2]), bare(1000), 4).problem
    assert trainings.attend("two", shapes_of(NETS[1]), bare(1000)).network.label.trained_for == 4


def test_a_failure_is_told_and_the_next_is_trained() -> None:
    trainings, network = TrainingQueue(), bare()
    impossible = shapes_of("conv4k3-fc7")
    until(lambda: trainings.attend("one", impossible, network, 4).ahead is None)
    standing = trainings.attend("one", impossible, network, 4)
    assert standing.network is network
    assert "cannot learn to tell digits apart" in standing.problem
    small = load_network(parse(NETS[6]))
    until(lambda: trainings.attend("one", shapes_of(NETS[6]), small, 0.5).ahead is None)
    assert trainings.attend("one", shapes_of(NETS[6]), small).network.label.trained_for == 0.5


def test_a_process_that_ends_gives_trainings_up() -> None:
    script = """
from cnn_explorer import infer_shapes, load_network, parse
from cnn_explorer.training.queue import TrainingQueue
spec = parse("fc64-relu-fc10")
print(TrainingQueue(patience=60).attend("one", infer_shapes(spec), load_network(spec), 1000).ahead)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


def test_training_does_not_load_torchs_compiler() -> None:
    script = """
import sys
from cnn_explorer import infer_shapes, load_network, parse
from cnn_explorer.training.quick import train_briefly
for net in ("fc16-relu-fc10", "conv4k3s2-relu-fc10"):
    spec = parse(net)
    for _ in train_briefly(load_network(spec), infer_shapes(spec), 0.1):
        pass
print("torch._dynamo" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "False\n"
