"""axe-core finds nothing serious: on every page, at every step, with a map or a layer's kernels open,
light and dark.
"""

from collections.abc import Callable

import pytest
from browser.axe import check
from browser.conftest import Visit
from browser.numbers import NumberPage

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


@pytest.mark.parametrize(
    ("path", "first", "steps"),
    [
        (
            "convolution",
            "one",
            {
                "Several channels": "channels",
                "Many kernels": "kernels",
                "Groups": "groups",
                "Why cross-correlation": "flip",
            },
        ),
        ("pooling", "compare", {"A shift by a pixel": "shift", "Adaptive and global": "adaptive"}),
    ],
    ids=["convolution", "pooling"],
)
def test_the_number_pages(
    visit_numbers: Callable[..., NumberPage], axe: str, path: str, first: str, steps: dict[str, str]
) -> None:
    numbers = visit_numbers(path, first)
    numbers.page.evaluate(axe)
    check(numbers.page, 'aria-current="page"', "<td")
    for step, scene in steps.items():
        numbers.go(step, scene)
        check(numbers.page, "<td")
