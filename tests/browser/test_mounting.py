"""What a component has on screen stays until it leaves the page.

Streamlit calls the clean-up of a component when its element has left, and also when newer data arrive during `import()`.
"""

import re
from collections.abc import Callable

import pytest
from browser.conftest import Watch
from browser.driver import ROOT, Server
from browser.explorer import Explorer
from browser.numbers import NumberPage
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

# Served in place of a component's index.js: it keeps the clean-up of every call.
INDEX = """
import mount from "./mount.js";
export default (component) => {
  const cleanUp = mount(component);
  (window.cleanUps ??= []).push(cleanUp);
  return cleanUp;
};
"""
# Keeps what a component listens to outside of its own element.
LISTENERS = """(component) => {
  window.listeners = new Set();
  const { addEventListener, removeEventListener } = window;
  window.addEventListener = function (type, listener, ...options) {
    if (new Error().stack.includes(component)) listeners.add(listener);
    addEventListener.call(this, type, listener, ...options);
  };
  window.removeEventListener = function (type, listener, ...options) {
    listeners.delete(listener);
    removeEventListener.call(this, type, listener, ...options);
  };
}"""


def prepare(page: Page, component: str) -> None:
    """Have a page keep what a component returns to Streamlit and what it listens to."""
    index = ROOT / "cnn_explorer/ui" / component / "assets/index.js"

    def serve(route: Route) -> None:
        body = INDEX if route.request.url.endswith("/index.js") else index.read_text(encoding="utf-8")
        route.fulfill(body=body, content_type="text/javascript")

    page.add_init_script(f"({LISTENERS})('{component}')")
    page.route(re.compile(rf"{component}[^/]*/(index|mount)\.js$"), serve)


def overtake(page: Page) -> None:
    """Call every clean-up that there is, as Streamlit does when newer data arrive."""
    assert page.evaluate("() => { for (const cleanUp of cleanUps) cleanUp(); return cleanUps.length; }")


def leave(page: Page, name: str) -> None:
    """Go to another page; the component listens to nothing any more."""
    assert page.evaluate("() => listeners.size") > 0
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_function("() => listeners.size === 0")


def test_a_number_is_typed_on_while_answers_come(new_page: Callable[..., Page], server: Server, watch: Watch) -> None:
    watch.forgive("/convolution/_stcore/")  # Streamlit asks there for its server before it asks below the root
    page = new_page({"reduced_motion": "reduce"})
    prepare(page, "grid_player")
    page.goto(f"{server.url}/convolution")
    app = NumberPage(page).ready("one")
    app.cell("input", 0, 0).click()
    page.keyboard.type("11")
    overtake(page)
    page.keyboard.press("Tab")
    page.keyboard.press("F2")
    page.keyboard.type("5")
    app.wait_number("output", 0, 0, "131")  # 91 + 8 · 5
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    app.wait_address("input", "11_55_6_5_7~2_4_6_8_2~1_6_7_8_4~9_7_4_6_2~3_7_5_4_1")
    page.set_viewport_size({"width": 600, "height": 720})
    page.locator(".grid-player.narrow").wait_for()  # the layout still follows the window
    leave(page, "Pooling")


def test_the_view_stays_as_it_is_while_answers_come(new_page: Callable[..., Page], server: Server) -> None:
    page = new_page()
    prepare(page, "network_view")
    page.goto(server.url)
    app = Explorer(page).ready()
    app.paper.evaluate("paper => { paper.dataset.first = ''; }")
    overtake(page)
    before = app.seq
    app.draw((60, 140), (220, 140))
    app.wait_painted(before)
    expect(page.locator(".paper[data-first]")).to_be_visible()
    leave(page, "Convolution")


def test_a_view_that_was_overtaken_and_then_left_closes(new_page: Callable[..., Page], server: Server) -> None:
    """Streamlit may call no clean-up when the element leaves."""
    page = new_page()
    prepare(page, "network_view")
    page.goto(server.url)
    Explorer(page).ready()
    overtake(page)
    page.locator(".network-view").evaluate("view => view.getRootNode().host.remove()")
    page.wait_for_function("() => listeners.size === 0")
