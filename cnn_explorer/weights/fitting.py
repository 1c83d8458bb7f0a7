"""Fit shared weights to one network: its batch-norm statistics, its last layer (the readout) and its temperature.

    recalibrate ─► sample the readout ─► refit it, with a penalty on its distance from the sampled one
                ─► if the result is weak, tune the convolutions too ─► choose on held-out digits ─► temperature

The weights are shared by networks of many shapes, as in slimmable networks (Yu et al., 2018, arXiv 1812.08928). A
network that shares weights needs batch-norm statistics of its own, computed after training on a few images
(Yu & Huang, 2019, arXiv 1903.05134; Wu & Johnson, 2021, arXiv 2105.07576). The last step is temperature scaling
(Guo et al., 2017, arXiv 1706.04599).

The digits are the first ones of `more_digits`. Of every forty in a row, the last ten are held out of the refit and the
tuning. A costly network is fitted on fewer digits, so that a fit takes a fraction of a second. The cost is computed
from shapes (`spec.cost`), not measured: the result does not depend on how busy the machine is.
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
    conv_weight,
    sampled_readout,
    scale_and_shift,
)
from cnn_explorer.weights.tuning import Readout, forward_in_batches, temperature, tune

FORWARD_TIME = 45_000_000  # nanoseconds for all forward passes of a fit, as `spec.cost` counts them
FIT_DIGITS, CALIBRATION_DIGITS = (200, 2000), (60, 200)  # (at least, at most)
FIT_VALUES = 1_500_000  # at most digits · features to fit the readout on
TEMPERATURE_DIGITS = 500  # for the temperature of the sampled readout
LBFGS_STEPS = 8
PENALTY = 0.02  # per feature, on the squared distance from the sampled readout, or from 0 behind hidden layers
ACCURATE = 0.9  # a network with this accuracy on the held-out digits is not tuned


@dataclass(frozen=True)
class Fit:
    """What a fit has done: `digits`, their number, held-out ones included; `kept`, the share of the refit that was kept
    (0: the sampled readout, 1: the refitted one); the names of the convolutions that were `tuned`; its `seconds`.
    """

    digits: int
    kept: float
    tuned: tuple[str, ...]
    seconds: float


@torch.no_grad()
def fit(
    module: nn.Sequential,
    shapes: NetworkShapes,
    plan: Plan,
    weights: SharedWeights,
    pause: Callable[[], None] = lambda: None,
) -> Fit:
    """Copy the shared weights that `plan` names into `module`, which was built for `shapes`, and fit them; in place.

    Deterministic: the same arguments give the same weights on the same kind of machine. `pause` is called before every
    batch; what it raises ends the work.
    """
    started = time.perf_counter()
    digits, calibration = _counts(shapes, plan)
    images, labels = (part[:digits] for part in digits_to_fit())
    held_out = torch.arange(digits) // CLASSES % 4 == 3  # digits come in tens of one of each class
    body, batch_size = _body(module, plan), digits_per_unit(shapes)
    mean, std = recalibrate(module, plan, weights, images[:calibration])
    features = forward_in_batches(body, images, batch_size, pause).flatten(1).sub_(mean).div_(std)
    weight, bias = _sampled(plan, weights)
    weight, bias, kept = fit_readout(features, labels, held_out, weight, bias, penalty=PENALTY)
    readout, convs = Readout(weight, bias, mean, std), tuple[str, ...]()
    accuracy = float((features[held_out] @ weight.T + bias).argmax(dim=1).eq(labels[held_out]).float().mean())
    if accuracy < ACCURATE and not plan.hidden_linear:
        readout, convs = tune(body, _training_times(shapes, plan), images, labels, held_out, readout, batch_size, pause)
    last = module.get_submodule(plan.last.name)
    assert isinstance(last, nn.Linear)
    readout.copy_into(last)
    return Fit(digits, kept, convs, time.perf_counter() - started)


def _counts(shapes: NetworkShapes, plan: Plan) -> tuple[int, int]:
    """How many digits to fit on, and how many to take batch-norm statistics of: multiples of ten, so that all classes
    are equal in number.
    """

    def within(wanted: float, bounds: tuple[int, int]) -> int:
        return int(min(max(wanted, bounds[0]), bounds[1])) // CLASSES * CLASSES

    affordable = FORWARD_TIME / forward_time(shapes.layers)
    features = plan.last.input_shape[0]
    return (
        within(min(0.6 * affordable, FIT_VALUES / features), FIT_DIGITS),
        within(0.2 * affordable, CALIBRATION_DIGITS),
    )


@cache
def digits_to_fit() -> tuple[Tensor, Tensor]:
    """`more_digits` as tensors: images `(4000, 28, 28)` uint8, labels `(4000,)` int64. Never change them in place."""
    return _as_tensors(more_digits())


@cache
def digits_to_measure() -> tuple[Tensor, Tensor]:
    """`bundled_digits` as tensors: `(1000, 28, 28)` and `(1000,)`. Never change them in place."""
    return _as_tensors(bundled_digits())


def _as_tensors(digits: Digits) -> tuple[Tensor, Tensor]:
    return torch.tensor(digits.images), torch.tensor(digits.labels)


def _training_times(shapes: NetworkShapes, plan: Plan) -> dict[str, float]:
    """By convolution: nanoseconds of a training step from there to the end of the network, per digit."""
    starts = [block.conv for block in plan.blocks]
    return {conv.name: training_time(shapes.layers[shapes.layers.index(conv) :]) for conv in starts}


def _body(module: nn.Sequential, plan: Plan) -> nn.Sequential:
    """The network without its last linear layer."""
    return module[: [name for name, _ in module.named_children()].index(plan.last.name)]


# --- batch norm, folded into the layer before it ---


def recalibrate(module: nn.Sequential, plan: Plan, weights: SharedWeights, images: Tensor) -> tuple[Tensor, Tensor]:
    """Copy the shared weights into the convolutions, with a batch norm folded in whose statistics come from `images`,
    `(N, 28, 28)` uint8; in place.

    Hidden linear layers keep their random weights and get a batch norm as well. Returns mean and standard deviation of
    the last linear layer's input, `(F,)` each; all values of one feature map share theirs.
    """
    x = Normalize()(images.unsqueeze(1).float() / 255)
    for block in plan.blocks:
        conv = module.get_submodule(block.conv.name)
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        conv.weight.copy_(conv_weight(weights, block.parts, conv.weight))
        conv.bias.zero_()
        for layer in block.before:
            x = module.get_submodule(layer.name)(x)
        x = fold(conv, x, *scale_and_shift(weights, block, len(conv.bias)))
        for layer in block.after:
            x = module.get_submodule(layer.name)(x)
    if not plan.hidden_linear:
        mean, std = _statistics(x)
        values = plan.maps[1] * plan.maps[2]
        return mean.repeat_interleave(values), std.repeat_interleave(values)
    for layer in plan.hidden:
        hidden = module.get_submodule(layer.name)
        x = hidden(x)
        if isinstance(hidden, nn.Linear):
            x = fold(hidden, x, torch.ones(x.shape[1]), torch.zeros(x.shape[1]))
    return _statistics(x)


def fold(layer: nn.Conv2d | nn.Linear, output: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Fold a batch norm into the layer before it, in place: every channel of `output`, `(N, C, …)`, then has the mean
    `beta` and the standard deviation `gamma`, which is positive; `(C,)` each.

    `output` is what the layer gives, with or without a pooling behind it. Returns the same of the changed layer.
    """
    mean, std = _statistics(output)
    scale = gamma / std
    assert layer.bias is not None
    layer.weight.mul_(scale.reshape(-1, *[1] * (layer.weight.dim() - 1)))
    layer.bias.copy_((layer.bias - mean) * scale + beta)
    shape = (-1, *[1] * (output.dim() - 2))
    return (output - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of `(N, C, …)`, as torch's batch norm in training mode has them."""
    variance, mean = torch.var_mean(x, dim=[0, *range(2, x.dim())], correction=0)
    return mean, (variance + EPSILON).sqrt()


def _sampled(plan: Plan, weights: SharedWeights) -> tuple[Tensor, Tensor]:
    """Weight `(10, F)` and bias `(10,)` of the shared readout; zeros behind hidden layers, which have no shared one."""
    if plan.hidden_linear:
        return torch.zeros(CLASSES, plan.last.input_shape[0]), torch.zeros(CLASSES)
    readout = sampled_readout(weights[f"{plan.readout}.weight"].float(), plan.field, plan.maps)
    return readout.flatten(1), weights[f"{plan.readout}.bias"].float()


# --- the readout ---


def fit_readout(
    features: Tensor, labels: Tensor, held_out: Tensor, weight: Tensor, bias: Tensor, penalty: float
) -> tuple[Tensor, Tensor, float]:
    """Fit a linear layer, starting from `weight`, `(10, F)`, and `bias`, `(10,)`.

    `features` are `(N, F)`, of variance about 1; `labels` are `(N,)` int64; `held_out` is an `(N,)` mask. Minimises the
    cross-entropy on the other digits + `penalty`·F/2·‖change of the weight‖²/their number. Then keeps none, half or all
    of the change, and scales the logits by a temperature: whatever gives the held-out digits the smallest cross-entropy
    (temperature scaling, Guo et al., 2017, arXiv 1706.04599).

    Returns the weight, the bias and the share of the change that was kept.
    """
    start = features @ weight.T + bias
    seen = ~held_out
    scale = temperature(start[seen][:TEMPERATURE_DIGITS], labels[seen][:TEMPERATURE_DIGITS])
    start, weight, bias = start * scale, weight * scale, bias * scale
    change, change_bias = _refit(features[seen], labels[seen], start[seen], penalty)
    moved = features[held_out] @ change.T + change_bias
    results = []
    for kept in (0.0, 0.5, 1.0):
        logits = start[held_out] + kept * moved
        scale = temperature(logits, labels[held_out])
        results.append((float(functional.cross_entropy(scale * logits, labels[held_out])), kept, scale))
    _, kept, scale = min(results)
    return scale * (weight + kept * change), scale * (bias + kept * change_bias), kept


def _refit(features: Tensor, labels: Tensor, start: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """The change of weight and bias after a few steps of L-BFGS; `start` are the logits before, `(N, 10)`."""
    count, width = features.shape
    change = torch.zeros(CLASSES, width + 1)  # the bias in the last column
    truth = functional.one_hot(labels, CLASSES).float()
    optimizer = LBFGS(
        [change],
        max_iter=LBFGS_STEPS,
        max_eval=2 * LBFGS_STEPS,
        history_size=LBFGS_STEPS,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:  # the gradient of the cross-entropy is (softmax − truth)ᵀ·features
        logits = torch.addmm(start + change[:, -1], features, change[:, :-1].T)
        away = change[:, :-1]
        logs = logits.log_softmax(dim=1)
        error = (logs.exp() - truth) / count
        change.grad = torch.cat([error.T @ features + penalty * width / count * away, error.sum(dim=0)[:, None]], dim=1)
        loss: Tensor = functional.nll_loss(logs, labels) + penalty * width / count / 2 * (away * away).sum()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return change[:, :-1], change[:, -1]
