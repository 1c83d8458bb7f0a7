"""From a layer's maps to one map to one multiplication, with mouse, finger and keyboard, in a real browser; and maps
without the server.
"""

import base64
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser.conftest import Visit
from browser.driver import PHONE, Server
from browser.explorer import Explorer, Tile
from browser.test_draw import swipe, touch
from browser.test_explore import FOCUSED, LECTURES, computed, middle, pixels, point_at, read
from playwright.sync_api import Locator
from torch import nn
from torch.nn import functional

from cnn_explorer.digits.drawing import example_drawing, parse_drawing
from cnn_explorer.spec.network import parse
from cnn_explorer.spec.shapes import LayerShapes, infer_shapes
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations

pytestmark = pytest.mark.browser

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom, CSS pixels of a canvas


# --- looking ---


def panel(app: Explorer) -> Locator:
    return app.page.locator(".detail:not(.kernels)")


def lines(app: Explorer) -> list[str]:
    found: list[str] = panel(app).locator(".lines li").all_inner_texts()
    return found


def settle(app: Explorer) -> None:
    """Wait until nothing moves any more."""
    app.page.wait_for_function("view => !view.getAnimations({ subtree: true }).length", arg=app.view.element_handle())


def rest(app: Explorer) -> Explorer:
    """Wait until the browser has the weights, PyTorch's numbers are on screen and agreed with, and the drawing is
    judged.
    """
    app.page.locator(".agree").filter(has_text="✓ PyTorch agrees").wait_for()
    app.page.locator(".network-view[data-judging=false]").wait_for()
    return app


def open_map(app: Explorer, layer: str, number: int, row: int, column: int, side: int) -> None:
    """Click on one pixel of a map."""
    point_at(app, app.tiles(layer)[number], row, column, side)
    app.page.mouse.down()
    app.page.mouse.up()
    panel(app).wait_for()
    settle(app)


def close(app: Explorer) -> None:
    app.page.keyboard.press("Escape")
    panel(app).wait_for(state="hidden")
    settle(app)


def outline(app: Explorer, name: str) -> Locator:
    """The canvas over a layer's maps, over the drawing ("surface") or over the image ("seen")."""
    return app.page.locator(
        f".{name} .outline" if name in ("surface", "seen") else f".tiles:has(canvas[data-layer='{name}']) .outline"
    )


def opacity(canvas: Locator) -> np.ndarray:
    """How opaque a canvas is, `(height, width)` uint8."""
    width, height, text = canvas.evaluate(
        """(canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let text = "";
          for (let at = 3; at < data.length; at += 4) text += String.fromCharCode(data[at]);
          return [canvas.width, canvas.height, btoa(text)];
        }"""
    )
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width)


def framed(app: Explorer, name: str, solid: list[Rectangle], dashed: list[Rectangle] = []) -> None:  # noqa: B006
    """These rectangles are framed, and nothing else is. A frame is 3 pixels wide; what lies on the
    padding is dashed.
    """
    alpha = opacity(outline(app, name))
    if not solid:
        assert not alpha.any(), name
        return
    near, on = np.zeros(alpha.shape, bool), np.zeros(alpha.shape, bool)
    down, across = np.indices(alpha.shape) + 0.5
    for rectangles, wanted in ((solid, True), (dashed, False)):
        for left, top, right, bottom in rectangles:
            distance = np.where(
                (across >= left) & (across <= right) & (down >= top) & (down <= bottom),
                np.minimum.reduce([across - left, right - across, down - top, bottom - down]),
                np.hypot(
                    np.maximum.reduce([left - across, across - right, 0 * down]),
                    np.maximum.reduce([top - down, down - bottom, 0 * down]),
                ),
            )
            near |= distance <= 2.7
            on |= (distance <= 0.9) & wanted
    assert (alpha[~near] == 0).all(), f"{name}: ink beside the frames"
    assert (alpha[on] > 0).all(), f"{name}: a frame is missing"


def part(app: Explorer, layer: str, tile: Tile, side: int, rows: range, columns: range) -> Rectangle:
    """Rows and columns of a map, in CSS pixels of the layer's canvas."""
    box = app.canvas(layer).bounding_box()
    assert box
    dot = tile.width / side
    left, top = tile.x - box["x"], tile.y - box["y"]
    return (left + columns.start * dot, top + rows.start * dot, left + columns.stop * dot, top + rows.stop * dot)


def field(layer: LayerShapes, row: int, column: int) -> tuple[range, range]:
    """The pixels of the image that a value sees, clipped."""
    found = []
    for axis, at in enumerate((row, column)):
        seen = layer.receptive_field
        first = round(seen.centre[axis] + at * seen.jump[axis] - (seen.size[axis] - 1) / 2)
        found.append(range(max(0, first), min(28, first + seen.size[axis])))
    return found[0], found[1]


def placed(app: Explorer, drawing: str, rows: range, columns: range) -> Rectangle:
    """The same on the drawing."""
    strokes = [[*map(list, stroke)] for stroke in parse_drawing(drawing).strokes]
    lies = app.run("raster.js", "return m.placementOf(a)", strokes)
    share = app.paper.evaluate("paper => paper.getBoundingClientRect().width") / 280
    left, top, right, bottom = (
        share * (lies[edge] + at * lies["scale"])
        for edge, at in (("left", columns.start), ("top", rows.start), ("left", columns.stop), ("top", rows.stop))
    )
    return left, top, right, bottom


# --- linked hover ---


def test_a_value_lights_its_window_and_its_pixels_of_the_drawing(visit: Visit) -> None:
    net = "conv4k3p1-relu-conv6k5s2p2-fc10"  # 28, 28, 14
    drawing = example_drawing().text
    app = visit(net=net)
    conv2 = infer_shapes(parse(net)).layers[2]
    for row, column in ((6, 9), (0, 13)):
        point_at(app, app.tiles("conv2")[4], row, column, 14)
        down, across = range(2 * row - 2, 2 * row + 3), range(2 * column - 2, 2 * column + 3)
        on = range(max(0, down.start), min(28, down.stop)), range(max(0, across.start), min(28, across.stop))
        for layer in ("conv1", "relu1"):
            clipped = app.tiles("conv1") if layer == "conv1" else app.tiles("relu1")
            whole = [part(app, layer, tile, 28, down, across) for tile in clipped]
            framed(app, layer, [part(app, layer, tile, 28, *on) for tile in clipped], whole if row == 0 else [])
        framed(
            app,
            "conv2",
            [part(app, "conv2", app.tiles("conv2")[4], 14, range(row, row + 1), range(column, column + 1))],
        )
        pixel = field(conv2, row, column)
        assert len(pixel[0]) == (7 if row else 4)
        framed(app, "seen", [(3 * pixel[1].start, 3 * pixel[0].start, 3 * pixel[1].stop, 3 * pixel[0].stop)])
        framed(app, "surface", [placed(app, drawing, *pixel)])
    # The other way: a pixel of the drawing lights what it reaches.
    whole = placed(app, drawing, range(28), range(28))
    box = app.paper.bounding_box()
    assert box
    row, column = 11, 15
    app.page.mouse.move(
        box["x"] + whole[0] + (column + 0.5) * (whole[2] - whole[0]) / 28,
        box["y"] + whole[1] + (row + 0.5) * (whole[3] - whole[1]) / 28,
    )
    framed(app, "seen", [(3 * column, 3 * row, 3 * column + 3, 3 * row + 3)])
    for layer in ("conv1", "relu1"):
        framed(
            app,
            layer,
            [
                part(app, layer, tile, 28, range(row - 1, row + 2), range(column - 1, column + 2))
                for tile in app.tiles(layer)
            ],
        )
    windows = [[at for at in range(14) if {*range(2 * at - 3, 2 * at + 4)} & {place}] for place in (row, column)]
    down, across = (range(places[0], places[-1] + 1) for places in windows)
    framed(app, "conv2", [part(app, "conv2", tile, 14, down, across) for tile in app.tiles("conv2")])
    app.page.mouse.move(640, 715)
    for name in ("seen", "surface", "conv1", "relu1", "conv2"):
        framed(app, name, [])
    # Where the image lies on the drawing: ink has the same centre in both.
    image = parse_drawing(drawing).preprocess().pixels / 255
    paper = opacity(app.paper) > 127
    scale = (whole[2] - whole[0]) / 28
    centre = [(np.indices(image.shape)[axis] * image).sum() / image.sum() + 0.5 for axis in (0, 1)]
    theirs = [np.indices(paper.shape)[axis][paper].mean() for axis in (0, 1)]
    assert [whole[1] + centre[0] * scale, whole[0] + centre[1] * scale] == pytest.approx(theirs, abs=scale)


# --- an opened map ---


def parts_of(
    net: str, drawing: str, layer: str, map_: int, row: int, column: int
) -> tuple[list[int], dict[int, float], float]:
    """Input channels of a convolution, strongest first; what each adds to one pixel; the bias."""
    module = load_network(parse(net)).module
    trace = trace_activations(module, parse_drawing(drawing).preprocess().image)
    names = [activation.name for activation in trace.activations]
    at = names.index(layer)
    value = trace.activations[at - 1].values if at else trace.normalized
    conv = module.get_submodule(layer)
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    seen = conv.in_channels // conv.groups
    first = map_ // (conv.out_channels // conv.groups) * seen
    maps = {}
    with torch.no_grad():
        for place in range(seen):
            kernel = conv.weight[map_ : map_ + 1, place : place + 1]
            channel = value[None, first + place : first + place + 1]
            maps[first + place] = functional.conv2d(channel, kernel, None, conv.stride, conv.padding, conv.dilation)[
                0, 0
            ]  # type: ignore[arg-type]
    order = sorted(maps, key=lambda channel: -float(maps[channel].abs().sum()))
    return order, {channel: float(sums[row, column]) for channel, sums in maps.items()}, conv.bias[map_].item()


def assert_sum(app: Explorer, net: str, layer: str, map_: int, row: int, column: int) -> None:
    """The panel shows this pixel's sum, and says that it is PyTorch's."""
    drawing = app.drawing
    order, sums, bias = parts_of(net, drawing, layer, map_, row, column)
    theirs = float(computed(net, drawing)[layer][map_, row, column])
    rows = panel(app).locator(".part")
    assert [int(channel or -1) for channel in rows.evaluate_all("all => all.map(row => row.dataset.channel)")] == order[
        : rows.count()
    ]
    assert rows.count() == min(len(order), 6)
    running = 0.0
    for channel, text in zip(order, rows.locator(".what").all_inner_texts(), strict=False):
        running += sums[channel]
        number, added = text.split(": ")
        assert int(number) == channel + 1
        assert read(added) == pytest.approx([sums[channel], running], rel=0.006, abs=1e-5)
    one, whole, with_bias, torchs = lines(app)
    assert one.startswith(f"Pixel ({row}, {column}), channel ")
    channel, _, shown = read(one.split("channel ")[1])
    assert shown == pytest.approx(sums[int(channel) - 1], rel=1e-5, abs=1e-5)
    assert whole.startswith("Σ")
    assert read(whole)[-1] == pytest.approx(sum(sums.values()), rel=1e-5, abs=1e-5)
    assert read(with_bias) == pytest.approx([bias, theirs], rel=1e-5, abs=2e-6)
    assert read(torchs) == pytest.approx([theirs], rel=1e-6, abs=1e-6)
    assert torchs.endswith(" ✓ agrees")


@contextmanager
def sent_frames(app: Explorer) -> Iterator[list[Any]]:
    """What goes to the server meanwhile."""
    frames: list[Any] = []
    devtools = app.devtools()
    devtools.on("Network.webSocketFrameSent", lambda frame: frames.append(frame))
    devtools.send("Network.enable")
    yield frames
    app.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    devtools.detach()


def test_a_map_opens_into_its_sum_and_closes_again_without_the_server(revisit: Visit) -> None:
    app = rest(revisit())
    apart = ".layers > .aside"
    moved = "all => all.filter(part => part.style.transform).length"
    with sent_frames(app) as frames:
        for tile in app.tiles("conv1"):
            app.page.mouse.move(*middle(tile))
        open_map(app, "conv2", 3, 4, 2, 8)
        assert panel(app).locator("h4").inner_text() == "conv2 · map 4 of 20"
        assert_sum(app, LECTURES, "conv2", 3, 4, 2)
        assert app.page.locator(apart).count() == 12  # of 7 columns and 7 joints
        assert app.page.locator(".layers > :not(.aside) canvas[data-layer]").evaluate_all(
            "all => all.map(canvas => canvas.dataset.layer)"
        ) == ["relu1", "conv2"]
        dimmed = app.page.locator(apart).evaluate_all("all => all.map(part => getComputedStyle(part).opacity)")
        assert {*dimmed} == {"0.3"}
        assert app.page.locator(".layers > *").evaluate_all(moved) == 14
        readable(app)
        every = panel(app).locator(".every")
        every.click()
        order, _, _ = parts_of(LECTURES, app.drawing, "conv2", 3, 4, 2)
        channels = panel(app).locator(".part").evaluate_all("all => all.map(row => Number(row.dataset.channel))")
        assert (channels, every.inner_text()) == (order, "strongest 6")
        every.click()
        panel(app).locator(".part").nth(1).hover(position={"x": 10, "y": 10})  # its products are written out
        assert lines(app)[0].startswith(f"Pixel (4, 2), channel {order[1] + 1}: 25 products")
        # Hold a pixel: the pointer no longer changes it until the map is pressed again.
        chain = panel(app).locator(".chain")
        chain.click(position={"x": 40, "y": 60})
        held = lines(app)[0]
        chain.hover(position={"x": 60, "y": 80})
        assert lines(app)[0] == held
        chain.click(position={"x": 40, "y": 60})
        chain.hover(position={"x": 62, "y": 80})
        assert lines(app)[0] != held
        row, column = map(int, re.findall(r"\((\d), (\d)\)", lines(app)[0])[0])
        assert_sum(app, LECTURES, "conv2", 3, row, column)
        close(app)
        assert app.page.locator(apart).count() == app.page.locator(".layers > *").evaluate_all(moved) == 0
        app.page.mouse.move(640, 715)
        assert app.card.is_hidden()
        for layer in app.layers():
            framed(app, layer, [])
        # A click on empty space closes as well, below the view or in it.
        open_map(app, "conv1", 7, 10, 11, 24)
        app.page.mouse.click(1270, 714)
        panel(app).wait_for(state="hidden")
        settle(app)
        open_map(app, "conv1", 7, 10, 11, 24)
        assert panel(app).locator("h4").inner_text() == "conv1 · map 8 of 10"
        assert_sum(app, LECTURES, "conv1", 7, 10, 11)
        stage, opened = app.page.locator(".stage").bounding_box(), panel(app).bounding_box()
        assert stage
        assert opened
        app.page.mouse.click(opened["x"] + opened["width"] + 30, stage["y"] + stage["height"] - 6)
        panel(app).wait_for(state="hidden")
        assert app.page.locator(apart).count() == 0
        app.page.mouse.move(*app.place(140, 140))
    assert frames == []


def readable(app: Explorer) -> None:
    """Digits of 12 pixels or more: as text, and on canvases, which are not scaled."""
    sizes = panel(app).evaluate(
        "panel => [...panel.querySelectorAll('*')].map(each => parseFloat(getComputedStyle(each).fontSize))"
    )
    assert min(sizes) >= 12
    assert app.run("picture.js", "return m.FONT") >= 12
    scales = (
        panel(app)
        .locator("canvas")
        .evaluate_all("all => all.map(canvas => canvas.getBoundingClientRect().width / canvas.width)")
    )
    assert min(scales) >= 0.98


def test_the_other_kinds_of_layers_tell_how_a_value_comes_about(visit: Visit) -> None:
    net = "conv4k3p1-bn-tanh-avg2-conv8k3p1g2-max2-relu-fc9"  # 28, 14, 7; nine outputs: not trained on the spot
    app = rest(visit(net=net, drawing="d8"))
    values = computed(net, "d8")
    open_map(app, "conv2", 5, 7, 7, 14)
    assert_sum(app, net, "conv2", 5, 7, 7)
    assert panel(app).locator(".part").count() == 2  # of its group
    close(app)
    for layer, before, side, worked in (
        ("max1", "conv2", 7, lambda seen: seen.max()),
        ("avg1", "tanh1", 14, lambda seen: seen.mean()),
    ):
        shape = len(values[layer])
        row, column = 3, 4
        open_map(app, layer, shape - 1, row, column, side)
        seen = values[before][shape - 1, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        result, torchs = lines(app)
        assert panel(app).locator("h4").inner_text() == f"{layer} · map {shape} of {shape}"
        assert read(result.split("=")[0].replace("− ", "−"))[:4] == pytest.approx(seen.ravel(), rel=0.006, abs=1e-5)
        assert read(result.split("=")[1])[0] == pytest.approx(worked(seen), rel=1e-5, abs=1e-6)
        assert read(torchs) == pytest.approx([values[layer][shape - 1, row, column]], rel=1e-5, abs=1e-6)
        assert torchs.endswith(" ✓ agrees")
        numbers = panel(app).locator(".numbers")
        assert [read(text)[0] for text in (numbers.get_attribute("aria-label") or "").split(";")] == pytest.approx(
            seen.ravel(), rel=0.006, abs=1e-5
        )
        ringed = rings(app)
        if layer == "max1":
            best = divmod(int(seen.argmax()), 2)
            assert result.endswith(f"from row {2 * row + best[0]}, column {2 * column + best[1]}")
            assert ringed == [at == int(seen.argmax()) for at in range(4)]
        else:
            assert ringed == [False] * 4
        close(app)
    for layer, before, side, number in (("relu1", "max1", 7, 2), ("bn1", "conv1", 28, 1), ("tanh1", "bn1", 28, 0)):
        open_map(app, layer, number, 3, 3, side)
        (line,) = lines(app)
        x, y = values[before][number, 3, 3], values[layer][number, 3, 3]
        assert read(line)[-1] == pytest.approx(y, rel=1e-5, abs=1e-6), line
        assert any(seen == pytest.approx(x, rel=1e-5, abs=1e-6) for seen in read(line)[:-1]), line
        close(app)


def rings(app: Explorer) -> list[bool]:
    """Which of four numbers have a dark frame: what is drawn just inside a cell's edge is black only there."""
    painted = pixels(app, panel(app).locator(".numbers"))[..., :3].astype(int)
    high, wide = painted.shape[0] // 2, painted.shape[1] // 2
    corners = [
        painted[row * high + 1 : row * high + 3, column * wide + 8 : column * wide + 20]
        for row in (0, 1)
        for column in (0, 1)
    ]
    return [bool(corner.max(axis=2).min() < 60) for corner in corners]


def test_an_answer_opens_into_its_logit_and_its_softmax(revisit: Visit) -> None:
    app = rest(revisit())
    values = computed(LECTURES, app.drawing)
    rows = app.page.locator(".probabilities li")
    rows.nth(3).click()
    panel(app).wait_for()
    assert panel(app).locator("h4").inner_text() == "fc1 · output for digit 3"
    largest, whole, with_bias, torchs = lines(app)
    assert largest == "The largest of 320 products"
    linear = load_network(parse(LECTURES)).module.get_submodule("fc1")
    assert isinstance(linear, nn.Linear)
    assert linear.bias is not None
    logit, bias = values["fc1"][3], linear.bias[3].item()
    assert read(whole)[-1] == pytest.approx(logit - bias, rel=1e-5, abs=1e-5)
    assert read(with_bias) == pytest.approx([bias, logit], rel=1e-5, abs=1e-5)
    assert read(torchs) == pytest.approx([logit], rel=1e-6)
    assert torchs.endswith(" ✓ agrees")
    softmax = panel(app).locator(".softmax")
    quotient = softmax.inner_text().split(") = ")[-1]
    power, total, share = read(quotient)
    assert power == pytest.approx(np.exp(logit), rel=0.01)
    assert total == pytest.approx(np.exp(values["fc1"]).sum(), rel=0.01)
    assert share == pytest.approx(100 * values["probabilities"][3], rel=0.006)
    settle(app)
    powers = softmax.locator(".power")
    assert powers.count() == 11
    powers.nth(8).hover()
    assert rows.evaluate_all("all => all.findIndex(row => row.classList.contains('marked'))") == 7
    assert [read(text) for text in powers.all_inner_texts()[1:]] == [
        pytest.approx([each], rel=0.006) for each in values["fc1"]
    ]
    rows.nth(2).hover()
    assert softmax.locator(".power.marked").evaluate_all("all => all.map(word => word.dataset.digit)") == ["2"]
    close(app)
    # The layer table: every layer beside what a fully connected one would cost.
    app.page.locator(".layer-table summary").click()
    cells = app.page.locator(".layer-table tr").evaluate_all(
        "all => all.map(row => [...row.children].map(cell => cell.textContent))"
    )
    table = {name: rest for name, *rest in cells}
    assert table["conv1"] == ["10×24×24", "5×5", "260", "144,000", "4,521,600"]
    assert table["conv2"] == ["20×8×8", "14×14", "5,020", "320,000", "1,844,480"]
    assert table["relu1"][2:] == ["–", "–", "–"]
    assert table["fc1"] == ["10", "28×28", "3,210", "3,200", "3,210"]
    layers = infer_shapes(parse(LECTURES)).layers
    instead = sum(
        int(np.prod(layer.output_shape)) * (int(np.prod(layer.input_shape)) + 1)
        for layer in layers
        if layer.spec.torch_name in ("Conv2d", "MaxPool2d", "Linear")
    )
    assert table["all layers"][2:] == ["8,490", "467,200", f"{instead:,}"]
    app.page.locator(".layer-table summary").click()


# --- the maps follow the pen, and the panel follows the maps ---


@contextmanager
def silent(server: Server) -> Iterator[None]:
    """The server answers nothing meanwhile."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def followed(app: Explorer) -> int:
    return int(app.view.get_attribute("data-followed") or 0)


def test_maps_answer_and_panel_follow_the_pen_without_the_server(revisit: Visit, server: Server) -> None:
    app = rest(revisit())
    before = app.drawing
    open_map(app, "conv2", 9, 3, 5, 8)
    told = lines(app)
    with silent(server):
        with app.stroke(60, 230):
            for stop in ((140, 250), (240, 200), (40, 40)):
                count, answer, look = followed(app), app.probabilities(), app.colours("conv2")
                app.page.mouse.move(*app.place(*stop), steps=3)
                app.page.wait_for_function(
                    "([view, count]) => Number(view.dataset.followed) > count", arg=[app.view.element_handle(), count]
                )
                assert app.probabilities() != answer
                assert app.colours("conv2") != look
                assert lines(app)[:3] != told[:3]
                told = lines(app)
                assert told[3] == "PyTorch's number comes when the pen rests"  # not the browser's own in its name
                assert app.page.locator(".agree").is_hidden()
        app.still()
        own, told = app.probabilities(), lines(app)
    drawing = app.wait_drawing(before)
    rest(app)
    theirs = computed(LECTURES, drawing)
    assert own == pytest.approx(theirs["probabilities"], rel=1e-4, abs=1e-6)
    assert app.probabilities() == pytest.approx(theirs["probabilities"], rel=1e-6, abs=1e-9)
    assert_sum(app, LECTURES, "conv2", 9, 3, 5)
    assert read(lines(app)[2]) == pytest.approx(read(told[2]), rel=1e-4, abs=1e-5)
    close(app)
    app.do("undo")


def test_a_heavy_network_follows_with_pytorchs_numbers(visit: Visit) -> None:
    net = "conv32k5-conv64k5-max2-fc10"
    app = visit(net=net)
    app.page.locator("[data-follows=false]").wait_for()
    drawing = app.draw((60, 230), (220, 230))
    app.wait_answer(computed(net, drawing)["probabilities"])
    assert followed(app) == 0
    open_map(app, "conv1", 31, 2, 2, 24)  # a map that the next network does not have
    app.type("architecture", "conv8k3-max2")
    app.wait_net("conv8k3-max2")
    panel(app).wait_for(state="hidden")
    assert app.page.locator(".aside").count() == 0
    open_map(rest(app), "max1", 7, 2, 2, 13)
    app.type("architecture", "conv8k3-max28-fc10")  # breaks behind conv1
    app.wait_net("conv8k3-max28-fc10")
    panel(app).wait_for(state="hidden")
    app.page.locator(".break").wait_for()


def test_the_page_stays_small_however_wide_the_network(visit: Visit) -> None:
    app = visit(net="conv8k3-conv256k3s2-max2-conv256k3-fc10")
    app.page.locator("[data-follows]").wait_for()
    nodes = "view => view.getRootNode().querySelectorAll('*').length"
    assert app.view.evaluate(nodes) <= 1500
    open_map(app, "conv3", 0, 1, 1, 4)
    every = panel(app).locator(".every")
    assert every.inner_text() == "all 256"
    every.click()
    assert panel(app).locator(".part").count() == 256
    assert app.view.evaluate(nodes) <= 1500
    last = panel(app).locator(".part").last
    last.scroll_into_view_if_needed()
    last.locator(".what").filter(has_text=": ").wait_for()  # painted once in view
    # The opened map survives a change of the network, also while the many weights of the new one are on their way.
    app.type("architecture", changed := "conv8k3-conv256k3s2-max2-conv256k4-fc10")
    app.wait_net(changed)
    assert "3×3" in panel(app).locator(".how").inner_text()
    panel(app).locator(".chain").hover(position={"x": 30, "y": 60})
    panel(app).locator(".how").filter(has_text="4×4").wait_for()
    settle(app)
    panel(app).locator(".chain").hover(position={"x": 40, "y": 60})
    assert_sum(app, changed, "conv3", 0, *map(int, re.findall(r"\((\d+), (\d+)\)", lines(app)[0])[0]))
    close(app)
    app.page.locator(".joint").nth(3).click()
    app.page.locator(".kernels").wait_for()
    assert app.view.evaluate(nodes) <= 1500


# --- kernels ---


def test_the_kernels_of_a_layer_are_one_tensor(revisit: Visit) -> None:
    app = rest(revisit())
    app.page.locator(".joint").nth(3).click()
    kernels = app.page.locator(".kernels")
    kernels.wait_for()
    settle(app)
    assert kernels.locator("h4").inner_text() == "conv2.weight · (20, 10, 5, 5)"
    canvas = kernels.locator("canvas")
    scale = canvas.evaluate("canvas => canvas.getBoundingClientRect().width / (10 * 6 - 1)")
    weight = load_network(parse(LECTURES)).module.get_submodule("conv2").weight
    assert isinstance(weight, torch.Tensor)

    def assert_lit(output: int, channel: int) -> None:
        told = kernels.locator(".told").inner_text()
        assert told.startswith(f"conv2.weight[{output}, {channel}]: ")
        low, high = read(told.split(": ")[1])[:2]
        assert [low, high] == pytest.approx(
            [weight[output, channel].min().item(), weight[output, channel].max().item()], rel=0.006
        )
        framed(app, "relu1", [part(app, "relu1", app.tiles("relu1")[channel], 12, range(12), range(12))])
        framed(app, "conv2", [part(app, "conv2", app.tiles("conv2")[output], 8, range(8), range(8))])
        for name in ("conv1", "max1", "max2", "relu2", "seen", "surface"):
            framed(app, name, [])

    canvas.hover(position={"x": (6 * 7 + 2.5) * scale, "y": (6 * 4 + 2.5) * scale})
    assert_lit(4, 7)
    assert app.page.evaluate(FOCUSED)["tag"] == "CANVAS"
    app.page.keyboard.press("ArrowRight")
    app.page.keyboard.press("ArrowUp")
    assert_lit(3, 8)
    assert app.page.locator(".spoken").inner_text() == kernels.locator(".told").inner_text()
    app.page.keyboard.press("Enter")
    panel(app).wait_for()
    assert kernels.is_hidden()
    assert app.page.evaluate(FOCUSED)["name"] == "chain"
    assert panel(app).locator("h4").inner_text() == "conv2 · map 4 of 20"
    assert lines(app)[0].startswith("Pixel (4, 4), channel 9: ")
    close(app)
    assert app.page.evaluate(FOCUSED)["name"] == "joint"
    app.page.locator(".joint").nth(3).click()
    kernels.wait_for()
    settle(app)
    canvas.click(position={"x": (6 * 2 + 2.5) * scale, "y": (6 * 1 + 2.5) * scale})
    panel(app).wait_for()
    assert panel(app).locator("h4").inner_text() == "conv2 · map 2 of 20"
    assert lines(app)[0].startswith("Pixel (4, 4), channel 3: ")
    close(app)


# --- keyboard and finger ---


def test_the_keyboard_goes_all_the_way_down_and_back(revisit: Visit) -> None:
    app = rest(revisit())
    app.page.locator(".joint").nth(3).focus()
    for key in ("Tab", "PageDown", "PageDown", "ArrowDown", "Enter"):
        app.page.keyboard.press(key)
    panel(app).wait_for()
    settle(app)
    assert app.page.evaluate(FOCUSED)["name"] == "chain"
    assert_sum(app, LECTURES, "conv2", 2, 1, 0)
    spoken = app.page.locator(".spoken")
    for key, row, column in (("ArrowRight", 1, 1), ("ArrowDown", 2, 1), ("ArrowLeft", 2, 0), ("ArrowLeft", 2, 0)):
        app.page.keyboard.press(key)
        assert_sum(app, LECTURES, "conv2", 2, row, column)
        words = spoken.inner_text()
        assert words.startswith(f"({row}, {column}). Pixel ({row}, {column}), channel ")
        assert words.endswith(", agrees")
        assert [read(line)[-1] for line in lines(app)[1:]] == pytest.approx(
            [read(words.split(". ")[at])[-1] for at in (2, 3, 4)], rel=1e-9
        )
    app.page.keyboard.press("Enter")
    assert "pinned" in (panel(app).get_attribute("class") or "")
    close(app)  # by one press, although the pixel is held
    assert app.page.evaluate(FOCUSED)["name"] == "conv2"
    assert app.card.locator("h4").inner_text() == "conv2 · map 3 of 20"  # the walk goes on where it was


def test_kernels_products_and_map_are_seen_without_scrolling(visit: Visit, artifacts: Path) -> None:
    """Of a 5×5 window, at 1280×720: all products beside the map on which the pixel is chosen; all input channels, if
    they are asked for, and as many as fit on a larger screen.
    """
    app = rest(visit(drawing="d3", view="map.conv2.6.3.4.pinned"))
    panel(app).wait_for()
    settle(app)

    def inside(selector: str) -> list[bool]:
        """Whether elements lie in the panel, and in each box around them that could scroll."""
        found: list[bool] = (
            panel(app)
            .locator(selector)
            .evaluate_all(
                """(all) => all.map((element) => {
              const box = element.getBoundingClientRect();
              for (let at = element.parentElement; at; at = at.parentElement) {
                const { left, top, right, bottom } = at.getBoundingClientRect();
                if (box.left < left - 1 || box.top < top - 1 || box.right > right + 1 || box.bottom > bottom + 1) return false;
                if (at.matches(".detail")) return true;
              }
            })"""
            )
        )
        return found

    assert inside(".numbers") == inside(".chain") == [True]
    assert inside(".part canvas") == [True] * 6
    chain, numbers = (panel(app).locator(name).bounding_box() for name in (".chain", ".numbers"))
    assert chain
    assert numbers
    assert chain["x"] + chain["width"] <= numbers["x"]
    assert numbers["width"] >= 5 * 34
    app.page.screenshot(path=artifacts / "detail-1280x720.png")
    panel(app).locator(".every").click()
    assert inside(".part") == [True] * 10
    app.page.screenshot(path=artifacts / "detail-1280x720-all.png")
    app.page.set_viewport_size({"width": 1920, "height": 1080})
    app.page.wait_for_function("() => document.documentElement.clientWidth === 1920")
    panel(app).locator(".every").wait_for(state="hidden")
    assert inside(".part") == [True] * 10
    app.page.screenshot(path=artifacts / "detail-1920x1080.png")


def test_a_finger_goes_all_the_way_down_and_back(visit: Visit) -> None:
    app = rest(visit(PHONE))
    app.canvas("conv2").scroll_into_view_if_needed()
    app.page.touchscreen.tap(*middle(app.tiles("conv2")[1]))
    panel(app).wait_for()
    settle(app)
    sheet = panel(app).bounding_box()
    assert sheet
    assert sheet["x"] >= 0
    assert sheet["x"] + sheet["width"] <= 390
    assert sheet["y"] + sheet["height"] <= 845
    chain = panel(app).locator(".chain")
    chain.scroll_into_view_if_needed()
    box = chain.bounding_box()
    assert box
    devtools, before = app.devtools(), lines(app)[0]
    side = min(box["height"] - 20, 84)
    start, end = (box["x"] + 6, box["y"] + 25), (box["x"] + 0.7 * side, box["y"] + 19 + 0.7 * side)
    touch(devtools, "touchStart", start)
    assert lines(app)[0].startswith("Pixel (0, 0), ")
    swipe(app, devtools, start, end)
    after = lines(app)[0]
    touch(devtools, "touchEnd")
    assert len({before, after, "Pixel (0, 0)"}) == 3
    row, column = map(int, re.findall(r"\((\d+), (\d+)\)", after)[0])
    assert min(row, column) >= 3
    assert_sum(app, LECTURES, "conv2", 1, row, column)
    for scrolled in ("html", "[data-testid=stMain]"):
        assert app.page.locator(scrolled).evaluate("element => element.scrollWidth") == 390
    panel(app).locator(".close").tap()
    panel(app).wait_for(state="hidden")


def test_a_window_walks_over_the_input_of_an_open_map(visit: Visit) -> None:
    """Step makes value after value, beside PyTorch's own; the map fills; the pointer ends it, and the held pixel is
    back.
    """
    app = visit(drawing="d7", view="map.conv2.6.3.4.pinned")
    slide = app.page.get_by_role("group", name="The window walks over the input")
    lines, chain = app.page.locator(".detail .lines"), app.page.locator(".detail .chain")
    filled = """(canvas) => canvas.getContext("2d").getImageData(0, canvas.height * 0.12, canvas.width * 0.4, canvas.height * 0.33)
      .data.filter((value, index) => index % 4 === 3 && value === 255).length"""
    lines.filter(has_text="Pixel (3, 4)").wait_for()
    whole = chain.evaluate(filled)
    shares = []
    for column in range(3):
        slide.get_by_role("button", name="Step").click()
        lines.filter(has_text=f"Pixel (0, {column})").wait_for()
        assert "✓ agrees" in lines.inner_text()
        shares.append(chain.evaluate(filled))
    assert shares[-1] < 0.5 * whole
    assert "(0, 2). Pixel (0, 2)" in app.page.locator(".network-view .spoken").inner_text()
    slide.get_by_role("button", name="Slide").click()
    lines.filter(has_text=re.compile(r"Pixel \([1-9], \d\)")).wait_for()  # in the next row, or later
    assert chain.evaluate(filled) > shares[-1]
    app.page.locator(".detail .sum").hover(position={"x": 4, "y": 4})
    lines.filter(has_text="Pixel (3, 4)").wait_for()
    assert chain.evaluate(filled) == whole
    slide.get_by_role("button", name="Slide").wait_for()
    assert app.address()["view"] == "map.conv2.6.3.4.pinned"
    slide.get_by_role("button", name="Slide").click()
    app.page.get_by_role("button", name="Pause").wait_for()
    app.page.keyboard.press("Escape")  # once, although the pixel is held
    app.page.locator(".detail:not(.kernels)").wait_for(state="hidden")
