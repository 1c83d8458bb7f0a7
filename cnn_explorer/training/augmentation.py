"""Data augmentation: random affine and elastic distortions of digits."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cnn_explorer.digits.preprocessing import SIZE
from cnn_explorer.weights.evaluation import as_input


def slant(images: Tensor, generator: Generator, amount: float = 1.0) -> Tensor:
    """Distort images at random: rotate by up to ±10°, stretch by up to ±12 %, shear by up to ±0.15, shift by up to ±1.5
    pixels and bend by up to ±1 pixel on a coarse grid.

    A third of the images, on average, stays as it is. For each other image these limits are multiplied by a random
    factor from 0 to `amount`. `(N, 28, 28)` uint8 → the same shape and dtype.
    """
    amounts = amount * (1.5 * torch.rand(len(images), generator=generator) - 0.5).clamp(min=0)

    def uniform(reach: float) -> Tensor:
        return (2 * torch.rand(len(images), generator=generator) - 1) * reach * amounts

    angle, shear = uniform(math.radians(10)), uniform(0.15)
    wide, high = uniform(0.12).exp(), uniform(0.12).exp()
    shift_x, shift_y = uniform(1.5 / (SIZE / 2)), uniform(1.5 / (SIZE / 2))  # affine_grid counts in half sides
    rows = [
        torch.stack([angle.cos() * wide, (shear - angle.sin()) * wide, shift_x], dim=1),
        torch.stack([angle.sin() * high, angle.cos() * high, shift_y], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), [len(images), 1, SIZE, SIZE], align_corners=False)
    bends = (2 * torch.rand(len(images), 2, 5, 5, generator=generator) - 1) / (SIZE / 2) * amounts[:, None, None, None]
    bends = functional.interpolate(bends, size=(SIZE, SIZE), mode="bicubic", align_corners=True)
    grid = grid + bends.permute(0, 2, 3, 1)
    moved = functional.grid_sample(as_input(images), grid, align_corners=False)
    return (255 * moved).round().to(torch.uint8).squeeze(1)
