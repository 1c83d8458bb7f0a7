"""What one process keeps for all sessions: shapes, networks, evaluations, and the scheduler of all trainings.

It is kept in this module and not in Streamlit's caches. Any browser may send the message that clears those, which would
end everybody's trainings. Keys are architecture strings.
"""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from cnn_explorer.sharing.background import Background
from cnn_explorer.sharing.lru_cache import LruCache
from cnn_explorer.sharing.memory import give_back_memory
from cnn_explorer.spec.blocks import repairs
from cnn_explorer.spec.cost import affordable_digits, digits_per_unit
from cnn_explorer.spec.network import NetworkSpec, parse
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.ui import visitors
from cnn_explorer.ui.visitors import stop_if_unwanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from cnn_explorer.training.recipe import Data
    from cnn_explorer.training.run import Run
    from cnn_explorer.training.scheduler import Scheduler
    from cnn_explorer.weights.evaluation import Evaluation
    from cnn_explorer.weights.load import TrainedNetwork
    from cnn_explorer.weights.novelty import Novelty


# Nanoseconds for each of the 25 shifts, as `spec.cost` estimates them, and bounds of the number of shifted digits.
SHIFT_TIME, SHIFTED = 160_000_000, (20, 1000)
KEPT = 48_000_000  # bytes of loaded weights: those of hundreds of usual networks

_SHAPES: LruCache[NetworkShapes] = LruCache(256)
_NETWORKS: LruCache[TrainedNetwork] = LruCache(KEPT, lambda network: network.bytes)
_INITIALS: LruCache[TrainedNetwork] = LruCache(KEPT // 4, lambda network: network.bytes)
_EVALUATIONS: LruCache[Evaluation] = LruCache(12)  # of full MNIST one takes 0.8 MB
_NOVELTY = Background(1)
_SHIFT_ACCURACIES: LruCache[list[float]] = LruCache(32)


def shapes_of(architecture: str) -> NetworkShapes:
    """Shapes of an architecture string."""
    return _SHAPES.get_or_compute(architecture, lambda: infer_shapes(parse(architecture)))


@lru_cache(64)
def repairs_of(architecture: str) -> tuple[tuple[str, NetworkSpec], ...]:
    """The nearest networks that work, by their labels, for a network whose geometry breaks."""
    shapes = shapes_of(architecture)
    return repairs(shapes.spec, shapes.error) if shapes.error else ()


@lru_cache(64)
def digits_in_a_unit(architecture: str) -> int:
    """Digits that pass through a network in one unit of work."""
    return digits_per_unit(shapes_of(architecture))


def network_of(architecture: str) -> TrainedNetwork:
    """The network of an architecture string; shared by all sessions, never changed.

    The first call returns at once, without an accuracy where that has to be measured. A later call measures it.
    """
    from cnn_explorer.weights.load import load_network, measured

    def load() -> TrainedNetwork:
        network = load_network(parse(architecture), measure=False, pause=stop_if_unwanted)
        give_back_memory()
        return network

    known = _NETWORKS.get(architecture)
    if known is None:
        return _NETWORKS.get_or_compute(architecture, load)
    network = measured(known, digits_in_a_unit(architecture), stop_if_unwanted)
    if network is not known:
        _NETWORKS.keep(architecture, network)
    return network


def kept_network(architecture: str) -> TrainedNetwork | None:
    """What `network_of` returned the last time, None if it is not kept."""
    return _NETWORKS.get(architecture)


def novelty() -> Novelty | None:
    """What tells drawings that are unlike all digits; None while it is fitted in the background, for half a second."""
    from cnn_explorer.weights.novelty import fitted_novelty

    def fit() -> Novelty:
        found = fitted_novelty()
        give_back_memory()
        return found

    return _NOVELTY.get("", fit)


# --- trainings ---

_MAKING = threading.Lock()


def scheduler() -> Scheduler:
    """The scheduler of this process, which trains for all visitors."""
    with _MAKING:
        return _scheduler()


@cache
def _scheduler() -> Scheduler:
    from cnn_explorer.training.scheduler import Scheduler

    return Scheduler(visitors.is_present, visitors.address_of)


# --- networks of a run, and their evaluation ---


def initial(architecture: str, seed: int) -> TrainedNetwork:
    """A network before any training, as a run of this `seed` begins."""
    from cnn_explorer.weights.builder import build_layers
    from cnn_explorer.weights.label import Initialised, Label
    from cnn_explorer.weights.load import TrainedNetwork

    def build() -> TrainedNetwork:
        return TrainedNetwork(build_layers(shapes_of(architecture), seed).eval(), Label(Initialised(seed)))

    return _INITIALS.get_or_compute(f"{architecture} {seed}", build)


def evaluation(net: str, module: nn.Sequential, data: Data, pause: Callable[[], None] = stop_if_unwanted) -> Evaluation:
    """A network's answers on test digits, as many as take about a second. `pause` is called between units of work."""
    from cnn_explorer.training.recipe import digits_for
    from cnn_explorer.training.run import digits_to_test
    from cnn_explorer.weights.evaluation import evaluate
    from cnn_explorer.weights.load import fingerprint_of

    def compute() -> Evaluation:
        return evaluate(module, digits_for(data)[1][: digits_to_test(shapes_of(net))], digits_in_a_unit(net), pause)

    return _EVALUATIONS.get_or_compute(f"{net} {fingerprint_of(module)} {data}", compute)


def tested_at(run: Run, batch: int) -> TrainedNetwork:
    """A run's network after so many batches; `evaluation` measures the accuracy on its label."""
    from cnn_explorer.training.results import trained_at

    return trained_at(run, batch, lambda module: evaluation(str(run.spec), module, run.recipe.data))


def digits_to_shift(nets: Sequence[str]) -> int:
    """How many test digits to shift, so that each of the networks takes a few seconds at most."""
    return min(affordable_digits(SHIFT_TIME, SHIFTED, shapes_of(net)) for net in nets)


def shift_accuracy(net: str, module: nn.Sequential, data: Data, count: int) -> list[float]:
    """A network's accuracy on the first `count` test digits, moved by 0, 1, … 6 pixels."""
    from cnn_explorer.training.recipe import digits_for
    from cnn_explorer.weights.evaluation import shift_accuracy
    from cnn_explorer.weights.load import fingerprint_of

    def compute() -> list[float]:
        unit = digits_in_a_unit(net)
        return shift_accuracy(module, digits_for(data)[1][:count], batch_size=unit, pause=stop_if_unwanted)

    return _SHIFT_ACCURACIES.get_or_compute(f"{net} {fingerprint_of(module)} {data} {count}", compute)
