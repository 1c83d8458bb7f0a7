"""Train the lecture's network for the package; its recipe and its training loop also serve the presets.

    python -m cnn_explorer.build_weights --data DIR --pendigits FILE --out cnn_explorer/assets

The lecture's network is small, 8,490 parameters. It has to read digits unlike MNIST's: drawn with other pens or a
mouse, or in pictures of any size. So it learns from a pool of variations, which is made once:

    MNIST ──┬─► as it is ─────────────────┐
            └─► small and large pictures ─┴─► slanted anew every epoch ─┬─► channels in order ─► lecture.pt,
    pen strokes ─► redrawn by other hands ──────────────────────────────┘                       lecture.json

The run takes about a quarter of an hour on one thread. It is seeded: on the same machine it gives the same weights
again. With `--checkpoint FILE` it saves its progress there and continues from it when it is started again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor, nn
from torch.nn import functional

from cnn_explorer.build_weights.channel_order import order_channels
from cnn_explorer.digits.data import PEN_DIGITS, Digits, PenDigit, data_folder, mnist, pen_digits
from cnn_explorer.digits.preprocessing import SIZE, Stroke, preprocess_picture, preprocess_strokes
from cnn_explorer.shipped import ASSETS, write_sums
from cnn_explorer.spec.network import LECTURE
from cnn_explorer.training.augmentation import slant
from cnn_explorer.training.schedule import schedule
from cnn_explorer.weights.builder import build_network
from cnn_explorer.weights.evaluation import accuracy, as_input

Examples = Callable[[Generator], tuple[Tensor, Tensor]]

SOURCES = [
    "MNIST: Y. LeCun, C. Cortes, C. Burges, http://yann.lecun.com/exdb/mnist/, CC BY-SA 3.0",
    "Pen-Based Recognition of Handwritten Digits: E. Alpaydin and F. Alimoglu, UCI Machine Learning Repository, CC "
    "BY 4.0",
]


@dataclass(frozen=True)
class Epoch:
    """One pass over the examples: its `number` from 1, of how many `epochs`, and the mean training `loss`."""

    number: int
    epochs: int
    loss: float


def train(
    module: nn.Module,
    examples: Examples,
    *,
    epochs: int,
    batch_size: int = 256,
    learning_rate: float = 4e-3,
    seed: int = 0,
    checkpoint: Path | None = None,
    after_step: Callable[[], None] = lambda: None,
) -> Iterator[Epoch]:
    """Train `module` in place with AdamW and yield after every epoch; the module is then in eval mode.

    `examples(generator)` gives an epoch's images, `(N, 28, 28)` uint8 or `(N, 1, 28, 28)` float in [0, 1], and their
    labels, `(N,)` int64. The learning rate rises to `learning_rate` in the first tenth of the run and falls to 0 along
    a cosine. `after_step` is called after every step.

    With a `checkpoint`, every epoch is saved to that file. If it exists, training continues from it and comes to the
    result of an uninterrupted run.
    """
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=1e-3)
    done = _restore(checkpoint, module, optimizer)
    for epoch in range(done, epochs):
        # One generator an epoch: a run that continues from a checkpoint draws the same numbers.
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        images, labels = examples(generator)
        batches = torch.split(torch.randperm(len(images), generator=generator), batch_size)
        module.train()
        total = 0.0
        for step, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * schedule((epoch + step / len(batches)) / epochs)
            logits = module(as_input(images[batch]).contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            after_step()
            total += loss.item() * len(batch)
        module.eval()
        _save(checkpoint, module, optimizer, epoch + 1)
        yield Epoch(epoch + 1, epochs, total / len(images))


def _save(checkpoint: Path | None, module: nn.Module, optimizer: torch.optim.Optimizer, done: int) -> None:
    if checkpoint:
        save_at_once(checkpoint, {"done": done, "module": module.state_dict(), "optimizer": optimizer.state_dict()})


def save_at_once(file: Path, saved: Any) -> None:
    """`torch.save` to another file that then replaces `file`: an interruption leaves the old file or the new one."""
    partial = file.with_suffix(".partial")
    torch.save(saved, partial)
    partial.replace(file)


def _restore(checkpoint: Path | None, module: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load what `_save` saved. Returns the number of epochs that are done."""
    if not checkpoint or not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, weights_only=True)
    module.load_state_dict(saved["module"])
    optimizer.load_state_dict(saved["optimizer"])
    module.eval()
    return int(saved["done"])


# --- the recipe ---


@dataclass(frozen=True)
class Recipe:
    """The settings that the package's weights are trained with."""

    seed: int = 0
    unseen_writers: int = 6  # those with the highest numbers are kept for the final test
    renderings: int = 25  # variations of every pen digit
    slant: float = 1.5  # the `amount` of `training.augmentation.slant`
    rescaled: int = 30_000  # MNIST digits that come as small or large pictures
    per_epoch: tuple[int, ...] = (60_000, 10_000, 25_000)  # drawn from the three parts of the pool
    epochs: int = 38
    batch_size: int = 256
    learning_rate: float = 8e-3


@dataclass(frozen=True)
class Pool:
    """The training digits, in three `parts`: MNIST as it is, MNIST rescaled, pen strokes."""

    parts: tuple[Digits, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: see the top of this file."""
    options = options_of(arguments)
    recipe = Recipe()
    torch.set_num_threads(1)  # one order of summation: the same weights every time
    seen, unseen = split_writers(pen_digits(options.pendigits), recipe.unseen_writers)
    pool = make_pool(mnist(options.data), seen, recipe)
    module = build_network(LECTURE, recipe.seed)
    train_network(module, pool, recipe, options.checkpoint)
    order_channels(module)
    results = measure(module, mnist(options.data, train=False), unseen)
    write_assets(options.out, module, recipe, results)
    print(json.dumps(results, indent=2))


def options_of(arguments: Sequence[str] | None, weights: str = "lecture") -> argparse.Namespace:
    """The command line's options; `weights` is the name of the files that will be written."""
    parser = argparse.ArgumentParser(
        prog=f"python -m cnn_explorer.build_weights {weights}",
        description="Train the weights that come with the package.",
    )
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder that holds MNIST/raw")
    parser.add_argument(
        "--pendigits", type=Path, help="file of pen digits; default: pendigits/train.jsonl.gz in the data folder"
    )
    parser.add_argument("--out", type=Path, default=ASSETS, help=f"folder for {weights}.pt and {weights}.json")
    parser.add_argument("--checkpoint", type=Path, help="file for progress; a run goes on from what it finds there")
    options = parser.parse_args(arguments)
    options.pendigits = options.pendigits or options.data / PEN_DIGITS
    return options


def split_writers(digits: Sequence[PenDigit], unseen: int) -> tuple[list[PenDigit], list[PenDigit]]:
    """The digits to train on, and those of the `unseen` writers with the highest numbers."""
    kept_back = sorted({digit.writer for digit in digits})[-unseen:]
    return [digit for digit in digits if digit.writer not in kept_back], [
        digit for digit in digits if digit.writer in kept_back
    ]


# --- the pool of variations ---


def make_pool(digits: Digits, written: Sequence[PenDigit], recipe: Recipe) -> Pool:
    """Variations of MNIST's digits and of the pen strokes. The same `recipe` gives the same pool."""
    rng = np.random.default_rng(recipe.seed)
    some = rng.permutation(len(digits))[: recipe.rescaled]
    rescaled = [rescale(digits.images[index], round(SIZE * 2 ** rng.uniform(-1, 1)), rng) for index in some]
    again = [digit for digit in written for _ in range(recipe.renderings)]
    drawn = [render(vary(digit.strokes, rng)) for digit in again]
    return Pool(
        (
            digits,
            Digits(np.stack(rescaled), digits.labels[some]),
            Digits(np.stack(drawn), np.array([digit.label for digit in again])),
        )
    )


def rescale(pixels: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A digit, `(28, 28)` uint8, scaled to `side` pixels by a random filter and preprocessed as a picture again."""
    smooth = Image.Resampling(rng.choice([Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX]))
    return preprocess_picture(placed(pixels, side, (2, 2), side + 4, smooth)).pixels


def placed(
    pixels: np.ndarray,
    side: int,
    corner: tuple[int, int],
    canvas_size: int,
    smooth: Image.Resampling = Image.Resampling.BILINEAR,
) -> Image.Image:
    """A black picture of `canvas_size`² pixels with a digit, scaled to `side` pixels, at `corner` (left, top)."""
    canvas = Image.new("L", (canvas_size, canvas_size))
    canvas.paste(Image.fromarray(pixels).resize((side, side), smooth), corner)
    return canvas


def render(strokes: Sequence[Stroke]) -> np.ndarray:
    """The network's image of pen strokes, `(28, 28)` uint8. The canvas is small: that is faster and changes nothing."""
    return preprocess_strokes(strokes, canvas_size=SIZE, pen_width=1.6).pixels


def vary(strokes: Sequence[Stroke], rng: np.random.Generator) -> list[Stroke]:
    """A random variation of a digit, its longer side about 20 pixels.

    It is turned (with a standard deviation of 8°), sheared (0.15), stretched (12 %) and bent by three slow waves.
    Strokes lose points at their ends and are shifted. A third of the digits get few points, as if drawn with a mouse,
    the others a slow noise, as if by an unsteady hand.
    """
    points = [np.asarray(stroke, dtype=np.float64) for stroke in strokes]
    low, high = np.concatenate(points).min(axis=0), np.concatenate(points).max(axis=0)
    scale = max(float((high - low).max()), 1e-6)
    points = [(stroke - (low + high) / 2) / scale for stroke in points]  # now within ±0.5
    angle = math.radians(float(np.clip(rng.normal(0, 8), -20, 20)))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shear = np.array([[1, rng.normal(0, 0.15)], [0, 1]])
    stretch = math.exp(rng.normal(0, 0.12))
    matrix = turn @ shear @ np.diag([stretch, 1 / stretch])
    waves = [(rng.normal(0, 2.8, 2), rng.uniform(0, 2 * math.pi), rng.normal(0, 0.025, 2)) for _ in range(3)]
    by_mouse = rng.random() < 0.35
    varied: list[Stroke] = []
    for stroke in points:
        stroke = _trimmed(stroke, rng) @ matrix.T
        stroke = stroke + sum(np.sin(stroke @ wave + phase)[:, None] * reach for wave, phase, reach in waves)
        if len(points) > 1:
            stroke = stroke + rng.normal(0, 0.03, 2)
        stroke = _as_by_mouse(stroke, rng) if by_mouse else _trembling(stroke, rng)
        varied.append((20 * stroke + SIZE / 2).tolist())
    return varied


def _trimmed(stroke: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    late, early = (int(len(stroke) * max(0.0, rng.normal(0, 0.03))) for _ in range(2))
    return stroke[late : len(stroke) - early] if len(stroke) - late - early > 4 else stroke


def _as_by_mouse(stroke: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = len(stroke)
    if count <= 6:
        return stroke
    kept = np.sort(rng.choice(count, max(4, int(count * rng.uniform(0.2, 0.6))), replace=False))
    few: np.ndarray = stroke[np.unique([0, *kept, count - 1])]
    few += rng.normal(0, 0.012, few.shape)
    return few


def _trembling(stroke: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if len(stroke) <= 3:
        return stroke
    noise = np.pad(rng.normal(0, rng.uniform(0, 0.012), stroke.shape), ((2, 2), (0, 0)), "edge")
    slow: np.ndarray = np.stack([np.convolve(axis, np.full(5, 0.2), "valid") for axis in noise.T], axis=1)
    trembling: np.ndarray = stroke + slow
    return trembling


# --- training on the pool ---


def train_network(
    module: nn.Sequential,
    pool: Pool,
    recipe: Recipe,
    checkpoint: Path | None = None,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    """Train a network on the pool, in place, with the same numbers of each part in every epoch."""
    module.to(memory_format=torch.channels_last)
    for epoch in train(
        module,
        examples_from(pool, recipe),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        seed=recipe.seed,
        checkpoint=checkpoint,
        after_step=after_step,
    ):
        print(f"epoch {epoch.number} of {epoch.epochs}: loss {epoch.loss:.4f}", flush=True)


def examples_from(pool: Pool, recipe: Recipe) -> Examples:
    """The examples of an epoch: the recipe's number of digits from each part of the pool, those of MNIST slanted."""
    images = [torch.from_numpy(part.images) for part in pool.parts]
    labels = [torch.from_numpy(part.labels) for part in pool.parts]

    def examples(generator: Generator) -> tuple[Tensor, Tensor]:
        chosen = [
            torch.randperm(len(part), generator=generator)[:count]
            for part, count in zip(labels, recipe.per_epoch, strict=True)
        ]
        *printed, drawn = (part[index] for part, index in zip(images, chosen, strict=True))
        return (
            torch.cat([*(slant(part, generator, recipe.slant) for part in printed), drawn]),
            torch.cat([part[index] for part, index in zip(labels, chosen, strict=True)]),
        )

    return examples


# --- tests of a trained network ---


def measure(
    module: nn.Module, digits: Digits, unseen: Sequence[PenDigit], small: int = 5000, large: int = 2000
) -> dict[str, Any]:
    """`reading_results`, and the accuracy on test digits that are scaled and anywhere on a canvas of 280 pixels."""
    results = reading_results(module, digits, unseen)
    for name, side, count in (("shifted_scaled_14_to_56", 28, small), ("shifted_scaled_70_to_280", 140, large)):
        moved, labels = shifted_and_scaled(digits, side, count)
        results[name] = {"accuracy": accuracy(module, moved, labels), "digits": count}
    return results


def reading_results(module: nn.Module, digits: Digits, unseen: Sequence[PenDigit]) -> dict[str, Any]:
    """Accuracy on MNIST's test digits and on the pen digits of unseen writers."""
    written = np.stack([render(digit.strokes) for digit in unseen])
    return {
        "mnist_test": {"accuracy": accuracy(module, digits.images, digits.labels), "digits": len(digits)},
        "pen_unseen_writers": {
            "accuracy": accuracy(module, written, np.array([digit.label for digit in unseen])),
            "digits": len(unseen),
            "writers": sorted({digit.writer for digit in unseen}),
        },
    }


def shifted_and_scaled(digits: Digits, side: int, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` digits at 0.5 to 2 times `side` pixels, anywhere on a canvas of 280 pixels, preprocessed as
    pictures: `(count, 28, 28)` uint8, and their labels.
    """
    rng = np.random.default_rng(seed)
    images = []
    for pixels in digits.images[:count]:
        size = round(side * 2 ** rng.uniform(-1, 1))
        left, top = (int(corner) for corner in rng.integers(0, 280 - size, 2, endpoint=True))
        images.append(preprocess_picture(placed(pixels, size, (left, top), 280)).pixels)
    return np.stack(images), digits.labels[:count]


def write_assets(folder: Path, module: nn.Module, recipe: Recipe, results: dict[str, Any]) -> None:
    """Write `lecture.pt`, the state dict, `lecture.json`, its recipe and results, and the sums of both."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in module.state_dict().items()
    }
    torch.save(tensors, folder / "lecture.pt")
    described = {
        "architecture": str(LECTURE),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "results": results,
        "recipe": recipe_record(recipe),
        "data": SOURCES,
        "rebuild": "python -m cnn_explorer.build_weights --data DIR --pendigits FILE --out cnn_explorer/assets",
    }
    write_json(folder / "lecture.json", described)
    write_sums(folder, ["lecture.pt", "lecture.json"])


def recipe_record(recipe: Recipe) -> dict[str, Any]:
    """A recipe's settings, and what they mean in words, for the files beside the weights."""
    return {
        **asdict(recipe),
        "parts": ["MNIST as it is", "MNIST rescaled", "pen strokes"],
        "training_data": "MNIST's 60,000 training digits; the pen digits of all writers but the unseen ones",
        "augmentation": {
            "MNIST, as it is and rescaled, anew every epoch": (
                "Turn (to ±10°), stretch (to ±12 %), shear (to ±0.15), shift (to ±1.5 pixels) and bend (to ±1 pixel, "
                "on a coarse grid) images at random; every third stays as it is, the others get 0 to `amount` times "
                "that. `(N, 28, 28)` uint8 → the same."
            ),
            "MNIST rescaled": "Scaled to 14 to 56 pixels and fed through preprocess_picture.",
            "pen strokes": (
                "One of the ways in which the same digit might have been drawn, its longer side about 20 pixels. It is "
                "turned (8° is one standard deviation), sheared (0.15), stretched (12 %) and bent by three slow waves; "
                "strokes begin late or end early and move against each other; a third are drawn as with a mouse, with "
                "few points, the others tremble."
            ),
        },
        "method": (
            "AdamW on cross-entropy; the learning rate rises for a tenth of the run and falls to 0 along a cosine."
        ),
    }


def write_json(file: Path, described: dict[str, Any]) -> None:
    """Write JSON that people can read, too."""
    file.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
