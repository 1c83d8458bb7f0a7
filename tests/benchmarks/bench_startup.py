"""From the start of the server's process to the first page, and what it then holds in memory.

    python tests/benchmarks/bench_startup.py

Each run starts a fresh server and a fresh browser. "frame" is the page with its controls and the drawing surface,
before PyTorch is in; "loaded" is when the server has PyTorch and the weights, by the line that it logs; "maps" is the
first forward pass on screen. Resident memory is read once the page has settled.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.driver import launch, running_app


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    rows = [run() for _ in range(options.runs)]
    for name, values, unit in zip(
        ("process start → frame", "process start → loaded", "process start → maps", "loaded → maps", "resident memory"),
        zip(*rows, strict=True),
        "ssssM",
        strict=True,
    ):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:<24} median {middle:6.2f}   min {low:6.2f}   max {high:6.2f} {'MB' if unit == 'M' else 's'}")


def run() -> tuple[float, float, float, float, float]:
    """Seconds to the frame, until all is loaded, to the maps, and between these two; megabytes (10⁶ bytes)."""
    with sync_playwright() as playwright, tempfile.NamedTemporaryFile() as log:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        start = time.time()
        with running_app(ROOT / "app.py", log=Path(log.name)) as server:
            page.goto(server.url)
            page.locator(".network-view .paper").wait_for(timeout=60_000)
            frame = time.time() - start
            page.locator(".network-view[data-painted-net*='-']").wait_for(timeout=60_000)
            maps = time.time() - start
            page.wait_for_timeout(1500)
            status = Path(f"/proc/{server.pid}/status").read_text()
            resident = (
                next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024 / 1e6
            )
        browser.close()
        lines = [json.loads(line) for line in log.read().splitlines() if line.startswith(b"{")]
    (loaded,) = [
        datetime.fromisoformat(line["time"]).timestamp() - start for line in lines if line["event"] == "loaded"
    ]
    return frame, loaded, maps, maps - loaded, resident


if __name__ == "__main__":
    main()
