"""Train any network for a few seconds on the digits that come with the package.

Learnt from are the 4,000 of `more_digits`, slanted anew every time; measured is on the thousand of `bundled_digits`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from cnn_explorer.spec.cost import affordable_digits, digits_per_unit, training_time
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.training.augmentation import slant
from cnn_explorer.training.run import is_trainable, ready_to_train
from cnn_explorer.training.schedule import schedule
from cnn_explorer.weights.builder import build_layers
from cnn_explorer.weights.evaluation import as_input, predict
from cnn_explorer.weights.fitting import digits_to_fit, digits_to_measure
from cnn_explorer.weights.label import Label, QuicklyTrained
from cnn_explorer.weights.load import TrainedNetwork
from cnn_explorer.weights.optimizers import AdamW
from cnn_explorer.weights.shared_filters import CLASSES

INTERVAL = 0.3  # seconds of CPU between two looks at the network
RATE, FRESH_RATE = 2e-3, 4e-3  # of a network that knows something already, and of one that does not
BATCH_TIME, BATCH = 25_000_000, (8, 64)  # nanoseconds of a step, as `cost` counts them, and the digits that this allows
LOOK_TIME, LOOK = 4_000_000, (20, 200)  # likewise for the accuracy while it learns
FINAL_TIME, FINAL = 2_500_000_000, (100, 1000)  # and for the one at the end
SLANT = 0.7  # times the reach that `slant` names


def train_briefly(network: TrainedNetwork, shapes: NetworkShapes, seconds: float) -> Iterator[TrainedNetwork | None]:
    """Train a copy of `network` until it has had `seconds` of CPU time of this thread, those of earlier trainings
    included.

    Yields after every unit of work, a batch or a part of a test: the network as it stands, a copy with a label of its
    own, where there is a new one to be seen, a few times a second, else None; at last the one that is to be kept.
    `network` stays as it is. AdamW with a learning rate that falls to 0 along a cosine. Raises `ValueError` for a
    network that cannot learn (`is_trainable`).
    """
    if not is_trainable(shapes):
        raise ValueError(f"{shapes.spec} cannot learn to tell digits apart: it needs weights and {CLASSES} outputs")
    before = network.label.trained_for
    module = build_layers(shapes)
    if network.label.trained:  # what another may have of the lecture's network has seen the digits that are measured on
        module.load_state_dict(network.module.state_dict())
    rate = RATE if network.label.trained else FRESH_RATE
    seed = round(1000 * before)
    ready_to_train(module, seed)
    optimizer = AdamW(module.parameters(), weight_decay=1e-3)
    began = looked = time.thread_time()
    for images, labels in _batches(_batch_size(shapes), seed):
        now = time.thread_time()
        if now - began >= seconds - before:
            break
        if now - looked >= INTERVAL:
            yield from _snapshot(network.label, module, shapes, before + now - began, seconds)
            looked = time.thread_time()
        functional.cross_entropy(module(as_input(images)), labels).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step([rate * schedule((now - began) / (seconds - before))] * len(optimizer.tensors))
        yield None
    for after in _snapshot(network.label, module, shapes, seconds, seconds):
        yield _better(network, after) if after else None


def _better(before: TrainedNetwork, after: TrainedNetwork) -> TrainedNetwork:
    """What is to be kept: a training that has only made things worse, on as many digits, is not."""
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
    """How many digits a step learns from."""
    return int(min(max(BATCH_TIME / training_time(shapes.layers), BATCH[0]), BATCH[1]))


def _batches(size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Slanted digits, `(size, 28, 28)` uint8, and their labels, without an end."""
    generator = Generator().manual_seed(seed)
    images, labels = digits_to_fit()
    while True:
        order = torch.randperm(len(images), generator=generator)
        for batch in order[: len(order) // size * size].view(
            -1, size
        ):  # whole batches: a batch norm cannot learn from a single value
            yield slant(images[batch], generator, SLANT), labels[batch]


def _snapshot(
    label: Label, module: nn.Sequential, shapes: NetworkShapes, spent: float, seconds: float
) -> Iterator[TrainedNetwork | None]:
    """A copy of `module` as it is after `spent` of `seconds`, with how often it is right on digits that it does not
    learn from; after None for every part of these digits.
    """
    done = spent >= seconds
    copied = build_layers(shapes).eval()
    copied.load_state_dict(module.state_dict())
    count = affordable_digits(FINAL_TIME, FINAL, shapes) if done else affordable_digits(LOOK_TIME, LOOK, shapes)
    count = count // CLASSES * CLASSES  # the digits come in tens of one of each class
    images, labels = digits_to_measure()
    size, correct = digits_per_unit(shapes), 0
    for start in range(0, count, size):
        part = slice(start, min(start + size, count))
        correct += int((predict(copied, images[part]).argmax(dim=1) == labels[part]).sum())
        yield None
    right = correct / count
    fine_tuned = label.source in ("shared weights", "fine-tuned")
    origin = QuicklyTrained(spent, seconds, len(digits_to_fit()[0]), fine_tuned)
    yield TrainedNetwork(copied, Label(origin, right, count, trained_for=spent))
