"""How fast a network learns while its page is watched, beside a plain PyTorch loop, and how soon the page's Pause stops
it.

    python tests/benchmarks/bench_watching.py [--quick] [--data DIR]

The lecture's network, the lecture's recipe, full MNIST. The app trains in a server of its own while a Chromium shows
the page with its curves, filters and maps; then the plain loop over preloaded tensors of bench_learning.py runs as many
batches in this process, without any test; and so on in turns. Time is the clock's, from the press of Train until the
page says that it is done, its tests included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

os.environ["OMP_NUM_THREADS"] = "1"

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from bench_learning import plain_loop
from browser.driver import launch, running_app
from playwright.sync_api import Page, sync_playwright

from cnn_explorer import LECTURE
from cnn_explorer.digits.data import FOLDER_VARIABLE, data_folder
from cnn_explorer.training.recipe import RunRecipe, recipes_for

ROOT = Path(__file__).parents[2]
PATIENCE = 300_000  # ms
DIGITS = 60_000 // 64 * 64  # an epoch's


def main() -> None:
    """Command line: see the top of this file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one turn of one epoch")
    parser.add_argument("--data", type=Path, default=data_folder())
    options = parser.parse_args()
    os.environ[FOLDER_VARIABLE] = str(options.data.resolve())
    torch.set_num_threads(1)
    turns, epochs = (1, 1) if options.quick else (3, 2)
    watched, plain, stops = [], [], []
    with running_app(ROOT / "app.py") as server, sync_playwright() as playwright:
        browser = launch(playwright)
        for turn in range(turns):
            recipe = RunRecipe("mnist", "sgd", 0.01, 0.5, batch_size=64, epochs=epochs, seed=turn)
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.goto(f"{server.url}/training?{urlencode({'net': LECTURE, 'recipe': recipe})}")
            page.locator(".network-view[data-painted-net*='-']").wait_for(timeout=PATIENCE)
            watched.append(seconds_to_train(page, epochs))
            page.close()
            plain.append(seconds_of_plain_loop(epochs * 60_000 // 64))
            print(f"watched {watched[-1]:.1f} s, plain loop {plain[-1]:.1f} s", flush=True)
        page = browser.new_page()
        page.goto(f"{server.url}/training?{urlencode({'net': LECTURE, 'recipe': recipes_for('mnist')['fast']})}")
        page.locator(".network-view[data-painted-net*='-']").wait_for(timeout=PATIENCE)
        stops = [seconds_to_pause(page) for _ in range(3 if options.quick else 12)]
        browser.close()
    ratios = [slow / fast for slow, fast in zip(plain, watched, strict=True)]
    digits = epochs * DIGITS
    watching, looping = (digits / statistics.median(seconds) for seconds in (watched, plain))
    rates = f"{watching:,.0f} digits a second watched, {looping:,.0f} by the plain loop"
    print(
        f"{statistics.median(ratios):.2f}× the plain loop, the median of the turns (lowest {min(ratios):.2f}); {rates}"
    )
    print(
        f"Pause: the page shows it stopped after {1000 * statistics.median(stops):.0f} ms (at most "
        f"{1000 * max(stops):.0f})"
    )


def seconds_to_train(page: Page, epochs: int) -> float:
    """From the press of Train to the end of the run, as the page says it."""
    done = f"Trained here, {epochs} epoch{'s' if epochs > 1 else ''} on 60,000 digits: right on "
    page.get_by_role("button", name="Train", exact=True).click()
    began = time.perf_counter()
    page.locator(".network-view .label").filter(has_text=done).filter(has_text="of 10,000 test digits").wait_for(
        timeout=PATIENCE
    )
    return time.perf_counter() - began


def seconds_of_plain_loop(batches: int) -> float:
    """Of so many batches."""
    loop = plain_loop(recipes_for("mnist")["the lecture's recipe"])
    began = time.perf_counter()
    for _ in islice(loop, batches):
        pass
    return time.perf_counter() - began


def seconds_to_pause(page: Page) -> float:
    """From the press of Pause to the page that says it has stopped."""
    page.get_by_role("button", name="Train", exact=True).or_(page.get_by_role("button", name="Resume")).click()
    page.get_by_role("button", name="Pause").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(700)
    began = time.perf_counter()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").wait_for(timeout=PATIENCE)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
