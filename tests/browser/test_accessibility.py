"""axe-core finds nothing serious on the first page, with a map or a layer's kernels open, light and dark. The tests of
the other pages ask it as well.
"""

import pytest
from browser.axe import check
from browser.conftest import Visit

pytestmark = pytest.mark.browser


def test_the_first_page(visit: Visit, axe: str) -> None:
    app = visit()
    app.page.locator(".network-view[data-follows]").wait_for()
    app.page.evaluate(axe)
    app.page.locator(".layer-table summary").click()
    check(app.page, 'aria-current="page"', 'class="paper"', '<th scope="row">conv1')
    app.canvas("conv2").click(position={"x": 8, "y": 8})
    check(app.page, 'class="chain"')
    app.page.keyboard.press("Escape")
    app.page.locator(".joint").nth(3).click()
    check(app.page, '<p class="told"')
    app.page.keyboard.press("Escape")
    app.page.locator(".ask").click()
    app.page.locator(".layer-table .term").first.hover()
    check(app.page, 'class="ask"', "<dt>", 'class="term"')
