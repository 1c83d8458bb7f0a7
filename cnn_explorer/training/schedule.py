"""The learning rate over the course of a training."""

from __future__ import annotations

import math


def schedule(progress: float, warm_up: float = 0.1) -> float:
    """The factor of the learning rate at `progress`, both in [0, 1]: a linear warm-up, then a cosine down to 0."""
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))
