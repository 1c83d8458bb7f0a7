"""How fast the maps follow the pen, against the least a Streamlit page can do and against the usual way of building it.

    python tests/benchmarks/bench_live.py

Starts three servers on 127.0.0.1, one a page: the app, an empty fragment, and a Plotly figure with a Heatmap subplot a
channel. In one Chromium they are asked in turn, so that whatever else the machine does hits all alike. Prints medians
with their spread, and ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.driver import launch, running_app

PAINTED = ".network-view[data-painted-net*='-']"
CLOCK = os.sysconf("SC_CLK_TCK")

# In every page: a look-up through shadow roots, and the moment at which what has just been painted is on screen.
HELPERS = """
window.deep = (selector, root = document) => root.querySelector(selector)
  || [...root.querySelectorAll("*")].map((each) => each.shadowRoot && deep(selector, each.shadowRoot)).find(Boolean);
window.onScreen = () => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))));
window.painted = (host, when, mark = "paintedSeq") => new Promise((done) => {
  const look = () => {
    if (!when(Number(host.dataset[mark] ?? 0))) return;
    observer.disconnect();
    done(performance.now());
  };
  const observer = new MutationObserver(look);
  observer.observe(host, { attributes: true });
});
"""
# Each returns [until painted, until on screen], milliseconds. The app gets a pointer event on its paper in the middle
# of a stroke; its maps are painted by the browser's own pass, and once more when PyTorch has confirmed them.
APP = """async ([x, y]) => {
  const view = deep(".network-view"), paper = deep(".paper"), box = paper.getBoundingClientRect();
  const before = Number(view.dataset.confirmed), followed = Number(view.dataset.followed ?? 0);
  const own = painted(view, (count) => count > followed, "followed"), confirmed = painted(view, (count) => count > before, "confirmed");
  const start = performance.now();
  const at = { pointerId: 1, bubbles: true, button: 0, buttons: 1, pointerType: "mouse", clientX: box.left + x, clientY: box.top + y };
  paper.dispatchEvent(new PointerEvent("pointermove", at));
  const script = performance.now() - start;
  return [(await own) - start, (await onScreen()) - start, (await confirmed) - start, script];
}"""
EMPTY = """async (seq) => {
  const host = deep(".empty");
  const paint = painted(host, (now) => now === seq);
  const start = performance.now();
  host.send(seq);
  return [(await paint) - start, (await onScreen()) - start];
}"""
CONVENTIONAL = """async ([seq, drawing]) => {
  const start = performance.now();
  deep(".sender").send(seq, drawing);
  while (document.querySelector(".gtitle")?.textContent !== `update ${seq}`) await new Promise(requestAnimationFrame);
  return [performance.now() - start, (await onScreen()) - start];
}"""


@dataclass
class Series:
    """Milliseconds from the event until painted and until on screen, and the server's CPU milliseconds an update."""

    name: str
    painted: list[float] = field(default_factory=list)
    on_screen: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    confirmed: list[float] = field(default_factory=list)
    script: list[float] = field(default_factory=list)

    def line(self) -> str:
        """One row of the report."""
        columns = [
            f"{name} {spread(values)}" for name, values in (("painted", self.painted), ("on screen", self.on_screen))
        ]
        return f"{self.name:<28} {'   '.join(columns)}   server CPU {statistics.mean(self.cpu):5.1f} ms   n = {len(self.painted)}"


def spread(values: list[float]) -> str:
    """Median, quartiles and 95 % quantile."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:6.1f} ms ({low:.1f} to {high:.1f}, p95 {statistics.quantiles(values, n=20)[-1]:.1f})"


def cpu_ms(pid: int) -> float:
    """User and system time of a process so far."""
    values = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return 1000 * (int(values[11]) + int(values[12])) / CLOCK


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--updates", type=int, default=10, help="updates a round and page")
    options = parser.parse_args()
    pages = Path(__file__).parent / "pages"
    with (
        running_app(ROOT / "app.py") as app,
        running_app(pages / "empty.py") as empty,
        running_app(pages / "conventional.py") as conventional,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        views = [browser.new_page(viewport={"width": 1280, "height": 720}) for _ in range(3)]
        for view, server in zip(views, (app, empty, conventional), strict=True):
            view.add_init_script(HELPERS)
            view.goto(server.url)
        views[0].locator(PAINTED).wait_for(timeout=60_000)
        views[1].locator(".empty[data-painted-seq='0']").wait_for(state="attached", timeout=60_000)
        views[2].locator(".gtitle").wait_for(timeout=60_000)
        series = (Series("the app, every layer"), Series("an empty fragment"), Series("a Heatmap a channel"))
        measure(views, (app.pid, empty.pid, conventional.pid), series, options.rounds, options.updates)
        ours, least, usual = series
        print(*(each.line() for each in series), sep="\n")
        print(f"the app's script from the event to all maps painted: {spread(ours.script)}")
        print(
            f"PyTorch's numbers painted: {spread(ours.confirmed)}, {ratio(ours.confirmed, least.painted):.2f} of an "
            "empty fragment"
        )
        print(f"the app / an empty fragment: painted {ratio(ours.painted, least.painted):.2f}, on screen", end=" ")
        print(
            f"{ratio(ours.on_screen, least.on_screen):.2f}, server CPU "
            f"{statistics.mean(ours.cpu) / statistics.mean(least.cpu):.2f}"
        )
        print(f"a Heatmap a channel / the app: {ratio(usual.on_screen, ours.on_screen):.1f}")
        print(stroke(views[0]))
        browser.close()


def ratio(ours: list[float], others: list[float]) -> float:
    """Of medians."""
    return statistics.median(ours) / statistics.median(others)


def measure(views: list[Page], pids: tuple[int, ...], series: tuple[Series, ...], rounds: int, updates: int) -> None:
    """Ask the pages in turn; the first round warms up and is thrown away."""
    app, empty, conventional = views
    number = 0
    drawing = "sCKABeOwBAAIGnQHOAg"
    for round_number in range(rounds + 1):
        app.bring_to_front()
        box = app.locator(".paper").bounding_box()
        assert box
        app.mouse.move(box["x"] + 60, box["y"] + 60)
        app.mouse.down()
        app.wait_for_timeout(400)
        counted = updates if round_number else 3
        for page, script, arguments, view, pid in (
            (series[0], APP, [[60 + 9 * i, 60 + 40 * (i % 2)] for i in range(1, counted + 1)], app, pids[0]),
            (series[1], EMPTY, [number + i for i in range(1, counted + 1)], empty, pids[1]),
            (series[2], CONVENTIONAL, [[number + i, drawing] for i in range(1, 3)], conventional, pids[2]),
        ):
            view.bring_to_front()
            before = cpu_ms(pid)
            times = []
            for argument in arguments:
                times.append(view.evaluate(script, argument))
                view.wait_for_timeout(300)  # PyTorch is asked at most four times a second
            if view is app:
                app.mouse.up()
                app.wait_for_timeout(300)
            if round_number:
                page.painted += [time[0] for time in times]
                page.on_screen += [time[1] for time in times]
                page.confirmed += [time[2] for time in times if len(time) > 2]
                page.script += [time[3] for time in times if len(time) > 3]
                page.cpu.append((cpu_ms(pid) - before) / (len(times) + (view is app)))
        number += counted


def stroke(page: Page) -> str:
    """A stroke of two seconds: how many updates were painted, and whether the last one holds all of it."""
    page.bring_to_front()
    box = page.locator(".paper").bounding_box()
    assert box
    page.locator("[data-do=clear]").click()
    page.wait_for_timeout(600)
    page.evaluate(
        """() => {
          window.paints = window.confirmations = 0;
          const view = deep(".network-view");
          new MutationObserver(() => { window.paints += 1; }).observe(view, { attributeFilter: ["data-followed"] });
          new MutationObserver(() => { window.confirmations += 1; }).observe(view, { attributeFilter: ["data-confirmed"] });
        }"""
    )
    page.mouse.move(box["x"] + 40, box["y"] + 60)
    start = time.perf_counter()
    page.mouse.down()
    step = 0
    while time.perf_counter() - start < 2:
        step += 1
        page.mouse.move(box["x"] + 40 + 1.5 * step % 180, box["y"] + 60 + step)
    seconds = time.perf_counter() - start
    painted, confirmed = page.evaluate("[window.paints, window.confirmations]")
    page.mouse.up()
    page.wait_for_timeout(1000)
    rates = f"{painted / seconds:.1f} paints and {confirmed / seconds:.1f} of PyTorch's confirmations a second"
    return f"a stroke of {seconds:.1f} s, {step} pointer events: {rates}"


if __name__ == "__main__":
    main()
