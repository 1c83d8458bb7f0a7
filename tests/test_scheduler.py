"""The trainings of twenty visitors at once: fair shares, places in the line, sharing, leaving, bounds, failures.

Shares are counted on a stand-in for torch's work that takes a known time. Quick trainings are led by the hand, but for
the first test of them.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from programs import run as run_program
from torch import nn

from cnn_explorer.sharing.fair_cache import Shares
from cnn_explorer.spec.network import NetworkSpec, parse
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.training import scheduler as scheduler_module
from cnn_explorer.training.quick import QuickRun
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.run import Run, bytes_needed
from cnn_explorer.training.scheduler import SHARES, QuickStatus, RunStatus, Scheduler
from cnn_explorer.weights.label import Initialised, Label
from cnn_explorer.weights.load import TrainedNetwork, load_network

SPEC = parse("fc10")
LONG = RunRecipe("bundled", "sgd", 0.01, batch_size=8, epochs=100)
SHORT = RunRecipe("bundled", "sgd", 0.01, batch_size=512, epochs=3)
ALL = 10**9


NETS = [f"conv4k{kernel}s2-relu-conv4k3g2-relu-fc10" for kernel in range(1, 8)]


@cache
def shapes_of(net: str) -> NetworkShapes:
    return infer_shapes(parse(net))


def bare(values: int = 10) -> TrainedNetwork:
    return TrainedNetwork(nn.Sequential(nn.Linear(values, 1, bias=False)), Label(Initialised(0)))


HOUSES: list["House"] = []


class House:
    """Visitors come in when they drive something, and go when the test says so. A name before an @ stands for a visitor
    of an address.
    """

    def __init__(self, shares: Shares = SHARES, places: tuple[int, int] = (50, 40), patience: float = 60) -> None:
        HOUSES.append(self)
        self.gone: set[str] = set()
        self.asked: list[str] = []
        self.scheduler = Scheduler(self.present, lambda visitor: visitor.partition("@")[2], shares, places, patience)

    def present(self, visitor: str) -> bool:
        self.asked.append(visitor)
        return visitor not in self.gone

    def train(self, visitor: str, recipe: RunRecipe = LONG, until: int = ALL, spec: NetworkSpec = SPEC) -> RunStatus:
        return self.scheduler.train(visitor, spec, recipe, until)

    def train_quickly(
        self, visitor: str, net: str, network: TrainedNetwork | None = None, seconds: float = 4
    ) -> QuickStatus:
        return self.scheduler.train_quickly(visitor, shapes_of(net), network or bare(), seconds)

    def kept(self, net: str, network: TrainedNetwork) -> float:
        """How many seconds the network has been trained for that a guest is shown."""
        return self.train_quickly("guest", net, network, 0).network.label.trained_for

    def run(self, recipe: RunRecipe = LONG, spec: NetworkSpec = SPEC) -> Run:
        run = self.scheduler.run(spec, recipe)
        assert run
        return run


@pytest.fixture(autouse=True)
def end_all() -> Iterator[None]:
    yield
    while HOUSES:
        HOUSES.pop().scheduler.close()


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(scheduler_module, "TURN", 0.04)
    monkeypatch.setattr(scheduler_module, "GROUP", 0.02)
    monkeypatch.setattr(scheduler_module, "PRESENCE", 0.05)
    return House()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Every unit is one batch and takes two milliseconds; who advanced, unit by unit."""
    advanced: list[Run] = []

    def advance(run: Run) -> None:
        time.sleep(0.002)
        run.batch += 1
        run._testing = False
        run.finished = run.batch >= run.batches
        advanced.append(run)

    monkeypatch.setattr(Run, "advance", advance)
    return advanced


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def is_quiet() -> bool:
    return not any(thread.name == "train" for thread in threading.enumerate())


def seeded(number: int) -> RunRecipe:
    return replace(LONG, seed=number)


def test_a_run_is_driven_to_its_end_and_is_the_same_as_by_hand(house: House) -> None:
    status = house.train("one", SHORT)
    assert status.run
    assert (status.going, status.ahead, status.problem) == (True, 0, "")
    until(lambda: not house.train("one", SHORT).going)
    by_hand = Run(SPEC, SHORT)
    while not by_hand.finished:
        by_hand.advance()
    run = house.run(SHORT)
    assert run.finished
    assert run.points == by_hand.points
    assert torch.equal(run.network()[1][2].weight, by_hand.network()[1][2].weight)  # type: ignore[arg-type]
    assert house.scheduler.train("another", SPEC, SHORT, 0) == RunStatus(run)
    until(is_quiet)  # nothing more to do: no thread is left


def test_twenty_visitors_get_equal_shares(house: House, slow: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock on which every unit takes its two milliseconds, however busy the machine is.
    monkeypatch.setattr(scheduler_module, "time", SimpleNamespace(monotonic=lambda: 0.002 * len(slow)))
    with house.scheduler._unit:  # nobody begins before all are there
        for number in range(20):
            assert house.train(f"visitor {number}", seeded(number)).ahead == number
    runs = [house.run(seeded(number)) for number in range(20)]
    until(lambda: sum(run.batch for run in runs) > 900)
    house.scheduler.close()
    batches = [run.batch for run in runs]
    assert max(batches) - min(batches) <= 2 * 0.04 / 0.002 + 5  # one turn and a bit
    assert min(batches) > 0
    turns = [number for number, run in enumerate(slow) if number == 0 or run is not slow[number - 1]]
    assert [runs.index(slow[number]) for number in turns[:20]] == [*range(20)]  # in the order in which they came


def test_everybody_knows_their_place(house: House, slow: list[Run]) -> None:
    for number in range(20):
        house.train(f"visitor {number}", seeded(number))
    with house.scheduler._unit:  # whoever has the turn keeps it meanwhile
        places = [house.train(f"visitor {number}", seeded(number)).ahead for number in range(20)]
        assert sorted(places) == [*range(20)]
        assert house.train("guest", seeded(3), 0).ahead == 20
        tab = house.train("a second tab", seeded(3)).ahead
        assert tab == places[3]  # the turns of the first one advance what it watches
        house.scheduler.leave("a second tab")
        house.scheduler.leave(f"visitor {places.index(4)}")
        later = [house.train(f"visitor {places.index(place)}", seeded(places.index(place))).ahead for place in (3, 5)]
        assert house.train(f"visitor {places.index(4)}", until=0).ahead == 19  # who does not drive would come last
    assert later == [3, 4]


def test_who_drives_two_runs_has_one_share(house: House, slow: list[Run]) -> None:
    with house.scheduler._unit:  # nobody begins before all are there
        house.train("greedy", seeded(0))
        house.train("greedy", seeded(1))
        house.train("modest", seeded(2))
    two, one = [house.run(seeded(0)), house.run(seeded(1))], house.run(seeded(2))
    until(lambda: one.batch > 150)
    house.scheduler.close()
    assert abs(two[0].batch - two[1].batch) <= 25  # alternating
    assert sum(run.batch for run in two) == pytest.approx(one.batch, rel=0.35)


def test_two_who_drive_the_same_run_watch_the_same_one(house: House, slow: list[Run]) -> None:
    first, second = house.train("one", until=50), house.train("another", until=80)
    assert first.run is second.run
    assert first.run
    until(lambda: not house.train("nobody", until=0).going)
    assert first.run.batch == 80
    assert house.train("one", until=60) == RunStatus(first.run)  # already further
    house.train("one", until=ALL)
    house.train("another", until=ALL)
    house.scheduler.leave("one")
    before = first.run.batch
    until(lambda: first.run is not None and first.run.batch > before + 20)  # the other one still wants it
    assert house.train("nobody", until=0).going
    house.train("another", until=0)
    until(is_quiet)
    assert not house.train("nobody", until=0).going


def test_hold_step_and_go_on(house: House) -> None:
    recipe = replace(SHORT, batch_size=64)
    for batch in (1, 2, 62, 63):
        house.train("one", recipe, batch)
        until(lambda: not house.train("nobody", recipe, 0).going)
        assert house.run(recipe).batch == batch
    assert house.run(recipe).points[-1].epoch == 1
    house.train("one", recipe)
    until(lambda: house.run(recipe).batch > 70)
    pressed = time.monotonic()
    house.train("one", recipe, 0)
    until(is_quiet)
    assert time.monotonic() - pressed < 0.5
    held = house.run(recipe)
    assert not held.finished
    assert house.train("one", recipe, held.batch - 1).going is False  # below what is trained: hold as well
    assert house.train("one", recipe).run is held


def test_what_is_held_is_held_at_once(house: House, slow: list[Run]) -> None:
    for _ in range(20):
        house.train("one")
        run = house.run()
        before = run.batch
        until(lambda: run.batch > before + 3)  # noqa: B023
        house.train("one", until=0)
        held = run.batch
        time.sleep(0.01)
        assert run.batch == held


def test_what_is_forgotten_makes_room(house: House, slow: list[Run]) -> None:
    run = house.scheduler.train("one", SPEC, LONG, ALL, "mine").run
    assert run
    house.scheduler.forget(SPEC, LONG, "mine")
    house.scheduler.forget(SPEC, LONG, "nobody's")
    assert house.scheduler.run(SPEC, LONG, "mine") is None
    until(is_quiet)


def test_addresses_get_equal_shares_and_so_do_their_visitors(house: House, slow: list[Run]) -> None:
    with house.scheduler._unit:
        tabs = [house.train(f"tab {number}@greedy", seeded(number)) for number in range(9)]
        honest = house.train("honest@home", seeded(9))
    assert [status.ahead for status in tabs] == [*range(9)]
    assert honest.ahead == 1  # after one tab, not after nine
    runs = [house.run(seeded(number)) for number in range(10)]
    until(lambda: runs[9].batch > 300)
    house.scheduler.close()
    batches = [run.batch for run in runs]
    assert sum(batches[:9]) == pytest.approx(batches[9], rel=0.35)
    assert min(batches[:9]) > 0


def test_one_address_cannot_take_all_places(slow: list[Run]) -> None:
    house = House(places=(5, 3))
    for number in range(3):
        assert not house.train(f"tab {number}@greedy", seeded(number)).problem
    refused = house.train("tab 3@greedy", seeded(3))
    assert (
        refused.problem
        == "3 visitors from your address are training already, as many as can take turns here; try again in a minute."
    )
    assert not house.train("honest@home", seeded(4)).problem


def test_nothing_of_somebody_present_is_given_up_for_another(slow: list[Run]) -> None:
    each = bytes_needed(SPEC, LONG)
    house = House(Shares(4 * each, 2 * each, 3 * each, 4 * each, 0))
    house.train("honest@home", seeded(0), until=1)
    until(is_quiet)
    for number in range(1, 9):  # one batch each: the greedy visitor's own runs make room
        assert not house.train("greedy@elsewhere", seeded(number), until=1).problem
        until(is_quiet)
    assert house.scheduler.run(SPEC, seeded(0)) is not None
    assert [number for number in range(1, 9) if house.scheduler.run(SPEC, seeded(number))] == [7, 8]
    assert not house.train("tab@elsewhere", seeded(10), until=1).problem
    until(is_quiet)
    refused = house.train("another tab@elsewhere", seeded(11), until=1)
    assert "all visitors from your address may take" in refused.problem
    assert house.scheduler.run(SPEC, seeded(0)) is not None


def test_a_large_run_leaves_room_for_small_ones(slow: list[Run]) -> None:
    small, large = bytes_needed(SPEC, LONG), bytes_needed(parse("fc100-fc10"), LONG)
    house = House(Shares(2 * large, 2 * large, 2 * large, small, 3 * small))
    assert not house.train("greedy@elsewhere", LONG, spec=parse("fc100-fc10")).problem
    assert "there are" in house.train("greedy@elsewhere", seeded(1), spec=parse("fc100-fc10")).problem
    for number in range(3):
        assert not house.train(f"honest {number}@home", seeded(number)).problem


@pytest.mark.parametrize(
    ("error", "said"),
    [(PermissionError("not to be read"), "not to be read"), (RuntimeError("/a/path"), "in the server's log")],
)
def test_digits_that_cannot_be_read_are_told(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def unreadable(*_: object) -> Run:
        raise error

    monkeypatch.setattr(scheduler_module, "Run", unreadable)
    assert said in house.train("one").problem
    assert "/a/path" not in house.train("one").problem


def test_a_worker_that_breaks_is_replaced(house: House, slow: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(house.scheduler, "_present", lambda visitor: house.gone[visitor])  # type: ignore[index]
    house.train("one")
    until(is_quiet)
    monkeypatch.setattr(house.scheduler, "_present", house.present)
    before = house.run().batch
    house.train("one")
    until(lambda: house.run().batch > before + 10)


def test_who_is_gone_drives_nothing(house: House, slow: list[Run]) -> None:
    house.train("one")
    run = house.run()
    until(lambda: run.batch > 50)
    assert len(house.asked) <= 4  # every 50 ms at most
    house.gone.add("one")
    until(is_quiet)
    held = run.batch
    assert house.scheduler.train("another", SPEC, LONG, 0) == RunStatus(run)
    house.gone.clear()
    assert house.train("one", until=held + 5).run is run  # kept for whoever comes back
    until(is_quiet)
    assert run.batch == held + 5


def test_nobody_who_left_is_remembered(house: House, slow: list[Run]) -> None:
    for number in range(20):
        house.train(f"visitor {number}", seeded(number))
    house.gone |= {f"visitor {number}" for number in range(10)}
    for number in range(10, 20):
        house.scheduler.leave(f"visitor {number}")
    until(is_quiet)
    assert not house.scheduler._wishes
    assert not house.scheduler._line
    assert not house.scheduler._seen


def test_the_time_left_counts_the_others(house: House, slow: list[Run]) -> None:
    assert house.train("one", until=400).seconds_left is None  # not known yet
    until(lambda: house.run().batch > 60)
    alone = house.train("one", until=house.run().batch + 300).seconds_left
    assert alone is not None
    assert 0.6 * 300 * 0.0021 <= alone <= 6 * 300 * 0.0021  # a batch takes longer on a busy machine
    for number in (1, 2):
        house.train(f"visitor {number}", seeded(number))
    shared = house.train("one", until=house.run().batch + 300).seconds_left
    assert shared == pytest.approx(3 * alone, rel=0.4)
    house.train("one", seeded(7))
    twice = house.train("one", until=house.run().batch + 300).seconds_left
    assert twice == pytest.approx(6 * alone, rel=0.4)
    assert house.train("one", until=0).seconds_left is None


def test_memory_is_bounded_and_the_longest_unseen_goes_first(slow: list[Run]) -> None:
    each = bytes_needed(SPEC, LONG)
    house = House(Shares(3 * each, 3 * each, 4 * each, 3 * each, 0))
    for number in range(3):
        house.train("one", seeded(number), until=1)
        until(is_quiet)
    house.run(seeded(0))  # looked at: stays
    house.train("one", seeded(3), until=1)
    until(is_quiet)
    assert [house.scheduler.run(SPEC, seeded(number)) is not None for number in range(4)] == [True, False, True, True]
    for number in (0, 2, 3):
        house.train(f"visitor {number}", seeded(number))
    refused = house.train("late", seeded(5))
    assert refused.run is None
    assert refused.problem == (
        f"This training needs {each / 1e6:.0f} MB of memory; there are {3 * each / 1e6:.0f} MB, of which "
        f"{3 * each / 1e6:.0f} MB are "
        "taken: try again when others are over, or choose a smaller network."
    )
    assert house.scheduler.run(SPEC, seeded(5)) is None
    assert all(house.run(seeded(number)) for number in (0, 2, 3))  # what is driven is never dropped
    house.scheduler.leave("visitor 2")
    assert house.train("late", seeded(5)).problem  # paused, and its visitor is still there
    house.gone |= {"visitor 2", "one"}
    assert house.train("late", seeded(5)).run
    assert house.scheduler.run(SPEC, seeded(2)) is None


def test_what_can_never_have_room_is_told(house: House) -> None:
    status = house.train("one", spec=parse("fc4096-fc1024-fc10"))
    assert status.run is None
    assert status.problem.endswith("MB of memory, and one visitor may take 48 MB: choose a smaller network.")
    adam = replace(LONG, optimizer="adam")
    for spec, remedy in ((parse("fc2800-relu-fc10"), " or SGD"), (parse("fc4096-fc1024-fc10"), "")):
        with pytest.raises(
            ValueError, match=f"of memory, and one visitor may take 48 MB: choose a smaller network{remedy}.$"
        ):
            house.scheduler.check(infer_shapes(spec), adam)
    house.scheduler.check(infer_shapes(parse("fc2800-relu-fc10")), LONG)


def test_what_cannot_be_trained_is_told(house: House) -> None:
    assert "end it with a linear layer" in house.train("one", spec=parse("fc7")).problem
    assert "does not work out" in house.train("one", spec=parse("conv4k3-conv4k28-fc10")).problem
    assert house.scheduler.train("one", parse("fc7"), LONG, 0) == RunStatus()
    assert is_quiet()


def test_a_line_that_is_full_says_so(slow: list[Run]) -> None:
    house = House(places=(2, 2))
    for number in range(2):
        assert not house.train(f"visitor {number}", seeded(number)).problem
    late = house.train("late", seeded(2))
    assert (late.run, late.ahead) == (None, 2)
    assert late.problem == "2 visitors are training already, as many as can take turns here; try again in a minute."
    assert not house.train("visitor 0", seeded(3)).problem


def test_a_failure_is_told_and_the_others_go_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Run.advance

    def breaks(run: Run) -> None:
        if run.recipe.seed == 1 and run.batch == 3:
            raise RuntimeError("no memory at /a/path")
        advance(run)

    monkeypatch.setattr(Run, "advance", breaks)
    for number in range(3):
        house.train(f"visitor {number}", replace(SHORT, seed=number))
    until(is_quiet)
    status = house.train("visitor 1", replace(SHORT, seed=1))
    assert (status.problem, status.going) == (
        "The training failed; the reason is in the server's log. Try again in a minute.",
        False,
    )
    assert house.run(replace(SHORT, seed=0)).finished
    assert house.run(replace(SHORT, seed=2)).batch == 21
    monkeypatch.setattr(Run, "advance", advance)
    monkeypatch.setattr(scheduler_module, "FAILED", 0)
    assert house.train("visitor 1", replace(SHORT, seed=1)).going  # another attempt, from the start
    until(is_quiet)
    assert house.run(replace(SHORT, seed=1)).batch == 21


def test_fifty_visitors_are_answered_at_once(house: House, slow: list[Run]) -> None:
    for number in range(50):
        house.train(f"visitor {number}", seeded(number))
    times = []
    for number in range(50):
        began = time.thread_time()
        house.train(f"visitor {number}", seeded(number))
        times.append(time.thread_time() - began)
    assert sorted(times)[25] < 0.001


def test_asking_is_quick_while_a_run_computes(house: House) -> None:
    heavy, recipe = parse("conv32k5p2-relu-conv16k5p2-fc10"), replace(LONG, batch_size=64)
    house.train("one", recipe, spec=heavy)
    until(lambda: house.run(recipe, heavy).batch > 0)
    times = []
    for _ in range(50):
        time.sleep(0.002)
        began = time.monotonic()
        house.train("one", recipe, spec=heavy)
        house.scheduler.train("another", heavy, recipe, 0)
        times.append(time.monotonic() - began)
    assert sorted(times)[25] < 0.002


def test_closing_holds_everything_and_takes_nothing_more(house: House, slow: list[Run]) -> None:
    for number in range(5):
        house.train(f"visitor {number}", seeded(number))
    house.scheduler.close()
    assert is_quiet()
    done = len(slow)
    house.train("one", seeded(9))
    house.train("visitor 1", seeded(1))
    assert is_quiet()
    assert len(slow) == done


def test_only_one_training_computes_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    now, most, steps = 0, 0, {"quick": 0, "run": 0}

    def compute(name: str) -> None:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        time.sleep(0.002)
        steps[name] += 1
        now -= 1

    monkeypatch.setattr(QuickRun, "advance", lambda run: compute("quick"))
    monkeypatch.setattr(Run, "advance", lambda run: compute("run"))
    house.train_quickly("one", NETS[0])
    house.train("another")
    until(lambda: min(steps.values()) > 50)
    assert most == 1
    assert 0.4 < steps["quick"] / steps["run"] < 2.5


def test_a_process_that_ends_ends_its_trainings_and_loads_no_compiler() -> None:
    ended = run_program(
        """
import sys, time
from cnn_explorer import infer_shapes, load_network, parse
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.scheduler import Scheduler
spec = parse("conv4k3s2-relu-fc10")
scheduler = Scheduler()
for optimizer in ("sgd", "adam"):
    run = scheduler.train("one", spec, RunRecipe(optimizer=optimizer, epochs=100), 10**9).run
    while run.batch < 5:
        time.sleep(0.01)
network = load_network(spec)
while scheduler.train_quickly("another", infer_shapes(spec), network, 1000).network is network:
    time.sleep(0.01)
print(run.problem, "torch._dynamo" in sys.modules)
""",
        shutdown=True,
    )
    assert (ended.stdout, ended.stderr) == (" False\n", "")


# --- quick trainings ---


class Teacher:
    """Stands in for the work of a `QuickRun`: takes a step when it is told to, and keeps a record of who was taught."""

    def __init__(self) -> None:
        self.steps = threading.Semaphore(0)
        self.begun: list[str] = []
        self.now = 0
        self.most = 0

    def teach(self, run: QuickRun) -> Iterator[None]:
        self.begun.append(str(run.shapes.spec))
        self.now += 1
        self.most = max(self.most, self.now)
        start = run.result
        try:
            for step in (1, 2):
                self.steps.acquire()
                label = replace(start.label, trained_for=run.seconds * step / 2)
                run.network = TrainedNetwork(start.module, label)
                if step == 1:
                    yield
            run.result = run.network
        finally:
            self.now -= 1


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Teacher]:
    teacher = Teacher()
    monkeypatch.setattr(QuickRun, "_work", lambda run: teacher.teach(run))
    yield teacher
    teacher.steps.release(1000)  # a worker that still waits comes to its end


def test_a_network_is_trained_and_kept_for_everybody(house: House) -> None:
    network = load_network(parse(NETS[2]))
    seen: list[QuickStatus] = []

    def going() -> bool:
        seen.append(house.train_quickly("one", NETS[2], network, 0.6))
        return seen[-1].going

    until(lambda: not going())
    assert seen[0] == QuickStatus(network, True, 0, 0.6)
    assert any(0 < status.network.label.trained_for < 0.6 for status in seen)
    last = seen[-1].network
    assert last.label.trained_for == 0.6
    assert last.label.accuracy is not None
    assert last.label.accuracy > 0.5
    assert house.train_quickly("another", NETS[2], network, 0) == QuickStatus(last)
    assert house.train_quickly("another", NETS[2], network, 0.6) == QuickStatus(last)
    assert house.train_quickly("another", NETS[3], network, 0) == QuickStatus(network)


def test_twenty_visitors_stand_in_line(house: House, teacher: Teacher) -> None:
    network = bare()
    for number in range(20):  # all want one of seven networks, one after the other
        status = house.train_quickly(f"visitor {number}", NETS[number % 7], network)
        assert status == QuickStatus(network, True, number % 7, 4)
    for done in range(7):
        until(lambda done=done: len(teacher.begun) == done + 1)  # type: ignore[misc]
        teacher.steps.release(2)
        until(lambda done=done: house.kept(NETS[done], network) == 4)  # type: ignore[misc]
        for number in range(20):
            status = house.train_quickly(f"visitor {number}", NETS[number % 7], network)
            assert status.going == (number % 7 > done)
            if status.going:  # as the next one begins
                assert status.ahead in (number % 7 - done - 1, number % 7 - done)
    assert teacher.begun == [str(parse(net)) for net in NETS]
    assert teacher.most == 1
    until(is_quiet)


def test_who_asks_for_another_gives_the_first_up(house: House, teacher: Teacher) -> None:
    network = bare()
    house.train_quickly("one", NETS[0], network)
    until(lambda: teacher.begun == [str(parse(NETS[0]))])
    for net in NETS[1:3]:
        house.train_quickly("one", net, network)
    teacher.steps.release(1)  # the first sees that nobody wants it any more; the second is not even begun
    until(lambda: len(teacher.begun) == 2)
    assert teacher.begun[1] == str(parse(NETS[2]))
    assert house.train_quickly("one", NETS[2], network).ahead == 0
    teacher.steps.release(2)
    until(lambda: not house.train_quickly("one", NETS[2], network).going)
    for net in NETS[:2]:
        assert house.train_quickly("one", net, network, 0).network is network  # nothing was left behind


def test_who_does_not_come_back_has_left(teacher: Teacher) -> None:
    house, network = House(patience=0.2), bare()
    house.train_quickly("one", NETS[0], network)
    until(lambda: len(teacher.begun) == 1)
    time.sleep(0.4)
    teacher.steps.release(1)
    until(lambda: teacher.now == 0)
    assert house.train_quickly("another", NETS[0], network, 0).network is network
    until(is_quiet)


def test_a_closed_page_gives_its_training_up(house: House, teacher: Teacher) -> None:
    network = bare()
    house.train_quickly("one", NETS[0], network)
    until(lambda: len(teacher.begun) == 1)
    house.gone.add("one")
    time.sleep(0.1)
    teacher.steps.release(1)
    until(lambda: teacher.now == 0)
    assert house.kept(NETS[0], network) == 0


def test_another_visitor_keeps_a_training_alive(house: House, teacher: Teacher) -> None:
    network = bare()
    for visitor in ("one", "another"):
        assert house.train_quickly(visitor, NETS[0], network).ahead == 0
    assert house.train_quickly("one", NETS[1], network, 0) == QuickStatus(network)
    until(lambda: len(teacher.begun) == 1)
    teacher.steps.release(2)
    until(lambda: not house.train_quickly("another", NETS[0], network).going)
    assert teacher.begun == [str(parse(NETS[0]))]


def test_more_seconds_are_another_training(house: House, teacher: Teacher) -> None:
    network = bare()
    teacher.steps.release(4)
    for seconds in (4, 8):
        until(lambda seconds=seconds: not house.train_quickly("one", NETS[0], network, seconds).going)  # type: ignore[misc]
        assert house.kept(NETS[0], network) == seconds
    assert len(teacher.begun) == 2


def test_what_was_finished_before_outlives_more_seconds_that_are_given_up(house: House, teacher: Teacher) -> None:
    network = bare()
    teacher.steps.release(2)
    until(lambda: not house.train_quickly("one", NETS[0], network).going)
    assert house.train_quickly("one", NETS[0], network, 8).going
    until(lambda: len(teacher.begun) == 2)
    house.train_quickly("one", NETS[1], network, 0)
    teacher.steps.release(1)
    until(lambda: teacher.now == 0)
    assert house.kept(NETS[0], network) == 4


def test_networks_that_are_kept_are_bounded(teacher: Teacher) -> None:
    house, network = House(Shares(9_000, 9_000, 9_000, 9_000, 0)), bare(1000)  # 4,000 bytes each
    teacher.steps.release(6)
    for net in NETS[:3]:
        until(lambda net=net: not house.train_quickly("one", net, network).going)  # type: ignore[misc]
        house.kept(NETS[0], network)  # looked at again and again: stays
    assert [house.kept(net, network) for net in NETS[:3]] == [4, 0, 4]


def test_a_line_of_quick_trainings_that_is_full_says_so(teacher: Teacher) -> None:
    house, network = House(places=(2, 2)), bare()
    for number in range(2):
        assert house.train_quickly(f"visitor {number}", NETS[number], network).ahead == number
    status = house.train_quickly("late", NETS[2], network)
    assert (status.network, status.going, status.ahead) == (network, True, 2)  # asks again
    assert status.problem == "2 visitors are training already, as many as can take turns here; try again in a minute."
    assert house.train_quickly("a second tab", NETS[1], network).ahead == 1  # takes no place of its own
    assert "2 visitors are training already" in house.train("late").problem


def test_addresses_take_turns_and_places_in_quick_trainings(teacher: Teacher) -> None:
    house, network = House(places=(5, 3)), bare()
    for number in range(3):  # tabs of one person
        assert house.train_quickly(f"tab {number}@greedy", NETS[number], network).ahead == number
    refused = house.train_quickly("tab 3@greedy", NETS[3], network)
    assert "3 visitors from your address are training already" in refused.problem
    assert house.train_quickly("one@home", NETS[4], network).ahead == 1  # after the one under way
    teacher.steps.release(4)
    until(lambda: len(teacher.begun) == 3)
    assert teacher.begun == [str(parse(NETS[number])) for number in (0, 4, 1)]


@pytest.mark.parametrize(("quick", "runs"), [(4, 1), (1, 4)])
def test_the_quick_training_under_way_gets_half_of_the_time(
    house: House, slow: list[Run], monkeypatch: pytest.MonkeyPatch, quick: int, runs: int
) -> None:
    advanced: list[QuickRun] = []

    def advance(run: QuickRun) -> None:
        time.sleep(0.002)
        advanced.append(run)

    monkeypatch.setattr(QuickRun, "advance", advance)
    with house.scheduler._unit:
        for number in range(quick):
            house.train_quickly(f"visitor {number}", NETS[number])
        for number in range(runs):
            house.train(f"another {number}", seeded(number))
    until(lambda: len(slow) > 200)
    house.scheduler.close()
    assert {run.shapes.spec for run in advanced} == {parse(NETS[0])}
    assert len(advanced) == pytest.approx(len(slow), rel=0.35)


def test_large_networks_that_wait_are_bounded(teacher: Teacher) -> None:
    house = House(Shares(9_000, 9_000, 9_000, 9_000, 0))
    for number in range(2):
        assert not house.train_quickly(f"visitor {number}", NETS[number], bare(1000)).problem
    assert "try again when they are over" in house.train_quickly("late", NETS[2], bare(1000)).problem
    assert not house.train_quickly("modest", NETS[3], bare(10)).problem


def test_what_somebody_present_has_trained_stays(teacher: Teacher) -> None:
    house = House(Shares(9_000, 4_500, 9_000, 9_000, 0))
    teacher.steps.release(20)
    for visitor, net in (("one", NETS[0]), ("two", NETS[1])):
        until(lambda visitor=visitor, net=net: not house.train_quickly(visitor, net, bare(1000)).going)  # type: ignore[misc]
    assert "try again when they are over" in house.train_quickly("late", NETS[2], bare(1000)).problem
    house.gone.add("one")
    assert not house.train_quickly("late", NETS[2], bare(1000)).problem
    assert house.train_quickly("two", NETS[1], bare(1000), 0).network.label.trained_for == 4


def test_a_quick_training_that_fails_is_told_and_the_next_is_trained(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, impossible = bare(), "conv4k3-fc7"
    until(lambda: not house.train_quickly("one", impossible, network).going)
    status = house.train_quickly("one", impossible, network)
    assert status.network is network
    assert "cannot learn to tell digits apart" in status.problem
    small = load_network(parse(NETS[6]))
    until(lambda: not house.train_quickly("one", NETS[6], small, 0.1).going)
    assert house.kept(NETS[6], small) == 0.1
    monkeypatch.setattr(scheduler_module, "FAILED", 0)
    assert house.train_quickly("one", impossible, network).going  # another attempt
