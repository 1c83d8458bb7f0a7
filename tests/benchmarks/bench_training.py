"""What a few seconds of training add, network by network, and what all of it costs in memory.

    python tests/benchmarks/bench_training.py [--seconds 2] [--count 24] [--data DIR]

The hard ones of the random settings (`tests/settings.py`) (below 90 % on MNIST's test digits before), the first `--count` of
them, are trained as the page does on a press of its button. Memory is the growth of a process that holds the lecture's
network, once it has fitted sixty settings, keeps what the page keeps, and has trained.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ |= {"LRU_CACHE_CAPACITY": "64", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32"}  # as the page has it

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from settings import random_settings

from cnn_explorer import LECTURE, load_network, trace_activations
from cnn_explorer.digits.data import data_folder, mnist
from cnn_explorer.sharing.lru_cache import LruCache
from cnn_explorer.sharing.memory import give_back_memory
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.training.quick import QuickRun
from cnn_explorer.ui.caches import KEPT
from cnn_explorer.weights.evaluation import accuracy
from cnn_explorer.weights.load import TrainedNetwork

HARD = 0.9
VISITED = 60  # networks


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--data", type=Path, default=data_folder())
    options = parser.parse_args()
    torch.set_num_threads(1)
    memory()
    test = mnist(options.data, train=False)
    print(f"{'before':>8} {'after':>8}  {options.seconds:g} s of training, MNIST's test digits")
    befores, afters = [], []
    for spec in random_settings(200):
        if len(befores) == options.count:
            break
        network, shapes = load_network(spec), infer_shapes(spec)
        before = accuracy(network.module, test.images, test.labels)
        if before >= HARD:
            continue
        trained = finished(QuickRun(network, shapes, options.seconds))
        befores.append(before)
        afters.append(accuracy(trained.module, test.images, test.labels))
        print(f"{befores[-1]:8.2%} {afters[-1]:8.2%}  {spec}", flush=True)
    if not befores:
        return
    gains = [after - before for before, after in zip(befores, afters, strict=True)]
    print(
        f"median {statistics.median(befores):.2%} → {statistics.median(afters):.2%}, gain "
        f"{statistics.median(gains):.2%}",
        end="",
    )
    print(f" (lowest {min(gains):.2%}) over {len(gains)} hard settings")


def finished(run: QuickRun) -> TrainedNetwork:
    """What a quick training comes to."""
    while not run.finished:
        run.advance()
    return run.result


def memory() -> None:
    """Print the growth of resident memory."""
    image = torch.zeros(1, 1, 28, 28)
    trace_activations(load_network(LECTURE).module, image)
    bare = resident()
    networks: LruCache[TrainedNetwork] = LruCache(KEPT, lambda network: network.bytes)
    for spec in random_settings(VISITED, seed=1):
        network = load_network(spec)
        trace_activations(network.module, image)
        networks.keep(str(spec), network)
        give_back_memory()
    fitted = resident()
    finished(QuickRun(network, infer_shapes(spec), 2))
    give_back_memory()  # as the scheduler does
    trained = resident()
    for what, kind in (
        ("resident memory", "VmRSS"),
        ("of that its own", "RssAnon"),
        ("and PyTorch's code, read from its files as it is used", "RssFile"),
    ):
        growth = (
            f"+{fitted[kind] - bare[kind]:.0f} MB with {VISITED} settings, +{trained[kind] - bare[kind]:.0f} "
            "MB with a training"
        )
        print(f"{what}: {bare[kind]:.0f} MB bare, {growth}")


def resident() -> dict[str, float]:
    """Megabytes (10⁶ bytes) of this process in memory, by kind."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return {
        line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(("Rss", "VmRSS"))
    }


if __name__ == "__main__":
    main()
