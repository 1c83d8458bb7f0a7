"""Drawing in a real browser: mouse, finger and pen, and everything that can be taken back."""

import base64
import io
import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from browser.conftest import LAPTOP, Visit, Watch, new_context
from browser.driver import PHONE, Server
from browser.explorer import Explorer
from PIL import Image
from playwright.sync_api import Browser, CDPSession

from cnn_explorer.digits.drawing import example_drawing, parse_drawing
from cnn_explorer.spec.network import LECTURE
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations

pytestmark = pytest.mark.browser

EMPTY = "s"


@pytest.fixture(scope="module")
def kept(browser: Browser, server: Server) -> Iterator[Explorer]:
    context = new_context(browser, {"viewport": LAPTOP, "color_scheme": "light"})
    page = context.new_page()
    page.goto(f"{server.url}/?drawing={EMPTY}")
    yield Explorer(page).ready()
    context.close()


@pytest.fixture
def paper(kept: Explorer, watch: Watch, request: pytest.FixtureRequest) -> Iterator[Explorer]:
    """An empty paper and the pen, in a tab in which other tests have drawn before."""
    failed = request.session.testsfailed
    if kept.drawing != EMPTY:
        kept.do("clear")
    kept.tool("pen")
    kept.wait_verdict("–")
    watch.on(kept.page.context)
    yield kept
    watch.off(kept.page.context)
    if request.session.testsfailed > failed:
        kept.page.mouse.up()
        kept.page.goto(kept.page.url.split("?")[0] + f"?drawing={EMPTY}")
        kept.ready()
    assert watch.report() == []


def test_maps_and_answer_follow_the_pen_during_the_stroke(paper: Explorer) -> None:
    assert paper.verdict == "–"
    seq, before, answer = paper.seq, paper.confirmed, paper.probabilities()
    confirmed = before
    with paper.stroke(80, 60):
        for stop in ((190, 60), (160, 140), (120, 230)):
            paper.page.mouse.move(*paper.place(*stop), steps=5)
            confirmed = paper.wait_confirmed(confirmed)
            answer = paper.wait_probabilities(answer)
            assert paper.drawing == EMPTY  # not before the pen is lifted: an address a stroke, not one a movement
        assert confirmed - before > paper.seq - seq  # PyTorch's maps came without runs of the page
    (stroke,) = parse_drawing(paper.wait_drawing(EMPTY)).strokes
    assert (stroke[0], stroke[-1]) == ((80, 60), (120, 230))
    paper.wait_verdict("7")
    assert sum(paper.probabilities()) == pytest.approx(1, abs=1e-4)


def test_a_page_that_is_laid_out_anew_during_a_stroke_does_not_bend_it(paper: Explorer) -> None:
    """As when a slow machine has the page's styles late."""
    page = paper.page
    page.add_style_tag(content="[data-late] [data-testid=stMainBlockContainer] { padding: 96px 80px !important; }")
    page.evaluate("() => { document.documentElement.dataset.late = 'yes'; }")
    before = paper.place(0, 0)
    with paper.stroke(80, 60):
        page.mouse.move(*paper.place(190, 60), steps=5)
        page.evaluate(
            """async () => {
              delete document.documentElement.dataset.late;
              for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
            }"""
        )
        assert math.dist(before, paper.place(0, 0)) > 80
        page.mouse.move(*paper.place(120, 230), steps=5)
    (stroke,) = parse_drawing(paper.wait_drawing(EMPTY)).strokes
    assert (stroke[0], stroke[-1]) == ((80, 60), (120, 230))


def test_nothing_of_a_fast_stroke_is_lost(paper: Explorer) -> None:
    """What the address holds is what the browser's own events say, encoded by the served module."""
    paper.page.evaluate(
        """(paper) => {
          window.points = [];
          const box = paper.getBoundingClientRect();
          const note = (event) => {
            const fine = event.getCoalescedEvents();
            for (const each of fine.length ? fine : [event]) {
              window.points.push([(each.clientX - box.left) / box.width * 280, (each.clientY - box.top) / box.height * 280]);
            }
          };
          paper.addEventListener("pointerdown", note, true);
          paper.addEventListener("pointermove", (event) => { if (event.buttons) note(event); }, true);
        }""",
        paper.paper.element_handle(),
    )
    spiral = [(140 + 1.8 * turn * math.cos(turn / 3), 140 + 1.8 * turn * math.sin(turn / 3)) for turn in range(60)]
    drawing = paper.draw(*spiral, steps=1)
    points = paper.page.evaluate("window.points")
    assert len(points) >= 55
    assert drawing == paper.run("drawing.js", "return m.encodeStrokes([a])", points)


def test_a_click_makes_a_dot(paper: Explorer) -> None:
    assert parse_drawing(paper.draw((100, 120))).strokes == (((100, 120),),)
    assert paper.ink() > 50


def touch(devtools: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})


def swipe(app: Explorer, devtools: CDPSession, start: tuple[float, float], end: tuple[float, float]) -> None:
    for part in range(1, 11):
        touch(
            devtools,
            "touchMove",
            (start[0] + (end[0] - start[0]) * part / 10, start[1] + (end[1] - start[1]) * part / 10),
        )
        app.page.evaluate("() => new Promise(requestAnimationFrame)")


def test_a_finger_draws_and_the_page_stays(visit: Visit) -> None:
    app = visit(PHONE, drawing=EMPTY)
    devtools = app.devtools()
    paper = app.paper.bounding_box()
    assert paper
    for finger in ([(90, 150)], [(80, 60), (200, 60), (120, 230)]):  # a tap, a stroke
        confirmed, answer = app.confirmed, app.probabilities()
        touch(devtools, "touchStart", app.place(*finger[0]))
        for start, end in pairwise(finger):
            swipe(app, devtools, app.place(*start), app.place(*end))
        app.wait_confirmed(confirmed)
        app.wait_probabilities(answer)
        assert app.drawing == EMPTY
        touch(devtools, "touchEnd")
        (stroke,) = parse_drawing(app.wait_drawing(EMPTY)).strokes
        assert math.dist(stroke[0], finger[0]) <= 2
        assert math.dist(stroke[-1], finger[-1]) <= 2
        app.do("clear")
    assert app.paper.bounding_box() == paper
    # The counterpart: the same finger beside the paper does scroll this page.
    touch(devtools, "touchStart", (380, 800))
    swipe(app, devtools, (380, 800), (380, 500))
    touch(devtools, "touchEnd")
    app.page.wait_for_function(
        "([paper, before]) => paper.getBoundingClientRect().top < before - 50",
        arg=[app.paper.element_handle(), paper["y"]],
    )


def test_a_pen_draws_with_pressure(paper: Explorer) -> None:
    devtools = paper.devtools()

    def pen(kind: str, x: float, y: float, force: float) -> None:
        left, top = paper.place(x, y)
        devtools.send(
            "Input.dispatchMouseEvent",
            {
                "type": kind,
                "x": left,
                "y": top,
                "pointerType": "pen",
                "button": "left",
                "buttons": int(force > 0),
                "force": force,
            }
            | {"clickCount": 1},
        )

    pen("mousePressed", 60, 60, 0.2)
    for part in range(1, 21):
        pen("mouseMoved", 60 + 8 * part, 60 + 8 * part + 10 * (part % 2), 0.2 + 0.03 * part)
    pen("mouseReleased", 220, 220, 0)
    drawing = paper.wait_drawing(EMPTY)
    (stroke,) = parse_drawing(drawing).strokes
    assert stroke[0] == (60, 60)
    ((first, *_, last),) = paper.run("drawing.js", "return m.decodeStrokes(a)", drawing)
    assert first[2] == pytest.approx(0.2, abs=0.01)
    assert last[2] > first[2]


def test_only_the_main_button_draws(paper: Explorer) -> None:
    blank = paper.still()
    paper.page.mouse.move(*paper.place(100, 100))
    paper.page.mouse.down(button="right")
    paper.page.mouse.move(*paper.place(200, 200), steps=5)
    paper.page.mouse.up(button="right")
    assert paper.still() == blank
    paper.draw((50, 50), (60, 60))
    assert paper.still() != blank


def test_a_stroke_that_leaves_the_paper_stays_inside_it(paper: Explorer) -> None:
    (stroke,) = parse_drawing(paper.draw((140, 140), (500, 140), (140, -200))).strokes
    assert {*[0 <= value <= 280 for point in stroke for value in point]} == {True}
    assert max(x for x, _ in stroke) == 280


def test_undo_redo_and_clear(visit: Visit) -> None:
    app = visit(drawing=EMPTY)
    undo, redo, clear = (app.page.locator(f"[data-do={action}]") for action in ("undo", "redo", "clear"))
    assert [button.is_disabled() for button in (undo, redo, clear)] == [True, True, True]
    one = app.draw((140, 40), (140, 240))
    first = app.still()
    two = app.draw((60, 140), (220, 140))
    both = app.still()
    assert [len(parse_drawing(text).strokes) for text in (one, two)] == [1, 2]
    assert app.do("undo") == one
    assert app.still() == first
    assert app.do("redo") == two
    assert app.still() == both
    assert app.do("clear") == EMPTY
    assert app.ink() == 0
    assert [button.is_disabled() for button in (undo, redo, clear)] == [False, True, True]
    assert app.do("undo") == two
    assert app.still() == both
    app.do("undo")
    app.draw((10, 10), (20, 20))
    assert redo.is_disabled()  # what was taken back is gone with a new stroke


def test_the_keys_for_undo_and_redo(paper: Explorer) -> None:
    one = paper.draw((140, 40), (140, 240))
    for keys, after in (("Control+z", EMPTY), ("Control+y", one), ("Control+Z", EMPTY), ("Control+Shift+Z", one)):
        before = paper.drawing
        paper.page.keyboard.press(keys)
        assert paper.wait_drawing(before) == after, keys


def test_the_eraser_cuts_a_stroke_in_two(paper: Explorer) -> None:
    paper.draw((40, 140), (240, 140))
    ink, answer = paper.ink(), paper.probabilities()
    paper.tool("eraser")
    assert paper.page.locator("button[data-tool=eraser]").get_attribute("aria-pressed") == "true"
    before = paper.drawing
    with paper.stroke(140, 100):
        paper.page.mouse.move(*paper.place(140, 180), steps=8)
        paper.wait_probabilities(answer)  # during the stroke
    left, right = parse_drawing(paper.wait_drawing(before)).strokes
    assert [left[0], right[-1]] == [(40, 140), (240, 140)]
    assert 120 <= left[-1][0] <= 127
    assert 153 <= right[0][0] <= 160
    paper.page.mouse.move(*paper.place(140, -30))
    paper.still()
    assert 0.5 * ink < paper.ink() < 0.97 * ink
    assert paper.do("undo") == before
    paper.tool("pen")
    paper.draw((140, 40), (140, 60))


def test_erasing_everything_leaves_an_empty_paper(paper: Explorer) -> None:
    paper.draw((140, 140))
    paper.tool("eraser")
    assert paper.draw((140, 140)) == EMPTY
    paper.wait_verdict("–")
    paper.page.locator(".hint").wait_for()


def test_erasing_nothing_changes_nothing(visit: Visit) -> None:
    app = visit()
    app.tool("eraser")
    with app.stroke(10, 10):
        app.page.mouse.move(*app.place(20, 10), steps=3)
    app.tool("pen")
    assert app.page.locator("[data-do=undo]").is_disabled()
    three, dot = parse_drawing(app.draw((30, 30))).strokes
    assert dot == ((30, 30),)
    (whole,) = example_drawing().strokes
    assert (three[0], three[-1], {*three} <= {*whole}) == (whole[0], whole[-1], True)


def test_an_answer_knows_when_it_does_not_know(paper: Explorer) -> None:
    paper.draw((60, 60), (220, 90), (60, 130), (220, 160), (60, 200), (220, 230))
    paper.page.locator(".verdict .doubt").filter(has_text="unlike all digits that networks learn from here").wait_for()
    assert "unlike all digits" in paper.page.locator(".spoken").inner_text()
    paper.do("clear")
    paper.page.locator(".verdict .doubt:empty").wait_for(state="attached")


def test_a_digit_from_the_gallery(visit: Visit) -> None:
    app = visit()
    gallery = app.page.locator(".gallery")
    for close in (lambda: app.page.keyboard.press("Escape"), lambda: app.page.locator(".label").click()):
        app.page.locator(".more").click()
        gallery.wait_for()
        close()
        gallery.wait_for(state="hidden")
    app.page.locator(".more").click()
    buttons = app.page.locator("[data-digit]")
    assert buttons.count() == 30
    buttons.nth(17).click()
    assert app.wait_drawing(example_drawing().text) == "d17"
    app.wait_verdict("7")
    gallery.wait_for(state="hidden")
    assert app.page.locator("button[data-tool=eraser]").is_disabled()  # a picture has no strokes
    assert app.ink() > 1000
    # A stroke on it starts anew.
    assert parse_drawing(app.draw((140, 40), (140, 240))).strokes[0][0] == (140, 40)
    app.wait_verdict("1")
    assert app.do("undo") == "d17"
    app.wait_verdict("7")
    assert app.do("undo") == example_drawing().text
    app.wait_verdict("3")


def test_a_very_long_drawing_is_kept_or_refused_in_words(paper: Explorer) -> None:
    """Four thousand wild points do not fit into an address as they are; they are simplified, and said to be full if
    that is not enough.
    """
    with paper.stroke(140, 140):
        paper.paper.evaluate(
            """(paper) => {
              const box = paper.getBoundingClientRect();
              let state = 7;
              const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
              for (let step = 0; step < 4000; step++) {
                paper.dispatchEvent(new PointerEvent("pointermove", { pointerId: 1, pointerType: "mouse", buttons: 1, bubbles: true,
                  clientX: box.left + random() * box.width, clientY: box.top + random() * box.height }));
              }
            }"""
        )
        paper.page.mouse.move(*paper.place(10, 10))
    paper.page.locator(".spoken").filter(has_text="full").wait_for(state="attached")
    before = paper.drawing
    assert len(before) < 4100
    assert paper.draw((140, 40), (140, 240)) != before


def shown(app: Explorer) -> tuple[list[float], list[str]]:
    return app.probabilities(), [app.colours(layer) for layer in app.layers()]


def alike(one: str, other: str) -> bool:
    """Ink as before, but for the simplification of what goes into the address: less than a pixel at the edges."""
    first, second = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))[..., 3] > 127 for url in (one, other)
    )
    return bool((first != second).sum() < 0.04 * first.sum())


def test_reload_and_a_shared_link_show_the_same(visit: Visit) -> None:
    app = visit(drawing=EMPTY)
    app.draw((80, 60), (200, 60), (120, 230))
    one = app.still()
    app.draw((100, 150), (180, 150))
    app.step("block1_kernel_size", up=False)
    app.wait_net("conv10k4-max2-relu-conv20k5-max2-relu-fc10")
    paper, before = app.still(), shown(app)
    assert not alike(paper, one)
    app.page.reload()
    assert shown(app.ready()) == before
    assert alike(app.still(), paper)
    assert app.page.locator("[data-do=undo]").is_disabled()
    ink, other = app.still(), app.in_new_tab()
    assert shown(other) == before
    assert other.still() == ink


def test_back_and_forward(paper: Explorer) -> None:
    one = paper.draw((140, 40), (140, 240))
    two = paper.draw((60, 140), (220, 140))
    for go, left, reached in ((paper.page.go_back, two, one), (paper.page.go_forward, one, two)):
        go()
        assert paper.wait_drawing(left) == reached
        seen = parse_drawing(reached).preprocess().image
        probabilities = trace_activations(load_network(LECTURE).module, seen).probabilities
        assert probabilities is not None
        paper.wait_answer(probabilities.numpy())


def test_the_way_out_of_the_page_is_not_blocked(visit: Visit) -> None:
    """Going back from a page on which nothing was done leads out: its address was completed without a step."""
    app = visit()
    assert "net" in app.address()
    app.page.go_back()
    app.page.wait_for_url("about:blank", timeout=10_000)


def test_two_tabs_at_once_do_not_mix(visit: Visit) -> None:
    one, other = visit(drawing=EMPTY), visit(drawing=EMPTY, net="conv4k5-fc10")
    with one.stroke(140, 40), other.stroke(40, 40):
        for part in range(1, 21):
            one.page.mouse.move(*one.place(140, 40 + 10 * part))
            other.page.mouse.move(*other.place(40 + 10 * part, 40))
    (down,) = parse_drawing(one.wait_drawing(EMPTY)).strokes
    (across,) = parse_drawing(other.wait_drawing(EMPTY)).strokes
    assert {x for x, _ in down} == {140}
    assert {y for _, y in across} == {40}
    one.step("block1_kernel_size", up=False)
    one.wait_net("conv10k4-max2-relu-conv20k5-max2-relu-fc10")
    other.draw((50, 200), (200, 200))
    assert other.address()["net"] == other.view.get_attribute("data-painted-net") == "conv4k5-fc10"
    assert len(parse_drawing(one.drawing).strokes) == 1
