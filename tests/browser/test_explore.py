"""Changing the network, reading the maps and finding one's way with mouse and keyboard, in a real browser."""

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
import torch
from browser.axe import recolour
from browser.conftest import Visit
from browser.explorer import PIXELS, Explorer, Tile
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from cnn_explorer.digits.drawing import example_drawing, parse_drawing
from cnn_explorer.spec.network import LECTURE, PRESETS, parse
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations

pytestmark = pytest.mark.browser

LECTURES = str(LECTURE)
EXAMPLE = example_drawing().text


def computed(net: str, drawing: str) -> dict[str, np.ndarray]:
    """What PyTorch says, layer by layer, and "probabilities"."""
    trace = trace_activations(load_network(parse(net)).module, parse_drawing(drawing).preprocess().image)
    values = {activation.name: activation.values.numpy() for activation in trace.activations}
    return values | ({"probabilities": trace.probabilities.numpy()} if trace.probabilities is not None else {})


def pixels(app: Explorer, canvas: Any) -> np.ndarray:
    """`(height, width, 4)` of a canvas."""
    width, height, text = canvas.evaluate(PIXELS)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


def colours(app: Explorer, values: np.ndarray, reach: float, theme: str) -> np.ndarray:
    """The colour of each value, `(…, 3)`."""
    flat = [float(value) for value in values.astype(np.float16).ravel()]
    body = "return a[0].map(value => m.cssColour(value, a[1], a[2]).match(/\\d+/g).map(Number))"
    words = app.run("painting.js", body, [flat, float(np.float16(reach)), theme])
    return np.array(words).reshape(*values.shape, 3)


def middle(tile: Tile) -> tuple[float, float]:
    return tile.x + tile.width / 2, tile.y + tile.height / 2


def point_at(app: Explorer, tile: Tile, row: int, column: int, side: int) -> None:
    """Move the pointer to one pixel of a map of `side` × `side`."""
    app.page.mouse.move(tile.x + (column + 0.5) * tile.width / side, tile.y + (row + 0.5) * tile.height / side)


# --- what is painted ---


def test_the_maps_are_what_pytorch_computed(visit: Visit) -> None:
    app = visit(net="conv4k5-tanh-max2-conv3k3s2-fc20-fc10", drawing="d8")
    seen = pixels(app, app.page.locator("canvas.image"))
    np.testing.assert_array_equal(seen[..., 0], parse_drawing("d8").preprocess().pixels)
    values = computed(app.address()["net"], "d8")
    np.testing.assert_allclose(app.probabilities(), values["probabilities"], rtol=1e-4, atol=1e-7)
    for theme in ("light", "dark"):
        recolour(app.page, theme)
        assert_painted(app, values, theme)


def assert_painted(app: Explorer, values: dict[str, np.ndarray], theme: str) -> None:
    for layer in app.layers():
        maps = values[layer] if values[layer].ndim == 3 else values[layer][:, None, None]
        painted, tiles = pixels(app, app.canvas(layer)), app.tiles(layer)
        assert len(tiles) == len(maps)
        expected = colours(app, maps, float(np.abs(maps).max()), theme)
        for (left, top, width, height), channel in zip((tile.dots for tile in tiles), expected, strict=True):
            unit = width // channel.shape[1]
            assert (width, height) == (unit * channel.shape[1], unit * channel.shape[0])
            tile = painted[top : top + height, left : left + width, :3].astype(int)
            assert np.abs(tile - channel.repeat(unit, 0).repeat(unit, 1)).max() <= 4, (
                layer
            )  # a step of the colour scale


def test_the_colour_scale_can_be_per_map_layer_or_network(revisit: Visit) -> None:
    app = revisit()
    values = computed(LECTURES, EXAMPLE)
    reaches = {
        "map": lambda maps: np.abs(maps).max(axis=(1, 2)),
        "layer": lambda maps: np.full(len(maps), np.abs(maps).max()),
        "network": lambda maps: np.full(len(maps), max(np.abs(values[name]).max() for name in [*app.layers(), "fc1"])),
    }
    looks = set()
    for scale, reach_of in reaches.items():
        app.page.locator(f"[data-scale={scale}]").click()
        assert app.page.locator("[data-scale][aria-pressed=true]").inner_text() == scale
        looks.add(app.colours("relu2"))
        painted, tiles = pixels(app, app.canvas("relu2")), app.tiles("relu2")
        for tile, channel, reach in zip(tiles, values["relu2"], reach_of(values["relu2"]), strict=True):
            left, top, width, _ = tile.dots
            unit = width // 4
            shown = painted[top : top + 4 * unit : unit, left : left + width : unit, :3].astype(int)
            assert np.abs(shown - colours(app, channel, reach, "light")).max() <= 4, scale
    assert len(looks) == 3
    app.page.locator("[data-scale=layer]").click()
    app.page.wait_for_function("() => !new URLSearchParams(location.search).has('view')")


# --- changing the network ---


def test_a_step_of_a_number_changes_its_layer(visit: Visit) -> None:
    app = visit()
    head = app.page.locator(".column:has(canvas[data-layer=conv1]) h3")
    assert head.inner_text().split() == ["conv1", "10×24×24"]
    look = app.colours("conv1")
    app.step("block1_kernel_size")
    app.wait_net("conv10k6-max2-relu-conv20k5-max2-relu-fc10")
    assert head.inner_text().split() == ["conv1", "10×24×24", "→", "10×23×23"]
    assert app.colours("conv1") != look
    assert app.page.locator("[data-trained=true]").count() == 1  # the shared weights
    app.step("block1_kernel_size", up=False)
    app.wait_net(LECTURES)
    assert app.colours("conv1") == look
    assert app.drawing == EXAMPLE


def test_a_preset_and_a_typed_network(revisit: Visit) -> None:
    app = revisit()
    app.choose("preset", "LeNet-5")
    app.wait_net(str(PRESETS["LeNet-5"]))
    assert app.layers() == ["conv1", "tanh1", "avg1", "conv2", "tanh2", "avg2", "fc1", "tanh3", "fc2", "tanh4"]
    app.type("architecture", "conv4k3-relu-fc10")
    app.wait_net("conv4k3-relu-fc10")
    assert app.layers() == ["conv1", "relu1"]
    before = app.view.element_handle()
    app.type("architecture", "conv4k3-rleu-fc10")
    app.page.get_by_test_id("stAlert").filter(has_text="rleu is written relu here").wait_for()
    app.page.wait_for_timeout(300)  # a view built anew would be there by now
    assert before.evaluate("view => view.isConnected")
    assert app.setting("architecture").locator("input").input_value() == "conv4k3-rleu-fc10"
    assert app.view.get_attribute("data-painted-net") == "conv4k3-relu-fc10"
    app.choose("preset", "the lecture's network")
    app.wait_net(LECTURES)


def test_an_impossible_setting_is_explained_and_one_click_repairs_it(revisit: Visit) -> None:
    app = revisit()
    control = app.setting("block2_kernel_size").locator("input").element_handle()
    place = control.bounding_box()
    app.type("block2_kernel_size", "12")
    app.wait_net("conv10k5-max2-relu-conv20k12-max2-relu-fc10")
    assert app.layers() == ["conv1", "max1", "relu1", "conv2"]
    broken = app.page.locator(".break")
    assert "max2 does not fit" in broken.inner_text()
    assert "padded input" in broken.inner_text()
    assert control.bounding_box() == place  # what comes where the fault is moves nothing
    assert app.page.locator(".probabilities").count() == 0
    assert control.evaluate("input => input.isConnected")  # what was typed into is not built anew
    before = [app.colours(layer) for layer in ("conv1", "max1", "relu1")]
    answer = app.seq
    app.draw((30, 250), (250, 250))
    app.wait_painted(answer)
    assert before != [app.colours(layer) for layer in ("conv1", "max1", "relu1")]  # alive before the break
    app.page.get_by_role("region", name="max2 does not fit").get_by_role("button").first.click()
    broken.wait_for(state="detached")
    assert len(app.probabilities()) == 10
    app.do("undo")
    app.choose("preset", "the lecture's network")
    app.wait_net(LECTURES)


def test_controls_can_be_used_while_a_stroke_is_on_its_way(visit: Visit) -> None:
    app = visit(drawing="s")
    for number, net in enumerate(
        ("conv10k4-max2-relu-conv20k5-max2-relu-fc10", "conv10k3-max2-relu-conv20k5-max2-relu-fc10")
    ):
        with app.stroke(140 + 20 * number, 40):
            app.page.mouse.move(*app.place(140 + 20 * number, 240), steps=20)
        app.step("block1_kernel_size", up=False)
        app.wait_net(net)
        drawing = app.wait_strokes(number + 1)
        assert drawing.strokes[number][-1] == (140 + 20 * number, 240)
    app.wait_answer(computed(app.address()["net"], app.drawing)["probabilities"])


def test_two_settings_in_quick_succession_both_hold(revisit: Visit) -> None:
    app = revisit()
    for key in ("block1_kernel_size", "block1_padding", "block2_out_channels", "block1_kernel_size"):
        app.step(key)
    app.wait_net("conv10k7p1-max2-relu-conv21k5-max2-relu-fc10")
    app.choose("preset", "the lecture's network")
    app.wait_net(LECTURES)


# --- reading the maps ---


def test_a_map_under_the_pointer_is_enlarged_with_its_value(revisit: Visit) -> None:
    app = revisit()
    maps = computed(LECTURES, EXAMPLE)["conv1"]
    for number, row, column in ((0, 12, 12), (7, 3, 20)):
        point_at(app, app.tiles("conv1")[number], row, column, 24)
        app.card.wait_for()
        title, span, value = (
            app.card.locator(part).first.inner_text() for part in ("h4", "p:nth-of-type(1)", "p:nth-of-type(2)")
        )
        assert title == f"conv1 · map {number + 1} of 10"
        assert len(drawn_lines(app)) == 2  # from the image, to max1
        assert read(span) == pytest.approx([maps[number].min(), maps[number].max()], rel=0.006, abs=0.006)
        assert value.startswith(f"({row}, {column}): ")
        assert read(value.split(":")[1]) == pytest.approx([maps[number, row, column]], rel=0.006, abs=1e-3)
        enlarged = pixels(app, app.card.locator("canvas"))[..., :3].astype(int)
        assert np.abs(enlarged - colours(app, maps[number], float(np.abs(maps).max()), "light")).max() <= 4
    app.page.mouse.move(640, 715)
    app.card.wait_for(state="hidden")
    assert drawn_lines(app) == []

    # Lines join a map with all that it is made of, and with the one that it goes into; its neighbours show their numbers.
    own = app.tiles("conv2")[16]
    app.page.mouse.move(*middle(own))
    app.card.wait_for()
    before = [((tile.x + tile.width, middle(tile)[1]), (own.x, middle(own)[1])) for tile in app.tiles("relu1")]
    after = app.tiles("max2")[16]
    expected = [*before, ((own.x + own.width, middle(own)[1]), (after.x, middle(after)[1]))]
    found = {
        (tuple(start), tuple(end)) if start < end else (tuple(end), tuple(start)) for start, end in drawn_lines(app)
    }
    assert len(found) == 11
    for line in expected:
        assert any(np.allclose(line, other, atol=1.5) for other in found), line
    shown = app.page.locator(".channels").evaluate_all("all => all.map(each => Number(getComputedStyle(each).opacity))")
    assert shown == [0, 0, 1, 1, 1, 0]
    written = pixels(app, app.page.locator(".channels").nth(3))[..., 3]
    for tile in app.tiles("conv2"):
        left, top = (round(place) for place in (tile.x - app.tiles("conv2")[0].x, tile.y - app.tiles("conv2")[0].y))
        assert written[top : top + 14, left : left + 16].any()
        assert not written[top + 16 : top + int(tile.height), left : left + int(tile.width)].any()


def drawn_lines(app: Explorer) -> list[list[list[float]]]:
    """Both ends of each line in CSS pixels of the page."""
    path, x, y = app.page.locator(".links").evaluate(
        """(svg) => {
          const { left, top } = svg.getBoundingClientRect();
          return [svg.querySelector(".single").getAttribute("d") ?? "", left, top];
        }"""
    )
    lines = [[float(number) for number in re.findall(r"-?[\d.]+", line)] for line in path.split("M")[1:]]
    return [[[line[0] + x, line[1] + y], [line[-2] + x, line[-1] + y]] for line in lines]


def read(text: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in re.findall(r"−?\d+(?:\.\d+)?(?:e−?\d+)?", text)]


def test_a_joint_tells_what_its_layer_costs(revisit: Visit) -> None:
    app = revisit()
    app.page.locator(".joint").nth(3).hover()
    app.card.wait_for()
    text = app.card.inner_text()
    assert not [
        part
        for part in ("conv2", "20×8×8", "5,020 parameters", "320,000 multiply-adds", "14×14 pixels")
        if part not in text
    ], text


# --- the keyboard ---

FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at ? { tag: at.tagName, name: at.dataset.tool || at.dataset.do || at.dataset.scale || at.dataset.sizes || at.dataset.layer || at.className,
    outline: at.matches(":focus-visible"), inside: !!at.getRootNode().host } : null;
}"""


def test_tab_reaches_everything_in_the_view(visit: Visit) -> None:
    app = visit()
    app.draw((30, 30), (60, 30))
    app.do("undo")
    app.draw((30, 30), (60, 40))
    app.do("undo")  # undo is dead, redo is not
    app.paper.focus()
    reached = ["paper"]
    for _ in range(60):
        app.page.keyboard.press("Tab")
        focused = app.page.evaluate(FOCUSED)
        if not focused["inside"]:
            break
        assert focused["outline"]
        reached.append(focused["name"])
    assert [name for name in reached if name != "joint"] == [
        "paper", "pen", "eraser", "redo", "clear", "more", "present-button", "take", "conv1", "max1", "relu1", "conv2", "max2", "relu2", "probabilities",
        "map", "layer", "network", "large", "toscale", "term", "", "ask",
    ]  # fmt: skip
    assert reached.count("joint") == 2  # the two that open kernels


def test_keys_walk_through_maps_and_pixels(visit: Visit) -> None:
    app = visit()
    app.page.locator(".joint").first.focus()
    app.page.keyboard.press("Tab")
    title, value = app.card.locator("h4"), app.card.locator("p:nth-of-type(2)")
    steps = (
        ("", 1, 0, 0), ("PageDown", 2, 0, 0), ("PageDown", 3, 0, 0), ("PageUp", 2, 0, 0), ("ArrowRight", 2, 0, 1),
        ("ArrowDown", 2, 1, 1), ("ArrowDown", 2, 2, 1), ("ArrowLeft", 2, 2, 0), ("ArrowLeft", 2, 2, 0), ("ArrowUp", 2, 1, 0),
        ("PageUp", 1, 1, 0), ("PageUp", 1, 1, 0),
    )  # fmt: skip
    maps = computed(LECTURES, EXAMPLE)["conv1"]
    for key, number, row, column in steps:
        if key:
            app.page.keyboard.press(key)
        app.card.wait_for()
        assert title.inner_text() == f"conv1 · map {number} of 10", key
        assert value.inner_text().startswith(f"({row}, {column}): "), key
        assert read(value.inner_text().split(":")[1]) == pytest.approx(
            [maps[number - 1, row, column]], rel=0.006, abs=1e-3
        )
    for _ in range(12):
        app.page.keyboard.press("PageDown")
    assert title.inner_text() == "conv1 · map 10 of 10"
    app.page.keyboard.press("Escape")
    app.card.wait_for(state="hidden")
    app.page.keyboard.press("PageUp")
    assert title.inner_text() == "conv1 · map 9 of 10"
    app.page.keyboard.press("Tab")
    assert "conv1" not in app.card.inner_text()

    app.page.mouse.move(*middle(app.tiles("conv2")[15]))
    app.card.locator("h4").filter(has_text="conv2").wait_for()
    app.page.mouse.move(640, 715)
    app.page.locator(".joint").first.focus()
    app.page.keyboard.press("Tab")
    app.page.keyboard.press("PageDown")
    assert app.card.locator("h4").inner_text() == "conv1 · map 2 of 10"  # another layer starts at its first map


def test_the_answer_is_spoken(revisit: Visit) -> None:
    app = revisit()
    spoken = app.page.locator(".spoken")
    spoken.filter(has_text="Answer: 3").wait_for(state="attached")
    app.do("clear")
    app.draw((140, 40), (140, 240))
    spoken.filter(has_text="Answer: 1").wait_for(state="attached")
    for _ in range(2):
        app.do("undo")


# --- pictures ---


def picture(kind: str = "PNG", ink: int = 25) -> bytes:
    """A dark 7 on white."""
    image = Image.new("L", (200, 160), 250)
    ImageDraw.Draw(image).line([(60, 30), (130, 30), (95, 130)], fill=ink, width=12, joint="curve")
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def upload(app: Explorer, name: str, data: bytes) -> None:
    files = app.page.locator("input[type=file]")
    if not files.count():
        app.page.get_by_role("button", name="Upload a picture").click()
    expect(files).to_have_count(1)  # the one of the picture before is gone
    kind = "image/jpeg" if name.endswith("jpeg") else "image/png"
    files.set_input_files({"name": name, "mimeType": kind, "buffer": data})


def test_a_picture_can_be_uploaded_and_a_broken_one_is_explained(revisit: Visit) -> None:
    app = revisit()
    broken = {
        "torn.png": (picture()[:150], "torn.png is not a picture that can be read"),
        "text.png": (b"not a picture at all", "text.png is not a picture that can be read"),
        "empty.png": (b"", "empty.png is not a picture that can be read"),
        "white.png": (picture(ink=250), "white.png shows no writing"),
    }
    for name, (data, told) in broken.items():
        upload(app, name, data)
        app.page.get_by_test_id("stAlert").filter(has_text=told).wait_for()
        assert app.drawing == EXAMPLE
    for kind in ("PNG", "JPEG"):
        upload(app, f"seven.{kind.lower()}", picture(kind))
        assert app.wait_drawing(EXAMPLE).startswith("p")
        app.wait_verdict("7")
        app.page.keyboard.press("Escape")
        assert app.do("undo") == EXAMPLE
        app.wait_verdict("3")


def test_the_steps_to_the_networks_image_are_pictures(revisit: Visit) -> None:
    app = revisit()
    app.page.get_by_role("button", name="What the network sees").click()
    images = app.page.get_by_test_id("stPopoverBody").locator("img")
    stages = parse_drawing(EXAMPLE).preprocess().stages
    images.nth(len(stages) - 1).wait_for()
    app.page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=stPopoverBody] img')].every(image => image.complete && "
        "image.naturalWidth)"
    )
    assert images.count() == len(stages)
    text = app.page.get_by_test_id("stPopoverBody").inner_text()
    assert not [stage.caption for stage in stages if stage.caption not in text]
    app.page.keyboard.press("Escape")
    app.page.get_by_test_id("stPopoverBody").wait_for(state="hidden")


# --- the address, the network and the server ---


def test_what_an_address_says_is_quoted_as_text(visit: Visit) -> None:
    """Whatever it looks like: no picture is fetched from elsewhere, nothing becomes a link."""
    app = visit(net="www.evil.test", drawing="![x](http://192.0.2.1/b.png)")
    alerts = app.page.get_by_test_id("stAlert")
    alerts.nth(1).wait_for()
    alerts.locator("code").filter(has_text="www.evil.test").wait_for()
    assert app.page.locator("[data-testid=stAlert] :is(img, a)").count() == 0


torch.set_num_threads(1)  # the browser and the server have more use for the cores
