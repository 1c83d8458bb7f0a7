"""Trained weights for a spec, and an honest label for where they come from."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from cnn_explorer.shipped import read_asset
from cnn_explorer.spec.cost import digits_per_unit, forward_time
from cnn_explorer.spec.layers import Conv2dSpec, LinearSpec
from cnn_explorer.spec.network import LECTURE, NetworkSpec, parse
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.weights.builder import build_layers
from cnn_explorer.weights.fitting import Fit, digits_to_measure, fit
from cnn_explorer.weights.label import Fitted, Label, Pretrained, Untrained
from cnn_explorer.weights.shared_filters import MAX_CHANNELS, Plan, plan, shared_weights
from cnn_explorer.weights.tuning import through

MAX_TIME = 2_000_000  # nanoseconds a digit through a network that is fitted when it is loaded; more would take seconds


@dataclass(frozen=True)
class TrainedNetwork:
    """A `module` in eval mode, never to be changed in place, and its `label`."""

    module: nn.Sequential
    label: Label

    @cached_property
    def bytes(self) -> int:
        """Memory that the weights take."""
        return sum(tensor.nbytes for tensor in self.module.state_dict().values())

    @cached_property
    def fingerprint(self) -> str:
        """That of the weights."""
        return fingerprint_of(self.module)


def fingerprint_of(module: nn.Module) -> str:
    """Eight hexadecimal digits that differ where weights differ: a CRC-32 of them all."""
    crc = 0
    for tensor in module.state_dict().values():
        crc = zlib.crc32(tensor.contiguous().numpy(), crc)
    return f"{crc:08x}"


def load_network(
    spec: NetworkSpec, *, measure: bool = True, pause: Callable[[], None] = lambda: None
) -> TrainedNetwork:
    """Build `spec` with the best weights there are, the same every time.

    The lecture's network and the page's other presets get weights of their own. Any other of one to three convolutions
    that ends in ten outputs gets shared weights, with the readout fitted on digits that come with the package, in a
    fraction of a second. What is left gets, layer by layer, the trained tensors where the layer's name and shapes agree
    with the lecture's, and a seeded initialisation elsewhere; its label then says "untrained". Where the geometry
    breaks, the module has the layers before the break.

    How often fitted weights are right is left open without `measure`: `measured` takes longer than the fit. `pause` is
    called between units of the work; what it raises ends the work.
    """
    shapes = infer_shapes(spec)
    module = build_layers(shapes).eval()
    own = _trained().get(_identity(spec))
    if own:
        module.load_state_dict(own.tensors())  # a copy of each: what all networks share stays as it is
        return TrainedNetwork(module, _pretrained_label(own.results))
    steps = plan(shapes)
    if steps and forward_time(shapes.layers) <= MAX_TIME:
        network = TrainedNetwork(module, _fitted_label(steps, fit(module, shapes, steps, shared_weights(), pause)))
        return measured(network, digits_per_unit(shapes), pause) if measure else network
    return TrainedNetwork(module, _with_what_fits(module, shapes))


@torch.no_grad()
def measured(network: TrainedNetwork, unit: int = 100, pause: Callable[[], None] = lambda: None) -> TrainedNetwork:
    """The same network, its label completed by how often it is right on the thousand of `bundled_digits`, if that was
    left open.

    `pause` is called before every `unit` digits; what it raises ends the work.
    """
    label = network.label
    if not label.trained or label.accuracy is not None:
        return network
    images, labels = digits_to_measure()
    accuracy = int((through(network.module, images, unit, pause).argmax(dim=1) == labels).sum()) / len(labels)
    return TrainedNetwork(network.module, replace(label, accuracy=accuracy, measured=len(labels)))


def _with_what_fits(module: nn.Sequential, shapes: NetworkShapes) -> Label:
    """Load the lecture's tensors into the layers that agree with its own, in place."""
    trained, own = _tensors("lecture"), module.state_dict()
    # A layer is taken whole or not at all: no trained bias beside a random weight.
    misfits = {
        name.split(".")[0] for name, tensor in trained.items() if name not in own or own[name].shape != tensor.shape
    }
    fitting = {name: tensor for name, tensor in trained.items() if name.split(".")[0] not in misfits}
    module.load_state_dict(fitting, strict=False)
    weighted = [layer.name for layer in shapes.layers if isinstance(layer.spec, Conv2dSpec | LinearSpec)]
    pretrained = tuple(name for name in weighted if f"{name}.weight" in fitting)
    random = tuple(name for name in weighted if name not in pretrained)
    return Label(Untrained(pretrained, random, shapes.classifies))


def _pretrained_label(results: dict[str, Any]) -> Label:
    mnist, pen = results["mnist_test"], results["pen_unseen_writers"]
    origin = Pretrained(pen["accuracy"], pen["digits"], len(pen["writers"]))
    return Label(origin, mnist["accuracy"], mnist["digits"])


def _fitted_label(steps: Plan, fit: Fit) -> Label:
    convs = [block.conv for block in steps.blocks]
    origin = Fitted(
        digits=fit.digits,
        features=steps.last.input_shape[0],
        tuned_layers=fit.tuned,
        random_layers=tuple(layer.name for layer in steps.hidden_linear),
        wide_layers=tuple(conv.name for conv in convs if conv.output_shape[0] > MAX_CHANNELS),
        pointwise=convs[0].spec.window()[0] == (1, 1),  # type: ignore[attr-defined]  # a Conv2dSpec
        seconds=fit.seconds,
    )
    return Label(origin)


# --- what is shipped ---


@dataclass(frozen=True)
class _Trained:
    """A network's own `tensors`, single or half precision, read when they are needed, and the `results` that they
    reach.
    """

    tensors: Callable[[], dict[str, Tensor]]
    results: dict[str, Any]


@cache
def _trained() -> dict[object, _Trained]:
    """Every network that has weights of its own, by its `_identity`."""
    trained = {LECTURE: _Trained(partial(_tensors, "lecture"), recipe()["results"])}
    for architecture, described in recipe("presets")["networks"].items():
        trained[parse(architecture)] = _Trained(partial(_preset, architecture), described["results"])
    return {_identity(spec): network for spec, network in trained.items()}


def _identity(spec: NetworkSpec) -> object:
    """Equal for specs that are one network: a written flatten makes no difference."""
    return spec.input_shape, tuple(spec.named_layers())


@cache
def recipe(name: str = "lecture") -> dict[str, Any]:
    """How shipped weights were made and what they reach: the contents of `assets/{name}.json`,
    "lecture" or "presets".
    """
    loaded: dict[str, Any] = json.loads(read_asset(f"{name}.json"))
    return loaded


def _preset(architecture: str) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = _tensors("presets")[architecture]
    return tensors


@cache
def _tensors(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(io.BytesIO(read_asset(f"{name}.pt")), weights_only=True)
    return loaded
