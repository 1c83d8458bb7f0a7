"""NetworkSpec → a PyTorch module."""

from __future__ import annotations

import math
import threading
import zlib
from collections import OrderedDict

import torch
from torch import Tensor, nn

from cnn_explorer.spec.network import NetworkSpec
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes

MNIST_MEAN, MNIST_STD = 0.1307, 0.3081  # of MNIST's 60,000 training images, in [0, 1]


# Torch's global generator has a lock, and torch waits for it without letting other threads run. A thread that holds it
# and comes to Python code, as a garbage collection may, then waits for ever. So one thread at a time builds.
_BUILDING = threading.Lock()


class Normalize(nn.Module):
    """(x − mean)/std with MNIST's mean and standard deviation: `(N, 1, 28, 28)` in [0, 1] → the same shape, about −0.42
    to 2.82.
    """

    def forward(self, x: Tensor) -> Tensor:
        return (x - MNIST_MEAN) / MNIST_STD

    def extra_repr(self) -> str:
        return f"mean={MNIST_MEAN}, std={MNIST_STD}"


def build_network(spec: NetworkSpec, seed: int = 0) -> nn.Sequential:
    """Build an untrained network: `normalize`, then a child for every layer under the name that `infer_shapes` gives
    it.

    The module takes `(N, *spec.input_shape)`, float in [0, 1]. A layer's initial weights depend on `seed`, its name and
    its shape only: changing one layer does not change the others. Raises `GeometryError` if a layer cannot take its
    input.
    """
    shapes = infer_shapes(spec)
    if shapes.error:
        raise shapes.error
    return build_layers(shapes, seed)


def build_layers(shapes: NetworkShapes, seed: int = 0) -> nn.Sequential:
    """As `build_network`, up to the first layer that cannot take its input."""
    children: OrderedDict[str, nn.Module] = OrderedDict(normalize=Normalize())
    # Building a layer also initialises it, from torch's global generator: the fork leaves that as it was.
    with _BUILDING, torch.random.fork_rng(devices=[]):
        for layer in shapes.layers:
            children[layer.name] = layer.spec.build(layer.input_shape)
            initialise(children[layer.name], layer.name, seed)
    return nn.Sequential(children)


def initialise(layer: nn.Module, name: str, seed: int) -> None:
    """Give a convolution or a linear layer torch's default, U(±1/√fan_in), from a generator of its own; in place."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        generator = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name} {tuple(layer.weight.shape)}".encode()))
        bound = 1 / math.sqrt(layer.weight[0].numel())
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.uniform_(-bound, bound, generator=generator)
