"""One set of weights for many networks: which of them a spec gets, and the readout that suits its maps.

The shared network is trained over random settings (`cnn_explorer.training.shared`) and consists of

    conv1.k{1..7}           a first convolution for each kernel size: the same filters under any stride, padding, dilation and pooling
    conv2.k{1..7}.s{1..6}   a second one for each kernel size and spacing of its taps on the image (jump · dilation, in classes)
    conv3.k{1..7}.s{3, 6}   a third one, likewise
    readout{1..3}.k{1..7}   what each place on the image says for each class, a grid for each last convolution

Channels are ordered: a network with n of them takes the first n. Every convolution is followed, where its activation begins, by a
batch norm without a scale of its own (γ = 1), so that both are one convolution again:
(W·x − mean)/std + β = (W/std)·x + (β − mean/std). This holds through max pooling (std > 0 keeps the order) and through average
pooling without padding (it is linear). The readout takes maps whose channels have mean 0 and variance 1, and both are folded into
the last linear layer in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from cnn_explorer.blocks import split
from cnn_explorer.layers import ActivationSpec, Conv2dSpec, FlattenSpec, LinearSpec
from cnn_explorer.network import IMAGE_SHAPE
from cnn_explorer.shapes import LayerShapes, NetworkShapes, ReceptiveField

ASSETS = Path(__file__).parent / "assets"
CLASSES = 10
MAX_KERNEL = 7
MAX_CHANNELS = 32
MAX_DEPTH = 3
SPACINGS: Mapping[int, tuple[int, ...]] = {1: (), 2: (1, 2, 3, 4, 6), 3: (3, 6)}  # by depth: the classes of a tap's spacing
GRID = 14  # nodes of a readout on a side, two pixels apart
READOUT_SCALE = 1 / 16  # of a stored readout, for a map with a value at every pixel
EPSILON = 1e-5  # as in torch's batch norm

SharedWeights = Mapping[str, Tensor]


@dataclass(frozen=True)
class SharedBlock:
    """A convolution that the shared network serves: its `layers`, itself first, up to where its batch norm stands (`before`) and from
    there to the next convolution (`after`), and the `bank` of its weights."""

    before: tuple[LayerShapes, ...]
    after: tuple[LayerShapes, ...]
    bank: str

    @property
    def conv(self) -> LayerShapes:
        """The convolution."""
        return self.before[0]


@dataclass(frozen=True)
class Plan:
    """How the shared network serves a spec: its `blocks`, the `readout` for the last one's maps, `(C, H, W)` at the places of `field`,
    the `hidden` layers behind them and the name of the `last` linear layer."""

    blocks: tuple[SharedBlock, ...]
    readout: str
    field: ReceptiveField
    maps: tuple[int, ...]
    hidden: tuple[LayerShapes, ...]
    last: LayerShapes

    @property
    def hidden_linear(self) -> tuple[LayerShapes, ...]:
        """The linear layers before the last one."""
        return tuple(layer for layer in self.hidden if isinstance(layer.spec, LinearSpec))


def plan(shapes: NetworkShapes) -> Plan | None:
    """Which shared weights a network takes; None if the shared network does not serve it.

    It serves one to three blocks, each with a square kernel of up to 7 and without groups, that end in a linear layer with ten
    outputs.
    """
    parts = split(shapes.spec)
    linear = isinstance(shapes.spec.layers[-1], LinearSpec) and shapes.spec.layers[-1].out_features == CLASSES
    if not shapes.classifies or not linear or parts.stem or shapes.spec.input_shape != IMAGE_SHAPE:
        return None
    if not 1 <= len(parts.blocks) <= MAX_DEPTH or not all(_serves(block.conv) for block in parts.blocks):
        return None
    starts = [index for index, layer in enumerate(shapes.layers) if isinstance(layer.spec, Conv2dSpec)]
    end = next(index for index, layer in enumerate(shapes.layers) if isinstance(layer.spec, FlattenSpec))
    blocks = tuple(
        _block(depth, shapes.layers[start:stop], shapes.layers[start - 1].receptive_field if start else ReceptiveField())
        for depth, (start, stop) in enumerate(zip(starts, [*starts[1:], end], strict=True), 1)
    )
    kernel = shapes.layers[starts[-1]].spec.window()[0][0]  # type: ignore[attr-defined]  # a Conv2dSpec
    final = shapes.layers[end - 1]
    return Plan(
        blocks, f"readout{len(blocks)}.k{kernel}", final.receptive_field, final.output_shape, shapes.layers[end:-1], shapes.layers[-1]
    )


def _serves(conv: Conv2dSpec) -> bool:
    return conv.groups == 1 and isinstance(conv.kernel_size, int) and conv.kernel_size <= MAX_KERNEL


def _block(depth: int, layers: tuple[LayerShapes, ...], field: ReceptiveField) -> SharedBlock:
    """`field` is the receptive field of the convolution's input."""
    conv = layers[0].spec
    assert isinstance(conv, Conv2dSpec)
    stop = next((index for index, layer in enumerate(layers) if isinstance(layer.spec, ActivationSpec)), len(layers))
    return SharedBlock(layers[:stop], layers[stop:], bank(depth, conv, field))


def bank(depth: int, conv: Conv2dSpec, field: ReceptiveField) -> str:
    """The name of a convolution's weights, by its depth from 1, its kernel size and the spacing of its taps on the image."""
    name = f"conv{depth}.k{conv.window()[0][0]}"
    if not SPACINGS[depth]:
        return name
    dilation = conv.window()[3]
    spacing = math.sqrt(field.jump[0] * dilation[0] * field.jump[1] * dilation[1])
    return f"{name}.s{max((known for known in SPACINGS[depth] if known <= spacing), default=SPACINGS[depth][0])}"


def sampled_readout(grid: Tensor, field: ReceptiveField, maps: tuple[int, ...]) -> Tensor:
    """The weight of a linear layer on maps `(C, H, W)`, each value weighted as the grid says at the centre of its receptive field.

    `grid` is `(10, 32, 14, 14)`, its nodes at the pixels 0.5, 2.5, …, 26.5, linear between them and constant beyond. A value that
    stands for an area of jump² pixels counts as that many. Channels from the 33rd on get 0. Returns `(10, C, H, W)`.
    """
    channels, height, width = maps
    rows, columns = (_between(field.centre[axis], field.jump[axis], side) for axis, side in enumerate((height, width)))
    area = field.jump[0] * field.jump[1]
    sampled = torch.einsum("ocyx,hy,wx->ochw", grid[:, :channels], rows, columns) * (READOUT_SCALE * area)
    if channels > grid.shape[1]:
        sampled = torch.cat([sampled, sampled.new_zeros(CLASSES, channels - grid.shape[1], height, width)], dim=1)
    return sampled


def _between(centre: float, jump: float, count: int) -> Tensor:
    """Linear interpolation from the grid's nodes to the places centre, centre + jump, …: `(count, 14)`."""
    places = ((centre + jump * torch.arange(count, dtype=torch.float32) - 0.5) / 2).clamp(0, GRID - 1)
    return (1 - (places[:, None] - torch.arange(GRID)).abs()).clamp(min=0)


def taken(weights: SharedWeights, name: str, like: Tensor) -> Tensor:
    """The first channels of a bank as a weight of the shape of `like`, `(out, in, k, k)`.

    Beyond 32: filters are those of `like`, an initialisation, and the trained filters read nothing of input channels they never had.
    """
    known = weights[f"{name}.weight"]
    outputs, inputs = min(like.shape[0], known.shape[0]), min(like.shape[1], known.shape[1])
    weight = like.clone()
    weight[:outputs] = 0
    weight[:outputs, :inputs] = known[:outputs, :inputs]
    return weight


@cache
def shared_weights() -> SharedWeights:
    """The contents of `assets/shared.pt`, float32; never to be changed in place."""
    tensors: dict[str, Tensor] = torch.load(ASSETS / "shared.pt", weights_only=True)
    return {name: tensor.float() for name, tensor in tensors.items()}
