"""How the page looks: nothing to scroll to on a laptop, everything in reach on a phone, light and dark. Keeps pictures
of each.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from browser.axe import recolour
from browser.conftest import Visit
from browser.driver import PHONE, Server
from browser.explorer import PAINTED, Explorer
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

CONTROLS = "[class*='st-key-block'], [class*='st-key-icon'], [class*='st-key-linear'], [class*='st-key-add_block']"

BOXES = (
    "all => all.map(element => { const box = element.getBoundingClientRect(); return [box.left, box.top, "
    "box.right, box.bottom]; })"
)

# WCAG contrast of each element's text with what lies behind it.
CONTRAST = """(elements) => {
  const brush = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const paint = (colour, under, opacity = 1) => {
    brush.globalAlpha = 1; brush.fillStyle = under; brush.fillRect(0, 0, 1, 1);
    brush.globalAlpha = opacity; brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1);
    const [r, g, b] = brush.getImageData(0, 0, 1, 1).data;
    return [`rgb(${r}, ${g}, ${b})`, [r, g, b]];
  };
  const light = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, index) => sum + v * [0.2126, 0.7152, 0.0722][index], 0);
  const up = (element) => element.parentElement ?? element.getRootNode().host ?? null;
  return elements.map((element) => {
    const layers = [];
    let opacity = 1;
    for (let at = element; at; at = up(at)) {
      layers.unshift(getComputedStyle(at).backgroundColor);
      opacity *= Number(getComputedStyle(at).opacity);
    }
    const [ground, groundRgb] = layers.reduce(([under], colour) => paint(colour, under), ["rgb(255, 255, 255)", []]);
    const [, textRgb] = paint(getComputedStyle(element).color, ground, opacity);
    const [low, high] = [light(groundRgb), light(textRgb)].sort((a, b) => a - b);
    return [element.textContent.trim().slice(0, 30), (high + 0.05) / (low + 0.05), groundRgb];
  });
}"""
TEXTS = (
    ".network-view :is(h3 span, .formula, .digit, .logit, .share, .label, .seen p, .scale button, .more, .verdict *)"
)


def boxes(app: Explorer, selector: str) -> list[list[float]]:
    found: list[list[float]] = app.page.locator(selector).evaluate_all(BOXES)
    return found


def outside(app: Explorer, selector: str, width: int, height: int) -> list[list[float]]:
    found = boxes(app, selector)
    assert found, selector
    return [box for box in found if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height or box[2] <= box[0]]


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_everything_is_on_the_first_screen(visit: Visit, artifacts: Path, width: int, height: int) -> None:
    app = visit({"viewport": {"width": width, "height": height}})
    assert len(app.layers()) == 6
    parts = {
        ".paper": 1,
        ".layers canvas[data-layer]": 6,
        ".probabilities li": 10,
        ".verdict strong": 1,
        ".tools button": 5,
        CONTROLS: 24,
    }
    for selector, count in parts.items():
        assert len(boxes(app, selector)) >= count, selector
        assert outside(app, selector, width, height) == [], selector
    assert app.page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight") <= height
    assert app.verdict == "3"
    assert sum(app.probabilities()) == pytest.approx(1, abs=1e-4)
    columns = boxes(app, ".layers > .column")
    assert [left[2] <= right[0] + 1 for left, right in pairwise(columns)] == [
        True
    ] * 6  # side by side, none over another
    for layer in app.layers():
        assert min(min(tile.width, tile.height) for tile in app.tiles(layer)) >= 12
    for theme in ("dark", "light"):
        recolour(app.page, theme)
        app.page.screenshot(path=artifacts / f"page-{width}x{height}-{theme}.png")
        readable(app, theme)


def test_on_a_phone_the_columns_stack(visit: Visit, artifacts: Path) -> None:
    app = visit(PHONE)
    for scrolled in ("html", "[data-testid=stMain]"):
        assert app.page.locator(scrolled).evaluate("element => element.scrollWidth") == 390
    view = app.view.bounding_box()
    assert view
    wide = [
        box
        for box in boxes(app, ".layers canvas, .paper, .probabilities li, .tools button, .joint")
        if box[0] < 0 or box[2] > 390
    ]
    assert wide == []
    columns = boxes(app, ".layers > .column")
    assert len(columns) == 7
    assert len({round(box[0]) for box in columns}) == 1
    assert [above[3] <= below[1] for above, below in pairwise(columns)] == [True] * 6
    for layer in app.layers():
        assert min(min(tile.width, tile.height) for tile in app.tiles(layer)) >= 39.9, layer
    assert min(min(box[2] - box[0], box[3] - box[1]) for box in boxes(app, ".tools button")) >= 40
    for name, above, below in (("conv1", 2, 3), ("conv2", 5, 6)):  # a block's knobs stand below its maps
        (group,) = boxes(app, f".st-key-group_{name}")
        assert columns[above][3] <= group[1] < group[3] <= columns[below][1]
    (linear,), (footer,) = boxes(app, ".st-key-group_linear"), boxes(app, ".network-view footer")
    assert columns[6][3] <= linear[1] < linear[3] <= footer[1]
    app.page.get_by_role("button", name="Change conv2").press("Enter")  # for the keyboard
    expect(app.page.get_by_role("group", name="conv2")).to_be_focused()
    expect(app.page.get_by_role("group", name="conv2")).to_be_in_viewport()
    app.page.locator(".paper").scroll_into_view_if_needed()
    for theme in ("dark", "light"):
        recolour(app.page, theme)
        app.page.screenshot(path=artifacts / f"page-phone-{theme}.png", full_page=True)
        readable(app, theme)
    more = app.setting("block1_out_channels").get_by_test_id("stNumberInputStepUp")
    more.scroll_into_view_if_needed()
    before, maps = more.bounding_box(), app.canvas("conv1").bounding_box()
    assert before
    assert maps
    for channels in (11, 12, 13):  # one row of maps more: what is pressed stays under the finger
        app.page.touchscreen.tap(before["x"] + before["width"] / 2, before["y"] + before["height"] / 2)
        app.wait_net(f"conv{channels}k5-max2-relu-conv20k5-max2-relu-fc10")
    assert (app.canvas("conv1").bounding_box() or maps)["height"] > maps["height"] + 40
    assert (more.bounding_box() or {})["y"] == pytest.approx(before["y"], abs=2)
    (group,) = boxes(app, ".st-key-group_conv1")
    more.evaluate("element => element.scrollIntoView({ block: 'end' })")
    app.canvas("relu1").tap(position={"x": 8, "y": 8})  # the opened map lies over the knobs
    app.page.locator(".detail .chain").wait_for()
    (detail,), (group,) = boxes(app, ".detail:visible"), boxes(app, ".st-key-group_conv1")
    assert detail[1] < group[3]
    middle = [(detail[0] + detail[2]) / 2, (max(detail[1], group[1]) + min(detail[3], group[3])) / 2]
    on_top = app.page.evaluate("at => document.elementFromPoint(...at).shadowRoot !== null", middle)
    assert on_top


def test_maps_are_large_enough_on_every_small_screen(visit: Visit, artifacts: Path) -> None:
    """Tablets, a phone on its side and a page at 150 %: maps of 40 pixels or more, nothing cut off at the side."""
    app = visit({"viewport": {"width": 820, "height": 1180}})
    for width, height in [(820, 1180), (768, 1024), (844, 390), (390, 844), (853, 480)]:
        app.page.set_viewport_size({"width": width, "height": height})
        expect(app.page.locator(".network-view.narrow")).to_have_count(1)
        app.page.wait_for_function("width => document.documentElement.clientWidth === width", arg=width)
        app.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        app.page.screenshot(path=artifacts / f"page-{width}x{height}.png")
        assert app.page.locator("[data-testid=stMain]").evaluate("element => element.scrollWidth") == width
        shown = boxes(app, ".layers canvas[data-layer], .paper, .probabilities li, .tools button, .joint")
        assert [box for box in shown if box[0] < 0 or box[2] > width] == []
        columns = boxes(app, ".layers > .column")
        assert [above[3] <= below[1] for above, below in pairwise(columns)] == [True] * 6
        if width >= 768:  # the maps stand beside the drawing, not below it
            (paper,) = boxes(app, ".paper")
            assert columns[0][0] >= paper[2]
            assert columns[0][1] < paper[3]
        for layer in app.layers():
            assert min(min(tile.width, tile.height) for tile in app.tiles(layer)) >= 39.9, (width, layer)


def test_maps_fill_every_large_screen(visit: Visit, artifacts: Path) -> None:
    """All of the lecture's network without scrolling, no map below 40 pixels, and a map to scale half as high."""
    app = visit()
    for width, height in [(1280, 720), (1920, 1080), (2560, 1440)]:
        app.page.set_viewport_size({"width": width, "height": height})
        app.page.wait_for_function("width => document.documentElement.clientWidth === width", arg=width)
        app.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        app.page.screenshot(path=artifacts / f"page-{width}x{height}.png")
        columns = app.page.locator(".layers").evaluate("({ scrollWidth, clientWidth }) => scrollWidth - clientWidth")
        assert columns <= 0, width
        tiles = [tile for layer in app.layers() for tile in app.tiles(layer)]
        assert min(min(tile.width, tile.height) for tile in tiles) >= 39.9, width
        assert max(tile.y + tile.height for tile in tiles) <= height, width
        assert max(tile.x + tile.width for tile in tiles) >= 0.7 * width, width  # no empty third
        letters = app.page.evaluate(LETTERS)
        assert len(letters) > 80
        assert [(text, size) for text, size in letters if size < (14 if width > 1280 else 11)] == []
        labels = boxes(app, "[class*=st-key-group_conv] label p")
        assert max(box[3] - box[1] for box in labels) < 22, width  # each in one line
    # Each block's widgets stand below its columns, in a group of its name, and do not move under the pointer.
    for name, layer in (("conv1", "conv1"), ("conv2", "conv2")):
        group = app.page.get_by_role("group", name=name, exact=True)
        expect(group.get_by_role("spinbutton", name=f"{name} stride", exact=True)).to_be_visible()
        (box,), (maps,) = boxes(app, f".st-key-group_{name}"), boxes(app, f".column:has([data-layer={layer}])")
        assert box[0] == pytest.approx(maps[0], abs=24)
    more = app.setting("block1_kernel_size").get_by_test_id("stNumberInputStepUp")
    before = more.bounding_box()
    for net in ("conv10k6-max2-relu-conv20k5-max2-relu-fc10", "conv10k7-max2-relu-conv20k5-max2-relu-fc10"):
        more.click()
        app.wait_net(net)
    assert more.bounding_box() == before
    expect(app.page.locator(".turned")).to_have_count(3)
    expect(app.page.locator(".seen .marks")).to_be_visible()  # the window that the held knob changes
    app.page.locator("[data-sizes=large]").click()
    expect(app.page.locator(".turned, .seen .marks:visible")).to_have_count(0)
    app.page.locator("[data-sizes=toscale]").click()
    app.page.wait_for_function("() => new URLSearchParams(location.search).get('view') === 'toscale'")
    app.page.reload()
    app.ready()
    expect(app.page.locator("[data-sizes=toscale]")).to_have_attribute("aria-pressed", "true")
    assert app.tiles("conv1")[0].height == pytest.approx(2 * app.tiles("max1")[0].height)


def test_groups_stand_below_their_columns_though_the_style_comes_late(
    new_page: Callable[..., Page], server: Server
) -> None:
    page, late = new_page({"viewport": {"width": 1920, "height": 1080}}), list[Route]()
    page.route("**/*network_view*/style.css", lambda route: late.append(route))
    page.goto(server.url)
    page.locator(PAINTED).wait_for(state="attached")
    page.locator(".st-key-footer").wait_for()
    assert late
    for route in late:
        route.continue_()
    page.wait_for_function(
        """(view) => ["conv1", "conv2"].every((name) => {
          const group = document.querySelector(`.st-key-group_${name}`), maps = view.querySelector(`.column:has([data-layer=${name}])`);
          const [one, other] = [group, maps].map((each) => each.getBoundingClientRect().left);
          return one > 300 && Math.abs(one - other) < 24;
        })""",
        arg=page.locator(".network-view").element_handle(),
    )


def readable(app: Explorer, theme: str) -> None:
    """Background as the theme says, every text with WCAG's 4.5 to 1."""
    texts = app.page.locator(TEXTS).evaluate_all(CONTRAST)
    assert len(texts) > 10
    grounds = [sum(ground) for _, _, ground in texts]
    assert (max(grounds) < 380) if theme == "dark" else (min(grounds) > 380)
    assert [(text, round(ratio, 2)) for text, ratio, _ in texts if ratio < 4.5] == []


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_the_gallery_lies_over_everything(visit: Visit, artifacts: Path, width: int, height: int) -> None:
    app = visit({"viewport": {"width": width, "height": height}})
    app.page.locator(".more").click()
    app.page.locator(".gallery").wait_for()
    app.page.screenshot(path=artifacts / f"gallery-{width}x{height}.png")
    on_top = app.page.locator("[data-digit]").evaluate_all(
        """(all) => all.map((button) => {
          button.scrollIntoView({ block: "nearest" });
          const { left, top, width, height } = button.getBoundingClientRect();
          const deepest = (root) => {
            const found = root.elementFromPoint(left + width / 2, top + height / 2);
            return found?.shadowRoot ? deepest(found.shadowRoot) : found;
          };
          return deepest(document) === button;
        })"""
    )
    assert on_top == [True] * 30


@pytest.mark.parametrize(
    ("name", "net"),
    [
        ("broken", "conv10k5-max2-relu-conv20k13-max2-relu-fc10"),
        ("lenet", "conv6k5p2-tanh-avg2-conv16k5-tanh-avg2-fc120-tanh-fc84-tanh-fc10"),
        ("linear", "fc512-relu-fc256-relu-fc128-relu-fc64-relu-fc10"),
        ("maps", "conv8k3-max2"),
    ],
)
def test_other_networks_on_a_laptop(visit: Visit, artifacts: Path, name: str, net: str) -> None:
    app = visit(net=net)
    app.page.screenshot(path=artifacts / f"network-{name}.png")
    view = app.view.bounding_box()
    assert view
    assert view["x"] + view["width"] <= 1280
    expect(app.page.locator(".layers.more")).to_have_count(0)  # nothing is cut off
    assert app.page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollWidth") <= 1280
    readable(app, "light")
    columns = boxes(app, ".layers > .column, .layers > .break")
    assert [left[2] <= right[0] + 1 for left, right in pairwise(columns)] == [True] * (len(columns) - 1)


def test_a_window_that_changes_its_size(visit: Visit) -> None:
    app = visit()
    answer = app.probabilities()
    large = app.canvas("conv1").bounding_box()
    assert large
    app.page.set_viewport_size({"width": 1000, "height": 600})
    app.page.wait_for_function(
        "([view, before]) => view.querySelector('canvas[data-layer=conv1]').getBoundingClientRect().width !== before",
        arg=[app.view.element_handle(), large["width"]],
    )
    app.page.set_viewport_size({"width": 1280, "height": 720})
    app.page.wait_for_function(
        "([view, before]) => view.querySelector('canvas[data-layer=conv1]').getBoundingClientRect().width === before",
        arg=[app.view.element_handle(), large["width"]],
    )
    assert app.probabilities() == answer


LETTERS = """() => {
  const found = [];
  const look = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) look(element.shadowRoot);
      const texts = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim());
      const text = texts.join("") || (element instanceof HTMLInputElement ? element.value : "");
      const box = element.getBoundingClientRect();
      if (text && box.width > 1 && element.checkVisibility({ visibilityProperty: true }) && !["STYLE", "SCRIPT"].includes(element.tagName)) {
        found.push([text, parseFloat(getComputedStyle(element).fontSize)]);
      }
    }
  };
  look(document);
  return found;
}"""


def test_a_lecture_has_large_letters_and_no_more_than_it_needs(visit: Visit, artifacts: Path) -> None:
    app = visit(code="beside")
    view = "() => new URLSearchParams(location.search).get('view')"
    assert outside(app, CONTROLS, 1280, 720) == []  # beside the code as well
    app.page.get_by_role("button", name="Present").click()
    app.page.wait_for_function(f"() => ({view})() === 'present'")
    app.page.reload()
    app.page.locator(f"{PAINTED}.presenting").wait_for()
    for width, height in [(1280, 720), (1920, 1080)]:
        app.page.set_viewport_size({"width": width, "height": height})
        app.page.wait_for_function("width => document.documentElement.clientWidth === width", arg=width)
        app.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        app.page.screenshot(path=artifacts / f"present-{width}x{height}.png")
        assert app.page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight") <= height
        tiles = [tile for layer in app.layers() for tile in app.tiles(layer)]
        assert min(min(tile.width, tile.height) for tile in tiles) >= 39.9
        assert max(tile.y + tile.height for tile in tiles) <= height
    app.page.mouse.move(tiles[0].x + 5, tiles[0].y + 5)
    app.card.wait_for()
    letters = app.page.evaluate(LETTERS)
    assert len(letters) > 30
    assert [(text, size) for text, size in letters if size < 20] == []
    for hidden in ("navigation", "spinbutton", "textbox"):
        expect(app.page.get_by_role(hidden)).to_have_count(0)
    app.page.mouse.down()
    app.page.mouse.up()
    app.page.locator(".detail .chain").wait_for()
    assert [(text, size) for text, size in app.page.evaluate(LETTERS) if size < 20] == []
    app.page.keyboard.press("Escape")  # closes the map
    expect(app.page.locator(".detail .chain")).to_be_hidden()
    expect(app.page.get_by_role("button", name="Back (Esc)")).to_be_visible()
    app.page.keyboard.down("Escape")  # leaves the lecture
    expect(app.page.get_by_role("navigation", name="Pages")).to_be_visible()
    app.page.wait_for_function(f"() => ({view})() === null")
    app.page.keyboard.up("Escape")
    app.page.get_by_role("button", name="Present").click()
    app.page.get_by_role("button", name="Back (Esc)").click()
    expect(app.page.get_by_role("navigation", name="Pages")).to_be_visible()
