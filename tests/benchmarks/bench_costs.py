"""What layers cost in time as `cnn_explorer.spec.cost` counts it, against what they take, on one thread.

    python tests/benchmarks/bench_costs.py [--count 200] [--seed 0] [--passes 3] [--fit]

Random layers within the page's limits, of all kinds, and the worst ones, forward and in training. The count knows one
machine; another one differs by a factor, so ratios are taken to their median. A time is the least of several passes
over all layers, minutes apart, so that a burst of other processes does not spoil it, and of several runs in each, in
CPU time of the thread. Prints the share within a factor of two, and every layer beyond it.

With `--fit` prints the coefficients that suit the measured times best, for the tables at the end of `cost.py`: those
there were fitted to the worst layers and 1,700 random ones, of the seeds 0, 11, 12 and 13, the default ones counted
three times. Use a large `--count`: some kinds of layer are rare.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from collections import defaultdict
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from layer_times import WORST, measured_forward, measured_training, random_layers, shapes_of, warm_allocator

from cnn_explorer.spec.cost import layer_time
from cnn_explorer.spec.shapes import LayerShapes
from cnn_explorer.spec.work import Work, kind_of, work_of

LEAST_SHARE = 0.04  # of a layer's time: a quantity that never has as much gets no coefficient

Measured = list[tuple[LayerShapes, float]]


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    layers = [*(shapes_of(spec, shape) for spec, shape in WORST), *random_layers(options.count, options.seed)]
    warm_allocator()
    passes = [[(measured_forward(layer), measured_training(layer)) for layer in layers] for _ in range(options.passes)]
    for training in (False, True):
        taken = [
            (layer, min(times[training] for times in every)) for layer, *every in zip(layers, *passes, strict=True)
        ]
        if options.fit:
            fit(taken, training)
        ratios = [(layer, layer_time(layer)[training] / nanoseconds) for layer, nanoseconds in taken]
        report("training" if training else "forward", ratios)


def report(name: str, ratios: Measured) -> None:
    """Print how far the count is off, relative to its median."""
    median = statistics.median(ratio for _, ratio in ratios)
    off = sorted(((math.log2(ratio / median), layer) for layer, ratio in ratios), key=lambda pair: -abs(pair[0]))
    within = sum(abs(factor) <= 1 for factor, _ in off)
    print(f"{name}: median of counted / taken {median:.2f}; {within} of {len(off)} within a factor of two of it")
    for factor, layer in off:
        if abs(factor) > 1:
            print(f"  counted × {2**factor:5.2f}  {layer.spec} on {'×'.join(map(str, layer.input_shape))}")


def fit(taken: Measured, training: bool) -> None:
    """Print, kind by kind, the coefficients with the smallest logarithmic errors, the large ones counting most.

    Multiplied by the median of counted / taken: the times of common layers stay as they are.
    """
    level = statistics.median(layer_time(layer)[training] / nanoseconds for layer, nanoseconds in taken)
    by_kind: dict[str, Measured] = defaultdict(list)
    for layer, nanoseconds in taken:
        by_kind[kind_of(layer, training)].append((layer, nanoseconds))
    print("TRAINING" if training else "FORWARD")
    for kind, measured in sorted(by_kind.items()):
        works = [work_of(layer, training) for layer, _ in measured]
        times = torch.tensor([nanoseconds for _, nanoseconds in measured], dtype=torch.float64)
        quantities = sorted({quantity for work in works for quantity in work})
        coefficients, shares, _ = fitted(works, quantities, times)
        kept = [quantity for quantity, share in zip(quantities, shares, strict=True) if share > LEAST_SHARE]
        kept = kept or quantities  # of a rare kind that has many
        coefficients, _, error = fitted(works, kept, times)
        print(
            f'    "{kind}": {{',
            ", ".join(f'"{quantity}": {level * value:.2g}' for quantity, value in zip(kept, coefficients, strict=True)),
            f"}},  # {len(measured)} layers, at most × {2**error:.2f}",
        )


def fitted(works: list[Work], quantities: list[str], times: torch.Tensor) -> tuple[list[float], list[float], float]:
    """Coefficients ≥ 0, by quantity; the largest share of a layer's time that each has; the largest error, as log2."""
    terms = torch.tensor([[work.get(name, 0) for name in quantities] for work in works], dtype=torch.float64)
    scale = (terms / times[:, None]).mean(dim=0).clamp(min=1e-12)
    logs = torch.full_like(scale, -math.log(len(quantities))).requires_grad_()
    optimizer = torch.optim.Adam([logs], lr=0.08)
    for step in range(2500):
        optimizer.param_groups[0]["lr"] = 0.08 * (1 - step / 2500) + 1e-4
        errors = ((terms / scale) @ logs.exp()).log2() - times.log2()
        loss = errors.abs().pow(10).mean().pow(1 / 10)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    coefficients = (logs.exp() / scale).detach()
    parts = terms * coefficients
    shares = (parts / parts.sum(dim=1, keepdim=True)).amax(dim=0)
    return coefficients.tolist(), shares.tolist(), float(errors.detach().abs().max())


if __name__ == "__main__":
    main()
