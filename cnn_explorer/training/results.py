"""What a run has come to at a place of its curves, as a network with an honest label."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from cnn_explorer.training.recipe import digits_for
from cnn_explorer.training.run import CurvePoint, Run
from cnn_explorer.weights.evaluation import Evaluation
from cnn_explorer.weights.label import Initialised, Label, TrainedByRun, epochs_text
from cnn_explorer.weights.load import TrainedNetwork


def point_at(run: Run, batch: int) -> CurvePoint | None:
    """The last point at or before `batch`, None before the first."""
    return next((point for point in reversed(run.points) if point.batch <= batch), None)


def trained_at(run: Run, batch: int, evaluate: Callable[[nn.Sequential], Evaluation] | None = None) -> TrainedNetwork:
    """The network as it was after `batch` batches, or at the latest place before from which weights are kept.

    Its accuracy is that which `evaluate` finds; without that, of the curves' last point.
    """
    there, module = run.network(batch)
    point = point_at(run, there)
    if evaluate:
        evaluation = evaluate(module)
        right, measured, tested_after = evaluation.accuracy, len(evaluation), there
    elif point:
        right, measured, tested_after = point.accuracy, point.measured, point.batch
    else:
        right, measured, tested_after = 0.0, 0, there
    digits = len(digits_for(run.recipe.data)[0])
    origin = TrainedByRun(there, run.batches_per_epoch, digits, tested_after) if there else Initialised(run.recipe.seed)
    return TrainedNetwork(module, Label(origin, right if measured else None, measured))


def epochs(run: Run, batch: int) -> str:
    """How many epochs so many batches are, to a tenth where they are not whole."""
    return epochs_text(batch, run.batches_per_epoch)
