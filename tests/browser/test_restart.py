"""The server is killed while browsers have its pages open, and started again: they come back by themselves."""

import os
import signal
from collections.abc import Callable

import numpy as np
import pytest
from browser.conftest import Watch
from browser.driver import ROOT, Server, running_app
from browser.explorer import Explorer
from browser.numbers import NumberPage
from playwright.sync_api import Page, expect

from cnn_explorer.digits.drawing import parse_drawing
from cnn_explorer.spec.network import parse
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations

pytestmark = pytest.mark.browser

NET = "conv10k4-max2-relu-conv20k5-max2-relu-fc10"


def prepare(watch: Watch, server: Server) -> int:
    """Allow what a browser writes about a server that is gone; returns the server's port."""
    watch.hosts.add(server.url.split("//")[1])
    watch.forgive("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "WebSocket", "/_stcore/")
    watch.forgive("ERR_CONTENT_LENGTH_MISMATCH")  # it was sending a file
    watch.forgive("disconnected from server", "Streamlit server is not responding")
    return int(server.url.rsplit(":", 1)[1])


def kill(server: Server) -> None:
    os.kill(server.pid, signal.SIGKILL)


def wait_lost(page: Page) -> None:
    """Wait until the server is gone for the browser, too."""
    page.wait_for_function("() => fetch('/_stcore/health').then(() => false, () => true)")


def test_a_server_killed_during_a_stroke_loses_nothing(new_page: Callable[..., Page], watch: Watch) -> None:
    with running_app(ROOT / "app.py") as server:
        port = prepare(watch, server)
        page = new_page()
        page.goto(f"{server.url}/?drawing=s&net={NET}")
        app = Explorer(page).ready()
        first = app.draw((140, 40), (140, 240))
        with app.stroke(60, 140):
            page.mouse.move(*app.place(100, 140), steps=4)
            kill(server)
            wait_lost(page)
            count = int(app.view.get_attribute("data-followed") or 0)
            page.mouse.move(*app.place(220, 140), steps=8)
            page.wait_for_function(  # the maps follow the pen without the server
                "([view, count]) => Number(view.dataset.followed) > count", arg=[app.view.element_handle(), count]
            )
    with running_app(ROOT / "app.py", port=port):
        drawn = app.wait_strokes(2)  # the visitor does nothing for it
        assert drawn.strokes[0] == parse_drawing(first).strokes[0]
        assert max(x for x, _ in drawn.strokes[1]) > 210  # also what was drawn after the server's end
        app.wait_net(NET)
        logits = trace_activations(load_network(parse(NET)).module, drawn.preprocess().image)
        assert logits.probabilities is not None
        app.wait_answer(np.asarray(logits.probabilities.numpy()))


def test_every_page_comes_back_to_its_place(new_page: Callable[..., Page], watch: Watch) -> None:
    with running_app(ROOT / "app.py") as server:
        port = prepare(watch, server)
        numbers, classics = new_page(), new_page()
        numbers.goto(f"{server.url}/convolution?step=One+channel&kernel=1_2_3~4_5_6~7_8_9")
        convolution = NumberPage(numbers).ready("one")
        convolution.edit("weight", 0, 0, "7")
        convolution.wait_address("kernel", "7_2_3~4_5_6~7_8_9")
        classics.goto(f"{server.url}/classics?network=resnet18&open=layer1.0")
        classics.locator('.network-map[data-selected="layer1.0"]').wait_for()
        for page in (numbers, classics):
            page.locator(".st-key-footer").wait_for()  # the last part of the page, whose scripts are all there then
        kill(server)
        wait_lost(numbers)
        convolution.edit("weight", 1, 1, "9")  # nobody is there to hear it; later Streamlit covers the page
        wait_lost(classics)
    with running_app(ROOT / "app.py", port=port):
        for page in (numbers, classics):
            page.locator("[data-test-connection-state=CONNECTED][data-test-script-state=notRunning]").wait_for()
        convolution.wait_address("kernel", "7_2_3~4_9_6~7_8_9")
        convolution.edit("weight", 2, 2, "-5")
        convolution.wait_address("kernel", "7_2_3~4_9_6~7_8_-5")
        convolution.ready("one")
        classics.locator('.network-map button[data-id="layer1.0.conv2"]').press("Enter")
        classics.locator('.network-map[data-selected="layer1.0.conv2"]').wait_for()
        expect(classics.get_by_text("64 · 64 · 3 · 3 = 36,864")).to_be_visible()
