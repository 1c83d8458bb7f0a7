"""Whether a drawing is unlike all digits that a network learned from: out-of-distribution detection.

A softmax is sure of drawings that are no digit at all. What the layers give for digits of one class lies close to a
plane of few dimensions, and what they give for a scribble lies far from all ten planes. This is the residual of the
subspace method (Watanabe et al., 1967), as ViM uses it for a network's features (Wang et al., 2022, arXiv 2203.10807);
several layers are added up as in Lee et al., 2018, arXiv 1807.03888:

    image ─► distance from the nearest class's plane ────────────────────────┐
    last hidden weights' output ─► the same, divided by the output's length ─┼─► standard scores, added ─► too high?
    input of the last layer ─────► the same, divided by the input's length ──┘

The planes are fitted to `more_digits`. Mean, deviation and threshold come from `bundled_digits`, which took no part in
that. Layers with many values are hashed to fewer, by sums with random signs (Weinberger et al., 2009, arXiv 0902.2206).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import torch
from torch import Generator, Tensor, nn

from cnn_explorer.digits.preprocessing import SIZE
from cnn_explorer.spec.cost import affordable_digits, digits_per_unit
from cnn_explorer.spec.layers import Conv2dSpec, DropoutSpec, FlattenSpec, LinearSpec
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.weights.evaluation import as_input
from cnn_explorer.weights.fitting import digits_to_fit, digits_to_measure
from cnn_explorer.weights.trace import Trace

CLASSES = 10
DIMENSIONS = 20  # of a class's plane
WIDTH = 512  # values that are kept of a layer
FALSE_ALARMS = 0.0175  # of the bundled digits
TIME = 600_000_000  # nanoseconds for all forward passes, as `spec.cost` counts them
LEAST, MOST = 1000, 2000  # digits to fit planes to
HELD_OUT = 1000  # digits for the threshold: all of `bundled_digits`
IMAGE = "image"
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
    """Tells drawings that are unlike all digits. `parts` by the name of a layer, `IMAGE` among them."""

    parts: Mapping[str, _Part]
    threshold: float

    def scores(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """How unlike digits images are, `(N,)`, from the `outputs` of the layers of `parts`, `(N, …)` each."""
        scores = [part.score(_hashed(outputs[name]), name != IMAGE) for name, part in self.parts.items()]
        return torch.stack(scores).sum(dim=0)

    @torch.inference_mode()
    def is_unlike(self, trace: Trace) -> bool:
        """True if the image of a trace is more unlike digits than 98.25 % of the bundled digits are."""
        outputs = {activation.name: activation.output for activation in trace.activations}
        return bool(self.scores(outputs | {IMAGE: trace.image.unsqueeze(0)}) > self.threshold)


def digits_to_know(shapes: NetworkShapes) -> int:
    """How many digits planes are fitted to, for this network; 0 where it has no ten outputs or is too slow."""
    affordable = affordable_digits(TIME, (0, MOST + HELD_OUT), shapes) - HELD_OUT
    answers = shapes.classifies and shapes.output_shape == (CLASSES,)
    return affordable // CLASSES * CLASSES if answers and affordable >= LEAST else 0


@torch.inference_mode()
def novelty_of(module: nn.Sequential, shapes: NetworkShapes, pause: Callable[[], None] = lambda: None) -> Novelty:
    """Fit `Novelty` to a network in eval mode, for which `digits_to_know` is not 0.

    Deterministic. `pause` is called before every batch; what it raises ends the work.
    """
    images, labels = digits_to_fit()
    held_out = digits_to_measure()[0]
    batch_size, names, count = digits_per_unit(shapes), layers_of(shapes), digits_to_know(shapes)
    known = layer_outputs(module, images[:count], names, batch_size, pause)
    unknown = layer_outputs(module, held_out, names, batch_size, pause)
    parts = {IMAGE: _image_part()}
    for name in names:
        planes = _fitted(known[name], labels[:count])
        parts[name] = _part(planes, unknown[name], relative=True)
    unfinished = Novelty(parts, 0.0)
    scores = unfinished.scores(unknown | {IMAGE: as_input(held_out)})
    return Novelty(parts, float(scores.quantile(1 - FALSE_ALARMS)))


def layers_of(shapes: NetworkShapes) -> list[str]:
    """The layers that are looked at: the last convolution or linear layer before the answer, and the answer's input."""
    before = shapes.layers[:-1]
    weighted = [at for at, layer in enumerate(before) if isinstance(layer.spec, Conv2dSpec | LinearSpec)]
    names = [before[at].name for at in weighted[-1:]]
    between = before[weighted[-1] + 1 :] if weighted else before
    changing = [layer for layer in between if not isinstance(layer.spec, FlattenSpec | DropoutSpec)]
    if changing:  # else the answer's input has the same values again
        names.append(before[-1].name)
    return names


def layer_outputs(
    module: nn.Sequential,
    images: Tensor,
    names: list[str],
    batch_size: int = 100,
    pause: Callable[[], None] = lambda: None,
) -> dict[str, Tensor]:
    """The outputs of some layers by name, `(N, at most WIDTH)`, for images, `(N, 28, 28)` uint8."""
    outputs: dict[str, list[Tensor]] = {name: [] for name in names}
    for batch in torch.split(images, batch_size):
        pause()
        value = as_input(batch)
        for name, layer in module.named_children():
            value = layer(value)
            if name in outputs:
                outputs[name].append(_hashed(value).clone())
    return {name: torch.cat(parts) for name, parts in outputs.items()}


def _hashed(values: Tensor) -> Tensor:
    """`(N, …)` → `(N, D)`; more than `WIDTH` values become `WIDTH` sums of them with random signs. An image is left
    as it is.
    """
    values = values.flatten(1)
    if values.shape[1] <= max(WIDTH, SIZE * SIZE):
        return values
    place, sign = _hash(values.shape[1])
    return torch.zeros(len(values), WIDTH).index_add_(1, place, values * sign)


@lru_cache(4)  # a few megabytes each in the widest networks
def _hash(values: int) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(0)
    place = torch.randperm(values, generator=generator) % WIDTH
    return place, 2.0 * torch.randint(0, 2, (values,), generator=generator) - 1


@cache
def _image_part() -> _Part:
    """The part for the image itself, the same for all networks."""
    images, labels = digits_to_fit()
    planes = _fitted(as_input(images).flatten(1), labels)
    return _part(planes, as_input(digits_to_measure()[0]).flatten(1), relative=False)


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
