"""What a component has on screen stays until it leaves the page.

Streamlit calls the clean-up of a component where it leaves, and also where newer data overtake older ones.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from browser.conftest import Watch
from browser.driver import ROOT, Server
from browser.explorer import Explorer
from browser.numbers import NumberPage
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser

# Served in place of a component's index.js: keeps the clean-up of every call, and whether there was an element when
# Streamlit called it.
INDEX = """
import mount from "./mount.js";
export default (component) => {
  const cleanUp = mount(component);
  (window.cleanUps ??= []).push(cleanUp);
  return () => {
    (window.ended ??= []).push(component.parentElement.host.isConnected);
    return cleanUp();
  };
};
"""


def keep_clean_ups(page: Page, component: str) -> None:
    """Have a page keep what a component returns to Streamlit."""
    assets = ROOT / "cnn_explorer/ui" / component / "assets"

    def serve(route: Route) -> None:
        name = Path(route.request.url).name
        body = INDEX if name == "index.js" else (assets / "index.js").read_text(encoding="utf-8")
        route.fulfill(body=body, content_type="text/javascript")

    page.route(f"**/*{component}*/index.js", serve)
    page.route(f"**/*{component}*/mount.js", serve)


def overtake(page: Page) -> None:
    """Call every clean-up that there is, as Streamlit does where newer data come."""
    assert page.evaluate("() => { for (const cleanUp of cleanUps) cleanUp(); return cleanUps.length; }")


def leave(page: Page, name: str) -> None:
    """Go to another page: now the component is cleaned up, and Streamlit has taken it out before that."""
    page.evaluate("() => { window.ended = []; }")
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_function("() => window.ended.includes(false)")


def test_a_number_is_typed_on_while_answers_come(new_page: Callable[..., Page], server: Server, watch: Watch) -> None:
    watch.forgive("/convolution/_stcore/")  # Streamlit asks there for its server before it asks below the root
    page = new_page({"reduced_motion": "reduce"})
    keep_clean_ups(page, "grid_player")
    page.goto(f"{server.url}/convolution")
    app = NumberPage(page).ready("one")
    app.cell("input", 0, 0).click()
    page.keyboard.type("11")
    page.keyboard.press("Tab")
    page.keyboard.press("F2")
    page.keyboard.type("5")
    overtake(page)
    app.wait_number("output", 0, 0, "131")  # 91 + 8 · 5
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    app.wait_address("input", "11_55_6_5_7~2_4_6_8_2~1_6_7_8_4~9_7_4_6_2~3_7_5_4_1")
    page.set_viewport_size({"width": 600, "height": 720})
    page.locator(".grid-player.narrow").wait_for()  # the layout still follows the window
    leave(page, "Pooling")


def test_the_view_stays_as_it_is_while_answers_come(new_page: Callable[..., Page], server: Server) -> None:
    page = new_page()
    keep_clean_ups(page, "network_view")
    page.goto(server.url)
    app = Explorer(page).ready()
    app.paper.evaluate("paper => { paper.dataset.first = ''; }")
    overtake(page)
    before = app.seq
    app.draw((60, 140), (220, 140))
    app.wait_painted(before)
    expect(page.locator(".paper[data-first]")).to_be_visible()
    leave(page, "Convolution")
