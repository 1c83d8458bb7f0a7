"""What layers cost in time as `cnn_explorer.spec.cost` counts it, against what they take, on one thread.

    python tests/benchmarks/bench_costs.py [--count 200] [--seed 0] [--fit]

Random layers within the page's limits, of all kinds, and the worst ones, forward and in training. The count knows one
machine; another one differs by a factor, so ratios are taken to their median. Prints the share within a factor of two,
and every layer beyond it. With `--fit` prints the coefficients that suit the measured times best, for the tables at the
end of `cost.py`.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from layer_times import WORST, measured_forward, measured_training, random_layers, shapes_of

from cnn_explorer.spec.cost import kind_of, layer_time, work_of
from cnn_explorer.spec.shapes import LayerShapes

Measured = list[tuple[LayerShapes, float]]


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    layers = [*(shapes_of(spec, shape) for spec, shape in WORST), *random_layers(options.count, options.seed)]
    counts: dict[str, tuple[Callable[[LayerShapes], float], Callable[[LayerShapes], float]]] = {
        "forward": (measured_forward, lambda layer: layer_time(layer).forward),
        "training": (measured_training, lambda layer: layer_time(layer).training),
    }
    for name, (measure, count) in counts.items():
        taken = [(layer, measure(layer)) for layer in layers]
        if options.fit:
            fit(name, taken, name == "training")
        report(name, [(layer, count(layer) / nanoseconds) for layer, nanoseconds in taken])


def report(name: str, ratios: Measured) -> None:
    """Print how far the count is off, relative to its median."""
    median = statistics.median(ratio for _, ratio in ratios)
    off = sorted(((math.log2(ratio / median), layer) for layer, ratio in ratios), key=lambda pair: -abs(pair[0]))
    within = sum(abs(factor) <= 1 for factor, _ in off)
    print(f"{name}: median of counted / taken {median:.2f}; {within} of {len(off)} within a factor of two of it")
    for factor, layer in off:
        if abs(factor) > 1:
            print(f"  counted × {2**factor:5.2f}  {layer.spec} on {'×'.join(map(str, layer.input_shape))}")


def fit(name: str, taken: Measured, training: bool) -> None:
    """Print, kind by kind, the coefficients with the smallest logarithmic errors, the large ones counting most."""
    by_kind: dict[str, Measured] = defaultdict(list)
    for layer, nanoseconds in taken:
        by_kind[kind_of(layer)].append((layer, nanoseconds))
    for kind, measured in sorted(by_kind.items()):
        terms = torch.tensor([work_of(layer, training) for layer, _ in measured], dtype=torch.float64)
        target = torch.tensor([nanoseconds for _, nanoseconds in measured], dtype=torch.float64).log2()
        scale = terms.mean(dim=0).clamp(min=1e-9)
        logs = torch.full_like(scale, float(target.exp2().mean().log()) - 1.5).requires_grad_()
        optimizer = torch.optim.Adam([logs], lr=0.05)
        for step in range(3000):
            optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 3000) + 1e-4
            errors = ((terms / scale) @ logs.exp()).log2() - target
            loss = errors.abs().pow(6).mean().pow(1 / 6)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        used = terms.amax(dim=0) > 0
        coefficients = torch.where(used, logs.exp() / scale, 0).tolist()
        print(
            f'{name}: "{kind}": ({", ".join(f"{value:.4g}" for value in coefficients)}),  # {len(measured)}, off by {loss:.2f}'
        )


if __name__ == "__main__":
    main()
