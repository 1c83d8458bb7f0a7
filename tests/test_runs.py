"""The runs of twenty visitors at once: fair shares, places in the line, sharing, leaving, bounds, failures. Shares are
counted on a stand-in for torch's work that takes a known time; all else trains small networks.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from cnn_explorer.sharing.fair_cache import Shares
from cnn_explorer.sharing.fair_lock import FairLock
from cnn_explorer.spec.network import NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.training import queue
from cnn_explorer.training import runs as runs_module
from cnn_explorer.training.queue import TrainingQueue
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.run import Run, bytes_needed
from cnn_explorer.training.runs import SHARES, Runs, Standing
from cnn_explorer.weights.load import TrainedNetwork, load_network

SPEC = parse("fc10")
LONG = RunRecipe("bundled", "sgd", 0.01, batch_size=8, epochs=100)
SHORT = RunRecipe("bundled", "sgd", 0.01, batch_size=512, epochs=3)
ALL = 10**9


class House:
    """Visitors come in when they drive something, and go when the test says so. A name before an @ stands for a visitor
    of an address.
    """

    def __init__(self, shares: Shares = SHARES, places: tuple[int, int] = (50, 40)) -> None:
        self.gone: set[str] = set()
        self.asked: list[str] = []
        self.turns = FairLock()
        self.runs = Runs(self.turns, self.present, lambda visitor: visitor.partition("@")[2], shares, places)

    def present(self, visitor: str) -> bool:
        self.asked.append(visitor)
        return visitor not in self.gone

    def drive(self, visitor: str, recipe: RunRecipe = LONG, until: int = ALL, spec: NetworkSpec = SPEC) -> Standing:
        return self.runs.drive(visitor, spec, recipe, until)

    def run(self, recipe: RunRecipe = LONG, spec: NetworkSpec = SPEC) -> Run:
        run = self.runs.run(spec, recipe)
        assert run
        return run


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(runs_module, "TURN", 0.04)
    monkeypatch.setattr(runs_module, "GROUP", 0.02)
    monkeypatch.setattr(runs_module, "ASKED", 0.05)
    house = House()
    yield house
    house.runs.close()


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
    return not any(thread.name == "advance runs" for thread in threading.enumerate())


def seeded(number: int) -> RunRecipe:
    return replace(LONG, seed=number)


def test_a_run_is_driven_to_its_end_and_is_the_same_as_by_hand(house: House) -> None:
    standing = house.drive("one", SHORT)
    assert standing.run
    assert (standing.going, standing.ahead, standing.problem) == (True, 0, "")
    until(lambda: not house.drive("one", SHORT).going)
    by_hand = Run(SPEC, SHORT)
    while not by_hand.finished:
        by_hand.advance()
    run = house.run(SHORT)
    assert run.finished
    assert run.looks == by_hand.looks
    assert torch.equal(run.network()[1][2].weight, by_hand.network()[1][2].weight)  # type: ignore[arg-type]
    assert house.runs.drive("another", SPEC, SHORT, 0) == Standing(run)
    until(is_quiet)  # nothing more to do: no thread is left


def test_twenty_visitors_get_equal_shares(house: House, slow: list[Run]) -> None:
    with house.turns:  # nobody begins before all are there
        for number in range(20):
            assert house.drive(f"visitor {number}", seeded(number)).ahead == number
    runs = [house.run(seeded(number)) for number in range(20)]
    until(lambda: sum(run.batch for run in runs) > 900)
    house.runs.close()
    batches = [run.batch for run in runs]
    assert max(batches) - min(batches) <= 2 * 0.04 / 0.002 + 5  # one turn and a bit
    assert min(batches) > 0
    turns = [number for number, run in enumerate(slow) if number == 0 or run is not slow[number - 1]]
    assert [runs.index(slow[number]) for number in turns[:20]] == [*range(20)]  # in the order in which they came


def test_everybody_knows_their_place(house: House, slow: list[Run]) -> None:
    for number in range(20):
        house.drive(f"visitor {number}", seeded(number))
    with house.turns:  # whoever has the turn keeps it meanwhile
        places = [house.drive(f"visitor {number}", seeded(number)).ahead for number in range(20)]
        assert sorted(places) == [*range(20)]
        assert house.drive("guest", seeded(3), 0).ahead == 20
        tab = house.drive("a second tab", seeded(3)).ahead
        assert tab == places[3]  # the turns of the first one advance what it watches
        house.runs.leave("a second tab")
        house.runs.leave(f"visitor {places.index(4)}")
        later = [house.drive(f"visitor {places.index(place)}", seeded(places.index(place))).ahead for place in (3, 5)]
        assert house.drive(f"visitor {places.index(4)}", until=0).ahead == 19  # who does not drive would come last
    assert later == [3, 4]


def test_who_drives_two_runs_has_one_share(house: House, slow: list[Run]) -> None:
    house.drive("greedy", seeded(0))
    house.drive("greedy", seeded(1))
    house.drive("modest", seeded(2))
    two, one = [house.run(seeded(0)), house.run(seeded(1))], house.run(seeded(2))
    until(lambda: one.batch > 150)
    house.runs.close()
    assert abs(two[0].batch - two[1].batch) <= 25  # alternating
    assert sum(run.batch for run in two) == pytest.approx(one.batch, rel=0.35)


def test_two_who_drive_the_same_run_watch_the_same_one(house: House, slow: list[Run]) -> None:
    first, second = house.drive("one", until=50), house.drive("another", until=80)
    assert first.run is second.run
    assert first.run
    until(lambda: not house.drive("nobody", until=0).going)
    assert first.run.batch == 80
    assert house.drive("one", until=60) == Standing(first.run)  # already further
    house.drive("one", until=ALL)
    house.drive("another", until=ALL)
    house.runs.leave("one")
    before = first.run.batch
    until(lambda: first.run is not None and first.run.batch > before + 20)  # the other one still wants it
    assert house.drive("nobody", until=0).going
    house.drive("another", until=0)
    until(is_quiet)
    assert not house.drive("nobody", until=0).going


def test_hold_step_and_go_on(house: House) -> None:
    recipe = replace(SHORT, batch_size=64)
    for batch in (1, 2, 62, 63):
        house.drive("one", recipe, batch)
        until(lambda: not house.drive("nobody", recipe, 0).going)
        assert house.run(recipe).batch == batch
    assert house.run(recipe).looks[-1].epoch == 1
    house.drive("one", recipe)
    until(lambda: house.run(recipe).batch > 70)
    pressed = time.monotonic()
    house.drive("one", recipe, 0)
    until(is_quiet)
    assert time.monotonic() - pressed < 0.5
    held = house.run(recipe)
    assert not held.finished
    assert house.drive("one", recipe, held.batch - 1).going is False  # below what is trained: hold as well
    assert house.drive("one", recipe).run is held


def test_what_is_held_is_held_at_once(house: House, slow: list[Run]) -> None:
    for _ in range(20):
        house.drive("one")
        run = house.run()
        before = run.batch
        until(lambda: run.batch > before + 3)  # noqa: B023
        house.drive("one", until=0)
        held = run.batch
        time.sleep(0.01)
        assert run.batch == held


def test_what_is_forgotten_makes_room(house: House, slow: list[Run]) -> None:
    run = house.runs.drive("one", SPEC, LONG, ALL, "mine").run
    assert run
    house.runs.forget(SPEC, LONG, "mine")
    house.runs.forget(SPEC, LONG, "nobody's")
    assert house.runs.run(SPEC, LONG, "mine") is None
    until(is_quiet)


def test_addresses_get_equal_shares_and_so_do_their_visitors(house: House, slow: list[Run]) -> None:
    with house.turns:
        tabs = [house.drive(f"tab {number}@greedy", seeded(number)) for number in range(9)]
        honest = house.drive("honest@home", seeded(9))
    assert [standing.ahead for standing in tabs] == [*range(9)]
    assert honest.ahead == 1  # after one tab, not after nine
    runs = [house.run(seeded(number)) for number in range(10)]
    until(lambda: runs[9].batch > 300)
    house.runs.close()
    batches = [run.batch for run in runs]
    assert sum(batches[:9]) == pytest.approx(batches[9], rel=0.35)
    assert min(batches[:9]) > 0


def test_one_address_cannot_take_all_places(slow: list[Run]) -> None:
    house = House(places=(5, 3))
    for number in range(3):
        assert not house.drive(f"tab {number}@greedy", seeded(number)).problem
    refused = house.drive("tab 3@greedy", seeded(3))
    assert (
        refused.problem
        == "3 visitors from your address are training already, as many as can take turns here; try again in a minute."
    )
    assert not house.drive("honest@home", seeded(4)).problem
    house.runs.close()


def test_nothing_of_somebody_present_is_given_up_for_another(slow: list[Run]) -> None:
    each = bytes_needed(SPEC, LONG)
    house = House(Shares(4 * each, 2 * each, 3 * each, 4 * each, 0))
    house.drive("honest@home", seeded(0), until=1)
    until(is_quiet)
    for number in range(1, 9):  # one batch each: the greedy visitor's own runs make room
        assert not house.drive("greedy@elsewhere", seeded(number), until=1).problem
        until(is_quiet)
    assert house.runs.run(SPEC, seeded(0)) is not None
    assert [number for number in range(1, 9) if house.runs.run(SPEC, seeded(number))] == [7, 8]
    assert not house.drive("tab@elsewhere", seeded(10), until=1).problem
    until(is_quiet)
    refused = house.drive("another tab@elsewhere", seeded(11), until=1)
    assert "all visitors from your address may take" in refused.problem
    assert house.runs.run(SPEC, seeded(0)) is not None
    house.runs.close()


def test_a_large_run_leaves_room_for_small_ones(slow: list[Run]) -> None:
    small, large = bytes_needed(SPEC, LONG), bytes_needed(parse("fc100-fc10"), LONG)
    house = House(Shares(2 * large, 2 * large, 2 * large, small, 3 * small))
    assert not house.drive("greedy@elsewhere", LONG, spec=parse("fc100-fc10")).problem
    assert "there are" in house.drive("greedy@elsewhere", seeded(1), spec=parse("fc100-fc10")).problem
    for number in range(3):
        assert not house.drive(f"honest {number}@home", seeded(number)).problem
    house.runs.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [(PermissionError("not to be read"), "not to be read"), (RuntimeError("/a/path"), "in the server's log")],
)
def test_digits_that_cannot_be_read_are_told(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def unreadable(*_: object) -> Run:
        raise error

    monkeypatch.setattr(runs_module, "Run", unreadable)
    assert said in house.drive("one").problem
    assert "/a/path" not in house.drive("one").problem


def test_a_worker_that_breaks_is_replaced(house: House, slow: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(house.runs, "_present", lambda visitor: house.gone[visitor])  # type: ignore[index]
    house.drive("one")
    until(is_quiet)
    monkeypatch.setattr(house.runs, "_present", house.present)
    before = house.run().batch
    house.drive("one")
    until(lambda: house.run().batch > before + 10)


def test_who_is_gone_drives_nothing(house: House, slow: list[Run]) -> None:
    house.drive("one")
    run = house.run()
    until(lambda: run.batch > 50)
    assert len(house.asked) <= 4  # every 50 ms at most
    house.gone.add("one")
    until(is_quiet)
    held = run.batch
    assert house.runs.drive("another", SPEC, LONG, 0) == Standing(run)
    house.gone.clear()
    assert house.drive("one", until=held + 5).run is run  # kept for whoever comes back
    until(is_quiet)
    assert run.batch == held + 5


def test_nobody_who_left_is_remembered(house: House, slow: list[Run]) -> None:
    for number in range(20):
        house.drive(f"visitor {number}", seeded(number))
    house.gone |= {f"visitor {number}" for number in range(10)}
    for number in range(10, 20):
        house.runs.leave(f"visitor {number}")
    until(is_quiet)
    assert not house.runs._wanted
    assert not house.runs._line
    assert not house.runs._asked


def test_the_time_left_counts_the_others(house: House, slow: list[Run]) -> None:
    assert house.drive("one", until=400).seconds_left is None  # not known yet
    until(lambda: house.run().batch > 60)
    alone = house.drive("one", until=house.run().batch + 300).seconds_left
    assert alone == pytest.approx(300 * 0.0021, rel=0.4)
    for number in (1, 2):
        house.drive(f"visitor {number}", seeded(number))
    shared = house.drive("one", until=house.run().batch + 300).seconds_left
    assert alone is not None
    assert shared == pytest.approx(3 * alone, rel=0.4)
    house.drive("one", seeded(7))
    twice = house.drive("one", until=house.run().batch + 300).seconds_left
    assert twice == pytest.approx(6 * alone, rel=0.4)
    assert house.drive("one", until=0).seconds_left is None


def test_memory_is_bounded_and_the_longest_unseen_goes_first(slow: list[Run]) -> None:
    each = bytes_needed(SPEC, LONG)
    house = House(Shares(3 * each, 3 * each, 4 * each, 3 * each, 0))
    for number in range(3):
        house.drive("one", seeded(number), until=1)
        until(is_quiet)
    house.run(seeded(0))  # looked at: stays
    house.drive("one", seeded(3), until=1)
    until(is_quiet)
    assert [house.runs.run(SPEC, seeded(number)) is not None for number in range(4)] == [True, False, True, True]
    for number in (0, 2, 3):
        house.drive(f"visitor {number}", seeded(number))
    refused = house.drive("late", seeded(5))
    assert refused.run is None
    assert refused.problem == (
        f"This training needs {each / 1e6:.0f} MB of memory; there are {3 * each / 1e6:.0f} MB, of which "
        f"{3 * each / 1e6:.0f} MB are "
        "taken: try again when others are over, or choose a smaller network."
    )
    assert house.runs.run(SPEC, seeded(5)) is None
    assert all(house.run(seeded(number)) for number in (0, 2, 3))  # what is driven is never dropped
    house.runs.leave("visitor 2")
    assert house.drive("late", seeded(5)).problem  # paused, and its visitor is still there
    house.gone |= {"visitor 2", "one"}
    assert house.drive("late", seeded(5)).run
    assert house.runs.run(SPEC, seeded(2)) is None
    house.runs.close()


def test_what_can_never_have_room_is_told(house: House) -> None:
    standing = house.drive("one", spec=parse("fc4096-fc1024-fc10"))
    assert standing.run is None
    assert standing.problem.endswith("MB of memory, and one visitor may take 48 MB: choose a smaller network.")
    adam = replace(LONG, optimizer="adam")
    for spec, remedy in ((parse("fc2800-relu-fc10"), " or SGD"), (parse("fc4096-fc1024-fc10"), "")):
        with pytest.raises(
            ValueError, match=f"of memory, and one visitor may take 48 MB: choose a smaller network{remedy}.$"
        ):
            house.runs.check(infer_shapes(spec), adam)
    house.runs.check(infer_shapes(parse("fc2800-relu-fc10")), LONG)


def test_what_cannot_be_trained_is_told(house: House) -> None:
    assert "end it with a linear layer" in house.drive("one", spec=parse("fc7")).problem
    assert "does not work out" in house.drive("one", spec=parse("conv4k3-conv4k28-fc10")).problem
    assert house.runs.drive("one", parse("fc7"), LONG, 0) == Standing()
    assert is_quiet()


def test_a_line_that_is_full_says_so(slow: list[Run]) -> None:
    house = House(places=(2, 2))
    for number in range(2):
        assert not house.drive(f"visitor {number}", seeded(number)).problem
    late = house.drive("late", seeded(2))
    assert (late.run, late.ahead) == (None, 2)
    assert late.problem == "2 visitors are training already, as many as can take turns here; try again in a minute."
    assert not house.drive("visitor 0", seeded(3)).problem
    house.runs.close()


def test_a_failure_is_told_and_the_others_go_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Run.advance

    def breaks(run: Run) -> None:
        if run.recipe.seed == 1 and run.batch == 3:
            raise RuntimeError("no memory at /a/path")
        advance(run)

    monkeypatch.setattr(Run, "advance", breaks)
    for number in range(3):
        house.drive(f"visitor {number}", replace(SHORT, seed=number))
    until(is_quiet)
    standing = house.drive("visitor 1", replace(SHORT, seed=1))
    assert (standing.problem, standing.going) == (
        "The training failed; the reason is in the server's log. Try again in a minute.",
        False,
    )
    assert house.run(replace(SHORT, seed=0)).finished
    assert house.run(replace(SHORT, seed=2)).batch == 21
    monkeypatch.setattr(Run, "advance", advance)
    monkeypatch.setattr(runs_module, "FORGOTTEN", 0)
    assert house.drive("visitor 1", replace(SHORT, seed=1)).going  # another attempt, from the start
    until(is_quiet)
    assert house.run(replace(SHORT, seed=1)).batch == 21


def test_fifty_visitors_are_answered_at_once(house: House, slow: list[Run]) -> None:
    for number in range(50):
        house.drive(f"visitor {number}", seeded(number))
    times = []
    for number in range(50):
        began = time.thread_time()
        house.drive(f"visitor {number}", seeded(number))
        times.append(time.thread_time() - began)
    assert sorted(times)[25] < 0.001


def test_asking_is_quick_while_a_run_computes(house: House) -> None:
    heavy, recipe = parse("conv32k5p2-relu-conv16k5p2-fc10"), replace(LONG, batch_size=64)
    house.drive("one", recipe, spec=heavy)
    until(lambda: house.run(recipe, heavy).batch > 0)
    times = []
    for _ in range(50):
        time.sleep(0.002)
        began = time.monotonic()
        house.drive("one", recipe, spec=heavy)
        house.runs.drive("another", heavy, recipe, 0)
        times.append(time.monotonic() - began)
    assert sorted(times)[25] < 0.002


def test_closing_holds_everything_and_takes_nothing_more(house: House, slow: list[Run]) -> None:
    for number in range(5):
        house.drive(f"visitor {number}", seeded(number))
    house.runs.close()
    assert is_quiet()
    done = len(slow)
    house.drive("one", seeded(9))
    house.drive("visitor 1", seeded(1))
    assert is_quiet()
    assert len(slow) == done


def test_turns_are_taken_in_the_order_asked_for() -> None:
    turns, order = FairLock(), []

    def take(number: int) -> None:
        with turns:
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(20)]
    with turns:
        for number, thread in enumerate(threads):
            thread.start()
            until(lambda number=number: len(turns._waiting) == number + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == [*range(20)]
    with pytest.raises(ValueError, match="given back"), turns:
        raise ValueError("given back")
    with turns:
        pass


def test_only_one_training_computes_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    now, most, steps = 0, 0, {"briefly": 0, "run": 0}

    def compute(name: str) -> None:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        time.sleep(0.002)
        steps[name] += 1
        now -= 1

    def train_briefly(network: TrainedNetwork, *_: object) -> Iterator[TrainedNetwork]:
        while True:
            compute("briefly")
            yield network

    monkeypatch.setattr(queue, "train_briefly", train_briefly)
    monkeypatch.setattr(Run, "advance", lambda run: compute("run"))
    trainings = TrainingQueue(turns=house.turns)
    trainings.attend("one", infer_shapes(SPEC), load_network(SPEC), 4)
    house.drive("another")
    until(lambda: min(steps.values()) > 5)
    assert most == 1
    trainings.close()


def test_a_process_that_ends_holds_its_runs_and_loads_no_compiler() -> None:
    script = """
import sys, time
from cnn_explorer import parse
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.runs import Runs
from cnn_explorer.sharing.fair_lock import FairLock
runs = Runs(FairLock(), lambda visitor: True)
for number, optimizer in enumerate(("sgd", "adam")):
    run = runs.drive("one", parse("conv4k3s2-relu-fc10"), RunRecipe(optimizer=optimizer, epochs=100), 10**9).run
    while run.batch < 5:
        time.sleep(0.01)
print(run.problem, "torch._dynamo" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == (" False\n", "")
