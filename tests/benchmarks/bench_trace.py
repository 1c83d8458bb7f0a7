"""What it costs to keep every layer's output, against a plain forward pass, on one thread.

    python tests/benchmarks/bench_trace.py

Both are timed in turn, so that a change of the machine's speed hits both; printed are medians and the median of the
paired ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"

import torch

from cnn_explorer import LECTURE, load_network, trace_activations
from cnn_explorer.digits.drawing import example_drawing


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=5, help="calls a timing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    module = load_network(LECTURE).module
    image = example_drawing().preprocess().image

    @torch.inference_mode()
    def plain() -> None:
        module(image)

    def traced() -> None:
        trace_activations(module, image)

    pairs = [(timed(plain, options.repeats), timed(traced, options.repeats)) for _ in range(options.pairs)]
    forward, trace = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = statistics.quantiles((b / a for a, b in pairs), n=4)
    print(
        f"plain forward {forward:.3f} ms, trace {trace:.3f} ms; ratio median {ratios[1]:.2f}, quartiles "
        f"{ratios[0]:.2f} to {ratios[2]:.2f}"
    )


def timed(call: Callable[[], None], repeats: int) -> float:
    """Milliseconds a call."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return 1000 * (time.perf_counter() - start) / repeats


if __name__ == "__main__":
    main()
