"""The best weights there are for a network, and a label that says where they come from."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from cnn_explorer.shipped import read_asset
from cnn_explorer.spec.canonical import canonical
from cnn_explorer.spec.cost import digits_per_unit, forward_time
from cnn_explorer.spec.layers import Conv2dSpec, LinearSpec
from cnn_explorer.spec.network import LECTURE, NetworkSpec, parse
from cnn_explorer.spec.shapes import LayerShapes, NetworkShapes, infer_shapes
from cnn_explorer.weights.builder import build_layers
from cnn_explorer.weights.fitting import Fit, digits_to_measure, fit
from cnn_explorer.weights.label import Fitted, Label, Pretrained, Untrained
from cnn_explorer.weights.shared_filters import MAX_CHANNELS, Plan, plan_for, shared_weights
from cnn_explorer.weights.tuning import forward_in_batches

MAX_TIME = 2_000_000  # nanoseconds a digit, forward: fitting a slower network would take seconds


@dataclass(frozen=True)
class TrainedNetwork:
    """A `module` in eval mode, never to be changed in place, and its `label`."""

    module: nn.Sequential
    label: Label

    @cached_property
    def bytes(self) -> int:
        """Memory of the weights, in bytes."""
        return sum(tensor.nbytes for tensor in self.module.state_dict().values())

    @cached_property
    def fingerprint(self) -> str:
        """`fingerprint_of` the module."""
        return fingerprint_of(self.module)


def fingerprint_of(module: nn.Module) -> str:
    """The CRC-32 of all weights, eight hexadecimal digits."""
    crc = 0
    for tensor in module.state_dict().values():
        crc = zlib.crc32(tensor.contiguous().numpy(), crc)
    return f"{crc:08x}"


def load_network(
    spec: NetworkSpec, *, measure: bool = True, pause: Callable[[], None] = lambda: None
) -> TrainedNetwork:
    """Build a network with the best weights there are for it. The same spec gives the same weights every time.

    Returns a module in eval mode, which takes `(N, 1, 28, 28)`, float in [0, 1], and its label. There are three cases:

    - The lecture's network and the other presets have weights of their own, trained for them. Cost: milliseconds.
    - Other networks with one to three convolutions and ten outputs take a part of the shared weights, as slimmable
      networks do (Yu et al., 2018, arXiv 1812.08928). Their batch-norm statistics are computed anew (Wu & Johnson,
      2021, arXiv 2105.07576) and their last layer is fitted on bundled digits. Cost: a fraction of a second.
    - In all others, a layer takes the weights of the lecture's layer of the same name and shapes; the rest is
      initialised at random, with a fixed seed. The label says "untrained".

    Networks that give the same outputs (`spec.canonical`) get the same weights in the first two cases.

    Where the geometry does not work out, the module ends before the layer that cannot take its input. With
    `measure=False` a fitted network is not measured: its label has no accuracy, and `measured` adds it later. Measuring
    takes longer than the fit. `pause` is called before every batch; what it raises ends the work.

    Raises `AssetError` if a file of the package is damaged or missing.
    """
    shapes = infer_shapes(spec)
    module = build_layers(shapes).eval()
    own = _trained().get(canonical(spec))
    if own:
        module.load_state_dict(own.tensors())  # a copy of each: what all networks share stays as it is
        return TrainedNetwork(module, _pretrained_label(own, shapes))
    fitted = infer_shapes(canonical(spec))
    plan = plan_for(fitted)
    if plan and forward_time(fitted.layers) <= MAX_TIME:
        body = build_layers(fitted).eval()
        label = _fitted_label(plan, fit(body, fitted, plan, shared_weights(), pause))
        module.load_state_dict(body.state_dict())
        network = TrainedNetwork(module, label)
        return measured(network, digits_per_unit(shapes), pause) if measure else network
    return TrainedNetwork(module, _with_matching_layers(module, shapes))


@torch.no_grad()
def measured(
    network: TrainedNetwork, batch_size: int = 100, pause: Callable[[], None] = lambda: None
) -> TrainedNetwork:
    """The same network with its accuracy on the 1,000 `bundled_digits` in the label, if that was not measured yet.

    An untrained or measured network is returned as it is. `pause` is called before every batch; what it raises ends the
    work.
    """
    label = network.label
    if not label.trained or label.accuracy is not None:
        return network
    images, labels = digits_to_measure()
    accuracy = int((forward_in_batches(network.module, images, batch_size, pause).argmax(dim=1) == labels).sum()) / len(
        labels
    )
    return TrainedNetwork(network.module, replace(label, accuracy=accuracy, measured=len(labels)))


def _with_matching_layers(module: nn.Sequential, shapes: NetworkShapes) -> Label:
    """Load the lecture's weights into the layers with the same name and shapes, in place."""
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


def _pretrained_label(trained: _Trained, shapes: NetworkShapes) -> Label:
    mnist, pen = trained.results["mnist_test"], trained.results["pen_unseen_writers"]
    convs = [layer for layer in shapes.layers if isinstance(layer.spec, Conv2dSpec) and trained.in_family]
    origin = Pretrained(pen["accuracy"], pen["digits"], len(pen["writers"]), _kernel_sizes(convs))
    return Label(origin, mnist["accuracy"], mnist["digits"])


def _fitted_label(plan: Plan, fit: Fit) -> Label:
    convs = [block.conv for block in plan.blocks]
    origin = Fitted(
        digits=fit.digits,
        features=plan.last.input_shape[0],
        tuned_layers=fit.tuned,
        random_layers=tuple(layer.name for layer in plan.hidden_linear),
        wide_layers=tuple(conv.name for conv in convs if conv.output_shape[0] > MAX_CHANNELS),
        kernel_sizes=_kernel_sizes(convs),
        seconds=fit.seconds,
    )
    return Label(origin)


def _kernel_sizes(convs: Sequence[LayerShapes]) -> tuple[int, ...]:
    """Of convolutions with square kernels."""
    return tuple(conv.spec.window()[0][0] for conv in convs)  # type: ignore[attr-defined]  # a Conv2dSpec


# --- what is shipped ---


@dataclass(frozen=True)
class _Trained:
    """Weights that were trained for one network: `tensors()` reads them, in single or half precision; `results` are
    those of their tests. `in_family`: the convolutions are near the shared ones.
    """

    tensors: Callable[[], dict[str, Tensor]]
    results: dict[str, Any]
    in_family: bool


@cache
def _trained() -> dict[NetworkSpec, _Trained]:
    """All networks that have weights of their own, in their `canonical` form."""
    trained = {LECTURE: _Trained(partial(_tensors, "lecture"), recipe()["results"], in_family=True)}
    for architecture, described in recipe("presets")["networks"].items():
        in_family = bool(described.get("in_family"))
        trained[parse(architecture)] = _Trained(partial(_preset, architecture), described["results"], in_family)
    return {canonical(spec): network for spec, network in trained.items()}


@cache
def recipe(name: str = "lecture") -> dict[str, Any]:
    """How the package's weights were trained and tested: `assets/{name}.json`; `name` is "lecture" or "presets"."""
    loaded: dict[str, Any] = json.loads(read_asset(f"{name}.json"))
    return loaded


def _preset(architecture: str) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = _tensors("presets")[architecture]
    return tensors


@cache
def _tensors(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(io.BytesIO(read_asset(f"{name}.pt")), weights_only=True)
    return loaded
