"""Layers within the page's limits, and what they really take: the truth that `cnn_explorer.spec.cost` is held to."""

import math
import random
import time
from collections.abc import Callable, Iterator

import torch
from torch import nn

from cnn_explorer.spec.cost import PAGED_BYTES
from cnn_explorer.spec.layers import (
    ACTIVATIONS,
    ActivationSpec,
    BatchNorm2dSpec,
    Conv2dSpec,
    DropoutSpec,
    GeometryError,
    LayerSpec,
    LinearSpec,
    Pool2dSpec,
    Shape,
)
from cnn_explorer.spec.limits import MAX_PARAMETERS, MAX_VALUES
from cnn_explorer.spec.shapes import LayerShapes, ReceptiveField
from cnn_explorer.spec.work import TRAINED_DIGITS, UNIT_DIGITS, UNIT_VALUES
from cnn_explorer.training.run import is_safe_channels_last, ready_to_train

MOST_MACS = 200_000_000
BLOCK_TIME = 2_000_000  # nanoseconds
KINDS = (
    "conv",
    "grouped",
    "max",
    "conv",
    "avg",
    "conv",
    "linear",
    "activation",
    "grouped",
    "bn",
    "max",
    "drop",
    "conv",
    "avg",
)

# The layers that a count of multiply-adds misjudges most: nothing to multiply, one channel, many groups, huge windows,
# wide dilation.
WORST: tuple[tuple[LayerSpec, Shape], ...] = (
    (Pool2dSpec("max", 27, 1, 13), (20, 28, 28)),
    (Pool2dSpec("max", 28, 1, 14), (32, 50, 50)),
    (Pool2dSpec("avg", 27, 1, 13), (20, 28, 28)),
    (Pool2dSpec("max", 2, 1), (256, 28, 28)),
    (Pool2dSpec("avg", 3, 1, 1), (1, 28, 28)),
    (Pool2dSpec("max", 3, 1, 1), (1, 28, 28)),
    (Pool2dSpec("max", 2), (10, 24, 24)),
    (Conv2dSpec(20, 9, 1, 4), (1, 28, 28)),
    (Conv2dSpec(32, 7, 1, 3), (1, 28, 28)),
    (Conv2dSpec(1, 28, 1, 14), (1, 28, 28)),
    (Conv2dSpec(1, 3, 1, 1), (256, 28, 28)),
    (Conv2dSpec(2, 7, 1, 3), (64, 28, 28)),
    (Conv2dSpec(256, 1), (256, 28, 28)),
    (Conv2dSpec(256, 3, 1, 1), (64, 28, 28)),
    (Conv2dSpec(256, 1), (1, 28, 28)),
    (Conv2dSpec(8, 3, 1, 28), (1, 28, 28)),
    (Conv2dSpec(64, 5, 1, 2, 1, 64), (64, 28, 28)),
    (Conv2dSpec(256, 3, 1, 2, 2, 256), (256, 28, 28)),
    (Conv2dSpec(64, 3, 1, 1, 1, 16), (64, 28, 28)),
    (Conv2dSpec(10, 5), (1, 28, 28)),
    (Conv2dSpec(20, 5), (10, 12, 12)),
    (BatchNorm2dSpec(), (64, 28, 28)),
    (DropoutSpec(0.5), (64, 28, 28)),
    (ActivationSpec("tanh"), (256, 28, 28)),
    (ActivationSpec("gelu"), (256, 28, 28)),
    (LinearSpec(4096), (784,)),
    (LinearSpec(10), (200_000,)),
    (LinearSpec(512), (784,)),
)


def shapes_of(spec: LayerSpec, shape: Shape) -> LayerShapes:
    """A layer by itself."""
    return LayerShapes(
        "",
        spec,
        shape,
        spec.output_shape(shape),
        "",
        (0, 0),
        ReceptiveField(),
        spec.parameters(shape),
        spec.macs(shape),
    )


def random_layers(count: int, seed: int = 0) -> Iterator[LayerShapes]:
    """Layers that a page may show, of all kinds in turn; numbers are spread evenly on a logarithmic scale."""
    rng = random.Random(seed)
    made = 0
    while made < count:
        try:
            layer = shapes_of(*_drawn(KINDS[made % len(KINDS)], rng))
        except (GeometryError, ValueError):
            continue
        values = max(layer.values, math.prod(layer.input_shape))
        if values <= MAX_VALUES and layer.parameters <= MAX_PARAMETERS and layer.macs <= MOST_MACS:
            made += 1
            yield layer


def _drawn(kind: str, rng: random.Random) -> tuple[LayerSpec, Shape]:
    height = rng.choice([28, 24, 14, 12, 7, 4, 1, rng.randint(1, 40)])
    shape = (_spread(rng, 256), height, height if rng.random() < 0.8 else rng.randint(1, 40))
    if kind in ("conv", "grouped"):
        kernel = rng.choice([1, 2, 3, 5, 7, rng.randint(1, 28)])
        stride, padding = rng.choice([1, 1, 2, rng.randint(1, 6)]), rng.choice([0, kernel // 2, rng.randint(0, 28)])
        dilation, groups, out = rng.choice([1, 1, 1, 2, rng.randint(1, 6)]), 1, _spread(rng, 256)
        if kind == "grouped":
            groups = rng.choice([number for number in range(1, shape[0] + 1) if shape[0] % number == 0])
            out = groups * max(1, out // groups)
        other = rng.randint(1, 28) if rng.random() < 0.1 else kernel
        return Conv2dSpec(out, (kernel, other), stride, padding, dilation, groups), shape
    if kind in ("max", "avg"):
        kernel = rng.choice([2, 3, rng.randint(1, 28)])
        stride = rng.choice([kernel, 1, rng.randint(1, 6)])
        return Pool2dSpec(kind, kernel, stride, rng.randint(0, kernel // 2)), shape  # type: ignore[arg-type]  # max or avg
    if kind == "linear":
        return LinearSpec(_spread(rng, 4096)), (_spread(rng, 8000),)
    others: dict[str, LayerSpec] = {"bn": BatchNorm2dSpec(), "drop": DropoutSpec(0.5)}
    return others.get(kind) or ActivationSpec(rng.choice([*ACTIVATIONS])), shape  # type: ignore[arg-type]  # a kind of activation


def _spread(rng: random.Random, most: int) -> int:
    return round(math.exp(rng.uniform(0, math.log(most + 0.499))))


def warm_allocator() -> None:
    """Make the C library keep freed memory, as it does in a server that has run for a while.

    It asks the system for large tensors, page by page, until the first of that size was freed.
    """
    torch.empty(PAGED_BYTES // 4 - 100_000).fill_(0)


def measured_forward(layer: LayerShapes, seconds: float = 0.05) -> float:
    """Nanoseconds a digit, forward in batches as large as a unit of work has; of processor time, the least of several
    runs.
    """
    values = max(layer.values, math.prod(layer.input_shape))
    count = max(1, min(UNIT_DIGITS, UNIT_VALUES // values))
    module, images = layer.spec.build(layer.input_shape).eval(), torch.randn(count, *layer.input_shape)
    with torch.no_grad():
        return _least(lambda: module(images), seconds) / count


def measured_training(layer: LayerShapes, seconds: float = 0.1) -> float:
    """Nanoseconds a digit, forward and back in the layout that trainings have; likewise."""
    values = max(layer.values, math.prod(layer.input_shape))
    batch = max(2, min(TRAINED_DIGITS, PAGED_BYTES // (4 * values)))
    module = ready_to_train(nn.Sequential(layer.spec.build(layer.input_shape)), seed=0)
    images = torch.randn(batch, *layer.input_shape)
    if images.dim() == 4 and is_safe_channels_last(module):
        images = images.contiguous(memory_format=torch.channels_last)
    images.requires_grad_()
    gradient = torch.ones_like(module(images))

    def step() -> None:
        images.grad = None
        module(images).backward(gradient)

    return _least(step, seconds) / batch


def _least(work: Callable[[], object], seconds: float) -> float:
    """Nanoseconds of processor time for one run of `work`: the least of several blocks of runs.

    A block takes two milliseconds or more. On a virtual machine the clock of a thread may be wrong by some microseconds.
    """
    work()
    single = max(_block_time(work, 1), 1000)
    runs = max(1, math.ceil(BLOCK_TIME / single))
    best, blocks, end = math.inf, 0, time.perf_counter() + seconds
    while blocks < 3 or time.perf_counter() < end:
        best, blocks = min(best, _block_time(work, runs)), blocks + 1
        if blocks >= 2 and best > 2e9:
            break
    return best


def _block_time(work: Callable[[], object], runs: int) -> float:
    started = time.thread_time_ns()
    for _ in range(runs):
        work()
    return (time.thread_time_ns() - started) / runs
