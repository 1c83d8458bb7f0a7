"""What a new drawing costs in the browser: the image of its strokes, and the forward pass of three networks.

    python tests/benchmarks/bench_forward.py

Starts the app and one Chromium, and runs the view's modules there. After a warm-up ten calls are timed at once, because
the browser's clock ticks in tenths of a millisecond; printed are milliseconds a call.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.driver import launch, running_app
from browser.explorer import Explorer

from cnn_explorer.digits.drawing import example_drawing
from cnn_explorer.spec.network import LECTURE, PRESETS, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.ui.network_view import pack, pack_weights
from cnn_explorer.weights.load import load_network

NETS = (str(LECTURE), str(PRESETS["padding=1 keeps the size"]), "conv16k3p1-conv16k3p1-max2-conv32k3p1-max2-fc10")
FOUR = [[(110, 60), (100, 150), (180, 150)], [(160, 90), (150, 240)]]

TIMES = """const times = [];
for (let timing = -20; timing < a.timings; timing++) {
  const start = performance.now();
  for (let call = 0; call < 10; call++) work(call);
  if (timing >= 0) times.push((performance.now() - start) / 10);
}
return times;"""
FORWARD = f"""const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const forward = new m.Forward(a.layers, new Float32Array(bytesOf(a.weights).buffer)), image = bytesOf(a.image);
const work = () => forward.run(image);
{TIMES}"""
RASTER = f"""const work = (call) => m.imageOfStrokes(a.drawings[call % a.drawings.length]);
{TIMES}"""


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--timings", type=int, default=200)
    options = parser.parse_args()
    with running_app(ROOT / "app.py") as server, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        page.goto(server.url)
        app = Explorer(page).ready()
        drawings = [example_drawing().strokes, FOUR]
        report("image of strokes", app.run("raster.js", RASTER, {"drawings": drawings, "timings": options.timings}))
        for net in NETS:
            report(net, app.run("forward.js", FORWARD, {**prepared(net), "timings": options.timings}))
        browser.close()


def prepared(net: str) -> dict[str, Any]:
    """Layers, weights and the example's image, as the browser takes them."""
    shapes = infer_shapes(parse(net))
    seen = example_drawing().preprocess()
    data = pack(0, "s", shapes, np.zeros((28, 28)), None, None)
    header = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
    weights = pack_weights(load_network(shapes.spec).module)
    texts = {
        name: base64.b64encode(raw).decode() for name, raw in (("weights", weights), ("image", seen.pixels.tobytes()))
    }
    return {"layers": header["layers"], **texts}


def report(name: str, times: list[float]) -> None:
    """One row: median and 95 % quantile, milliseconds."""
    print(
        f"{name:<50} median {statistics.median(times):6.3f}   p95 {statistics.quantiles(times, n=20)[-1]:6.3f} ms   n "
        f"= {len(times)}"
    )


if __name__ == "__main__":
    main()
