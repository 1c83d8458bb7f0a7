"""A network as the page Draw shows it: blocks of a convolution, pooling and activation, then linear layers; and edits
of these parts.

Every edit returns a new value. None of them checks the geometry: `infer_shapes` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from cnn_explorer.spec.layers import (
    ActivationKind,
    ActivationSpec,
    Conv2dSpec,
    FlattenSpec,
    GeometryError,
    LayerSpec,
    LinearSpec,
    Pool2dSpec,
    PoolKind,
    Shape,
)
from cnn_explorer.spec.network import IMAGE_SHAPE, NetworkSpec
from cnn_explorer.spec.shapes import infer_shapes

MAX_BLOCKS = 4
MAX_HIDDEN = 4  # linear layers before the last one
NEW_BLOCK = (Conv2dSpec(16, 3, padding=1), ActivationSpec("relu"))  # keeps the size: it fits any input
NEW_HIDDEN = 64


@dataclass(frozen=True)
class Block:
    """One convolution and the layers behind it, up to the next one."""

    layers: tuple[LayerSpec, ...]

    @property
    def conv(self) -> Conv2dSpec:
        """The block's convolution."""
        assert isinstance(self.layers[0], Conv2dSpec)
        return self.layers[0]

    @property
    def pool(self) -> Pool2dSpec | None:
        """Its first pooling, if any."""
        return next((layer for layer in self.layers if isinstance(layer, Pool2dSpec)), None)

    @property
    def activation(self) -> ActivationSpec | None:
        """Its first activation, if any."""
        return next((layer for layer in self.layers if isinstance(layer, ActivationSpec)), None)

    def with_conv(self, **changes: Any) -> Block:
        """Change parameters of the convolution by torch's names."""
        return Block((replace(self.conv, **changes), *self.layers[1:]))

    def with_pool(self, kind: PoolKind | None, **changes: Any) -> Block:
        """Set the kind of pooling (None: no pooling) and its parameters. A new pooling stands right behind the
        convolution.
        """
        old = self.pool
        if kind is None:
            return self._replaced(old, ())
        stride_follows = old is not None and old.stride == old.kernel_size and "kernel_size" in changes
        if stride_follows:
            changes = {"stride": changes["kernel_size"], **changes}
        new = replace(old, kind=kind, **changes) if old else Pool2dSpec(kind, **{"kernel_size": 2, **changes})
        return self._replaced(old, (new,)) if old else Block((self.conv, new, *self.layers[1:]))

    def with_activation(self, kind: ActivationKind | None) -> Block:
        """Set the activation (None: no activation). A new one stands at the end of the block."""
        old = self.activation
        new = (ActivationSpec(kind),) if kind else ()
        return self._replaced(old, new) if old else Block((*self.layers, *new))

    def _replaced(self, old: LayerSpec | None, new: tuple[LayerSpec, ...]) -> Block:
        if old is None:
            return self
        at = next(index for index, layer in enumerate(self.layers) if layer is old)
        return Block((*self.layers[:at], *new, *self.layers[at + 1 :]))


@dataclass(frozen=True)
class Blocks:
    """A network in three parts: `stem`, what stands before the first convolution (usually nothing), its `blocks`, and
    its `head` from the first flatten or linear layer on.
    """

    stem: tuple[LayerSpec, ...]
    blocks: tuple[Block, ...]
    head: tuple[LayerSpec, ...]
    input_shape: Shape = IMAGE_SHAPE

    def spec(self) -> NetworkSpec:
        """The network of these parts."""
        return NetworkSpec(
            (*self.stem, *(layer for block in self.blocks for layer in block.layers), *self.head), self.input_shape
        )

    def with_block(self, index: int, block: Block) -> Blocks:
        """Replace one block."""
        return replace(self, blocks=(*self.blocks[:index], block, *self.blocks[index + 1 :]))

    def with_new_block(self) -> Blocks:
        """Add `NEW_BLOCK` before the head."""
        return replace(self, blocks=(*self.blocks, Block(NEW_BLOCK)))

    def without_block(self, index: int) -> Blocks:
        """Remove one block."""
        return replace(self, blocks=(*self.blocks[:index], *self.blocks[index + 1 :]))

    def with_block_moved_up(self, index: int) -> Blocks:
        """Swap a block with the one before it."""
        blocks = list(self.blocks)
        blocks[index - 1], blocks[index] = blocks[index], blocks[index - 1]
        return replace(self, blocks=tuple(blocks))

    @property
    def hidden(self) -> tuple[int, ...]:
        """out_features of every linear layer but the last."""
        return tuple(layer.out_features for layer in self.head if isinstance(layer, LinearSpec))[:-1]

    def with_hidden(self, index: int, features: int) -> Blocks:
        """Change out_features of one hidden linear layer."""
        at = self._linear(index)
        return replace(self, head=(*self.head[:at], LinearSpec(features), *self.head[at + 1 :]))

    def with_answer(self) -> Blocks:
        """Add the linear layer with ten outputs that a network of feature maps lacks."""
        return replace(self, head=(*self.head, LinearSpec(10)))

    def with_new_hidden(self) -> Blocks:
        """Add a hidden linear layer, and a ReLU behind it, before the last linear layer."""
        at = self._linear(len(self.hidden))
        return replace(self, head=(*self.head[:at], LinearSpec(NEW_HIDDEN), ActivationSpec("relu"), *self.head[at:]))

    def without_last_hidden(self) -> Blocks:
        """Remove the last hidden linear layer with what follows it up to the next linear layer."""
        start, end = self._linear(len(self.hidden) - 1), self._linear(len(self.hidden))
        return replace(self, head=(*self.head[:start], *self.head[end:]))

    def _linear(self, number: int) -> int:
        return [at for at, layer in enumerate(self.head) if isinstance(layer, LinearSpec)][number]


def split(spec: NetworkSpec) -> Blocks:
    """Take a network apart into blocks; `split(spec).spec() == spec` for every spec."""
    layers = spec.layers
    end = _first(layers, (FlattenSpec, LinearSpec))
    start = min(_first(layers, (Conv2dSpec,)), end)
    body = layers[start:end]
    starts = [at for at, layer in enumerate(body) if isinstance(layer, Conv2dSpec)]
    blocks = tuple(Block(body[at:stop]) for at, stop in pairwise([*starts, len(body)]))
    return Blocks(layers[:start], blocks, layers[end:], spec.input_shape)


def one_value_apart(one: NetworkSpec, other: NetworkSpec) -> bool:
    """Whether both have the same layers, with the same parameters but for one number or word. Pairs do not count."""
    if [type(layer) for layer in one.layers] != [type(layer) for layer in other.layers]:
        return False
    values = zip(_parameters(one), _parameters(other), strict=True)
    apart = [pair for pair in values if pair[0] != pair[1]]
    return len(apart) == 1 and all(isinstance(value, int | str) for value in apart[0])


def _parameters(spec: NetworkSpec) -> list[Any]:
    return [getattr(layer, each.name) for layer in spec.layers for each in fields(layer)]


def _first(layers: Sequence[LayerSpec], kinds: tuple[type[LayerSpec], ...]) -> int:
    return next((at for at, layer in enumerate(layers) if isinstance(layer, kinds)), len(layers))


def repairs(spec: NetworkSpec, error: GeometryError) -> tuple[tuple[str, NetworkSpec], ...]:
    """Valid networks close to `spec`, which has a geometry `error`; each with a label such as "conv2: kernel_size = 4".

    First come the changes of one parameter of the broken layer after which the whole network works, then the network
    without that layer. If no single change is enough, a later layer is repaired as well; empty if that fails, too.
    """
    before = [layer for _, layer in spec.named_layers()][: error.index]
    at = sum(any(layer is written for written in spec.layers) for layer in before)  # the implied flatten is not written
    candidates: list[tuple[str, NetworkSpec]] = [
        (
            f"{error.layer}: {change.label}",
            replace(spec, layers=(*spec.layers[:at], change.layer, *spec.layers[at + 1 :])),
        )
        for change in error.repairs
    ]
    rest = (*spec.layers[:at], *spec.layers[at + 1 :])
    if rest:
        candidates.append((f"without {error.layer}", replace(spec, layers=rest)))
    valid = tuple((label, candidate) for label, candidate in candidates if infer_shapes(candidate).error is None)
    if valid or not candidates:
        return valid
    # No change is enough: make the first one, and repair the layer that is then broken.
    label, candidate = candidates[0]
    later = infer_shapes(candidate).error
    assert later is not None
    if later.index <= error.index:
        return ()
    return tuple((f"{label}, {more}", repaired) for more, repaired in repairs(candidate, later))
