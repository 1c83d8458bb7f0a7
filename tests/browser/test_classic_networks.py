"""The page "Classic networks" in a real browser: unfolding by mouse, keyboard and finger; axe; a phone."""

import re
import shutil
from collections.abc import Callable

import pytest
from browser.axe import check
from browser.conftest import Watch
from browser.driver import ARGUMENTS, NAMES, PHONE, Server
from browser.explorer import PATIENCE
from playwright.sync_api import Browser, Locator, Page, expect

from cnn_explorer.classics.catalogue import FAMILIES, LITE0, NETWORKS
from cnn_explorer.classics.folding import find, fold, layers
from cnn_explorer.classics.graph import infer_graph
from cnn_explorer.classics.origins import Origins
from cnn_explorer.classics.photographs import photograph
from cnn_explorer.classics.recorded import records
from cnn_explorer.classics.wording import layer_summary

pytestmark = pytest.mark.browser

WORKER_PATIENCE = 3 * PATIENCE  # ms: until torchvision is imported
OVERFLOW = "() => document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth"

# The share of a picture's pixels that are green, as most of Chromium's test picture is.
GREEN = """image => {
  if (!image?.complete) return 0;
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight), context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let green = 0;
  for (let at = 0; at < data.length; at += 4) green += data[at + 1] > data[at] + 40 && data[at + 1] > data[at + 2] + 40;
  return green / (data.length / 4);
}"""

Opened = Callable[..., Page]


@pytest.fixture
def classics(new_page: Callable[..., Page], server: Server, watch: Watch) -> Opened:
    """Opens the page: query parameters as text, options of the browser's context."""

    def opened(query: str, context: dict[str, object] | None = None) -> Page:
        # Streamlit's own browser code asks below the page's path for its server before it asks below the root.
        watch.forgive("/classics/_stcore/")
        page = new_page({"reduced_motion": "reduce", **(context or {})})
        page.goto(f"{server.url}/classics?{query}")
        page.locator(".network-map[data-selected]").wait_for(timeout=PATIENCE)
        return page

    return opened


def box(page: Page, id: str) -> Locator:
    return page.locator(f'.network-map button[data-id="{id}"]')


def wait_open(page: Page, id: str) -> None:
    page.locator(f'.network-map[data-selected="{id}"]').wait_for()


def test_a_network_unfolds_by_mouse_and_by_keyboard(classics: Opened) -> None:
    page = classics("network=resnet18")
    box(page, "layer1").click()
    wait_open(page, "layer1")
    expect(box(page, "layer1")).to_be_focused()
    expect(box(page, "layer1.0")).to_contain_text("2 × Residual block")
    box(page, "layer1.0").focus()
    page.keyboard.press("Enter")
    wait_open(page, "layer1.0")
    expect(page.locator(".network-map .shortcut")).to_have_text("unchanged")
    box(page, "layer1.0.conv2").press("Enter")
    wait_open(page, "layer1.0.conv2")
    expect(page.get_by_text("64 · 64 · 3 · 3 = 36,864")).to_be_visible()
    page.wait_for_function("() => new URLSearchParams(location.search).get('open') === 'layer1.0.conv2'")
    for id in ("layer1.0", "layer1", ""):
        page.keyboard.press("Escape")
        wait_open(page, id)
    page.go_back()
    wait_open(page, "layer1")


def test_every_family_unfolds_to_a_layer(classics: Opened) -> None:
    page = classics("network=resnet18")
    page.get_by_text("From the lecture's network to these").click()
    for family in FAMILIES:
        page.get_by_role("button", name=f"See it in {NETWORKS[family.shown].title}", exact=True).click()
        wait_open(page, family.block)
        graph = records().graphs[family.shown]
        block = find(fold(graph), family.block)[-1]
        layer = next(step for step in layers(block.inside) if step.kind == "Conv2d")
        for step in find(block.inside, layer.id):
            box(page, step.id).click()
            wait_open(page, step.id)
        node = graph.nodes[layer.nodes[0]]
        expect(page.get_by_text(f"Convolution {node.name} {layer_summary(node)}")).to_be_visible()


def test_a_picture_is_classified(classics: Opened) -> None:
    """The first visitor of a server waits until torchvision is imported; meanwhile the page answers."""
    page = classics("network=efficientnet_lite0&picture=coffee")
    box(page, "layer2").click()
    wait_open(page, "layer2")
    page.locator(".classified li").filter(has_text="espresso").wait_for(timeout=WORKER_PATIENCE)
    page.get_by_role("button", name="Your own picture").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "cat.jpg", "mimeType": "image/jpeg", "buffer": photograph("chelsea")}
    )
    page.locator(".classified li").filter(has_text="Egyptian cat").wait_for()
    page.wait_for_function("() => new URLSearchParams(location.search).get('picture') === 'own'")
    page.go_back()
    page.locator(".classified li").filter(has_text="espresso").wait_for()


def test_a_picture_is_taken_with_the_camera(browser: Browser, server: Server, watch: Watch) -> None:
    """In a browser of its own, whose camera is Chromium's test picture."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    own = browser.browser_type.launch(executable_path=path, args=[*ARGUMENTS, *camera])
    watch.forgive("/classics/_stcore/")
    try:
        context = own.new_context()
        watch.on(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{server.url}/classics")
        page.locator(".classified").wait_for(timeout=WORKER_PATIENCE)
        page.get_by_role("button", name="Your own picture").click()
        page.get_by_text("Take one with the camera").click()
        page.wait_for_function("() => document.querySelector('[data-testid=stCameraInput] video')?.readyState === 4")
        page.get_by_role("button", name="Take photo").click()
        page.wait_for_function("() => new URLSearchParams(location.search).get('picture') === 'own'")
        page.wait_for_function(f"() => ({GREEN})(document.querySelector('img[alt=\"1 · Resize\"]')) > 0.5")
        assert watch.report() == []
    finally:
        own.close()


def test_axe_finds_nothing_about_a_picture(classics: Opened, axe: str) -> None:
    page = classics("network=efficientnet_lite0&open=layer2.0.block.1.0")
    page.locator(".classified").wait_for(timeout=WORKER_PATIENCE)
    expect(page.locator(".picture-view .tiles figure")).to_have_count(24)
    page.get_by_text("Where does the network look?").click()
    expect(page.locator(".picture-view:has(.cells) figure")).to_have_count(4, timeout=WORKER_PATIENCE)
    cover_places(page)
    point_at_maps(page)
    page.evaluate(axe)
    check(page, 'data-id="layer2.0"')


def cover_places(page: Page) -> None:
    """By pointer on the finer grid once it is complete, then by keyboard."""
    view = page.locator(".picture-view:has(.cells)")
    picture, number, said = (view.locator(name) for name in ("[role=application]", ".number", ".said"))
    expect(view).to_have_attribute("data-covered", "196", timeout=WORKER_PATIENCE)
    before = number.inner_text()
    picture.hover(position={"x": 120, "y": 56})
    expect(view).to_have_attribute("data-shown", "14 3 7")
    expect(said).to_have_text(f"Row 4, column 8 of 14. Without the square: {before}.")
    expect(number).not_to_have_text(before)
    square, whole = page.locator(".square.grey").bounding_box(), picture.bounding_box()
    assert square
    assert whole
    assert (square["width"], square["height"]) == pytest.approx((64, 64), abs=0.5)
    assert square["x"] - whole["x"] == pytest.approx(7.5 * 16 - 32, abs=0.5)
    assert square["y"] - whole["y"] == pytest.approx(3.5 * 16 - 32, abs=0.5)
    picture.press("ArrowDown")
    expect(view).to_have_attribute("data-shown", "14 4 7")
    picture.press("Escape")
    expect(view).to_have_attribute("data-shown", "")
    expect(number).to_have_text(before)


def point_at_maps(page: Page) -> None:
    """By pointer, then by keyboard; the pixel that is pressed is in the address. The layer has 113 × 113 pixels."""
    graph = records().graphs[LITE0]
    shapes = infer_graph(graph, 224).nodes
    (place,) = (place for place, node in enumerate(graph.nodes) if node.name == "layer2.0.block.1.0")
    rows, columns = Origins(graph, shapes).spans(place, 0)
    view = page.locator(".picture-view:has(.tiles)")
    picture, first, said = view.locator(".beside .frame"), view.locator(".map").first, view.locator(".said")
    first.scroll_into_view_if_needed()
    first.hover(position={"x": 92 * 30.5 / 113, "y": 92 * 9.5 / 113})
    expect(said).to_contain_text(
        f"sees rows {rows[9][0]} to {rows[9][1]} and columns {columns[30][0]} to {columns[30][1]}"
    )
    square, whole = picture.locator(".square").bounding_box(), picture.bounding_box()
    assert square
    assert whole
    assert square["x"] - whole["x"] == pytest.approx(columns[30][0], abs=0.5)
    assert square["y"] - whole["y"] == pytest.approx(rows[9][0], abs=0.5)
    assert square["width"] == square["height"] == pytest.approx(rows[9][1] - rows[9][0] + 1, abs=0.5)
    first.click(position={"x": 92 * 30.5 / 113, "y": 92 * 9.5 / 113})
    page.wait_for_function("() => /^[0-9]+\\.9\\.30$/.test(new URLSearchParams(location.search).get('at'))")
    picture.hover(position={"x": 100.5, "y": 60.5})
    expect(view).to_have_attribute("data-shown", "picture 60 100")
    seen = [at for at, (start, end) in enumerate(rows) if start <= 60 <= end]
    expect(said).to_contain_text(f"is seen by rows {seen[0]} to {seen[-1]} and columns")
    expect(view.locator(".map .square:visible")).to_have_count(24)
    picture.press("ArrowDown")
    expect(view).to_have_attribute("data-shown", "picture 68 100")
    first.press("Escape")
    expect(view).to_have_attribute("data-shown", re.compile(r"map \d+ 9 30"))  # the one that is kept
    first.press("ArrowRight")
    expect(view).to_have_attribute("data-shown", re.compile(r"map \d+ 9 31"))
    first.press("PageDown")
    expect(view.locator(".map").nth(1)).to_be_focused()


def test_axe_finds_nothing(classics: Opened, axe: str) -> None:
    page = classics("network=densenet121&open=denseblock1.denselayer2.conv1&size=20")
    page.get_by_text("From the lecture's network to these").click()
    page.get_by_text("All networks side by side").click()
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    page.evaluate(axe)
    check(page, 'aria-current="page"', 'data-id="denseblock1.cat"', 'data-problem="not reached"')


def test_a_phone_shows_all_parts_below_each_other(classics: Opened) -> None:
    page = classics("network=efficientnet_lite0&open=stem.conv_stem.1&heat=1", PHONE)
    page.locator(".picture-view .tiles").wait_for(timeout=WORKER_PATIENCE)
    assert page.evaluate(OVERFLOW) <= 0
    maps, test = page.locator(".picture-view:has(.tiles)"), page.locator(".picture-view:has(.cells)")
    test.locator("[role=application]").tap(position={"x": 120, "y": 56})
    expect(test).to_have_attribute("data-shown", re.compile(r"7 1 3|14 3 7"), timeout=WORKER_PATIENCE)
    maps.locator(".map").nth(4).tap(position={"x": 92 * 56.5 / 112, "y": 92 * 56.5 / 112})
    expect(maps).to_have_attribute("data-shown", re.compile(r"map \d+ 56 56"))
    page.wait_for_function("() => new URLSearchParams(location.search).get('at')?.endsWith('.56.56')")
    maps.locator(".beside .frame").tap(position={"x": 150 * 112.5 / 224, "y": 150 * 112.5 / 224})
    expect(maps).to_have_attribute("data-shown", "picture 112 112")
    page = classics("network=googlenet&open=stage1.inception3a", PHONE)
    boxes = page.locator(".network-map button").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().toJSON())"
    )
    assert all(one["left"] >= 0 and one["right"] <= 390 and one["height"] >= 40 for one in boxes)
    assert page.evaluate(OVERFLOW) <= 0
    box(page, "stage1.inception3a.branch1").tap()
    wait_open(page, "stage1.inception3a.branch1")
