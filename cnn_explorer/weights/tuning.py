"""Tune a network's convolutions together with its last layer (the readout): a few steps on a few digits.

Their cost is computed from shapes (`spec.cost`), not measured: the result does not depend on how busy the machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnn_explorer.weights.optimizers import AdamW

TUNING_TIME = 200_000_000  # nanoseconds for all steps, as `spec.cost` counts them
TUNING_STEPS = 30  # of Adam
BATCH_SIZES = (50, 100)  # at least, at most
WEIGHT_RATE, BIAS_RATE = 0.1, 0.05  # learning rates: of a weight tensor times its root mean square


@dataclass(frozen=True)
class Readout:
    """A linear layer, `weight` `(10, F)` and `bias` `(10,)`, of standardised features (x − `mean`)/`std`."""

    weight: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """`(N, …)` → logits, `(N, 10)`."""
        return functional.linear((features.flatten(1) - self.mean) / self.std, self.weight, self.bias)

    def copy_into(self, layer: nn.Linear) -> None:
        """Give `layer` the weight and bias that do the same to features that are not standardised."""
        layer.weight.copy_(self.weight / self.std)
        layer.bias.copy_(self.bias - layer.weight @ self.mean)


def forward_in_batches(
    module: nn.Module, images: Tensor, batch_size: int = 100, pause: Callable[[], None] = lambda: None
) -> Tensor:
    """The output of a module in eval mode, `(N, …)`, for images, `(N, 28, 28)` uint8.

    `pause` is called before every batch; what it raises ends the work.
    """
    outputs = []
    for part in torch.split(images, batch_size):
        pause()
        outputs.append(module(part.unsqueeze(1).float() / 255))
    return torch.cat(outputs)


def temperature(logits: Tensor, labels: Tensor) -> float:
    """The factor, from 1/16 to 4, that gives `(N, 10)` logits the smallest cross-entropy.

    It is 1/T for the temperature T of Guo et al., 2017, arXiv 1706.04599. `labels` are `(N,)` int64.
    """
    factors = 2 ** torch.linspace(-4, 2, 49)
    scaled = factors[:, None, None] * logits
    losses = (scaled.logsumexp(dim=2) - scaled[:, torch.arange(len(labels)), labels]).mean(dim=1)
    return float(factors[losses.argmin()])


def tune(
    body: nn.Sequential,
    times: Mapping[str, float],
    images: Tensor,
    labels: Tensor,
    held_out: Tensor,
    readout: Readout,
    batch_size: int = 100,
    pause: Callable[[], None] = lambda: None,
) -> tuple[Readout, tuple[str, ...]]:
    """Tune convolutions of `body` together with the readout, in place, if that lowers the loss of held-out digits.

    `images` are `(N, 28, 28)` uint8, `labels` `(N,)` int64, `held_out` is an `(N,)` mask. `times` has, for each
    convolution by its name, the nanoseconds of a training step from there to the end, per digit: tuned are the first
    one whose steps are affordable and all behind it. The digits pass the layers before it only once, in batches. Then
    follow a few steps of Adam on the digits that are not held out, always in the same order. `pause` is called before
    every batch and step; what it raises ends the work.

    Returns the tuned readout and the names of the tuned convolutions; the given readout and () where nothing was
    affordable or the loss did not fall.
    """
    affordable = {name: int(TUNING_TIME / (TUNING_STEPS * time)) for name, time in times.items()}
    first = next((name for name, digits in affordable.items() if digits >= BATCH_SIZES[0]), None)
    if first is None:
        return readout, ()
    start = [name for name, _ in body.named_children()].index(first)
    frozen, tuned = body[:start], body[start:]
    names = tuple(name for name, _ in tuned.named_children() if name in times)
    before = {name: tensor.clone() for name, tensor in tuned.state_dict().items()}
    inputs = forward_in_batches(frozen, images, batch_size, pause)
    held_out_inputs, truth = inputs[held_out], labels[held_out]
    loss = functional.cross_entropy(readout(tuned(held_out_inputs)), truth)
    step_size = min(affordable[first], BATCH_SIZES[1])
    trained = _train(tuned, readout, inputs[~held_out], labels[~held_out], step_size, pause)
    logits = trained(tuned(held_out_inputs))
    scale = temperature(logits, truth)
    if functional.cross_entropy(scale * logits, truth) >= loss:
        tuned.load_state_dict(before)
        return readout, ()
    return replace(trained, weight=scale * trained.weight, bias=scale * trained.bias), names


def _train(
    tuned: nn.Sequential, readout: Readout, inputs: Tensor, labels: Tensor, batch_size: int, pause: Callable[[], None]
) -> Readout:
    """Train `tuned` in place, and a copy of the readout, which is returned; the learning rate rises and falls to 0."""
    learning = replace(
        readout, weight=readout.weight.clone().requires_grad_(), bias=readout.bias.clone().requires_grad_()
    )
    tensors = [learning.weight, learning.bias, *tuned.parameters()]
    rates = [
        WEIGHT_RATE * float(tensor.square().mean().sqrt()) if tensor.dim() > 1 else BIAS_RATE for tensor in tensors
    ]
    optimizer = AdamW(tensors, betas=(0.9, 0.95))
    for step in range(TUNING_STEPS):
        pause()
        factor = min((step + 1) / 5, 1) * (1 - step / TUNING_STEPS)  # of the learning rates
        picked = torch.arange(step * batch_size, (step + 1) * batch_size) % len(labels)
        with torch.enable_grad():
            loss = functional.cross_entropy(learning(tuned(inputs[picked])), labels[picked])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step([factor * rate for rate in rates])
    return replace(learning, weight=learning.weight.detach(), bias=learning.bias.detach())
