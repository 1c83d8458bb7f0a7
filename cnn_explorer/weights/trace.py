"""Run a network on one image and keep the output of every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cnn_explorer.weights.builder import Normalize


class Activation(NamedTuple):
    """The output of one layer: its `name`, its `kind` (the nn class) and its `output` as it came, `(1, C, H, W)` or
    `(1, F)`, float32.
    """

    name: str
    kind: str
    output: Tensor

    @property
    def values(self) -> Tensor:
        """The output of the one image, `(C, H, W)` or `(F,)`."""
        return self.output[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(C, H, W)` or `(F,)`."""
        return tuple(self.output.shape[1:])


@dataclass(frozen=True)
class Trace:
    """One forward pass: the `image`, the `normalized` image that the first layer got, `(1, 28, 28)` each, and the
    `activations`, one a layer.
    """

    image: Tensor
    normalized: Tensor
    activations: tuple[Activation, ...]

    @property
    def logits(self) -> Tensor | None:
        """The output of a network that ends in a linear layer, `(K,)`; None if it ends in another layer."""
        return self.activations[-1].values if self.activations and self.activations[-1].kind == "Linear" else None

    @property
    def probabilities(self) -> Tensor | None:
        """Softmax of the logits, `(K,)`, positive with sum 1."""
        logits = self.logits
        return None if logits is None else logits.softmax(dim=0)


ALIASING = (nn.Flatten, nn.Dropout, nn.Identity)  # in eval mode, their output is their input or a view of it


@torch.inference_mode()
def trace_activations(module: nn.Sequential, image: Tensor) -> Trace:
    """Pass `image`, `(1, C, H, W)` or `(C, H, W)`, float in [0, 1], through the layers and keep a copy of each output.

    The module runs in eval mode; every part gets its mode back. Raises `ValueError` for a batch of several images.
    """
    batch = image if image.dim() == 4 else image.unsqueeze(0)
    if batch.dim() != 4 or len(batch) != 1:
        raise ValueError(f"image has shape {tuple(image.shape)}; a trace takes one image, (1, C, H, W)")
    image = batch[0].clone()
    value, normalized = batch, image
    activations: list[Activation] = []
    training = [part for layer in module if layer.training for part in layer.modules()]
    for part in training:
        part.training = False
    try:
        for name, layer in module.named_children():
            if layer.__dict__.get("inplace"):
                value = value.clone()  # the layer overwrites its input, which is an output that was kept
            value = layer(value)
            if isinstance(layer, ALIASING):
                value = value.clone()
            if isinstance(layer, Normalize):
                normalized = value[0]
            else:
                activations.append(Activation(name, type(layer).__name__, value))
    finally:
        for part in training:
            part.training = True
    return Trace(image, normalized, tuple(activations))
