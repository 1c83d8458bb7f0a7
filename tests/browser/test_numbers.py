"""The number-by-number pages in a real browser: looking, changing, playing, by mouse, keys and finger."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser.axe import check, recolour
from browser.conftest import Visit, Watch
from browser.driver import PHONE
from browser.numbers import NumberPage
from browser.test_screens import CONTRAST

from cnn_explorer.digits.data import bundled_digits

pytestmark = pytest.mark.browser

VisitNumbers = Callable[..., NumberPage]
PADDED = [
    [91, 168, 224, 215, 127],
    [114, 211, 295, 262, 149],
    [192, 259, 282, 214, 122],
    [194, 251, 253, 169, 86],
    [96, 112, 110, 68, 31],
]
MOVING: dict[str, Any] = {"reduced_motion": "no-preference"}
CONVOLUTION = {
    "One channel": "one",
    "Several channels": "channels",
    "Many kernels": "kernels",
    "Groups": "groups",
    "Why cross-correlation": "flip",
}
POOLING = {"Max, average, none": "compare", "A shift by a pixel": "shift", "Adaptive and global": "adaptive"}

FOCUSED = """() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at.dataset.do ?? at.closest(".grid")?.className.replace(" active", "");
}"""


@pytest.fixture
def convolution(revisit_numbers: Callable[[str], NumberPage]) -> NumberPage:
    return revisit_numbers("convolution")


@pytest.fixture
def pooling(revisit_numbers: Callable[[str], NumberPage]) -> NumberPage:
    return revisit_numbers("pooling")


# --- looking ---


def test_an_output_cell_shows_its_window_and_its_sum_without_the_server(convolution: NumberPage) -> None:
    one = convolution.go("One channel", "one")
    frames: list[Any] = []
    assert one.numbers("output") == PADDED
    session = one.page.context.new_cdp_session(one.page)
    session.send("Network.enable")
    session.on("Network.webSocketFrameSent", lambda frame: frames.append(frame))
    one.cell("output", 1, 1).hover()
    one.wait_sum("3·1 + 4·2 + 6·3 + 2·4 + 4·5 + 6·6 + 1·7 + 6·8 + 7·9 = 211")
    assert one.sum[1] == "211 + bias 0 = 211 ✓ PyTorch: 211"
    assert one.marked("window", "input") == ["3", "4", "6", "2", "4", "6", "1", "6", "7"]
    one.cell("output", 0, 0).hover()
    one.wait_sum("0·1 + 0·2 + 0·3 + 0·4 + 3·5 + 4·6 + 0·7 + 2·8 + 4·9 = 91")
    assert one.marked("window", "input") == ["0", "0", "0", "0", "3", "4", "0", "2", "4"]
    one.cell("input", 3, 0).hover()  # the 9
    one.wait_sum("194 + bias 0")
    assert one.marked("current", "output") == ["194"]
    assert one.marked("reached", "output") == ["192", "259", "194", "251", "96", "112"]
    assert one.marked("term", "input") == ["9"]
    assert one.marked("term", "weight") == ["5"]
    one.cell("weight", 2, 2).hover()
    one.page.wait_for_function(
        "view => view.querySelector('.weight td.term')?.textContent === '9'", arg=one.player.element_handle()
    )
    assert one.marked("term", "input") == ["7"]
    for row, column in ((4, 0), (4, 1), (4, 2), (4, 3), (4, 4), (0, 4)):
        one.cell("output", row, column).hover()
        one.wait_sum(f"✓ PyTorch: {PADDED[row][column]}")
    assert frames == []
    one.step("conv_one_padding", "Up")
    one.wait_address("padding", "2")
    assert frames  # the counter does count
    one.step("conv_one_padding", "Down")
    one.wait_number("output", 0, 0, "91")


def test_channels_show_partial_results(convolution: NumberPage) -> None:
    app = convolution.go("Several channels", "channels")
    app.cell("output", 1, 2).hover()
    app.wait_sum("✓ PyTorch: 6")
    partials = [app.numbers("partial", channel)[1][2] for channel in range(3)]
    assert partials == [0, 5, 0]
    assert app.sum[-1] == "0 + 5 + 0 + bias 1 = 6 ✓ PyTorch: 6"
    assert [app.marked("current", "partial", channel) for channel in range(3)] == [["0"], ["5"], ["0"]]
    app.cell("partial", 0, 0, 1).hover()
    app.wait_sum("(−2) + 3 + 2 + bias 1 = 4")


def test_a_group_reads_its_own_channels_only(convolution: NumberPage) -> None:
    app = convolution.go("Groups", "groups")
    app.cell("output", 0, 0, 3).hover()
    app.page.locator(".output").nth(3).locator("td.current").wait_for()
    assert [len(app.marked("window", "input", channel)) for channel in range(4)] == [0, 0, 4, 4]


def test_a_shift_says_what_is_true_of_its_numbers(pooling: NumberPage) -> None:
    app = pooling.go("A shift by a pixel", "shift")
    about, moved = app.page.locator(".grid-player .about"), app.grid("output", 3).get_by_role("grid")
    assert "50 % of its numbers change (underlined), 33 % of the maximum's (less), 67 % of the average's (more)" in (
        about.inner_text()
    )
    assert moved.get_attribute("aria-label") == "max, 2 of 6 changed"
    app.edit("input", 0, 1, "9")
    about.filter(has_text="of the average's").filter(has_not_text="33 %").wait_for()
    caption = app.grid("output", 3).locator("figcaption span").inner_text()
    assert moved.get_attribute("aria-label") == f"max, {caption}"
    assert not caption.startswith("2 of 6")
    app.reset()


def test_pooling_marks_the_winner(pooling: NumberPage) -> None:
    app = pooling.go("Max, average, none", "compare")
    assert app.numbers("output", 0) == [[4, 8], [9, 8]]
    assert app.numbers("output", 1) == [[3.25, 6.25], [5.75, 6.25]]
    assert app.numbers("output", 2) == app.numbers("input")
    app.cell("output", 1, 0, 0).hover()
    app.wait_sum("max(1, 6, 9, 7) = 9, found in row 3, column 0")
    app.wait_sum("(1 + 6 + 9 + 7) / 4 = 5.75")
    assert app.marked("winner", "input") == ["9"]
    assert app.marked("peer", "output", 1) == ["5.75"]
    app.cell("output", 3, 3, 2).hover()
    app.wait_sum("none: 6")
    assert app.marked("window", "input") == ["6"]


def test_what_is_left_over_is_hatched_and_said(visit_numbers: VisitNumbers) -> None:
    app = visit_numbers("convolution", "one", input="~".join(["0_0_0_9_9_8"] * 6), stride="2", padding="0")
    assert app.grid("input").locator("td.unused").count() == 11
    assert "left over (hatched): 1 row at the bottom and 1 column on the right" in app.player.inner_text()
    app.cell("input", 5, 5).hover()
    app.page.locator(".hint").filter(has_text="No window reaches this number").wait_for()


# --- changing ---


def test_a_number_is_changed_where_it_stands(convolution: NumberPage) -> None:
    app = convolution.go("One channel", "one")
    app.edit("input", 0, 0, "-2.5")
    app.wait_number("output", 0, 0, "63.5")  # 91 − 5.5 · 5
    app.wait_address("input", "-2.5_4_6_5_7~2_4_6_8_2~1_6_7_8_4~9_7_4_6_2~3_7_5_4_1")
    app.edit("weight", 1, 1, "1/4")
    app.wait_address("kernel", "1_2_3~4_0.25_6~7_8_9")
    app.edit("bias", 0, 0, "100")
    app.wait_address("bias", "100")
    app.wait_number("output", 0, 0, "175.4")
    app.cell("output", 0, 0).hover()
    app.wait_sum("75.375 + bias 100 = 175.375 ✓ PyTorch: 175.375")
    app.page.reload()
    app.ready("one").wait_number("output", 0, 0, "175.4")
    assert app.numbers("input")[0] == [-2.5, 4, 6, 5, 7]
    assert app.numbers("weight") == [[1, 2, 3], [4, 0.25, 6], [7, 8, 9]]
    app.reset()
    app.wait_address("bias", "0")
    app.wait_number("output", 0, 0, "91")
    assert app.numbers("output") == PADDED


def test_a_field_moves_nothing(convolution: NumberPage) -> None:
    one = convolution.go("One channel", "one")
    places = (
        "all => all.map(each => { const box = each.getBoundingClientRect(); return [box.left, box.top, "
        "box.width, box.height]; })"
    )
    cells = one.page.locator(".grid-player td")
    one.cell("input", 2, 2).hover()
    before = cells.evaluate_all(places)
    one.cell("input", 2, 2).click()
    one.grid("input").locator("input").wait_for()
    assert cells.evaluate_all(places) == before
    one.page.keyboard.press("Escape")


def test_quick_changes_all_arrive(convolution: NumberPage) -> None:
    """One after the other with the Tab key, faster than the server answers."""
    app = convolution.go("One channel", "one")
    app.cell("input", 0, 0).click()
    for number in ("11", "22", "33", "44", "55"):
        app.page.keyboard.type(number)
        app.page.keyboard.press("Tab")
        if number != "55":
            app.page.keyboard.press("F2")
    app.wait_address("input", "11_22_33_44_55~2_4_6_8_2~1_6_7_8_4~9_7_4_6_2~3_7_5_4_1")
    assert app.numbers("input")[0] == [11, 22, 33, 44, 55]
    app.reset()


def test_what_is_no_number_is_explained_and_the_old_one_stays(convolution: NumberPage) -> None:
    one = convolution.go("One channel", "one")
    one.edit("input", 0, 0, "1000")
    assert "“1000” is not a number from −999 to 999" in one.hint
    one.page.keyboard.press("Escape")
    assert one.numbers("input")[0] == [3, 4, 6, 5, 7]
    one.edit("input", 0, 0, "many")
    assert "“many” is not a number" in one.hint
    one.cell("output", 2, 2).click()  # leaving the field
    assert one.numbers("input")[0] == [3, 4, 6, 5, 7]
    assert one.address()["input"].startswith("3_4_6_5_7")


def test_the_turned_kernel_is_changed_with_the_other(convolution: NumberPage) -> None:
    app = convolution.go("Why cross-correlation", "flip")
    assert app.numbers("weight", 1) == [[9, 8, 7], [6, 5, 4], [3, 2, 1]]
    assert app.numbers("output", 1)[1][1:4] == [1, 2, 3]  # a convolution of a single 1 is the kernel
    assert app.numbers("output", 0)[1][1:4] == [9, 8, 7]
    app.edit("weight", 0, 0, "20", number=1)
    app.wait_number("weight", 2, 2, "20", number=0)
    app.wait_address("kernel", "1_2_3~4_5_6~7_8_20")


def test_a_control_changes_the_scene_and_an_impossible_one_keeps_the_numbers(visit_numbers: VisitNumbers) -> None:
    app = visit_numbers("convolution", "one", padding="0", input="1_2~3_4", kernel="1_2~3_4")
    app.wait_number("output", 0, 0, "30")
    app.step("conv_one_kernel_size", "Up")
    problem = app.page.get_by_text("exceeds the padded input height")
    problem.wait_for()
    assert "kernel_size (=3)" in problem.inner_text()
    assert app.numbers("input") == [[1, 2], [3, 4]]
    assert app.grid("output").count() == 0
    app.page.get_by_role("button", name="kernel_size = 2").click()
    app.wait_number("output", 0, 0, "30")
    assert problem.count() == 0


# --- the animation ---


def test_it_plays_by_itself_and_yields_to_the_pointer(visit_numbers: VisitNumbers) -> None:
    app = visit_numbers("convolution", "one", MOVING)
    app.wait_sum("✓ PyTorch: 168")  # the second value
    assert app.button("play").inner_text() == "Pause"
    app.cell("output", 3, 1).hover()
    app.wait_sum("✓ PyTorch: 251")
    assert app.button("play").inner_text() == "Play"
    app.button("restart").click()
    app.wait_sum("✓ PyTorch: 91")
    for value in (91, 168, 224):
        app.button("step").click()
        app.wait_sum(f"✓ PyTorch: {value}")
    assert "row 0, column 2" in app.spoken
    assert app.marked("done", "output") == ["91", "168", "224"]
    app.button("play").click()
    app.wait_sum("✓ PyTorch: 215")
    app.button("play").click()
    assert app.button("play").inner_text() == "Play"


def test_with_reduced_motion_it_waits(convolution: NumberPage) -> None:
    one = convolution.go("One channel", "one")
    assert one.button("play").inner_text() == "Play"
    one.button("restart").click()
    one.button("play").click()
    one.wait_sum("✓ PyTorch: 168")
    one.cell("output", 1, 1).hover()
    assert one.button("play").inner_text() == "Play"


def test_the_kernel_tensor_is_built_axis_by_axis(convolution: NumberPage) -> None:
    app = convolution.go("Many kernels", "kernels")
    hidden = app.page.locator(".weight td.later")
    assert hidden.count() == 0
    app.button("restart").click()
    counts = [hidden.count()]
    for _ in range(3):
        app.button("step").click()
        counts.append(hidden.count())
    assert counts == [36 - 2, 36 - 4, 36 - 12, 0]  # a row, a kernel, three channels, three output channels
    for axis, shown in (("rows 2", 36 // 2), ("in_channels 3", 36 // 6), ("rows 2", 36 // 3)):
        app.page.get_by_role("button", name=axis).click()
        assert hidden.count() == 36 - shown
    assert app.page.locator(".axes [aria-pressed=false]").all_inner_texts() == ["in_channels 3"]  # and no other


# --- keys and fingers ---


def test_arrow_keys_walk_and_the_arithmetic_is_spoken(convolution: NumberPage) -> None:
    one = convolution.go("One channel", "one")
    one.cell("output", 0, 0).focus()
    for key, value in (
        ("ArrowRight", 168),
        ("ArrowDown", 211),
        ("ArrowDown", 259),
        ("ArrowLeft", 192),
        ("ArrowLeft", 192),
    ):
        one.page.keyboard.press(key)
        one.wait_sum(f"✓ PyTorch: {value}")
    assert one.spoken.startswith("output, row 2, column 0. 0·1 + 2·2 + 4·3 + 0·4 + 1·5 + 6·6 + 0·7 + 9·8 + 7·9 = 192")


def test_keys_alone_reach_and_change_every_grid(convolution: NumberPage) -> None:
    app = convolution.go("One channel", "one")
    app.cell("input", 0, 0).focus()
    stops = []
    for _ in range(5):
        stops.append(app.page.evaluate(FOCUSED))
        app.page.keyboard.press("Tab")
    assert stops == ["grid input", "grid weight", "grid bias", "grid output", "play"]
    app.cell("weight", 0, 0).focus()
    app.page.keyboard.press("ArrowRight")
    app.page.keyboard.type("-7")
    app.page.keyboard.press("Enter")
    app.wait_address("kernel", "1_-7_3~4_5_6~7_8_9")
    app.wait_number("output", 0, 0, "91")
    assert app.page.evaluate(FOCUSED) == "grid weight"
    app.reset()


def test_a_finger_drags_and_taps_to_look_and_changes_with_the_second_tap(visit_numbers: VisitNumbers) -> None:
    app = visit_numbers("convolution", "one", PHONE)
    app.cell("output", 4, 4).scroll_into_view_if_needed()
    boxes = [app.cell("output", row, column).bounding_box() for row, column in ((0, 0), (2, 1), (3, 3))]
    points = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2} for box in boxes if box]
    touch = app.page.context.new_cdp_session(app.page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [points[0]]})
    app.wait_sum("✓ PyTorch: 91")
    for point, value in zip(points[1:], (259, 169), strict=True):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        app.wait_sum(f"✓ PyTorch: {value}")
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    app.cell("output", 2, 2).scroll_into_view_if_needed()
    app.cell("output", 2, 2).tap()
    app.wait_sum("✓ PyTorch: 282")
    app.page.locator(".grid-player .spoken").filter(has_text=re.compile("^output, row 2, column 2")).wait_for(
        state="attached"
    )
    app.cell("input", 1, 1).tap()
    app.wait_sum("✓ PyTorch: 211")
    assert app.grid("input").locator("input").count() == 0
    app.cell("input", 1, 1).tap()
    app.grid("input").locator("input").fill("5")
    app.page.keyboard.press("Enter")
    app.wait_number("output", 1, 1, "216")


# --- the page ---


def test_a_reload_shows_the_same_page_and_the_navigation_carries_drawing_and_network(
    visit_numbers: VisitNumbers,
) -> None:
    app = visit_numbers("convolution", "one", drawing="d7", net="conv4k5-fc10")
    app.go("Groups", "groups")
    app.step("conv_groups_padding", "Up")
    app.wait_address("padding", "1")
    app.cell("output", 4, 4, 3).wait_for()
    before = app.numbers("output", 3)
    address = app.address()
    assert (address["step"], address["drawing"]) == ("groups", "d7")
    app.page.reload()
    app.ready("groups")
    assert app.numbers("output", 3) == before
    assert app.address() == address
    app.page.get_by_role("link", name="Pooling").click()
    pooling = NumberPage(app.page).ready("compare")
    pooling.wait_address("drawing", "d7")
    assert pooling.address()["net"] == "conv4k5-fc10"
    assert "kernel" not in pooling.address()
    app.page.get_by_role("link", name="Draw").click()
    app.page.locator(".network-view[data-painted-net='conv4k5-fc10']").wait_for()
    assert app.address() == {"net": "conv4k5-fc10", "drawing": "d7"}


def test_the_way_from_a_pixel_of_the_first_page_and_back(visit: Visit, artifacts: Path, watch: Watch) -> None:
    """All ten input channels, the products of the one that is pointed at, and the sum beside PyTorch's value."""
    watch.forgive("/convolution/_stcore/")
    app = visit(drawing="d7", view="map.conv2.6.3.4.pinned")
    page = app.page
    theirs = page.locator(".detail .lines li").filter(has_text="PyTorch: ").inner_text().split()[1]
    page.get_by_role("button", name="Number by number").click()
    numbers = NumberPage(page).ready("network")
    assert numbers.address()["at"] == "conv2.6.3.4"
    assert numbers.page.locator(".grid.input").count() == 10
    assert numbers.page.locator(".products td").count() == 25
    numbers.wait_sum(f"✓ PyTorch: {theirs}"[:18])  # the last digits are rounded in another way
    numbers.cell("weight", 0, 0, 3).hover()
    page.locator(".products b").filter(has_text="products of relu1 map 4").first.wait_for()
    numbers.wait_sum("relu1 map 4: ")
    page.screenshot(path=artifacts / "numbers-from-network.png")
    page.get_by_role("button", name="Back to this pixel").click()
    page.locator(".detail.pinned").wait_for()
    assert app.address()["view"] == "map.conv2.6.3.4.pinned"
    assert page.locator(".detail .lines li").filter(has_text=f"PyTorch: {theirs}").count() == 1


STEPS = [("convolution", CONVOLUTION), ("pooling", POOLING)]
FITS = """([view, width, height]) => [...view.querySelectorAll(".grid, .sum, .transport")].every((each) => {
  const box = each.getBoundingClientRect();
  return box.left >= 0 && box.top >= 0 && box.right <= width && box.bottom <= height;
})"""
TOGETHER = """([view, one, other, withoutScrolling]) => {
  const parts = [one, other].map((name) => view.querySelector(name));
  if (parts.some((part) => !part)) return false;
  if (!withoutScrolling) for (const part of parts) part.scrollIntoView({ block: "nearest", behavior: "instant" });
  return parts.map((part) => part.getBoundingClientRect()).every((box) =>
    // Scrolling may leave a fraction of a pixel outside.
    box.left >= 0 && box.top > -1 && box.right <= innerWidth && box.bottom < innerHeight + 1 && box.width);
}"""
SMALL = """(all) => all.filter((each) =>
  each.offsetWidth < 24 || each.offsetHeight < 24 || parseFloat(getComputedStyle(each).fontSize) < 12).length"""


@pytest.mark.parametrize(("path", "steps"), STEPS)
def test_everything_is_on_a_projectors_first_screen_and_axe_finds_nothing(
    revisit_numbers: Callable[[str], NumberPage], axe: str, artifacts: Path, path: str, steps: dict[str, str]
) -> None:
    app = revisit_numbers(path)
    app.page.evaluate(axe)
    for label, scene in steps.items():
        app.go(label, scene)
        view = app.page.locator(f".grid-player[data-scene={scene}]")
        app.page.wait_for_function(
            FITS, arg=[view.element_handle(), 1280, 720]
        )  # what the step before had on the page goes in the end
        assert app.page.locator(".grid-player .grid").count() > 2
        assert app.page.locator(".grid-player td").evaluate_all(SMALL) == 0
        texts = app.page.locator(".grid-player :is(td:not(:has(*)), figcaption *, .sum *, p, button)")
        for theme in ("dark", "light"):
            recolour(app.page, theme)
            app.page.screenshot(path=artifacts / f"numbers-{path}-{scene}-{theme}.png")
            ratios = texts.evaluate_all(CONTRAST)
            assert [(text, round(ratio, 2)) for text, ratio, _ in ratios if text and ratio < 4.5] == []
        first = scene == next(iter(steps.values()))
        check(app.page, 'aria-current="page"', "<td", dark=first)  # what differs in the others is legible by the above


@pytest.mark.parametrize("context", [PHONE, {"viewport": {"width": 1280, "height": 720}}], ids=["phone", "laptop"])
def test_products_are_always_in_sight(visit_numbers: VisitNumbers, artifacts: Path, context: dict[str, Any]) -> None:
    """Those of a 5×5 window, beside the grid on which it is chosen: of one channel, of three, of a layer of the network
    and of a pooling.
    """
    wide = context["viewport"]["width"] > 1000
    rows = ["~".join(["_".join("1234567890"[:size])] * size) for size in (5, 8)]
    app = visit_numbers("convolution", "one", context, kernel=rows[0], input=rows[1], padding="2")
    app.cell("output", 4, 4).hover()
    products = app.page.locator(".products td b")
    app.page.wait_for_function(
        "view => view.querySelector('.products td b').textContent === '3'", arg=app.player.element_handle()
    )  # 3·1, the corner of the window
    expected = [str(int(value) * int(weight)) for value, weight in zip("34567", "12345", strict=True)]
    assert products.all_inner_texts() == expected * 5
    together(app, ".products", ".output", wide)
    app.page.screenshot(path=artifacts / f"numbers-5x5-{context['viewport']['width']}.png")
    app.go("From your network", "network")
    app.page.locator(".grid.output td.current").wait_for()
    together(app, ".products", ".output", wide)
    grids = {"kernel": "~~".join(rows[:1] * 3), "input": "~~".join(rows[1:] * 3), "padding": "2"}
    app = visit_numbers("convolution", "channels", context, step="channels", **grids)
    app.cell("output", 4, 4).hover()
    app.wait_sum("✓ PyTorch")
    together(app, ".products", ".output", wide)
    app = visit_numbers("pooling", "compare", context, input=rows[1], kernel_size="5", stride="1", padding="2")
    app.cell("output", 4, 4).hover()
    app.wait_sum("max(3, 4, 5, 6, 7, 3, ")
    together(app, ".sum", ".output", wide)


def together(app: NumberPage, one: str, other: str, without_scrolling: bool) -> None:
    """Two parts of the player are on the screen at the same time: as the page opens, or scrolled to where they are."""
    app.page.wait_for_function(TOGETHER, arg=[app.player.element_handle(), one, other, without_scrolling])


@pytest.mark.parametrize(("path", "steps"), STEPS)
def test_nothing_scrolls_sideways_on_a_phone(
    visit_numbers: VisitNumbers, artifacts: Path, path: str, steps: dict[str, str]
) -> None:
    app = visit_numbers(path, next(iter(steps.values())), PHONE)
    for label, scene in steps.items():
        app.go(label, scene)
        app.page.screenshot(path=artifacts / f"numbers-{path}-{scene}-phone.png")
        for scrolled in ("html", "[data-testid=stMain]"):
            assert app.page.locator(scrolled).evaluate("element => element.scrollWidth") == 390
        app.page.wait_for_function(
            "button => button.offsetHeight >= 40", arg=app.button("play").element_handle()
        )  # styles come by themselves


def test_a_kernel_on_a_picture_is_live(visit_numbers: VisitNumbers, artifacts: Path) -> None:
    """The pixel under the pointer with its window and its products; an edited kernel changes the picture at once."""
    app = visit_numbers("convolution", "picture", step="picture", drawing="d7", filter="Sobel x")
    page, after = app.page, app.page.locator(".shown.after canvas")
    digit = bundled_digits().images[7] / 255
    page.screenshot(path=artifacts / "numbers-convolution-picture.png")

    def point(row: int, column: int) -> None:
        box = after.bounding_box()
        assert box
        page.mouse.move(box["x"] + (column + 0.5) * box["width"] / 28, box["y"] + (row + 0.5) * box["height"] / 28)
        app.wait_sum(f"row {row}, column {column}: ")

    def products() -> list[float]:
        texts = page.locator(".products td b").all_inner_texts()
        return [float(text.replace("−", "-")) for text in texts]

    def expected(row: int, column: int, kernel: list[list[float]]) -> list[float]:
        window = np.pad(digit, 1)[row : row + 3, column : column + 3]
        return [float(product) for product in np.ravel(window * np.array(kernel))]

    sobel: list[list[float]] = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    place = after.bounding_box()
    for row, column in ((10, 20), (0, 27)):  # inside, and with padding around the corner
        point(row, column)
        assert after.bounding_box() == place  # nothing moves under the pointer
        assert products() == pytest.approx(expected(row, column, sobel), abs=5e-4)
        theirs = float(app.sum[0].split("✓ PyTorch: ")[1].replace("−", "-"))
        assert theirs == pytest.approx(sum(expected(row, column, sobel)), abs=1e-6)
    assert page.locator(".products td.padding").count() == 5
    frames = page.locator(".shown .mark").evaluate_all("all => all.map(each => each.getBoundingClientRect().width)")
    assert frames[0] == pytest.approx(3 * frames[1], abs=0.5)
    point(10, 20)
    page.mouse.down()
    page.mouse.up()  # this pixel stays while the pointer is elsewhere
    app.wait_address("pixel", "10.20")
    before = after.evaluate("canvas => canvas.toDataURL()")
    app.edit("weight", 1, 2, "3")
    edited = [*sobel[:1], [-2, 0, 3], *sobel[2:]]
    assert after.evaluate("canvas => canvas.toDataURL()") != before
    assert products() == pytest.approx(expected(10, 20, edited), abs=5e-4)
    app.wait_address("kernel", "-1_0_1~-2_0_3~-1_0_1")
    app.wait_sum("✓ PyTorch: ")
    after.focus()
    page.keyboard.press("ArrowDown")
    app.wait_sum("row 11, column 20: ")
    assert app.spoken.startswith("row 11, column 20: ")
    app.wait_address("pixel", "11.20")
    page.reload()
    app.ready("picture").wait_sum("row 11, column 20: ")
    assert app.numbers("weight") == edited


def test_the_way_out_of_the_page_is_not_blocked(visit_numbers: VisitNumbers) -> None:
    app = visit_numbers("convolution", "one")
    page = app.page
    page.wait_for_function("() => location.search.includes('step=')")
    for _ in range(2):
        page.go_back()
        page.wait_for_timeout(500)
    page.wait_for_url("about:blank", timeout=10_000)
