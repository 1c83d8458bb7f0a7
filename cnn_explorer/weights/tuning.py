"""Tune a network's convolutions together with its readout: a few steps on a few digits, bounded by what they cost.

The time is that of `cost`, not a clock's: the result does not depend on how busy the machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnn_explorer.weights.optimizers import AdamW

TIME = 200_000_000  # nanoseconds that may go into tuning, as `cost` counts them
STEPS, DIGITS = 30, (50, 100)  # of Adam; digits a step, at least and at most
RATE = (
    0.1  # of a step: the share of what a layer's weights usually are that one may change by, and half of it for biases
)


@dataclass(frozen=True)
class Readout:
    """A linear layer's `weight`, `(10, F)`, and `bias` for features, `(N, F)`, less their `mean` and divided by their
    `std`.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """`(N, …)` → logits, `(N, 10)`."""
        return functional.linear((features.flatten(1) - self.mean) / self.std, self.weight, self.bias)

    def copy_into(self, layer: nn.Linear) -> None:
        """Make `layer` this readout, for features as they are."""
        layer.weight.copy_(self.weight / self.std)
        layer.bias.copy_(self.bias - layer.weight @ self.mean)


def through(module: nn.Module, images: Tensor, unit: int = 100, pause: Callable[[], None] = lambda: None) -> Tensor:
    """`(N, 28, 28)` uint8 → what a module in eval mode makes of it, `(N, …)`, `unit` digits at a time.

    `pause` is called before each unit; what it raises ends the work.
    """
    outputs = []
    for part in torch.split(images, unit):
        pause()
        outputs.append(module(part.unsqueeze(1).float() / 255))
    return torch.cat(outputs)


def temperature(logits: Tensor, labels: Tensor) -> float:
    """The factor, from 1/16 to 4, with which `(N, 10)` logits have the smallest loss."""
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
    unit: int = 100,
    pause: Callable[[], None] = lambda: None,
) -> tuple[Readout, tuple[str, ...]]:
    """Tune the convolutions of `body` together with the readout, in place, if that suits the held-out digits.

    From the first convolution on from which it is affordable: `times` says how many nanoseconds a digit takes from each
    on, forward and back. The layers before it are passed once, `unit` digits at a time; `pause` is called between the
    units. A few steps of Adam on the digits not held out, in the same order every time. Returns the readout that
    belongs to it and the names of the convolutions that were changed.
    """
    affordable = {name: int(TIME / (STEPS * time)) for name, time in times.items()}
    first = next((name for name, digits in affordable.items() if digits >= DIGITS[0]), None)
    if first is None:
        return readout, ()
    start = [name for name, _ in body.named_children()].index(first)
    before, moving = body[:start], body[start:]
    names = tuple(name for name, _ in moving.named_children() if name in times)
    untouched = {name: tensor.clone() for name, tensor in moving.state_dict().items()}
    inputs = through(before, images, unit, pause)
    outside, truth = inputs[held_out], labels[held_out]
    loss = functional.cross_entropy(readout(moving(outside)), truth)
    moved = _descend(moving, readout, inputs[~held_out], labels[~held_out], min(affordable[first], DIGITS[1]), pause)
    logits = moved(moving(outside))
    scale = temperature(logits, truth)
    if functional.cross_entropy(scale * logits, truth) >= loss:
        moving.load_state_dict(untouched)
        return readout, ()
    return replace(moved, weight=scale * moved.weight, bias=scale * moved.bias), names


def _descend(
    moving: nn.Sequential, readout: Readout, inputs: Tensor, labels: Tensor, batch: int, pause: Callable[[], None]
) -> Readout:
    """Adam with a short warm-up and a rate that falls to 0. A tensor's rate is a share of what its
    values usually are.
    """
    learning = replace(
        readout, weight=readout.weight.clone().requires_grad_(), bias=readout.bias.clone().requires_grad_()
    )
    tensors = [learning.weight, learning.bias, *moving.parameters()]
    rates = [RATE * (float(tensor.square().mean().sqrt()) if tensor.dim() > 1 else 0.5) for tensor in tensors]
    optimizer = AdamW(tensors, betas=(0.9, 0.95))
    for step in range(STEPS):
        pause()
        share = min((step + 1) / 5, 1) * (1 - step / STEPS)
        picked = torch.arange(step * batch, (step + 1) * batch) % len(labels)
        with torch.enable_grad():
            loss = functional.cross_entropy(learning(moving(inputs[picked])), labels[picked])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step([share * rate for rate in rates])
    return replace(learning, weight=learning.weight.detach(), bias=learning.bias.detach())
