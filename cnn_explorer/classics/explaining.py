"""Where a network looks for a class: Grad-CAM, always with what puts it to the test.

Grad-CAM (Selvaraju and others, 2017) claims which places speak for a class. Covering places and watching the
probability tests that. The same map of a network with random weights shows how much of it comes from the build alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_explorer.classics import running
from cnn_explorer.classics.photographs import decoded
from cnn_explorer.classics.tracing import build

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

GRID = 7  # places in a row that are covered, one after the other
COVER = 64  # pixels on a side of what covers
BATCH = 7
SEED = 0


@dataclass(frozen=True)
class Explained:
    """A class by its `label`, with its `probability`.

    `cam` and `random` are Grad-CAM's maps, `(H, W)`, float32 from 0 to 1, of the trained network and of one with random
    weights. `covered` is the probability with each place covered, `(GRID, GRID)`, float32.
    """

    label: str
    probability: float
    cam: np.ndarray
    random: np.ndarray
    covered: np.ndarray


def explain(name: str, picture: bytes, place: int, label: str, file: Path | None = None) -> Explained:
    """Where a network looks for the class with this `label`, by the maps of the node at `place` of its graph.

    Raises `ValueError` as `running.classify` does, for a label that is no class, and where two networks do not fit into
    the memory.
    """
    import torch

    torch.set_num_threads(1)
    if label not in running.categories():
        raise ValueError("This is none of ImageNet's classes.")
    wanted = running.categories().index(label)
    network, preprocessing = running.trained(name, file), running.preprocessing_of(name)
    image = running.normalised(running.scaled(decoded(picture), preprocessing)[1], preprocessing)
    running.make_room_beside(name)
    with torch.no_grad():
        probability = float(network(image).softmax(1)[0, wanted])
    return Explained(
        label,
        probability,
        grad_cam(running.out_of_place(network), image, place, wanted),
        grad_cam(running.out_of_place(_random(name)), image, place, wanted),
        occlusion(network, image, wanted),
    )


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


def occlusion(network: nn.Module, image: Tensor, wanted: int) -> np.ndarray:
    """The probability of a class with a grey square over each of `GRID` × `GRID` places, float32."""
    import torch

    side = image.shape[2]
    covered = image.repeat(GRID * GRID, 1, 1, 1)
    for number in range(GRID * GRID):
        (top, bottom), (left, right) = (_reach(place, side) for place in divmod(number, GRID))
        covered[number, :, top:bottom, left:right] = 0  # the mean of all training pictures
    with torch.no_grad():
        parts = [network(part).softmax(1)[:, wanted] for part in torch.split(covered, BATCH)]
    result: np.ndarray = torch.cat(parts).reshape(GRID, GRID).numpy()
    return result


def _reach(place: int, side: int) -> tuple[int, int]:
    """From which pixel to which a square around a place reaches, within the picture."""
    middle = (place + 0.5) * side / GRID
    return max(0, round(middle - COVER / 2)), min(side, round(middle + COVER / 2))


def _random(name: str) -> nn.Module:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return build(name, "cpu")
