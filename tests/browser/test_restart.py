"""The server is killed while browsers have its pages open, and started again: they come back by themselves."""

import os
import signal
from collections.abc import Callable

import numpy as np
import pytest
from browser.conftest import Watch
from browser.driver import ROOT, running_app
from browser.explorer import Explorer
from browser.numbers import NumberPage
from browser.training import EPOCH, TrainingPage
from playwright.sync_api import Page, expect

from cnn_explorer.digits.drawing import parse_drawing
from cnn_explorer.spec.network import parse
from cnn_explorer.weights.load import load_network
from cnn_explorer.weights.trace import trace_activations

pytestmark = pytest.mark.browser

NET = "conv10k4-max2-relu-conv20k5-max2-relu-fc10"
BACK = "[data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
SMALL = "conv6k5s3-relu-conv8k3s3-relu-fc10"  # an epoch in a tenth of a second


def forgive(watch: Watch) -> None:
    """Allow what a browser writes about a server that is gone."""
    watch.forgive("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "WebSocket", "/_stcore/")
    watch.forgive("ERR_CONTENT_LENGTH_MISMATCH")  # it was sending a file
    watch.forgive("disconnected from server", "Streamlit server is not responding")


def wait_lost(page: Page) -> None:
    """Wait until the server is gone for the browser, too."""
    page.wait_for_function("() => fetch('/_stcore/health').then(() => false, () => true)")


def wait_answer(app: Explorer) -> None:
    """Wait for PyTorch's answer to the drawing in the address."""
    trace = trace_activations(load_network(parse(NET)).module, parse_drawing(app.drawing).preprocess().image)
    assert trace.probabilities is not None
    app.wait_answer(np.asarray(trace.probabilities.numpy()))


def test_every_page_comes_back_to_its_place(new_page: Callable[..., Page], watch: Watch) -> None:
    """A drawing with the stroke during which the server is killed, edited numbers, an unfolded network, a training."""
    forgive(watch)
    with running_app(ROOT / "app.py") as server:
        watch.hosts.add(server.url.split("//")[1])
        numbers = NumberPage(new_page())
        tab = numbers.page.context.new_page  # one covers the others
        numbers.page.goto(f"{server.url}/convolution?step=One+channel&kernel=1_2_3~4_5_6~7_8_9")
        numbers.ready("one").edit("weight", 0, 0, "7")
        numbers.wait_address("kernel", "7_2_3~4_5_6~7_8_9")
        numbers.page.locator(".st-key-footer").wait_for()  # the last part of the page, whose scripts are all there then
        classics = tab()
        classics.goto(f"{server.url}/classics?network=resnet18&open=layer1.0")
        classics.locator('.network-map[data-selected="layer1.0"]').wait_for()
        classics.locator(".st-key-footer").wait_for()
        app = Explorer(tab())
        app.page.goto(f"{server.url}/?drawing=s&net={NET}")
        first = app.ready().draw((140, 40), (140, 240))
        train = TrainingPage(tab())
        train.page.goto(f"{server.url}/training?net={SMALL}&recipe=bundled-sgd0.05m0.5-b64-e100-s22")
        train.ready().press("Train")
        train.wait_place(2 * EPOCH)
        app.page.bring_to_front()
        with app.stroke(60, 140):
            app.page.mouse.move(*app.place(100, 140), steps=4)
            os.kill(server.pid, signal.SIGKILL)
            wait_lost(numbers.page)
            numbers.edit("weight", 1, 1, "9")  # nobody is there to hear it; later Streamlit covers the page
            for page in (app.page, classics, train.page):
                wait_lost(page)
            count = int(app.view.get_attribute("data-followed") or 0)
            app.page.mouse.move(*app.place(220, 140), steps=8)
            app.page.wait_for_function(  # the maps follow the pen without the server
                "([view, count]) => Number(view.dataset.followed) > count", arg=[app.view.element_handle(), count]
            )
        reached = train.batch
        train.page.bring_to_front()

    with running_app(ROOT / "app.py", port=int(server.url.rsplit(":", 1)[1])):
        train.wait_progress("trained again up to epoch .*, where this page was, to the same weights")
        assert train.batch >= reached
        train.wait_place(max(reached, train.batch))
        train.wait_progress("left$")
        assert not train.page.get_by_test_id("stAlert").count()
        train.page.close()

        app.page.bring_to_front()
        drawn = app.wait_strokes(2)  # the visitor does nothing for it
        assert drawn.strokes[0] == parse_drawing(first).strokes[0]
        assert max(x for x, _ in drawn.strokes[1]) > 210  # also what was drawn after the server's end
        app.wait_net(NET)
        wait_answer(app)
        after = app.draw((60, 60), (220, 60))
        assert parse_drawing(after).strokes[:2] == drawn.strokes
        app.page.reload()
        app.ready()
        assert (app.drawing, app.view.get_attribute("data-painted-net")) == (after, NET)
        wait_answer(app)

        numbers.page.bring_to_front()
        numbers.page.locator(BACK).wait_for()
        numbers.wait_address("kernel", "7_2_3~4_9_6~7_8_9")
        numbers.edit("weight", 2, 2, "-5")
        numbers.wait_address("kernel", "7_2_3~4_9_6~7_8_-5")
        numbers.ready("one")

        classics.bring_to_front()
        classics.locator(BACK).wait_for()
        classics.locator('.network-map button[data-id="layer1.0.conv2"]').press("Enter")
        classics.locator('.network-map[data-selected="layer1.0.conv2"]').wait_for()
        expect(classics.get_by_text("64 · 64 · 3 · 3 = 36,864")).to_be_visible()
