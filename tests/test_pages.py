"""The page without a browser: widgets, address and what the network view is sent."""

import re
import time
from typing import Any

import pytest
import torch  # imported first, so that the page need not wait for it
from rendered import FOREIGN, FOREIGN_QUOTED, shown
from streamlit.runtime.state.query_params_proxy import QueryParamsProxy
from streamlit.testing.v1 import AppTest
from widgets import address, components, control, name_of, record, sent, tell_view, wait_for_training

from cnn_explorer.digits.drawing import drawing_from_strokes, example_drawing, parse_drawing
from cnn_explorer.spec.network import LECTURE, PRESETS, parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.ui import state
from cnn_explorer.ui.draw import controls, live
from cnn_explorer.ui.state import Shown
from cnn_explorer.weights.load import load_network

pytestmark = pytest.mark.usefixtures("own_visitors", "quickly_fitted")

LECTURES = str(LECTURE)
EXAMPLE = example_drawing().text


def opened(**address: str) -> AppTest:
    """The page, run until PyTorch answers."""
    page = AppTest.from_file("../app.py", default_timeout=60)
    page.query_params.update(address)
    for _ in range(200):
        page.run()
        if not sent(page)["pending"]:
            return page
    raise AssertionError("PyTorch does not get ready")


def shows(page: AppTest, net: str) -> None:
    """Address, text field and network view agree on the network."""
    assert address(page)["net"] == net
    assert control(page.text_input, "architecture").value == net
    assert sent(page)["net"] == net


def draw(
    page: AppTest, seq: int, drawing: str, final: bool, lacking: str = "", train: str = "", seconds: float = 0
) -> AppTest:
    """What the network view does when the pen moves."""
    sent = {
        "seq": seq,
        "drawing": drawing,
        "final": final,
        "moving": not final,
        "lacking": lacking,
        "train": train,
        "seconds": seconds,
    }
    page.session_state["network_view"] = {"message": sent}
    return page.run()


def numbers(page: AppTest) -> dict[str, float | None]:
    return {name_of(widget): widget.value for widget in page.number_input}


def words(page: AppTest) -> dict[str, str | None]:
    return {name_of(widget): widget.value for widget in page.selectbox}


def places(page: AppTest) -> list[int]:
    """The positions among the groups of widgets, the last part of the page's fragment, that something was put into, an
    empty element perhaps.
    """
    parts = page.main.children[1].children  # type: ignore[union-attr]
    return sorted(parts[max(parts)].children)  # type: ignore[union-attr]


def read(markdown: str) -> str:
    """As it looks on the page: without the backslashes that keep Markdown from reading it."""
    return re.sub(r"\\(.)", r"\1", markdown)


def broken(page: AppTest) -> dict[str, Any]:
    """What the view says of the layer that does not fit."""
    error: dict[str, Any] = sent(page)["error"]
    return error


# --- opening ---


def test_the_page_opens_with_an_example() -> None:
    page = opened()
    assert not page.warning
    assert not page.error
    assert address(page) == {"net": LECTURES, "drawing": EXAMPLE}
    header = sent(page)
    assert (header["drawing"], header["error"], header["classes"], header["trained"]) == (EXAMPLE, None, 10, True)
    assert [layer["name"] for layer in header["layers"]] == ["conv1", "max1", "relu1", "conv2", "max2", "relu2", "fc1"]


def widgets_of(net: str) -> tuple[dict[str, float], dict[str, str]]:
    """What the widgets have to say, read from an architecture string by its own rules."""
    said: dict[str, float] = {}
    chosen: dict[str, str] = {}
    block, features = 0, []
    for token in net.split("-"):
        if match := re.fullmatch(r"conv(\d+)k(\d+)(?:s(\d+))?(?:p(\d+))?", token):
            block += 1
            names = ("out_channels", "kernel_size", "stride", "padding", "dilation")
            said |= {
                f"block{block}_{name}": int(value)
                for name, value in zip(names, (*match.groups("x"), 1), strict=True)
                if value != "x"
            }
            said.setdefault(f"block{block}_stride", 1)
            said.setdefault(f"block{block}_padding", 0)
            chosen |= {f"block{block}_pooling": "none", f"block{block}_activation": "none"}
        elif match := re.fullmatch(r"(max|avg)(\d+)", token):
            chosen[f"block{block}_pooling"] = match[1]
            said |= {f"block{block}_pool kernel_size": int(match[2]), f"block{block}_pool stride": int(match[2])}
        elif match := re.fullmatch(r"fc(\d+)", token):
            features.append(int(match[1]))
        elif not features:
            chosen[f"block{block}_activation"] = token
    return said | {f"linear_fc{number} out_features": value for number, value in enumerate(features[:-1], 1)}, chosen


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fills_address_and_widgets(name: str) -> None:
    net = str(PRESETS[name])
    page = opened(net="fc10")
    control(page.selectbox, "preset").select(name).run()
    shows(page, net)
    said, chosen = widgets_of(net)
    assert numbers(page) == said
    assert words(page) == chosen | {"preset": name}
    assert not page.warning


# --- changing the network ---

THREE_BLOCKS = "conv8k3p1-relu-conv16k3p1-max2-tanh-conv4k3-bn-drop50-relu-fc30-relu-fc10"


@pytest.mark.parametrize(
    ("before", "key", "value", "after"),
    [
        (LECTURES, "block1_out_channels", 12, "conv12k5-max2-relu-conv20k5-max2-relu-fc10"),
        (LECTURES, "block2_out_channels", 1, "conv10k5-max2-relu-conv1k5-max2-relu-fc10"),
        (LECTURES, "block1_kernel_size", 4, "conv10k4-max2-relu-conv20k5-max2-relu-fc10"),
        (LECTURES, "block2_kernel_size", 1, "conv10k5-max2-relu-conv20k1-max2-relu-fc10"),
        (LECTURES, "block1_stride", 2, "conv10k5s2-max2-relu-conv20k5-max2-relu-fc10"),
        (LECTURES, "block2_padding", 3, "conv10k5-max2-relu-conv20k5p3-max2-relu-fc10"),
        (LECTURES, "block1_dilation", 2, "conv10k5d2-max2-relu-conv20k5-max2-relu-fc10"),
        (LECTURES, "block1_pool kernel_size", 3, "conv10k5-max3-relu-conv20k5-max2-relu-fc10"),
        (LECTURES, "block2_pool stride", 1, "conv10k5-max2-relu-conv20k5-max2s1-relu-fc10"),
        (LECTURES, "block2_pooling", "avg", "conv10k5-max2-relu-conv20k5-avg2-relu-fc10"),
        (LECTURES, "block1_pooling", "none", "conv10k5-relu-conv20k5-max2-relu-fc10"),
        ("conv10k5-relu-fc10", "block1_pooling", "max", "conv10k5-max2-relu-fc10"),
        (LECTURES, "block1_activation", "sigmoid", "conv10k5-max2-sigmoid-conv20k5-max2-relu-fc10"),
        (LECTURES, "block2_activation", "none", "conv10k5-max2-relu-conv20k5-max2-fc10"),
        ("conv10k5-fc10", "block1_activation", "tanh", "conv10k5-tanh-fc10"),
        (THREE_BLOCKS, "block3_stride", 2, THREE_BLOCKS.replace("conv4k3", "conv4k3s2")),
        (THREE_BLOCKS, "linear_fc1 out_features", 31, THREE_BLOCKS.replace("fc30", "fc31")),
    ],
)
def test_a_setting_changes_the_network(before: str, key: str, value: Any, after: str) -> None:
    page = opened(net=before)
    widget = control(page.selectbox, key) if isinstance(value, str) else control(page.number_input, key)
    widget.set_value(value).run()
    shows(page, after)
    assert (words(page) if isinstance(value, str) else numbers(page))[key] == value


def test_a_chosen_value_leaves_all_other_widgets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not even sent again, and the next choice counts for the network as it is then."""
    page = opened(net=LECTURES)
    sent: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(controls, "block_groups", lambda: sent.append(state.architecture()))
        control(page.number_input, "block1_kernel_size").set_value(3).run()
        control(page.selectbox, "block2_pooling").set_value("avg").run()
        shows(page, "conv10k3-max2-relu-conv20k5-avg2-relu-fc10")
        assert sent == []
    control(page.number_input, "block2_pool kernel_size").set_value(3).run()  # and its stride
    net = "conv10k3-max2-relu-conv20k5-avg3-relu-fc10"
    shows(page, net)
    said, chosen = widgets_of(net)
    assert (numbers(page), words(page)) == (said, chosen | {"preset": None})


def test_bounds_are_those_of_the_network_as_it_is_now() -> None:
    """Also where the widgets have not been sent again since it had others."""
    page = opened(net="conv10k3-relu-conv20k3-relu-fc10")
    control(page.number_input, "block2_kernel_size").set_value(5).run()
    control(page.number_input, "block1_stride").set_value(13).run()  # 2×2 values are left for the second block
    control(page.number_input, "block2_kernel_size").set_value(4).run()  # still too large, but nearer
    shows(page, "conv10k3s13-relu-conv20k4-relu-fc10")
    control(page.number_input, "block2_kernel_size").set_value(5).run()
    (toast,) = page.toast
    assert toast.value.startswith("kernel_size is at most 4 here")
    assert numbers(page)["block2_kernel_size"] == 4


def test_groups_that_show_another_network_are_sent() -> None:
    """As after a repair whose run has been overtaken by a choice."""
    page = opened(net=LECTURES)
    record(page, Shown).net = LECTURES.replace("conv20", "conv30")
    control(page.number_input, "block1_kernel_size").set_value(3).run()
    assert numbers(page)["block2_out_channels"] == 30


def test_two_choices_in_one_message() -> None:
    """One of them leaves the groups as they are, the other is refused, and its widget is put back."""
    page = opened(net=LECTURES)
    control(page.number_input, "block1_kernel_size").set_value(3)
    control(page.number_input, "block2_out_channels").set_value(999)
    page.run()
    net = "conv10k3-max2-relu-conv20k5-max2-relu-fc10"
    shows(page, net)
    assert numbers(page) == widgets_of(net)[0]
    assert [toast.value for toast in page.toast] == [
        "out_channels is at most 256 here: each is computed with every stroke."
    ]


@pytest.mark.parametrize(
    ("before", "key", "after"),
    [
        (LECTURES, "add_block", "conv10k5-max2-relu-conv20k5-max2-relu-conv16k3p1-relu-fc10"),
        ("fc10", "add_block", "conv16k3p1-relu-fc10"),
        (LECTURES, "icon_block1_Remove block 1", "conv20k5-max2-relu-fc10"),
        (LECTURES, "icon_block2_Move block 2 up", "conv20k5-max2-relu-conv10k5-max2-relu-fc10"),
        (
            THREE_BLOCKS,
            "icon_block3_Move block 3 up",
            "conv8k3p1-relu-conv4k3-bn-drop50-relu-conv16k3p1-max2-tanh-fc30-relu-fc10",
        ),
        (LECTURES, "icon_linear_Add a linear layer", "conv10k5-max2-relu-conv20k5-max2-relu-fc64-relu-fc10"),
        (THREE_BLOCKS, "icon_linear_Remove the last hidden linear layer", THREE_BLOCKS.replace("-fc30-relu", "")),
        ("conv4k5-relu", "add_fc10", "conv4k5-relu-fc10"),
        ("conv4k5-relu-flatten", "add_fc10", "conv4k5-relu-flatten-fc10"),
    ],
)
def test_a_button_changes_the_network(before: str, key: str, after: str) -> None:
    page = opened(net=before)
    page.button(key=key).click().run()
    shows(page, after)
    assert not sent(page)["error"]


def test_a_rebuilt_network_has_the_widgets_of_its_own_blocks() -> None:
    """Widgets are kept by key: after a move, block 1 has to show what was block 2."""
    page = opened(net="conv8k3p1-relu-conv16k5p2-avg2-tanh-fc10")
    page.button(key="icon_block2_Move block 2 up").click().run()
    assert (numbers(page)["block1_out_channels"], numbers(page)["block2_out_channels"]) == (16, 8)
    assert (words(page)["block1_pooling"], words(page)["block2_pooling"]) == ("avg", "none")
    control(page.number_input, "block2_kernel_size").set_value(1).run()
    shows(page, "conv16k5p2-avg2-tanh-conv8k1p1-relu-fc10")


@pytest.mark.parametrize(
    ("net", "key"),
    [
        ("conv4k3", "icon_block1_Remove block 1"),
        (LECTURES, "icon_block1_Move block 1 up"),
        (LECTURES, "icon_linear_Remove the last hidden linear layer"),
        ("conv4k1-conv4k1-conv4k1-conv4k1-fc10", "add_block"),
        ("fc9-fc9-fc9-fc9-fc10", "icon_linear_Add a linear layer"),
        ("-".join(["conv4k1", *["relu"] * 22, "fc10"]), "add_block"),
        ("-".join(["conv4k1", *["relu"] * 22, "fc10"]), "icon_linear_Add a linear layer"),
        ("-".join(["conv4k1", *["relu"] * 23]), "add_fc10"),
    ],
)
def test_a_button_that_cannot_help_is_disabled(net: str, key: str) -> None:
    assert opened(net=net).button(key=key).disabled


def test_a_rectangular_kernel_has_two_inputs() -> None:
    page = opened(net="conv4k5x3-fc10")
    assert (numbers(page)["block1_kernel_size H"], numbers(page)["block1_kernel_size W"]) == (5, 3)
    assert "block1_kernel_size" not in numbers(page)
    control(page.number_input, "block1_kernel_size W").set_value(4).run()
    shows(page, "conv4k5x4-fc10")


def test_a_network_of_feature_maps_offers_the_last_layer() -> None:
    page = opened(net="conv4k5-max2")
    assert sent(page)["classes"] == 0
    assert "fc10" in page.button(key="add_fc10").label
    assert not any("linear" in (button.key or "") for button in page.button)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("conv10k5-max2-rleuh4-fc10", ["`rleuh4`", "position 14", "relu"]),
        ("", ["nothing", "position 0"]),
        ("conv10q", ["`conv10q`"]),
        ("conv10k5-conv999k3-fc10", ["out_channels", "999"]),
        ("-".join(["relu"] * 25), ["24 layers"]),
    ],
)
def test_a_wrong_architecture_is_kept_and_explained(typed: str, told: list[str]) -> None:
    page = opened()
    control(page.text_input, "architecture").input(typed).run()
    (error,) = page.error
    assert error.value.startswith("Not yet a network for this page: ")
    assert not [part for part in told if part not in read(error.value)], error.value
    assert control(page.text_input, "architecture").value == typed
    assert address(page)["net"] == sent(page)["net"] == LECTURES
    control(page.text_input, "architecture").input(" CONV4k5-FC10 ").run()
    assert not page.error
    shows(page, "conv4k5-fc10")


# --- what does not work out ---


@pytest.mark.parametrize(
    ("net", "layer", "told", "before"),
    [
        (
            "conv10k5-max2-relu-conv20k13-max2-relu-fc10",
            "conv2",
            ["kernel_size", "13", "12"],
            ["conv1", "max1", "relu1"],
        ),
        ("conv4k28-max2-fc10", "max1", ["kernel_size", "2", "1"], ["conv1"]),
        ("conv4k5d8-fc10", "conv1", ["dilation", "33", "28"], []),
        ("conv4k3-max2p2-fc10", "max1", ["padding", "2", "half"], ["conv1"]),
        ("fc20-conv4k3-fc10", "conv1", ["20"], ["fc1"]),
    ],
)
def test_an_impossible_layer_is_explained_and_repaired(
    net: str, layer: str, told: list[str], before: list[str]
) -> None:
    page = opened(net=net)
    shows(page, net)
    error = broken(page)
    assert not [part for part in told if part not in f"{error['text']}; {error['remedy']}"], error
    assert [shown["name"] for shown in sent(page)["layers"] if shown["kind"] != "Flatten"] == before
    assert error["layer"] == layer
    repaired = error["repairs"][0]["net"]
    tell_view(page, 1, repair=repaired)
    assert address(page)["net"] == repaired
    assert infer_shapes(parse(repaired)).error is None
    shows(page, repaired)
    assert sent(page)["error"] is None


def test_every_repair_on_offer_works_and_no_other_network_is_one() -> None:
    net = "conv10k5-max2-relu-conv20k13-max2-relu-fc10"
    page = opened(net=net)
    offers = [offer["net"] for offer in broken(page)["repairs"]]
    assert len(offers) >= 2
    for seq, other in enumerate(("conv4k3-fc10", "nonsense"), start=1):
        shows(tell_view(page, seq, repair=other), net)
    for offer in offers:
        page = tell_view(opened(net=net), 1, repair=offer)
        shows(page, offer)
        assert sent(page)["error"] is None


def test_the_way_back_from_an_impossible_setting() -> None:
    page = opened()
    control(page.number_input, "block2_kernel_size").set_value(12).run()  # conv2 gives 1×1, too small for max2
    assert broken(page)["layer"] == "max2"
    (back,) = [offer["net"] for offer in broken(page)["repairs"] if offer["label"] == "back to the network before"]
    tell_view(page, 1, repair=back)
    shows(page, LECTURES)


@pytest.mark.parametrize(
    ("knob", "value", "limit"),
    [
        ("block1_kernel_size", 40, "at most 28 here: the window must fit"),
        ("block2_kernel_size", 13, "at most 12 here: the window must fit"),
        ("block1_out_channels", 512, "at most 256 here: each is computed"),
        ("block1_stride", 0, "at least 1"),
    ],
)
def test_a_number_beyond_its_bounds_is_refused_in_words(knob: str, value: int, limit: str) -> None:
    page = opened()
    before = numbers(page)[knob]
    control(page.number_input, knob).set_value(value).run()
    (toast,) = page.toast
    assert f" is {limit}" in toast.value
    shows(page, LECTURES)
    assert numbers(page)[knob] == before


def test_a_near_miss_is_said_in_words_and_repaired_by_a_press() -> None:
    page = opened()
    control(page.text_input, "architecture").input("conv10k5, maxpool2 -> relu dense10").run()
    (error,) = page.error
    assert read(error.value) == (
        "Not yet a network for this page: `maxpool2` is written `max2` here, `dense10` is written `fc10` here."
    )
    page.button(key="use_meant").click().run()
    assert not page.error
    shows(page, "conv10k5-max2-relu-fc10")
    assert not [button for button in page.button if button.key == "use_meant"]


def test_a_network_of_many_blocks_leaves_no_group_behind() -> None:
    """Every group has a place of its own, in which the next run puts something else at once."""
    page = opened(net="-".join(["conv8k3p1-relu"] * 8) + "-fc10")
    many = places(page)
    control(page.text_input, "architecture").set_value("conv8k3p1-relu-fc10").run()
    shows(page, "conv8k3p1-relu-fc10")
    assert places(page) == many
    assert len(many) > 8


def test_a_setting_too_large_for_a_live_page_is_refused_in_words() -> None:
    net = "conv8k3p1-fc60-fc10"
    page = opened(net=net)
    control(page.number_input, "block1_out_channels").set_value(256).run()
    (toast,) = page.toast
    assert "more than" in toast.value
    shows(page, net)
    assert numbers(page)["block1_out_channels"] == 8


# --- addresses ---

BROKEN_NETS = {
    "nothing": "",
    "nonsense": "hello world",
    "half a layer": "conv-fc10",
    "an end missing": "conv10k5-",
    "no ascii": "conv²k5-fc10",
    "markup": "<img src=x>",
    "numbers without end": "conv" + "9" * 5000 + "k3-fc10",
    "too long": "conv10k5-" * 2000 + "fc10",
    "25 layers": "-".join(["relu"] * 25),
    "too many parameters": "conv256k3-fc4096-fc4096",
    "24 large layers": "-".join(["conv256k3p1"] * 24),
    "24 large linear layers": "-".join(["fc4096"] * 24),
    "too many values": "-".join(["conv256k1", *["relu"] * 23]),
}


@pytest.mark.parametrize("net", BROKEN_NETS.values(), ids=BROKEN_NETS)
def test_a_broken_network_in_the_address(net: str) -> None:
    page = opened(net=net, drawing="d5")
    (warning,) = page.warning
    assert warning.value.startswith(
        "The network in this page's address cannot be read, so here is the one everyone starts with. "
    )
    assert len(warning.value) < 500
    shows(page, LECTURES)
    assert address(page)["drawing"] == sent(page)["drawing"] == "d5"


BROKEN_DRAWINGS = {
    "nothing": "",
    "nonsense": "hello world",
    "bad base64": "s!!!!",
    "no ascii": "s€",
    "too long": "s" + "A" * 7000,
    "a digit that is not there": "d99999",
    "a negative digit": "d-1",
    "a digit in words": "dseven",
    "not packed": "pAAAA",
    "half a stroke": "sCg",
    "a number without end": "s_____w",
    "far outside": "sAv8HAA",
}


@pytest.mark.parametrize("drawing", BROKEN_DRAWINGS.values(), ids=BROKEN_DRAWINGS)
def test_a_broken_drawing_in_the_address(drawing: str) -> None:
    page = opened(net="conv4k5-fc10", drawing=drawing)
    (warning,) = page.warning
    assert warning.value.startswith(
        "The drawing in this page's address cannot be read, so here is the one everyone starts with. "
    )
    assert len(warning.value) < 500
    assert address(page) == {"net": "conv4k5-fc10", "drawing": EXAMPLE}
    assert sent(page)["drawing"] == EXAMPLE


def test_both_broken() -> None:
    page = opened(net="?", drawing="?")
    assert ["The network" in page.warning[0].value, "The drawing" in page.warning[1].value] == [True, True]
    assert address(page) == {"net": LECTURES, "drawing": EXAMPLE}


def test_what_an_address_says_is_quoted() -> None:
    page = opened(net="what", drawing=f"d{FOREIGN[:-1]}", weights=FOREIGN)
    _, drawing, weights = (warning.value for warning in page.warning)
    assert [text for kind, text in shown(drawing) if kind == "code"] == [f"d{FOREIGN_QUOTED[:-1]}"]
    assert not [text for kind, text in shown(weights) if kind == "code" or "evil" in text]
    for word, quoted in zip(
        FOREIGN.split(), FOREIGN_QUOTED.split(), strict=True
    ):  # blanks part the tokens of a network
        for net in (word, f"conv4k5-{word}"):
            assert quoted in [text for kind, text in shown(opened(net=net).warning[0].value) if kind == "code"]
    (first,) = opened(drawing=FOREIGN).warning
    assert "not with `'`" in first.value


def test_what_is_typed_is_quoted() -> None:
    page = opened()
    for word, quoted in zip(FOREIGN.split(), FOREIGN_QUOTED.split(), strict=True):
        control(page.text_input, "architecture").set_value(word).run()
        (error,) = page.error
        assert [text for kind, text in shown(error.value) if kind == "code"] == [quoted]


def test_an_address_that_breaks_later_leaves_what_was_there() -> None:
    page = opened(net="conv4k5-fc10", drawing="d5")
    page.query_params["net"] = "nonsense"
    page.query_params["drawing"] = "nonsense"
    page.run()
    assert all("so here is the one before" in warning.value for warning in page.warning)
    assert (sent(page)["net"], sent(page)["drawing"]) == ("conv4k5-fc10", "d5")
    draw(page, 1, "d6", final=True)
    assert address(page) == {"net": "conv4k5-fc10", "drawing": "d6"}


def test_an_address_that_changes_is_followed() -> None:
    """Back and forward in the browser."""
    page = opened(net="conv4k5-fc10", drawing="d5")
    page.query_params["net"] = "fc10"
    page.query_params["drawing"] = "d6"
    page.run()
    shows(page, "fc10")
    assert sent(page)["drawing"] == "d6"


def test_a_change_taken_back_before_the_browser_has_its_address_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the address of the change would arrive, and stay."""
    page, written = opened(), []
    write = QueryParamsProxy.from_dict
    monkeypatch.setattr(
        QueryParamsProxy, "from_dict", lambda params, wanted: [written.append(wanted["net"]), write(params, wanted)]
    )
    control(page.number_input, "block1_kernel_size").set_value(6).run()
    changed = address(page)["net"]
    page.query_params["net"] = LECTURES
    control(page.number_input, "block1_kernel_size").set_value(5).run()
    assert written == [changed, LECTURES]
    shows(page, LECTURES)


# --- drawing ---


def test_a_stroke_is_followed_and_kept_in_the_address_when_it_ends() -> None:
    page = opened()
    draw(page, 1, "sBAoKFBQ", final=False)
    assert (record(page, Shown).drawing, sent(page)["seq"], address(page)["drawing"]) == ("sBAoKFBQ", 1, EXAMPLE)
    assert not sent(page)["exact"]
    draw(page, 2, "sBgoKFBQUFA", final=True)
    assert (sent(page)["drawing"], sent(page)["seq"], address(page)["drawing"]) == ("sBgoKFBQUFA", 2, "sBgoKFBQUFA")
    assert sent(page)["exact"]
    assert not page.warning


def test_weights_come_when_they_are_asked_for() -> None:
    page = opened()
    parameters = infer_shapes(LECTURE).parameters
    for seq, lacking, weights in (
        (1, LECTURES, parameters),
        (2, "", 0),
        (3, "conv10k5-fc10", 0),
        (4, LECTURES, parameters),
    ):
        draw(page, seq, "d1", final=False, lacking=lacking)
        assert sent(page)["weights"] == weights


def test_another_drawing_is_another_answer() -> None:
    page = opened()
    before = components(page)[0].proto.bytes
    draw(page, 1, "d1", final=True)
    after = components(page)[0].proto.bytes
    assert before[-40:] != after[-40:]  # the probabilities
    assert int(torch.frombuffer(bytearray(after[-40:]), dtype=torch.float32).argmax()) == 1


def test_a_change_of_the_network_keeps_the_drawing() -> None:
    page = opened()
    draw(page, 1, "d8", final=True)
    control(page.number_input, "block1_kernel_size").set_value(3).run()
    assert (address(page)["drawing"], sent(page)["drawing"], sent(page)["seq"]) == ("d8", "d8", 1)


def test_what_a_browser_still_shows_is_nobodys_wish() -> None:
    """With every change a browser sends all its widgets; what others have changed a moment ago, not
    yet as it is now.
    """
    page = opened()
    control(page.number_input, "block1_kernel_size").set_value(6)
    browser = page._tree.get_widget_states()  # the new kernel_size beside the old preset and the old text
    for _ in range(2):  # the second time with a stroke, say
        page._run(browser)
        shows(page, "conv10k6-max2-relu-conv20k5-max2-relu-fc10")
    control(page.selectbox, "preset").select("the lecture's network").run()
    shows(page, LECTURES)


def test_a_broken_drawing_from_the_browser_leaves_the_one_before() -> None:
    page = opened(drawing="d5")
    for seq, drawing in enumerate(BROKEN_DRAWINGS.values(), start=1):
        draw(page, seq, drawing, final=True)
        assert (sent(page)["drawing"], address(page)["drawing"]) == ("d5", "d5"), drawing
        assert sent(page)["seq"] == seq  # acknowledged all the same: or the browser would send it again and again
        (toast,) = page.toast
        assert "drawing" in toast.value or "digit" in toast.value
    draw(page, 100, "d6", final=True)
    assert address(page)["drawing"] == "d6"


def test_the_steps_are_shown_when_they_are_looked_at() -> None:
    page = opened()
    assert not page.image
    page.session_state["stages"] = True
    page.run()
    captions = [stage.caption for stage in parse_drawing(EXAMPLE).preprocess().stages]
    assert len(page.image) == len(captions)
    assert [caption.value for caption in page.caption if caption.value in captions] == captions


def test_sessions_share_nothing() -> None:
    one, other = opened(), opened()
    draw(one, 1, "d3", final=True)
    control(one.number_input, "block1_kernel_size").set_value(3).run()
    other.run()
    assert address(other) == {"net": LECTURES, "drawing": EXAMPLE}
    assert (sent(other)["seq"], sent(one)["seq"]) == (0, 1)


# --- training ---


def trained(page: AppTest, train: str = "", seconds: float = 0) -> dict[str, Any]:
    """What the view shows at last, asking again and again as it does."""
    for seq in range(100, 1000):
        header = sent(draw(page, seq, EXAMPLE, final=False, train=train, seconds=seconds))
        if not header["training"]["going"]:
            return header
        wait_for_training()
    raise AssertionError("the training does not end")


def test_a_network_of_which_nothing_is_known_is_trained_without_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ON_THE_SPOT", 0.6)
    page = opened(net="conv9k5s2-relu-conv8k3g1-relu-conv4k3g2-relu-fc10")
    first = sent(page)
    assert (first["trained"], first["training"]["going"], first["training"]["to"]) == (False, True, 0.6)
    assert "Untrained" in first["sentence"]
    last = trained(page)
    assert last["trained"] is True
    assert last["training"] == {"sentence": last["sentence"], "going": False, "has": 0.6, "to": 0.6 + live.BRIEFLY}
    assert last["sentence"].startswith("Trained here for 1 s on 4,000 digits: right on ")
    assert last["version"] != first["version"]


def test_a_fitted_network_is_trained_when_that_is_asked_for() -> None:
    net = "conv10k5s2-max2-relu-conv11k3-relu-fc10"
    page = opened(net=net)
    assert sent(page)["training"]["going"] is False
    assert sent(page)["training"]["to"] == live.BRIEFLY
    last = trained(page, net, 0.6)
    # So little processor time is few batches beside other work: it may not make the network better.
    assert last["sentence"].startswith(("Fine-tuned for 1 s ", "1 s of training did not help. "))  # 0.6, rounded
    assert sent(opened(net=net))["version"] == last["version"]  # everybody has it


def test_a_wish_for_another_network_is_none_for_this() -> None:
    page = opened(net="conv10k5s2-max2-relu-conv12k3-relu-fc10")
    header = sent(draw(page, 1, EXAMPLE, final=False, train=LECTURES, seconds=4))
    assert header["training"]["going"] is False
    assert header["training"]["has"] == 0


@pytest.mark.parametrize("net", [LECTURES, "conv4k3-max2", "conv4k3-fc7", "max2-relu"])
def test_no_training_is_offered_where_there_is_none_to_be_had(net: str) -> None:
    assert sent(opened(net=net))["training"] is None


@pytest.mark.parametrize("seconds", [1e9, float("inf"), float("nan"), -3])
def test_seconds_are_bounded(seconds: float) -> None:
    net = "conv10k5s2-max2-relu-conv13k3-relu-fc10"
    page = opened(net=net)
    training = sent(draw(page, 1, EXAMPLE, final=False, train=net, seconds=seconds))["training"]
    assert training["to"] == (live.MOST if seconds > 0 else live.BRIEFLY)
    assert training["going"] is (seconds > 0)
    draw(page, 2, EXAMPLE, final=False)


def test_a_drawing_that_is_unlike_all_digits_is_told_so_while_the_pen_rests() -> None:
    page = opened()
    zigzag = drawing_from_strokes([[(60, 60), (220, 90), (60, 130), (220, 160), (60, 200), (220, 230)]]).text
    assert sent(draw(page, 1, zigzag, final=False))["unlike"] is False  # nothing is worked out while the pen moves
    for seq in range(2, 200):
        header = sent(draw(page, seq, zigzag, final=True))
        if not header["judging"]:
            break
        time.sleep(0.05)
    assert header["unlike"] is True
    assert sent(draw(page, 300, EXAMPLE, final=True))["unlike"] is False


def test_an_untrained_network_is_not_judged() -> None:
    header = sent(draw(opened(net="conv4k3-fc7"), 1, EXAMPLE, final=True))
    assert (header["judging"], header["unlike"]) == (False, False)


def test_sessions_with_different_networks_have_their_own_weights() -> None:
    nets = ("conv9k5s2-relu-conv8k5-max2-relu-fc10", "conv9k4s2-relu-conv8k5-max2-relu-fc10")
    pages = [opened(net=net) for net in nets]
    for seq in (1, 2):
        for page, net in zip(pages, nets, strict=True):
            header = sent(draw(page, seq, f"d{seq}", final=True))
            assert (header["net"], header["version"]) == (net, load_network(parse(net)).fingerprint)
