"""A training in a real browser: it moves, holds, goes back; where it fails, how two compare; what is taken along and
brought back.
"""

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
from browser.axe import check as axe_check
from browser.axe import check_contrast, recolour
from browser.conftest import VisitTraining
from browser.explorer import PATIENCE
from browser.test_screens import CONTRAST
from browser.training import EPOCH, TrainingPage
from playwright.sync_api import expect

from cnn_explorer import load_network, parse
from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.digits.drawing import parse_drawing
from cnn_explorer.spec.network import LECTURE, PRESETS
from cnn_explorer.weights.trace import trace_activations

pytestmark = pytest.mark.browser

SMALL = "conv6k5s3-relu-conv8k3s3-relu-fc10"  # trained in a fraction of a second
DENSE = str(PRESETS["the lecture's fully connected network"])


NETWORK = "[class*='st-key-training_view']"


def recipe(epochs: int, seed: int) -> str:
    """Quick; tests that are not to see what another has trained have seeds of their own."""
    return f"bundled-sgd0.05m0.5-b64-e{epochs}-s{seed}"


# --- it moves ---


def test_everything_moves_until_it_is_paused(visit_training: VisitTraining) -> None:
    train = visit_training(recipe(4, 1))
    before = train.state
    assert train.curves()[1][0].x == []
    train.press("Train")
    train.wait_progress(r"Epoch [\d.]+ of 4, \d+ s left")
    train.wait_looks(3)
    middle = train.state
    assert [old != new for old, new in zip(before, middle, strict=True)] == [True] * 5
    train.button("Pause").evaluate("button => { window.pressed = performance.now(); button.click(); }")
    took = train.page.wait_for_function(
        "() => !document.querySelector('.st-key-pause') && !document.querySelector('[data-testid=stProgress]') && "
        "performance.now() - window.pressed",
        polling="raf",
    ).json_value()
    assert took < 5000  # against collapse: it takes a third of a second on a machine at rest
    train.button("Resume").wait_for()
    train.wait_results()
    train.wait_at(at := train.batch)
    assert 0 < at < 4 * EPOCH
    held = train.state
    train.press("One batch")
    train.wait_at(at + 1)  # it had held where it said
    train.press("Resume")
    train.wait_at(4 * EPOCH)
    train.page.get_by_text("✓ PyTorch agrees").wait_for()
    losses, accuracies = train.curves()
    assert [accuracies[0].x[0], accuracies[0].x[-1]] == [0, 4]
    assert losses[0].y[-1] < losses[0].y[0] / 3
    assert losses[0].y[: len(held[1][0][0].y)] == held[1][0][0].y  # what was seen stays
    assert train.button("Train").is_disabled()  # there is no more


def test_steps_are_exact_starting_over_is_the_very_same_and_keys_go_back(visit_training: VisitTraining) -> None:
    train = visit_training(recipe(2, 3))
    assert train.label == "Untrained: random weights, as seed 3 makes them."
    start = train.state
    train.press("One batch")
    train.wait_at(1)
    assert train.label.startswith("Trained here, 1 batch on 4,000 digits")
    assert train.filters != start[2]
    train.press("One epoch")
    train.wait_at(EPOCH)
    assert train.label.startswith("Trained here, 1 epoch on 4,000 digits")
    first = train.state
    train.press("Start over")
    train.wait_at(0)
    train.wait_colours("conv1", start[3])
    assert (train.filters, train.probabilities()) == (start[2], start[4])
    assert train.curves()[1][0].x in ([], [0])
    train.press("One epoch")
    train.wait_at(EPOCH)
    train.wait_colours("conv1", first[3])
    assert train.state == first

    train.press("Resume")
    train.wait_at(2 * EPOCH)
    end = train.state
    train.scrub("Home")
    train.wait_label("^Untrained: random weights, as seed 3 makes them")
    train.wait_colours("conv1", start[3])
    assert (train.filters, train.probabilities()) == (start[2], start[4])
    assert train.page.get_by_test_id("stSliderThumbValue").inner_text() == "epoch 0"
    train.scrub("ArrowRight")
    train.wait_label("^Trained here")
    assert train.filters not in (start[2], end[2])
    train.scrub("End")
    train.wait_label(re.escape(end[0]))
    train.wait_colours("conv1", end[3])
    assert train.state == end


# --- what it has come to, taken along, brought back ---


def test_a_trained_network_shows_its_errors_and_is_taken_along(visit_training: VisitTraining) -> None:
    train = visit_training(recipe(2, 6))
    train.press("Train")
    train.wait_at(2 * EPOCH)
    click_on_an_error(train)

    train.section("Take it along")
    weights = Path(train.download("Weights (.safetensors)").path())
    saved = safetensors.torch.load_file(weights)
    module = load_network(LECTURE).module
    assert {name: tensor.shape for name, tensor in saved.items()} == {
        name: t.shape for name, t in module.state_dict().items()
    }
    rows = list(csv.DictReader(io.StringIO(Path(train.download("The run (.csv)").path()).read_text())))
    accuracies = train.curves()[1][0]
    assert [float(row["epoch"]) for row in rows] == accuracies.x
    assert f"right on {100 * float(rows[-1]['accuracy']):.1f} % of 1,000 test digits" in train.label
    script = Path(train.download("PyTorch script (.py)").path()).read_text()
    compile(script, "train.py", "exec")
    assert "cnn_explorer" not in script

    train.upload_weights("empty.safetensors", b"{}")
    said = train.page.get_by_test_id("stAlert").filter(has_text="empty.safetensors")
    said.wait_for()
    assert "Choose a file that was saved from this network" in said.inner_text()
    train.upload_weights("mine.safetensors", weights.read_bytes())
    said = train.page.get_by_test_id("stAlert").filter(has_text="mine.safetensors")
    said.wait_for()
    assert f"right on {100 * float(rows[-1]['accuracy']):.1f} % of 1,000 MNIST digits" in said.inner_text()
    train.page.get_by_text("See it on the other pages").click()
    train.wait_label("^Weights from your file")
    module.load_state_dict(saved)
    train.wait_answer(trace_activations(module, parse_drawing(train.drawing).preprocess().image).probabilities.numpy())

    train.go("Train")
    train.wait_at(2 * EPOCH)
    label, answer = train.label, np.array(train.probabilities())
    train.section("Take it along")
    train.press("Use it on the other pages")
    train.page.locator(".stMain, [data-testid=stMain]").get_by_text("CNN Explorer", exact=True).wait_for()
    train.page.wait_for_function("() => location.pathname === '/'")
    train.wait_label(re.escape(label))
    train.wait_answer(answer)
    train.page.get_by_text("✓ PyTorch agrees").wait_for()
    assert train.address()["weights"] == f"{recipe(2, 6)}@{2 * EPOCH}"
    train.page.reload()
    train.wait_label(re.escape(label))
    train.wait_answer(answer)
    train.press("Back to the shipped weights")
    train.wait_label("^Trained on MNIST")
    train.page.wait_for_function("() => !new URLSearchParams(location.search).get('weights')")
    train.page.keyboard.press("Tab")  # while it has the focus, Streamlit keeps even a button that is gone
    expect(train.button("Back to the shipped weights")).to_have_count(0)


def click_on_an_error(train: TrainingPage) -> None:
    """A click on the confusion shows those digits, and a click on one of them draws it."""
    digit, answer, count = train.click_worst_cell()
    chosen = f"{digit} taken for {answer}: {count}"
    expect(train.page.locator("[class*='st-key-cell'] input").filter(visible=True)).to_have_value(chosen)
    pictures = train.page.get_by_alt_text(re.compile(f"^Test digit \\d+: a {digit}, taken for a {answer}$"))
    pictures.first.wait_for()
    expect(train.page.get_by_alt_text(re.compile("^Test digit"))).to_have_count(min(count, 12))
    expect(pictures).to_have_count(min(count, 12))
    alt = pictures.first.get_attribute("alt") or ""
    index = int(alt.split()[2].rstrip(":"))
    assert bundled_digits().labels[index] == digit
    before = train.drawing
    train.button(f"{digit} → {answer}").first.click()
    drawing = train.wait_drawing(before)
    seen = parse_drawing(drawing).preprocess()
    assert np.array_equal(seen.pixels, bundled_digits().images[index])
    train.wait_verdict(str(answer))


# --- from page to page ---


def test_a_link_leads_to_what_is_on_screen_and_the_way_back_to_what_was(visit_training: VisitTraining) -> None:
    train = visit_training(recipe(2, 11))
    train.press("One epoch")
    train.wait_at(EPOCH)
    one = train.address()
    train.go("Draw")
    train.page.wait_for_function("() => location.pathname === '/'")
    train.wait_label("^Trained on MNIST")
    train.choose("preset", "LeNet-5")  # after the links were drawn
    train.wait_net(lenet := str(PRESETS["LeNet-5"]))
    drawing = train.draw((140, 40), (140, 240))
    train.go("Train")
    train.page.wait_for_function("() => location.pathname === '/training'")
    train.wait_net(lenet)
    assert train.drawing == drawing
    train.wait_label("^Untrained")
    assert train.address()["recipe"] == one["recipe"]
    train.press("One batch")
    train.wait_at(1)
    train.page.go_back()
    train.wait_label("^Untrained")  # the place before
    expect(train.page.get_by_test_id("stSliderThumbValue").filter(visible=True)).to_have_text("epoch 0")
    train.page.go_forward()
    train.wait_label("^Trained here, 1 batch")
    for _ in range(2):  # to before that batch, and to the page before
        train.page.go_back()
        train.page.wait_for_timeout(600)
    train.page.wait_for_function("() => location.pathname === '/'")
    train.wait_net(lenet)
    assert train.drawing == drawing
    for _ in range(12):  # all the way: no step puts itself in the way
        if train.page.url.startswith("about:"):
            break
        train.page.go_back()
        train.page.wait_for_timeout(600)
    train.page.wait_for_url("about:blank", timeout=10_000)


# --- who comes and goes ---


def test_it_goes_on_while_its_visitor_is_on_another_page_and_ends_with_the_tab(visit_training: VisitTraining) -> None:
    train = visit_training(recipe(100, 7))
    train.press("Train")
    train.wait_looks(2)
    train.go("Draw")
    train.wait_label("^Trained on MNIST")
    other = visit_training(recipe(100, 8))
    other.press("Train")
    other.wait_progress("1 other visitor trains before your next turn")  # it does go on, for nobody looks at it
    train.go("Train")
    train.button("Pause").wait_for()
    train.wait_looks(3)
    train.page.close()
    other.page.wait_for_function(  # two turns long it is alone, and goes on
        """() => {
          const text = document.querySelector("[data-testid=stProgress]")?.innerText ?? "";
          const now = performance.now();
          if (!text || text.includes("other visitor")) { window.alone = undefined; return false; }
          window.alone ??= { since: now, text };
          return now - window.alone.since > 2500 && text !== window.alone.text;
        }""",
        polling=50,
        timeout=PATIENCE,
    )


def test_a_training_is_one_step_of_the_history_and_goes_on_after_a_reload(visit_training: VisitTraining) -> None:
    train = visit_training(recipe(100, 21))
    steps = train.page.evaluate("history.length")
    train.press("Train")
    train.wait_place(0)
    assert int(train.address()["until"]) == 100 * EPOCH
    train.wait_place(reached := train.batch)
    train.page.reload()
    train.ready()
    train.button("Pause").wait_for()  # it goes on
    assert train.batch > reached
    assert not train.page.get_by_test_id("stAlert").count()
    train.press("Pause")
    train.button("Resume").wait_for()
    train.page.wait_for_function("() => !new URLSearchParams(location.search).has('until')")
    assert train.page.evaluate("history.length") == steps + 1
    train.wait_at(at := train.batch)
    train.page.go_back()
    train.wait_label("^Untrained")
    assert train.batch == 0
    train.page.go_forward()
    train.wait_at(at)
    train.press("One batch")
    train.wait_at(at + 1)
    assert train.page.evaluate("history.length") == steps + 2
    train.page.go_back()
    train.wait_at(at)


def test_a_second_tab_watches_the_same_training(visit_training: VisitTraining) -> None:
    train = visit_training(recipe(100, 9))
    train.press("Train")
    train.wait_looks(3)
    tab = train.page.context.new_page()
    tab.goto(train.page.url)
    second = TrainingPage(tab).ready()  # goes on from the address
    second.wait_looks(3)
    assert "other visitor" not in second.progress
    tables = []
    for each in (train, second):
        each.page.bring_to_front()
        each.press("Pause")
        each.wait_results()
        each.section("Take it along")
        tables.append(Path(each.download("The run (.csv)").path()).read_text().splitlines())
    # The table has the seconds that the training took: no two have the same.
    common = min(map(len, tables))
    assert common > 3
    assert tables[0][:common] == tables[1][:common]


# --- how it looks ---


def sideways(train: TrainingPage) -> list[int]:
    return [
        train.page.locator(each).evaluate("element => element.scrollWidth") for each in ("html", "[data-testid=stMain]")
    ]


def small_targets(train: TrainingPage) -> list[Any]:
    """Buttons that a finger misses."""
    return (
        train.page.get_by_test_id("stMain")
        .locator(".stButton button, [data-testid=stButtonGroup] button")
        .evaluate_all(
            """all => all.map((button) => [button.textContent, button.getBoundingClientRect()])
          .filter(([, { left, right, width, height }]) => width && (width < 28 || height < 28 || left < 0 || right > innerWidth))
          .map(([text, { left, right, width, height }]) => [text, left, right, width, height])"""
        )
    )


# No text of a figure is too faint by WCAG's 4.5 to 1. The figure before is there for a moment.
LEGIBLE = f"""() => ({CONTRAST.replace("getComputedStyle(element).color", "getComputedStyle(element).fill")})(
  [...document.querySelectorAll(".js-plotly-plot .main-svg text")]).every(([text, ratio]) => !text || ratio >= 4.5)"""


def test_two_networks_can_be_read_and_pressed_before_during_and_after(
    visit_training: VisitTraining, axe: str, artifacts: Path
) -> None:
    train = visit_training(recipe(60, 10), beside=DENSE)

    def check(name: str, *parts: str, without: str = NETWORK, dark: bool = True) -> None:
        """On a laptop, and as wide as a phone."""
        axe_check(train.page, *parts, without=without, dark=dark)
        for width, height in ((390, 844), (1280, 720)):
            train.page.set_viewport_size({"width": width, "height": height})
            train.page.wait_for_function("width => document.documentElement.clientWidth === width", arg=width)
            assert sideways(train) == [width, width]
            train.page.screenshot(path=artifacts / f"training-{name}-{width}.png")
            assert small_targets(train) == [], name

    train.page.evaluate(axe)
    train.wait_results()
    check("before", 'aria-current="page"', 'class="paper"', without="")
    train.press("One epoch")
    train.wait_at(EPOCH)
    train.page.get_by_text("Gradient norms").click()
    train.figure("gradients").wait_for()
    for theme in ("dark", "light"):
        recolour(train.page, theme)
        for section, part in (("Take it along", ""), ("Where it fails", "confusion"), ("Side by side", "shifts")):
            train.section(section)
            train.figure(part).wait_for() if part else train.button("Weights (.safetensors)").wait_for()
            train.page.wait_for_function(LEGIBLE)
            if theme == "dark":
                check_contrast(train.page, NETWORK)
            else:
                check(section, dark=False)
    assert_side_by_side(train)
    train.press("Resume")
    train.wait_looks(4)
    check("during", "progress")
    train.press("Pause")
    train.button("Resume").wait_for()


def assert_side_by_side(train: TrainingPage) -> None:
    """After an epoch of both."""
    names = ["the lecture's network", "the lecture's fully connected network"]
    for lines in train.curves():
        assert [line.name for line in lines] == names
        assert all(line.x[-1] == 1 for line in lines)
    table = train.page.get_by_test_id("stMarkdown").locator("table")
    table.wait_for()
    text = table.inner_text()
    for name, spec in zip(names, (LECTURE, parse(DENSE)), strict=True):
        row = table.locator("tr").filter(has=train.page.get_by_text(name, exact=True)).inner_text()
        parameters = sum(tensor.numel() for tensor in load_network(spec).module.parameters())
        assert f"{parameters:,}" in row, text
        assert re.search(r"\d\d\.\d\d %", row), text
    train.figure("shifts").wait_for()
    shifts = train.lines("shifts")
    assert [(line.name, line.x) for line in shifts] == [(name, [*range(7)]) for name in names]
    assert [line.y[0] > 2 * line.y[6] for line in shifts] == [True, True], [line.y for line in shifts]
    assert train.layers()[0] == "conv1"
    train.look_into(names[1])
    train.canvas("conv1").wait_for(state="detached")
    train.wait_label("^Trained here, 1 epoch")
    assert train.layers()[0] == "fc1"
    train.look_into(names[0])
    train.canvas("conv1").wait_for()
