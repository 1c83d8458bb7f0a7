"""The page as a visitor has it: what to do and what to look at, by name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from playwright.sync_api import CDPSession, Locator, Page

from cnn_explorer.digits.drawing import Drawing, parse_drawing

PATIENCE = 60_000  # ms; a busy machine is slow, and a test waits for conditions only
COMPLETE = ".top-bar[data-address=complete]"
PAINTED = ".network-view[data-painted-net]:not([data-painted-net=''])"

# Boxes of a layer's tiles in CSS pixels of the page: what lies between tiles is transparent.
TILES = """(canvas) => {
  const { width, height } = canvas;
  const box = canvas.getBoundingClientRect();
  const alpha = canvas.getContext("2d").getImageData(0, 0, width, height).data.filter((_, index) => index % 4 === 3);
  const runs = (length, painted) => {
    const found = [];
    for (let at = 0, start = -1; at <= length; at++) {
      const on = at < length && painted(at);
      if (on && start < 0) start = at;
      if (!on && start >= 0) { found.push([start, at - start]); start = -1; }
    }
    return found;
  };
  const across = runs(width, (x) => alpha[x]), down = runs(height, (y) => alpha[y * width]);
  return across.flatMap(([x, w]) => down.filter(([y]) => alpha[y * width + x]).map(([y, h]) => ({
    x: box.left + (x * box.width) / width, y: box.top + (y * box.height) / height,
    width: (w * box.width) / width, height: (h * box.height) / height, dots: [x, y, w, h],
  })));
}"""
PIXELS = """(canvas) => {  // [width, height, RGBA in base64]
  const { width, height } = canvas, { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return [width, height, btoa(text)];
}"""
COLOURS = """(canvas) => canvas.toDataURL()"""


# Argument and result travel as JSON: Playwright looks at every single value of a list, on both sides and on the way.
# JSON has no word for these four numbers.
IN_JSON = """
const NUMBERS = { "NaN": NaN, "Infinity": Infinity, "-Infinity": -Infinity, "-0": -0 };
const name = (value) => Object.is(value, -0) ? "-0" : String(value);
const packed = (key, value) => {
  if (typeof value === "number") return Object.is(value, -0) || !Number.isFinite(value) ? { number: name(value) } : value;
  return ArrayBuffer.isView(value) ? Array.from(value) : value;
};
const unpacked = (key, value) => typeof value?.number === "string" ? NUMBERS[value.number] : value;
"""


def run_module(page: Page, url: str, body: str, argument: Any = None) -> Any:
    """Run `body`, JavaScript that sees the module at `url` as `m` and an argument as `a`. `undefined` becomes None."""
    result = page.evaluate(
        f"""async ([url, sent]) => {{
          {IN_JSON}
          const m = await import(url), a = JSON.parse(sent, unpacked);
          const result = await (async () => {{ {body} }})();
          return JSON.stringify(result, packed);
        }}""",
        [url, json.dumps(_packed(argument))],
    )
    return None if result is None else json.loads(result, object_hook=_unpacked)


def _packed(value: Any) -> Any:
    """With the numbers that JSON has no word for as objects."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]}
    if isinstance(value, dict):
        return {key: _packed(each) for key, each in value.items()}
    return [_packed(each) for each in value] if isinstance(value, list | tuple) else value


def _unpacked(value: dict[str, Any]) -> Any:
    return float(value["number"]) if value.keys() == {"number"} else value


@dataclass(frozen=True)
class Tile:
    """One map on the screen, in CSS pixels of the page; `dots` are x, y, width and height in the canvas."""

    x: float
    y: float
    width: float
    height: float
    dots: tuple[int, int, int, int]


class Explorer:
    """One open page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.view = page.locator(".network-view")
        self.paper = page.locator(".paper")
        self.card = page.locator(".network-view .card")

    # --- looking ---

    def ready(self) -> Explorer:
        """Wait for the first paint with numbers in it."""
        self.page.locator(PAINTED).wait_for(timeout=PATIENCE)
        self.page.locator(COMPLETE).wait_for(timeout=PATIENCE)
        return self

    def wait_net(self, net: str) -> None:
        """Wait until this network is painted and in the address."""
        self.page.locator(f".network-view[data-painted-net='{net}']").wait_for(timeout=PATIENCE)
        self.page.wait_for_function(
            "net => new URLSearchParams(location.search).get('net') === net", arg=net, timeout=PATIENCE
        )

    @property
    def seq(self) -> int:
        """Number of the last drawing event whose answer is painted."""
        return self._count("painted-seq")

    def wait_painted(self, after: int) -> int:
        """Wait for the answer to a later event than `after`."""
        return self._wait_count("painted-seq", after)

    @property
    def confirmed(self) -> int:
        """How many answers of PyTorch have been painted."""
        return self._count("confirmed")

    def wait_confirmed(self, before: int) -> int:
        """Wait for more answers of PyTorch than `before`, also while the pen moves."""
        return self._wait_count("confirmed", before)

    def _count(self, mark: str) -> int:
        return int(self.view.get_attribute(f"data-{mark}") or 0)

    def _wait_count(self, mark: str, before: int) -> int:
        self.page.wait_for_function(
            "([view, mark, before]) => Number(view.getAttribute(`data-${mark}`)) > before",
            arg=[self.view.element_handle(), mark, before],
            timeout=PATIENCE,
        )
        return self._count(mark)

    @property
    def drawing(self) -> str:
        """The drawing in the address."""
        return self.address()["drawing"]

    def address(self) -> dict[str, str]:
        """The page's query parameters."""
        return {
            name: values[0] for name, values in parse_qs(urlsplit(self.page.url).query, keep_blank_values=True).items()
        }

    def wait_drawing(self, other_than: str) -> str:
        """Wait until the address holds another drawing, and all that was drawn is painted."""
        self.page.wait_for_function(
            "old => ![null, old].includes(new URLSearchParams(location.search).get('drawing'))",
            arg=other_than,
            timeout=PATIENCE,
        )
        return self.drawing

    def wait_strokes(self, count: int) -> Drawing:
        """Wait until the address holds so many strokes."""
        while len(parse_drawing(seen := self.drawing).strokes) != count:
            self.wait_drawing(seen)
        return parse_drawing(self.drawing)

    def probabilities(self) -> list[float]:
        """The ten bars."""
        scales = self.page.locator(".probabilities .bar i").evaluate_all("bars => bars.map(bar => bar.style.transform)")
        return [float(re.findall(r"scaleX\((.*)\)", scale)[0]) for scale in scales]

    def wait_probabilities(self, other_than: list[float]) -> list[float]:
        """Wait for another answer; the browser's own and PyTorch's differ in the last digits only."""
        self.page.wait_for_function(
            """([view, old]) => {
              const bars = [...view.querySelectorAll(".bar i")];
              return bars.length !== old.length || bars.some(
                (bar, index) => Math.abs(Number(bar.style.transform.slice(7, -1)) - old[index]) > 1e-5);
            }""",
            arg=[self.view.element_handle(), other_than],
            timeout=PATIENCE,
        )
        return self.probabilities()

    def wait_answer(self, expected: np.ndarray) -> None:
        """Wait for these probabilities, as PyTorch computes them."""
        self.page.wait_for_function(
            """([view, expected]) => {
              const bars = [...view.querySelectorAll(".bar i")].map((bar) => Number(bar.style.transform.slice(7, -1)));
              return bars.length === expected.length && bars.every((bar, index) => Math.abs(bar - expected[index]) <= 1e-4);
            }""",
            arg=[self.view.element_handle(), expected.tolist()],
            timeout=PATIENCE,
        )

    @property
    def verdict(self) -> str:
        """The large digit."""
        return self.page.locator(".verdict strong").inner_text()

    def wait_verdict(self, digit: str) -> None:
        """Wait for an answer."""
        self.page.locator(".verdict strong").filter(has_text=re.compile(f"^{digit}$")).wait_for(timeout=PATIENCE)

    def layers(self) -> list[str]:
        """Names of the layers that are drawn."""
        return self.page.locator(".layers canvas[data-layer]").evaluate_all(
            "all => all.map(canvas => canvas.dataset.layer)"
        )

    def canvas(self, layer: str) -> Locator:
        """A layer's maps."""
        return self.page.locator(f".layers canvas[data-layer='{layer}']")

    def tiles(self, layer: str) -> list[Tile]:
        """Where a layer's maps are, in the order of its channels."""
        return [Tile(**{**tile, "dots": tuple(tile["dots"])}) for tile in self.canvas(layer).evaluate(TILES)]

    def colours(self, layer: str = "") -> str:
        """All pixels of a layer's canvas, or of the paper."""
        return (self.canvas(layer) if layer else self.paper).evaluate(COLOURS)

    def still(self) -> str:
        """All pixels of the paper once ink has stopped changing."""
        return self.page.evaluate(
            """async (paper) => {
              for (let before = "", same = 0; same < 3; ) {
                await new Promise(requestAnimationFrame);
                const now = paper.toDataURL();
                same = now === before ? same + 1 : 0;
                before = now;
              }
              return paper.toDataURL();
            }""",
            self.paper.element_handle(),
        )

    def ink(self) -> int:
        """How many pixels of the paper have ink."""
        return self.paper.evaluate(
            """(paper) => {
              const { data } = paper.getContext("2d").getImageData(0, 0, paper.width, paper.height);
              return data.filter((value, index) => index % 4 === 3 && value > 127).length;
            }"""
        )

    def module(self, name: str) -> str:
        """Address of one of the view's modules, as the page loaded it."""
        entry = self.page.evaluate(
            "() => performance.getEntriesByType('resource').map(e => e.name).find(n => n.endsWith('/protocol.js'))"
        )
        return entry.replace("protocol.js", name)

    def run(self, module: str, body: str, argument: Any = None) -> Any:
        """Run `body`, JavaScript that sees a module of the view as `m` and an argument as `a`."""
        return run_module(self.page, self.module(module), body, argument)

    # --- acting ---

    def in_new_tab(self) -> Explorer:
        """The same address in another tab, which covers this one."""
        page = self.page.context.new_page()
        page.goto(self.page.url)
        return Explorer(page).ready()

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point of the 280×280 drawing on the screen."""
        self.paper.wait_for()
        box = self.paper.bounding_box()
        assert box
        return box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280

    @contextmanager
    def stroke(self, x: float, y: float) -> Iterator[None]:
        """Hold the mouse's button down from here on."""
        self.page.mouse.move(*self.place(x, y))
        self.page.mouse.down()
        yield
        self.page.mouse.up()

    def draw(self, *points: tuple[float, float], steps: int = 8) -> str:
        """A whole stroke with the mouse; returns the drawing that is in the address behind it."""
        before = self.drawing
        with self.stroke(*points[0]):
            for point in points[1:]:
                self.page.mouse.move(*self.place(*point), steps=steps)
        return self.wait_drawing(before)

    def do(self, action: str) -> str:
        """Press undo, redo or clear; returns the drawing in the address behind it."""
        before = self.drawing
        self.page.locator(f"[data-do={action}]").click()
        return self.wait_drawing(before)

    def tool(self, name: str) -> None:
        """Choose pen or eraser."""
        self.page.locator(f"button[data-tool={name}]").click()

    def devtools(self) -> CDPSession:
        """Chromium's own protocol, for fingers and pens."""
        return self.page.context.new_cdp_session(self.page)

    def setting(self, key: str) -> Locator:
        """A widget by its key."""
        name = f"st-key-{key.replace(' ', '-')}"
        return self.page.locator(f".{name}, [class*='{name}-v']").filter(
            visible=True
        )  # a number, a choice or a text has a version behind its key

    def step(self, key: str, up: bool = True) -> None:
        """Press + or − of a number."""
        self.setting(key).get_by_test_id(f"stNumberInputStep{'Up' if up else 'Down'}").click()

    def type(self, key: str, value: str) -> None:
        """Type into a field and press Enter."""
        field = self.setting(key).locator("input")
        field.fill(value)
        field.press("Enter")

    def choose(self, key: str, option: str) -> None:
        """Choose from a list."""
        self.setting(key).locator("[data-baseweb=select], input").first.click()
        self.page.get_by_role("option", name=option, exact=True).click()
