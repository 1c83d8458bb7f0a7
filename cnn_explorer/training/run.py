"""One training by a recipe, from its first batch to its last, in units of work.

    Run(spec, recipe) ─ advance, advance, … ─► points (of the curves), snapshots (of the weights), network(batch)

A run is a pure function of its two arguments. On one torch thread its weights and its curves equal those of the loop
below to the last bit. It does not matter who advances it, in which pieces, and what else is trained meanwhile.

    for epoch in range(recipe.epochs):
        generator = torch.Generator().manual_seed(1000 * recipe.seed + epoch)
        for batch in whole batches of torch.randperm(len(images), generator=generator):
            pixels = slant(images[batch], generator) if recipe.augment else images[batch]
            functional.cross_entropy(module(as_input(pixels)), labels[batch]).backward()
            optimizer.step(); optimizer.zero_grad()
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from cnn_explorer.spec.cost import affordable_digits, batch_time, digits_per_unit
from cnn_explorer.spec.network import NetworkSpec
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.training.augmentation import slant
from cnn_explorer.training.job import Job
from cnn_explorer.training.recipe import LIMITS, Data, RunRecipe, digits_for
from cnn_explorer.training.schedule import schedule
from cnn_explorer.weights.builder import build_layers
from cnn_explorer.weights.evaluation import as_input
from cnn_explorer.weights.fitting import digits_to_fit, digits_to_measure
from cnn_explorer.weights.optimizers import SGD, AdamW
from cnn_explorer.weights.shared_filters import CLASSES

# Times are nanoseconds as `spec.cost` estimates them. No clock decides, so the points are the same on any machine.
MAX_BATCH_TIME = 120_000_000
POINT_INTERVAL = 400_000_000  # from one point of the curves to the next
MAX_POINTS = 1000
POINT_TIME, POINT_DIGITS = 19_000_000, (20, 400)  # of the test for a point between epochs; bounds of its digits
TEST_TIME, TEST = 1_000_000_000, (100, 10_000)  # likewise for the test after an epoch
SNAPSHOT_BYTES, MAX_SNAPSHOTS = 12_000_000, 60


@dataclass(frozen=True)
class CurvePoint:
    """One point of the curves. Its batch depends on network and recipe alone.

    `batch`: number of batches trained by then; `epoch`: the same in epochs. `loss`: the mean training loss since the
    previous point, None at the start. `accuracy`: on the first `measured` test digits, in [0, 1]. `seconds`: CPU time
    of the training so far, without tests. `gradient_norms`: each layer's name and the Euclidean norm of its gradient in
    the last batch; empty at the start.
    """

    batch: int
    epoch: float
    loss: float | None
    accuracy: float
    measured: int
    seconds: float = field(compare=False)
    gradient_norms: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """A copy of the state dict (`tensors`) after `batch` batches, which took `seconds` of CPU time to train."""

    batch: int
    tensors: Mapping[str, Tensor]
    seconds: float


class SeededDropout(nn.Module):
    """`nn.Dropout` with a generator of its own: torch's global one is shared by all threads."""

    def __init__(self, p: float, generator: Generator) -> None:
        super().__init__()
        self.p, self.generator = p, generator

    def forward(self, x: Tensor) -> Tensor:
        """Sets a share `p` to zero and scales the rest by 1/(1 − p) in train mode; any shape."""
        if not self.training:
            return x
        return x * torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator).div_(1 - self.p)


def ready_to_train(module: nn.Sequential, seed: int) -> nn.Sequential:
    """Put `module` into train mode, in place, and return it.

    Its dropout layers draw from one generator with this `seed`. Its weights get the memory format `channels_last` where
    `is_safe_channels_last`: with it torch is a quarter faster on the small networks here.
    """
    generator = Generator().manual_seed(seed)
    for name, child in module.named_children():
        if isinstance(child, nn.Dropout):
            module.register_module(name, SeededDropout(child.p, generator))
    return module.train().to(
        memory_format=torch.channels_last if is_safe_channels_last(module) else torch.contiguous_format
    )


def is_safe_channels_last(module: nn.Module) -> bool:
    """False for a network with a convolution of kernel_size 1 and a stride.

    With `channels_last` oneDNN writes past its memory for the gradient of such weights, and the process crashes
    (github.com/uxlfoundation/oneDNN/issues/6035).
    """
    convs = (layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    return not any(conv.kernel_size == (1, 1) and max(conv.stride) > 1 for conv in convs)


def is_trainable(shapes: NetworkShapes) -> bool:
    """True for a network that ends in ten outputs and has something to learn."""
    return shapes.classifies and shapes.output_shape == (CLASSES,) and shapes.parameters > 0


class _Diverged(Exception):
    """A loss or a logit is not finite."""


class Run(Job):
    """A training of `spec` by `recipe`, from the initial weights of the recipe's seed.

    The first of `points` and of `snapshots` is from before the first batch. Raises `ValueError` with a sentence for a
    network that cannot be trained here, `FileNotFoundError` where the digits are missing.
    """

    def __init__(self, spec: NetworkSpec, recipe: RunRecipe) -> None:
        super().__init__()
        self.spec, self.recipe, self.shapes = spec, recipe, infer_shapes(spec)
        check_trainable(self.shapes, recipe)
        self._train, self._test = _tensors(recipe.data)
        self.batches_per_epoch = len(self._train[0]) // recipe.batch_size
        self.batches = recipe.epochs * self.batches_per_epoch
        self.points: tuple[CurvePoint, ...] = ()
        self.snapshots: tuple[Snapshot, ...] = ()
        self._module = ready_to_train(build_layers(self.shapes, recipe.seed), recipe.seed)
        self._optimizer = _optimizer(self._module, recipe)
        self._point_every = _point_interval(self.shapes, recipe, self.batches)
        self._seconds = 0.0
        self._losses: list[float] = []  # since the last point
        self._testing = True  # the next unit is a part of a test
        self._add_snapshot(self._present_snapshot())

    def is_due(self, until: int) -> bool:
        """True until `until` batches are trained and, if the curves have a point at that batch, tested."""
        return until > 0 and not self.finished and (self.batch < until or (self.batch == until and self._testing))

    def reached(self, seconds: float) -> int:
        """The batch of the last point within the training's first `seconds` of CPU time; 0 if there is none."""
        points = self.points
        passed = bisect_right(points, seconds, key=lambda point: point.seconds)
        return points[passed - 1].batch if passed else 0

    def network(self, batch: int | None = None) -> tuple[int, nn.Sequential]:
        """The number of batches `available_batch(batch)` and a copy of the network after them, in eval mode.

        None stands for the present batch.
        """
        snapshot = self._snapshot_at(self.batch if batch is None else batch)
        module = build_layers(self.shapes, self.recipe.seed).eval()
        module.load_state_dict(snapshot.tensors)
        return snapshot.batch, module

    def available_batch(self, batch: int) -> int:
        """The last batch at or before `batch` whose weights are available: a snapshot's, or the present one."""
        trained = self.batch
        return trained if batch >= trained and not self.problem else self._stored_snapshot(batch).batch

    def keep(self, batch: int) -> int:
        """Make a snapshot if exactly `batch` batches are trained. Returns `available_batch(batch)`."""
        with self._lock:
            if batch == self.batch and not self.problem:
                self._add_snapshot(self._present_snapshot())
        return self.available_batch(batch)

    def seconds_at(self, batch: int) -> float:
        """CPU time in seconds of the training, without tests, up to a batch that `available_batch` has returned."""
        return self._seconds if batch >= self.batch and not self.problem else self._stored_snapshot(batch).seconds

    @property
    def bytes(self) -> int:
        """Bytes that the run takes at most: weights, their gradients, the optimizer's state and the snapshots."""
        if self.finished:
            own = (1 + _states(self.recipe)) * _size(self._module.state_dict())
            return own + sum(_size(snapshot.tensors) for snapshot in self.snapshots)
        return bytes_needed(self.spec, self.recipe)

    # --- the work ---

    def _work(self) -> Iterator[None]:
        try:
            yield from self._epochs()
        except _Diverged:
            rate = f"learning_rate (={self.recipe.learning_rate:g})"
            self.fail(f"Training broke down after {self.batch:,} batches: {rate} is too large; choose a smaller one.")

    def _epochs(self) -> Iterator[None]:
        size = self.recipe.batch_size
        yield from self._add_point(affordable_digits(POINT_TIME, POINT_DIGITS, self.shapes))
        for epoch in range(self.recipe.epochs):
            generator = Generator().manual_seed(
                1000 * self.recipe.seed + epoch
            )  # an epoch depends on its number, not on those before
            order = torch.randperm(len(self._train[0]), generator=generator)
            for index, batch in enumerate(order[: self.batches_per_epoch * size].view(-1, size), start=1):
                ends = index == self.batches_per_epoch
                self._testing = ends or index % self._point_every == 0
                norms = self._learn(batch, generator)
                yield
                if self._testing:
                    few = affordable_digits(POINT_TIME, POINT_DIGITS, self.shapes)
                    yield from self._add_point(digits_to_test(self.shapes) if ends else few, norms)

    def _learn(self, batch: Tensor, generator: Generator) -> tuple[tuple[str, float], ...]:
        """Train on the digits at the indices `batch`. Returns gradient norms if a point follows, else ()."""
        started = time.thread_time()
        images, labels = self._train[0][batch], self._train[1][batch]
        if self.recipe.augment:
            images = slant(images, generator)
        loss = functional.cross_entropy(self._module(as_input(images)), labels)
        self._losses.append(loss.item())
        if not math.isfinite(self._losses[-1]):
            raise _Diverged
        loss.backward()  # type: ignore[no-untyped-call]
        norms = _gradient_norms(self._module) if self._testing else ()
        progress = self.batch / self.batches
        rate = self.recipe.learning_rate * (schedule(progress) if self.recipe.schedule == "onecycle" else 1)
        self._optimizer.step([rate] * len(self._optimizer.tensors))
        self.batch += 1
        self._seconds += time.thread_time() - started
        return norms

    def _add_point(self, count: int, norms: tuple[tuple[str, float], ...] = ()) -> Iterator[None]:
        """Test on the first `count` digits, a unit for each part; then add a point to the curves, and a snapshot."""
        images, labels = (part[:count] for part in self._test)
        size = digits_per_unit(self.shapes)
        correct = 0
        for start in range(0, len(labels), size):
            if start:
                yield
            correct += self._count_correct(images[start : start + size], labels[start : start + size])
        loss = sum(self._losses) / len(self._losses) if self._losses else None
        self._losses.clear()
        epoch = self.batch / self.batches_per_epoch
        point = CurvePoint(self.batch, epoch, loss, correct / len(labels), len(labels), self._seconds, norms)
        self.points = (*self.points, point)
        self._add_snapshot(self._present_snapshot())
        self._testing = False
        self.finished = self.batch == self.batches
        yield

    @torch.no_grad()
    def _count_correct(self, images: Tensor, labels: Tensor) -> int:
        """How many digits the network classifies correctly. Leaves it in train mode."""
        self._module.eval()
        logits = self._module(as_input(images))
        self._module.train()
        if not logits.isfinite().all():
            raise _Diverged
        return int((logits.argmax(dim=1) == labels).sum())

    # --- snapshots ---

    def _snapshot_at(self, batch: int) -> Snapshot:
        if batch < self.batch:
            return self._stored_snapshot(batch)
        with self._lock:  # after a failure the present weights are useless
            return self.snapshots[-1] if self.problem else self._present_snapshot()

    def _present_snapshot(self) -> Snapshot:
        return Snapshot(
            self.batch, {name: tensor.clone() for name, tensor in self._module.state_dict().items()}, self._seconds
        )

    def _stored_snapshot(self, batch: int) -> Snapshot:
        snapshots = self.snapshots
        return snapshots[bisect_right(snapshots, batch, key=lambda snapshot: snapshot.batch) - 1]

    def _add_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.batch not in (kept.batch for kept in self.snapshots[-1:]):
            self.snapshots = self._thinned((*self.snapshots, snapshot))

    def _thinned(self, snapshots: tuple[Snapshot, ...]) -> tuple[Snapshot, ...]:
        """The snapshots without one of them if there are too many: the one with the closest neighbours goes.

        The first and the newest stay, and so do those of whole epochs while there are others.
        """
        if len(snapshots) <= _capacity(_size(snapshots[0].tensors)):
            return snapshots
        inner = range(1, len(snapshots) - 1)
        between = [index for index in inner if snapshots[index].batch % self.batches_per_epoch] or inner
        least = min(between, key=lambda index: snapshots[index + 1].batch - snapshots[index - 1].batch)
        return snapshots[:least] + snapshots[least + 1 :]


def check_trainable(shapes: NetworkShapes, recipe: RunRecipe) -> None:
    """Raise `ValueError` with a sentence if a network cannot be trained here by this recipe."""
    if shapes.error:
        raise ValueError(f"This network does not work out: {shapes.error}.")
    if not is_trainable(shapes):
        why = f"its output is {'×'.join(map(str, shapes.output_shape))}" if shapes.parameters else "it has no weights"
        raise ValueError(
            f"This network cannot learn to tell digits apart: {why}; end it with a linear layer of {CLASSES} outputs."
        )
    fixed, time = (batch_time(shapes, count, recipe.augment) for count in (0, recipe.batch_size))
    if time > MAX_BATCH_TIME:
        most = int((MAX_BATCH_TIME - fixed) * recipe.batch_size / (time - fixed))
        lowest = int(LIMITS["batch_size"][0])
        remedy = f"choose a batch_size of at most {most}" if most >= lowest else "choose smaller layers"
        raise ValueError(
            f"A batch of batch_size (={recipe.batch_size}) takes about {time / 1e9:.2f} s, "
            f"more than the {MAX_BATCH_TIME / 1e9:.2f} s that are possible here; {remedy}."
        )


def bytes_needed(spec: NetworkSpec, recipe: RunRecipe) -> int:
    """Bytes that a run will take at most, without the digits: weights, their gradients, the optimizer's state and the
    snapshots.
    """
    weights = 4 * infer_shapes(spec).parameters
    return (2 + _states(recipe) + _capacity(weights)) * weights


def _states(recipe: RunRecipe) -> int:
    """How many numbers the optimizer keeps for each weight, at most."""
    return 2 if recipe.optimizer == "adam" else 1


def _point_interval(shapes: NetworkShapes, recipe: RunRecipe, batches: int) -> int:
    """Batches from one point to the next."""
    time = batch_time(shapes, recipe.batch_size, recipe.augment)
    return max(round(POINT_INTERVAL / time), math.ceil(batches / MAX_POINTS), 1)


def digits_to_test(shapes: NetworkShapes) -> int:
    """The most test digits after an epoch, and wherever a visitor waits for the result: about a second of computing."""
    return affordable_digits(TEST_TIME, TEST, shapes)


def _optimizer(module: nn.Module, recipe: RunRecipe) -> SGD | AdamW:
    if recipe.optimizer == "sgd":
        return SGD(module.parameters(), momentum=recipe.momentum)
    return AdamW(module.parameters())  # without a weight decay: Adam


def _gradient_norms(module: nn.Module) -> tuple[tuple[str, float], ...]:
    norms = []
    for name, layer in module.named_children():
        gradients = [parameter.grad for parameter in layer.parameters() if parameter.grad is not None]
        if gradients:
            norms.append((name, math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))))
    return tuple(norms)


def _size(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _capacity(size: int) -> int:
    """How many snapshots of `size` bytes are kept."""
    return min(max(SNAPSHOT_BYTES // max(size, 1), 2), MAX_SNAPSHOTS)


@cache
def _tensors(data: Data) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Images, `(N, 28, 28)` uint8, and labels, `(N,)` int64, to train on and to test with."""
    if data == "bundled":
        return digits_to_fit(), digits_to_measure()
    train, test = ((torch.from_numpy(digits.images), torch.from_numpy(digits.labels)) for digits in digits_for(data))
    return train, test
