"""The number-by-number pages without a browser: widgets, address, and what the grid player is sent."""

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch  # imported first, so that the pages need not wait for it
from PIL import Image
from rendered import FOREIGN, quotes_foreign_text, shown
from streamlit.testing.v1 import AppTest
from widgets import address, control, data_of

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.digits.drawing import example_drawing
from cnn_explorer.numbers.examples import CONV_PRESETS, POOL_PRESETS
from cnn_explorer.spec.network import LECTURE

PADDED = [
    [91, 168, 224, 215, 127],
    [114, 211, 295, 262, 149],
    [192, 259, 282, 214, 122],
    [194, 251, 253, 169, 86],
    [96, 112, 110, 68, 31],
]
NET, DRAWING = str(LECTURE), example_drawing().text


def opened(name: str, **address: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=60)
    page.switch_page(f"pages/{name}.py")
    page.query_params.update(address)
    page.run()
    assert not page.exception, page.exception
    return page


def sent(page: AppTest) -> dict[str, Any]:
    """What the grid player was sent."""
    assert not page.exception, page.exception
    return data_of(page)


def outputs(page: AppTest, rule: str = "conv") -> list[Any]:
    return [output["values"] for output in sent(page)["outputs"] if output["rule"] == rule]


def example(page: AppTest) -> Any:
    (box,) = [box for box in page.selectbox if box.label == "Example"]
    return box


def change(page: AppTest, seq: int, *edits: tuple[str, list[int], float]) -> AppTest:
    """What the grid player does when numbers are changed in it."""
    step = address(page)["step"]
    name = "pool" if step in POOL_PRESETS else "conv"
    message = [
        {"seq": seq + at, "part": part, "index": place, "value": value} for at, (part, place, value) in enumerate(edits)
    ]
    page.session_state[f"{name}_player_{step}"] = {"edits": {"seq": seq + len(edits) - 1, "edits": message}}
    return page.run()


# --- opening ---


def test_the_convolution_page_opens_with_the_lectures_example() -> None:
    page = opened("convolution")
    assert outputs(page) == [PADDED]
    assert address(page) == {
        "net": NET,
        "drawing": DRAWING,
        "step": "one",
        "input": "3_4_6_5_7~2_4_6_8_2~1_6_7_8_4~9_7_4_6_2~3_7_5_4_1",
        "kernel": "1_2_3~4_5_6~7_8_9",
        "bias": "0",
        "stride": "1",
        "padding": "1",
        "dilation": "1",
        "groups": "1",
        "flip": "0",
        "colour": "0",
    }
    assert (
        "torch.nn.functional.conv2d(x, weight, bias, stride=1, padding=1, dilation=1, groups=1)" in page.code[0].value
    )


def test_the_pooling_page_opens_with_the_lectures_example() -> None:
    page = opened("pooling")
    assert (outputs(page, "max"), outputs(page, "avg")) == ([[[4, 8], [9, 8]]], [[[3.25, 6.25], [5.75, 6.25]]])
    assert address(page)["input"] == "3_4_6_5~2_4_6_8~1_6_7_8~9_7_4_6"


def test_the_lectures_other_case() -> None:
    page = opened("convolution")
    example(page).select("The lecture's example, stride 2").run()
    assert outputs(page) == [[[211, 262], [251, 169]]]
    assert (address(page)["stride"], address(page)["padding"]) == ("2", "0")
    assert example(page).value == "The lecture's example, stride 2"


@pytest.mark.parametrize(("step", "name"), [(step, name) for step, cases in CONV_PRESETS.items() for name in cases])
def test_every_example_of_the_convolution_page(step: str, name: str) -> None:
    page = opened("convolution", step=step)
    example(page).select(name).run()
    assert sent(page)["agrees"]
    assert len(outputs(page)) == CONV_PRESETS[step][name].out_channels * (2 if step == "flip" else 1)
    assert example(page).value == name
    assert address(page)["input"] == CONV_PRESETS[step][name].query()["input"]


@pytest.mark.parametrize(("step", "name"), [(step, name) for step, cases in POOL_PRESETS.items() for name in cases])
def test_every_example_of_the_pooling_page(step: str, name: str) -> None:
    page = opened("pooling", step=step)
    example(page).select(name).run()
    assert len(outputs(page, "max")) == (2 if step == "shift" else len(POOL_PRESETS[step][name].input))
    assert example(page).value == name


# --- changing ---


@pytest.mark.parametrize(
    ("name", "step", "parameter", "value", "shape"),
    [
        ("convolution", "one", "height", 7, (1, 7, 5)),
        ("convolution", "one", "width", 1, (1, 5, 1)),
        ("convolution", "one", "kernel_size", 5, (1, 3, 3)),
        ("convolution", "one", "stride", 3, (1, 2, 2)),
        ("convolution", "one", "padding", 0, (1, 3, 3)),
        ("convolution", "one", "dilation", 2, (1, 3, 3)),
        ("convolution", "channels", "in_channels", 1, (1, 3, 3)),
        ("convolution", "kernels", "out_channels", 4, (4, 3, 3)),
        ("convolution", "groups", "groups", 4, (4, 3, 3)),
        ("pooling", "compare", "kernel_size", 3, (1, 1, 1)),
        ("pooling", "compare", "in_channels", 3, (3, 2, 2)),
        ("pooling", "compare", "stride", 1, (1, 3, 3)),
        ("pooling", "adaptive", "output_size", 3, (1, 3, 3)),
        ("pooling", "adaptive", "output_size", 12, (1, 12, 12)),
    ],
)
def test_a_control_changes_the_scene(name: str, step: str, parameter: str, value: int, shape: tuple[int, ...]) -> None:
    page = opened(name, step=step)
    key = f"{'pool' if name == 'pooling' else 'conv'}_{step}_{parameter}"
    control(page.number_input, key).set_value(value).run()
    found = outputs(page, "max" if name == "pooling" else "conv")
    assert (len(found), len(found[0]), len(found[0][0])) == shape
    assert control(page.number_input, key).value == value
    before, again = sent(page), opened(name, **address(page))  # a reload
    assert sent(again)["outputs"] == before["outputs"]


def test_numbers_changed_in_the_grids_are_computed_and_kept_in_the_address() -> None:
    page = opened("convolution")
    change(page, 1, ("input", [0, 0, 0], -2.5), ("weight", [0, 0, 1, 1], 0.25), ("bias", [0], 100))
    assert outputs(page)[0][0][0] == pytest.approx(-2.5 * 0.25 + 4 * 6 + 2 * 8 + 4 * 9 + 100)
    assert (sent(page)["ack"], address(page)["bias"]) == (3, "100")
    assert address(page)["input"].startswith("-2.5_4_6")
    assert example(page).value is None
    page.run()  # the same message again, as a browser sends it with every rerun
    control(page.number_input, "conv_one_padding").set_value(0).run()
    change(page, 4, ("bias", [0], 0))
    assert address(page)["bias"] == "0"
    page.button(key="conv_reset").click().run()
    assert outputs(page) == [PADDED]  # and not the numbers of the last message
    assert example(page).value == "The lecture's example, padding 1"
    assert page.button(key="conv_reset").disabled


@pytest.mark.parametrize("edit", [("input", [0, 9, 0], 1.0), ("stride", [0], 1.0), ("input", [0, 0, 0], 1e9)])
def test_a_change_that_does_not_fit_is_left_out(edit: tuple[str, list[int], float]) -> None:
    page = opened("convolution")
    change(page, 1, edit, ("bias", [0], 7))
    assert outputs(page)[0][0][0] == 98
    assert sent(page)["ack"] == 2
    assert len(page.toast) == 1


def test_every_step_keeps_what_was_changed_in_it() -> None:
    page = opened("convolution")
    change(page, 1, ("bias", [0], 9))
    control(page.button_group, "conv_steps").set_value("kernels").run()
    assert (address(page)["step"], len(outputs(page))) == ("kernels", 3)
    control(page.button_group, "conv_steps").set_value("one").run()
    assert address(page)["bias"] == "9"
    page.switch_page("pages/pooling.py").run()
    page.switch_page("pages/convolution.py").run()
    assert address(page)["bias"] == "9"


def test_smaller_and_larger_again_shows_the_same_numbers() -> None:
    page = opened("convolution")
    for size in (2, 5):
        control(page.number_input, "conv_one_height").set_value(size).run()
    for size in (1, 3):
        control(page.number_input, "conv_one_kernel_size").set_value(size).run()
    assert outputs(page) == [PADDED]


# --- what does not work out ---


def test_an_impossible_kernel_is_explained_and_repaired() -> None:
    page = opened("convolution", padding="0")
    control(page.number_input, "conv_one_kernel_size").set_value(7).run()
    assert outputs(page) == []
    assert not page.code
    assert len(sent(page)["kernels"][0][0]) == 7
    (sentence,) = [text.value for text in page.markdown if ":material/construction:" in text.value]
    assert all(
        part in sentence.replace("\\", "")
        for part in ("kernel_size (=7)", "5 + 2·0 = 5", "reduce kernel_size or raise padding")
    )
    assert [button.label for button in page.button if "repair" in (button.key or "")] == [
        "kernel_size = 5",
        "padding = 1",
    ]
    page.button(key="conv_repair_padding").click().run()
    assert address(page)["padding"] == "1"
    assert len(outputs(page)[0]) == 1


@pytest.mark.parametrize(
    ("name", "query", "told"),
    [
        (
            "convolution",
            {"groups": "3", "step": "groups", "kernel": "~~~".join(["1"] * 4), "input": "1~~2~~3~~4"},
            ["in_channels (=4)", "groups (=3)"],
        ),
        ("convolution", {"dilation": "4", "padding": "0"}, ["4·(3−1) + 1 = 9", "reduce kernel_size or dilation"]),
        ("pooling", {"kernel_size": "2", "padding": "2"}, ["padding (=2)", "half of kernel_size"]),
        ("pooling", {"kernel_size": "7"}, ["kernel_size (=7)"]),
    ],
)
def test_every_impossible_geometry_is_explained(name: str, query: dict[str, str], told: list[str]) -> None:
    page = opened(name, **query)
    assert sent(page)["outputs"] == []
    (sentence,) = [text.value for text in page.markdown if ":material/construction:" in text.value]
    assert not [part for part in told if part not in sentence.replace("\\", "")], sentence


@pytest.mark.parametrize(
    ("name", "query", "told"),
    [
        ("convolution", {"input": "1_2~3"}, "1 number"),
        ("convolution", {"kernel": "1_2~3_x"}, "`x`"),
        ("convolution", {"step": "nothing"}, "nothing"),
        ("convolution", {"step": "picture", "filter": "Unsharp"}, "Unsharp"),
        ("convolution", {"step": "picture", "filter": "Your own", "kernel": "1_2"}, "1 row of 2 numbers"),
        ("convolution", {"stride": "0"}, "stride"),
        ("pooling", {"input": "9" * 9000}, "9,000 characters"),
        ("pooling", {"shift": "99"}, "shift"),
    ],
)
def test_a_broken_address_gets_a_sentence(name: str, query: dict[str, str], told: str) -> None:
    page = opened(name, **query)
    (warning,) = page.warning
    assert told in warning.value.replace("\\", "")
    shown(warning.value)
    assert not page.exception
    assert address(page)["net"] == NET
    again = opened(name, **address(page))  # the address is whole again
    assert not again.warning


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("convolution", "step input kernel bias stride padding dilation groups flip colour filter"),
        ("pooling", "step input kernel_size stride padding output_size shift"),
    ],
)
def test_what_an_address_says_is_quoted(name: str, names: str) -> None:
    page = opened(name)
    before = address(page)
    for parameter in names.split():
        page.query_params.update(before | ({"step": "picture"} if parameter == "filter" else {}) | {parameter: FOREIGN})
        (warning,) = page.run().warning
        assert quotes_foreign_text(warning.value), warning.value


def test_the_way_back_is_followed() -> None:
    page = opened("convolution")
    before = address(page)
    control(page.number_input, "conv_one_padding").set_value(3).run()
    page.query_params["padding"] = before["padding"]
    page.run()
    assert outputs(page) == [PADDED]


# --- on a picture ---


def file(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def result(page: AppTest) -> np.ndarray:
    """PyTorch's result, as the grid player was sent it."""
    kernel, (rows, columns) = sent(page)["kernel"], sent(page)["size"]
    more = 1 - len(kernel) % 2
    values = np.frombuffer(base64.b64decode(sent(page)["result"]), dtype="<f4")
    return values.reshape(rows + more, columns + more)


def test_a_kernel_on_the_drawn_digit() -> None:
    page = opened("convolution", step="picture", drawing="d7")
    assert address(page) == {"net": NET, "drawing": "d7", "step": "picture", "filter": "Sobel x"}
    shown = np.frombuffer(base64.b64decode(sent(page)["pixels"]), dtype=np.uint8).reshape(sent(page)["size"])
    assert np.array_equal(shown, bundled_digits().images[7])
    x = torch.from_numpy(shown / 255)[None, None]
    for name in ("Blur", "Learned 10"):
        control(page.selectbox, "conv_filter").select(name).run()
        assert address(page)["filter"] == name
        weight = torch.tensor(sent(page)["kernel"], dtype=torch.float64)[None, None]
        truth = torch.nn.functional.conv2d(x, weight, padding=weight.shape[-1] // 2)[0, 0].numpy()
        np.testing.assert_allclose(result(page), truth, atol=1e-6)


def test_a_kernel_of_one_s_own_and_a_pixel_are_in_the_address() -> None:
    page = opened("convolution", step="picture", drawing="d7", filter="Learned 4")
    learned = sent(page)["kernel"]
    change(page, 1, ("weight", [0, 0, 1, 2], -0.5))
    change(page, 2, ("pixel", [3, 27], 0))
    kernel = sent(page)["kernel"]
    assert kernel[1][2] == -0.5
    assert np.ravel(kernel)[8:].tolist() == pytest.approx(np.ravel(learned)[8:].tolist(), rel=1e-5)
    assert (address(page)["filter"], address(page)["pixel"]) == ("Your own", "3.27")
    again = opened("convolution", **address(page))
    assert (sent(again)["kernel"], sent(again)["pixel"]) == (kernel, [3, 27])
    assert np.array_equal(result(again), result(page))
    change(page, 3, ("weight", [0, 0, 9, 9], 1), ("bias", [0], 1))
    assert len(page.toast) == 2
    assert sent(page)["kernel"] == kernel
    control(page.selectbox, "conv_filter").select("Blur").run()
    assert "kernel" not in address(page)


def test_an_uploaded_picture_is_used_and_the_drawing_can_be_again() -> None:
    page = opened("convolution", step="picture")
    page.file_uploader(key="conv_upload").upload(
        "gradient.png", file(Image.linear_gradient("L").resize((300, 150)).convert("RGB")), "image/png"
    ).run()
    assert sent(page)["size"] == [140, 280]
    page.button_group(key="conv_source").set_value("Your drawing").run()
    assert sent(page)["size"] == [28, 28]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda: b"no picture", "not a picture that can be read"),
        (lambda: file(Image.new("1", (5001, 5000))), "5,001×5,000 pixels; at most 25 million"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(content: Callable[[], bytes], told: str) -> None:
    page = opened("convolution", step="picture")
    page.file_uploader(key="conv_upload").upload("`some` www.evil.test.png", content(), "image/png").run()
    assert not page.exception
    (error,) = page.error
    assert told in error.value.replace("\\", "")
    assert [text for kind, text in shown(error.value) if kind == "code"] == ["'some' www.evil.test.png"]
    assert sent(page)["size"] == [28, 28]


# --- together ---


def test_drawing_and_network_are_carried_along() -> None:
    page = opened("convolution", net="conv4k5-fc10", drawing="d5")
    assert (address(page)["net"], address(page)["drawing"]) == ("conv4k5-fc10", "d5")
    page.switch_page("pages/pooling.py").run()
    assert (address(page)["net"], address(page)["drawing"]) == ("conv4k5-fc10", "d5")
