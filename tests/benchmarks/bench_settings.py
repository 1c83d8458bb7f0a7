"""How good the shared weights are, setting by setting, how much of the filters stays from one setting to the next, and
how long a changed setting takes, on one thread.

    python tests/benchmarks/bench_settings.py [--quick] [--data DIR]

Three lists: the presets; one knob of the lecture's network changed; random valid settings of the page, seeded, none
left out. What stays is the cosine of corresponding kernels, and the correlation of corresponding maps of conv1
(`tests/continuity.py`), for one change of the lecture's network and for random settings and one change of theirs. What training adds and all of it costs in memory follows from bench_training.py. Accuracy is measured on
MNIST's 10,000 test digits and, but for the random settings, on the pen digits of writers 25 to 30, none of which took
part in anything. The calibration error is the expected one in ten bins (Guo et al., 2017). The time is that of
`load_network` and one trace, after which maps and answer are on their way; the processor's own time says more where
others use the machine. The label's accuracy is measured after.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from continuity import kernel_cosines, map_correlation
from settings import kernel_sizes, one_knob_changes, random_pairs, random_settings

from cnn_explorer import LECTURE, load_network, trace_activations
from cnn_explorer.build_weights.lecture import render, split_writers
from cnn_explorer.digits.data import PEN_DIGITS, Digits, bundled_digits, data_folder, mnist, pen_digits
from cnn_explorer.digits.drawing import example_drawing
from cnn_explorer.spec.network import PRESETS, NetworkSpec
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.weights.evaluation import accuracy, as_input, predict
from cnn_explorer.weights.load import measured


@dataclass(frozen=True)
class Result:
    """What one setting reaches; accuracies and calibration error as fractions, time and processor time in milliseconds,
    and those that it takes to measure the label's accuracy afterwards.
    """

    spec: NetworkSpec
    features: int
    mnist: float
    pen: float
    calibration: float
    milliseconds: float
    processor: float
    label: float


def measure(spec: NetworkSpec, test: Digits, pen: Digits | None) -> Result:
    """Load, time and test one network."""
    image = example_drawing().preprocess().image
    start, processor = time.perf_counter(), time.thread_time()
    network = load_network(spec, measure=False)
    trace_activations(network.module, image)
    milliseconds, processor = 1000 * (time.perf_counter() - start), 1000 * (time.thread_time() - processor)
    started = time.perf_counter()
    assert measured(network).label.trained, spec
    label = 1000 * (time.perf_counter() - started)
    probabilities = predict(network.module, test.images).softmax(dim=1).numpy()
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == test.labels
    bins = np.minimum((10 * sure).astype(int), 9)
    calibration = sum(abs(right[bins == b].sum() - sure[bins == b].sum()) for b in range(10)) / len(right)
    answers = predict(network.module, pen.images).argmax(dim=1).numpy() == pen.labels if pen else np.zeros(1)
    features = infer_shapes(spec).layers[-1].input_shape[0]
    return Result(
        spec, features, float(right.mean()), float(answers.mean()), float(calibration), milliseconds, processor, label
    )


def report(name: str, results: list[Result], pen: bool, least: float | None = None) -> None:
    """Print a list's figures and the settings that reach less than `least` on MNIST, or its eight weakest."""
    print(f"\n{name}: {len(results)} settings")
    for what, values in {
        "MNIST": [result.mnist for result in results],
        **({"pen": [result.pen for result in results]} if pen else {}),
    }.items():
        print(f"  {what}: median {statistics.median(values):.2%}, minimum {min(values):.2%}")
    errors = [result.calibration for result in results]
    print(f"  calibration error: median {statistics.median(errors):.3f}, maximum {max(errors):.3f}")
    for what, times in {
        "ms": [result.milliseconds for result in results],
        "ms of processor": [result.processor for result in results],
        "ms for the label": [result.label for result in results],
    }.items():
        print(f"  {what}: p50 {np.percentile(times, 50):.0f}, p95 {np.percentile(times, 95):.0f}, max {max(times):.0f}")
    short = [result for result in results if least is not None and result.mnist < least]
    if least is not None:
        print(f"  below {least:.0%}: {len(short)} settings")
    for result in sorted(results if least is None else short, key=lambda result: result.mnist)[
        : 8 if least is None else None
    ]:
        print(f"    {result.mnist:.2%}  {result.features:6,} features  {result.spec}")


def report_continuity(changes: list[NetworkSpec], pairs: list[tuple[NetworkSpec, NetworkSpec]]) -> None:
    """Print how much of the filters stays from the lecture's network to `changes`, and between the two of `pairs`."""
    images = as_input(torch.tensor(bundled_digits().images[:200]))
    lecture = load_network(LECTURE).module
    same, resized, correlations = [], [], []
    for spec in changes:
        module = load_network(spec, measure=False).module
        for name, cosine in kernel_cosines(lecture, module).items():
            block = int(name.removeprefix("conv")) - 1
            unchanged = kernel_sizes(spec)[block] == kernel_sizes(LECTURE)[block]
            (same if unchanged else resized).append((cosine, f"{name} of {spec}"))
        correlation = map_correlation(lecture, module, images)
        correlations += [] if correlation is None else [(correlation, f"conv1 of {spec}")]
    _report_least("kernels, one knob of the lecture's network changed: cosine", same)
    _report_least("the same, of another size: cosine of the common middle", resized)
    _report_least("maps of conv1 on 200 digits: correlation", correlations)
    apart = []
    for pair in pairs:
        modules = [load_network(spec, measure=False).module for spec in pair]
        apart += [(cosine, f"{name} of {pair[0]} and {pair[1]}") for name, cosine in kernel_cosines(*modules).items()]
    _report_least("kernels, random settings one knob apart: cosine", apart)


def _report_least(name: str, values: list[tuple[float, str]]) -> None:
    print(f"\n{name}: median {statistics.median(value for value, _ in values):.3f} of {len(values)}; the least:")
    for value, where in sorted(values)[:5]:
        print(f"    {value:6.3f}  {where}")


def report_presets(test: Digits, pen: Digits) -> None:
    """Print what the networks with weights of their own reach."""
    print(f"presets: {'MNIST':>8} {'pen':>8}")
    for name, spec in PRESETS.items():
        module = load_network(spec).module
        print(
            f"{accuracy(module, test.images, test.labels):17.2%} {accuracy(module, pen.images, pen.labels):8.2%}  "
            f"{name}"
        )


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="every eighth setting, 2,000 digits")
    parser.add_argument("--data", type=Path, default=data_folder())
    options = parser.parse_args()
    torch.set_num_threads(1)
    test = mnist(options.data, train=False)
    _, unseen = split_writers(pen_digits(options.data / PEN_DIGITS), 6)
    pen = Digits(np.stack([render(digit.strokes) for digit in unseen]), np.array([digit.label for digit in unseen]))
    knobs, random = one_knob_changes(LECTURE), random_settings(200)
    if options.quick:
        test, knobs, random = (
            replace(test, images=test.images[:2000], labels=test.labels[:2000]),
            knobs[::8],
            random[::8],
        )
    report_presets(test, pen)
    report_continuity(knobs, random_pairs(len(random)))
    load_network(random[0])  # the first fit is slow
    report(
        "one knob of the lecture's network changed", [measure(spec, test, pen) for spec in knobs], pen=True, least=0.92
    )
    results = [measure(spec, test, None) for spec in random]
    report("random settings", results, pen=False)
    large = [r for r in results if r.features >= 100 and r.spec.layers[0].kernel_size != 1]  # type: ignore[attr-defined]
    report("of these, 100 features or more and a first kernel above 1", large, pen=False, least=0.85)
    count = ["--count", "3"] if options.quick else []
    command = [sys.executable, str(Path(__file__).with_name("bench_training.py")), "--data", str(options.data), *count]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
