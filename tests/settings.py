"""Lists of networks to measure: one change away from another one, and random ones."""

from __future__ import annotations

import numpy as np

from cnn_explorer.spec.blocks import split
from cnn_explorer.spec.layers import ACTIVATIONS, ActivationSpec, Conv2dSpec, LayerSpec, LinearSpec, Pool2dSpec
from cnn_explorer.spec.network import NetworkSpec
from cnn_explorer.spec.shapes import infer_shapes


def one_knob_changes(spec: NetworkSpec) -> list[NetworkSpec]:
    """Every change of one number or choice of one block, within the page's usual range, that works out."""
    parts = split(spec)
    changed = []
    for index, block in enumerate(parts.blocks):
        convs = {
            "out_channels": (2, 4, 8, 16, 32),
            "kernel_size": range(1, 8),
            "stride": (2, 3),
            "padding": (1, 2, 3),
            "dilation": (2,),
        }
        blocks = [block.with_conv(**{name: value}) for name, values in convs.items() for value in values]
        blocks += [
            block.with_pool(None),
            block.with_pool("avg"),
            block.with_pool("max", kernel_size=3),
            block.with_pool("max", stride=1),
        ]
        blocks += [block.with_activation(kind) for kind in (*ACTIVATIONS, None)]
        changed += [parts.with_block(index, other).spec() for other in blocks]
    return [other for other in dict.fromkeys(changed) if other != spec and infer_shapes(other).classifies]


def random_settings(count: int, seed: int = 0) -> list[NetworkSpec]:
    """Valid networks of one to three blocks, each knob drawn from its whole range."""
    rng = np.random.default_rng(seed)
    found: list[NetworkSpec] = []
    while len(found) < count:
        layers: list[LayerSpec] = []
        for _ in range(int(rng.integers(1, 4))):
            out, kernel, stride = int(rng.integers(1, 33)), int(rng.integers(1, 8)), int(rng.integers(1, 4))
            layers.append(Conv2dSpec(out, kernel, stride, int(rng.integers(0, 4)), int(rng.integers(1, 3))))
            kind = str(rng.choice(["max", "avg", "none"]))
            if kind != "none":
                layers.append(Pool2dSpec(kind, int(rng.integers(2, 4))))  # type: ignore[arg-type]
            layers.append(ActivationSpec(str(rng.choice([*ACTIVATIONS]))))  # type: ignore[arg-type]
        spec = NetworkSpec((*layers, LinearSpec(10)))
        if infer_shapes(spec).classifies:
            found.append(spec)
    return found


def random_pairs(count: int, seed: int = 0) -> list[tuple[NetworkSpec, NetworkSpec]]:
    """Random settings, each with one that is a random change of one knob away."""
    rng = np.random.default_rng(seed)
    pairs = []
    for spec in random_settings(count, seed):
        changes = one_knob_changes(spec)
        pairs.append((spec, changes[int(rng.integers(len(changes)))]))
    return pairs


def kernel_sizes(spec: NetworkSpec) -> list[int]:
    """The kernel size of every convolution."""
    return [block.conv.window()[0][0] for block in split(spec).blocks]
