"""How often a network is right, and which digits it gets wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from cnn_explorer.digits.data import Digits
from cnn_explorer.weights.shared_filters import CLASSES

BATCH = 100  # digits; larger batches take more memory and are no faster
SHIFTS = range(7)  # pixels; MNIST's digits have a margin of four


def predict(
    module: nn.Module, images: Tensor | np.ndarray, batch_size: int = BATCH, pause: Callable[[], None] = lambda: None
) -> Tensor:
    """The logits of a classifier for many images, `(N, 10)`, batch by batch, in eval mode and without gradients.

    `images` are `(N, 28, 28)` uint8 in 0..255, or `(N, 1, 28, 28)` float in [0, 1]. The module gets its mode back.
    `pause` is called before each batch; what it raises ends the work.
    """

    def answers(batch: Tensor) -> Tensor:
        pause()
        logits: Tensor = module(as_input(batch))
        return logits

    pixels = torch.tensor(images) if isinstance(images, np.ndarray) else images  # a copy: the array may be read-only
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            return torch.cat([answers(batch) for batch in torch.split(pixels, batch_size)])
    finally:
        module.train(was_training)


def accuracy(
    module: nn.Module,
    images: Tensor | np.ndarray,
    labels: Tensor | np.ndarray,
    batch_size: int = BATCH,
    pause: Callable[[], None] = lambda: None,
) -> float:
    """The fraction of `images` (as for `predict`) whose largest logit is at their label; `labels` are `(N,)` int64.

    Raises `ValueError` for no images or unequal numbers.
    """
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"{len(images)} images with {len(labels)} labels: give as many of both, at least one")
    right = np.asarray(predict(module, images, batch_size, pause).argmax(dim=1)) == np.asarray(labels)
    return float(right.mean())


def as_input(images: Tensor) -> Tensor:
    """`(N, 28, 28)` uint8 in 0..255 → `(N, 1, 28, 28)` float32 in [0, 1]; float images stay as they are."""
    return images if images.is_floating_point() else images.unsqueeze(1).float() / 255


# --- digit by digit ---


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The `probabilities` that a network gives to digits, `(N, 10)`, each row of sum 1, beside their true `labels`,
    `(N,)` int64.

    Methods name digits by their index, 0 to N − 1.
    """

    labels: np.ndarray
    probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def answers(self) -> np.ndarray:
        """The most probable class of each digit, `(N,)` int64."""
        answers: np.ndarray = self.probabilities.argmax(axis=1)
        return answers

    @property
    def accuracy(self) -> float:
        """The fraction of digits answered right."""
        return float((self.answers == self.labels).mean())

    @cached_property
    def confusion(self) -> np.ndarray:
        """How many digits of each class got which answer, `(10, 10)` int64: `confusion[true, answered]`."""
        counts = np.zeros((CLASSES, CLASSES), dtype=np.int64)
        np.add.at(counts, (self.labels, self.answers), 1)
        return counts

    @property
    def per_class(self) -> np.ndarray:
        """The fraction answered right of each class's digits, `(10,)`; 0 for a class without digits."""
        fractions: np.ndarray = self.confusion.diagonal() / np.maximum(self.confusion.sum(axis=1), 1)
        return fractions

    def at(self, true: int, answered: int) -> np.ndarray:
        """Indices of the digits of class `true` with the answer `answered`, most confident first; `(K,)` int64."""
        return self._most_confident_first((self.labels == true) & (self.answers == answered))

    def most_confidently_wrong(self, count: int) -> np.ndarray:
        """Indices of up to `count` digits with a wrong answer, most confident first; int64."""
        return self._most_confident_first(self.answers != self.labels)[:count]

    def _most_confident_first(self, chosen: np.ndarray) -> np.ndarray:
        indices = np.flatnonzero(chosen)
        return indices[np.argsort(-self.probabilities[indices, self.answers[indices]], kind="stable")]


def evaluate(
    module: nn.Module, digits: Digits, batch_size: int = BATCH, pause: Callable[[], None] = lambda: None
) -> Evaluation:
    """A classifier's probabilities for all digits: the softmax of its logits, in float64, which keeps near ties apart.

    `batch_size` and `pause` are those of `predict`. Raises `ValueError` for no digits.
    """
    if not len(digits):
        raise ValueError("no digits to evaluate; give at least one")
    return Evaluation(digits.labels, predict(module, digits.images, batch_size, pause).double().softmax(dim=1).numpy())


# --- shifted digits ---


def shifted(images: np.ndarray, right: int, down: int) -> np.ndarray:
    """A copy of images, `(N, H, W)`, moved by whole pixels; a negative number moves them left or up.

    Background (0) comes in at one side, and what leaves the image at the other is lost.
    """
    _, height, width = images.shape
    moved = np.zeros_like(images)
    if abs(right) < width and abs(down) < height:
        moved[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = images[
            :, max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
        ]
    return moved


def shift_accuracy(
    module: nn.Module,
    digits: Digits,
    shifts: Sequence[int] = SHIFTS,
    batch_size: int = BATCH,
    pause: Callable[[], None] = lambda: None,
) -> list[float]:
    """The accuracy on the digits after each shift, in pixels: the mean over left, right, up and down.

    `batch_size` and `pause` are those of `predict`.
    """

    def moved(right: int, down: int) -> float:
        return accuracy(module, shifted(digits.images, right, down), digits.labels, batch_size, pause)

    return [float(np.mean([moved(*direction) for direction in _directions(shift)])) for shift in shifts]


def _directions(shift: int) -> list[tuple[int, int]]:
    """(right, down) of the four moves by `shift`; a single one for a shift of 0."""
    return [(-shift, 0), (shift, 0), (0, -shift), (0, shift)] if shift else [(0, 0)]
