"""The classic networks: times on one thread, memory, and what they see in the four photographs.

    python tests/benchmarks/bench_classics.py

Weights do not change times or memory, so the networks have random ones where their own do not come with the app.
SqueezeNet's answers need its weights in `classics/` of `CNN_EXPLORER_DATA`. Times of passes are processor time.

Memory is resident, read from /proc: of a network's first pass and of Grad-CAM at its first maps, each in a process of
its own; of a worker in which six networks are opened in turn; of an app before the page was used, while it is, and after
its worker has ended.
"""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from playwright.sync_api import Page, sync_playwright
from torchvision.models import get_model

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.driver import launch, running_app
from full_data import classic_weights

from cnn_explorer.classics import explaining, running, tracing
from cnn_explorer.classics.catalogue import LITE0, NETWORKS
from cnn_explorer.classics.photographs import PHOTOGRAPHS, photograph
from cnn_explorer.classics.worker import IDLE, Worker

SIX = ("vgg16", "resnet152", "densenet201", "inception_v3", "googlenet", "alexnet")
HUNGRY = ("vgg16", "vgg19_bn", "densenet201", "resnet152", "inception_v3", LITE0)


def main() -> None:
    """Command line: see the top of this file."""
    if sys.argv[1:2] == ["memory"]:  # in a process of its own
        print(*memory(sys.argv[2]))
        return
    torch.set_num_threads(1)
    photographs()
    times()
    print("MB beside the weights: a pass; Grad-CAM at the first maps; what is reckoned for that")
    for name in HUNGRY:
        numbers = subprocess.run([sys.executable, __file__, "memory", name], capture_output=True, text=True, check=True)
        print(f"  {name:18} {numbers.stdout.strip()}")
    with tempfile.TemporaryDirectory() as folder:
        in_turn(Path(folder))
    the_app()


def photographs() -> None:
    """The first answer of the networks whose trained weights are here."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: placed(name, Path(folder)) for name in ("squeezenet1_0", "squeezenet1_1")}
        for network, file in {LITE0: None, **files}.items():
            for picture in PHOTOGRAPHS:
                best = running.classify(network, photograph(picture), file).answers[0]
                print(f"{network:18} {picture:10} {best.label} {100 * best.probability:.0f} %")
    running._KEPT.clear()


def placed(name: str, folder: Path) -> Path:
    """A network's trained weights, in a file named as torchvision names it."""
    return named(name, torch.load(classic_weights(name), weights_only=True), folder)


def named(name: str, state: dict[str, torch.Tensor], folder: Path) -> Path:
    """Save weights in a file whose name ends in its own hash."""
    file = folder / "new.pth"
    torch.save(state, file)
    return file.rename(folder / f"{name}-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}.pth")


def times() -> None:
    """One picture through each network; networks take turns."""
    taken: dict[str, list[float]] = {}
    for _ in range(2):
        for name in NETWORKS:
            network, side = tracing.build(name, "cpu"), running.preprocessing_of(name).crop
            image = torch.randn(1, 3, side, side)
            with torch.no_grad():
                taken.setdefault(name, []).extend(seconds(lambda: network(image)) for _ in range(6))  # noqa: B023
    for name, found in taken.items():
        print(f"{name:18} {1000 * statistics.median(found):7.0f} ms  (least {1000 * min(found):.0f})")
    place = next(at for at, node in enumerate(tracing.trace_graph(LITE0).nodes) if node.name == "conv_head.2")
    explaining.explain(LITE0, photograph("coffee"), place, "espresso")
    picture = photograph("coffee")
    heat = seconds(lambda: explaining.explain(LITE0, picture, place, "espresso"))
    coarse = seconds(lambda: [explaining.covered(LITE0, picture, "espresso", 7, part) for part in range(7)])
    fine = seconds(lambda: [explaining.covered(LITE0, picture, "espresso", 14, part) for part in range(28)])
    print(f"heat maps of {LITE0} {heat:.2f} s, 49 covered places {coarse:.2f} s, 196 {fine:.2f} s")


def seconds(act: Callable[[], object]) -> float:
    """Processor time of something on one thread, which other programs hardly change."""
    start = time.process_time()
    act()
    return time.process_time() - start


def memory(name: str) -> tuple[int, int, int]:
    """Megabytes beside the weights: of a pass, of Grad-CAM at the first maps, and what is reckoned for that."""
    torch.set_num_threads(1)
    network, side = tracing.build(name, "cpu"), running.preprocessing_of(name).crop
    place = next(at for at, node in enumerate(tracing.trace_graph(name).nodes) if node.kind == "Conv2d")
    graph, image = running.out_of_place(network), torch.randn(1, 3, side, side)
    before = resident()
    with torch.no_grad():
        network(image)
    one = peak() - before
    explaining.grad_cam(graph, image, place, 3)
    return round(one), round(peak() - before), round(explaining.gradient_megabytes(name, place))


def resident(pid: int | str = "self", field: str = "VmRSS") -> float:
    """Megabytes (10⁶ bytes) that a process has now; `VmHWM`: that it has had at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def peak(pid: int | str = "self") -> float:
    """The most megabytes that a process has had."""
    return resident(pid, "VmHWM")


def in_turn(folder: Path) -> None:
    """Open six networks one after the other in one worker."""
    worker = Worker()
    worker.call(tracing.categories)
    pid = worker.pid
    assert pid
    print(f"worker with torchvision {resident(pid):.0f} MB; limit {running.memory_limit():.0f} MB")
    for name in SIX:
        settings = {"aux_logits": True, "init_weights": False} if name in running.INCEPTION else {}
        file = named(name, get_model(name, **settings).state_dict(), folder)
        place = next(at for at, node in enumerate(tracing.trace_graph(name).nodes) if node.kind == "Conv2d")
        worker.call(running.classify, name, photograph("coffee"), file)
        worker.call(explaining.explain, name, photograph("coffee"), place, "espresso", file)
        print(f"  after {name:14} {resident(pid):.0f} MB, at most {peak(pid):.0f} MB")
    worker.close()


def the_app() -> None:
    """Megabytes of the app and of its worker, and seconds until a page is there: before, during and after."""
    with sync_playwright() as playwright, running_app(ROOT / "app.py") as server:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        draw(page, server.url)
        before = [draw(page, server.url) for _ in range(5)]
        print(f"Draw {statistics.median(before):.2f} s; app {resident(server.pid):.0f} MB")
        start = time.perf_counter()
        page.goto(f"{server.url}/classics")
        page.locator(".network-map[data-selected]").wait_for()
        print(f"diagram {time.perf_counter() - start:.2f} s")
        page.locator(".classified").wait_for(timeout=90_000)
        print(f"first answer {time.perf_counter() - start:.2f} s; app {resident(server.pid):.0f} MB")
        (worker,) = children(server.pid)
        print(f"worker {resident(worker):.0f} MB")
        draw(page, server.url)
        time.sleep(IDLE + 5)
        after = [draw(page, server.url) for _ in range(5)]
        left = len(children(server.pid))
        print(f"Draw {statistics.median(after):.2f} s; app {resident(server.pid):.0f} MB; {left} workers")
        browser.close()


def draw(page: Page, url: str) -> float:
    """Seconds from the link to the first maps."""
    start = time.perf_counter()
    page.goto(url)
    page.locator(".network-view[data-painted-net*='-']").wait_for(timeout=60_000)
    return time.perf_counter() - start


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in found for child in file.read_text().split()]


if __name__ == "__main__":
    main()
