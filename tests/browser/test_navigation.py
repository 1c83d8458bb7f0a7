"""The top bar in a real browser: a change of page is one step of the history, and no drawing or network gets lost."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browser.conftest import Visit, Watch
from browser.explorer import PATIENCE, Explorer, run_module
from playwright.sync_api import Page, expect

from cnn_explorer.digits.drawing import parse_drawing

pytestmark = pytest.mark.browser

PATHS = {
    "Draw": "/",
    "Convolution": "/convolution",
    "Pooling": "/pooling",
    "Train": "/training",
    "Classic networks": "/classics",
}
NETWORK_VIEW = ".network-view[data-painted-net]:not([data-painted-net=''])"
# What is on the screen last.
CONTENT = {
    "Draw": NETWORK_VIEW,
    "Convolution": ".grid-player[data-scene]",
    "Pooling": ".grid-player[data-scene]",
    "Train": NETWORK_VIEW,
    "Classic networks": ".network-map[data-selected]",
}
RESTING = ".stApp[data-test-script-state=notRunning]"
# The browser is at an address; the same character may be written in two ways there.
SAME = """(address) => {
  const words = ({ search }) => new URLSearchParams(search).toString(), other = new URL(address);
  return location.pathname === other.pathname && words(location) === words(other);
}"""
# Paper, answer and address say the same: nothing is drawn, or something.
AGREE = """(view) => {
  const blank = (new URLSearchParams(location.search).get("drawing") ?? "s") === "s";
  return !view.querySelector(".hint").hidden === blank && (view.querySelector(".verdict strong").textContent === "–") === blank;
}"""
EMPTY, DOWN = "s", ((140, 40), (140, 240))


def shown(page: Page) -> dict[str, str]:
    """The query parameters of the address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def link(page: Page, label: str) -> Any:
    return page.get_by_role("navigation", name="Pages").get_by_role("link", name=label, exact=True)


def arrived(page: Page, label: str) -> None:
    """Wait until a page is on the screen, and nothing of it is still to come."""
    page.wait_for_function("path => location.pathname === path", arg=PATHS[label], timeout=PATIENCE)
    expect(link(page, label)).to_have_attribute("aria-current", "page", timeout=PATIENCE)
    page.locator(CONTENT[label]).wait_for(timeout=PATIENCE)
    page.locator(RESTING).wait_for(timeout=PATIENCE)


def go(page: Page, label: str) -> None:
    link(page, label).click()
    arrived(page, label)


def length(page: Page) -> int:
    steps: int = page.evaluate("history.length")
    return steps


@pytest.fixture(autouse=True)
def _forgiving(watch: Watch) -> None:
    # Streamlit's own browser code asks below the page's path for its server before it asks below the root.
    for path in PATHS.values():
        watch.forgive(f"{path}/_stcore/")


def test_every_press_of_back_is_one_page(visit: Visit) -> None:
    app = visit(drawing="d7", net="conv4k5-fc10")
    page, steps = app.page, length(app.page)
    order = ["Draw", "Convolution", "Pooling", "Train"]
    for label in order[1:]:
        go(page, label)
        assert {name: shown(page)[name] for name in ("drawing", "net")} == {"drawing": "d7", "net": "conv4k5-fc10"}
    assert length(page) == steps + 3
    addresses = [page.url]
    for label in reversed(order[:-1]):
        page.go_back()
        arrived(page, label)
        addresses.insert(0, page.url)
    for label, address in zip(order[1:], addresses[1:], strict=True):
        page.go_forward()
        arrived(page, label)
        assert page.evaluate(SAME, address)
    assert length(page) == steps + 3


def test_settings_in_between_are_one_press_each(visit: Visit) -> None:
    app = visit(drawing="d7", net="conv4k5-fc10")
    page, steps = app.page, length(app.page)
    seen = [page.url]

    def note() -> None:
        seen.append(page.url)
        assert length(page) == steps + len(seen) - 1

    app.step("block1_kernel_size", up=False)
    app.wait_net("conv4k4-fc10")
    note()
    go(page, "Pooling")
    note()
    app.step("pool_compare_stride", up=False)
    page.wait_for_function("() => new URLSearchParams(location.search).get('stride') === '1'")
    note()
    go(page, "Draw")
    assert shown(page) == {"drawing": "d7", "net": "conv4k4-fc10"}
    note()
    app.draw(*DOWN)
    note()
    go(page, "Pooling")
    assert shown(page)["stride"] == "1"  # as it was left
    assert shown(page)["drawing"][0] == "s"
    note()
    for address in seen[-2::-1]:
        page.go_back()
        page.wait_for_function(SAME, arg=address)
        page.locator(RESTING).wait_for()
        where = urlsplit(address)
        if where.path == "/":
            app.wait_net(parse_qs(where.query)["net"][0])
        else:
            arrived(page, "Pooling")
        assert page.evaluate(SAME, address)


@pytest.mark.parametrize("label", ["Train", "Convolution"])
def test_a_stroke_just_before_is_taken_along(visit: Visit, label: str) -> None:
    """The link is pressed in the moment in which the pen is lifted."""
    app = visit(drawing=EMPTY)
    page, steps = app.page, length(app.page)
    with app.stroke(*DOWN[0]):
        page.mouse.move(*app.place(*DOWN[1]), steps=8)
    link(page, label).evaluate("anchor => anchor.click()")
    arrived(page, label)
    (stroke,) = parse_drawing(shown(page)["drawing"]).strokes
    assert (stroke[0], stroke[-1]) == DOWN
    assert length(page) == steps + 2  # the stroke, and the page
    if label == "Train":
        assert app.ink() > 50
    page.go_back()
    arrived(page, "Draw")
    assert parse_drawing(app.drawing).strokes == (stroke,)
    app.wait_verdict("1")
    page.go_back()
    page.wait_for_function("() => new URLSearchParams(location.search).get('drawing') === 's'")
    app.wait_verdict("–")


def test_a_setting_just_before_is_taken_along(visit: Visit) -> None:
    app = visit(drawing="d7", net="conv4k5-fc10")
    app.setting("block1_kernel_size").get_by_test_id("stNumberInputStepDown").evaluate("button => button.click()")
    link(app.page, "Train").evaluate("anchor => anchor.click()")
    arrived(app.page, "Train")
    assert shown(app.page)["net"] == "conv4k4-fc10"
    app.wait_net("conv4k4-fc10")


def test_back_in_the_very_moment_after_a_stroke(visit: Visit) -> None:
    """Whatever was already in the address: what is drawn and what the address says are the same in the end."""
    app = visit(drawing="d7")
    app.do("clear")
    for wait in (0, 20, 60, 150):
        with app.stroke(*DOWN[0]):
            app.page.mouse.move(*app.place(*DOWN[1]), steps=8)
        app.page.wait_for_timeout(wait)
        app.page.evaluate("history.back(); setTimeout(() => history.forward(), 50)")
        app.page.wait_for_timeout(500)
        app.page.wait_for_function(AGREE, arg=app.view.element_handle())
        if app.drawing != EMPTY:
            app.do("clear")


def test_a_link_is_a_real_one(visit: Visit) -> None:
    app = visit(drawing=EMPTY)
    app.draw(*DOWN)
    link(app.page, "Train").hover()
    address = link(app.page, "Train").evaluate("anchor => anchor.href")
    other = app.page.context.new_page()
    other.goto(address)
    arrived(other, "Train")
    assert shown(other)["drawing"] == app.drawing
    other.close()
    with app.page.context.expect_page() as opened:
        link(app.page, "Pooling").click(modifiers=["ControlOrMeta"])
    arrived(opened.value, "Pooling")
    assert shown(opened.value)["drawing"] == app.drawing
    arrived(app.page, "Draw")


def test_the_link_is_copied(visit: Visit) -> None:
    app = visit({"permissions": ["clipboard-read", "clipboard-write"]}, drawing=EMPTY)
    app.draw(*DOWN)
    app.page.get_by_role("button", name="Copy link").click()
    app.page.locator(".top-bar output").filter(has_text="Copied").wait_for()
    assert app.page.evaluate("navigator.clipboard.readText()") == app.page.url


def test_the_link_is_copied_where_the_clipboard_is_closed(visit: Visit) -> None:
    app = visit(drawing="d7")
    app.page.evaluate(
        """() => {
          navigator.clipboard.writeText = () => Promise.reject(new DOMException("", "NotAllowedError"));
          document.addEventListener("copy", () => { window.copied = document.activeElement.shadowRoot ? 1 : 0; });
        }"""
    )
    button = app.page.get_by_role("button", name="Copy link")
    button.click()
    app.page.locator(".top-bar output").filter(has_text="Copied").wait_for()
    assert app.page.evaluate("window.copied") is not None
    expect(button).to_be_focused()


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("https://x.streamlit.app/~/+/training?net=fc10#a", "https://x.streamlit.app/training?net=fc10#a"),
        ("https://x.streamlit.app/~/+/?net=fc10", "https://x.streamlit.app/?net=fc10"),
        ("https://x.streamlit.app/~/+", "https://x.streamlit.app/"),
        ("http://localhost:8501/cnn/~/+/", "http://localhost:8501/cnn/~/+/"),
    ],
)
def test_the_copied_link_is_the_public_one(app: Explorer, here: str, there: str) -> None:
    assert run(app, "return m.publicAddress(a)", here) == there


@pytest.mark.parametrize(
    ("here", "current", "to", "there"),
    [
        ("http://host/", "", "training", "http://host/training?net=fc10"),
        ("http://host/?a=1#b", "", "", "http://host/?net=fc10"),
        ("http://host/pooling?a=1", "pooling", "", "http://host/?net=fc10"),
        ("http://host/cnn/pooling", "pooling", "training", "http://host/cnn/training?net=fc10"),
        ("http://host/cnn", "", "training", "http://host/cnn/training?net=fc10"),
        ("https://x.streamlit.app/~/+/", "", "pooling", "https://x.streamlit.app/~/+/pooling?net=fc10"),
    ],
)
def test_addresses_of_other_pages(app: Explorer, here: str, current: str, to: str, there: str) -> None:
    assert run(app, "return m.pageAddress(...a, { net: 'fc10' })", [here, current, to]) == there


def test_a_link_has_the_present_drawing(app: Explorer) -> None:
    last = {"net": "fc10", "drawing": "d1", "weights": "w", "step": "one"}
    query = run(app, "return m.linkQuery('?net=fc9-fc10&drawing=d2&at=3', ['net', 'drawing', 'weights'], a)", last)
    assert query == {"net": "fc9-fc10", "drawing": "d2", "step": "one"}


def run(app: Explorer, body: str, argument: Any) -> Any:
    """Run JavaScript that sees the top bar's module of addresses as `m` and an argument as `a`."""
    module = app.page.evaluate(
        "performance.getEntriesByType('resource').map(({ name }) => name)"
        ".find((name) => name.includes('.top_bar_') && name.endsWith('/address.js'))"
    )
    return run_module(app.page, module, body, argument)


def test_the_keyboard_changes_pages_and_the_links_are_in_sight_on_each(visit: Visit) -> None:
    page = visit().page
    arrived(page, "Draw")
    link(page, "Draw").focus()
    for label in PATHS:
        if label != "Draw":
            page.keyboard.press("Tab")  # the focus has stayed in the bar
            page.keyboard.press("Enter")
            arrived(page, label)
        assert [each for each in PATHS if link(page, each).get_attribute("aria-current") == "page"] == [label]
        page.locator(".st-key-footer").get_by_text("weights").wait_for()
        for width, height in [(1920, 1080), (390, 844), (1280, 720)]:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_function("width => document.documentElement.clientWidth === width", arg=width)
            assert page.locator("[data-testid=stMain]").evaluate("main => main.scrollWidth") == width
            links_in_sight(page)


def links_in_sight(page: Page) -> None:
    expect(page.locator(".top-bar")).to_have_css("opacity", "1")  # its style is there
    for label in PATHS:
        box = link(page, label).bounding_box()
        assert box
        assert box["y"] + box["height"] < 100
        assert box["height"] >= 30
    assert not page.get_by_test_id("stSidebar").count()
    assert not page.get_by_test_id("stExpandSidebarButton").count()
