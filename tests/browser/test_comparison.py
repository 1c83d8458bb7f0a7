"""Before and after in a real browser: what a change has done, and the pinned network's maps in place of the present."""

import io
from typing import Any

import numpy as np
import pytest
from browser.axe import check
from browser.conftest import Visit
from browser.explorer import Explorer
from browser.test_depth import close, open_map, panel, rest, sent_frames
from browser.test_draw import touch
from browser.test_explore import computed
from PIL import Image
from playwright.sync_api import expect

from cnn_explorer.spec.network import LECTURE, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.ui.network_view import _layers

pytestmark = pytest.mark.browser

LECTURES = str(LECTURE)
AVERAGED = LECTURES.replace("max", "avg")
STRIDED = LECTURES.replace("k5-", "k5s2-", 1)
HELD = ".network-view[data-held=true]"


def layers(net: str) -> list[dict[str, Any]]:
    return _layers(infer_shapes(parse(net)))


# --- compare.js and alignment.js ---


def test_layers_correspond_by_name_and_else_by_kind_and_block(app: Explorer) -> None:
    def changed(net: str, former: str) -> list[tuple[str, str | None, list[str], bool]]:
        found = app.run("compare.js", "return m.differences(...a)", [layers(net), layers(former)])
        former_name = [each["former"] and each["former"]["name"] for each in found]
        names = [layer["name"] for layer in layers(net)]
        changes = [each["changes"] for each in found]
        return list(zip(names, former_name, changes, [each["follows"] for each in found], strict=True))

    assert changed(STRIDED, LECTURES) == [
        ("conv1", "conv1", ["stride 1 → 2"], False),
        *((name, name, [], True) for name in ("max1", "relu1", "conv2", "max2", "relu2", "fc1")),
    ]
    assert changed(AVERAGED, LECTURES)[1:3] == [
        ("avg1", "max1", ["max1 → avg1"], False),
        ("relu1", "relu1", [], False),
    ]
    assert changed("conv10k5-conv20k3x1p1x0-fc7", "conv10k5-relu-conv20k5-fc10") == [
        ("conv1", "conv1", [], False),
        ("conv2", "conv2", ["relu1 is gone", "kernel_size 5 → 3×1", "padding 0 → 1×0"], False),
        ("fc1", "fc1", ["out_features 10 → 7"], False),
    ]
    assert changed("conv4k3-bn-fc10", "conv4k3-fc10")[1] == ("bn1", None, ["bn1 is new"], False)
    assert changed("conv4k3-fc10", "conv4k3-bn-relu-fc10") == [
        ("conv1", "conv1", [], False),
        ("fc1", "fc1", ["bn1 is gone", "relu1 is gone"], False),
    ]
    assert changed("conv4k3", "conv4k3-relu") == [("conv1", "conv1", ["relu1 is gone"], False)]


def test_a_map_follows_from_the_former_one(app: Explorer) -> None:
    def relation(net: str, former: str, layer: int, before: int) -> dict[str, Any]:
        found: dict[str, Any] = app.run(
            "alignment.js", "return m.relationOf(a[0], a[1], a[2], a[3])", [layers(net), layer, layers(former), before]
        )
        return found

    plain, pooled = "conv4k5-relu-fc10", "conv4k5-max2-relu-fc10"
    every = {"kind": "every", "stride": [2, 2], "first": [0, 0]}
    assert relation(pooled, pooled, 1, 1) == {"kind": "same"}
    assert relation("conv4k5s2-relu-fc10", plain, 0, 0) == every
    assert relation(plain, "conv4k5s2-relu-fc10", 1, 1) == every | {"finer": True}
    assert relation("conv4k5p1-fc10", "conv4k5-fc10", 0, 0) == {"kind": "border", "more": [[1, 1], [1, 1]]}
    assert relation("conv4k3-fc10", "conv4k5-fc10", 0, 0) == {"kind": "border", "more": [[1, 1], [1, 1]]}
    assert relation("conv4k4-fc10", "conv4k5-fc10", 0, 0) == {"kind": "other"}
    assert relation(pooled, plain, 2, 1) == {"kind": "windows", "stride": [2, 2], "first": [0, 0], "size": [2, 2]}
    assert relation("conv4k5-max3s2p1-relu-fc10", plain, 2, 1) == {
        "kind": "windows", "stride": [2, 2], "first": [-1, -1], "size": [3, 3],
    }  # fmt: skip
    assert relation("conv4k5s2-max2-relu-fc10", pooled, 1, 1) == {"kind": "other"}  # its own windows stay as they were
    assert relation(pooled, pooled, 3, 3) == {"kind": "features"}


# --- on the page ---


def screen(app: Explorer, layer: str, side: int) -> np.ndarray:
    """The colours at the middle of every value of a layer's maps as the screen shows them, `(maps, side, side, 3)`."""
    picture = np.asarray(Image.open(io.BytesIO(app.page.screenshot())).convert("RGB")).astype(int)
    steps = (np.arange(side) + 0.5) / side
    return np.stack(
        [
            picture[np.ix_((tile.y + tile.height * steps).astype(int), (tile.x + tile.width * steps).astype(int))]
            for tile in app.tiles(layer)
        ]
    )


def headings(app: Explorer) -> list[str]:
    found: list[str] = app.page.locator(".layers h3").all_inner_texts()
    return [" · ".join(" ".join(line.split()) for line in text.split("\n")) for text in found]


def test_a_change_shows_what_it_did(visit: Visit) -> None:
    app = rest(visit({"reduced_motion": "reduce"}, drawing="d8"))
    app.page.locator(".layer-table summary").click()
    former = app.probabilities()
    app.step("block1_stride")
    app.page.locator(".layers.news").wait_for()
    places = [app.canvas(layer).bounding_box() for layer in app.layers()]
    assert headings(app)[:3] == [
        "conv1 · 10×24×24 → 10×12×12", "max1 · 10×12×12 → 10×6×6", "relu1 · 10×12×12 → 10×6×6",
    ]  # fmt: skip
    marks = app.page.locator(".layers h3").evaluate_all("all => all.map(head => head.dataset.change)")
    assert marks == ["own", *["follows"] * 6]
    totals = app.page.locator(".layer-table tfoot td").all_inner_texts()
    assert totals[2:4] == ["8,490 → 5,490", "467,200 → 56,200"]
    app.page.locator(".label").filter(has_text="% before)").wait_for()
    now = app.probabilities()
    differing = [digit for digit in range(10) if abs(now[digit] - former[digit]) >= 0.005]
    shown = app.page.locator(".bar .was").evaluate_all(
        "all => all.map(mark => mark.hidden ? null : Number(mark.style.getPropertyValue('--share')))"
    )
    assert [digit for digit, share in enumerate(shown) if share is not None] == differing
    assert [shown[digit] for digit in differing] == pytest.approx([former[digit] for digit in differing], abs=1e-6)
    app.page.locator(".layers:not(.news)").wait_for()
    assert headings(app)[0] == "conv1 · 10×12×12"
    assert [app.canvas(layer).bounding_box() for layer in app.layers()] == places  # longer headings move nothing
    app.canvas("conv1").focus()
    assert headings(app)[:2] == ["conv1 · 10×24×24 → 10×12×12", "max1 · 10×6×6"]


def test_the_pinned_network_comes_back_while_a_key_is_held(visit: Visit, axe: str) -> None:
    app = rest(visit({"viewport": {"width": 1920, "height": 1080}}))  # every value several dots of the screen wide
    page, hold = app.page, app.page.locator(".pin .hold")
    maps, answer = screen(app, "conv1", 24), app.probabilities()
    page.get_by_role("button", name="Pin this network").click()
    expect(hold).to_be_focused()
    page.wait_for_function("net => new URLSearchParams(location.search).get('pin') === net", arg=LECTURES)
    app.choose("preset", "average pooling")
    app.wait_net(AVERAGED)
    rest(app)
    page.locator(".layers:not(.news)").wait_for()
    present = screen(app, "conv1", 24)
    assert np.abs(present - maps).max() > 40
    page.evaluate(axe)
    with sent_frames(app) as frames:
        page.locator(".paper").focus()
        page.keyboard.down("b")
        page.locator(HELD).wait_for()
        assert np.abs(screen(app, "conv1", 24) - maps).max() <= 4  # its own maps in the same places
        assert app.probabilities() == pytest.approx(answer, abs=1e-4)
        assert headings(app)[1] == "max1 · 10×12×12"
        page.keyboard.up("b")
        page.locator(HELD).wait_for(state="detached")
        assert (screen(app, "conv1", 24) == present).all()
        hold.focus()
        page.keyboard.down("Space")
        page.locator(HELD).wait_for()
        page.keyboard.up("Space")
        page.locator(HELD).wait_for(state="detached")
        page.locator(".pin .name").hover()
        page.locator(HELD).wait_for()
        page.mouse.move(5, 5)
        page.locator(HELD).wait_for(state="detached")
        box = hold.bounding_box()
        assert box
        finger = app.devtools()
        touch(finger, "touchStart", (box["x"] + 9, box["y"] + 9))
        page.locator(HELD).wait_for()
        touch(finger, "touchEnd")
        page.locator(HELD).wait_for(state="detached")
    assert frames == []
    hold.focus()
    page.keyboard.down("Space")
    page.locator(HELD).wait_for()
    check(page, 'class="hold"')  # Streamlit tells the server of a change of theme
    page.keyboard.up("Space")
    page.locator(HELD).wait_for(state="detached")
    before = app.draw((60, 140), (220, 140))
    rest(app)
    page.keyboard.down("b")
    page.locator(HELD).wait_for()
    app.wait_answer(computed(LECTURES, before)["probabilities"])  # it has followed the pen
    page.keyboard.up("b")
    page.locator(".unpin").click()
    page.wait_for_function("() => !new URLSearchParams(location.search).has('pin')")
    expect(page.get_by_role("button", name="Pin this network")).to_be_focused()
    page.keyboard.press("b")
    assert page.locator(HELD).count() == 0


def test_a_copied_link_pins_the_network_and_an_opened_map_shows_both(visit: Visit) -> None:
    app = rest(visit(net=STRIDED, pin=LECTURES))
    page = app.page
    page.locator(f".network-view[data-pinned='{LECTURES}']").wait_for()
    assert page.locator(".pin .name").inner_text() == "the lecture's network"
    open_map(app, "conv1", 2, 3, 4, 12)
    text = panel(app).locator(".comparison p")
    now, former = (computed(net, app.drawing)["conv1"][2] for net in (STRIDED, LECTURES))
    assert text.inner_text().split("\n")[1] == (
        "The present map has every 2nd row and column of the former one, marked on it: 24×24 → 12×12."
    )
    numbers = [float(word.strip(",:").replace("−", "-")) for word in text.inner_text().split("\n")[0].split() if "." in word]  # fmt: skip
    assert numbers[:2] == pytest.approx([former[6, 8], now[3, 4]], rel=6e-3)
    close(app)
    app.type("architecture", AVERAGED)
    app.wait_net(AVERAGED)
    rest(app)
    open_map(app, "conv2", 1, 2, 2, 8)
    panel(app).locator(".comparison canvas[aria-label*='now − before']").wait_for()
