"""Train any network for a few seconds on the digits that come with the package.

It learns from the 4,000 of `more_digits`, distorted anew every time. Its accuracy is that on the 1,000 of
`bundled_digits`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from cnn_explorer.spec.cost import affordable_digits, digits_per_unit, training_time
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.training.augmentation import slant
from cnn_explorer.training.job import Job
from cnn_explorer.training.run import is_trainable, ready_to_train
from cnn_explorer.training.schedule import schedule
from cnn_explorer.weights.builder import build_layers
from cnn_explorer.weights.evaluation import as_input, predict
from cnn_explorer.weights.fitting import digits_to_fit, digits_to_measure
from cnn_explorer.weights.label import Label, QuicklyTrained
from cnn_explorer.weights.load import TrainedNetwork
from cnn_explorer.weights.optimizers import AdamW
from cnn_explorer.weights.shared_filters import CLASSES

INTERVAL = 0.3  # seconds of CPU time between two updates of `QuickRun.network`
RATE, FRESH_RATE = 2e-3, 4e-3  # learning rates of a network with trained weights, and of one without
BATCH_TIME, BATCH = 25_000_000, (8, 64)  # nanoseconds of a step, as `spec.cost` estimates them; bounds of its digits
PROGRESS_TIME, PROGRESS = 4_000_000, (20, 200)  # likewise for measuring the accuracy during the training
FINAL_TIME, FINAL = 2_500_000_000, (100, 1000)  # likewise at the end
SLANT = 0.7  # the `amount` of `slant`


class QuickRun(Job):
    """Trains a copy of `start` until it has had `seconds` of CPU time, earlier trainings included.

    `network` is a copy with the present weights and their label, made anew a few times a second. `result` is `start`
    until the training has finished, then the network to keep. `start` is never changed. The optimizer is AdamW with a
    learning rate by `schedule`. Unlike a `Run`, its batches depend on how fast the machine is.

    `advance` raises `ValueError` for a network that cannot learn (`is_trainable`).
    """

    def __init__(self, start: TrainedNetwork, shapes: NetworkShapes, seconds: float) -> None:
        super().__init__()
        self.shapes, self.seconds = shapes, seconds
        self.network = self.result = start
        self.finished = seconds <= start.label.trained_for

    def is_due(self, until: int) -> bool:
        """True until it has finished; `until` is ignored."""
        return not self.finished

    @property
    def bytes(self) -> int:
        """Bytes of the network that is kept. Only one quick training at a time takes more."""
        return self.result.bytes

    def _work(self) -> Iterator[None]:
        if not is_trainable(self.shapes):
            raise ValueError(
                f"{self.shapes.spec} cannot learn to tell digits apart: it needs weights and {CLASSES} outputs"
            )
        label = self.result.label
        module = build_layers(self.shapes)
        # Others start from fresh weights: theirs may come from the lecture's network, which has seen the test digits.
        if label.trained:
            module.load_state_dict(self.result.module.state_dict())
        rate = RATE if label.trained else FRESH_RATE
        seed = round(1000 * label.trained_for)
        ready_to_train(module, seed)
        optimizer = AdamW(module.parameters(), weight_decay=1e-3)
        batches = _batches(_batch_size(self.shapes), seed)
        yield
        began = measured = self.cpu_seconds
        budget = self.seconds - label.trained_for
        while (spent := self.cpu_seconds - began) < budget:
            if self.cpu_seconds - measured >= INTERVAL:
                yield from self._measure(module, label.trained_for + spent)
                measured = self.cpu_seconds
            images, labels = next(batches)
            functional.cross_entropy(module(as_input(images)), labels).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step([rate * schedule(spent / budget)] * len(optimizer.tensors))
            self.batch += 1
            yield
        yield from self._measure(module, self.seconds)
        self.network = self.result = _better(self.result, self.network)

    def _measure(self, module: nn.Sequential, spent: float) -> Iterator[None]:
        """Set `network` to a copy of `module` and its accuracy on digits that it does not learn from; a unit for each
        part of these digits.
        """
        done = spent >= self.seconds
        copied = build_layers(self.shapes).eval()
        copied.load_state_dict(module.state_dict())
        time, bounds = (FINAL_TIME, FINAL) if done else (PROGRESS_TIME, PROGRESS)
        count = (
            affordable_digits(time, bounds, self.shapes) // CLASSES * CLASSES
        )  # they come in tens, one of each class
        images, labels = digits_to_measure()
        size, correct = digits_per_unit(self.shapes), 0
        for start in range(0, count, size):
            part = slice(start, min(start + size, count))
            correct += int((predict(copied, images[part]).argmax(dim=1) == labels[part]).sum())
            yield
        tuned = self.result.label.source in ("shared weights", "fine-tuned")
        origin = QuicklyTrained(spent, self.seconds, len(digits_to_fit()[0]), tuned)
        self.network = TrainedNetwork(copied, Label(origin, correct / count, count, trained_for=spent))


def _better(before: TrainedNetwork, after: TrainedNetwork) -> TrainedNetwork:
    """The network to keep: `before` if it has the higher accuracy on as many digits, else `after`."""
    known, now = before.label, after.label
    if (
        known.accuracy is None
        or now.accuracy is None
        or known.measured != now.measured
        or known.accuracy <= now.accuracy
    ):
        return after
    return TrainedNetwork(before.module, replace(known, trained_for=now.trained_for, training_helped=False))


def _batch_size(shapes: NetworkShapes) -> int:
    """The batch size, within `BATCH`."""
    return int(min(max(BATCH_TIME / training_time(shapes.layers), BATCH[0]), BATCH[1]))


def _batches(size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of distorted digits, `(size, 28, 28)` uint8, and their labels, `(size,)`."""
    generator = Generator().manual_seed(seed)
    images, labels = digits_to_fit()
    while True:
        order = torch.randperm(len(images), generator=generator)
        for batch in order[: len(order) // size * size].view(
            -1, size
        ):  # whole batches: a batch norm cannot learn from a single value
            yield slant(images[batch], generator, SLANT), labels[batch]
