"""The grid player's modules, imported in the browser as the page loads them, against Python."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from browser.driver import Server
from browser.explorer import run_module
from browser.numbers import NumberPage
from playwright.sync_api import Browser

from cnn_explorer.numbers import arithmetic
from cnn_explorer.numbers.scenes import SceneError, read_number

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(browser: Browser, server: Server) -> Iterator[NumberPage]:
    page = browser.new_page()
    page.goto(f"{server.url}/convolution")
    yield NumberPage(page).ready("one")
    page.close()


def run(app: NumberPage, module: str, body: str, argument: Any = None) -> Any:
    """Run `body`, JavaScript that sees a module as `m` and an argument as `a`."""
    entry = app.page.evaluate(
        "() => performance.getEntriesByType('resource').map(e => e.name).find(n => n.endsWith('/transport.js'))"
    )
    return run_module(app.page, entry.replace("transport.js", module), body, argument)


def test_which_outputs_a_cell_reaches(app: NumberPage) -> None:
    """Against the windows themselves, for random geometries, padding and gaps included."""
    chance = random.Random(4)
    cases = []
    for _ in range(200):
        height, width, kernel, stride, padding, dilation = (
            chance.randint(*span) for span in ((1, 9), (1, 9), (1, 3), (1, 3), (0, 2), (1, 2))
        )
        rows, columns = (arithmetic.slide(side, kernel, stride, padding, dilation) for side in (height, width))
        cell = (chance.randint(-padding, height + padding - 1), chance.randint(-padding, width + padding - 1))
        cases.append(({"rows": rows, "columns": columns}, cell))
    found = run(
        app,
        "scene.js",
        "return a.map(([windows, cell]) => [m.reachedBy(windows, ...cell), m.centredOn(windows, ...cell)])",
        cases,
    )
    several = 0
    for (windows, (row, column)), (reached, centre) in zip(cases, found, strict=True):
        expected = [
            [y, x]
            for y, down in enumerate(windows["rows"])
            if row in down
            for x, across in enumerate(windows["columns"])
            if column in across
        ]
        assert reached == expected
        assert (centre in expected) if expected else (centre is None)
        several += len(expected) > 1
    assert several > 20


def test_the_cells_of_a_window_are_in_the_order_of_the_weights(app: NumberPage) -> None:
    rows, columns = arithmetic.slide(5, 2, 2, 1, 2), arithmetic.slide(4, 2, 1, 0, 1)
    cells = run(app, "scene.js", "return m.windowCells(a, 1, 2)", {"rows": rows, "columns": columns})
    assert cells == [[1, 2], [1, 3], [3, 2], [3, 3]]


TYPED = [
    "3",
    " -2.5 ",
    "−7",
    "1,5",
    "1/9",
    "-1/4",
    "999",
    "-999",
    "1000",
    "",
    "x",
    "1/0",
    "1/2/3",
    "0/0",
    "1e2",
    "1e9",
    "--1",
    "0.1234567",
    "/",
    "1/",
    "5 5",
]


def test_numbers_are_read_as_the_server_reads_them(app: NumberPage) -> None:
    def read(text: str) -> float | None:
        try:
            return read_number("input", text)
        except SceneError:
            return None

    assert run(app, "numbers.js", "return a.map(m.parse)", TYPED) == [read(text) for text in TYPED]


def test_numbers_are_short_in_a_cell_and_whole_in_a_sum(app: NumberPage) -> None:
    values = [3, -3, 0, 0.5, 1 / 3, -1 / 3, 12.345678, -123.456789, 98765.4321, 1e-9, 1234567]
    short, full, term = run(app, "numbers.js", "return [a.map(m.short), a.map(m.full), a.map(m.term)]", values)
    assert short == ["3", "−3", "0", "0.5", "0.333", "−0.333", "12.35", "−123.5", "98765", "0", "1234567"]
    assert full[:4] == ["3", "−3", "0", "0.5"]
    assert full[4:9] == ["0.3333333333", "−0.3333333333", "12.345678", "−123.456789", "98765.4321"]
    assert term[:2] == ["3", "(−3)"]


ROOM = {"width": 1235, "height": 560, "beside": 350, "below": 42, "shared": False}
SCENE = """const grid = (side) => Array.from({ length: side }, () => Array(side).fill(1));
const inputs = Array.from({ length: a.channels }, () => ({ values: grid(a.side) }));
const padding = { top: a.padding, bottom: a.padding, left: a.padding, right: a.padding };
const scene = { layout: "rows", padding, inputs, kernels: [[grid(a.kernel)]], biases: [0], partials: [],
  outputs: [{ values: grid(a.side) }] };"""


@pytest.mark.parametrize(
    ("scene", "products"),
    [
        ({"side": 5, "kernel": 3, "padding": 1, "channels": 1}, "beside"),
        ({"side": 4, "kernel": 2, "padding": 0, "channels": 3}, "beside"),
        ({"side": 12, "kernel": 7, "padding": 3, "channels": 1}, "below"),
    ],
)
def test_cells_are_neither_too_small_nor_too_large(app: NumberPage, scene: dict[str, int], products: str) -> None:
    found = run(app, "layout.js", f"{SCENE} return m.arrange(scene, a.room)", {**scene, "room": ROOM})
    assert 24 <= found["side"] <= 52
    assert found["products"] == products
    height = (scene["side"] + 2 * scene["padding"]) * scene["channels"] * found["side"]
    assert height <= ROOM["height"] or found["side"] == 24


def test_a_kernel_on_a_picture_is_what_pytorch_computes(app: NumberPage) -> None:
    """Every value, for kernels of odd and of even sizes, and the products of one with its padding."""
    chance = np.random.default_rng(6)
    for side, (rows, columns) in zip(
        range(1, 8), [(28, 28), (9, 4), (5, 30), (7, 7), (3, 2), (12, 5), (2, 9)], strict=True
    ):
        x, kernel = chance.random((rows, columns)), chance.normal(size=(side, side)).round(3)
        found = run(
            app,
            "filter.js",
            "const picture = { values: Float64Array.from(a.x.flat()), rows: a.x.length, columns: a.x[0].length };"
            "return { size: m.sizeOfResult(picture, a.kernel), values: [...m.filtered(picture, a.kernel)],"
            " products: m.productsOf(picture, a.kernel, [0, 1]) };",
            {"x": x.tolist(), "kernel": kernel.tolist()},
        )
        weight = torch.from_numpy(kernel)[None, None]
        truth = torch.nn.functional.conv2d(torch.from_numpy(x)[None, None], weight, padding=side // 2)[0, 0].numpy()
        assert found["size"] == list(truth.shape)
        assert found["values"] == pytest.approx(truth.ravel().tolist(), abs=1e-12)
        assert sum(each["product"] for each in found["products"]) == pytest.approx(truth[0, 1], abs=1e-12)
        inside = side - side // 2
        assert sum(each["padding"] for each in found["products"]) == side**2 - sum(
            0 <= row < rows and 0 <= column < columns
            for row in range(-(side // 2), inside)
            for column in range(1 - side // 2, 1 + inside)
        )
