"""The words of the page explain themselves, and a first visit is told in a line how the page works."""

import re

from browser.axe import check
from browser.conftest import Visit
from browser.driver import Server
from browser.explorer import PATIENCE, Explorer
from playwright.sync_api import Browser, expect

from cnn_explorer.spec.network import LECTURE
from cnn_explorer.weights.load import load_network


def test_the_first_visit_is_told_how_the_page_works_once(browser: Browser, server: Server, axe: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    try:
        page = context.new_page()
        page.goto(server.url)
        Explorer(page).ready()
        line = page.locator(".welcome")
        expect(line).to_contain_text("Every square is what one filter sees", timeout=PATIENCE)
        page.evaluate(axe)
        check(page, 'class="welcome"')
        line.locator("button").click()
        expect(line).to_be_hidden()
        assert page.locator(".ask").evaluate("ask => ask.getRootNode().activeElement === ask")
        page.reload()
        Explorer(page).ready()
        expect(line).to_be_hidden()
        page.locator(".ask").click()
        help_text = page.locator(".help")
        expect(help_text).to_contain_text("Your drawing changes no weight")
        assert help_text.locator("dt").count() == help_text.locator("dd").count() >= 12
        page.locator(".ask").click()
        expect(help_text).to_be_hidden()
    finally:
        context.close()


def test_terms_explain_themselves_on_hover_focus_and_tap(revisit: Visit) -> None:
    app = revisit()
    page, card = app.page, app.card
    page.locator(".layers h3").first.hover()
    expect(card).to_contain_text("Each map that comes out is the sum of all maps that go in")
    expect(card).to_contain_text("Here: 10 feature maps (channels) of 24×24")
    page.mouse.move(2, 2)
    expect(card).to_be_hidden()
    page.locator("summary").click()
    page.locator(".layer-table .term").filter(has_text="receptive field").focus()
    expect(card).to_contain_text("The part of the drawing that one value depends on")
    assert card.locator(".picture rect").count() > 20
    expect(page.locator(".spoken")).to_contain_text("The part of the drawing")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    page.locator(".layer-table .term").filter(has_text="parameters").click()
    expect(card).to_contain_text("Your drawing changes none of them")
    weight = load_network(LECTURE).module.get_submodule("conv2").weight
    page.locator(".layer-table tbody tr").filter(has_text="conv2").hover()
    expect(card).to_contain_text("20 output channels × 10 input channels × 5×5 weights + 20 biases = 5,020")
    assert weight.numel() + 20 == 5020  # type: ignore[operator]
    page.locator(".probabilities .logit").nth(3).hover()
    expect(card).to_contain_text("The score of one digit")
    page.locator(".probabilities li").nth(3).click()
    opened = page.locator(".detail:not(.kernels)")
    expect(opened.locator(".softmax .term")).to_have_text(["Softmax", "logits"])
    opened.locator(".softmax .term").last.focus()
    expect(card).to_contain_text("The score of one digit")
    page.keyboard.press("Escape")
    page.locator(".joint").nth(3).click()
    page.locator(".kernels .how .term").filter(has_text="kernels").hover()
    expect(card).to_contain_text("A small grid of weights that slides over the input")
    page.keyboard.press("Escape")
    page.locator("summary").click()
    page.wait_for_function("() => !new URLSearchParams(location.search).has('view')")


def test_the_legend_has_the_numbers_of_both_scales(revisit: Visit) -> None:
    app = revisit()
    values, weights = (app.page.locator(f".legend.{kind}") for kind in ("values", "weights"))
    expect(values).to_have_text(re.compile(r"^−\d+\.\d\d*\.\d$"))
    expect(weights).to_be_hidden()
    tile = app.tiles("conv2")[4]
    app.page.mouse.move(tile.x + tile.width / 2, tile.y + tile.height / 2)
    expect(values).to_have_attribute("title", re.compile("Colours of values, conv2"))
    app.page.mouse.down()
    app.page.mouse.up()
    app.page.locator(".detail:not(.kernels)").wait_for(timeout=PATIENCE)
    expect(weights).to_be_visible()
    largest = load_network(LECTURE).module.get_submodule("conv2").weight.abs().max().item()  # type: ignore[union-attr,operator]
    expect(weights).to_have_attribute("title", re.compile(f"green {largest:.3g}"))
    app.page.keyboard.press("Escape")
    app.page.locator("[data-scale=network]").click()
    expect(values).to_have_attribute("title", re.compile("all layers"))
    app.page.locator("[data-scale=layer]").click()
    app.page.wait_for_function("() => !new URLSearchParams(location.search).has('view')")


def test_the_code_of_the_network_marks_what_changed_last(visit: Visit, axe: str) -> None:
    app = visit()
    app.page.get_by_text("Code", exact=True).click()
    code = app.page.get_by_test_id("stCode")
    expect(code).to_contain_text("nn.Conv2d(10, 20, kernel_size=5),", timeout=PATIENCE)
    expect(code).not_to_contain_text("was")
    app.step("block2_stride")  # the code stays beside the maps meanwhile
    app.wait_net(str(LECTURE).replace("20k5", "20k5s2"))
    expect(code).to_contain_text("nn.Conv2d(10, 20, kernel_size=5, stride=2)", timeout=PATIENCE)
    expect(code).to_contain_text("# ↓ was nn.Conv2d(10, 20, kernel_size=5)")
    view, beside = app.view.bounding_box(), code.bounding_box()
    assert view
    assert beside
    assert view["x"] + view["width"] <= beside["x"]
    assert beside["x"] + beside["width"] <= 1280
    assert beside["y"] < view["y"] + view["height"] / 2
    assert "narrow" not in (app.view.get_attribute("class") or "")  # columns side by side, not one below the other
    app.page.reload()
    expect(code).to_contain_text("stride=2", timeout=PATIENCE)
    app.page.evaluate(axe)
    check(app.page, 'class="paper"')
    code.hover()
    expect(code.get_by_role("button", name="Copy to clipboard")).to_be_visible()
