"""What it costs to look closer: a hover, a stroke of the pen, an opened map, in the lecture's network and in a wide
one.

    python tests/benchmarks/bench_hover.py

Starts the app and one Chromium. Events are dispatched in the page, and the clock is read around them: script and
layout, not the browser's own painting. Frames are websocket messages from the browser to the server.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.driver import launch, running_app
from browser.explorer import Explorer

from cnn_explorer.spec.limits import excess_of
from cnn_explorer.spec.network import LECTURE, parse
from cnn_explorer.spec.shapes import infer_shapes

# Followed by the browser's own pass, with all 256 channels of a layer in the sum; and as much as the page allows
# (spec/limits.py), too much for the browser's own pass.
NETS = {
    "the lecture's": str(LECTURE),
    "256 channels": "conv8k3-conv256k3s2-max2-conv64k3-fc10",
    "at the limits": "conv224k3-relu-conv256k3s2-conv256k3-conv256k3-fc10",
}

HOVER = """async ([view, selector, count, across = 1, down = 1]) => {
  const canvas = view.querySelector(selector);
  const times = [];
  for (let hover = -20; hover < count; hover++) {
    const box = canvas.getBoundingClientRect();
    const x = box.left + across * Math.random() * box.width, y = box.top + down * Math.random() * box.height;
    const at = { bubbles: true, pointerType: "mouse", clientX: x, clientY: y };
    const start = performance.now();
    canvas.dispatchEvent(new PointerEvent("pointermove", at));
    if (hover >= 0) times.push(performance.now() - start);
    if (hover % 4 === 0) await new Promise(requestAnimationFrame);
  }
  return times;
}"""
# A movement of the pen each frame; until the browser's own maps are repainted, or, where they come from the server,
# until those are.
STROKE = """async ([view, seconds]) => {
  const paper = view.querySelector(".paper"), box = paper.getBoundingClientRect();
  const painted = () => view.dataset.followed ?? "0";
  const times = [], start = performance.now();
  for (let step = 0; performance.now() - start < 1000 * seconds; step++) {
    await new Promise(requestAnimationFrame);
    const turn = step / 15, radius = 0.1 + 0.3 * Math.abs(Math.sin(turn / 7));
    const at = { pointerId: 1, bubbles: true, buttons: 1, pointerType: "mouse",
      clientX: box.left + box.width * (0.5 + radius * Math.cos(turn)), clientY: box.top + box.height * (0.5 + radius * Math.sin(turn)) };
    const before = painted(), from = performance.now();
    paper.dispatchEvent(new PointerEvent("pointermove", at));
    for (let wait = 0; painted() === before && view.dataset.follows === "true" && wait < 100; wait++) {
      await new Promise(requestAnimationFrame);
    }
    if (step > 5 && painted() !== before) times.push(performance.now() - from);
  }
  return times;
}"""
OPEN = """async ([view, layer]) => {
  const canvas = view.querySelector(`canvas[data-layer='${layer}']`), box = canvas.getBoundingClientRect();
  const at = { bubbles: true, pointerType: "mouse", clientX: box.left + 5 + Math.random(), clientY: box.top + 5 };
  const start = performance.now();
  canvas.dispatchEvent(new PointerEvent("click", at));
  const script = performance.now() - start;
  await new Promise(requestAnimationFrame);
  while (view.getAnimations({ subtree: true }).length) await new Promise(requestAnimationFrame);
  const settled = performance.now() - start, nodes = view.getRootNode().querySelectorAll("*").length;
  return [script, settled, nodes];
}"""
SETTLED = "view => !view.getAnimations({ subtree: true }).length"


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hovers", type=int, default=200, help="hovers a layer")
    parser.add_argument("--seconds", type=float, default=10, help="length of the stroke in the lecture's network")
    options = parser.parse_args()
    print(f"{'network':<16} {'what':<34} {'median':>9} {'p95':>9}        n   frames sent")
    with running_app(ROOT / "app.py") as server, sync_playwright() as playwright:
        browser = launch(playwright)
        for name, net in NETS.items():
            assert not excess_of(infer_shapes(parse(net))), net
            seconds = options.seconds if net == str(LECTURE) else options.seconds / 5
            look_closer(browser, f"{server.url}/?net={net}", name, options.hovers, seconds)
        browser.close()


def look_closer(browser: Browser, url: str, name: str, hovers: int, seconds: float) -> None:
    """One network: hovers, opening, a stroke."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(url)
    app = Explorer(page).ready()
    page.locator("[data-follows]").wait_for()
    page.wait_for_timeout(500)
    view = app.view.element_handle()
    layers = app.layers()
    deepest = next(layer for layer in reversed(layers) if layer.startswith("conv"))
    with frames(page) as sent:
        times = [took for layer in layers for took in page.evaluate(HOVER, [view, canvas_of(layer), hovers // 3])]
    report(name, "hover, nothing open", times, len(sent))
    with frames(page) as sent:
        opened = []
        for _ in range(6):
            opened.append(page.evaluate(OPEN, [view, deepest]))
            page.locator(".detail .close").first.click()
            page.wait_for_function(SETTLED, arg=view)
        nodes = page.evaluate(OPEN, [view, deepest])[2]
    report(name, f"open {deepest}: script", [script for script, _, _ in opened], len(sent))
    report(name, f"open {deepest}: until settled", [settled for _, settled, _ in opened], len(sent))
    print(f"{name:<16} {'nodes in the view, a map open':<34} {nodes:9d}")
    with frames(page) as sent:
        times = page.evaluate(HOVER, [view, canvas_of(deepest), hovers])
    report(name, f"hover {deepest}, its map open", times, len(sent))
    with frames(page) as sent:
        times = page.evaluate(HOVER, [view, ".detail .chain", hovers, 0.2, 0.45])  # its first map
    report(name, "another pixel of the opened map", times, len(sent))
    page.locator(".detail .close").first.click()
    stroke(app, name, "pen, until maps are repainted", seconds)
    page.close()


def canvas_of(layer: str) -> str:
    """A layer's maps."""
    return f"canvas[data-layer='{layer}']"


def stroke(app: Explorer, name: str, what: str, seconds: float) -> None:
    """A stroke with an event a frame."""
    page = app.page
    page.locator("[data-do=clear]").click()
    page.wait_for_timeout(600)
    page.mouse.move(*app.place(140, 140))
    page.mouse.down()
    before, start = app.confirmed, time.perf_counter()
    with frames(page) as sent:
        times = page.evaluate(STROKE, [app.view.element_handle(), seconds])
    took, answered = time.perf_counter() - start, app.confirmed - before
    page.mouse.up()
    if times:
        report(name, what, times, len(sent))
    follows = "by the browser itself" if times else "by PyTorch alone"
    print(f"{name:<16} a stroke of {took:.1f} s: {len(times) / took:.1f} repaints a second by the browser, ", end="")
    print(
        f"{len(sent) / took:.1f} messages to the server and {answered / took:.1f} answers a second, maps made {follows}"
    )


@contextmanager
def frames(page: Page) -> Iterator[list[Any]]:
    """Messages to the server meanwhile."""
    sent: list[Any] = []
    devtools = page.context.new_cdp_session(page)
    devtools.on("Network.webSocketFrameSent", lambda frame: sent.append(frame))
    devtools.send("Network.enable")
    yield sent
    page.evaluate("() => new Promise(requestAnimationFrame)")
    devtools.detach()


def report(name: str, what: str, times: list[float], sent: int) -> None:
    """One row: milliseconds."""
    last = statistics.quantiles(times, n=20)[-1]
    print(
        f"{name:<16} {what:<34} {statistics.median(times):6.2f} ms {last:6.2f} ms {len(times):8d} {sent:8d}", flush=True
    )


if __name__ == "__main__":
    main()
