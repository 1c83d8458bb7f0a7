"""Where values come from and how they come about, worked out in the browser, against PyTorch's numbers and its
gradients.
"""

import base64
import json
import random
from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from browser.explorer import Explorer
from browser.test_forward import BASE64, Case, case, layer_records, numbers, random_networks
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional

from cnn_explorer.digits.preprocessing import image_from_pixels
from cnn_explorer.spec.layers import FlattenSpec, Pool2dSpec, Shape, WindowSpec
from cnn_explorer.spec.network import LECTURE, NetworkSpec, parse
from cnn_explorer.spec.shapes import LayerShapes, infer_shapes
from cnn_explorer.weights.trace import trace_activations

pytestmark = pytest.mark.browser

Place = tuple[int, int, int]  # map, row, column


class Layer:
    """One layer of a case at work: what it is, its module, its input, `(C, H, W)` or `(F,)`, and its
    output, float32.
    """

    def __init__(self, case: Case, index: int) -> None:
        trace = trace_activations(case.module, image_from_pixels(case.pixels))
        before = [activation for activation in trace.activations[:index] if activation.kind != "Flatten"]
        self.case = case
        self.shapes = case.shapes.layers[index]
        self.module = case.module.get_submodule(self.shapes.name)
        self.input = before[-1].values if before else trace.normalized
        self.output = trace.activations[index].values
        self.shown = len(before)  # its number among the layers of an update

    def __str__(self) -> str:
        return f"{self.shapes.name} of {self.case.shapes.spec}"

    @property
    def sent(self) -> dict[str, Any]:
        texts = {
            "weights": self.case.sent["weights"],
            "values": base64.b64encode(self.input.numpy().tobytes()).decode(),
        }
        return {"layers": self.case.sent["layers"], "index": self.shown, "input": [*self.input.shape], **texts}


def layers_of(net: str, number: int, *kinds: str) -> list[Layer]:
    """The layers of some kinds of one network with random weights."""
    each = case(parse(net), number)
    assert each.shapes.error is None, net
    return [Layer(each, at) for at, layer in enumerate(each.shapes.layers) if layer.spec.torch_name in kinds]


def some_places(shape: Shape, count: int, chance: random.Random) -> list[Place]:
    """The corners, where the padding is, and places anywhere."""
    last = shape[1] - 1, shape[2] - 1
    corners = [(chance.randrange(shape[0]), row, column) for row, column in ((0, 0), (last[0], 0), (0, last[1]), last)]
    return corners + [
        (chance.randrange(shape[0]), chance.randint(0, last[0]), chance.randint(0, last[1])) for _ in range(count - 4)
    ]


# Layers come as {layers, index, input, weights, values}; numbers go both ways in base64.
SETUP = f"""{BASE64}
const {{ Forward }} = await import(url.replace("arithmetic.js", "forward.js"));
const opened = ({{ layers, index, weights, values, input }}) => {{
  const forward = new Forward(layers, new Float32Array(bytesOf(weights).buffer));
  return [layers[index], input, new Float32Array(bytesOf(values).buffer), forward.parameters[index]];
}};
const numbersOf = ({{ row, column, value, weight, inside }}) => [row, column, value, weight, inside];
const all = (cells) => textOf(Float64Array.from(cells.flatMap(numbersOf)));
const told = ({{ parts, bias, total, tolerance }}) =>
  [parts.map(({{ channel, sum }}) => [channel, sum]), bias, total, tolerance, all(parts.flatMap(({{ cells }}) => cells))];"""
CONVOLVED = f"""{SETUP}
return a.map((each) => {{ const args = opened(each); return each.places.map((place) => told(m.convolved(...args, ...place))); }});"""
WEIGHED = f"""{SETUP}
return a.map((each) => {{
  const [, ...args] = opened(each);
  return each.places.map(([feature]) => told(m.weighed(...args, feature)));
}});"""
CONTRIBUTIONS = f"""{SETUP}
return a.map((each) => {{
  const args = opened(each);
  return each.maps.map((map) => m.contributions(...args, map).map(({{ channel, kernel, values, strength }}) =>
    [channel, textOf(kernel), textOf(values), strength]));
}});"""
WINDOWS = f"""{SETUP}
return a.map((each) => {{
  const [layer, input, values] = opened(each);
  return each.places.map((place) => {{
    const cells = m.windowOf(layer, input, values, ...place, layer.kind === "MaxPool2d" ? -Infinity : 0), {{ row, column, value }} = m.winner(cells);
    return [all(cells), row, column, Number.isFinite(value) ? value : null];
  }});
}});"""


def doubles(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f8")


# --- sums ---

CONVOLUTIONS = [
    "conv5k3p1-conv7k3p1",
    "conv6k5s2p3-conv4k3x1s1x2p0x2",
    "conv8k3d2-conv12k3p4d3g4",
    "conv4k1x7p0x3-conv8k7x2s3x1p6x1d2x4g2-conv8k1g8",
    "conv3k28s9p27-conv9k2x3p3x4d3x2g3",
    "conv12k4x2s2x3p1x0d1x3g1-tanh-conv24k2p1g12-conv6k3p3d2g6",
    "conv10k5-max2-relu-conv20k5-max2-relu-fc10",
    "conv256k5s4-relu-conv8k6",
]


def test_an_output_pixel_of_a_convolution_is_pytorchs_sum(app: Explorer) -> None:
    chance = random.Random(1)
    layers = [layer for number in range(2) for net in CONVOLUTIONS for layer in layers_of(net, number, "Conv2d")]
    places = [some_places(layer.shapes.output_shape, 20, chance) for layer in layers]
    assert sum(map(len, places)) >= 700
    found = app.run(
        "arithmetic.js", CONVOLVED, [layer.sent | {"places": at} for layer, at in zip(layers, places, strict=True)]
    )
    padded = 0
    for layer, at, sums in zip(layers, places, found, strict=True):
        assert isinstance(layer.module, nn.Conv2d)
        weight = layer.module.weight.detach()
        for place, said in zip(at, sums, strict=True):
            first = place[0] // (len(weight) // layer.module.groups) * weight.shape[1]
            cells = gathered(layer, range(first, first + weight.shape[1]), place)
            padded += int((cells[..., 4] == 0).sum())
            cells[..., 3] = weight[place[0]].numpy().reshape(weight.shape[1], -1)
            assert_sum(layer, place, said, cells, [*range(first, first + weight.shape[1])])
    assert padded > 3000


def gathered(layer: Layer, channels: range, place: Place) -> np.ndarray:
    """What a window sees in some channels, `(channels, cells, 5)`: row, column, value, weight (still 0), whether it is
    on the map.
    """
    assert isinstance(layer.shapes.spec, WindowSpec)
    kernel, stride, padding, dilation = layer.shapes.spec.window()
    rows, columns = (
        np.arange(kernel[axis]) * dilation[axis] + place[1 + axis] * stride[axis] - padding[axis] for axis in (0, 1)
    )  # fmt: skip
    maps = layer.input.numpy()
    cells = np.zeros((len(channels), kernel[0], kernel[1], 5))
    cells[..., 0], cells[..., 1] = rows[:, None], columns
    margin = 40
    beyond = [(0, 0), (margin, margin), (margin, margin)]
    for at, padded in ((2, np.pad(maps, beyond)), (4, np.pad(np.ones_like(maps), beyond))):
        cells[..., at] = padded[channels][:, rows + margin][:, :, columns + margin]
    return cells.reshape(len(channels), -1, 5)


def assert_sum(layer: Layer, place: Place, said: list[Any], cells: np.ndarray, channels: list[int]) -> None:
    """`cells` as torch has them, `(channels, cells, 5)`."""
    parts, bias, total, tolerance, theirs = said
    where = f"{place} in {layer}"
    np.testing.assert_array_equal(doubles(theirs), cells.ravel(), err_msg=where)
    products = cells[..., 2] * cells[..., 3]
    assert [channel for channel, _ in parts] == channels, where
    np.testing.assert_allclose([own for _, own in parts], products.sum(axis=1), rtol=1e-12, atol=1e-12, err_msg=where)
    assert isinstance(layer.module.bias, Tensor)
    assert bias == layer.module.bias[place[0]].item(), where
    assert total == pytest.approx(products.sum() + bias, rel=1e-12, abs=1e-12), where
    assert tolerance == pytest.approx(1e-6 * (np.abs(products).sum() + abs(bias)), rel=1e-9), where
    torchs = layer.output[place] if layer.output.dim() == 3 else layer.output[place[0]]
    assert abs(total - torchs.item()) <= tolerance, where


def test_a_feature_of_a_linear_layer_is_pytorchs_sum(app: Explorer) -> None:
    """On one map, on many, on features, and on the rows that `flatten` and `dropout` hand on."""
    nets = [
        "fc10",
        "conv6k5-avg4-fc12-relu-fc7",
        "conv3k9s4-fc40-flatten-drop50-fc3",
        "max2x7-gelu-fc5",
        "fc900-tanh-fc10",
    ]
    chance = random.Random(2)
    layers = [layer for number in range(2) for net in nets for layer in layers_of(net, number, "Linear")]
    places = [[(chance.randrange(layer.output.numel()), 0, 0) for _ in range(6)] for layer in layers]
    found = app.run(
        "arithmetic.js", WEIGHED, [layer.sent | {"places": at} for layer, at in zip(layers, places, strict=True)]
    )
    for layer, at, sums in zip(layers, places, found, strict=True):
        assert isinstance(layer.module, nn.Linear)
        maps = layer.input.numpy() if layer.input.dim() == 3 else layer.input.numpy()[None, None]
        rows, columns = np.indices(maps.shape[1:])
        for place, said in zip(at, sums, strict=True):
            weight = layer.module.weight[place[0]].detach().numpy().reshape(maps.shape)
            cells = np.stack([each + np.zeros(maps.shape) for each in (rows, columns, maps, weight, 1)], axis=-1)
            assert_sum(layer, place, said, cells.reshape(len(maps), -1, 5), [*range(len(maps))])


def test_the_channels_contributions_are_convolutions_of_one_channel_and_make_up_the_map(app: Explorer) -> None:
    chance = random.Random(3)
    layers = [layer for number in range(3) for net in CONVOLUTIONS for layer in layers_of(net, number, "Conv2d")]
    maps = [chance.sample(range(len(layer.output)), min(3, len(layer.output))) for layer in layers]
    found = app.run(
        "arithmetic.js", CONTRIBUTIONS, [layer.sent | {"maps": of} for layer, of in zip(layers, maps, strict=True)]
    )
    for layer, of, answers in zip(layers, maps, found, strict=True):
        module = layer.module
        assert isinstance(module, nn.Conv2d)
        assert module.bias is not None
        seen = module.in_channels // module.groups
        for map_, parts in zip(of, answers, strict=True):
            first = map_ // (module.out_channels // module.groups) * seen
            assert sorted(channel for channel, *_ in parts) == [*range(first, first + seen)]
            whole = np.zeros(tuple(layer.output.shape[1:])) + module.bias[map_].item()
            for channel, kernel, values, strength in parts:
                weight = module.weight[map_ : map_ + 1, channel - first : channel - first + 1].detach()
                alone = functional.conv2d(
                    layer.input[None, channel : channel + 1], weight, None, module.stride, module.padding, module.dilation  # type: ignore[arg-type]
                )[0, 0].numpy()  # fmt: skip
                np.testing.assert_array_equal(numbers(kernel), weight.numpy().ravel())
                np.testing.assert_allclose(
                    numbers(values), alone.ravel(), rtol=0, atol=2e-6 * max(1, np.abs(alone).max()), err_msg=str(layer)
                )
                assert strength == pytest.approx(np.abs(alone.astype(np.float64)).sum(), rel=1e-5, abs=1e-5)
                whole += numbers(values).reshape(whole.shape)
            scale = max(1, np.abs(whole).max())
            np.testing.assert_allclose(whole, layer.output[map_].numpy(), rtol=0, atol=1e-5 * scale, err_msg=str(layer))
            strengths = [strength for *_, strength in parts]
            assert all(stronger >= weaker for stronger, weaker in pairwise(strengths))


# --- pooling ---

POOLINGS = [
    "conv3k3-max2",
    "conv4k3p1-tanh-max3s1p1",
    "max3x2s2x1p1x0-max5s3p2",
    "conv2k5-relu-max4x2s1x5p2x1",
    "max14-max2s1p1",
]


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_the_window_of_a_pool_and_its_winner_are_pytorchs(app: Explorer, kind: str) -> None:
    chance = random.Random(4)
    nets = [net.replace("max", kind) for net in POOLINGS]
    layers = [
        layer for number in range(6) for net in nets for layer in layers_of(net, number, "MaxPool2d", "AvgPool2d")
    ]
    places = [some_places(layer.shapes.output_shape, 30, chance) for layer in layers]
    found = app.run(
        "arithmetic.js", WINDOWS, [layer.sent | {"places": at} for layer, at in zip(layers, places, strict=True)]
    )
    for layer, at, answers in zip(layers, places, found, strict=True):
        module = layer.module
        winners = None
        if isinstance(module, nn.MaxPool2d):
            _, winners = functional.max_pool2d(
                layer.input, module.kernel_size, module.stride, module.padding, return_indices=True
            )
        for place, (text, row, column, value) in zip(at, answers, strict=True):
            cells = gathered(layer, range(place[0], place[0] + 1), place)[0]
            outside = cells[:, 4] == 0
            cells[outside, 2] = -np.inf if kind == "max" else 0
            theirs = doubles(text).reshape(-1, 5)
            np.testing.assert_array_equal(
                theirs[:, [0, 1, 2, 4]], cells[:, [0, 1, 2, 4]], err_msg=f"{place} in {layer}"
            )
            if winners is None:
                assert theirs[:, 2].mean() == pytest.approx(layer.output[place].item(), rel=1e-5, abs=1e-6), (
                    f"{place} in {layer}"
                )
            else:
                assert row * layer.input.shape[2] + column == winners[place].item(), f"{place} in {layer}"
                assert value == layer.output[place].item()


# --- reach ---

Lit = dict[str, Any] | None


def positive(spec: NetworkSpec, number: int) -> nn.Sequential:
    """With weights above zero on values above zero, every value rises with all that it is made of: its gradient is
    nowhere zero there.
    """
    module = case(spec, number).module.double()
    chance = torch.Generator().manual_seed(number)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1, generator=chance).div_(max(1, layer.weight[0].numel()))
            assert layer.bias is not None
            layer.bias.data.fill_(0.1)
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
            layer.running_mean.zero_()
    return module


def shown_values(module: nn.Sequential, spec: NetworkSpec, image: Tensor) -> list[Tensor]:
    """The output of every layer that is drawn, `(1, …)`."""
    layers = infer_shapes(spec).layers
    values, value = [], module.get_submodule("normalize")(image)
    for at, layer in enumerate(layers):
        value = module.get_submodule(layer.name)(value)
        if at == len(layers) - 1 or not isinstance(layer.spec, FlattenSpec):
            values.append(value)
    return values


def mask(lit: Lit, shape: tuple[int, ...]) -> np.ndarray:
    """What is lit in a layer of `shape`, as a cut-out of it; rows and columns on the padding are left out."""
    maps, rows, columns = shape if len(shape) == 3 else (shape[0], 1, 1)
    found = np.zeros((maps, rows, columns), bool)
    if lit is not None:
        chosen = [*range(maps)] if lit["maps"] is None else lit["maps"]
        down, across = (
            [at for at in lit[name] if 0 <= at < side] for name, side in (("rows", rows), ("columns", columns))
        )
        found[np.ix_(chosen, down, across)] = True
    return found.reshape(shape)


def averaging(spec: NetworkSpec) -> NetworkSpec:
    """The same with averages for maxima: a maximum sees as far, but its gradient is zero for all but one."""
    return NetworkSpec(
        tuple(replace(layer, kind="avg") if isinstance(layer, Pool2dSpec) else layer for layer in spec.layers)
    )


GROUPED = [
    "conv4k3-conv8k3g4-avg2-conv8k3p1g2",
    "conv6k3s2p2-relu-conv6k3d2g6-conv12k2g3-bn-conv4k1g2",
    "conv2k2s5-conv4k3p4d3g2-flatten",  # windows with gaps: some pixels reach nothing
    "conv2k2s9-flatten-relu-fc3",  # relu1 gets maps and gives features: flatten is not drawn
    "avg3s9-conv6k1-conv6k3x1p2x0g3-fc4-relu-fc3",
    "conv3k1x4s3x5p0x2-avg2x1s3x2-flatten",
]


@cache
def reach_specs() -> list[NetworkSpec]:
    return [averaging(spec) for spec in [*random_networks(80), *map(parse, GROUPED * 4)]]


def test_a_value_is_made_of_what_its_gradient_says(app: Explorer) -> None:
    chance = random.Random(5)
    asked: list[dict[str, Any]] = []
    expected: list[list[np.ndarray]] = []
    for number, spec in enumerate(reach_specs()):
        module = positive(spec, number)
        image = torch.ones(1, 1, 28, 28, dtype=torch.float64, requires_grad=True)
        values = shown_values(module, spec, image)
        for _ in range(3):
            index = chance.randrange(len(values))
            places = [chance.randrange(side) for side in values[index].shape[1:]]
            parts = [image, *values[:index]]
            slopes = torch.autograd.grad(values[index][(0, *places)], parts, retain_graph=True, allow_unused=True)
            none = (torch.zeros_like(part) for part in parts)
            expected.append(
                [((zero if slope is None else slope)[0] != 0).numpy() for slope, zero in zip(slopes, none, strict=True)]
            )
            map_, row, column = (*places, 0, 0)[:3]
            lit = {"maps": [map_], "rows": [row], "columns": [column]}
            asked.append({"layers": layer_records(infer_shapes(spec)), "index": index, "lit": lit})
    found, twins = app.run(
        "reach.js",
        """const found = a.map(({ layers, index, lit }) => m.backward(layers, index, lit));
        for (const { layers } of a) for (const layer of layers) layer.kind = layer.kind.replace("AvgPool", "MaxPool");
        return [found, a.map(({ layers, index, lit }) => m.backward(layers, index, lit))]""",
        asked,
    )
    assert twins == found
    for question, lits, truths in zip(asked, found, expected, strict=True):
        assert lits[-1] == question["lit"]
        shapes = [(1, 28, 28), *(tuple(layer["shape"]) for layer in question["layers"])]
        for at, truth in enumerate(truths):
            seen = mask(lits[at], shapes[at])
            np.testing.assert_array_equal(
                seen, truth, err_msg=f"{shapes[at]} from {question['lit']} of {question['layers'][question['index']]}"
            )
    assert any(not truths[0].any() for truths in expected)  # nothing but padding
    assert any(
        0 < truths[-1].any(axis=(1, 2)).sum() < len(truths[-1]) for truths in expected if truths[-1].ndim == 3
    )  # some of the channels


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")  # torch's own, on the way to forward gradients
def test_a_pixel_reaches_what_it_has_a_gradient_for(app: Explorer) -> None:
    chance = random.Random(6)
    asked: list[dict[str, Any]] = []
    expected: list[list[np.ndarray]] = []
    for number, spec in enumerate(reach_specs()):
        module = positive(spec, number)
        image = torch.ones(1, 1, 28, 28, dtype=torch.float64)
        for _ in range(3):
            row, column = chance.randrange(28), chance.randrange(28)
            nudge = torch.zeros_like(image)
            nudge[0, 0, row, column] = 1
            with forward_ad.dual_level():
                values = shown_values(module, spec, forward_ad.make_dual(image, nudge))
                slopes = [forward_ad.unpack_dual(value).tangent for value in values]
            expected.append([(slope[0] != 0).numpy() for slope in slopes])
            asked.append(
                {"layers": layer_records(infer_shapes(spec)), "lit": {"maps": [0], "rows": [row], "columns": [column]}}
            )
    found = app.run("reach.js", "return a.map(({ layers, lit }) => m.forward(layers, lit))", asked)
    for question, (image_lit, *lits), truths in zip(asked, found, expected, strict=True):
        assert image_lit == question["lit"]
        for lit, truth in zip(lits, truths, strict=True):
            np.testing.assert_array_equal(
                mask(lit, truth.shape), truth, err_msg=json.dumps([question["lit"], question["layers"]])
            )
    assert any(not truths[-1].any() for truths in expected)


def test_neighbours_run_together(app: Explorer) -> None:
    places = [[], [4], [-2, -1, 0, 3, 4, 7], [*range(5)]]
    assert app.run("reach.js", "return a.map(m.runs)", places) == [[], [[4, 1]], [[-2, 3], [3, 2], [7, 1]], [[0, 5]]]


@pytest.mark.parametrize("net", ["conv4k3-tanh-avg2-conv8k3g2-fc6-fc10", "conv3k5-conv6k3g3-bn-avg4-flatten"])
def test_lines_join_the_maps_that_pytorch_has_gradients_between(app: Explorer, net: str) -> None:
    each = case(parse(net), 5)
    layers = layer_records(each.shapes)
    shown = {layer["name"] for layer in layers}
    joined: list[np.ndarray] = []  # of every layer: which maps of the input, (maps out, maps in)
    chain: list[nn.Module] = []
    for layer in each.shapes.layers:
        chain.append(each.module.get_submodule(layer.name))
        if layer.name not in shown:
            continue
        first = each.shapes.layers[each.shapes.layers.index(layer) - len(chain) + 1]
        chance = torch.randn(1, *first.input_shape, generator=torch.Generator().manual_seed(1))
        slopes = torch.autograd.functional.jacobian(nn.Sequential(*chain), chance)
        maps = slopes.abs().reshape(
            layer.output_shape[0], -1, first.input_shape[0], int(np.prod(first.input_shape[1:]))
        )
        joined.append(maps.amax((1, 3)).numpy() > 0)
        chain = []
    found = app.run(
        "reach.js",
        """return a.map(({ shape }, index) => Array.from({ length: shape[0] }, (_, map) =>
          [m.sourcesOf(a, index, map), m.targetsOf(a, index, map)]));""",
        layers,
    )
    for index, maps in enumerate(found):
        behind = joined[index + 1] if index + 1 < len(joined) else np.zeros((0, len(maps)), bool)
        for number, (sources, targets) in enumerate(maps):
            before = joined[index][number]
            assert (sources if sources is not None else [*range(len(before))]) == [*np.flatnonzero(before)]
            assert (targets if targets is not None else [*range(len(behind))]) == [*np.flatnonzero(behind[:, number])]


# --- marks.js ---


@pytest.mark.parametrize(
    "text", ["conv2k5", "conv2k3s2", "conv2k2x3s3p1", "conv2k3s5p2", "conv2k3s2p1d2", "avg3", "avg3s2p1"]
)
def test_marks_are_where_pytorch_has_no_gradient_and_where_its_windows_begin(app: Explorer, text: str) -> None:
    shapes = infer_shapes(parse(text))
    (layer,) = layer_records(shapes)
    unreached, positions = app.run(
        "marks.js",
        "return [0, 1].map((axis) => [m.unreached(a, [1, 28, 28], axis), m.positions(a, axis)]).reduce(([x, y], [z, w]) => [[x, z], [y, w]])",
        layer,
    )
    spec = shapes.layers[0].spec
    assert isinstance(spec, WindowSpec)
    image = torch.ones(1, 1, 28, 28, requires_grad=True)
    kernel, stride, padding, dilation = spec.window()
    wide = functional.pad(image, (padding[1], padding[1], padding[0], padding[0]))
    wide.retain_grad()
    out = functional.conv2d(wide, torch.ones(1, 1, *kernel), None, stride, 0, dilation)
    assert [*out.shape[2:]] == layer["shape"][1:]
    out.sum().backward()
    assert image.grad is not None
    for axis in (0, 1):
        reached = image.grad[0, 0].amax(1 - axis) > 0
        assert unreached[axis] == [*np.flatnonzero(~reached.numpy())]
        begins = []
        for place in range(out.shape[2 + axis]):
            (slope,) = torch.autograd.grad(
                functional.conv2d(wide, torch.ones(1, 1, *kernel), None, stride, 0, dilation)
                .select(2 + axis, place)
                .sum(),
                wide,
            )
            begins.append(int(np.flatnonzero(slope[0, 0].amax(1 - axis).numpy())[0]) - padding[axis])
        assert positions[axis] == begins


# --- the layer table, and numbers as text ---


def test_a_fully_connected_layer_has_a_weight_a_pair_and_a_bias_an_output(app: Explorer) -> None:
    layers: list[LayerShapes] = [*infer_shapes(LECTURE).layers, *infer_shapes(parse("conv3k5x1s2-avg3-fc7-fc2")).layers]
    pairs = [[layer.input_shape, layer.output_shape] for layer in layers]
    truth = [nn.Linear(int(np.prod(inputs)), int(np.prod(outputs)), device="meta") for inputs, outputs in pairs]
    found = app.run("layer_table.js", "return a.map(([input, output]) => m.connected(input, output))", pairs)
    assert found == [sum(parameter.numel() for parameter in linear.parameters()) for linear in truth]
    assert found[0] == 4_521_600  # conv1 of the lecture's network, worked by hand: 5,760 · (784 + 1)


def test_numbers_as_text(app: Explorer) -> None:
    """Nine digits tell one float32 from all others; three and six are rounded as on paper."""
    chance = np.random.default_rng(7)
    bits = chance.integers(0, 2**32, 12_000, dtype=np.uint32).view(np.float32)
    usual = chance.normal(0, 1, 12_000).astype(np.float32)
    floats = np.concatenate(
        [bits[np.isfinite(bits)], usual, np.float32([0, 1, -1, 0.1, 1e-7, 123456.78, 3.4028235e38, 1e-45])]
    )
    body = (
        f"{BASE64} return [...new Float32Array(bytesOf(a).buffer)].map((x) => [m.short(x), m.exact(x), m.unrounded(x)])"
    )
    texts = app.run("numbers.js", body, base64.b64encode(floats.tobytes()).decode())
    for number, (short, exact, unrounded) in zip(floats, texts, strict=True):
        assert "-" not in short + exact + unrounded
        for digits, text in ((3, short), (6, exact)):
            assert value(text) == float(Context(digits, ROUND_HALF_UP).create_decimal(Decimal(float(number))))
        assert np.float32(value(unrounded)) == number
    assert app.run("numbers.js", "return [Infinity, -Infinity].flatMap((x) => [m.short(x), m.exact(x)])") == [
        "∞",
        "∞",
        "−∞",
        "−∞",
    ]


def value(text: str) -> float:
    return float(text.replace("−", "-"))
