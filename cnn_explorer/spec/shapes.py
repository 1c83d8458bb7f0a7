"""The shapes in a network, before any number is computed.

Receptive fields follow Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks" (Distill,
2019): with kernel span k, stride s and padding p, size grows by (k − 1)·jump, jump by the factor s, and the first
centre moves by ((k − 1)/2 − p)·jump.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cnn_explorer.spec.layers import FlattenSpec, GeometryError, LayerSpec, LinearSpec, Shape, WindowSpec
from cnn_explorer.spec.network import NetworkSpec


@dataclass(frozen=True)
class ReceptiveField:
    """The input pixels that a value depends on: a window of `size` pixels; (height, width) each.

    `jump` is the distance between the windows of neighbouring values. `centre` is the middle of the first value's
    window, as an index: the window of value i starts at pixel centre + i·jump − (size − 1)/2. With padding, a window
    can reach over the edge of the image.
    """

    size: tuple[int, int] = (1, 1)
    jump: tuple[int, int] = (1, 1)
    centre: tuple[float, float] = (0.0, 0.0)

    def through(self, layer: LayerSpec, shape: Shape) -> ReceptiveField:
        """The receptive field after a layer whose input has `shape`."""
        if isinstance(layer, WindowSpec):
            _, stride, padding, _ = layer.window()
            span = layer.spans()
            return ReceptiveField(
                (self.size[0] + (span[0] - 1) * self.jump[0], self.size[1] + (span[1] - 1) * self.jump[1]),
                (self.jump[0] * stride[0], self.jump[1] * stride[1]),
                (
                    self.centre[0] + ((span[0] - 1) / 2 - padding[0]) * self.jump[0],
                    self.centre[1] + ((span[1] - 1) / 2 - padding[1]) * self.jump[1],
                ),
            )
        # A value of the linear layer behind a flatten depends on all values of the maps.
        if isinstance(layer, FlattenSpec) and len(shape) == 3:
            steps = ((shape[1] - 1) * self.jump[0], (shape[2] - 1) * self.jump[1])
            return ReceptiveField(
                (self.size[0] + steps[0], self.size[1] + steps[1]),
                (0, 0),
                (self.centre[0] + steps[0] / 2, self.centre[1] + steps[1] / 2),
            )
        return self


@dataclass(frozen=True)
class LayerShapes:
    """One layer of a network: its `name`, its `spec`, its input and output shape (without the batch), its `formula`
    with numbers, the `unused` rows and columns of its padded input, its `receptive_field` on the image, and the numbers
    of its `parameters` and multiply-adds (`macs`).
    """

    name: str
    spec: LayerSpec
    input_shape: Shape
    output_shape: Shape
    formula: str
    unused: tuple[int, int]
    receptive_field: ReceptiveField
    parameters: int
    macs: int

    @property
    def values(self) -> int:
        """Number of values in the layer's output."""
        return math.prod(self.output_shape)


@dataclass(frozen=True)
class NetworkShapes:
    """The `layers` of `spec` in order, up to the first one that cannot take its input, and its `error`, else None."""

    spec: NetworkSpec
    layers: tuple[LayerShapes, ...]
    error: GeometryError | None = None

    @property
    def output_shape(self) -> Shape:
        """Shape after the last layer reached."""
        return self.layers[-1].output_shape if self.layers else self.spec.input_shape

    @property
    def parameters(self) -> int:
        """Trained values of the layers reached."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-adds of the layers reached, for one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def classifies(self) -> bool:
        """True if the geometry works out and the last layer is linear: its outputs are logits."""
        return self.error is None and isinstance(self.layers[-1].spec, LinearSpec)


def infer_shapes(spec: NetworkSpec) -> NetworkShapes:
    """The shapes of all layers, up to the first one that cannot take its input: a result, never an exception."""
    reached: list[LayerShapes] = []
    shape, field = spec.input_shape, ReceptiveField()
    for index, (name, layer) in enumerate(spec.named_layers()):
        try:
            output = layer.output_shape(shape)
        except GeometryError as error:
            return NetworkShapes(spec, tuple(reached), error.at(name, index))
        field = field.through(layer, shape)
        unused = layer.unused(shape) if isinstance(layer, WindowSpec) else (0, 0)
        reached.append(
            LayerShapes(
                name,
                layer,
                shape,
                output,
                layer.formula(shape),
                unused,
                field,
                layer.parameters(shape),
                layer.macs(shape),
            )
        )
        shape = output
    return NetworkShapes(spec, tuple(reached))
