"""How much of a network's filters and maps stays when one thing about it changes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnn_explorer.build_weights.family import first_tap


def kernel_cosines(before: nn.Module, after: nn.Module) -> dict[str, float]:
    """The mean cosine of corresponding kernels, for every convolution that both networks have, by its name.

    A channel's kernel is compared over the input channels and the taps that both have.
    """
    modules = dict(before.named_children()), dict(after.named_children())
    both = [name for name in modules[0] if name.startswith("conv") and name in modules[1]]
    return {name: _cosine(modules[0][name].weight, modules[1][name].weight) for name in both}


@torch.no_grad()
def _cosine(one: Tensor, other: Tensor) -> float:
    channels, inputs = (min(one.shape[axis], other.shape[axis]) for axis in (0, 1))
    size = min(one.shape[2], other.shape[2])
    taps = []
    for weight in (one, other):
        start = first_tap(size) - first_tap(weight.shape[2])
        taps.append(weight[:channels, :inputs, start : start + size, start : start + size].flatten(1))
    return float(functional.cosine_similarity(*taps).mean())


@torch.no_grad()
def map_correlation(before: nn.Module, after: nn.Module, images: Tensor) -> float | None:
    """The mean correlation of corresponding maps of conv1, over all values of `images`; None where sizes differ."""
    maps = [module[:2](images) for module in (before, after)]
    if maps[0].shape[2:] != maps[1].shape[2:]:
        return None
    both = min(maps[0].shape[1], maps[1].shape[1])
    flat = [one[:, :both].transpose(0, 1).flatten(1) for one in maps]
    centred = [one - one.mean(dim=1, keepdim=True) for one in flat]
    return float(functional.cosine_similarity(*centred).mean())
