"""torch's optimizers without torch's compiler, which the classes in `torch.optim` load when they are first used: that
takes 150 MB of memory and two seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd


class LBFGS(torch.optim.LBFGS):
    """`torch.optim.LBFGS` without the decorator of one method, which loads the compiler."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As in `torch.optim.Optimizer`."""
        torch.optim.Optimizer.add_param_group.__wrapped__(self, param_group)  # type: ignore[attr-defined]


class AdamW:
    """AdamW by torch's own function, with a learning rate for each tensor. With `weight_decay=0` it is Adam."""

    def __init__(
        self, tensors: Iterable[Tensor], *, betas: tuple[float, float] = (0.9, 0.999), weight_decay: float = 0.0
    ) -> None:
        self.tensors = list(tensors)
        self.betas, self.weight_decay = betas, weight_decay
        self._states = [
            (torch.zeros_like(tensor), torch.zeros_like(tensor), torch.zeros(())) for tensor in self.tensors
        ]

    @torch.no_grad()
    def step(self, rates: Sequence[float]) -> None:
        """Update every tensor that has a gradient, by its learning rate, and drop the gradient."""
        for tensor, rate, (mean, square, count) in zip(self.tensors, rates, self._states, strict=True):
            if tensor.grad is None:
                continue
            adamw(
                [tensor], [tensor.grad], [mean], [square], [], [count],
                fused=True, amsgrad=False, beta1=self.betas[0], beta2=self.betas[1], lr=rate,
                weight_decay=self.weight_decay, eps=1e-8, maximize=False,
            )  # fmt: skip
            tensor.grad = None


class SGD:
    """Stochastic gradient descent by torch's own function: v ← momentum·v + gradient, tensor ← tensor − rate·v."""

    def __init__(self, tensors: Iterable[Tensor], *, momentum: float = 0.0) -> None:
        self.tensors = list(tensors)
        self.momentum = momentum
        self._velocities: list[Tensor | None] = [None] * len(self.tensors)

    @torch.no_grad()
    def step(self, rates: Sequence[float]) -> None:
        """Update every tensor that has a gradient, by its learning rate, and drop the gradient."""
        for index, (tensor, rate) in enumerate(zip(self.tensors, rates, strict=True)):
            if tensor.grad is None:
                continue
            velocity = [self._velocities[index]]
            sgd(
                [tensor], [tensor.grad], velocity,
                foreach=False, weight_decay=0.0, momentum=self.momentum, lr=rate, dampening=0.0,
                nesterov=False, maximize=False,
            )  # fmt: skip
            self._velocities[index] = velocity[0]  # torch makes it at the first step
            tensor.grad = None
