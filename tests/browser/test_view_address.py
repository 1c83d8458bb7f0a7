"""What is looked at is in the address: a copied link shows what its sender saw, and no message tells the server."""

import re
from typing import Any

import pytest
from browser.conftest import Visit, Watch
from browser.explorer import Explorer
from browser.test_depth import close, lines, open_map, panel, rest, sent_frames, settle
from browser.training import TrainingPage
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

NET = "conv6k5-relu-max2-conv8k3-relu-fc10"
VIEW = "() => new URLSearchParams(location.search).get('view')"

DEFAULT = {"map": None, "kernels": None, "scale": "layer", "toScale": False, "present": False, "table": False}
OPEN = {"layer": "conv2", "map": 7, "row": 3, "column": 4, "channel": None, "pinned": False}
WRITTEN = [
    ("", DEFAULT),
    ("table", DEFAULT | {"table": True}),
    ("scale.network", DEFAULT | {"scale": "network"}),
    ("kernels.conv2_scale.map_table", DEFAULT | {"kernels": "conv2", "scale": "map", "table": True}),
    ("scale.map_toscale_table", DEFAULT | {"scale": "map", "toScale": True, "table": True}),
    ("toscale_present_table", DEFAULT | {"toScale": True, "present": True, "table": True}),
    ("map.conv2.7.3.4", DEFAULT | {"map": OPEN}),
    ("map.conv2.7.3.4.pinned_table", DEFAULT | {"map": OPEN | {"pinned": True}, "table": True}),
    ("map.conv2.7.3.4.0.pinned", DEFAULT | {"map": OPEN | {"channel": 0, "pinned": True}}),
    ("map.flatten.0.0.0", DEFAULT | {"map": OPEN | {"layer": "flatten", "map": 0, "row": 0, "column": 0}}),
]
NONSENSE = [
    "map", "map.conv2", "map.conv2.7.3", "map.conv2.7.3.-4", "map.conv2.07.3.4", "map.conv2.7.3.4.x", "map.conv2.7.3.99999",
    "map.conv2.7.3.4.pinned.1", "map.CONV2.7.3.4", "map.conv2.7.3.4_map.conv2.7.3.4", "table_table", "table_scale.map",
    "scale.layer", "scale.none", "scale", "kernels", "kernels.", "map.conv2.7.3.4_kernels.conv2", "_", "table_", "Table", "<b>",
    "map.__proto__.0.0.0", "map.conv2.1e3.0.0", " table",
]  # fmt: skip


def viewed(app: Explorer) -> str | None:
    found: str | None = app.page.evaluate(VIEW)
    return found


def wait_view(app: Explorer, text: str | None) -> None:
    """Wait until the address holds this view."""
    app.page.wait_for_function(f"text => ({VIEW})() === text", arg=text)


def test_views_are_written_and_read(app: Explorer) -> None:
    texts, states = zip(*WRITTEN, strict=True)
    assert app.run("view_state.js", "return a.map(m.encodeView)", states) == [*texts]
    assert app.run("view_state.js", "return a.map(m.decodeView)", texts) == [*states]


def test_nonsense_is_no_view(app: Explorer) -> None:
    assert app.run("view_state.js", "return a.map(m.decodeView)", NONSENSE) == [None] * len(NONSENSE)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.text(alphabet="map.conv12_scale.networktable.pinnedkrs-0", max_size=30), min_size=50, max_size=50))
def test_only_what_is_written_is_read(app: Explorer, texts: list[str]) -> None:
    again = app.run("view_state.js", "return a.map(m.decodeView).map((state) => state && m.encodeView(state))", texts)
    assert all(text in (None, original) for text, original in zip(again, texts, strict=True))


OUTLINES = """view => [...view.querySelectorAll(".outline")].map((canvas) => canvas.toDataURL())"""


def picture(app: Explorer) -> dict[str, Any]:
    """All that a view says and outlines."""
    app.page.mouse.move(640, 715)
    settle(app)
    pressed = app.page.locator("[data-scale][aria-pressed=true]").inner_text()
    return {
        "panel": panel(app).inner_text() if panel(app).is_visible() else "",
        "kernels": app.page.locator(".kernels h4").inner_text() if app.page.locator(".kernels").is_visible() else "",
        "pinned": "pinned" in (panel(app).get_attribute("class") or ""),
        "scale": pressed,
        "maps": [app.colours(layer) for layer in app.layers()],
        "outlines": app.view.evaluate(OUTLINES),
        "table": app.page.locator(".layer-table table").is_visible(),
    }


def test_a_copied_link_shows_what_its_sender_saw(revisit: Visit) -> None:
    sender = rest(revisit(net=NET))
    assert viewed(sender) is None
    steps = sender.page.evaluate("history.length")
    sender.page.locator("[data-scale=network]").click()
    sender.page.locator(".layer-table summary").click()
    open_map(sender, "conv2", 5, 2, 7, 10)
    wait_view(sender, "map.conv2.5.2.7_scale.network_table")
    panel(sender).locator(".chain").focus()
    for key in ("Enter", "ArrowDown", "ArrowRight"):
        sender.page.keyboard.press(key)
    wait_view(sender, "map.conv2.5.3.8.pinned_scale.network_table")
    assert sender.page.evaluate("history.length") == steps
    seen = picture(sender)
    receiver = rest(sender.in_new_tab())
    panel(receiver).wait_for()
    assert picture(receiver) == seen
    assert seen["pinned"]
    assert "Pixel (3, 8)" in seen["panel"]
    assert lines(receiver)[-1].endswith("agrees")
    wait_view(receiver, "map.conv2.5.3.8.pinned_scale.network_table")  # it stays
    assert not re.search("%|~", receiver.page.url.split("view=")[1])
    receiver.page.close()
    close(sender)
    sender.page.locator("[data-scale=layer]").click()
    sender.page.locator(".layer-table summary").click()


def test_opened_kernels_are_in_a_link(revisit: Visit) -> None:
    sender = rest(revisit(net=NET))
    sender.page.locator(".joint").nth(3).click()
    wait_view(sender, "kernels.conv2")
    receiver = rest(sender.in_new_tab())
    receiver.page.locator(".kernels").wait_for()
    assert picture(receiver)["kernels"] == "conv2.weight · (8, 6, 3, 3)"
    receiver.page.close()
    sender.page.keyboard.press("Escape")


def test_looking_around_sends_no_message_and_pointing_leaves_the_address_alone(revisit: Visit) -> None:
    app = rest(revisit())  # a network of the list: nothing is left to be asked of it
    with sent_frames(app) as frames:
        open_map(app, "conv2", 5, 2, 7, 8)
        wait_view(app, "map.conv2.5.2.7")
        chain = panel(app).locator(".chain").bounding_box()
        assert chain
        address = app.page.url
        for at in range(20):
            app.page.mouse.move(chain["x"] + 10 + 2 * at, chain["y"] + 40 + at)
        app.page.wait_for_timeout(600)  # longer than the address ever waits
        assert app.page.url == address
        close(app)
        wait_view(app, None)
    assert frames == []


def test_what_the_server_writes_keeps_the_view(revisit: Visit) -> None:
    app = rest(revisit(net=NET))
    app.page.locator("[data-scale=map]").click()
    wait_view(app, "scale.map")
    app.draw((60, 140), (220, 140))
    app.page.locator(".layer-table summary").click()
    wait_view(app, "scale.map_table")
    app.page.locator("[data-scale=layer]").click()
    app.page.locator(".layer-table summary").click()
    wait_view(app, None)
    app.draw((140, 60), (140, 220))  # the server last heard of an older view
    app.page.wait_for_timeout(600)
    assert viewed(app) is None
    for _ in range(2):
        app.do("undo")


def test_a_change_of_the_network_drops_what_does_not_fit(visit: Visit) -> None:
    app = rest(visit(net=NET, view="map.conv2.5.2.7.pinned_table"))
    panel(app).wait_for()
    app.type("architecture", "conv6k5-relu-max2-fc10")
    app.wait_net("conv6k5-relu-max2-fc10")
    panel(app).wait_for(state="hidden")
    wait_view(app, "table")


def test_places_that_are_not_there_are_ignored(visit: Visit) -> None:
    """In the address that is opened, and in one that Back leads to."""
    app = rest(visit(net=NET, view="map.conv9.0.0.0"))
    wait_view(app, None)
    assert picture(app)["panel"] == picture(app)["kernels"] == ""
    for view in ("map.conv2.0.10.0", "kernels.relu1", "<script>", "map.conv2.0.9.0"):
        app.page.evaluate(
            """(view) => new Promise((done) => {
              const here = location.href;
              history.replaceState(history.state, "", `${here}&view=${view}`);
              history.pushState(history.state, "", here);
              addEventListener("popstate", done, { once: true });
              history.back();
            })""",
            view,
        )
        if view == "map.conv2.0.9.0":  # the last row
            panel(app).wait_for()
            wait_view(app, view)
        else:
            wait_view(app, None)
            assert picture(app)["panel"] == picture(app)["kernels"] == ""


def test_back_and_forward_show_the_view_of_their_step(visit: Visit) -> None:
    app = rest(visit(net=NET))
    app.page.locator("[data-scale=map]").click()
    open_map(app, "conv1", 2, 3, 4, 24)
    wait_view(app, "map.conv1.2.3.4_scale.map")
    close(app)
    before = app.draw((60, 140), (220, 140))
    app.page.locator("[data-scale=network]").click()
    wait_view(app, "scale.network")
    app.page.go_back()
    app.wait_drawing(before)
    expect(app.page.locator("[data-scale=map]")).to_have_attribute("aria-pressed", "true")
    wait_view(app, "scale.map")
    app.page.go_forward()
    expect(app.page.locator("[data-scale=network]")).to_have_attribute("aria-pressed", "true")
    wait_view(app, "scale.network")


def test_each_page_has_a_view_of_its_own(visit: Visit, watch: Watch) -> None:
    watch.forgive("/training/_stcore/")  # after the reload: see conftest.py
    app = rest(visit(net=NET))
    open_map(app, "conv2", 5, 2, 7, 10)
    app.page.get_by_role("link", name="Train").click()
    app.page.wait_for_url("**/training?*")
    page = TrainingPage(app.page).ready()
    assert viewed(page) is None
    page.page.locator("[data-scale=map]").click()
    wait_view(page, "scale.map")
    app.page.go_back()
    app.page.wait_for_function("() => !location.pathname.includes('training')")
    panel(app).wait_for()
    wait_view(app, "map.conv2.5.2.7")
    assert panel(app).locator("h4").inner_text() == "conv2 · map 6 of 8"
    app.page.go_forward()
    app.page.wait_for_url("**/training?*")
    expect(app.page.locator("[data-scale=map]")).to_have_attribute("aria-pressed", "true")
    wait_view(page, "scale.map")
    app.page.reload()
    page.ready()
    expect(app.page.locator("[data-scale=map]")).to_have_attribute("aria-pressed", "true")
