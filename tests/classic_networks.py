"""torchvision's networks with seeded weights, made in a moment: torchvision would draw up to 130 million numbers."""

import math

import torch
from torch import Tensor, nn

from cnn_explorer.classics.running import INCEPTION

LARGE = 2_000_000  # weights of one layer, from which on its rows are one row: a file has it once, too


def seeded(name: str, whole: bool = False, aux_logits: bool = False) -> nn.Module:
    """A network in evaluation mode. With `whole` every weight takes its own memory; `aux_logits` are GoogLeNet's."""
    from torchvision.models import get_model  # takes two seconds, in each process that collects the tests

    settings = {"init_weights": False} if name in INCEPTION else {}
    if name == "googlenet":
        settings["aux_logits"] = aux_logits
    with torch.device("meta"):
        network = get_model(name, **settings)
    generator = torch.Generator().manual_seed(0)
    state = {key: _numbers(key, tensor, generator) for key, tensor in network.state_dict().items()}
    if whole:
        state = {key: tensor.contiguous() for key, tensor in state.items()}
    network.load_state_dict(state, assign=True)
    return network.eval()


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
