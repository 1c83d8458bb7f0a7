"""A run depends on network and recipe alone: not on who advances it, in which pieces, beside what. The truth is a loop
in plain torch.
"""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from cnn_explorer.digits.data import bundled_digits, more_digits
from cnn_explorer.spec.network import parse
from cnn_explorer.training import run as run_module
from cnn_explorer.training.augmentation import slant
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.run import Run, Snapshot, ready_to_train
from cnn_explorer.training.schedule import schedule
from cnn_explorer.weights.builder import build_network
from cnn_explorer.weights.evaluation import accuracy, as_input

SMALL = parse("conv4k5s3-bn-relu-drop20-fc16-tanh-drop30-fc10")  # convolution, batch norm, dropout twice
SGD = RunRecipe("bundled", "sgd", 0.05, 0.5, batch_size=256, epochs=2, seed=3)
ADAM = RunRecipe("bundled", "adam", 0.01, schedule="onecycle", augment=True, batch_size=256, epochs=2, seed=3)


@pytest.fixture(autouse=True)
def many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "POINT_INTERVAL", 100_000_000)


def finish(run: Run) -> Run:
    while not run.finished:
        run.advance()
    return run


@cache
def finished(recipe: RunRecipe) -> Run:
    """A run of `SMALL` that is over."""
    return finish(Run(SMALL, recipe))


def same(some: nn.Module, others: nn.Module) -> bool:
    pairs = zip(some.state_dict().items(), others.state_dict().items(), strict=True)
    return all(name == other and torch.equal(tensor, another) for (name, tensor), (other, another) in pairs)


def plain(recipe: RunRecipe) -> nn.Module:
    """The semantics of a run, by torch's own optimizers."""
    digits = more_digits()
    images, labels = torch.tensor(digits.images), torch.tensor(digits.labels)
    module = ready_to_train(build_network(SMALL, recipe.seed), recipe.seed)
    optimizer: torch.optim.Optimizer
    if recipe.optimizer == "sgd":
        optimizer = torch.optim.SGD(module.parameters(), recipe.learning_rate, recipe.momentum)
    else:
        optimizer = torch.optim.Adam(module.parameters(), recipe.learning_rate, fused=True)
    each = len(images) // recipe.batch_size
    step = 0
    for epoch in range(recipe.epochs):
        generator = torch.Generator().manual_seed(1000 * recipe.seed + epoch)
        order = torch.randperm(len(images), generator=generator)
        for index in range(each):
            batch = order[index * recipe.batch_size : (index + 1) * recipe.batch_size]
            pixels = slant(images[batch], generator) if recipe.augment else images[batch]
            if recipe.schedule == "onecycle":
                optimizer.param_groups[0]["lr"] = recipe.learning_rate * schedule(step / (each * recipe.epochs))
            optimizer.zero_grad()
            functional.cross_entropy(module(as_input(pixels)), labels[batch]).backward()
            optimizer.step()
            step += 1
    return module


@pytest.mark.parametrize(
    "recipe",
    [SGD, replace(SGD, momentum=0.0), replace(SGD, schedule="onecycle"), ADAM, replace(ADAM, augment=False)],
    ids=str,
)
def test_a_run_is_the_plain_loop_to_the_last_bit(recipe: RunRecipe) -> None:
    run = finished(recipe)
    assert (run.batch, run.batches, run.batches_per_epoch) == (30, 30, 15)
    batch, module = run.network()
    assert batch == 30
    assert same(module, plain(recipe))
    assert not run.problem


@pytest.mark.parametrize("recipe", [SGD, ADAM], ids=str)
def test_a_run_in_pieces_beside_others_is_the_same_run(recipe: RunRecipe) -> None:
    whole = finished(recipe)
    run, other = Run(SMALL, recipe), Run(SMALL, replace(recipe, seed=4))
    turn = 0
    while not run.finished:
        for _ in range(turn % 3 + 1):
            run.advance()
        other.advance()
        torch.manual_seed(turn)
        torch.rand(7)
        run.network()
        turn += 1
    assert run.points == whole.points
    assert [snapshot.batch for snapshot in run.snapshots] == [snapshot.batch for snapshot in whole.snapshots]
    assert same(run.network()[1], whole.network()[1])
    assert not same(run.network()[1], finish(other).network()[1])
    run.advance()  # nothing more
    assert run.points == whole.points


def test_training_does_not_touch_torchs_own_random_numbers() -> None:
    run = Run(SMALL, ADAM)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    for _ in range(10):
        run.advance()
    assert torch.equal(torch.rand(3), expected)


def test_a_new_run_begins_with_the_very_same_weights() -> None:
    first, again = finished(SGD), Run(SMALL, SGD)
    assert first.network(0)[0] == 0
    assert same(first.network(0)[1], again.network()[1])
    assert same(first.network(0)[1], build_network(SMALL, SGD.seed))
    assert same(again.network()[1], Run(SMALL, replace(SGD, epochs=9)).network()[1])


def test_looks_say_what_was_trained_and_tested() -> None:
    run = finished(SGD)
    start, *later = run.points
    assert (start.batch, start.epoch, start.loss, start.gradient_norms) == (0, 0, None, ())
    assert start.measured == 400
    assert [point.measured for point in later if point.epoch in (1, 2)] == [1000, 1000]
    assert len(later) > 4
    assert all(one.batch < next_.batch and one.seconds < next_.seconds for one, next_ in pairwise(run.points))
    digits = bundled_digits()
    for point in run.points:
        batch, module = run.network(point.batch)
        assert batch == point.batch
        assert point.accuracy == accuracy(module, digits.images[: point.measured], digits.labels[: point.measured])
        assert [name for name, _ in point.gradient_norms] == (["conv1", "bn1", "fc1", "fc2"] if point.batch else [])
        assert all(norm > 0 for _, norm in point.gradient_norms)
    assert later[-1].accuracy > 0.65
    assert later[-1].loss is not None
    assert later[0].loss is not None
    assert later[-1].loss < later[0].loss


def test_the_loss_and_the_gradients_of_a_look_are_the_batches_own() -> None:
    run = Run(SMALL, replace(SGD, batch_size=512))  # a point after every third batch or so
    while len(run.points) < 2:
        run.advance()
    module = ready_to_train(build_network(SMALL, 3), 3)
    digits = more_digits()
    images, labels = torch.tensor(digits.images), torch.tensor(digits.labels)
    order = torch.randperm(4000, generator=torch.Generator().manual_seed(3000))
    optimizer = torch.optim.SGD(module.parameters(), 0.05, 0.5)
    losses = []
    for index in range(run.points[1].batch):
        batch = order[512 * index : 512 * (index + 1)]
        optimizer.zero_grad()
        loss = functional.cross_entropy(module(as_input(images[batch])), labels[batch])
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
        optimizer.step()
    assert run.points[1].loss == pytest.approx(sum(losses) / len(losses))
    norms = {}
    for name, layer in module.named_children():
        gradients = [parameter.grad.flatten() for parameter in layer.parameters() if parameter.grad is not None]
        if gradients:
            norms[name] = torch.cat(gradients).norm().item()
    assert dict(run.points[1].gradient_norms) == pytest.approx(norms)


def test_the_place_for_a_replay() -> None:
    run = finished(SGD)
    assert run.reached(-1) == 0
    assert run.reached(1000) == run.batches
    for point in run.points:
        assert run.reached(point.seconds) == point.batch
        assert run.reached(point.seconds - 1e-9) < max(point.batch, 1)


def test_networks_are_independent_in_eval_mode_and_ordinary() -> None:
    run = Run(SMALL, SGD)
    for _ in range(6):
        run.advance()
    batch, module = run.network()
    assert batch == run.batch > 0
    assert not any(child.training for child in module.modules())
    assert [type(child) for child in module] == [type(child) for child in build_network(SMALL)]
    before = run.network()[1]
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert same(run.network()[1], before)
    run.advance()
    assert not same(run.network()[1], before)
    assert run.network(0)[0] == 0
    assert run.network(10**9)[0] == run.batch


def test_what_is_due_until_a_batch() -> None:
    run = Run(SMALL, SGD)
    assert not run.is_due(0)
    for until in (1, 2, run.batches_per_epoch, run.batches_per_epoch, run.batches + 5):
        while run.is_due(until):
            run.advance()
        assert run.batch == min(until, run.batches)
        if until >= run.batches_per_epoch:
            assert run.points[-1].batch == run.batch  # tested as well
    assert run.finished


def test_snapshots_are_bounded_and_whole_epochs_stay_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "MAX_SNAPSHOTS", 5)
    monkeypatch.setattr(run_module, "POINT_INTERVAL", 1)
    spec = parse("fc10")
    run = Run(spec, replace(SGD, epochs=3))
    size = 4 * 7850
    assert run.bytes == (2 + 1 + 5) * size
    most = 0
    while not run.finished:
        run.advance()
        most = max(most, len(run.snapshots))
        batches = [snapshot.batch for snapshot in run.snapshots]
        assert batches == sorted({*batches})
        if run.points:
            assert batches[0] == 0
            assert batches[-1] == run.points[-1].batch
    assert most == 5
    assert {0, 15, 30, 45} <= {snapshot.batch for snapshot in run.snapshots}
    assert run.bytes == (2 + 5) * size
    assert len(run.points) == 46
    assert run.network(20)[0] == max(batch for batch in batches if batch <= 20)


def test_snapshots_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "MAX_SNAPSHOTS", 12)
    run = Run(parse("fc10"), SGD)
    run.batches_per_epoch = 10**9
    tensors = run.network()[1].state_dict()
    snapshots: tuple[Snapshot, ...] = ()
    for batch in range(1000):
        snapshots = run._thinned((*snapshots, Snapshot(batch, tensors, 0.0)))
    gaps = [later.batch - one.batch for one, later in pairwise(snapshots)]
    assert max(gaps) <= 1000 / 11 * 2.5


@pytest.mark.parametrize(
    ("spec", "batch_size", "said"),
    [
        ("fc7", 64, "cannot learn to tell digits apart: its output is 7; end it with a linear layer of 10 outputs"),
        ("conv4k3", 64, "its output is 4×26×26"),
        ("relu", 64, "it has no weights"),
        ("conv4k3-conv4k28-fc10", 64, "does not work out: conv2: kernel_size"),
        (
            "conv64k3p1-relu-conv64k3p1-relu-conv64k3p1-fc10",
            64,
            r"batch_size \(=64\) takes about 0\.\d\d s, more than the 0\.12 s .* at most 1\d\.",
        ),
        ("conv256k7p3-conv256k7p3-fc10", 8, "choose smaller layers"),
        ("conv32k1-max28s1p14-fc10", 64, r"at most 1\d\."),  # no multiply-add, but many comparisons
        ("conv64k1-conv64k7p3g64-fc10", 128, r"at most \d\d\."),  # few multiply-adds, but slow ones
    ],
)
def test_what_cannot_be_trained_here_is_told(spec: str, batch_size: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Run(parse(spec), replace(SGD, batch_size=batch_size))


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    run = Run(parse("fc64-fc64-fc64-fc64-fc64-fc64-fc10"), RunRecipe("bundled", "sgd", 1, 0.99))
    with torch.no_grad():
        for parameter in run._module.parameters():
            parameter.mul_(1e4)
    finish(run)
    assert run.batch < run.batches
    assert "learning_rate (=1) is too large; choose a smaller one" in run.problem
    assert all(torch.isfinite(tensor).all() for tensor in run.network()[1].state_dict().values())
    assert all(point.loss is None or point.loss == point.loss for point in run.points)
    assert not run.is_due(10**9)


def test_weights_can_be_copied_while_another_thread_trains() -> None:
    run = Run(SMALL, replace(SGD, epochs=3))
    whole: dict[int, Tensor] = {}
    worker = threading.Thread(target=finish, args=(run,))
    worker.start()
    while worker.is_alive():
        batch, module = run.network()
        whole[batch] = module.state_dict()["fc2.weight"]
    worker.join()
    assert len(whole) > 3
    again = Run(SMALL, replace(SGD, epochs=3))
    while not again.finished:
        again.advance()
        if again.batch in whole:
            assert torch.equal(whole.pop(again.batch), again.network()[1].state_dict()["fc2.weight"])
    assert not whole


def test_dropout_keeps_the_mean_and_its_share() -> None:
    layer = run_module.SeededDropout(0.2, Generator().manual_seed(0))
    out = layer.train()(torch.ones(100_000))
    assert {*out.unique().tolist()} == {0.0, 1.25}
    assert out.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(layer.eval()(torch.ones(5)), torch.ones(5))


def test_a_place_that_is_kept_can_be_gone_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "POINT_INTERVAL", 10**12)  # snapshots after whole epochs only
    run = Run(parse("fc10"), RunRecipe(batch_size=64, epochs=2))
    while run.batch < 7:
        run.advance()
    assert run.keep(7) == 7
    weights, seconds = run.network()[1].state_dict(), run.seconds_at(7)
    while run.batch < 70:
        run.advance()
    assert [run.available_batch(batch) for batch in (0, 6, 7, 8, 62, 69, 70, 99)] == [0, 0, 7, 7, 62, 62, 70, 70]
    assert run.keep(8) == 7  # what is past cannot be kept any more
    batch, module = run.network(9)
    assert batch == 7
    assert all(torch.equal(tensor, weights[name]) for name, tensor in module.state_dict().items())
    assert 0 == run.seconds_at(0) < run.seconds_at(7) == seconds < run.seconds_at(62) < run.seconds_at(70)
    assert [snapshot.batch for snapshot in run.snapshots] == [0, 7, 62]


def test_a_place_that_is_being_tested_is_kept_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "POINT_INTERVAL", 10**12)
    run = Run(parse("fc10"), RunRecipe(batch_size=512, epochs=1))
    assert run.keep(0) == 0
    while run.batch < 7:
        run.advance()
    assert run.keep(7) == 7
    finish(run)
    assert [snapshot.batch for snapshot in run.snapshots] == [0, 7]


CHECKED_HEAP = next(Path("/").glob("lib/*/libc_malloc_debug.so.0"), None)


def test_training_does_not_write_past_its_memory() -> None:
    """oneDNN does, for a convolution of kernel_size 1 with a stride, in the layout that other
    networks are trained in.
    """
    script = """
import os
from cnn_explorer.spec.network import parse
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.run import Run
for layers in ("conv3k1-relu-conv8k1s2", "conv3k3-conv4k1s3-relu-conv5k1s2"):
    run = Run(parse(f"{layers}-fc10"), RunRecipe(epochs=1))
    while run.batch < 10:
        run.advance()
    run.close()  # it refers to itself
    print(layers, run.problem or "is trained", flush=True)
    del run  # and with it all memory is looked at
os._exit(0)  # a shutdown of the interpreter takes 400 ms
"""
    heap = {"LD_PRELOAD": str(CHECKED_HEAP), "MALLOC_CHECK_": "3"} if CHECKED_HEAP else {}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **heap},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout.count("is trained\n")) == (0, 2), ended.stdout + ended.stderr[-500:]
