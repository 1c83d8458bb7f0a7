"""torchvision's networks with seeded weights, made in a moment: torchvision would draw up to 130 million numbers."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from cnn_explorer.classics import lite0
from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.running import INCEPTION

THIN = 8  # divides the channels of every layer of all networks
LARGE = 2_000_000  # weights of one layer, from which on its rows are one row: a file has it once, too


@contextmanager
def nothing_drawn() -> Iterator[None]:
    """Networks on the meta device are made without numbers; to draw none takes most of the time that they need."""
    with pytest.MonkeyPatch.context() as patch:
        for name in vars(nn.init):
            if name.endswith("_") and not name.startswith("_"):
                patch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)
        yield


def seeded(name: str, whole: bool = False, aux_logits: bool = False) -> nn.Module:
    """A network in evaluation mode. With `whole` every weight takes its own memory; `aux_logits` are GoogLeNet's.
    EfficientNet-Lite0 has its trained weights.

    Networks of one name share their weights, which nobody changes.
    """
    state = _state(name, aux_logits)
    if whole:
        state = {key: tensor.contiguous() for key, tensor in state.items()}
    network = _built(name, aux_logits)
    network.load_state_dict(state, assign=True)
    return network.eval()


def _built(name: str, aux_logits: bool) -> nn.Module:
    from torchvision.models import get_model  # takes two seconds, in each process that collects the tests

    settings = {"init_weights": False} if name in INCEPTION else {}
    if name == "googlenet":
        settings["aux_logits"] = aux_logits
    with nothing_drawn(), torch.device("meta"):
        network: nn.Module = lite0.build() if name == LITE0 else get_model(name, **settings)
    return network


@cache
def _state(name: str, aux_logits: bool) -> dict[str, Tensor]:
    if name == LITE0:
        return lite0.load().state_dict()
    generator = torch.Generator().manual_seed(0)
    return {key: _numbers(key, like, generator) for key, like in _built(name, aux_logits).state_dict().items()}


def _numbers(key: str, like: Tensor, generator: torch.Generator) -> Tensor:
    """A layer passes on about as much as it gets; the averages of a batch norm, too, differ from channel to channel."""
    if key.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.long)
    if like.dim() > 1:
        rows = 1 if like.numel() > LARGE else len(like)
        drawn = torch.randn(rows, *like.shape[1:], generator=generator) * math.sqrt(2 / like[0].numel())
        return drawn.expand(like.shape)
    drawn = torch.rand(like.shape, generator=generator)
    return drawn / 10 if key.endswith(("bias", "running_mean")) else drawn + 0.5


def thin(network: nn.Module) -> nn.Module:
    """A network on the meta device, made to have an eighth of the channels. The picture keeps its three.

    What a pixel sees depends on windows alone, and a pass takes a sixtieth.
    """
    for numbers in (*network.parameters(), *network.buffers()):
        numbers.data = numbers.data[tuple(slice(side // THIN if side > 3 else side) for side in numbers.shape[:2])]
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            assert layer.groups == layer.in_channels
            layer.groups //= THIN
    return network
