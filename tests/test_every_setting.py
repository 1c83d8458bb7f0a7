"""Whatever can be set on the page: finite maps, a label that says where the weights come from, probabilities that add
up to 1.
"""

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.spec.blocks import MAX_BLOCKS, MAX_HIDDEN
from cnn_explorer.spec.cost import forward_time
from cnn_explorer.spec.layers import (
    ACTIVATIONS,
    MAX_CHANNELS,
    ActivationSpec,
    Conv2dSpec,
    LayerSpec,
    LinearSpec,
    Pool2dSpec,
)
from cnn_explorer.spec.limits import excess_of
from cnn_explorer.spec.network import PRESETS, NetworkSpec
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.weights.load import MAX_TIME, load_network
from cnn_explorer.weights.shared_filters import plan_for
from cnn_explorer.weights.trace import trace_activations


def mostly(usual: st.SearchStrategy[int], rare: st.SearchStrategy[int]) -> st.SearchStrategy[int]:
    return st.one_of(usual, usual, usual, rare)


@st.composite
def blocks(draw: st.DrawFn) -> list[LayerSpec]:
    """A row of the page: a convolution, perhaps a pooling, perhaps an activation."""
    conv = Conv2dSpec(
        draw(mostly(st.integers(1, 40), st.integers(1, MAX_CHANNELS))),
        draw(mostly(st.integers(1, 7), st.integers(1, 28))),
        draw(mostly(st.integers(1, 3), st.integers(1, 28))),
        draw(mostly(st.integers(0, 3), st.integers(0, 28))),
        draw(mostly(st.integers(1, 2), st.integers(1, 28))),
    )
    pool = draw(
        st.none() | st.builds(Pool2dSpec, st.sampled_from(["max", "avg"]), st.integers(1, 4), st.integers(1, 4))
    )
    activation = draw(st.none() | st.builds(ActivationSpec, st.sampled_from([*ACTIVATIONS])))
    return [conv, *([pool] if pool else []), *([activation] if activation else [])]


@st.composite
def networks(draw: st.DrawFn) -> NetworkSpec:
    rows = draw(st.lists(blocks(), max_size=MAX_BLOCKS))
    hidden = draw(
        st.lists(
            mostly(st.integers(1, 64), st.integers(1, 1024)), max_size=draw(st.sampled_from([0, 0, 1, MAX_HIDDEN]))
        )
    )
    head = [layer for features in hidden for layer in (LinearSpec(features), ActivationSpec("relu"))]
    return NetworkSpec((*[layer for row in rows for layer in row], *head, LinearSpec(10)))


@pytest.mark.parametrize("spec", [*PRESETS.values()], ids=[*PRESETS])
def test_every_preset(spec: NetworkSpec) -> None:
    check(spec)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(networks())
def test_every_setting(spec: NetworkSpec) -> None:
    shapes = infer_shapes(spec)
    assume(shapes.error is None and not excess_of(shapes))
    # Only to save time: the settings between are fitted in the same ways, for up to seconds.
    assume(not MAX_TIME / 8 < forward_time(shapes.layers) <= MAX_TIME)
    check(spec)


def check(spec: NetworkSpec) -> None:
    network = load_network(spec)
    digits = bundled_digits()
    trace = trace_activations(network.module, torch.tensor(digits.images[7]).reshape(1, 1, 28, 28) / 255)
    assert all(torch.isfinite(activation.values).all() for activation in trace.activations)
    assert trace.probabilities is not None
    assert trace.probabilities.shape == (10,)
    assert trace.probabilities.min() >= 0
    assert float(trace.probabilities.sum()) == pytest.approx(1, abs=1e-5)
    label = network.label
    assert label.sentence
    plan = plan_for(infer_shapes(spec))
    assert label.source == "trained" or label.trained == (
        plan is not None and forward_time(infer_shapes(spec).layers) <= MAX_TIME
    )
    if label.source == "trained":
        return
    if not label.trained:
        assert "ntrained" in label.sentence
        return
    # What the label claims, counted anew.
    images = torch.tensor(digits.images[: label.measured]).unsqueeze(1) / 255
    with torch.no_grad():
        answers = torch.cat([network.module(part) for part in torch.split(images, 100)]).argmax(1)
    assert label.accuracy == pytest.approx(
        float((answers.numpy() == digits.labels[: label.measured]).mean()), abs=2 / label.measured
    )
    again = load_network(spec, measure=False)
    assert again.label.origin == label.origin
    assert again.fingerprint == network.fingerprint
