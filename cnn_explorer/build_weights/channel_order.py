"""Order the channels of the lecture's network: the most useful ones first. The network computes the same as before.

A network with fewer channels takes the first ones (`cnn_explorer.weights.shared_filters`), so their order decides how
well it does. The order is found greedily: next comes the channel with which a last layer, fitted anew, is right most
often.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnn_explorer.weights.fitting import digits_to_fit
from cnn_explorer.weights.shared_filters import CLASSES

FITTED, SCORED = 2000, 1000  # digits to fit a last layer on, and to count its right answers on
PENALTY = 0.03  # of the ridge regression, per digit


@torch.no_grad()
def order_channels(module: nn.Sequential) -> None:
    """Reorder the channels of `conv1` and `conv2` of the lecture's network, in place, with what reads them."""
    conv1, conv2, fc1 = (module.get_submodule(name) for name in ("conv1", "conv2", "fc1"))
    assert isinstance(conv1, nn.Conv2d)
    assert isinstance(conv2, nn.Conv2d)
    assert isinstance(fc1, nn.Linear)
    images, labels = (part[: FITTED + SCORED] for part in digits_to_fit())
    maps = module[: _index(module, "conv2")](images.unsqueeze(1).float() / 255)

    def right(inputs: list[int], outputs: list[int]) -> float:
        return _right(_standardised(conv2, maps, inputs, outputs), labels)

    first = _greedy(conv1.out_channels, lambda chosen: right(chosen, list(range(conv2.out_channels))))
    second = _greedy(conv2.out_channels, lambda chosen: right(list(range(conv1.out_channels)), chosen))
    for conv, order in ((conv1, first), (conv2, second)):
        assert conv.bias is not None
        conv.weight.copy_(conv.weight[order])
        conv.bias.copy_(conv.bias[order])
    conv2.weight.copy_(conv2.weight[:, first])
    by_channel = fc1.weight.reshape(CLASSES, conv2.out_channels, -1)  # the flatten puts a channel's values together
    fc1.weight.copy_(by_channel[:, second].flatten(1))


def _index(module: nn.Sequential, name: str) -> int:
    return [child for child, _ in module.named_children()].index(name)


def _greedy(count: int, score: Callable[[list[int]], float]) -> list[int]:
    order: list[int] = []
    while len(order) < count:
        left = [channel for channel in range(count) if channel not in order]
        order.append(max(left, key=lambda channel: score([*order, channel])))
    return order


def _standardised(conv2: nn.Conv2d, maps: Tensor, inputs: list[int], outputs: list[int]) -> Tensor:
    """What conv2 and the layers behind it make of some of their channels, `(N, F)`.

    Every channel has the mean and the standard deviation before its ReLU that it has in the whole network.
    """
    whole = functional.max_pool2d(functional.conv2d(maps, conv2.weight[outputs], conv2.bias[outputs]), 2)  # type: ignore[index]
    part = functional.max_pool2d(functional.conv2d(maps[:, inputs], conv2.weight[outputs][:, inputs]), 2)
    dims = (0, 2, 3)
    scaled = (part - part.mean(dims, keepdim=True)) / part.std(dims, keepdim=True)
    return (scaled * whole.std(dims, keepdim=True) + whole.mean(dims, keepdim=True)).relu().flatten(1)


def _right(features: Tensor, labels: Tensor) -> float:
    """The fraction of the last `SCORED` digits that a ridge regression on the first `FITTED` answers right."""
    fitted = features[:FITTED]
    scaled = (features - fitted.mean(dim=0)) / (fitted.std(dim=0) + 1e-3)
    truth = functional.one_hot(labels[:FITTED], CLASSES).float() - 1 / CLASSES
    penalty = PENALTY * FITTED * torch.eye(features.shape[1])
    weight = torch.linalg.solve(scaled[:FITTED].T @ scaled[:FITTED] + penalty, scaled[:FITTED].T @ truth)
    return float((scaled[FITTED:] @ weight).argmax(dim=1).eq(labels[FITTED:]).float().mean())
