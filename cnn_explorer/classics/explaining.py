"""Where a network looks for a class: Grad-CAM, always with what puts it to the test.

Grad-CAM (Selvaraju and others, 2017) claims which places speak for a class. Covering places and watching the
probability tests that. The same map of a network with random weights shows how much of it comes from the build alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_explorer.classics import running
from cnn_explorer.classics.catalogue import network_named
from cnn_explorer.classics.graph import infer_graph
from cnn_explorer.classics.recorded import records
from cnn_explorer.classics.tracing import build, categories, trace_graph

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

GRIDS = (7, 14)  # places in a row that are covered, one after the other: a coarse grid first, then a finer one
COVER = 64  # pixels on a side of what covers
PART = 7  # places that are covered in one call, which others wait for
SEED = 0


@dataclass(frozen=True)
class Explained:
    """A class by its `label`, with its `probability`.

    `cam` and `random` are Grad-CAM's maps, `(H, W)`, float32 from 0 to 1, of the trained network and of one with random
    weights.
    """

    label: str
    probability: float
    cam: np.ndarray
    random: np.ndarray


def explain(name: str, picture: bytes, place: int, label: str, file: Path | None = None) -> Explained:
    """Where a network looks for the class with this `label`, by the maps of the node at `place` of its graph.

    Raises `ValueError` as `running.classify` does, for a label that is no class, and where the gradient does not fit
    into the memory.
    """
    import torch

    network, image, wanted = _asked(name, picture, label, file)
    weights, gradients = running.megabytes_of(network), gradient_megabytes(name, place)
    _check(weights + gradients)
    running.make_room_for(name, gradients)
    with torch.no_grad():
        probability = float(network(image).softmax(1)[0, wanted])
    cam = grad_cam(running.out_of_place(network), image, place, wanted)
    del network  # where there is no room for both, the trained one is loaded anew when it is needed again
    running.make_room_for(name, weights + gradients)
    random = grad_cam(running.out_of_place(_random(name)), image, place, wanted)
    return Explained(label, probability, cam, random)


def gradient_megabytes(name: str, place: int) -> float:
    """The most memory that a gradient by the maps at a place takes beside the weights: that of a pass, and all that the
    nodes from there on give, which is kept for the way back.
    """
    graph = records().graphs.get(name) or trace_graph(name)
    behind = infer_graph(graph, network_named(name).size).nodes[place:]
    return running.ACTIVATIONS + 4e-6 * sum(math.prod(one.shape) for one in behind)


def _check(megabytes: float) -> None:
    limit = running.memory_limit()
    if megabytes > limit:
        raise ValueError(
            f"The heat map of these maps needs {megabytes:,.0f} MB of memory, and this server gives {limit:,.0f} MB to "
            f"networks ({running.MEMORY}). Maps nearer to the answer need less."
        )


def covered(name: str, picture: bytes, label: str, grid: int, part: int, file: Path | None = None) -> np.ndarray:
    """Some values of `occlusion`: those of the `PART` places from `part * PART` on, row by row.

    Raises as `explain` does.
    """
    network, image, wanted = _asked(name, picture, label, file)
    return occlusion(network, image, wanted, grid, range(part * PART, (part + 1) * PART))


def _asked(name: str, picture: bytes, label: str, file: Path | None) -> tuple[nn.Module, Tensor, int]:
    """The network, what it gets, and the number of the class."""
    import torch

    torch.set_num_threads(1)
    if label not in categories():
        raise ValueError("This is none of ImageNet's classes.")
    network, image = running.ready(name, picture, file)
    return network, image, categories().index(label)


def grad_cam(graph: fx.GraphModule, image: Tensor, place: int, wanted: int) -> np.ndarray:
    """The maps of a node, each times the mean gradient of the class's logit by it, added; negative sums are 0.

    Returns `(H, W)`, float32, divided by the largest value.
    """
    import torch
    from torch import fx

    node_of_maps = list(graph.graph.nodes)[place]
    found: list[Tensor] = []

    class Cut(fx.Interpreter):
        """No gradient is computed before the maps."""

        def run_node(self, node: fx.Node) -> Any:
            with torch.set_grad_enabled(bool(found)):
                value = super().run_node(node)
            if node is node_of_maps:
                value = value.detach().requires_grad_()
                found.append(value)
            return value

    logits = Cut(graph).run(image)
    (maps,) = found
    (gradient,) = torch.autograd.grad(logits[0, wanted], maps)
    cam = (gradient.mean((2, 3), keepdim=True) * maps).sum(1)[0].clamp_min(0).detach()
    scaled: np.ndarray = (cam / cam.max().clamp_min(1e-30)).numpy()
    return scaled


def occlusion(network: nn.Module, image: Tensor, wanted: int, grid: int, places: Iterable[int]) -> np.ndarray:
    """The probability of a class with a grey square over each of some `places` of a grid, counted row by row, float32.

    One pass a place: on one thread a batch is no faster, and takes more memory.
    """
    import torch

    side, found = image.shape[2], []
    for place in places:
        (top, bottom), (left, right) = (_reach(one, grid, side) for one in divmod(place, grid))
        covered = image.clone()
        covered[..., top:bottom, left:right] = 0  # the mean of all training pictures
        with torch.no_grad():
            found.append(float(network(covered).softmax(1)[0, wanted]))
    return np.array(found, np.float32)


def _reach(place: int, grid: int, side: int) -> tuple[int, int]:
    """From which pixel to which a square around a place reaches, within the picture."""
    middle = (place + 0.5) * side / grid
    return max(0, round(middle - COVER / 2)), min(side, round(middle + COVER / 2))


def _random(name: str) -> nn.Module:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return build(name, "cpu")
