"""Train the page's presets: on the pool of the lecture's network, with epochs and learning rate set for each.

Those of `IN_FAMILY` start from the shared weights and stay near their kernels (`family.NearbyKernels`), so that their
channels detect what they detect in other settings. The others start from random weights.

    python -m cnn_explorer.build_weights presets --data DIR --pendigits FILE --out cnn_explorer/assets

writes `presets.pt`, a state dict in half precision for every architecture string, and `presets.json`, their recipes and
results. The lecture's network has files of its own. With `--checkpoint FILE`, finished networks are kept in that file,
and the progress of the current one in another file beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnn_explorer.build_weights.family import NearbyKernels
from cnn_explorer.build_weights.lecture import (
    SOURCES,
    Pool,
    Recipe,
    make_pool,
    reading_results,
    recipe_record,
    save_at_once,
    split_writers,
    train_network,
    write_json,
)
from cnn_explorer.digits.data import Digits, PenDigit, mnist, pen_digits
from cnn_explorer.shipped import write_sums
from cnn_explorer.spec.network import PRESETS, NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.weights.builder import build_layers, build_network
from cnn_explorer.weights.fitting import fit
from cnn_explorer.weights.shared_filters import plan_for, shared_weights

RECIPES: Mapping[str, Recipe] = {
    str(PRESETS[name]): replace(Recipe(), epochs=epochs, learning_rate=learning_rate)
    for name, epochs, learning_rate in [
        ("average pooling", 16, 4e-3),
        ("stride=3: one number a channel", 24, 4e-3),
        ("LeNet-5", 70, 4e-3),
        ("the lecture's fully connected network", 50, 1.5e-3),
        ("stride=2 halves", 50, 8e-3),
        ("no pooling", 30, 4e-3),
        ("padding=1 keeps the size", 20, 4e-3),
    ]
}
IN_FAMILY = tuple(str(PRESETS[name]) for name in ("average pooling", "stride=3: one number a channel"))


@dataclass(frozen=True)
class Trained:
    """A trained network: its `tensors` in half precision, the `results` of their tests, and the CPU `seconds` since the
    last start.
    """

    tensors: dict[str, Tensor]
    results: dict[str, Any]
    seconds: float


def run(options: argparse.Namespace) -> None:
    """Train and measure every network, then write `presets.pt` and `presets.json`."""
    torch.set_num_threads(1)
    seen, unseen = split_writers(pen_digits(options.pendigits), Recipe().unseen_writers)
    pool = make_pool(mnist(options.data), seen, Recipe())
    trained = train_presets(RECIPES, pool, mnist(options.data, train=False), unseen, options.checkpoint)
    write_presets(options.out, trained, RECIPES)


def train_presets(
    recipes: Mapping[str, Recipe], pool: Pool, test: Digits, unseen: Sequence[PenDigit], checkpoint: Path | None = None
) -> dict[str, Trained]:
    """Train a network for every architecture string, one after the other, except for those in the `checkpoint`."""
    finished: dict[str, dict[str, Any]] = (
        torch.load(checkpoint, weights_only=True) if checkpoint and checkpoint.exists() else {}
    )
    for architecture, recipe in recipes.items():
        if architecture not in finished:
            print(architecture, flush=True)
            learning = checkpoint and checkpoint.with_stem(f"{checkpoint.stem}-{architecture}")
            started = time.process_time()
            if architecture in IN_FAMILY:
                module = fitted_network(parse(architecture))
                train_network(module, pool, recipe, learning, NearbyKernels(module).hold)
            else:
                module = build_network(parse(architecture), recipe.seed)
                train_network(module, pool, recipe, learning)
            tensors = rounded(module)
            seconds = time.process_time() - started
            results = reading_results(module, test, unseen)
            finished[architecture] = {"tensors": tensors, "results": results, "seconds": seconds}
            print({name: result["accuracy"] for name, result in results.items()}, flush=True)
            if checkpoint and learning:
                save_at_once(checkpoint, finished)
                learning.unlink()
    return {architecture: Trained(**finished[architecture]) for architecture in recipes}


def fitted_network(spec: NetworkSpec) -> nn.Sequential:
    """The network with the shared weights, fitted to it; it must be one that can take them."""
    shapes = infer_shapes(spec)
    module, plan = build_layers(shapes).eval(), plan_for(shapes)
    assert plan
    fit(module, shapes, plan, shared_weights())
    return module


def rounded(module: nn.Module) -> dict[str, Tensor]:
    """The state dict of `module` in half precision; the module gets the rounded numbers, too."""
    tensors = {name: tensor.half().contiguous() for name, tensor in module.state_dict().items()}
    module.load_state_dict(tensors)
    return tensors


def write_presets(folder: Path, trained: Mapping[str, Trained], recipes: Mapping[str, Recipe]) -> None:
    """Write `presets.pt`, `presets.json` and the sums of both."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({architecture: network.tensors for architecture, network in trained.items()}, folder / "presets.pt")
    described = {
        "bytes": (folder / "presets.pt").stat().st_size,
        "networks": {
            architecture: {
                "parameters": sum(tensor.numel() for tensor in network.tensors.values()),
                "results": network.results,
                "epochs": recipes[architecture].epochs,
                "learning_rate": recipes[architecture].learning_rate,
                "in_family": architecture in IN_FAMILY,
                "processor_seconds": round(network.seconds),
            }
            for architecture, network in trained.items()
        },
        "recipe": {
            **recipe_record(Recipe()),
            "epochs": "of its own for each network",
            "learning_rate": "of its own for each network",
        },
        "data": SOURCES,
        "rebuild": "python -m cnn_explorer.build_weights presets --data DIR --pendigits FILE --out cnn_explorer/assets",
    }
    write_json(folder / "presets.json", described)
    write_sums(folder, ["presets.pt", "presets.json"])
