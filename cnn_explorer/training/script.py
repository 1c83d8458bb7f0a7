"""The complete PyTorch script of a run, to download. It repeats the run to the last bit, without this package.

Functions that both use are copied from their source by `inspect`, so the two cannot differ.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cnn_explorer.digits.data import FOLDER_VARIABLE, PER_CLASS
from cnn_explorer.digits.preprocessing import SIZE
from cnn_explorer.spec.cost import digits_per_unit
from cnn_explorer.spec.network import NetworkSpec
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.training.augmentation import slant
from cnn_explorer.training.recipe import RunRecipe
from cnn_explorer.training.run import SeededDropout, check_trainable, digits_to_test, is_safe_channels_last
from cnn_explorer.training.schedule import schedule
from cnn_explorer.weights.builder import MNIST_MEAN, MNIST_STD, Normalize, build_layers, initialise
from cnn_explorer.weights.evaluation import as_input
from cnn_explorer.weights.shared_filters import CLASSES

SAVED = "weights.safetensors"
COUNTS = {"bundled": (4_000, 1_000), "mnist": (60_000, 10_000)}  # digits to train on, and to test with


def training_script(spec: NetworkSpec, recipe: RunRecipe) -> str:
    """A Python program that trains `spec` by `recipe` as `Run` does, prints the accuracy after every epoch and saves
    the state dict.

    It needs torch, torchvision and safetensors alone. Raises `ValueError` with a sentence for a network that cannot be
    trained here.
    """
    shapes = infer_shapes(spec)
    check_trainable(shapes, recipe)
    parts = [_head(spec, recipe), _digits(recipe, shapes), _network(shapes, recipe), _training(recipe, shapes)]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def _head(spec: NetworkSpec, recipe: RunRecipe) -> str:
    train, test = COUNTS[recipe.data]
    return f'''
"""Train a network on {train:,} digits of MNIST and test it on {test:,} others.

    pip install torch torchvision safetensors
    python train.py

MNIST is read from the folder that {FOLDER_VARIABLE} names, else from `data`, and fetched if it is not there. In
the end the weights are saved as {SAVED}.

Network: {spec}
Recipe: {recipe}
Written for torch {torch.__version__}: with another one, or on another kind of processor, the last digits may differ.
"""

import math
import os
import zlib
from collections import OrderedDict

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from torch.nn import functional
from torchvision.datasets import MNIST

torch.set_num_threads(1)  # sums in one order: the very numbers that CNN Explorer shows

SEED = {recipe.seed}
EPOCHS = {recipe.epochs}
BATCH_SIZE = {recipe.batch_size}
LEARNING_RATE = {recipe.learning_rate!r}
'''


def _digits(recipe: RunRecipe, shapes: NetworkShapes) -> str:
    folder = (
        f'folder = os.environ.get("{FOLDER_VARIABLE}") or "data"\ndigits = MNIST(folder, train=True, download=True)'
    )
    if recipe.data == "mnist":
        chosen = """
test_digits = MNIST(folder, train=False, download=True)
train_images, train_labels = digits.data, digits.targets
test_images, test_labels = test_digits.data, test_digits.targets
"""
    else:
        per_class = sum(COUNTS["bundled"]) // CLASSES
        chosen = f"""
# The first {per_class} training digits of every class, class by class in turn: {PER_CLASS} of each to test with,
# the others to train on.
by_class = [(digits.targets == label).nonzero().flatten()[:{per_class}] for label in range({CLASSES})]
chosen = torch.stack(by_class, dim=1).flatten()
test, train = chosen[:{CLASSES * PER_CLASS}], chosen[{CLASSES * PER_CLASS}:]
train_images, train_labels = digits.data[train], digits.targets[train]
test_images, test_labels = digits.data[test], digits.targets[test]
"""
    measured = digits_to_test(shapes)
    if measured < COUNTS[recipe.data][1]:
        chosen += (
            f"test_images, test_labels = test_images[:{measured}], test_labels[:{measured}]  # all would take long\n"
        )
    moved = f"SIZE = {SIZE}  # pixels\n\n\n{_source(slant)}" if recipe.augment else ""
    return "\n\n\n".join(filter(None, [f"# --- the digits ---\n\n{folder}{chosen}".strip(), _source(as_input), moved]))


def _network(shapes: NetworkShapes, recipe: RunRecipe) -> str:
    module = build_layers(shapes)
    layers = "\n".join(f"        {name}={_call(layer)}," for name, layer in module.named_children())
    drops = any(isinstance(layer, nn.Dropout) for layer in module)
    parts = ["# --- the network ---\n\n" + f"MNIST_MEAN, MNIST_STD = {MNIST_MEAN}, {MNIST_STD}", _source(Normalize)]
    parts += [_source(SeededDropout)] if drops else []
    parts += [_source(initialise)]
    dropout = "dropout_generator = Generator().manual_seed(SEED)\n" if drops else ""
    layout = (
        "\nnetwork = network.to(memory_format=torch.channels_last)  # a layout in memory with which torch "
        "is faster here"
    )
    made = f"""
{dropout}network = nn.Sequential(
    OrderedDict(
{layers}
    )
)
for name, layer in network.named_children():
    initialise(layer, name, SEED){layout if is_safe_channels_last(module) else ""}
"""
    return "\n\n\n".join([*parts, made.strip()])


def _call(layer: nn.Module) -> str:
    """The Python that makes such a layer."""
    if isinstance(layer, Normalize):
        return "Normalize()"
    if isinstance(layer, nn.Dropout):
        return f"SeededDropout({layer.p!r}, dropout_generator)"
    if isinstance(layer, nn.BatchNorm2d):  # an older torch does not take all that its repr has
        return f"nn.BatchNorm2d({layer.num_features})"
    return f"nn.{layer!r}"


def _training(recipe: RunRecipe, shapes: NetworkShapes) -> str:
    images = "slant(train_images[batch], generator)" if recipe.augment else "train_images[batch]"
    if recipe.optimizer == "sgd":
        momentum = f", momentum={recipe.momentum!r}" if recipe.momentum else ""
        optimizer = f"torch.optim.SGD(network.parameters(), lr=LEARNING_RATE{momentum})"
    else:
        optimizer = "torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)"
    cycle = recipe.schedule == "onecycle"
    rate = (
        "        progress = (epoch * batches + step) / (EPOCHS * batches)\n"
        '        optimizer.param_groups[0]["lr"] = LEARNING_RATE * schedule(progress)\n'
    )
    scheduled = f"\n{_source(schedule)}\n\n\n" if cycle else ""
    step, steps = ("step, ", "enumerate(order)") if cycle else ("", "order")
    part = digits_per_unit(shapes)
    return f"""
# --- training ---

{scheduled}optimizer = {optimizer}
batches = len(train_images) // BATCH_SIZE  # of an epoch; the digits that are left over are left out

for epoch in range(EPOCHS):
    generator = Generator().manual_seed(1000 * SEED + epoch)
    order = torch.randperm(len(train_images), generator=generator)[: batches * BATCH_SIZE].view(batches, BATCH_SIZE)
    total = 0.0
    network.train()
    for {step}batch in {steps}:
        images = {images}
        loss = functional.cross_entropy(network(as_input(images)), train_labels[batch])
        optimizer.zero_grad()
        loss.backward()
{rate if cycle else ""}        optimizer.step()
        total += loss.item()

    network.eval()
    right = 0
    with torch.no_grad():
        for images, labels in zip(test_images.split({part}), test_labels.split({part}), strict=True):
            right += int((network(as_input(images)).argmax(dim=1) == labels).sum())
    loss, tested = f"loss {{total / batches:.4f}}", f"{{len(test_labels):,}} test digits"
    right = f"right on {{100 * right / len(test_labels):.2f}} % of {{tested}}"
    print(f"epoch {{epoch + 1}} of {{EPOCHS}}: {{loss}}, {{right}}", flush=True)

save_file({{name: tensor.contiguous() for name, tensor in network.state_dict().items()}}, "{SAVED}")
"""


def _source(what: Callable[..., Any]) -> str:
    return inspect.getsource(what).strip()
