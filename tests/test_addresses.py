"""Any address is a page with its view: what cannot be read gets a sentence. Hypothesis mixes good values, spoilt ones
and anything.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rendered import shown
from streamlit.testing.v1 import AppTest
from widgets import components

from cnn_explorer.digits.drawing import MAX_TEXT, example_drawing
from cnn_explorer.spec.network import LECTURE
from cnn_explorer.training.recipe import recipes_for

pytestmark = pytest.mark.usefixtures("own_visitors", "quickly_fitted")

GOOD = {
    "net": [
        str(LECTURE),
        "fc10",
        "conv4k3-max2-fc10",
        "conv8k9d4-conv8k9-fc10",
        "conv20k1-" + "max27s1p13-" * 22 + "fc10",
    ],
    "drawing": [example_drawing().text, "d7", "d1000", "s", "p"],
    "pin": ["fc10", "conv4k3-max2-fc10", "conv9k99", str(LECTURE)],
    "code": ["beside", "below"],
    "pin_weights": ["bundled-sgd0.01-b64-e1-s0@3", "@", "x@y"],
    "weights": ["bundled-sgd0.01-b64-e1-s0@3", "@", "x@y"],
    "recipe": [*map(str, recipes_for("bundled").values()), "bundled-sgd9-b64-e1-s0"],
    "beside": ["fc10", str(LECTURE), "fc7"],
    "at": ["0", "15", "-1", "9" * 30, "7.3.4", "9999.0.0"],
    "network": ["resnet18", "googlenet", "vgg99", "efficientnet_lite0"],
    "open": ["layer1.0.conv1", "stage1", "head.fc", "nothing"],
    "size": ["224", "20", "0", "9999"],
    "order": ["channel", "size"],
    "page": ["1", "2", "0", "9999"],
    "channels": ["64-95", "1-2", "3"],
    "heat": ["1", "0"],
    "class": ["goldfish", "unicorn"],
    "sort": ["accuracy", "macs", "name"],
    "layer": ["conv_stem.1", "layer2.0.conv1", "fc"],
    "picture": ["coffee", "own", "dog"],
    "step": ["one", "classic", "network", "channels", "picture", "flip", "shift", "adaptive", "compare"],
    "input": ["1_2~3_4", "1_2~3", "0"],
    "kernel": ["1", "1_0~0_1", "1~~1~~~2~~2"],
    "bias": ["0", "1_2", "1e999"],
    "filter": ["Blur", "Learned 3", "Learned 11", "Your own"],
    **{
        name: ["0", "1", "2", "99"]
        for name in ("stride", "padding", "dilation", "groups", "kernel_size", "output_size")
    },
    **{name: ["0", "1", "7"] for name in ("shift", "flip", "colour")},
}
PAGES = {
    "": ("net", "drawing", "weights", "pin", "pin_weights", "code"),
    "training": ("net", "drawing", "weights", "recipe", "beside", "at"),
    "convolution": (
        "step",
        "input",
        "kernel",
        "bias",
        "filter",
        "stride",
        "padding",
        "dilation",
        "groups",
        "flip",
        "colour",
        "network",
        "layer",
        "picture",
        "at",
        "drawing",
    ),
    "classics": ("network", "open", "size", "order", "page", "at", "channels", "heat", "class", "sort", "net"),
    "pooling": ("step", "input", "kernel_size", "stride", "padding", "output_size", "shift", "net"),
}


def values(name: str) -> st.SearchStrategy[str]:
    """A value that can be read or nearly so, one cut short or lengthened, or any text."""
    good = st.sampled_from(GOOD[name])
    spoilt = st.builds(
        lambda text, at, more: text[:at] + more + text[at:], good, st.integers(0, 20), st.text(max_size=3)
    )
    return good | spoilt | st.text(max_size=30) | st.just("x" * (MAX_TEXT + 1))


@pytest.mark.parametrize("name", PAGES)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_address_is_a_page(name: str, data: st.DataObject) -> None:
    page = AppTest.from_file("../app.py", default_timeout=60)
    if name:
        page.switch_page(f"pages/{name}.py")
    query = data.draw(st.fixed_dictionaries({}, optional={one: values(one) for one in PAGES[name]}))
    page.query_params.update(query)
    page.run()
    assert not page.exception  # nor is there an error that a page has caught: the fixture `failures` sees to that
    assert components(page) or page.get("imgs")
    for message in (*page.warning, *page.error):
        shown(message.value)  # text and code, no link
