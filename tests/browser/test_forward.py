"""The browser's own forward pass and its own preprocessing of strokes, against PyTorch's and Pillow's."""

import base64
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from browser.driver import Server
from browser.explorer import Explorer
from full_data import written_digits
from hypothesis import Phase, given, seed, settings
from playwright.sync_api import Page
from strategies import networks
from torch import nn

from cnn_explorer.digits.data import PenDigit, bundled_digits
from cnn_explorer.digits.drawing import CANVAS, parse_drawing
from cnn_explorer.digits.preprocessing import image_from_pixels, preprocess_strokes
from cnn_explorer.spec.layers import LAYERS
from cnn_explorer.spec.network import LECTURE, PRESETS, NetworkSpec, parse
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes
from cnn_explorer.ui.network_view import pack, pack_weights
from cnn_explorer.weights.builder import build_layers
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations

pytestmark = pytest.mark.browser

# --- forward.js ---

PARITY = 2e-5  # of the largest value of a layer, or of 1
BATCH = 40  # networks a call
MAX_PARAMETERS, MAX_VALUES, MAX_MACS = 60_000, 40_000, 2_000_000  # of a random network

# Networks come as {layers, weights, image}; back come the values of all layers, the logits and the probabilities,
# float32 in base64.
BASE64 = """
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const textOf = (numbers) => {
  let text = "";
  for (const byte of new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)) text += String.fromCharCode(byte);
  return btoa(text);
};
const forwardOf = ({ layers, weights }) => new m.Forward(layers, new Float32Array(bytesOf(weights).buffer));
"""
RUN = f"""{BASE64}
return a.map((net) => {{
  const {{ values, logits, probabilities }} = forwardOf(net).run(bytesOf(net.image));
  return [values.map(textOf), textOf(logits), textOf(probabilities)];
}});"""


class Case(NamedTuple):
    """A network with weights, and what it looks at, `(28, 28)` uint8."""

    shapes: NetworkShapes
    module: nn.Sequential
    pixels: np.ndarray

    @property
    def sent(self) -> dict[str, Any]:
        return {
            "layers": layer_records(self.shapes),
            "weights": base64.b64encode(pack_weights(self.module)).decode(),
            "image": base64.b64encode(self.pixels.tobytes()).decode(),
        }


def layer_records(shapes: NetworkShapes) -> list[dict[str, Any]]:
    """The layers as an update names them."""
    data = pack(0, "s", shapes, np.zeros((28, 28)), None, None)
    header: dict[str, Any] = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
    layers: list[dict[str, Any]] = header["layers"]
    return layers


def case(spec: NetworkSpec, number: int) -> Case:
    """With random weights; batch norms have statistics as if they had been trained."""
    shapes = infer_shapes(spec)
    module = build_layers(shapes, seed=number).eval()
    chance = torch.Generator().manual_seed(number)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            for tensor in (layer.weight.data, layer.bias.data, layer.running_mean):
                tensor.normal_(generator=chance)
            layer.running_var.uniform_(0.05, 3, generator=chance)
    return Case(shapes, module, bundled_digits().images[number % 1000])


def random_networks(number: int) -> list[NetworkSpec]:
    """Small enough to run many; where the geometry breaks, they have the layers before the break."""
    found: list[NetworkSpec] = []

    @seed(28)
    @settings(max_examples=2 * number, deadline=None, database=None, phases=[Phase.generate])
    @given(networks())
    def collect(spec: NetworkSpec) -> None:
        shapes = infer_shapes(spec)
        values = sum(int(np.prod(layer.output_shape)) for layer in shapes.layers)
        if shapes.layers and shapes.parameters <= MAX_PARAMETERS and values <= MAX_VALUES and shapes.macs <= MAX_MACS:
            found.append(spec)

    collect()
    return found


def assert_parity(app: Explorer, cases: list[Case]) -> None:
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        passes = app.run("forward.js", RUN, [case.sent for case in batch])
        for each, (values, logits, probabilities) in zip(batch, passes, strict=True):
            net = str(each.shapes.spec)
            trace = trace_activations(each.module, image_from_pixels(each.pixels))
            last = trace.activations[-1]
            shown = [
                activation for activation in trace.activations if activation.kind != "Flatten" or activation is last
            ]
            for activation, text in zip(shown, values, strict=True):
                assert_close(text, activation.values, f"{activation.name} of {net}")
            for text, expected in ((logits, trace.logits), (probabilities, trace.probabilities)):
                assert_close(text, torch.empty(0) if expected is None else expected, f"the answer of {net}")


def assert_close(text: str, expected: torch.Tensor, where: str) -> None:
    values, wanted = numbers(text), expected.numpy().ravel()
    assert values.shape == wanted.shape, where
    scale = max(1.0, float(np.abs(wanted).max(initial=0)))
    np.testing.assert_allclose(values, wanted, rtol=0, atol=PARITY * scale, err_msg=where)


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_random_networks_agree_with_torch(app: Explorer) -> None:
    specs = random_networks(200)
    assert len(specs) >= 150
    assert len({layer.spec.torch_name for spec in specs for layer in infer_shapes(spec).layers}) == len(LAYERS)
    assert_parity(app, [case(spec, number) for number, spec in enumerate(specs)])


ODD = [
    "conv4k3x5s2x1p1x2d1x2-conv6k1x3s3x2p0x4d1x3g2",
    "conv4k5x2s1x3p4x0d2x1-bn-conv4k3g4-conv2k7p9d3",
    "max3x2s2x1p1x0-avg2x3s1x2p1x1-max28x1s1p14x0",
    "conv8k28-fc5-gelu-fc3",
    "conv3k9p28-avg7s3p3-flatten-drop50-fc12-leakyrelu-fc17",
    "fc4-flatten",
    "drop30",
    "fc20-conv3k3",
]


def test_presets_the_trained_network_and_odd_ones_agree_with_torch(app: Explorer) -> None:
    cases = [case(spec, number) for number, spec in enumerate([*PRESETS.values(), *map(parse, ODD)])]
    trained = load_network(LECTURE).module
    cases += [Case(infer_shapes(LECTURE), trained, image) for image in bundled_digits().images[:20]]
    assert_parity(app, cases)


@pytest.mark.parametrize("kind", ["relu", "leakyrelu", "tanh", "sigmoid", "gelu"])
def test_activations_agree_with_torch_far_from_zero(app: Explorer, kind: str) -> None:
    """A 1×1 convolution spreads the pixels from −6 to 6, and further."""
    for reach in (6, 40):
        each = case(parse(f"conv1k1-{kind}"), 0)
        with torch.no_grad():
            each.module.conv1.weight.fill_(2 * reach * 0.3081)
            each.module.conv1.bias.fill_(2 * reach * 0.1307 - reach)
        pixels = np.arange(784).astype(np.uint8).reshape(28, 28)
        assert_parity(app, [each._replace(pixels=pixels)])


def test_large_logits_do_not_overflow(app: Explorer) -> None:
    each = case(parse("fc10"), 3)
    for least in (-2000, 2000):
        with torch.no_grad():
            each.module.fc1.weight.zero_()
            each.module.fc1.bias.copy_(least + torch.arange(10) / 2)
        assert_parity(app, [each])


def test_the_weights_are_taken_apart_as_torch_names_them(app: Explorer) -> None:
    each = case(parse("conv4k3-relu-bn-conv6k3x2s2p1d1x2g2-gelu-fc5"), 7)
    body = (
        f"{BASE64} return forwardOf(a).parameters.map((own) => own && Object.entries(own).map(([name, view]) "
        "=> [name, textOf(view)]))"
    )
    found = app.run("forward.js", body, each.sent)
    names = {"weight": "weight", "bias": "bias", "mean": "running_mean", "variance": "running_var"}
    layers = [layer for name, layer in each.module.named_children() if name not in ("normalize", "flatten")]
    assert [own is not None for own in found] == [True, False, True, True, False, True]
    for layer, own in zip(layers, found, strict=True):
        tensors = {name: tensor for name, tensor in layer.state_dict().items() if tensor.dim()}
        assert [names[name] for name, _ in own or []] == [*tensors]
        for name, text in own or []:
            np.testing.assert_array_equal(numbers(text), tensors[names[name]].numpy().ravel())


def test_weights_of_another_network_are_refused(app: Explorer) -> None:
    sent = case(LECTURE, 0).sent | {"weights": case(parse("conv9k5-fc10"), 0).sent["weights"]}
    said = app.run("forward.js", f"{BASE64} try {{ forwardOf(a); }} catch (error) {{ return `${{error}}`; }}", sent)
    assert said.startswith("RangeError: weights (")


def test_a_pass_keeps_its_numbers_while_others_run(app: Explorer) -> None:
    sent = case(parse("conv2k3-drop50-flatten-fc10"), 1).sent
    body = f"""{BASE64}
    const forward = forwardOf(a), image = bytesOf(a.image), kept = forward.run(image);
    const all = ({{ values, logits, probabilities }}) => [...values, logits, probabilities];
    const before = all(kept).map(textOf), other = forward.run(new Uint8Array(784));
    const buffers = new Set([...all(kept), ...all(other)].map((numbers) => numbers.buffer));
    return [before, all(kept).map(textOf), all(other).map(textOf), buffers.size];"""
    before, after, other, buffers = app.run("forward.js", body, sent)
    assert before == after
    assert all(mine != its for mine, its in zip(before, other, strict=True))
    assert buffers == 2 * len(before)


# --- raster.js ---

Strokes = list[list[tuple[float, ...]]]
PIXEL_DIFFERENCE, WORST_DRAWING = 0.03, 4.0  # of 255, on average over the 784 pixels: of all drawings, of any


def on_canvas(digit: PenDigit, chance: random.Random) -> Strokes:
    """Drawn somewhere on the canvas, as large as people draw."""
    points = np.concatenate([np.array(stroke) for stroke in digit.strokes])
    low, high = points.min(axis=0), points.max(axis=0)
    scale = chance.uniform(90, 240) / max(high - low)
    left, top = (chance.uniform(8, CANVAS - 8 - side) for side in (high - low) * scale)
    return [[((x - low[0]) * scale + left, (y - low[1]) * scale + top) for x, y in stroke] for stroke in digit.strokes]


def images(app: Explorer, drawings: list[Strokes]) -> np.ndarray:
    """What the browser makes of strokes, `(drawings, 784)` in 0..255."""
    return np.array(app.run("raster.js", "return a.map((strokes) => [...m.imageOfStrokes(strokes)])", drawings))


def python_image(strokes: Strokes) -> np.ndarray:
    plain = [[point[:2] for point in stroke] for stroke in strokes]
    return preprocess_strokes(plain, canvas_size=280, pen_width=16).pixels.ravel().astype(int)


def test_handwriting_looks_the_same_and_is_read_the_same(app: Explorer) -> None:
    """The whole way of a drawing: its points are simplified and rounded, then the browser and Python make an image of
    the same strokes.
    """
    chance = random.Random(5)
    drawings = [on_canvas(digit, chance) for digit in written_digits()[::6]]
    assert len(drawings) >= 1000
    body = """const { sentStrokes, encodeStrokes } = await import(url.replace("raster.js", "drawing.js"));
    return a.map((strokes) => [encodeStrokes(strokes), [...m.imageOfStrokes(sentStrokes(strokes))]]);"""
    texts, seen = zip(*app.run("raster.js", body, drawings), strict=True)
    in_browser = np.array(seen, dtype=np.uint8)
    in_python = np.array([parse_drawing(text).preprocess().pixels.ravel() for text in texts])
    difference = np.abs(in_browser.astype(int) - in_python).mean(axis=1)
    assert difference.mean() <= PIXEL_DIFFERENCE
    assert difference.max() <= WORST_DRAWING
    assert (answers(in_browser) == answers(in_python)).mean() >= 0.995


def answers(pixels: np.ndarray) -> np.ndarray:
    batch = torch.cat([image_from_pixels(each.reshape(28, 28)) for each in pixels])
    with torch.inference_mode():
        return load_network(LECTURE).module(batch).argmax(dim=1).numpy()


BODY = [(60.0, 200.0), (140.0, 40.0), (220.0, 200.0)]
SPECIAL: dict[str, Strokes] = {
    "a dot": [[(100, 100)]],
    "a dot at the corner": [[(0, 0)]],
    "a dot of two points": [[(100, 100), (100, 100)]],
    "two dots": [[(100, 100)], [(112, 104)]],
    "a short line": [[(100, 100), (103, 101)]],
    "half a pixel from its place, and down is even": [[(20, 28), (32, 28)]],
    "half a pixel from its place, and up is even": [[(40, 0), (40, 10)]],
    "a long horizontal line": [[(0, 140), (280, 140)]],
    "a long vertical line": [[(140, 0), (140, 280)]],
    "from corner to corner": [[(0, 0), (280, 280)], [(280, 0), (0, 280)]],
    "all along the edges": [[(0, 0), (280, 0), (280, 280), (0, 280), (0, 0)]],
    "beyond the edges": [[(-280, 560), (560, -280), (560, 300)]],
    "heavy on one side": [[(20, 20), (20, 260)], [(32, 20), (32, 260)], [(44, 20), (44, 260)], [(20, 260), (260, 260)]],
    "a speck far away": [BODY, [(20, 20), (22, 22)]],
    "a speck beside small writing": [[(20, 20), (80, 20)], [(60, 100), (65, 100)]],
    "a tittle that touches": [BODY, [(50, 206), (52, 206)]],
    "an empty stroke": [[], BODY],
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_drawings_look_as_in_python(app: Explorer, name: str) -> None:
    (seen,) = images(app, [SPECIAL[name]])
    assert np.abs(seen - python_image(SPECIAL[name])).mean() <= PIXEL_DIFFERENCE


def test_nothing_drawn_is_no_ink(app: Explorer) -> None:
    assert not images(app, [[], [[]]]).any()


def test_a_speck_is_dropped_and_a_tittle_is_not(app: Explorer) -> None:
    body, speck, tittle = images(app, [[BODY], SPECIAL["a speck far away"], SPECIAL["a tittle that touches"]])
    assert (speck == body).all()
    assert (tittle != body).any()


def test_pressure_and_place_make_no_difference(app: Explorer) -> None:
    pressed = [[(*point, 0.1 * at) for at, point in enumerate(BODY)]]
    plain, with_pressure, moved = images(app, [[BODY], pressed, [[(x - 30, y + 17) for x, y in BODY]]])
    assert (with_pressure == plain).all()
    assert (moved == plain).all()


def test_a_browser_that_was_busy_at_first_follows_later(new_page: Callable[..., Page], server: Server) -> None:
    page = new_page()
    page.add_init_script(
        """const now = performance.now.bind(performance);
        let late = 0;
        window.busy = true;
        performance.now = () => now() + (window.busy ? late += 10 : late); // every pass seems to take 10 ms"""
    )
    page.goto(server.url)
    app = Explorer(page).ready()
    page.locator(".network-view[data-follows=false]").wait_for()
    assert page.locator(".agree").is_hidden()
    page.evaluate("window.busy = false")
    page.locator(".network-view[data-follows=true]").wait_for()
    page.locator(".agree").filter(has_text="✓ PyTorch agrees").wait_for()
    before = app.page.locator(".network-view").get_attribute("data-followed")
    app.draw((60, 140), (220, 140))
    assert page.locator(".network-view").get_attribute("data-followed") != before


def test_a_network_too_heavy_for_the_browser_is_so_after_a_light_one_too(app: Explorer) -> None:
    usable = app.run(
        "preview.js",
        """
        const preview = new m.Preview(), image = new Uint8Array(784), weights = new Float32Array(0);
        const light = { name: "relu1", kind: "ReLU", shape: [1, 28, 28], macs: 0, parameters: 0, window: null, groups: 1 };
        const learned = (layer) => { preview.learn({ id: "", layers: [layer], weights, image }); return preview.usable; };
        return [learned(light), learned({ ...light, macs: 1e9 }), learned(light), learned({ ...light, kind: "Unknown" })];
        """,
    )
    assert usable == [True, False, True, False]
