"""The network that the present one is compared with, on the first page without a browser: what is pinned, what the
view is sent of it, and what the label says.
"""

import numpy as np
import pytest
import torch  # noqa: F401 - imported first, so that the page need not wait for it
from rendered import shown
from test_network_view import decoded
from test_pages import opened
from widgets import address, components, control, sent, tell_view

from cnn_explorer.spec.network import LECTURE, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.ui.network_view import Pinned, pack, pack_weights
from cnn_explorer.weights.load import load_network

pytestmark = pytest.mark.usefixtures("own_visitors", "quickly_fitted")

LECTURES = str(LECTURE)
STRIDED = "conv10k5s2-max2-relu-conv20k5-max2-relu-fc10"


def test_a_press_pins_the_network_and_another_one_unpins_it() -> None:
    page = opened()
    assert sent(page)["pin"] == {
        "net": "", "name": "", "present": "the lecture's network", "layers": None, "classes": 0, "weights": 0,
    }  # fmt: skip
    tell_view(page, 1, pin=LECTURES)
    assert address(page)["pin"] == LECTURES
    assert (sent(page)["pin"]["net"], sent(page)["pin"]["name"]) == (LECTURES, "the lecture's network")
    control(page.text_input, "architecture").set_value(STRIDED).run()
    assert (address(page)["pin"], address(page)["net"]) == (LECTURES, STRIDED)
    assert sent(page)["pin"]["present"] == STRIDED
    tell_view(page, 2, pin="")
    assert "pin" not in address(page)
    assert address(page)["net"] == STRIDED
    assert sent(page)["pin"]["net"] == ""


def test_a_link_pins_a_network_and_its_layers_come_once() -> None:
    page = opened(pin=STRIDED)
    assert sent(page)["pin"] | {"present": ""} == {
        "net": STRIDED, "name": STRIDED, "present": "", "layers": None, "classes": 0, "weights": 0,
    }  # fmt: skip
    tell_view(page, 1, lacking_pin=True)
    pin = sent(page)["pin"]
    module = load_network(parse(STRIDED)).module
    expected = np.frombuffer(pack_weights(module), "<f4")
    assert [layer["shape"] for layer in pin["layers"]][:2] == [[10, 12, 12], [10, 6, 6]]
    assert (pin["classes"], pin["weights"]) == (10, len(expected))
    (view,) = components(page)
    np.testing.assert_array_equal(np.frombuffer(view.proto.bytes[-expected.nbytes :], "<f4"), expected)
    tell_view(page, 2)
    assert (sent(page)["pin"]["layers"], sent(page)["pin"]["weights"]) == (None, 0)


@pytest.mark.parametrize(
    ("pin", "reason"),
    [("conv10k5-nonsense", "nonsense"), ("fc4096-relu-fc4096-fc10", "5,000,000"), ("conv9", "conv9")],
)
def test_a_pinned_network_that_cannot_be_shown_gets_a_sentence(pin: str, reason: str) -> None:
    page = opened(pin=pin)
    (warning,) = page.warning
    ((_, said), *_) = shown(warning.value)
    assert said.startswith("The pinned network in this page's address cannot be read, so here is none.")
    assert reason in warning.value
    assert sent(page)["pin"]["net"] == ""


def test_a_message_cannot_pin_what_an_address_cannot() -> None:
    page = opened(pin=LECTURES)
    tell_view(page, 1, pin="conv10k5-nonsense")
    assert (address(page)["pin"], sent(page)["pin"]["net"]) == (LECTURES, LECTURES)
    assert page.toast


def test_the_label_tells_how_often_the_network_before_was_right() -> None:
    page = opened()
    assert "before)" not in sent(page)["sentence"]
    control(page.text_input, "architecture").set_value(STRIDED).run()
    page.run()  # the second run measures
    assert "(99.2 % before)" in sent(page)["sentence"]
    tell_view(page, 1, pin=STRIDED)
    assert "before" not in sent(page)["sentence"]  # it is compared with itself
    control(page.text_input, "architecture").set_value("conv10k5s3-relu-fc10").run()
    control(page.text_input, "architecture").set_value(LECTURES).run()
    accuracy = load_network(parse(STRIDED)).label.accuracy
    assert accuracy
    assert f"({100 * accuracy:.1f} % before)" in sent(page)["sentence"]  # of the pinned one


def test_the_pinned_networks_layers_and_weights_stand_last() -> None:
    shapes, weights = infer_shapes(LECTURE), np.arange(3, dtype="<f4")
    pinned = Pinned("fc10", "fc10", LECTURES, infer_shapes(parse("fc10")), weights.tobytes())
    data = pack(0, "s", shapes, np.zeros((28, 28), np.uint8), None, None, weights=b"\0" * 8, pinned=pinned)
    update = decoded(data[: -weights.nbytes])
    np.testing.assert_array_equal(update.weights, [0, 0])
    np.testing.assert_array_equal(np.frombuffer(data[-weights.nbytes :], "<f4"), weights)
    pin = update.header["pin"]
    assert ([layer["name"] for layer in pin["layers"]], pin["classes"], pin["weights"]) == (["fc1"], 10, 3)
