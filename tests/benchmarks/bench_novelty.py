"""How often a drawing is said to be unlike all digits: real digits (false alarms), and drawings that are no digits.

    python tests/benchmarks/bench_novelty.py [--data DIR] [--nets NET ...]

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

from cnn_explorer import infer_shapes, load_network, parse, trace_activations
from cnn_explorer.build_weights.lecture import Recipe, render, split_writers
from cnn_explorer.digits.data import PEN_DIGITS, data_folder, mnist, pen_digits
from cnn_explorer.digits.drawing import example_drawing
from cnn_explorer.ui.widgets import PRESET_NAMES
from cnn_explorer.weights.evaluation import as_input
from cnn_explorer.weights.novelty import IMAGE, layer_outputs, layers_of, novelty_of
from tests.non_digits import letters, rotated, scribbles

OTHERS = ("conv4k3-max2-relu-fc10", "conv8k7s2-relu-fc64-relu-fc10", "fc10")


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder that holds MNIST/raw")
    parser.add_argument("--nets", nargs="+", default=[*PRESET_NAMES, *OTHERS], help="architecture strings")
    options = parser.parse_args()
    torch.set_num_threads(1)
    test = mnist(options.data, train=False)
    _, unseen = split_writers(pen_digits(options.data / PEN_DIGITS), Recipe().unseen_writers)
    images = {
        "MNIST test": test.images,
        "pen": np.stack([render(digit.strokes) for digit in unseen]),
        "scribbles": scribbles(1200),
        "letters": letters(1200),
        "rotated": rotated(test[:4000]),
    }
    print("network: " + ", ".join(f"{len(each):,} {name}" for name, each in images.items()) + "; fit, one drawing")
    for net in options.nets:
        alarms, fit, one = alarms_of(net, images)
        print(f"{net}: " + ", ".join(f"{100 * share:.1f} %" for share in alarms) + f"; {fit:.2f} s, {one:.2f} ms")


def alarms_of(net: str, images: dict[str, np.ndarray]) -> tuple[list[float], float, float]:
    """The share of each set that is said to be unlike all digits; seconds of the fit, milliseconds of a drawing."""
    spec = parse(net)
    shapes, module = infer_shapes(spec), load_network(spec, measure=False).module
    start = time.process_time()
    novelty = novelty_of(module, shapes)
    fit = time.process_time() - start
    assert novelty, net
    alarms = []
    with torch.inference_mode():
        for each in map(torch.tensor, images.values()):
            outputs = layer_outputs(module, each, layers_of(shapes)) | {IMAGE: as_input(each)}
            alarms.append(float((novelty.scores(outputs) > novelty.threshold).float().mean()))
    trace = trace_activations(module, example_drawing().preprocess().image)
    start = time.process_time()
    for _ in range(50):
        novelty.is_unlike(trace)
    return alarms, fit, 20 * (time.process_time() - start)


if __name__ == "__main__":
    main()
