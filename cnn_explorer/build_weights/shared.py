"""Train the shared weights, for all networks that the page can show (see `cnn_explorer.weights.shared_filters`).

The first channels of the first two convolutions are the lecture's own (`family`). The rest is trained around them.
Every mini-batch is passed through another random network, as slimmable networks are trained with several widths (Yu et
al., 2018, arXiv 1812.08928): one to three blocks, with the lecture's parameters or random ones. So a filter learns to
work with any stride, padding, dilation, pooling, activation and number of channels. The digits in the package are left
out: they are for fitting and measuring.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from cnn_explorer.build_weights.family import LectureKernels, first_tap
from cnn_explorer.build_weights.lecture import (
    SOURCES,
    Recipe,
    examples_from,
    make_pool,
    save_at_once,
    split_writers,
    write_json,
)
from cnn_explorer.digits.data import Digits, bundled_digits, mnist, more_digits, pen_digits
from cnn_explorer.shipped import write_sums
from cnn_explorer.spec.blocks import Block, split
from cnn_explorer.spec.layers import (
    ACTIVATIONS,
    ActivationKind,
    ActivationSpec,
    Conv2dSpec,
    LayerSpec,
    LinearSpec,
    Pool2dSpec,
    PoolKind,
)
from cnn_explorer.spec.network import LECTURE, NetworkSpec
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.training.schedule import schedule
from cnn_explorer.weights.builder import Normalize
from cnn_explorer.weights.evaluation import as_input
from cnn_explorer.weights.shared_filters import (
    CLASSES,
    EPSILON,
    GRIDS,
    JUMPS,
    MAX_CHANNELS,
    MAX_DEPTH,
    MAX_KERNEL,
    NARROW,
    SPACINGS,
    Plan,
    plan_for,
    sampled_readout,
)
from cnn_explorer.weights.tuning import temperature

FIRST_GAMMA = {
    "sigmoid": 3.0,
    "tanh": 1.5,
    "gelu": 1.5,
}  # where the standard deviation before an activation starts; 1 for the others


@dataclass(frozen=True)
class SharedRecipe:
    """The settings that the shared weights are trained with."""

    seed: int = 0
    unseen_writers: int = 6
    renderings: int = 4
    slant: float = 1.0
    rescaled: int = 8_000
    per_epoch: tuple[int, ...] = (9_000, 1_500, 3_500)
    epochs: int = 540
    work: int = 160_000_000  # multiply-adds of a mini-batch's forward pass, at most
    batch_sizes: tuple[int, int] = (48, 128)
    learning_rate: float = 3e-3
    readout_rate: float = 1.2e-3

    def pool(self) -> Recipe:
        """The settings of the pool of training digits."""
        return Recipe(self.seed, self.unseen_writers, self.renderings, self.slant, self.rescaled, self.per_epoch)


def run(options: argparse.Namespace) -> None:
    """Train, then write `shared.pt` and `shared.json`."""
    recipe = SharedRecipe()
    torch.set_num_threads(1)
    started = time.monotonic()
    seen, _ = split_writers(pen_digits(options.pendigits), recipe.unseen_writers)
    pool = make_pool(without_bundled(mnist(options.data)), seen, recipe.pool())
    examples = examples_from(pool, recipe.pool())
    print(f"pool made in {time.monotonic() - started:.0f} s", flush=True)
    parameters = initial(recipe.seed)
    for line in train_shared(parameters, examples, recipe, options.checkpoint):
        print(line, flush=True)
    write_shared(options.out, parameters, recipe, time.monotonic() - started)


def without_bundled(digits: Digits) -> Digits:
    """The digits without those in the package."""
    bundled = {image.tobytes() for part in (bundled_digits(), more_digits()) for image in part.images}
    kept = np.array([image.tobytes() not in bundled for image in digits.images])
    return Digits(digits.images[kept], digits.labels[kept])


# --- the weights in training ---


def initial(seed: int) -> dict[str, Tensor]:
    """Initial parameters by name, with the lecture's kernels.

    A kernel is a sum: the middle of the 7×7 kernel of its depth, and what its size, its spacing and its place in the
    network add. A readout is a sum, too. The shared parts learn from every mini-batch, the others from those in which
    they are used.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters: dict[str, Tensor] = {}
    for depth in range(1, MAX_DEPTH + 1):
        inputs = 1 if depth == 1 else MAX_CHANNELS
        widest = (MAX_CHANNELS, inputs, MAX_KERNEL, MAX_KERNEL)
        parameters[f"conv{depth}"] = (2 * torch.rand(widest, generator=generator) - 1) / (inputs * 25) ** 0.5
        parameters[f"readout{depth}"] = torch.zeros(CLASSES, MAX_CHANNELS, GRIDS[depth], GRIDS[depth])
        for kernel in range(1, MAX_KERNEL + 1):
            parts = [*_banks(depth, kernel), *_additions(depth, kernel)]
            for part in {f"conv{depth}.k{kernel}", *parts}:
                outputs = NARROW if part.endswith(".narrow") else MAX_CHANNELS
                parameters[part] = torch.zeros(
                    outputs, min(inputs, NARROW) if part.endswith(".thin") else inputs, kernel, kernel
                )
            for part in parts:
                parameters[f"{part}.beta"] = torch.zeros(MAX_CHANNELS)
            parameters[f"readout{depth}.k{kernel}"] = torch.zeros(CLASSES, MAX_CHANNELS, GRIDS[depth], GRIDS[depth])
            parameters[f"readout{depth}.k{kernel}.bias"] = torch.zeros(CLASSES)
        for kind in (*ACTIVATIONS, "none"):
            parameters[f"conv{depth}.{kind}.beta"] = torch.zeros(MAX_CHANNELS)
            parameters[f"conv{depth}.{kind}.log_gamma"] = torch.full(
                (MAX_CHANNELS,), math.log(FIRST_GAMMA.get(kind, 1.0))
            )
    LectureKernels(parameters).start()
    return {name: tensor.requires_grad_() for name, tensor in parameters.items()}


def _banks(depth: int, kernel: int) -> list[str]:
    name = f"conv{depth}.k{kernel}"
    return [f"{name}.s{spacing}" for spacing in SPACINGS[depth]] or [name]


def _additions(depth: int, kernel: int) -> list[str]:
    words = ["few", "many", *(["inner"] if depth < MAX_DEPTH else [])]
    if depth == 1:
        words += ["d1", "d2", *(f"j{jump}" for jump in JUMPS), "maxpool", "avgpool", "nonepool", *ACTIVATIONS, "none"]
    words += {1: ["narrow"], 2: ["narrow", "thin", "raw"]}.get(depth, [])
    return [f"conv{depth}.k{kernel}.{word}" for word in words]


def _whole(parameters: dict[str, Tensor], name: str) -> Tensor:
    """A kernel or a readout by its name: the sum of the parts of its depth, its size and its spacing. "conv2.k5.s4" has
    three parts.
    """
    words = name.split(".")
    parts = [parameters[".".join(words[:count])] for count in range(1, len(words) + 1)]
    if name.startswith("conv"):
        kernel = parts[-1].shape[-1]
        start = first_tap(kernel)
        parts[0] = parts[0][:, :, start : start + kernel, start : start + kernel]
    return _total(parts)


def _kernels_of(plan: Plan) -> set[str]:
    """The names of the parameters that a network's kernels are made of."""
    banks, additions = (
        [block.parts[0] for block in plan.blocks],
        [part for block in plan.blocks for part in block.parts[1:]],
    )
    return {bank.rsplit(".", drop)[0] for bank in banks for drop in range(bank.count(".") + 1)} | set(additions)


def _total(tensors: Sequence[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


def forward(parameters: dict[str, Tensor], plan: Plan, images: Tensor) -> Tensor:
    """Logits, `(N, 10)`, of a network of shared weights for `(N, 1, 28, 28)` in [0, 1]; batch norms train."""
    x = Normalize()(images)
    for block in plan.blocks:
        conv = block.conv.spec
        assert isinstance(conv, Conv2dSpec)
        outputs, inputs = conv.out_channels, x.shape[1]
        bank, *additions = block.parts
        kernels = [_whole(parameters, bank), *(parameters[part] for part in additions)]
        weight = _total([kernel[:outputs, :inputs] for kernel in kernels])
        x = functional.conv2d(x, weight, None, conv.stride, conv.padding, conv.dilation)
        for layer in block.before[1:]:
            x = layer.spec.build(layer.input_shape)(x)
        gamma = parameters[f"{block.activation}.log_gamma"][:outputs].exp()
        beta = _total([parameters[f"{name}.beta"] for name in (*block.parts, block.activation)])[:outputs]
        x = functional.batch_norm(x, None, None, gamma, beta, training=True, eps=EPSILON)
        for layer in block.after:
            x = layer.spec.build(layer.input_shape)(x)
    x = functional.batch_norm(x, None, None, training=True, eps=EPSILON)
    readout = sampled_readout(_whole(parameters, plan.readout), plan.field, plan.maps)
    return functional.linear(x.flatten(1), readout.flatten(1), parameters[f"{plan.readout}.bias"])


def exported(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `cnn_explorer.weights.shared_filters` reads, float16: weight and β of every kernel and of all
    that is added to it, γ and β of every activation, weight and bias of every readout.
    """
    wholes = {bank for depth in SPACINGS for kernel in range(1, MAX_KERNEL + 1) for bank in _banks(depth, kernel)}
    additions = {
        part for depth in SPACINGS for kernel in range(1, MAX_KERNEL + 1) for part in _additions(depth, kernel)
    }
    tensors = {f"{name}.weight": _whole(parameters, name) for name in wholes}
    tensors |= {f"{name}.weight": parameters[name] for name in additions}
    for name, tensor in parameters.items():
        if name.endswith(".log_gamma"):
            tensors[name.replace(".log_gamma", ".gamma")] = tensor.exp()
        elif name.endswith(".beta"):
            tensors[name] = tensor
        elif name.endswith(".bias"):
            tensors[name] = tensor
            tensors[name.replace(".bias", ".weight")] = _whole(parameters, name.removesuffix(".bias"))
    return {name: tensors[name].detach().half() for name in sorted(tensors)}


# --- random settings ---


def random_setting(rng: np.random.Generator, recipe: SharedRecipe) -> NetworkShapes:
    """A random network with a valid geometry that is neither tiny nor too costly for a mini-batch."""
    while True:
        shapes = infer_shapes(_setting(rng))
        features = shapes.layers[-1].input_shape[0] if shapes.classifies else 0
        if features >= 16 and shapes.macs * recipe.batch_sizes[0] <= recipe.work:
            return shapes


def _setting(rng: np.random.Generator) -> NetworkSpec:
    """Four of ten networks have random parameters, three mostly the lecture's; three are one or two changes away from
    the lecture's network.
    """
    kinds = (_any_network, _lecture_like, _near_lecture)
    return kinds[int(rng.choice(3, p=[0.4, 0.3, 0.3]))](rng)


def _any_network(rng: np.random.Generator) -> NetworkSpec:
    layers: list[LayerSpec] = []
    for _ in range(int(rng.integers(1, MAX_DEPTH + 1))):
        channels, kernel = int(rng.integers(1, MAX_CHANNELS + 1)), int(rng.integers(1, MAX_KERNEL + 1))
        layers.append(
            Conv2dSpec(channels, kernel, int(rng.integers(1, 4)), int(rng.integers(0, 4)), int(rng.integers(1, 3)))
        )
        kind = str(rng.choice(["max", "avg", "none"]))
        pools: list[LayerSpec] = [] if kind == "none" else [Pool2dSpec(cast(PoolKind, kind), int(rng.integers(2, 4)))]
        layers += _with_activation(rng, pools, str(rng.choice([*ACTIVATIONS])))
    return NetworkSpec((*layers, LinearSpec(CLASSES)))


def _lecture_like(rng: np.random.Generator) -> NetworkSpec:
    layers: list[LayerSpec] = []
    same = str(rng.choice([*ACTIVATIONS])) if rng.random() < 0.3 else "relu"
    for number in range(int(rng.choice([1, 2, 3], p=[0.1, 0.7, 0.2]))):
        channels = (10, 20, 20)[number] if rng.random() < 0.6 else int(2 ** rng.uniform(1, 5.01))
        kernel = (5, 5, 3)[number] if rng.random() < 0.6 else int(rng.integers(1, MAX_KERNEL + 1))
        stride = int(rng.choice([1, 2, 3], p=[0.86, 0.08, 0.06]))
        padding = 0 if rng.random() < 0.75 else int(rng.integers(1, 4))
        layers.append(Conv2dSpec(channels, kernel, stride, padding, 1 if rng.random() < 0.9 else 2))
        pools: list[LayerSpec] = []
        if rng.random() < 0.85:
            size = 2 if rng.random() < 0.85 else 3
            pool_stride = size if rng.random() < 0.9 else int(rng.integers(1, 4))
            pools = [Pool2dSpec(cast(PoolKind, str(rng.choice(["max", "avg"], p=[0.8, 0.2]))), size, pool_stride)]
        layers += _with_activation(rng, pools, same if rng.random() < 0.9 else str(rng.choice([*ACTIVATIONS, "none"])))
    return NetworkSpec((*layers, LinearSpec(CLASSES)))


def _near_lecture(rng: np.random.Generator) -> NetworkSpec:
    parts = split(LECTURE)
    for _ in range(int(rng.integers(1, 3))):
        index = int(rng.integers(len(parts.blocks)))
        parts = parts.with_block(index, _changed(rng, parts.blocks[index]))
    return parts.spec()


def _changed(rng: np.random.Generator, block: Block) -> Block:
    """A block of the lecture's network with one change."""
    changes: list[Callable[[], Block]] = [
        lambda: block.with_conv(out_channels=int(2 ** rng.uniform(0, 5.01))),
        lambda: block.with_conv(kernel_size=int(rng.integers(1, MAX_KERNEL + 1))),
        lambda: block.with_conv(stride=int(rng.integers(2, 4))),
        lambda: block.with_conv(padding=int(rng.integers(1, 4))),
        lambda: block.with_conv(dilation=2),
        lambda: block.with_pool("avg"),
        lambda: block.with_pool(None),
        lambda: block.with_pool("max", kernel_size=3),
        lambda: block.with_pool("max", stride=1),
        lambda: block.with_activation(cast(ActivationKind, str(rng.choice([*ACTIVATIONS])))),
        lambda: block.with_activation(None),
    ]
    return changes[int(rng.integers(len(changes)))]()


def _with_activation(rng: np.random.Generator, pools: list[LayerSpec], kind: str) -> list[LayerSpec]:
    activation: list[LayerSpec] = [] if kind == "none" else [ActivationSpec(cast(ActivationKind, kind))]
    return [*pools, *activation] if rng.random() < 0.85 else [*activation, *pools]


# --- training ---


def train_shared(
    parameters: dict[str, Tensor], examples: Any, recipe: SharedRecipe, checkpoint: Path | None = None
) -> Iterator[str]:
    """Train the parameters in place with AdamW, on another network every mini-batch; yields a line of text an epoch.

    With a `checkpoint`, progress is saved there after every epoch, and a run continues from it.
    """
    rates = {False: recipe.learning_rate, True: recipe.readout_rate}
    groups = [{"params": [p for name, p in parameters.items() if name.startswith("readout") is kind]} for kind in rates]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=1e-3)
    lecture = LectureKernels(parameters)
    done = _restored(checkpoint, parameters, optimizer)
    for epoch in range(done, recipe.epochs):
        rng = np.random.default_rng((recipe.seed, epoch))
        images, labels = examples(Generator().manual_seed(1000 * recipe.seed + epoch))
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(epoch))
        at, steps, total, right = 0, 0, 0.0, 0
        started = time.monotonic()
        while at < len(order):
            shapes = random_setting(rng, recipe)
            size = min(max(recipe.work // shapes.macs, recipe.batch_sizes[0]), recipe.batch_sizes[1])
            batch = order[at : at + size]
            plan = plan_for(shapes)
            assert plan is not None
            if len(batch) < recipe.batch_sizes[0] // 2:
                break
            for group, rate in zip(optimizer.param_groups, rates.values(), strict=True):
                group["lr"] = rate * schedule((epoch + at / len(order)) / recipe.epochs, warm_up=0.03)
            logits = forward(parameters, plan, as_input(images[batch]))
            # Temperature scaling, as when a network is loaded: the loss of an overconfident network does not dominate.
            loss = functional.cross_entropy(temperature(logits.detach(), labels[batch]) * logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            # One unusual network must not undo what the others learned.
            torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
            optimizer.step()
            lecture.hold(_kernels_of(plan))
            total, right = total + loss.item() * len(batch), right + int((logits.argmax(1) == labels[batch]).sum())
            at, steps = at + size, steps + 1
        _saved(checkpoint, parameters, optimizer, epoch + 1)
        seconds = time.monotonic() - started
        reached = f"loss {total / at:.3f}, right {right / at:.3f}"
        yield f"epoch {epoch + 1} of {recipe.epochs}: {steps} steps, {seconds:.1f} s, {reached}"


def _saved(checkpoint: Path | None, parameters: dict[str, Tensor], optimizer: torch.optim.Optimizer, done: int) -> None:
    if checkpoint:
        values = {name: tensor.detach() for name, tensor in parameters.items()}
        save_at_once(checkpoint, {"done": done, "parameters": values, "optimizer": optimizer.state_dict()})


def _restored(checkpoint: Path | None, parameters: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> int:
    if not checkpoint or not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, weights_only=True)
    with torch.no_grad():
        for name, tensor in parameters.items():
            tensor.copy_(saved["parameters"][name])
    optimizer.load_state_dict(saved["optimizer"])
    return int(saved["done"])


def write_shared(folder: Path, parameters: dict[str, Tensor], recipe: SharedRecipe, seconds: float) -> None:
    """Write `shared.pt`, `shared.json` and the sums of both."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = exported(parameters)
    torch.save(tensors, folder / "shared.pt")
    described = {
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
        "bytes": (folder / "shared.pt").stat().st_size,
        "seconds": round(seconds),
        "recipe": {
            **asdict(recipe),
            "training_data": (
                "MNIST's training digits but for the 5,000 bundled ones; the pen digits of all writers but 25 to 30"
            ),
            "method": (
                "AdamW on cross-entropy at the temperature that suits the mini-batch, another random network every "
                "mini-batch; the "
                "learning rate falls to 0 along a cosine."
            ),
        },
        "data": SOURCES,
        "rebuild": "python -m cnn_explorer.build_weights shared --data DIR --pendigits FILE --out cnn_explorer/assets",
        "results": "python tests/benchmarks/bench_settings.py measures them; docs/weights.md has them.",
    }
    write_json(folder / "shared.json", described)
    write_sums(folder, ["shared.pt", "shared.json"])
