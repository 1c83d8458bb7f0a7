"""How often a drawing is said to be unlike all digits: real digits (false alarms), and drawings that are no digits.

    python tests/benchmarks/bench_novelty.py [--data DIR] [--seeds SEED ...]

Real digits are MNIST's 10,000 test digits and the pen digits of writers from whom no weights have learned. The others
are drawn by `tests/non_digits.py`. Seconds are processor time on one thread, of fitting and of one drawing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch

from cnn_explorer.build_weights.lecture import Recipe, render, split_writers
from cnn_explorer.digits.data import PEN_DIGITS, data_folder, mnist, pen_digits
from cnn_explorer.digits.drawing import example_drawing
from cnn_explorer.weights.novelty import fitted_novelty
from tests.non_digits import letters, rotated, scribbles


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder that holds MNIST/raw")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 2], help="of scribbles and letters")
    options = parser.parse_args()
    torch.set_num_threads(1)
    test = mnist(options.data, train=False)
    _, unseen = split_writers(pen_digits(options.data / PEN_DIGITS), Recipe().unseen_writers)
    images = {
        "MNIST test": test.images,
        "pen": np.stack([render(digit.strokes) for digit in unseen]),
        "turned": rotated(test[:4000]),
        **{f"scribbles, seed {seed}": scribbles(1200, seed) for seed in options.seeds},
        **{f"letters, seed {seed}": letters(1200, seed) for seed in options.seeds},
    }
    start = time.process_time()
    novelty = fitted_novelty()
    print(f"fitted in {time.process_time() - start:.2f} s")
    for name, each in images.items():
        share = (novelty.scores(torch.tensor(each.copy())) > novelty.threshold).float().mean()
        print(f"{name}: {100 * float(share):.1f} % of {len(each):,}")
    pixels = example_drawing().preprocess().pixels
    start = time.process_time()
    for _ in range(50):
        novelty.is_unlike(pixels)
    print(f"one drawing {20 * (time.process_time() - start):.2f} ms")


if __name__ == "__main__":
    main()
