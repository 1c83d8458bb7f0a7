"""One set of weights for many networks: which of them a network gets, and the readout for its maps.

A network takes a part of the shared weights, as in slimmable networks (Yu et al., 2018, arXiv 1812.08928). They were
trained on random networks (`cnn_explorer.build_weights.shared`) and are

    conv1.k{1..7}           a first convolution for each kernel size
    conv2.k{1..7}.s{1..6}   a second one for each kernel size and spacing of its taps on the image (jump · dilation, in
                            classes)
    conv3.k{1..7}.s{3, 6}   a third one, likewise
    readout{1..3}.k{1..7}   weights of the last layer by class and place on the image, a grid for each last convolution

The weight of a convolution is a sum: to the tensors above come others that depend on its place in the network,
`.inner` if another convolution follows, else `.few` or `.many` if its maps have few or many values. The first
convolution has few parameters, so more are added to it: for its dilation (`.d2`), the spacing of its maps' values
(`.j1` to `.j6`), its pooling (`.maxpool`, …) and its activation (`.relu`, …). To the first two are added `.narrow`, if
they have up to four channels; to the second also `.thin`, if its input has up to four, and `.raw`, if the convolution
before is 1×1.

Channels are ordered: a network with n of them takes the first n. A batch norm stands before every activation. It is
folded into the convolution: γ·(W·x − mean)/std + β = (γ/std·W)·x + (β − γ·mean/std). γ depends on the kind of
activation: with the γ of a ReLU, a sigmoid would be almost linear. A pooling may stand between the two: max pooling
keeps its result, as γ/std > 0 keeps the order, and so does average pooling without padding, as it is linear. The
readout takes maps whose channels have mean 0 and variance 1; that is folded into the last linear layer in the same way.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from cnn_explorer.shipped import read_asset
from cnn_explorer.spec.blocks import split
from cnn_explorer.spec.layers import ActivationSpec, Conv2dSpec, FlattenSpec, LinearSpec, Pool2dSpec
from cnn_explorer.spec.network import IMAGE_SHAPE
from cnn_explorer.spec.shapes import LayerShapes, NetworkShapes, ReceptiveField

CLASSES = 10
MAX_KERNEL = 7
MAX_CHANNELS = 32
MAX_DEPTH = 3
SPACINGS: Mapping[int, tuple[int, ...]] = {
    1: (),
    2: (1, 2, 3, 4, 6),
    3: (3, 6),
}  # by depth: the classes of a tap's spacing, in pixels of the image
JUMPS = (1, 2, 3, 4, 6)  # classes of the spacing of the first block's values, in pixels of the image
NARROW = 4  # channels, at most, of a layer that is called narrow
FEW, SOME = 4, 36  # values of a last map: "few" up to 4, neither up to 36, "many" beyond
GRIDS = {1: 14, 2: 14, 3: 7}  # by depth: nodes on a side of a readout's grid, spread evenly over the image
READOUT_SCALE = 1 / 16  # of a stored readout, for a map with a value at every pixel
EPSILON = 1e-5  # as in torch's batch norm

SharedWeights = Mapping[str, Tensor]


@dataclass(frozen=True)
class SharedBlock:
    """A convolution with shared weights and the layers up to the next one: those `before` its batch norm, itself first,
    and those `after` it. `parts` names the tensors whose sum is its weight, `activation` those of its γ.
    """

    before: tuple[LayerShapes, ...]
    after: tuple[LayerShapes, ...]
    parts: tuple[str, ...]
    activation: str

    @property
    def conv(self) -> LayerShapes:
        """The convolution."""
        return self.before[0]


@dataclass(frozen=True)
class Plan:
    """Which shared weights a network takes: its `blocks`; the name of the `readout` for the last maps, of shape `maps`,
    `(C, H, W)`, and receptive field `field`; the `hidden` layers between the maps and the `last` linear layer.
    """

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


def plan_for(shapes: NetworkShapes) -> Plan | None:
    """Which shared weights a network takes; None if it cannot take any.

    It can if it has one to three convolutions with square kernels of up to 7 and without groups, and ends in a linear
    layer with ten outputs.
    """
    parts = split(shapes.spec)
    linear = isinstance(shapes.spec.layers[-1], LinearSpec) and shapes.spec.layers[-1].out_features == CLASSES
    if not shapes.classifies or not linear or parts.stem or shapes.spec.input_shape != IMAGE_SHAPE:
        return None
    if not 1 <= len(parts.blocks) <= MAX_DEPTH or not all(_has_weights(block.conv) for block in parts.blocks):
        return None
    starts = [index for index, layer in enumerate(shapes.layers) if isinstance(layer.spec, Conv2dSpec)]
    end = next(index for index, layer in enumerate(shapes.layers) if isinstance(layer.spec, FlattenSpec))
    blocks = tuple(
        _block(
            depth,
            shapes.layers[start:stop],
            shapes.layers[start - 1].receptive_field if start else ReceptiveField(),
            stop == end,
            parts.blocks[depth - 2].conv if depth > 1 else None,
        )
        for depth, (start, stop) in enumerate(zip(starts, [*starts[1:], end], strict=True), 1)
    )
    kernel = shapes.layers[starts[-1]].spec.window()[0][0]  # type: ignore[attr-defined]  # a Conv2dSpec
    final = shapes.layers[end - 1]
    return Plan(
        blocks,
        f"readout{len(blocks)}.k{kernel}",
        final.receptive_field,
        final.output_shape,
        shapes.layers[end:-1],
        shapes.layers[-1],
    )


def _has_weights(conv: Conv2dSpec) -> bool:
    return conv.groups == 1 and isinstance(conv.kernel_size, int) and conv.kernel_size <= MAX_KERNEL


def _block(
    depth: int, layers: tuple[LayerShapes, ...], field: ReceptiveField, last: bool, previous: Conv2dSpec | None
) -> SharedBlock:
    """`field` is the receptive field of the convolution's input, `previous` the convolution before."""
    conv = layers[0].spec
    assert isinstance(conv, Conv2dSpec)
    stop = next((index for index, layer in enumerate(layers) if isinstance(layer.spec, ActivationSpec)), len(layers))
    activation = layers[stop].spec.kind if stop < len(layers) else "none"  # type: ignore[attr-defined]  # an ActivationSpec
    kernel = f"conv{depth}.k{conv.window()[0][0]}"
    places = math.prod(layers[-1].output_shape[1:])
    role = None
    if not last:
        role = "inner"
    elif places <= FEW:
        role = "few"
    elif places > SOME:
        role = "many"
    parts = [
        _bank(kernel, depth, conv, field),
        *([f"{kernel}.{role}"] if role else []),
    ]
    if depth == 1:
        pool = next((layer.spec.kind for layer in layers if isinstance(layer.spec, Pool2dSpec)), "none")
        jump = _class_of(_mean(*layers[-1].receptive_field.jump), JUMPS)
        parts += [
            f"{kernel}.{word}"
            for word in (f"d{min(_mean(*conv.window()[3]), 2):.0f}", f"j{jump}", f"{pool}pool", activation)
        ]
    if depth <= 2 and conv.out_channels <= NARROW:
        parts.append(f"{kernel}.narrow")
    if depth == 2 and previous:
        parts += [f"{kernel}.thin"] if previous.out_channels <= NARROW else []
        parts += [f"{kernel}.raw"] if previous.window()[0] == (1, 1) else []
    return SharedBlock(layers[:stop], layers[stop:], tuple(parts), f"conv{depth}.{activation}")


def _bank(kernel: str, depth: int, conv: Conv2dSpec, field: ReceptiveField) -> str:
    """The name of a convolution's weights, by its depth from 1, its kernel size and the spacing of its taps on the
    image.
    """
    if not SPACINGS[depth]:
        return kernel
    dilation = conv.window()[3]
    return f"{kernel}.s{_class_of(_mean(field.jump[0] * dilation[0], field.jump[1] * dilation[1]), SPACINGS[depth])}"


def _class_of(spacing: float, classes: tuple[int, ...]) -> int:
    return max((known for known in classes if known <= spacing), default=classes[0])


def _mean(height: float, width: float) -> float:
    return math.sqrt(height * width)


def sampled_readout(grid: Tensor, field: ReceptiveField, maps: tuple[int, ...]) -> Tensor:
    """The weight of a linear layer on maps `(C, H, W)`: the grid's values at the centres of their receptive fields.

    `grid` is `(10, 32, G, G)`. Its nodes are the middles of G equal parts of the image's side, for G = 14 the pixels
    0.5, 2.5, …, 26.5; it is linear between them and constant beyond. A weight is multiplied by jump², the area in
    pixels for which its value stands. Channels from the 33rd on get 0. Returns `(10, C, H, W)`.
    """
    channels, height, width = maps
    rows, columns = (
        _between(field.centre[axis], field.jump[axis], side, grid.shape[2]) for axis, side in enumerate((height, width))
    )
    area = field.jump[0] * field.jump[1]
    sampled = torch.einsum("ocyx,hy,wx->ochw", grid[:, :channels], rows, columns) * (READOUT_SCALE * area)
    if channels > grid.shape[1]:
        sampled = torch.cat([sampled, sampled.new_zeros(CLASSES, channels - grid.shape[1], height, width)], dim=1)
    return sampled


def _between(centre: float, jump: float, count: int, nodes: int) -> Tensor:
    """Weights of a linear interpolation from the grid's nodes to centre, centre + jump, …: `(count, nodes)`."""
    apart = IMAGE_SHAPE[1] / nodes
    places = ((centre + jump * torch.arange(count, dtype=torch.float32) - (apart - 1) / 2) / apart).clamp(0, nodes - 1)
    return (1 - (places[:, None] - torch.arange(nodes)).abs()).clamp(min=0)


def conv_weight(weights: SharedWeights, parts: tuple[str, ...], like: Tensor) -> Tensor:
    """The weight of a convolution, of the shape of `like`, `(out, in, k, k)`: the sum of the `parts`' first channels.

    Output channels from the 33rd on keep the values of `like`, which are random. The others have 0 for input channels
    from the 33rd on.
    """
    outputs, inputs = min(like.shape[0], MAX_CHANNELS), min(like.shape[1], MAX_CHANNELS)
    weight = like.clone()
    weight[:outputs] = 0
    for part in parts:
        weight[:outputs, :inputs] += weights[f"{part}.weight"][:outputs, :inputs]
    return weight


def scale_and_shift(weights: SharedWeights, block: SharedBlock, channels: int) -> tuple[Tensor, Tensor]:
    """γ and β of a block's batch norm, `(channels,)` each; 1 and 0 from the 33rd channel on."""
    beta = sum(weights[f"{name}.beta"].float() for name in (*block.parts, block.activation))
    assert isinstance(beta, Tensor)
    beyond = (0, max(channels - MAX_CHANNELS, 0))
    gamma = functional.pad(weights[f"{block.activation}.gamma"].float(), beyond, value=1.0)
    return gamma[:channels], functional.pad(beta, beyond)[:channels]


@cache
def shared_weights() -> SharedWeights:
    """The contents of `assets/shared.pt`, float16; never to be changed in place."""
    tensors: dict[str, Tensor] = torch.load(io.BytesIO(read_asset("shared.pt")), weights_only=True)
    return tensors
