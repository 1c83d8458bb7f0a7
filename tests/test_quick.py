"""A few seconds of training: a copy learns, its label is true, what it started from stays as it was."""

from dataclasses import replace

import pytest
import torch

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.spec.network import parse
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.training import quick
from cnn_explorer.training.quick import QuickRun
from cnn_explorer.training.run import is_trainable
from cnn_explorer.weights.load import TrainedNetwork, load_network

SMALL = "conv8k5s2-relu-conv16k3s2g2-relu-fc10"  # groups: beyond the shared weights


def loaded(net: str) -> tuple[TrainedNetwork, NetworkShapes]:
    return load_network(parse(net)), infer_shapes(parse(net))


def trained(start: TrainedNetwork, shapes: NetworkShapes, seconds: float) -> list[TrainedNetwork]:
    """The networks that are shown one after the other."""
    run = QuickRun(start, shapes, seconds)
    shown = [start]
    while not run.finished:
        assert run.result is start
        run.advance()
        if run.network is not shown[-1]:
            shown.append(run.network)
    assert run.result is run.network
    run.advance()  # nothing more
    assert run.network is shown[-1]
    return shown[1:]


def right(network: TrainedNetwork, count: int) -> float:
    """How often a network is right on the first bundled digits, without any of the package's own means."""
    digits = bundled_digits()
    images = torch.tensor(digits.images[:count]).unsqueeze(1) / 255
    with torch.no_grad():
        return float((network.module(images).argmax(1).numpy() == digits.labels[:count]).mean())


Learned = tuple[TrainedNetwork, NetworkShapes, list[TrainedNetwork]]  # what was begun with, and what was shown


@pytest.fixture(scope="module")
def learned() -> Learned:
    network, shapes = loaded(SMALL)
    before = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    shown = trained(network, shapes, 1.0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.module.state_dict().items())
    return network, shapes, shown


def test_it_learns_and_says_what_it_reached(learned: Learned) -> None:
    network, _, (*on_the_way, last) = learned
    assert not network.label.trained
    assert right(network, 1000) < 0.3
    assert last.label.accuracy == right(last, 1000) > 0.8
    assert (last.label.source, last.label.measured, last.label.trained_for) == ("trained here", 1000, 1.0)
    assert f"right on {100 * right(last, 1000):.1f} % of 1,000 digits" in last.label.sentence
    assert 1 <= len(on_the_way) <= 5
    for shown in on_the_way:
        assert 0.3 <= shown.label.trained_for < 1.0
        assert shown.label.accuracy == right(shown, shown.label.measured)
        assert shown.label.sentence.startswith(f"Training, {shown.label.trained_for:.1f} of ")
        assert not shown.module.training
    assert len({shown.fingerprint for shown in (network, *on_the_way, last)}) == len(on_the_way) + 2


def test_it_goes_on_where_it_ended(learned: Learned) -> None:
    _, shapes, (*_, once) = learned
    *_, twice = trained(once, shapes, 1.4)
    assert twice.label.trained_for == 1.4
    assert twice.label.accuracy is not None
    assert once.label.accuracy is not None
    assert twice.label.accuracy > once.label.accuracy - 0.02


def test_shared_weights_are_tuned() -> None:
    network, shapes = loaded("conv6k5s3-relu-conv8k3s3-relu-fc10")
    *_, tuned = trained(network, shapes, 0.8)
    assert tuned.label.source == "fine-tuned"
    assert tuned.label.sentence.startswith("Fine-tuned for ")
    assert right(tuned, 1000) > right(network, 1000)


def test_a_training_that_does_not_help_is_not_kept() -> None:
    network, shapes = loaded("conv10k5-max2-relu-conv20k5-max2-tanh-fc10")
    best = replace(network.label, accuracy=1.0)
    *_, kept = trained(replace(network, label=best), shapes, 0.1)
    *_, again = trained(kept, shapes, 0.2)
    for after, seconds in ((kept, 0.1), (again, 0.2)):
        assert after.module is network.module
        assert after.label.trained_for == seconds
        assert after.label.sentence == f"{seconds:.0f} s of training did not help. {best.sentence}"


def test_a_costly_network_is_measured_on_fewer_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "FINAL_TIME", 100_000)
    network, shapes = loaded("conv8k3-relu-conv8k3g2-relu-fc10")
    *_, last = trained(network, shapes, 0.1)
    assert last.label.measured == 100
    assert "of 100 digits" in last.label.sentence
    assert last.label.accuracy == right(last, 100)


@pytest.mark.parametrize("net", ["max2-relu", "conv4k3-max2", "conv4k3-fc7", "conv4k28-conv4k2-fc10", "avg28-flatten"])
def test_what_cannot_learn_to_tell_digits_apart_says_so(net: str) -> None:
    network, shapes = loaded(net)
    assert not is_trainable(shapes)
    with pytest.raises(ValueError, match="cannot learn to tell digits apart: it needs weights and 10 outputs"):
        QuickRun(network, shapes, 1).advance()
