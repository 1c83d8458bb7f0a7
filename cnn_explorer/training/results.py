"""A run's network after some number of batches, with a label that says how it was trained and tested."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from cnn_explorer.training.recipe import digits_for
from cnn_explorer.training.run import CurvePoint, Run
from cnn_explorer.weights.evaluation import Evaluation
from cnn_explorer.weights.label import Initialised, Label, TrainedByRun, epochs_text
from cnn_explorer.weights.load import TrainedNetwork


def point_at(run: Run, batch: int) -> CurvePoint | None:
    """The last point of the curves at or before `batch`; None if there is none."""
    return next((point for point in reversed(run.points) if point.batch <= batch), None)


def trained_at(run: Run, batch: int, evaluate: Callable[[nn.Sequential], Evaluation] | None = None) -> TrainedNetwork:
    """The network after `run.available_batch(batch)` batches.

    The accuracy on its label is what `evaluate` finds. Without `evaluate` it is that of the curves' last point.
    """
    batch, module = run.network(batch)
    point = point_at(run, batch)
    if evaluate:
        evaluation = evaluate(module)
        accuracy, measured, tested_after = evaluation.accuracy, len(evaluation), batch
    elif point:
        accuracy, measured, tested_after = point.accuracy, point.measured, point.batch
    else:
        accuracy, measured, tested_after = 0.0, 0, batch
    digits = len(digits_for(run.recipe.data)[0])
    origin = TrainedByRun(batch, run.batches_per_epoch, digits, tested_after) if batch else Initialised(run.recipe.seed)
    return TrainedNetwork(module, Label(origin, accuracy if measured else None, measured))


def epochs(run: Run, batch: int) -> str:
    """`batch` batches as a number of epochs, in text; to a tenth where it is not whole."""
    return epochs_text(batch, run.batches_per_epoch)
