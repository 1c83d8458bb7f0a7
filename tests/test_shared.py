"""Shared weights: what a setting gets, what is folded, and whether the label tells the truth."""

import re
from collections import OrderedDict
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cnn_explorer.build_weights.shared import (
    SharedRecipe,
    exported,
    forward,
    initial,
    random_setting,
    train_shared,
    without_bundled,
    write_shared,
)
from cnn_explorer.digits.data import Digits, bundled_digits, more_digits
from cnn_explorer.spec.network import parse
from cnn_explorer.spec.shapes import ReceptiveField, infer_shapes
from cnn_explorer.weights.builder import Normalize, build_layers
from cnn_explorer.weights.evaluation import accuracy, as_input
from cnn_explorer.weights.fitting import fit, fit_readout, fold, recalibrate
from cnn_explorer.weights.load import TrainedNetwork, load_network, measured
from cnn_explorer.weights.shared_filters import READOUT_SCALE, conv_weight, plan_for, sampled_readout, shared_weights
from cnn_explorer.weights.tuning import Readout, forward_in_batches, temperature, tune

TEXTS = [
    "conv10k5-avg2-relu-conv20k5-max2-relu-fc10",
    "conv10k3s2p1-relu-conv20k3s2p1-tanh-fc10",
    "conv8k7d2-tanh-fc10",
    "conv6k5p2-tanh-avg2-conv16k5-tanh-avg2-fc120-tanh-fc84-relu-fc10",
    "conv40k3-max2-gelu-conv8k3-max2-gelu-conv4k3-gelu-fc10",
    "conv2k1s3-max3-relu-fc10",
]


@cache
def loaded(text: str) -> TrainedNetwork:
    """A network, never to be changed."""
    return load_network(parse(text))


@pytest.mark.parametrize("text", TEXTS)
def test_the_label_tells_the_truth_and_every_load_is_the_same(text: str) -> None:
    network, again = loaded(text), load_network(parse(text))
    label, digits = network.label, bundled_digits()
    assert label.trained
    assert label.measured == 1000
    assert label.accuracy is not None
    own = accuracy(network.module, digits.images[: label.measured], digits.labels[: label.measured])
    assert own == pytest.approx(label.accuracy, abs=0.004)  # other batches round otherwise
    assert re.search(
        rf"fitted on {label.origin.digits:,} digits: right on {100 * label.accuracy:.1f} % of {label.measured:,} digits",
        label.sentence,
    )
    assert label == again.label
    assert all(
        torch.equal(a, b)
        for a, b in zip(network.module.state_dict().values(), again.module.state_dict().values(), strict=True)
    )


def test_what_was_not_measured_yet_says_so_and_can_be_measured_later() -> None:
    early = load_network(parse(TEXTS[5]), measure=False)
    assert early.label.trained
    assert early.label.accuracy is None
    assert "how often it is right is being measured." in early.label.sentence
    late = measured(early)
    assert late.label == loaded(TEXTS[5]).label
    assert late.fingerprint == early.fingerprint
    assert measured(late) is late
    untrained = load_network(parse("conv4k3g1-relu-fc7"))
    assert measured(untrained) is untrained


def test_sentences_name_what_is_random_and_what_is_small() -> None:
    assert "conv1's channels from the 33rd on are random" in loaded(TEXTS[4]).label.sentence
    hidden = loaded(TEXTS[3]).label.sentence
    assert "fc1 and fc2 random; last layer fitted" in hidden
    assert "small network" not in hidden
    assert "A small network: 18 numbers before the last layer." in loaded(TEXTS[5]).label.sentence


def test_one_knob_changes_are_good() -> None:
    texts = (TEXTS[0], "conv10k3-max2-relu-conv20k5-max2-relu-fc10", "conv16k5-max2-relu-conv20k3-max2-relu-fc10")
    assert min(loaded(text).label.accuracy or 0 for text in texts) >= 0.95


def test_nothing_shared_is_changed() -> None:
    before = {name: tensor.clone() for name, tensor in shared_weights().items()}
    network = load_network(parse(TEXTS[0]))
    with torch.no_grad():
        for parameter in network.module.parameters():
            parameter.fill_(7)
    assert all(torch.equal(before[name], tensor) for name, tensor in shared_weights().items())
    assert load_network(parse(TEXTS[0])).label == network.label


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Identity()])
def test_a_folded_batch_norm_is_a_convolution_with_a_batch_norm_behind_it(pool: nn.Module) -> None:
    torch.manual_seed(0)
    conv, norm, x = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), torch.randn(40, 3, 11, 11)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 4)
        norm.bias.uniform_(-1, 1)
        expected = norm(pool(conv(x)))  # in training mode: with the batch's own statistics
        returned = fold(conv, pool(conv(x)), norm.weight, norm.bias)
        folded = pool(conv(x))
    torch.testing.assert_close(folded, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(returned, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "text", ["conv10k5-max2-relu-conv20k3-avg2-tanh-fc10", "conv8k3-relu-max2-conv8k3s2p1-sigmoid-conv4k2-fc10"]
)
def test_the_fitted_module_computes_what_training_computed(text: str) -> None:
    """Convolutions folded, readout sampled: the same logits as the training's own forward pass on the same digits."""
    shapes, parameters = infer_shapes(parse(text)), initial(1)
    plan = plan_for(shapes)
    assert plan is not None
    with torch.no_grad():
        for name, tensor in parameters.items():
            if name.startswith("readout") or name.endswith(("beta", "log_gamma")):
                tensor.normal_(generator=torch.Generator().manual_seed(len(name)))
            elif (
                "." in name
            ):  # what a kernel size, a spacing or a role adds: another number for each, so that none can be mistaken
                tensor.uniform_(-0.1, 0.1, generator=torch.Generator().manual_seed(sum(name.encode())))
        stored = {name: tensor.float() for name, tensor in exported(parameters).items()}
        images = torch.tensor(more_digits().images[:60])
        expected = forward(parameters, plan, as_input(images))
        module = build_layers(shapes).eval()
        mean, std = recalibrate(module, plan, stored, images)
        features = module[:-1](as_input(images)).flatten(1)
        weight = sampled_readout(stored[f"{plan.readout}.weight"], plan.field, plan.maps).flatten(1)
        logits = (features - mean) / std @ weight.T + stored[f"{plan.readout}.bias"]
    torch.testing.assert_close(logits, expected, atol=0.03 * float(expected.std()), rtol=0.02)  # stored in 16 bits


@pytest.mark.parametrize("nodes", [14, 7])
def test_the_readout_is_sampled_where_a_value_looks(nodes: int) -> None:
    """A grid that holds its own place on the image gives every value the centre of its receptive field."""
    places = torch.arange(nodes) * 28 / nodes + (28 / nodes - 1) / 2
    grid = torch.zeros(10, 32, nodes, nodes)
    grid[0], grid[1] = places[:, None], places[None, :]
    field = ReceptiveField((6, 6), (2, 3), (2.5, 3.5))
    weight = sampled_readout(grid, field, (2, 4, 5)) / (READOUT_SCALE * 6)
    for row in range(4):
        for column in range(5):
            assert weight[0, 1, row, column] == pytest.approx(2.5 + 2 * row)
            assert weight[1, 1, row, column] == pytest.approx(3.5 + 3 * column)
    assert sampled_readout(grid, field, (40, 4, 5))[:, 32:].abs().max() == 0


def test_refitting_starts_from_the_readout_and_improves_it() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 10
    features = torch.randn(400, 30, generator=generator) + 2 * torch.randn(10, 30, generator=generator)[labels]
    held_out = torch.arange(400) // 10 % 4 == 3
    weight, bias, kept = fit_readout(features, labels, held_out, torch.zeros(10, 30), torch.zeros(10), 0.02)
    assert kept > 0
    assert ((features @ weight.T + bias).argmax(1) == labels)[held_out].float().mean() > 0.95
    far, _, _ = fit_readout(features, labels, held_out, weight, bias, 1e6)
    assert torch.allclose(
        far / far.norm(), weight / weight.norm(), atol=1e-2
    )  # held so tightly, only its scale can change


def test_temperature_finds_the_smallest_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (300,), generator=generator)
    for sure in (0.2, 1.0, 5.0):
        logits = sure * (torch.randn(300, 10, generator=generator) + 2 * nn.functional.one_hot(labels, 10))
        factors = torch.logspace(-4, 2, 601, base=2)
        losses = [float(nn.functional.cross_entropy(factor * logits, labels)) for factor in factors]
        assert temperature(logits, labels) == pytest.approx(float(factors[int(np.argmin(losses))]), rel=0.1)


def weights_of(text: str) -> set[str]:
    plan = plan_for(infer_shapes(parse(text)))
    assert plan is not None
    return {part for block in plan.blocks for part in (*block.parts, block.activation)}


def test_a_convolution_has_weights_for_its_role() -> None:
    assert weights_of("conv5k3s2-max2-sigmoid-fc10") == {  # with 6×6 places it has the usual role
        *("conv1.k3", "conv1.k3.d1", "conv1.k3.j4", "conv1.k3.maxpool", "conv1.k3.sigmoid", "conv1.sigmoid")
    }
    assert weights_of("conv4k3d2-conv4k5-max2-relu-fc10") - weights_of("conv4k3d2-relu-fc10") >= {
        *("conv1.k3.inner", "conv2.k5.s1", "conv2.k5.many", "conv2.relu")
    }
    assert "conv2.k5.few" in weights_of("conv10k5-max2-relu-conv20k5s3-max2-relu-fc10")
    assert {"conv2.k5.s4"} < weights_of("conv10k5-max2-relu-conv20k5d2-fc10")


def test_parts_are_added_up_channel_by_channel() -> None:
    shared = shared_weights()
    plan = plan_for(infer_shapes(parse("conv40k3-max2-relu-conv6k5-max2-relu-fc10")))
    assert plan is not None
    like = torch.randn(6, 40, 5, 5)
    weight = conv_weight(shared, plan.blocks[1].parts, like)
    expected = torch.stack([shared[f"{part}.weight"][:6].float() for part in plan.blocks[1].parts]).sum(dim=0)
    torch.testing.assert_close(weight[:, :32], expected)
    assert weight[:, 32:].abs().max() == 0
    like = torch.randn(40, 1, 3, 3)
    assert torch.equal(conv_weight(shared, plan.blocks[0].parts, like)[32:], like[32:])


# --- tuning ---

WEAK = "conv10k6s3p2d2-relu-conv4k1s3p3d2-gelu-fc10"


def test_a_weak_network_is_tuned_and_says_so() -> None:
    shapes = infer_shapes(parse(WEAK))
    plan = plan_for(shapes)
    assert plan is not None
    network = load_network(parse(WEAK))
    assert "conv1 and conv2 gently tuned; last layer fitted on" in network.label.sentence
    left = build_layers(shapes).eval()
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("cnn_explorer.weights.fitting.ACCURATE", 0.0)
        assert fit(left, shapes, plan, shared_weights()).tuned == ()
    digits = bundled_digits()
    assert accuracy(network.module, digits.images, digits.labels) > accuracy(left, digits.images, digits.labels) + 0.01
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.module.parameters())
    assert "tuned" not in loaded(TEXTS[0]).label.sentence  # good as it is


def problem(
    affordable: str,
) -> tuple[nn.Sequential, dict[str, float], torch.Tensor, torch.Tensor, torch.Tensor, Readout]:
    """A network, and how many nanoseconds a digit takes from each convolution on: tuning can afford those from
    `affordable` on.
    """
    torch.manual_seed(0)
    body = nn.Sequential(
        OrderedDict(
            normalize=Normalize(),
            conv1=nn.Conv2d(1, 4, 5, 3),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(4, 6, 3, 2),
            relu2=nn.ReLU(),
        )
    )
    times = {name: 1.0 if name >= affordable else 1e12 for name in ("conv1", "conv2")}
    images, labels = torch.tensor(more_digits().images[:800]), torch.tensor(more_digits().labels[:800])
    with torch.no_grad():
        features = forward_in_batches(body, images).flatten(1)
    readout = Readout(
        torch.zeros(10, features.shape[1]), torch.zeros(10), features.mean(dim=0), features.std(dim=0) + 1e-3
    )
    return (
        body,
        times,
        images,
        labels,
        torch.arange(800) // 10 % 4 == 3,
        replace(readout, weight=0.01 * torch.randn(readout.weight.shape)),
    )


def copied(body: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in body.state_dict().items()}


@pytest.mark.parametrize(
    ("affordable", "changed"), [("conv1", ("conv1", "conv2")), ("conv2", ("conv2",)), ("none", ())]
)
@torch.no_grad()
def test_tuning_changes_what_it_can_afford_and_improves_it(affordable: str, changed: tuple[str, ...]) -> None:
    body, times, images, labels, held_out, readout = problem(affordable)
    before = copied(body)
    tuned, names = tune(body, times, images, labels, held_out, readout)
    assert names == changed
    assert {name.split(".")[0] for name, tensor in copied(body).items() if not torch.equal(tensor, before[name])} == {
        *changed
    }
    loss = nn.functional.cross_entropy(tuned(forward_in_batches(body, images[held_out])), labels[held_out])
    assert (loss < 1.9) == bool(changed)  # without any training it is about log 10 = 2.3


@torch.no_grad()
def test_tuning_that_does_not_suit_the_held_out_digits_is_undone() -> None:
    body, times, images, labels, held_out, readout = problem("conv1")
    before = copied(body)
    wrong = torch.where(held_out, labels, (labels + 1) % 10)  # what is learnt is wrong of those held out
    tuned, names = tune(body, times, images, wrong, held_out, readout)
    assert (tuned, names) == (readout, ())
    assert all(torch.equal(tensor, before[name]) for name, tensor in copied(body).items())


@torch.no_grad()
def test_a_readout_is_a_linear_layer() -> None:
    readout = Readout(torch.randn(10, 7), torch.randn(10), torch.randn(7), torch.rand(7) + 0.5)
    layer, features = nn.Linear(7, 10), torch.randn(20, 7)
    readout.copy_into(layer)
    torch.testing.assert_close(layer(features), readout(features), atol=1e-5, rtol=1e-5)


def test_what_the_shared_network_does_not_serve() -> None:
    for text in (
        "fc10",
        "conv8k8-fc10",
        "conv8k5x3-fc10",
        "conv8k3-conv8k3g2-fc10",
        "conv8k3-fc9",
        "max2-conv8k3-fc10",
        "conv8k3-relu",
    ):
        assert plan_for(infer_shapes(parse(text))) is None, text
    assert plan_for(infer_shapes(parse("-".join(["conv4k3"] * 4) + "-fc10"))) is None


# --- its training ---


def tiny() -> SharedRecipe:
    return SharedRecipe(epochs=2, work=2_000_000, batch_sizes=(16, 32))


def some_digits(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(more_digits().images[:150]), torch.tensor(more_digits().labels[:150])


def test_training_repeats_itself_resumes_and_writes_what_can_be_read(tmp_path: Path) -> None:
    whole, resumed = initial(0), initial(0)
    lines = [*train_shared(whole, some_digits, tiny())]
    assert len(lines) == 2
    checkpoint = tmp_path / "progress.pt"
    next(train_shared(initial(0), some_digits, tiny(), checkpoint))
    assert len([*train_shared(resumed, some_digits, tiny(), checkpoint)]) == 1
    assert all(torch.equal(whole[name], tensor) for name, tensor in resumed.items())
    assert not torch.equal(whole["conv1"], initial(0)["conv1"])
    write_shared(tmp_path, whole, tiny(), 1.0)
    tensors = torch.load(tmp_path / "shared.pt", weights_only=True)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        name: tensor.shape for name, tensor in shared_weights().items()
    }


def test_settings_of_the_training_are_served_and_bounded() -> None:
    rng, recipe = np.random.default_rng(0), SharedRecipe()
    for _ in range(50):
        shapes = random_setting(rng, recipe)
        assert plan_for(shapes) is not None
        assert shapes.macs * recipe.batch_sizes[0] <= recipe.work


def test_training_never_sees_the_digits_that_come_with_the_package() -> None:
    digits = bundled_digits()
    other = np.full((1, 28, 28), 9, dtype=np.uint8)
    assert (
        len(
            without_bundled(
                replace(digits, images=np.concatenate([digits.images, other]), labels=np.append(digits.labels, 1))
            )
        )
        == 1
    )
    assert len(without_bundled(Digits(more_digits().images, more_digits().labels))) == 0


def test_fitting_says_how_much_it_used() -> None:
    shapes = infer_shapes(parse("conv4k3-max3-relu-fc10"))
    plan = plan_for(shapes)
    assert plan is not None
    result = fit(build_layers(shapes).eval(), shapes, plan, shared_weights())
    assert 200 <= result.digits <= 2000
    assert result.seconds > 0
