"""What a run has come to at a place of its curves, as a network with an honest label."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from cnn_explorer.training.recipe import digits_for
from cnn_explorer.training.run import Look, Run
from cnn_explorer.weights.evaluation import Evaluation
from cnn_explorer.weights.load import Label, TrainedNetwork


def look_at(run: Run, batch: int) -> Look | None:
    """The last look at or before `batch`, None before the first."""
    return next((look for look in reversed(run.looks) if look.batch <= batch), None)


def untrained(seed: int) -> str:
    """What is said of weights that are as `seed` makes them; without a full stop."""
    return f"Untrained: random weights, as seed {seed} makes them"


def trained_at(run: Run, batch: int, evaluate: Callable[[nn.Sequential], Evaluation] | None = None) -> TrainedNetwork:
    """The network as it was after `batch` batches, or at the latest place before from which weights are kept.

    Its accuracy is that which `evaluate` finds; without that, of the last look.
    """
    there, module = run.network(batch)
    look, evaluation = look_at(run, there), evaluate(module) if evaluate else None
    right = evaluation.accuracy if evaluation else look.accuracy if look else 0.0
    count = len(evaluation) if evaluation else look.measured if look else 0
    when = "" if evaluation or not look or look.batch == there else f" at epoch {epochs(run, look.batch)}"
    known = len(digits_for(run.recipe.data)[0])
    start = f"Trained here, {_how_long(run, there)} on {known:,} digits" if there else untrained(run.recipe.seed)
    label = Label(
        source="trained here" if there else "random",
        data="MNIST" if there else "",
        accuracy=right if count else None,
        sentence=f"{start}: right on {100 * right:.1f} % of {count:,} test digits{when}." if count else f"{start}.",
        measured=count,
        fitted=known if there else 0,
    )
    return TrainedNetwork(module, label)


def epochs(run: Run, batch: int) -> str:
    """How many epochs so many batches are, to a tenth where they are not whole."""
    return f"{batch / run.batches_per_epoch:.1f}".removesuffix(".0")


def _how_long(run: Run, batch: int) -> str:
    number, word = (epochs(run, batch), "epoch") if batch >= run.batches_per_epoch / 10 else (f"{batch}", "batch")
    return f"{number} {word}" if number == "1" else f"{number} {'epochs' if word == 'epoch' else 'batches'}"
