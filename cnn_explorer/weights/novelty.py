"""Whether a drawing is unlike all digits that networks learn from here: out-of-distribution detection.

A softmax is sure of drawings that are no digit at all. What the layers give for digits of one class lies close to a
plane of few dimensions, and what they give for a scribble lies far from all ten planes. This is the residual of the
subspace method (Watanabe et al., 1967), as ViM uses it for a network's features (Wang et al., 2022, arXiv 2203.10807);
several layers are added up as in Lee et al., 2018, arXiv 1807.03888:

    image ───────────────────────► distance from the nearest class's plane ──┐
    output of conv2 ─────────────► the same, divided by the output's length ─┼─► standard scores, added ─► too high?
    input of the last layer ─────► the same, divided by the input's length ──┘

Whatever network is on a page, the layers are those of the lecture's network: all networks learn from the same digits,
and no layers of others tell scribbles from digits as well (docs/measurements.md).

The planes are fitted to `more_digits`. Mean, deviation and threshold come from `bundled_digits`, which took no part in
that. The 1,280 values of conv2 are hashed to fewer, by sums with random signs (Weinberger et al., 2009, arXiv
0902.2206).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Generator, Tensor, nn

from cnn_explorer.digits.preprocessing import SIZE
from cnn_explorer.spec.network import LECTURE
from cnn_explorer.weights.evaluation import as_input
from cnn_explorer.weights.fitting import digits_to_fit, digits_to_measure
from cnn_explorer.weights.load import load_network

CLASSES = 10
DIMENSIONS = 20  # of a class's plane
WIDTH = 512  # values that are kept of a layer with more than an image has
FALSE_ALARMS = 0.0175  # of the bundled digits
DIGITS = 2000  # to fit planes of layers to
BATCH = 100
IMAGE = "image"
LAYERS = ("conv2", "flatten")  # the last convolution, and the input of the last layer
TINY = 1e-9


@dataclass(frozen=True)
class _Planes:
    """A plane a class: its `mean`, `(10, D)`, and orthonormal `basis`, `(10, D, K)`."""

    mean: Tensor
    basis: Tensor

    def distance(self, features: Tensor, relative: bool) -> Tensor:
        """The logarithm of the squared distance from the nearest plane, `(N, D)` → `(N,)`; `relative` to the squared
        length of the features.
        """
        away = features.unsqueeze(0) - self.mean.unsqueeze(1)  # (10, N, D)
        squared = away.square().sum(dim=2) - (away @ self.basis).square().sum(dim=2)
        nearest = squared.amin(dim=0).clamp(min=0)
        if relative:
            nearest = nearest / features.square().sum(dim=1).clamp(min=TINY)
        return (nearest + TINY).log()


@dataclass(frozen=True)
class _Part:
    """Planes with the mean and the standard deviation of the distances of bundled digits."""

    planes: _Planes
    mean: float
    deviation: float

    def score(self, features: Tensor, relative: bool) -> Tensor:
        return (self.planes.distance(features, relative) - self.mean) / self.deviation


@dataclass(frozen=True)
class Novelty:
    """Tells drawings that are unlike all digits. `module` is the lecture's network, `parts` are by the name of its
    layers, `IMAGE` among them.
    """

    module: nn.Sequential
    parts: Mapping[str, _Part]
    threshold: float

    @torch.inference_mode()
    def scores(self, images: Tensor) -> Tensor:
        """How unlike digits images are, `(N, 28, 28)` uint8 → `(N,)`."""
        features = _features(self.module, images)
        scores = [part.score(features[name], name != IMAGE) for name, part in self.parts.items()]
        return torch.stack(scores).sum(dim=0)

    def is_unlike(self, pixels: np.ndarray) -> bool:
        """True if an image, `(28, 28)` uint8, is more unlike digits than 98.25 % of the bundled digits are."""
        return bool(self.scores(torch.tensor(pixels[None])) > self.threshold)


@torch.inference_mode()
def fitted_novelty() -> Novelty:
    """Fit `Novelty`. Deterministic."""
    module = load_network(LECTURE, measure=False).module
    images, labels = digits_to_fit()
    held_out = digits_to_measure()[0]
    known, unknown = (_features(module, each) for each in (images[:DIGITS], held_out))
    known[IMAGE] = as_input(images).flatten(1)
    parts = {}
    for name, features in known.items():
        planes = _fitted(features, labels[: len(features)])
        parts[name] = _part(planes, unknown[name], relative=name != IMAGE)
    scores = Novelty(module, parts, 0.0).scores(held_out)
    return Novelty(module, parts, float(scores.quantile(1 - FALSE_ALARMS)))


def _features(module: nn.Sequential, images: Tensor) -> dict[str, Tensor]:
    """Images, `(N, 28, 28)` uint8, and what `LAYERS` give for them, by name, `(N, D)` each."""
    features: dict[str, list[Tensor]] = {name: [] for name in (IMAGE, *LAYERS)}
    for batch in torch.split(images, BATCH):
        value = as_input(batch)
        features[IMAGE].append(value.flatten(1))
        for name, layer in module.named_children():
            value = layer(value)
            if name in features:
                features[name].append(_hashed(value.flatten(1)).clone())
    return {name: torch.cat(parts) for name, parts in features.items()}


def _hashed(values: Tensor) -> Tensor:
    """`(N, D)`; more values than an image has become `WIDTH` sums of them with random signs."""
    if values.shape[1] <= SIZE * SIZE:
        return values
    place, sign = _hash(values.shape[1])
    return torch.zeros(len(values), WIDTH).index_add_(1, place, values * sign)


@cache
def _hash(values: int) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(0)
    place = torch.randperm(values, generator=generator) % WIDTH
    return place, 2.0 * torch.randint(0, 2, (values,), generator=generator) - 1


def _part(planes: _Planes, features: Tensor, relative: bool) -> _Part:
    distances = planes.distance(features, relative)
    return _Part(planes, float(distances.mean()), max(float(distances.std()), TINY))


def _fitted(features: Tensor, labels: Tensor) -> _Planes:
    """The mean of every class and its principal directions, at most half as many as there are values."""
    dimensions = min(DIMENSIONS, features.shape[1] // 2)
    fitted = [_principal(features[labels == label], dimensions) for label in range(CLASSES)]
    return _Planes(torch.stack([mean for mean, _ in fitted]), torch.stack([basis for _, basis in fitted]))


def _principal(features: Tensor, dimensions: int) -> tuple[Tensor, Tensor]:
    """The mean, `(D,)`, and the first principal directions, `(D, dimensions)`, by the smaller of the two products."""
    mean = features.mean(dim=0)
    away = features - mean
    if len(away) < away.shape[1]:
        vectors = away.T @ torch.linalg.eigh(away @ away.T).eigenvectors[:, len(away) - dimensions :]
        return mean, vectors / vectors.norm(dim=0).clamp(min=TINY)
    return mean, torch.linalg.eigh(away.T @ away).eigenvectors[:, away.shape[1] - dimensions :]
