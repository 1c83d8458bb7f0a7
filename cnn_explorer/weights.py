"""Trained weights for a spec, and an honest label for where they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnn_explorer.builder import build_layers
from cnn_explorer.layers import Conv2dSpec, LinearSpec
from cnn_explorer.network import LECTURE, NetworkSpec
from cnn_explorer.shapes import infer_shapes

ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Label:
    """Where weights come from: `source` in a word or two, the training `data` ("" for none), `accuracy` on MNIST's 10,000 test digits
    as a fraction (None where it was not measured), and a `sentence` for the page."""

    source: str
    data: str
    accuracy: float | None
    sentence: str

    @property
    def trained(self) -> bool:
        """True if the whole network was trained as it is."""
        return self.accuracy is not None


@dataclass(frozen=True)
class TrainedNetwork:
    """A `module` in eval mode, never to be changed in place, and its `label`."""

    module: nn.Sequential
    label: Label


def load_network(spec: NetworkSpec) -> TrainedNetwork:
    """Build `spec` with the best weights there are.

    The lecture's network gets its own trained weights. Any other spec gets, layer by layer, the trained tensors where the layer's
    name and shapes agree with the lecture's, and a seeded initialisation elsewhere; its label then says "untrained". Where the
    geometry breaks, the module has the layers before the break.
    """
    shapes = infer_shapes(spec)
    module = build_layers(shapes)
    trained = _lecture_tensors()
    own = module.state_dict()
    # A layer is taken whole or not at all: no trained bias beside a random weight.
    misfits = {name.split(".")[0] for name, tensor in trained.items() if name not in own or own[name].shape != tensor.shape}
    fitting = {name: tensor for name, tensor in trained.items() if name.split(".")[0] not in misfits}
    module.load_state_dict(fitting, strict=False)
    module.eval()
    if [*spec.named_layers()] == [*LECTURE.named_layers()] and spec.input_shape == LECTURE.input_shape:
        return TrainedNetwork(module, _lecture_label())
    weighted = [layer.name for layer in shapes.layers if isinstance(layer.spec, Conv2dSpec | LinearSpec)]
    return TrainedNetwork(module, _untrained_label(weighted, [name for name in weighted if f"{name}.weight" in fitting], shapes.classifies))


def _lecture_label() -> Label:
    results = recipe()["results"]
    mnist, pen = results["mnist_test"], results["pen_unseen_writers"]
    return Label(
        source="trained",
        data="MNIST and pen digits",
        accuracy=mnist["accuracy"],
        sentence=(
            f"Trained on MNIST and pen digits. Right on {_percent(mnist)} of MNIST's {mnist['digits']:,} test digits and on "
            f"{_percent(pen)} of {pen['digits']:,} digits by {len(pen['writers'])} people it never saw."
        ),
    )


def _percent(result: dict[str, Any]) -> str:
    return f"{100 * result['accuracy']:.1f} %"


def _untrained_label(weighted: list[str], kept: list[str], classifies: bool) -> Label:
    meaning = ", so the answer means nothing." if classifies else "."
    fresh = [name for name in weighted if name not in kept]
    if not weighted:
        sentence = "Nothing to train: none of these layers has weights."
    elif not kept:
        sentence = f"Untrained: all weights are random{meaning}"
    elif fresh:
        sentence = f"Untrained: {_names(kept)} from the lecture's network, {_names(fresh)} random{meaning}"
    else:
        sentence = (
            f"Untrained as it stands: {_names(kept)} come{'' if kept[1:] else 's'} from the lecture's network, which was trained with "
            "other steps in between. How often this one is right was not measured."
        )
    return Label(source="partly trained" if kept else "random", data="", accuracy=None, sentence=sentence)


def _names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


@cache
def recipe() -> dict[str, Any]:
    """How the shipped weights were made and what they reach: the contents of `assets/lecture.json`."""
    loaded: dict[str, Any] = json.loads((ASSETS / "lecture.json").read_text(encoding="utf-8"))
    return loaded


@cache
def _lecture_tensors() -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = torch.load(ASSETS / "lecture.pt", weights_only=True)
    return tensors
