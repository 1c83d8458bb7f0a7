"""One form for networks that compute the same: such networks get the same weights."""

from __future__ import annotations

from cnn_explorer.spec.layers import ActivationSpec, DropoutSpec, FlattenSpec, LayerSpec, LinearSpec, Pool2dSpec
from cnn_explorer.spec.network import NetworkSpec

INCREASING = ("relu", "leakyrelu", "tanh", "sigmoid")  # activations that keep the order of numbers


def canonical(spec: NetworkSpec) -> NetworkSpec:
    """The network that stands for all those that give the same outputs as `spec` in eval mode.

    - An activation that keeps the order of numbers stands behind a max pooling, not before it: the greatest value stays
      the greatest one. It also stands behind a flatten.
    - Layers that change nothing are left out: dropout, which acts in training only; a flatten that the next linear
      layer implies; pooling windows of one value at stride 1 without padding; a second ReLU in a row.

    Convolutions, batch norms and linear layers stay as they are, and keep their names.
    """
    layers = [layer for layer in _without_implied_flatten(spec.layers) if not _changes_nothing(layer)]
    at = 0
    while at + 1 < len(layers):
        first, second = layers[at], layers[at + 1]
        if _increasing(first) and isinstance(second, Pool2dSpec) and second.kind == "max":
            layers[at : at + 2] = second, first
            at = max(at - 1, 0)
        elif first == second == ActivationSpec("relu"):
            del layers[at]
            at = max(at - 1, 0)
        else:
            at += 1
    return NetworkSpec(tuple(layers), spec.input_shape) if layers else spec


def _without_implied_flatten(layers: tuple[LayerSpec, ...]) -> list[LayerSpec]:
    kept: list[LayerSpec] = []
    for index, layer in enumerate(layers):
        rest = [
            other for other in layers[index + 1 :] if not isinstance(other, ActivationSpec | DropoutSpec | FlattenSpec)
        ]
        implied = isinstance(layer, FlattenSpec) and bool(rest) and isinstance(rest[0], LinearSpec)
        if not implied:
            kept.append(layer)
    return kept


def _changes_nothing(layer: LayerSpec) -> bool:
    window_of_one = isinstance(layer, Pool2dSpec) and layer.window()[:3] == ((1, 1), (1, 1), (0, 0))
    return isinstance(layer, DropoutSpec) or window_of_one


def _increasing(layer: LayerSpec) -> bool:
    return isinstance(layer, ActivationSpec) and layer.kind in INCREASING
