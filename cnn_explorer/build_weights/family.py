"""The lecture's kernels among the shared weights in training: where they stand, and what may be added to them.

The first channels of the first two convolutions are those of the lecture's network. Its 5×5 kernels are the middle of
the 7×7 ones, of which every other size is a part (`first_tap`), and stay as they are. What training adds to them for
another kernel size, or for a place in the network, is bounded: so a channel detects much the same thing in
every network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from cnn_explorer.spec.network import LECTURE
from cnn_explorer.weights.fitting import digits_to_fit
from cnn_explorer.weights.load import load_network

LECTURE_KERNEL = 5
LECTURE_PLACES = {
    1: ("inner", "d1", "j2", "maxpool", "relu"),
    2: ("s2",),
}  # what is added to a kernel for its place in the lecture's network, by depth
# The norm of what is added to one of the lecture's kernels, over that kernel's own: for another kernel size; for
# another input (taps spaced otherwise on the image, few channels, hardly filtered ones); for few output channels; and
# for each other fact of its place in another network.
SIZE_BOUND, INPUT_BOUND, NARROW_BOUND, PLACE_BOUND = 0.5, 0.45, 0.35, 0.15
PRESET_BOUND = 0.25  # likewise, of what is added to a kernel when a preset is trained
STATISTICS_DIGITS = 1000
PASSING = ("relu", "leakyrelu", "gelu", "none")  # activations that pass positive values on

Parameters = dict[str, Tensor]


def first_tap(kernel_size: int) -> int:
    """The first row, and column, of a kernel within the 7×7 one of its depth.

    Kernels of 2×2 and 4×4 begin where the next larger one does, 6×6 where 5×5 does.
    """
    return 1 + int((LECTURE_KERNEL - kernel_size) / 2)


def lecture_part(weight: Tensor, kernels: Tensor) -> tuple[Tensor, Tensor]:
    """Views of the same channels and taps of a shared weight, `(32, …, k, k)`, and of the lecture's `kernels`: those
    that both have.
    """
    size = weight.shape[-1]
    both = min(size, LECTURE_KERNEL)
    start = first_tap(both)
    inside, of_lecture = start - first_tap(size), start - first_tap(LECTURE_KERNEL)
    outputs, inputs = (min(weight.shape[axis], kernels.shape[axis]) for axis in (0, 1))
    return (
        weight[:outputs, :inputs, inside : inside + both, inside : inside + both],
        kernels[:outputs, :inputs, of_lecture : of_lecture + both, of_lecture : of_lecture + both],
    )


class LectureKernels:
    """The lecture's kernels in `parameters`, the shared weights in training, by name (`build_weights.shared`)."""

    def __init__(self, parameters: Parameters):
        self._parameters = parameters
        module = load_network(LECTURE).module
        self._kernels: dict[int, Tensor] = {}
        for depth in (1, 2):
            conv = module.get_submodule(f"conv{depth}")
            assert isinstance(conv, nn.Conv2d)
            kernels = conv.weight.detach()
            place, _ = lecture_part(parameters[f"conv{depth}"].detach(), kernels)
            # A batch norm follows: the scale of a channel is free.
            self._kernels[depth] = kernels * (_norms(place) / _norms(kernels))

    @torch.no_grad()
    def start(self) -> None:
        """Put the kernels into the parameters, and their means and standard deviations before a ReLU into β and γ."""
        module = load_network(LECTURE).module
        x = digits_to_fit()[0][:STATISTICS_DIGITS].unsqueeze(1).float() / 255
        for name, layer in module.named_children():
            x = layer(x)
            if name in ("max1", "max2"):  # its output goes into a ReLU
                depth = name[-1]
                std, mean = torch.std_mean(x, dim=(0, 2, 3))
                for kind in PASSING:
                    self._parameters[f"conv{depth}.{kind}.log_gamma"][: len(std)] = std.log()
                    self._parameters[f"conv{depth}.{kind}.beta"][: len(mean)] = mean
        self.hold([f"conv{depth}" for depth in self._kernels])

    @torch.no_grad()
    def hold(self, names: Iterable[str]) -> None:
        """Bring the lecture's kernels back to their values, and bound what is added to them; in place.

        `names` are those of weights that have changed; others are left alone.
        """
        for name in names:
            words = name.split(".")
            kernels = self._kernels.get(int(words[0].removeprefix("conv")))
            if kernels is None:
                continue
            part, own = lecture_part(self._parameters[name], kernels)
            if len(words) == 1:
                part.copy_(own)
            else:
                part.mul_((_bound(name) * _norms(own) / _norms(part).clamp(min=1e-12)).clamp(max=1))


class NearbyKernels:
    """The convolutions of a network in training, held near the kernels that they have now."""

    def __init__(self, module: nn.Module):
        convs = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
        self._kernels = [(conv.weight, conv.weight.detach().clone()) for conv in convs]

    @torch.no_grad()
    def hold(self) -> None:
        """Bound the difference of every channel's kernel from a multiple of the first one; in place."""
        for weight, first in self._kernels:
            factor = (weight * first).sum(dim=(1, 2, 3), keepdim=True) / _norms(first) ** 2
            along = factor.clamp(min=1e-3) * first
            away = weight - along
            weight.copy_(along + away * (PRESET_BOUND * _norms(along) / _norms(away).clamp(min=1e-12)).clamp(max=1))


def _bound(name: str) -> float:
    """The bound of a part of a kernel, by its name: "conv2.k3" is its size, "conv2.k3.s4" its spacing."""
    depth, size, *place = name.split(".")
    if not place:
        return 0.0 if size == f"k{LECTURE_KERNEL}" else SIZE_BOUND
    if place[0] in LECTURE_PLACES[int(depth.removeprefix("conv"))]:
        return 0.0
    if place[0] == "narrow":
        return NARROW_BOUND
    return INPUT_BOUND if re.fullmatch(r"s\d|thin|raw", place[0]) else PLACE_BOUND


def _norms(weight: Tensor) -> Tensor:
    """Of each output channel, `(out, 1, 1, 1)`."""
    norms: Tensor = torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)
    return norms
