"""What a browser fetches at its first visit of a page: requests and bytes, the app's own and Streamlit's.

    python tests/benchmarks/bench_first_visit.py [PATH ...]

Starts the app and one Chromium with an empty cache. Bytes are those on the wire, with headers, as the browser counts
them; messages over the websocket are counted apart.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.driver import launch, running_app

PAINTED = ".network-view[data-painted-net*='-'], .grid-player[data-scene], .network-map[data-selected]"
REST = 3000  # ms without which the last files may be missing


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="*", default=["", "convolution"], help="pages, by their paths")
    options = parser.parse_args()
    with running_app(ROOT / "app.py") as server, sync_playwright() as playwright:
        browser = launch(playwright)
        visit(browser, server.url)  # the server is warm from here on
        for path in options.paths:
            print(f"/{path}")
            for kind, (requests, size) in sorted(visit(browser, f"{server.url}/{path}").items()):
                print(f"  {kind:<34} {requests:4d} times {size / 1000:9.1f} kB")
        browser.close()


def visit(browser: Browser, url: str) -> dict[str, tuple[int, int]]:
    """Requests and bytes by kind, of a visit in a browser without a cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    kinds: dict[str, str] = {}
    found: defaultdict[str, list[int]] = defaultdict(list)

    def request(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = kind_of(event["request"]["url"])

    def finished(event: dict[str, Any]) -> None:
        found[kinds[event["requestId"]]].append(int(event["encodedDataLength"]))

    def frame(event: dict[str, Any]) -> None:
        payload, binary = event["response"]["payloadData"], event["response"]["opcode"] == 2
        found["messages from the server"].append(len(payload) * 3 // 4 if binary else len(payload))  # base64

    devtools.on("Network.requestWillBeSent", request)
    devtools.on("Network.loadingFinished", finished)
    devtools.on("Network.webSocketFrameReceived", frame)
    devtools.send("Network.enable")
    page.goto(url)
    page.locator(PAINTED).first.wait_for(timeout=60_000)
    page.wait_for_timeout(REST)
    context.close()
    return {kind: (len(sizes), sum(sizes)) for kind, sizes in found.items()}


def kind_of(url: str) -> str:
    """Whose file it is."""
    if url.startswith("data:"):
        return "inline"
    if "/bidi-components/" in url:
        return "the app's own modules and styles"
    return "Streamlit's files"


if __name__ == "__main__":
    main()
