"""How often a network is right."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

BATCH = 100  # digits at a time: more would take more memory than time


def predict(module: nn.Module, images: Tensor | np.ndarray) -> Tensor:
    """The logits of a classifier for many images, `(N, 10)`, batch by batch, in eval mode and without gradients.

    `images` are `(N, 28, 28)` uint8 in 0..255, or `(N, 1, 28, 28)` float in [0, 1]. The module gets its mode back.
    """
    pixels = torch.tensor(images) if isinstance(images, np.ndarray) else images  # a copy: the array may be read-only
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            return torch.cat([module(as_input(batch)) for batch in torch.split(pixels, BATCH)])
    finally:
        module.train(was_training)


def accuracy(module: nn.Module, images: Tensor | np.ndarray, labels: Tensor | np.ndarray) -> float:
    """The fraction of `images` (as for `predict`) whose largest logit is at their label; `labels` are `(N,)` int64.

    Raises `ValueError` for no images or unequal numbers.
    """
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"{len(images)} images with {len(labels)} labels: give as many of both, at least one")
    right = np.asarray(predict(module, images).argmax(dim=1)) == np.asarray(labels)
    return float(right.mean())


def as_input(images: Tensor) -> Tensor:
    """`(N, 28, 28)` uint8 in 0..255 → `(N, 1, 28, 28)` float32 in [0, 1]; float images stay as they are."""
    return images if images.is_floating_point() else images.unsqueeze(1).float() / 255
