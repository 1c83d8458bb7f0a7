"""Run a network on one image and keep what every layer says."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnn_explorer.builder import Normalize


@dataclass(frozen=True)
class Activation:
    """The output of one layer: its `name`, its `kind` (the nn class) and its `values`, `(C, H, W)` or `(F,)`, float32."""

    name: str
    kind: str
    values: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """`(C, H, W)` or `(F,)`."""
        return tuple(self.values.shape)


@dataclass(frozen=True)
class Trace:
    """One forward pass: `image` as it went in and `normalized` as the first layer got it, `(1, 28, 28)`; `activations`, one a layer.

    `logits` `(K,)` are the output of a network that ends in a linear layer and `probabilities` `(K,)` their softmax (they sum to 1);
    both are None where the network ends in feature maps.
    """

    image: Tensor
    normalized: Tensor
    activations: tuple[Activation, ...]
    logits: Tensor | None
    probabilities: Tensor | None


@torch.inference_mode()
def trace_activations(module: nn.Sequential, image: Tensor) -> Trace:
    """Pass `image`, `(1, C, H, W)` and float in [0, 1] (`(C, H, W)` will do), through the layers one by one, keeping each output.

    The module runs in eval mode, whatever mode it is in. Raises `ValueError` for a batch: a trace is of one image.
    """
    batch = image if image.dim() == 4 else image.unsqueeze(0)
    if batch.dim() != 4 or len(batch) != 1:
        raise ValueError(f"image has shape {tuple(image.shape)}; a trace takes one image, (1, C, H, W)")
    value, normalized = batch.clone(), batch.clone()
    activations: list[Activation] = []
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        for name, layer in module.named_children():
            value = layer(value)
            if isinstance(layer, Normalize):
                normalized = value.clone()
            else:  # cloned: the next layer may work in place, and flatten returns a view
                activations.append(Activation(name, type(layer).__name__, value[0].clone()))
    finally:
        for part in training:
            part.training = True
    ends_in_features = bool(activations) and activations[-1].kind == "Linear"
    logits = activations[-1].values.clone() if ends_in_features else None
    probabilities = logits.softmax(dim=0) if logits is not None else None
    return Trace(batch[0].clone(), normalized[0], tuple(activations), logits, probabilities)
