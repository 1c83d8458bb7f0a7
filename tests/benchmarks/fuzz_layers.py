"""Train random convolutions and poolings under a checking allocator, and print those with which the process crashes.

    python tests/benchmarks/fuzz_layers.py [--seconds 300] [--seed 0]

Each child process draws layers from its seed, passes a batch forward and back as the app's trainings do, and writes the
layer's name first: the last name of a child that dies is the culprit. Needs glibc's `libc_malloc_debug.so.0`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

CHILD = "child"


def main() -> None:
    """Command line: see the top of this file."""
    if sys.argv[1:2] == [CHILD]:
        train_layers(int(sys.argv[2]))
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    library = next(Path("/").glob("lib/*/libc_malloc_debug.so.0"))
    environment = {**os.environ, "LD_PRELOAD": str(library), "MALLOC_CHECK_": "3"}
    end, seed, passed = time.monotonic() + options.seconds, options.seed, 0
    while (left := end - time.monotonic()) > 0:
        command = [sys.executable, __file__, CHILD, str(seed)]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as child:
            try:
                output, _ = child.communicate(timeout=left)
                names = output.splitlines()
                print(f"exit code {child.returncode} in {names[-1] if names else 'nothing'}", flush=True)
            except subprocess.TimeoutExpired:
                child.kill()
                output, _ = child.communicate()
                names = output.splitlines()
        passed, seed = passed + len(names), seed + 1
    print(f"{passed:,} layers from seed {options.seed} on")


def train_layers(seed: int) -> None:
    """Train one layer after another, without an end."""
    import itertools

    from layer_times import measured_forward, measured_training, random_layers

    for number in itertools.count():
        for layer in random_layers(50, seed=1000 * seed + number):
            print(f"{layer.spec} on {'×'.join(map(str, layer.input_shape))}", flush=True)
            measured_forward(layer, 0.0)
            measured_training(layer, 0.0)


if __name__ == "__main__":
    main()
