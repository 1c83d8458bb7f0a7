"""Fit a network of shared weights to its setting: statistics, readout and confidence, on digits that come with the
package.

    recalibrate ─► sample the readout ─► refit it, held near the sampled one
                ─► where that is weak, tune the convolutions with it ─► choose on held-out digits ─► temperature

The digits fitted on are the first of `more_digits`, of which every fourth ten are held out of the refit and the tuning.
How many depends on what the network costs, so that the whole takes a fraction of a second. The time is that of `cost`,
not a clock's: the result does not depend on how busy the machine is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnn_explorer.digits.data import Digits, bundled_digits, more_digits
from cnn_explorer.spec.cost import digits_per_unit, forward_time, training_time
from cnn_explorer.spec.shapes import NetworkShapes
from cnn_explorer.weights.builder import Normalize
from cnn_explorer.weights.optimizers import LBFGS
from cnn_explorer.weights.shared_filters import (
    CLASSES,
    EPSILON,
    Plan,
    SharedWeights,
    sampled_readout,
    scale_and_shift,
    taken,
)
from cnn_explorer.weights.tuning import Readout, temperature, through, tune

TIME = 45_000_000  # nanoseconds that may go into passing digits through the network, as `cost` counts them
FIT_DIGITS, CALIBRATION_DIGITS = (200, 2000), (60, 200)  # at least, at most
FIT_VALUES = 1_500_000  # digits · features that the readout is fitted on
FIRST_LOOK = 500  # digits that say how sure the sampled readout may be
STEPS = 8  # of L-BFGS
PULL = (
    0.02  # towards the sampled readout, behind hidden layers towards nothing; per feature, as a share of the features
)
GOOD = 0.9  # of the held-out digits: a network that gets as many right is not tuned


@dataclass(frozen=True)
class Fit:
    """What was done: the number of `digits` fitted on (held-out ones included), the share of the refit that was kept (0
    is the sampled readout, 1 the refitted one), the names of the convolutions that were `tuned` with it, and the
    `seconds` it took.
    """

    digits: int
    kept: float
    tuned: tuple[str, ...]
    seconds: float


@torch.no_grad()
def fit(
    module: nn.Sequential,
    shapes: NetworkShapes,
    steps: Plan,
    weights: SharedWeights,
    pause: Callable[[], None] = lambda: None,
) -> Fit:
    """Give `module`, built for `shapes`, the shared weights that `steps` names, in place, and fit what depends on the
    setting.

    Deterministic. Repeats itself for the same arguments on the same kind of machine. `pause` is called between units of
    the work.
    """
    started = time.perf_counter()
    digits, calibration = _counts(shapes, steps)
    images, labels = (part[:digits] for part in digits_to_fit())
    held_out = torch.arange(digits) // CLASSES % 4 == 3  # digits come in tens of one of each class
    body, unit = _body(module, steps), digits_per_unit(shapes)
    mean, std = recalibrate(module, steps, weights, images[:calibration])
    features = through(body, images, unit, pause).flatten(1).sub_(mean).div_(std)
    weight, bias = _sampled(steps, weights)
    weight, bias, kept = fitted(features, labels, held_out, weight, bias, pull=PULL)
    readout, convs = Readout(weight, bias, mean, std), tuple[str, ...]()
    right = float((features[held_out] @ weight.T + bias).argmax(dim=1).eq(labels[held_out]).float().mean())
    if right < GOOD and not steps.hidden_linear:
        readout, convs = tune(body, _times(shapes, steps), images, labels, held_out, readout, unit, pause)
    last = module.get_submodule(steps.last.name)
    assert isinstance(last, nn.Linear)
    readout.copy_into(last)
    return Fit(digits, kept, convs, time.perf_counter() - started)


def _counts(shapes: NetworkShapes, steps: Plan) -> tuple[int, int]:
    """How many digits to fit on and to take statistics of; whole tens, so that every class is there equally."""

    def within(wanted: float, bounds: tuple[int, int]) -> int:
        return int(min(max(wanted, bounds[0]), bounds[1])) // CLASSES * CLASSES

    affordable = TIME / forward_time(shapes.layers)
    features = steps.last.input_shape[0]
    return (
        within(min(0.6 * affordable, FIT_VALUES / features), FIT_DIGITS),
        within(0.2 * affordable, CALIBRATION_DIGITS),
    )


@cache
def digits_to_fit() -> tuple[Tensor, Tensor]:
    """The 4,000 of `more_digits`, `(N, 28, 28)` uint8, and their labels, `(N,)` int64; never to be changed in place."""
    return _as_tensors(more_digits())


@cache
def digits_to_measure() -> tuple[Tensor, Tensor]:
    """The 1,000 of `bundled_digits`, likewise."""
    return _as_tensors(bundled_digits())


def _as_tensors(digits: Digits) -> tuple[Tensor, Tensor]:
    return torch.tensor(digits.images), torch.tensor(digits.labels)


def _times(shapes: NetworkShapes, steps: Plan) -> dict[str, float]:
    """By convolution, the nanoseconds that a digit takes from there to the end and back."""
    starts = [block.conv for block in steps.blocks]
    return {conv.name: training_time(shapes.layers[shapes.layers.index(conv) :]) for conv in starts}


def _body(module: nn.Sequential, steps: Plan) -> nn.Sequential:
    """The network without its last linear layer."""
    return module[: [name for name, _ in module.named_children()].index(steps.last.name)]


# --- batch norm, folded ---


def recalibrate(module: nn.Sequential, steps: Plan, weights: SharedWeights, images: Tensor) -> tuple[Tensor, Tensor]:
    """Give the convolutions their shared weights with a batch norm folded in, in place; its statistics are those of
    `images`.

    `images` is `(N, 28, 28)` uint8. Hidden linear layers keep their random weights and are normalised likewise. Returns
    mean and standard deviation of the last linear layer's input, `(F,)` each: of a whole map for all of its values.
    """
    x = Normalize()(images.unsqueeze(1).float() / 255)
    for block in steps.blocks:
        conv = module.get_submodule(block.conv.name)
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        conv.weight.copy_(taken(weights, block.parts, conv.weight))
        conv.bias.zero_()
        for layer in block.before:
            x = module.get_submodule(layer.name)(x)
        x = fold(conv, x, *scale_and_shift(weights, block, len(conv.bias)))
        for layer in block.after:
            x = module.get_submodule(layer.name)(x)
    if not steps.hidden_linear:
        mean, std = _statistics(x)
        values = steps.maps[1] * steps.maps[2]
        return mean.repeat_interleave(values), std.repeat_interleave(values)
    for layer in steps.hidden:
        hidden = module.get_submodule(layer.name)
        x = hidden(x)
        if isinstance(hidden, nn.Linear):
            x = fold(hidden, x, torch.ones(x.shape[1]), torch.zeros(x.shape[1]))
    return _statistics(x)


def fold(layer: nn.Conv2d | nn.Linear, output: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Change `layer` so that its `output`, `(N, C, …)`, has mean `beta` and standard deviation `gamma` in every
    channel, as a batch norm behind it would. `gamma` is positive.

    `output` may have passed through pooling. Returns the output of the changed layer.
    """
    mean, std = _statistics(output)
    scale = gamma / std
    assert layer.bias is not None
    layer.weight.mul_(scale.reshape(-1, *[1] * (layer.weight.dim() - 1)))
    layer.bias.copy_((layer.bias - mean) * scale + beta)
    shape = (-1, *[1] * (output.dim() - 2))
    return (output - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of `(N, C, …)`, as torch's batch norm in training mode takes them."""
    variance, mean = torch.var_mean(x, dim=[0, *range(2, x.dim())], correction=0)
    return mean, (variance + EPSILON).sqrt()


def _sampled(steps: Plan, weights: SharedWeights) -> tuple[Tensor, Tensor]:
    """The shared readout for the last maps, `(10, F)` and `(10,)`; zeros behind hidden layers, for
    which there is none.
    """
    if steps.hidden_linear:
        return torch.zeros(CLASSES, steps.last.input_shape[0]), torch.zeros(CLASSES)
    readout = sampled_readout(weights[f"{steps.readout}.weight"].float(), steps.field, steps.maps)
    return readout.flatten(1), weights[f"{steps.readout}.bias"].float()


# --- the readout ---


def fitted(
    features: Tensor, labels: Tensor, held_out: Tensor, weight: Tensor, bias: Tensor, pull: float
) -> tuple[Tensor, Tensor, float]:
    """A readout `(10, F)`, `(10,)` for `features`, `(N, F)` with variance about 1, that starts from `weight` and
    `bias`.

    Minimises the multinomial logistic loss on the digits not `held_out` plus `pull`·F/2 times the squared distance from
    where it starts. Keeps as much of the change as suits the held-out digits, and scales the logits so that their
    probabilities do, too: temperature scaling, Guo et al., "On Calibration of Modern Neural Networks", 2017. Also
    returns the share of the change kept.
    """
    start = features @ weight.T + bias
    seen = ~held_out
    scale = temperature(start[seen][:FIRST_LOOK], labels[seen][:FIRST_LOOK])
    start, weight, bias = start * scale, weight * scale, bias * scale
    change, change_bias = _refit(features[seen], labels[seen], start[seen], pull)
    outside = features[held_out]
    moved = outside @ change.T + change_bias
    results = []
    for kept in (0.0, 0.5, 1.0):
        logits = start[held_out] + kept * moved
        scale = temperature(logits, labels[held_out])
        results.append((float(functional.cross_entropy(scale * logits, labels[held_out])), kept, scale))
    _, kept, scale = min(results)
    return scale * (weight + kept * change), scale * (bias + kept * change_bias), kept


def _refit(features: Tensor, labels: Tensor, start: Tensor, pull: float) -> tuple[Tensor, Tensor]:
    """The change of weight and bias that L-BFGS finds in a few steps; `start` are the logits before it, `(N, 10)`."""
    count, width = features.shape
    change = torch.zeros(CLASSES, width + 1)  # the bias in the last column
    truth = functional.one_hot(labels, CLASSES).float()
    optimizer = LBFGS([change], max_iter=STEPS, max_eval=2 * STEPS, history_size=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:  # the gradient by hand: (softmax − truth)ᵀ·features
        logits = torch.addmm(start + change[:, -1], features, change[:, :-1].T)
        away = change[:, :-1]
        logs = logits.log_softmax(dim=1)
        error = (logs.exp() - truth) / count
        change.grad = torch.cat([error.T @ features + pull * width / count * away, error.sum(dim=0)[:, None]], dim=1)
        loss: Tensor = functional.nll_loss(logs, labels) + pull * width / count / 2 * (away * away).sum()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return change[:, :-1], change[:, -1]
