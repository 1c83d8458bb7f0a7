"""The view's modules, imported in the browser as the page loads them, against Python and against
numbers worked here.
"""

import base64
import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from browser.explorer import Explorer
from browser.test_forward import layer_records

from cnn_explorer.digits.drawing import CANVAS, drawing_from_strokes, example_drawing, parse_drawing
from cnn_explorer.spec.layers import WindowSpec
from cnn_explorer.spec.network import LECTURE, PRESETS, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.ui.network_view import pack, pack_weights
from cnn_explorer.weights.builder import build_layers
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations

pytestmark = pytest.mark.browser

Stroke = list[tuple[float, ...]]


def distance(point: tuple[float, ...], start: tuple[float, ...], end: tuple[float, ...]) -> float:
    """From a point to a line segment."""
    along = np.subtract(end[:2], start[:2])
    length = float(along @ along)
    share = min(1.0, max(0.0, float(np.subtract(point[:2], start[:2]) @ along) / length)) if length else 0.0
    return math.dist(point[:2], np.add(start[:2], share * along))


def away(point: tuple[float, ...], stroke: Stroke) -> float:
    """From a point to a polyline."""
    return min(distance(point, start, end) for start, end in zip(stroke, stroke[1:] or stroke, strict=False))


def wild_strokes(seed: int, pressure: bool = False) -> list[Stroke]:
    """Strokes of far points: nothing to simplify."""
    chance = random.Random(seed)

    def point() -> tuple[float, ...]:
        place = chance.randint(0, CANVAS), chance.randint(0, CANVAS)
        return (*place, chance.randint(0, 100) / 100) if pressure else place

    return [[point() for _ in range(length)] for length in (1, 2, 3, 40, 1, 17)]


def wobble(seed: int, length: int = 300) -> Stroke:
    """A stroke as a hand makes it: small steps that turn slowly."""
    chance = random.Random(seed)
    x, y, angle = 140.0, 140.0, 0.0
    stroke = []
    for _ in range(length):
        angle += chance.gauss(0, 0.3)
        x, y = min(280, max(0, x + 3 * math.cos(angle))), min(280, max(0, y + 3 * math.sin(angle)))
        stroke.append((x, y))
    return stroke


# --- drawing.js ---


EDGES: list[Stroke] = [[(-280, 560), (560, -280)]]


@pytest.mark.parametrize(
    "strokes", [[], *(wild_strokes(seed) for seed in range(3)), [*example_drawing().strokes], EDGES]
)
def test_strokes_of_python_are_read_in_the_browser(app: Explorer, strokes: list[Stroke]) -> None:
    text = drawing_from_strokes(strokes).text
    assert app.run("drawing.js", "return m.decodeStrokes(a)", text) == [
        [[*point] for point in stroke] for stroke in strokes
    ]


@pytest.mark.parametrize("seed", range(5))
def test_strokes_of_the_browser_are_read_in_python(app: Explorer, seed: int) -> None:
    strokes = [*wild_strokes(seed)[:3], wobble(seed), wobble(seed + 100)]
    text = app.run("drawing.js", "return m.encodeStrokes(a)", strokes)
    kept = app.run("drawing.js", "return a.map(stroke => m.simplify(stroke, 0.6))", strokes)
    assert parse_drawing(text).strokes == tuple(
        tuple((math.floor(x + 0.5), math.floor(y + 0.5)) for x, y in stroke) for stroke in kept
    )
    assert drawing_from_strokes(parse_drawing(text).strokes).text == text


@pytest.mark.parametrize("seed", range(3))
def test_pressure_comes_back_and_leaves_the_points_alone(app: Explorer, seed: int) -> None:
    strokes = wild_strokes(seed, pressure=True)
    text = app.run("drawing.js", "return m.encodeStrokes(a)", strokes)
    kept = app.run("drawing.js", "return a.map(stroke => m.simplify(stroke, 0.6))", strokes)
    assert app.run("drawing.js", "return m.decodeStrokes(a)", text) == kept
    assert parse_drawing(text).strokes == tuple(tuple((x, y) for x, y, _ in stroke) for stroke in kept)


def test_a_drawing_that_is_too_long_becomes_coarser_or_none(app: Explorer) -> None:
    long = [wobble(seed) for seed in range(30)]
    text = app.run("drawing.js", "return m.encodeStrokes(a)", long)
    assert len(text) <= 4000
    assert len(parse_drawing(text).strokes) == 30
    assert app.run("drawing.js", "return m.encodeStrokes(a)", [*wild_strokes(1)] * 40) is None


@pytest.mark.parametrize("pressure", [False, True])
def test_strokes_are_sent_as_their_text_is_read(app: Explorer, pressure: bool) -> None:
    """Fine, coarse, with pressure that not every point has, and too long to send."""
    some = [
        [*wild_strokes(5, pressure), [(1.4, 2.6), (30.2, 40.7, 0.456)], [(5.5, 6.5, 0.456), (90.4, 7.6)], wobble(1)],
        [wobble(seed) for seed in range(30)],
    ]
    sent, read = app.run(
        "drawing.js", "return [a.map(m.sentStrokes), a.map(m.encodeStrokes).map(m.decodeStrokes)]", some
    )
    assert sent == read
    assert app.run("drawing.js", "return m.sentStrokes(a)", wild_strokes(1) * 40) is None


@pytest.mark.parametrize("tolerance", [0.3, 0.6, 2.4, 19.2])
@pytest.mark.parametrize("seed", range(2))
def test_simplifying_stays_within_its_tolerance(app: Explorer, seed: int, tolerance: float) -> None:
    stroke = wobble(seed)
    simple = [tuple(point) for point in app.run("drawing.js", "return m.simplify(...a)", [stroke, tolerance])]
    assert simple[0] == stroke[0]
    assert simple[-1] == stroke[-1]
    assert {*simple} <= {*stroke}
    assert len(simple) < len(stroke) / (1.2 if tolerance < 0.5 else 2)
    assert max(away(point, simple) for point in stroke) <= tolerance + 1e-9


def test_a_closed_stroke_is_not_simplified_away(app: Explorer) -> None:
    circle = [(140 + 60 * math.cos(turn / 10), 140 + 60 * math.sin(turn / 10)) for turn in range(63)]
    simple = app.run("drawing.js", "return m.simplify(a, 0.6)", [*circle, circle[0]])
    assert max(away(point, [*map(tuple, simple)]) for point in circle) <= 0.6


@pytest.mark.parametrize(
    ("start", "end", "ends"),
    [
        ((140, 100), (140, 180), [(40, 126), (154, 240)]),
        ((40, 140), (40, 140), [(54, 240)]),
        ((40, 150), (240, 150), []),
        ((100, 140), (180, 140), [(40, 86), (194, 240)]),
        ((140, 155), (200, 155), [(40, 240)]),
    ],
    ids=["across", "an end", "all of it", "along", "beside it"],
)
def test_the_eraser_takes_what_it_covers(
    app: Explorer, start: tuple[int, int], end: tuple[int, int], ends: list[tuple[int, int]]
) -> None:
    line, far = [(40.0, 140.0), (240.0, 140.0)], [(10.0, 10.0), (20.0, 10.0)]
    pieces = app.run("drawing.js", "return m.erase(...a)", [[line, far], start, end])
    assert pieces[-1] == [[10, 10], [20, 10]]
    assert [(piece[0][0], piece[-1][0]) for piece in pieces[:-1]] == [
        (pytest.approx(left, abs=2), pytest.approx(right, abs=2)) for left, right in ends
    ]
    for piece in pieces[:-1]:
        assert {point[1] for point in piece} == {140}
        assert min(distance(tuple(point), start, end) for point in piece) > 14


def test_the_eraser_leaves_the_rest_of_a_stroke_where_it_was(app: Explorer) -> None:
    stroke = wobble(3)
    pieces = app.run("drawing.js", "return m.erase(...a)", [[stroke], stroke[150], stroke[150]])
    assert len(pieces) >= 2
    lost = [point for point in stroke if min(away(point, [*map(tuple, piece)]) for piece in pieces) > 0.31]
    assert lost
    assert max(math.dist(point, stroke[150]) for point in lost) <= 14 + 3  # one step of the hand at each cut


# --- protocol.js ---


OTHERS = ["conv10k5-max2-conv20k13-fc10", "conv3k5-max2", "flatten", "fc10-fc3", "conv2k3x5-bn-drop50-avg3-gelu"]


@pytest.mark.parametrize("net", [*(str(preset) for preset in PRESETS.values()), *OTHERS])
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "rounded"])
def test_an_update_is_read_as_it_was_packed(app: Explorer, net: str, exact: bool) -> None:
    shapes = infer_shapes(parse(net))
    seen = parse_drawing("d4").preprocess()
    network = load_network(parse(net))
    trace = trace_activations(network.module, seen.image)
    weights = pack_weights(network.module)
    update = decoded(app, pack(7, "d4", shapes, seen.pixels, trace, network.label, exact=exact, weights=weights))
    assert (update["seq"], update["drawing"], update["net"], update["pending"]) == (
        7,
        "d4" if exact else "",
        net,
        False,
    )
    assert (update["error"] or {}).get("layer") == (shapes.error.layer if shapes.error else None)
    assert update["image"] == seen.pixels.ravel().tolist()
    last = trace.activations[-1]
    shown = [activation for activation in trace.activations if activation.kind != "Flatten" or activation is last]
    computed = {activation.name: activation.values.numpy() for activation in shown}
    assert [layer["name"] for layer in update["layers"]] == [*computed]
    for read, values in zip(update["values"], computed.values(), strict=True):
        expected = values.ravel() if exact else values.ravel().astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(np.array(read, np.float32), expected)
    assert np.array(update["weights"], "<f4").tobytes() == weights
    if shapes.classifies:
        assert trace.logits is not None
        np.testing.assert_array_equal(np.array(update["logits"], np.float32), trace.logits.numpy())
        assert sum(update["probabilities"]) == pytest.approx(1, abs=1e-5)
    else:
        assert (update["classes"], update["logits"], update["probabilities"]) == (0, [], [])


def test_an_update_without_numbers(app: Explorer) -> None:
    seen = example_drawing().preprocess()
    update = decoded(app, pack(0, "s", infer_shapes(LECTURE), seen.pixels, None, None))
    assert (update["pending"], update["values"], update["probabilities"]) == (True, [], [])
    assert update["image"] == seen.pixels.ravel().tolist()


def test_every_float16_is_read_as_numpy_reads_it(app: Explorer) -> None:
    """All 65,536 of them, as the values of a layer."""
    header = b'{"pending":false,"exact":false,"weights":0,"classes":0,"layers":[{"shape":[65536]}]}'
    data = len(header).to_bytes(4, "little") + header + bytes(784) + np.arange(65536, dtype="<u2").tobytes()
    read = np.array([float(value) for value in decoded(app, data, "String")["values"][0]])
    np.testing.assert_array_equal(read, np.arange(65536, dtype="<u2").view("<f2").astype(float))


def decoded(app: Explorer, data: bytes, number: str = "Number") -> dict[str, Any]:
    """What protocol.js makes of an update; it must not matter where in a buffer the bytes lie."""
    update: dict[str, Any] = app.run(
        "protocol.js",
        f"""const bytes = Uint8Array.from(atob(a), letter => letter.charCodeAt(0));
        const inside = new Uint8Array(bytes.length + 3);
        inside.set(bytes, 3);
        const update = m.decode(inside.subarray(3));
        const plain = (list) => Array.from(list, {number});
        return {{ ...update, image: Array.from(update.image), values: update.values.map(plain), logits: plain(update.logits),
          probabilities: plain(update.probabilities), weights: plain(update.weights) }};""",
        base64.b64encode(data).decode(),
    )
    return update


# --- geometry.js ---

LEAST = 12  # of a tile's smaller side, CSS pixels
DEEP = "conv16k3p1-conv16k3p1-max2-conv32k3p1-max2-fc10"
NETS = [*(str(preset) for preset in PRESETS.values()), DEEP, "conv10k5x3-fc10", "conv3k9", "conv1k1", "conv9k28"]


def small(shape: tuple[int, ...], grid: dict[str, float]) -> bool:
    """At its least side, or at half a CSS pixel a map pixel: smaller, neighbours could not be told apart."""
    return (
        len(shape) == 1
        or min(grid["tileWidth"], grid["tileHeight"]) * grid["dot"] <= max(LEAST, 0.5 * min(shape[1:])) + 1e-6
    )


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("width", "height"), [(300, 340), (760, 340), (1300, 560)])
@pytest.mark.parametrize("to_scale", [False, True])
def test_columns_fit_and_keep_proportions(app: Explorer, net: str, width: int, height: int, to_scale: bool) -> None:
    shapes = [layer.output_shape for layer in infer_shapes(parse(net)).layers if layer.spec.torch_name != "Flatten"]
    heads = [40 + 7 * number for number in range(len(shapes))]
    grids = app.run("geometry.js", "return m.columnsLayout(...a)", [shapes, heads, width, height, to_scale])
    assert len(grids) == len(shapes)
    fits = sum(max(grid["width"], head) for grid, head in zip(grids, heads, strict=True)) <= width
    assert fits or {*map(small, shapes, grids)} == {True}
    scales = set()
    for shape, grid in zip(shapes, grids, strict=True):
        channels, rows, columns = shape if len(shape) == 3 else (*shape, 1, 1)
        assert (grid["tileWidth"], grid["tileHeight"]) == (columns * grid["unit"], rows * grid["unit"])
        assert grid["columns"] * grid["rows"] >= channels > (grid["columns"] - 1) * grid["rows"]
        assert grid["dotsWide"] == grid["columns"] * (grid["tileWidth"] + grid["gap"]) - grid["gap"]
        assert [grid["width"], grid["height"]] == pytest.approx(
            [grid["dotsWide"] * grid["dot"], grid["dotsHigh"] * grid["dot"]]
        )
        assert grid["height"] <= height + 1e-6
        if len(shape) == 3:
            least = min(grid["tileWidth"], grid["tileHeight"]) * grid["dot"]
            assert least >= LEAST - 1e-6
            if (
                to_scale and least > 20 + 1e-6
            ):  # above the floor, one scale for all: a map with half the rows is half as high
                scales.add(round(grid["unit"] * grid["dot"], 6))
    assert len(scales) <= 1


@pytest.mark.parametrize("net", NETS)
def test_the_smallest_map_is_at_least_as_large_as_to_scale(app: Explorer, net: str) -> None:
    shapes = [layer.output_shape for layer in infer_shapes(parse(net)).layers if layer.spec.torch_name != "Flatten"]
    large, to_scale = app.run(
        "geometry.js",
        """const [shapes] = a;
        const least = (toScale) => Math.min(...m.columnsLayout(shapes, shapes.map(() => 60), 760, 380, toScale)
          .map(({ tileWidth, tileHeight, dot }) => Math.min(tileWidth, tileHeight) * dot));
        return [least(false), least(true)];""",
        [shapes],
    )
    assert large >= to_scale - 1e-6


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("width", [300, 366, 760, 1300])
def test_a_channel_keeps_its_place_within_a_block(app: Explorer, net: str, width: int) -> None:
    shapes = [layer.output_shape for layer in infer_shapes(parse(net)).layers if layer.spec.torch_name != "Flatten"]
    layouts = app.run(
        "geometry.js",
        """const [shapes, width] = a;
        const layouts = [m.columnsLayout(shapes, shapes.map(() => 60), width, 380), m.stackedLayout(shapes, width)];
        return layouts.map((grids) => grids.map(({ columns, rows }) => [columns, rows]));""",
        [shapes, width],
    )
    for grids in layouts:
        for (before, neighbour), (shape, grid) in itertools.pairwise(zip(shapes, grids, strict=True)):
            if len(shape) == len(before) == 3 and shape[0] == before[0]:
                assert grid == neighbour


@pytest.mark.parametrize("shape", [(4, 28, 1), (4, 1, 28), (2, 28, 9), (2, 3, 28)])
def test_a_narrow_map_fits_as_well(app: Explorer, shape: tuple[int, ...]) -> None:
    (grid,) = app.run("geometry.js", "return m.columnsLayout(...a)", [[shape], [40], 760, 340])
    assert grid["tileWidth"] * shape[1] == grid["tileHeight"] * shape[2]
    assert grid["height"] <= 340 + 1e-6
    assert grid["width"] <= 760 + 1e-6


@pytest.mark.parametrize(
    ("shape", "width"),
    [((10, 24, 24), 366), ((20, 4, 4), 366), ((6, 20, 10), 300), ((120,), 366), ((1, 28, 28), 280), ((256, 1, 1), 366)],
)
def test_stacked_tiles_are_large_enough_for_a_finger(app: Explorer, shape: tuple[int, ...], width: int) -> None:
    (grid,) = app.run("geometry.js", "return m.stackedLayout(...a)", [[shape], width])
    assert grid["width"] <= width + 1e-6
    assert grid["columns"] * grid["rows"] >= shape[0]
    if len(shape) == 3:
        assert min(grid["tileWidth"], grid["tileHeight"]) * grid["dot"] >= 40 - 1e-6


# --- formulas.js ---


@pytest.mark.parametrize(
    ("net", "before", "marked"),
    [
        ("conv10k5-max2-relu-conv20k5-max2-relu-fc10", "", {}),
        ("conv4k5x3s2p3d2-avg3s2p1-conv8k2p1d1-max2s1-fc10", "", {}),
        (
            "conv10k5-max2-fc10",
            "conv10k3-max2-fc10",
            {"conv1": ["5", "24"], "max1": ["24", "12"], "fc1": ["10·12·12 = 1440", "W·x + b"]},
        ),
        ("conv10k5p1-max2", "conv10k5-max2", {"conv1": ["2·1", "26"], "max1": ["26", "13"]}),
        ("conv9k5-max3-relu", "conv10k5-max2-relu", {"max1": ["3", "8"]}),
        ("conv4k3s2", "conv4k3", {"conv1": ["2", "13"]}),
        ("conv4k3d2", "conv4k3", {"conv1": ["2", "24"]}),
        ("conv4k3-tanh", "conv4k3-relu", {"tanh1": ["tanh(x)"]}),
        ("conv4k3-relu-relu", "conv4k3-relu", {"relu2": ["max(0, x)"]}),
    ],
)
def test_a_formula_comes_to_pytorchs_size_and_marks_what_has_changed(
    app: Explorer, net: str, before: str, marked: dict[str, list[str]]
) -> None:
    shapes = infer_shapes(parse(net))
    lines = app.run(
        "formulas.js",
        """const { differences } = await import(url.replace("formulas.js", "compare.js"));
        const [layers, former] = a, all = former && differences(layers, former);
        return Object.fromEntries(layers.map(({ name }, index) => [name, m.formulaOf(layers, index, former ?? [], all && all[index])]));""",
        [layer_records(shapes), layer_records(infer_shapes(parse(before))) if before else None],
    )
    assert {
        name: found for name in lines if (found := [p["text"] for line in lines[name] for p in line if p["touched"]])
    } == marked
    module = build_layers(shapes, seed=0)
    image = torch.zeros(1, 1, 28, 28)
    for layer in shapes.layers:
        image = module.get_submodule(layer.name)(image)
        if isinstance(layer.spec, WindowSpec):
            texts = ["".join(part["text"] for part in line).replace("\u00a0", " ") for line in lines[layer.name]]
            sides = [text.removeprefix("H: ").removeprefix("W: ").split(" = ") for text in texts]
            assert [int(size) for _, size in sides] == [*image.shape[2:]][-len(sides) :]
            for worked, size in sides:
                python = worked.translate({ord("⌊"): "math.floor(", ord("⌋"): ")", ord("·"): "*", ord("−"): "-"})
                assert eval(python, {"math": math}) == int(size)


@pytest.mark.parametrize("shape", [(10, 24, 24), (20, 4, 4), (3, 5, 9), (37,)])
def test_every_pixel_is_found_where_it_is_painted(app: Explorer, shape: tuple[int, ...]) -> None:
    channels, rows, columns = shape if len(shape) == 3 else (*shape, 1, 1)
    found = app.run(
        "geometry.js",
        """const [shape, [channels, rows, columns]] = a;
        const [grid] = m.columnsLayout([shape], [0], 500, 300);
        const at = (x, y) => m.pixelAt(grid, channels, x * grid.dot, y * grid.dot);
        const found = [];
        for (let map = 0; map < channels; map++) {
          const [left, top] = m.tileAt(grid, map);
          for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
            found.push(at(left + (column + 0.5) * grid.unit, top + (row + 0.5) * grid.unit));
          }
          if (map + 1 < channels && map % grid.rows < grid.rows - 1) {
            found.push(at(left + 0.5, top + grid.tileHeight + 0.5 * grid.gap));
          }
        }
        return [found, at(-1, 5), at(grid.dotsWide + 1, 5), at(5, grid.dotsHigh + 1)];""",
        [shape, [channels, rows, columns]],
    )
    pixels, *outside = found
    assert [pixel for pixel in pixels if pixel] == [
        {"map": channel, "row": row, "column": column}
        for channel in range(channels)
        for row in range(rows)
        for column in range(columns)
    ]
    assert pixels.count(None) > 0  # the gaps
    assert outside == [None, None, None]


# --- painting.js ---


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_run_from_blue_over_the_ground_to_orange(app: Explorer, theme: str) -> None:
    body = "return [-1, -0.5, 0, 0.5, 1].map(value => m.cssColour(value, 1, a).match(/\\d+/g).map(Number))"
    colours = app.run("painting.js", body, theme)
    low, lower, zero, higher, high = colours
    assert low[2] > low[0] + 60
    assert lower[2] > lower[0] + 30
    assert high[0] > high[2] + 60
    assert higher[0] > higher[2] + 30
    assert max(zero) - min(zero) <= 16
    assert app.run(
        "painting.js", "return [m.cssColour(5, 1, a), m.cssColour(-5, 1, a), m.cssColour(0, 0, a)]", theme
    ) == [f"rgb({', '.join(map(str, colour))})" for colour in (high, low, zero)]


def test_the_reach_is_the_largest_magnitude(app: Explorer) -> None:
    assert app.run("painting.js", "return [m.reachOf([1, -3, 2]), m.reachOf([1, -3, 2], 2, 3), m.reachOf([])]") == [
        3,
        2,
        0,
    ]


# --- how often the server is asked ---


def test_a_slow_server_is_asked_less_often(app: Explorer) -> None:
    pauses = app.run(
        "pace.js",
        """const pace = new m.Pace();
        pace.interval = 250;
        const pauses = a.map((took) => { pace.note(took); return pace.pause; });
        pace.slow();
        return [...pauses, pace.pause];""",
        [10, 900, 700, 900, 9000, 9000, 10, 10],
    )
    # Twice the quicker one of the last two, at most 3 s; 3 s at once where the server refuses.
    assert pauses == [250, 250, 1400, 1400, 1800, 3000, 250, 250, 3000]


def test_a_movement_of_the_pen_waits_for_the_end_of_its_stroke_where_its_maps_come_another_way(app: Explorer) -> None:
    sent = app.run(
        "server_channel.js",
        """let sent = [];
        const channel = new m.ServerChannel(() => ({ drawing: "s" }), ({ final, drawn }) => sent.push([final, drawn]));
        channel.pace.interval = 0;
        const told = (act) => { act(); const now = sent; sent = []; channel.acknowledge(channel.seq); return now; };
        const all = [
          told(() => { channel.push(false, true); channel.push(false, true); }),
          told(() => channel.push(true)),
          told(() => { channel.push(false, true); channel.ask(); }),
          told(() => { channel.push(false, true); channel.since -= 3000; channel.sentAt -= 3000; channel.push(false, true); }),
          told(() => channel.push(false)),
        ];
        channel.close();
        return all;""",
    )
    assert sent == [
        [],
        [[True, True]],  # the end of a stroke
        [[False, True]],  # something else is asked for
        [[False, True]],  # a stroke that goes on for seconds
        [[False, True]],  # maps come no other way
    ]


def test_maps_while_the_pen_moves_are_asked_for_one_after_the_other(app: Explorer) -> None:
    """Against a server that the test plays: the newest drawing wins, and what the server says about itself is heeded."""
    told = app.run(
        "pen_maps.js",
        """const real = window.fetch, asked = [], shown = [], told = {};
        let drawing = "", answer = () => {}, refused = 0;
        window.fetch = (address, { body, method }) => {
          asked.push([address.pathname, address.search, method, body]);
          return new Promise((resolve) => { answer = (status, length) => resolve(new Response(length === null ? null : new Uint8Array(length), { status })); });
        };
        const settled = () => new Promise((done) => setTimeout(done));
        const maps = new m.PenMaps(
          () => drawing && { net: "conv1k5-fc10", version: "v 1", id: "n v", drawing, length: 3 },
          { answered: (bytes, question) => shown.push([question.drawing, bytes.length]), refused: () => refused++ },
        );
        maps.pace.interval = 0;
        const ask = (text) => { drawing = text; maps.ask(); };
        ask("s1"); ask("s2"); ask("s3");
        answer(200, 3); await settled(); await settled();
        told.newest = asked.map(([, , , body]) => body);
        answer(503, 1); await settled(); await settled();
        told.slow = [maps.pace.pause, maps.serves("n v"), refused];
        maps.pace.note(0); maps.pace.note(0);
        ask("s4"); answer(200, 2); await settled(); await settled(); // of another length
        told.refused = [maps.serves("n v"), maps.serves("another"), refused];
        drawing = ""; maps.ask(); await settled();
        told.rests = asked.length;
        ask("s5"); ask("s6"); maps.close(); answer(204, null); await settled(); await settled();
        told.closed = asked.length;
        window.fetch = () => Promise.reject(new TypeError("no server"));
        ask("s7"); await settled(); await settled();
        told.lost = [maps.serves("another"), refused];
        window.fetch = real;
        return { ...told, asked: asked[0], shown };""",
    )
    assert told == {
        "newest": ["s1", "s3"],
        "slow": [3000, True, 0],
        "refused": [False, True, 1],
        "rests": 3,
        "closed": 4,
        "lost": [False, 2],
        "asked": ["/pen_maps", "?net=conv1k5-fc10&version=v+1", "POST", "s1"],
        "shown": [["s1", 3]],
    }
