"""Files that once stopped the server are brought to it while somebody else draws."""

import time
import urllib.request
from collections.abc import Callable

import pytest
from attacks import SENTENCE, attacks
from browser.conftest import Visit, VisitTraining
from browser.driver import Server
from browser.explorer import Explorer

pytestmark = pytest.mark.browser

NET = "conv20k5-max2-relu-fc100-relu-fc10"
FLOOR = 0.5  # seconds; a busy machine is slow


def seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def healthy(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=20) as answer:
        assert answer.status == 200


def stroke(page: Explorer) -> None:
    """Draw until it is in the address and painted, then take it back."""
    page.draw((90, 60), (200, 220))
    page.do("undo")


def test_the_server_goes_on_for_others(visit: Visit, visit_training: VisitTraining, server: Server) -> None:
    honest = visit()
    train = visit_training("bundled-sgd0.05m0.5-b64-e2-s9", net=NET)
    train.section("Take it along")
    train.page.get_by_test_id("stFileUploader").wait_for()
    asked = {"health": lambda: healthy(server), "stroke": lambda: stroke(honest)}
    usual = {name: max(seconds(act) for _ in range(3)) for name, act in asked.items()}
    for name in ("crash", "standstill", "memory"):
        train.upload_weights(f"{name}.pt", attacks()[name])
        for what, act in asked.items():
            assert seconds(act) <= 2 * usual[what] + FLOOR, (name, what)
        said = train.page.get_by_test_id("stAlert").filter(has_text=f"{name}.pt")
        said.wait_for()
        assert SENTENCE in said.inner_text()
        assert "torch.load(" in train.page.get_by_test_id("stCode").last.inner_text()
