"""One count of time for every bound: against measured times, against the page's limits, and at the networks that once
cost minutes.
"""

import random
import statistics
import time

import layer_times
import pytest
from layer_times import WORST, _drawn, measured_forward, measured_training, random_layers, shapes_of

from cnn_explorer.digits.drawing import example_drawing
from cnn_explorer.spec.cost import (
    FORWARD,
    PARAMETER_TIME,
    SLANT_TIME,
    TRAINING,
    UNIT_TIME,
    affordable_digits,
    batch_time,
    digits_per_unit,
    forward_time,
    layer_time,
    training_time,
)
from cnn_explorer.spec.layers import LAYERS, Conv2dSpec, FlattenSpec, GeometryError, LinearSpec, Pool2dSpec, Shape
from cnn_explorer.spec.limits import excess_of
from cnn_explorer.spec.network import LECTURE, MAX_LAYERS, NetworkSpec, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.spec.work import UNIT_DIGITS, UNIT_VALUES, kind_of, work_of
from cnn_explorer.ui import network_view
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations

ONCE_ACCEPTED = [  # each took from 9 seconds to minutes
    "conv20k1-" + "max27s1p13-" * 22 + "fc10",
    "conv20k9p4-" + "max27s1p13-" * 22 + "fc10",
    "conv32k7p3-max28s1p14-relu-fc10",
]


@pytest.mark.parametrize(("measure", "training"), [(measured_forward, False), (measured_training, True)])
def test_counted_times_are_those_of_this_machine_but_for_a_factor(  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch, measure, training: bool
) -> None:
    """Loosely, on a few layers, trained on few digits: bench_costs.py holds hundreds to a factor of two on a quiet
    machine.
    """
    monkeypatch.setattr(layer_times, "TRAINED_DIGITS", 24)
    layers = [shapes_of(Pool2dSpec("max", 27, 1, 13), (2, 28, 28))]  # WORST's first, a tenth of it
    layers += [*(shapes_of(spec, shape) for spec, shape in WORST[3::3]), *random_layers(14, seed=2)]
    ratios = [layer_time(layer)[training] / measure(layer, 0.0) for layer in layers]
    median = statistics.median(ratios)
    far = [layer for layer, ratio in zip(layers, ratios, strict=True) if not 1 / 6 < ratio / median < 6]
    for layer in far:  # a single time can be far off beside other programs
        assert 1 / 6 < layer_time(layer)[training] / measure(layer, 0.5) / median < 6, layer.spec
    assert sum(1 / 2.5 < ratio / median < 2.5 for ratio in ratios) > 0.6 * len(ratios)


def test_every_kind_of_layer_has_a_time() -> None:
    for word in LAYERS:
        text = {"conv": "conv8k3", "max": "max2", "avg": "avg2", "drop": "drop50", "fc": "fc10"}.get(word, word)
        (layer,) = infer_shapes(parse(text)).layers[-1:]
        assert layer_time(layer).forward > 0
        assert layer_time(layer).training > layer_time(layer).forward


def test_coefficients_and_counted_quantities_fit_together() -> None:
    layers = [*(shapes_of(spec, shape) for spec, shape in WORST), *random_layers(3000)]
    layers.append(shapes_of(FlattenSpec(), (8, 4, 4)))
    for training, table in ((False, FORWARD), (True, TRAINING)):
        counted: dict[str, set[str]] = {}
        for layer in layers:
            used = {quantity for quantity, value in work_of(layer, training).items() if value}
            counted.setdefault(kind_of(layer, training), set()).update(used)
            assert layer_time(layer)[training] > 0
        assert {*counted, "activation"} == table.keys()  # the last is for kinds to come
        for kind, quantities in counted.items():
            assert table[kind].keys() <= quantities, kind
            assert min(table[kind].values()) > 0


def test_a_convolution_is_computed_in_one_of_several_ways() -> None:
    """As `ONEDNN_VERBOSE=1` tells."""

    def kind(spec: Conv2dSpec, shape: Shape, training: bool = False) -> str:
        return kind_of(shapes_of(spec, shape), training)

    assert kind(Conv2dSpec(20, 5), (10, 12, 12)) == "Conv2d"
    assert kind(Conv2dSpec(8, 3, 1, 28), (1, 28, 28)) == "im2col Conv2d"  # windows lie in the padding alone
    assert kind(Conv2dSpec(64, 3, 1, 1, 1, 16), (64, 28, 28)) == "im2col Conv2d"
    assert kind(Conv2dSpec(34, 5, 5, 2, 2), (2, 7, 7)) == "im2col Conv2d of one window"
    assert kind(Conv2dSpec(2, 14), (53, 14, 14)) == "matrix Conv2d"
    assert kind(Conv2dSpec(64, 5, 1, 2, 1, 64), (64, 28, 28)) == "depthwise Conv2d"
    assert kind(Conv2dSpec(64, 3, 1, 1, 1, 16), (64, 28, 28), training=True) == "grouped Conv2d"
    strided = work_of(shapes_of(Conv2dSpec(14, 7, 2, 3), (239, 7, 7)), training=True)
    assert "strided_operations" in strided
    assert "sums" in strided
    both = work_of(shapes_of(Conv2dSpec(54, 2, 2, 1, 2), (90, 7, 7)), training=True)
    assert "scattered_windows" in both
    assert "gathered" in both


def test_windows_cover_what_lies_inside_the_input() -> None:
    def covered(spec: Pool2dSpec, side: int) -> int:
        return int(work_of(shapes_of(spec, (1, side, side)), training=False)["operations"])

    assert covered(Pool2dSpec("max", 2), 4) == 16  # each cell once
    assert covered(Pool2dSpec("max", 3, 1, 1), 3) == 49  # a corner sees 4, an edge 6, the middle 9
    assert covered(Pool2dSpec("max", 2, 4), 4) == 4


def test_few_channels_cost_as_much_as_full_lanes() -> None:
    one, sixteen, seventeen = (layer_time(shapes_of(Conv2dSpec(out, 5), (16, 28, 28))).forward for out in (1, 16, 17))
    assert one > 0.8 * sixteen
    assert seventeen > 1.2 * sixteen


def test_a_large_batch_pays_for_fresh_memory() -> None:
    shapes = infer_shapes(parse("conv64k3p1-relu-fc10"))  # 50,176 values twice
    without = training_time(shapes.layers)
    assert batch_time(shapes, 100) - batch_time(shapes, 0) == pytest.approx(100 * without)
    assert batch_time(shapes, 200) - batch_time(shapes, 0) > 1.1 * 200 * without


def test_a_step_has_the_optimizers_time_and_that_of_slanting() -> None:
    shapes = infer_shapes(parse("fc10"))
    assert batch_time(shapes, 0) == PARAMETER_TIME * 7850
    assert batch_time(shapes, 64, slanted=True) - batch_time(shapes, 64) == 64 * SLANT_TIME


def test_units_are_bounded_in_time_in_values_and_in_digits() -> None:
    assert digits_per_unit(infer_shapes(LECTURE)) == UNIT_DIGITS
    wide = infer_shapes(parse("conv256k1-fc10"))
    assert digits_per_unit(wide) == UNIT_VALUES // (256 * 28 * 28)
    slow = infer_shapes(parse("conv32k9p4-conv48k9p4-fc10"))
    assert digits_per_unit(slow) * forward_time(slow.layers) <= UNIT_TIME < UNIT_DIGITS * forward_time(slow.layers)
    assert affordable_digits(1, (20, 400), slow) == 20
    assert affordable_digits(1e12, (20, 400), slow) == 400
    assert digits_per_unit(infer_shapes(parse("conv4k28p0d2-fc10"))) == UNIT_DIGITS  # nothing fits: no layer at all


@pytest.mark.parametrize("net", ONCE_ACCEPTED)
def test_what_once_took_minutes_is_refused_with_the_numbers(net: str) -> None:
    said = excess_of(infer_shapes(parse(net)))
    assert "ms a digit, more than the 10 ms that this page has, most of them in max1" in said
    assert "take fewer channels or features, a smaller kernel, or pool or stride earlier" in said


def nets_near_the_limit(count: int) -> list[NetworkSpec]:
    """Random networks of the page, grown layer by layer until the next layer would be refused."""
    rng, found = random.Random(5), []
    while len(found) < count:
        spec = NetworkSpec(
            (Conv2dSpec(rng.choice((4, 20, 32, 64)), rng.choice((1, 3, 5, 7)), padding=rng.choice((0, 3))),)
        )
        for _ in range(MAX_LAYERS - 2):
            try:
                layer, _ = _drawn(rng.choice(("max", "avg", "conv", "bn", "activation")), rng)
                larger = NetworkSpec((*spec.layers, layer))
                shapes = infer_shapes(NetworkSpec((*larger.layers, FlattenSpec(), LinearSpec(10))))
            except (GeometryError, ValueError):
                continue
            if shapes.error is None:
                if excess_of(shapes):
                    break
                spec = larger
        else:
            continue
        found.append(NetworkSpec((*spec.layers, LinearSpec(10))))
    return found


def test_any_network_that_is_accepted_is_on_screen_within_two_seconds() -> None:
    load_network(parse("conv10k5-max2-relu-conv20k5-max2-tanh-fc10"))  # warms torch up, as the app does
    drawing = example_drawing()
    seen = drawing.preprocess()
    hardest = [
        "conv32k7p3-conv32k7-fc10",
        "conv20k1-max9s1p4-max9s1p4-fc10",
        "conv224k3-relu-conv256k3s2-conv256k3-conv256k3-fc10",
    ]
    for spec in (*map(parse, hardest), *nets_near_the_limit(5)):
        shapes = infer_shapes(spec)
        assert not excess_of(shapes)
        started = time.thread_time()
        network = load_network(spec, measure=False)
        trace = trace_activations(network.module, seen.image)
        network_view.pack(1, drawing.text, shapes, seen.pixels, trace, network.label)
        assert time.thread_time() - started < 2, spec


def test_long_work_ends_when_nobody_waits_for_it() -> None:
    class Left(Exception):
        pass

    calls = 0

    def pause() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Left

    with pytest.raises(Left):
        load_network(parse("conv32k7p3-relu-conv8k5-relu-fc10"), pause=pause)
    assert calls == 3
