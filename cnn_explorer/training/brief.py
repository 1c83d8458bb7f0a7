"""Train any network for a few seconds on the digits that come with the package.

Learnt from are the 4,000 of `more_digits`, slanted anew every time; measured is on the thousand of `bundled_digits`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from cnn_explorer.builder import build_layers
from cnn_explorer.evaluation import accuracy, as_input
from cnn_explorer.fitting import digits_to_fit, digits_to_measure
from cnn_explorer.optimizers import AdamW
from cnn_explorer.shapes import NetworkShapes
from cnn_explorer.shared import CLASSES
from cnn_explorer.training import schedule, slant
from cnn_explorer.weights import Label, TrainedNetwork

INTERVAL = 0.3  # seconds of CPU between two looks at the network
RATE, FRESH_RATE = 2e-3, 4e-3  # of a network that knows something already, and of one that does not
BATCH_WORK, BATCH = 60_000_000, (16, 64)  # multiply-adds of a step's forward pass, and the digits that this allows
LOOK_WORK, LOOK = 40_000_000, (20, 200)  # likewise for the accuracy while it learns
FINAL_WORK, FINAL = 25_000_000_000, (100, 1000)  # and for the one at the end
DID_NOT_HELP = " did not help. "
SLANT = 0.7  # times the reach that `slant` names


def is_trainable(shapes: NetworkShapes) -> bool:
    """True for a network that ends in ten outputs and has something to learn."""
    return shapes.classifies and shapes.output_shape == (CLASSES,) and shapes.parameters > 0


def train_briefly(network: TrainedNetwork, shapes: NetworkShapes, seconds: float) -> Iterator[TrainedNetwork]:
    """Train a copy of `network` until it has had `seconds` of CPU time of this thread, those of earlier trainings included.

    Yields the network as it stands, a copy with a label of its own, a few times a second, and at last the one that is to be kept;
    `network` stays as it is. AdamW with a learning rate that falls to 0 along a cosine. Raises `ValueError` for a network that cannot
    learn (`is_trainable`).
    """
    if not is_trainable(shapes):
        raise ValueError(f"{shapes.spec} cannot learn to tell digits apart: it needs weights and {CLASSES} outputs")
    before = network.label.trained_for
    if network.label.trained:
        module, rate = copy.deepcopy(network.module), RATE
    else:  # what it may have of the lecture's network has seen the digits that are measured on
        module, rate = build_layers(shapes), FRESH_RATE
    module.train()
    optimizer = AdamW(module.parameters(), weight_decay=1e-3)
    began = looked = time.thread_time()
    for images, labels in _batches(_affordable(BATCH_WORK, BATCH, shapes), seed=round(1000 * before)):
        now = time.thread_time()
        if now - began >= seconds - before:
            break
        if now - looked >= INTERVAL:
            yield _snapshot(network.label, module, shapes, before + now - began, seconds)
            looked = time.thread_time()
        functional.cross_entropy(module(as_input(images)), labels).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step([rate * schedule((now - began) / (seconds - before))] * len(optimizer.tensors))
    yield _better(network, _snapshot(network.label, module, shapes, seconds, seconds))


def _better(before: TrainedNetwork, after: TrainedNetwork) -> TrainedNetwork:
    """What is to be kept: a training that has only made things worse, on as many digits, is not."""
    known, now = before.label, after.label
    if known.accuracy is None or now.accuracy is None or known.measured != now.measured or known.accuracy <= now.accuracy:
        return after
    sentence = f"{now.trained_for:.0f} s of training{DID_NOT_HELP}{known.sentence.split(DID_NOT_HELP)[-1]}"
    return TrainedNetwork(before.module, replace(known, sentence=sentence, trained_for=now.trained_for))


def _affordable(work: int, bounds: tuple[int, int], shapes: NetworkShapes) -> int:
    """How many digits may pass through the network for so many multiply-adds; whole tens where there are that many."""
    count = min(max(work // max(shapes.macs, 1), bounds[0]), bounds[1])
    return count // CLASSES * CLASSES if count > BATCH[1] else count


def _batches(size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Slanted digits, `(size, 28, 28)` uint8, and their labels, without an end."""
    generator = Generator().manual_seed(seed)
    images, labels = digits_to_fit()
    while True:
        order = torch.randperm(len(images), generator=generator)
        for batch in order[: len(order) // size * size].view(-1, size):  # whole batches: a batch norm cannot learn from a single value
            yield slant(images[batch], generator, SLANT), labels[batch]


def _snapshot(label: Label, module: nn.Sequential, shapes: NetworkShapes, spent: float, seconds: float) -> TrainedNetwork:
    """A copy of `module` as it is after `spent` of `seconds`, with how often it is right on digits that it does not learn from."""
    done = spent >= seconds
    images, labels = digits_to_measure()
    count = _affordable(FINAL_WORK, FINAL, shapes) if done else _affordable(LOOK_WORK, LOOK, shapes)
    right = accuracy(module, images[:count], labels[:count])
    result = f"right on {100 * right:.1f} % of {count:,} digits it has not seen."
    tuned = label.source in ("shared weights", "fine-tuned")
    doing, did = ("Fine-tuning", "Fine-tuned") if tuned else ("Training", "Trained here")
    known = len(digits_to_fit()[0])
    sentence = f"{did} for {seconds:.0f} s on {known:,} digits: " if done else f"{doing}, {spent:.1f} of {seconds:.0f} s: "
    new = replace(
        label,
        source="fine-tuned" if tuned else "trained here",
        data="MNIST and pen digits" if tuned else "MNIST",
        accuracy=right,
        sentence=sentence + result,
        measured=count,
        fitted=known,
        seconds=spent,
        trained_for=spent,
    )
    return TrainedNetwork(copy.deepcopy(module).eval(), new)
