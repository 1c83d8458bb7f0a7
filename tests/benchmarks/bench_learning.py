"""What a run learns, in how many seconds of one thread, how fast it is beside plain loops, and how soon it stops.

    python tests/benchmarks/bench_learning.py [--quick] [--data DIR]

Accuracy is that on MNIST's 10,000 test digits, tested after every epoch as the page does; for the bundled digits it is
measured here, after the run. Seconds to an accuracy are the processor's own, of the training up to the end of the first
epoch that reaches it, tests left out. Speed is in digits a second of processor time: the run with all of its points and
tests, against a plain PyTorch loop over preloaded tensors, which does not test, in turns of a few dozen batches; and
against the loop of most tutorials, a `DataLoader` with torchvision's transforms. A stop is the time from the wish to
the last change of the run, asked through `Scheduler`. `--quick` has one seed and no full runs by the lecture's recipe.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from torch import nn
from torch.nn import functional

from cnn_explorer import LECTURE, build_network, parse
from cnn_explorer.digits.data import FOLDER_VARIABLE, data_folder
from cnn_explorer.spec.network import PRESETS, NetworkSpec
from cnn_explorer.training.recipe import RunRecipe, digits_for, recipes_for
from cnn_explorer.training.run import Run
from cnn_explorer.training.scheduler import Scheduler
from cnn_explorer.weights.evaluation import accuracy, as_input

CONNECTED = PRESETS["the lecture's fully connected network"]
HEAVY = parse("conv16k7p3-relu-conv16k7p3-fc10")  # near the most that a batch of 64 may cost
CHUNK = 40  # batches


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=data_folder())
    options = parser.parse_args()
    os.environ[FOLDER_VARIABLE] = str(options.data)
    torch.set_num_threads(1)
    seeds = range(1) if options.quick else range(3)
    learning("fast recipe, full MNIST", LECTURE, recipes_for("mnist")["fast"], seeds)
    bundled(recipes_for("bundled")["fast"], seeds)
    if not options.quick:
        learning("lecture's recipe, full MNIST", LECTURE, recipes_for("mnist")["the lecture's recipe"], range(2))
        learning("lecture's recipe, fully connected", CONNECTED, recipes_for("mnist")["the lecture's recipe"], range(2))
    speed(options.data, chunks=8 if options.quick else 23)
    for name, spec in {"lecture's network": LECTURE, "a heavy network": HEAVY}.items():
        stopping(name, spec, presses=8 if options.quick else 30)


# --- what is learnt ---


def learning(name: str, spec: NetworkSpec, recipe: RunRecipe, seeds: range) -> None:
    """Print the accuracy at the end of a run, and the seconds to 98 % and 99 %."""
    for seed in seeds:
        run = finished(spec, replace(recipe, seed=seed))
        ends = [point for point in run.points if point.batch and point.batch % run.batches_per_epoch == 0]
        print(f"{ends[-1].accuracy:8.2%}  {name}: {run.recipe}, {ends[-1].seconds:.1f} s")
        for goal in (0.98, 0.99):
            reached = next((point for point in ends if point.accuracy >= goal), None)
            said = f"{reached.seconds:.1f} s, {reached.epoch:.0f} epochs" if reached else "not reached"
            print(f"          {goal:.0%}: {said}", flush=True)


def bundled(recipe: RunRecipe, seeds: range) -> None:
    """Print what the bundled digits teach, measured on MNIST's test digits."""
    _, test = digits_for("mnist")
    for seed in seeds:
        run = finished(LECTURE, replace(recipe, seed=seed))
        right = accuracy(run.network()[1], test.images, test.labels)
        print(f"{right:8.2%}  bundled digits only: {run.recipe}, {run.points[-1].seconds:.1f} s", flush=True)


def finished(spec: NetworkSpec, recipe: RunRecipe) -> Run:
    """A run, advanced to its end."""
    run = Run(spec, recipe)
    while not run.finished:
        run.advance()
    assert not run.problem, run.problem
    return run


# --- how fast ---


def speed(data: Path, chunks: int) -> None:
    """Print digits a second of a run, of a plain loop and of a tutorial's, in turns of a chunk each.

    23 chunks of 40 batches of 64 are an epoch, but for its last 17 batches; its share of the final test is added to the
    run's time.
    """
    recipe = recipes_for("mnist")["the lecture's recipe"]
    run = Run(LECTURE, recipe)
    loops = {
        "run": run_chunks(run),
        "plain loop": batch_chunks(plain_loop(recipe)),
        "tutorial loop": batch_chunks(tutorial_loop(data)),
    }
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for loop in loops.values():
        next(loop)  # the first passes are slow
    for _ in range(chunks):
        for name, loop in loops.items():
            began = time.thread_time()
            next(loop)
            taken[name].append(time.thread_time() - began)
    digits = chunks * CHUNK * recipe.batch_size
    seconds = {name: sum(times) for name, times in taken.items()}
    seconds["run"] += test_seconds(run) * chunks * CHUNK / run.batches_per_epoch
    print(f"\ndigits a second of processor time, {digits:,} digits each:")
    for name, total in seconds.items():
        print(f"  {name:16} {digits / total:8,.0f}")
    print(
        f"  run against the plain loop {seconds['plain loop'] / seconds['run']:.2f}×, points and tests included;",
        end=" ",
    )
    print(f"against the tutorial loop {seconds['tutorial loop'] / seconds['run']:.1f}×", flush=True)


def run_chunks(run: Run) -> Iterator[None]:
    """Advances a run, a chunk of batches at a time."""
    while True:
        until = run.batch + CHUNK
        while run.is_due(until):
            run.advance()
        yield


def batch_chunks(batches: Iterator[None]) -> Iterator[None]:
    """A chunk of another loop's batches at a time."""
    while True:
        for _ in islice(batches, CHUNK):
            pass
        yield


def plain_loop(recipe: RunRecipe) -> Iterator[None]:
    """What one writes without a page: the same network, digits and steps; a yield a batch."""
    digits, _ = digits_for("mnist")
    images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels)
    module = build_network(LECTURE).train()
    optimizer = torch.optim.SGD(module.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum)
    while True:
        for batch in torch.randperm(len(images)).split(recipe.batch_size):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            functional.cross_entropy(module(as_input(images[batch])), labels[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            yield


def tutorial_loop(data: Path) -> Iterator[None]:
    """The loop of most tutorials, the lecture's among them: torchvision's data set and transforms, a `DataLoader`; a
    yield a batch.
    """
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import MNIST

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    loader = DataLoader(MNIST(str(data), train=True, transform=transform), batch_size=64, shuffle=True)
    module = nn.Sequential(
        *islice(build_network(LECTURE).children(), 1, None)
    ).train()  # the transform normalises already
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.5)
    while True:
        for images, labels in loader:
            optimizer.zero_grad()
            functional.cross_entropy(module(images), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            yield


def test_seconds(run: Run) -> float:
    """Processor time of one test after an epoch."""
    while run.batch < run.batches_per_epoch:
        run.advance()
    began = time.thread_time()
    while run.is_due(run.batch):
        run.advance()
    return time.thread_time() - began


# --- how soon it stops ---


def stopping(name: str, spec: NetworkSpec, presses: int) -> None:
    """Print the time from the wish to hold a run to its last change, and to the end of all work for it."""
    scheduler, recipe = Scheduler(), recipes_for("mnist")["the lecture's recipe"]
    changes, ends = [], []
    for press in range(presses):
        run = scheduler.train("visitor", spec, recipe, 10**9).run
        assert run
        before = run.batch
        wait(lambda run=run, before=before: run.batch > before)  # type: ignore[misc]
        time.sleep(0.05 * (press % 5))
        pressed = changed = time.perf_counter()
        scheduler.train("visitor", spec, recipe, 0)
        batch = run.batch
        while scheduler._worker:
            if run.batch != batch:
                batch, changed = run.batch, time.perf_counter()
            time.sleep(0.0005)
        ends.append(time.perf_counter() - pressed)
        changes.append(changed - pressed)
    scheduler.close()
    print(
        f"stop, {name}: last batch after {1000 * statistics.median(changes):.0f} ms (at most "
        f"{1000 * max(changes):.0f}),",
        end=" ",
    )
    print(f"worker at rest after {1000 * statistics.median(ends):.0f} ms (at most {1000 * max(ends):.0f})", flush=True)


def wait(condition: Callable[[], bool]) -> None:
    """Until it is so."""
    while not condition():
        time.sleep(0.001)


if __name__ == "__main__":
    main()
