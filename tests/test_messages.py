"""Whatever a browser sends, the pages take what is of the declared form and leave out the rest."""

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch  # noqa: F401  # imported first, so that the pages need not wait for it
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest
from widgets import address, components, control, name_of, record

from cnn_explorer.ui import grid_player, network_view
from cnn_explorer.ui.grid_player import MAX_EDITS, Edit
from cnn_explorer.ui.loading import torch_loading
from cnn_explorer.ui.messages import MessageError, message, whole
from cnn_explorer.ui.network_view import ViewMessage
from cnn_explorer.ui.state import Shown
from cnn_explorer.ui.train import results as training_results

VIEW = {"seq": 3, "drawing": "d5", "final": True, "moving": False, "lacking": "", "train": "fc10", "seconds": 4}
VIEW |= {"pin": None, "lacking_pin": False, "numbers": "", "repair": ""}
EDIT = {"seq": 1, "part": "weight", "index": [0, 0, 1, 2], "value": -2.5}

# Values that JSON can hold, with what Python's reader makes of NaN and Infinity, and whole numbers of any size.
ODD_NUMBERS = [math.nan, math.inf, -math.inf, 10**400, -(10**400), 2**53, -1, -0.5, 1e308]
ODD = [*ODD_NUMBERS, True, "", "\ud800", "x" * 200_000, "9" * 5000, [], {}, None]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(ODD)
NAMES = st.sampled_from([*VIEW, *EDIT, "message", "edits"]) | st.text(max_size=3)
ANYTHING = st.recursive(
    SCALARS, lambda parts: st.lists(parts, max_size=5) | st.dictionaries(NAMES, parts, max_size=8), max_leaves=20
)


def spoilt(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good message with some of its values replaced, and some left out."""
    wrong = st.dictionaries(st.sampled_from([*good]), ANYTHING, max_size=3)
    missing = st.sets(st.sampled_from([*good]), max_size=2)
    return st.builds(
        lambda new, gone: {key: value for key, value in (good | new).items() if key not in gone}, wrong, missing
    )


def received(module: Any, state: Any) -> Any:
    """What a component's Python side makes of the session's state of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.st, "session_state", {"it": state})
        return module.view_message("it") if module is network_view else module.edits_of("it")


def is_whole(value: object, low: int, high: int) -> bool:
    return type(value) in (int, float) and low <= value <= high and float(value).is_integer()  # type: ignore[operator]


@given(ANYTHING | st.builds(lambda sent: {"message": sent}, ANYTHING | spoilt(VIEW)))
def test_any_pen_message_is_an_event_or_nothing(state: Any) -> None:
    message = received(network_view, state)
    if message is None:
        return
    sent = state["message"]
    assert is_whole(sent["seq"], 0, 2**53 - 1)
    assert message == ViewMessage(
        sent["seq"],
        sent["drawing"],
        sent["final"],
        sent["moving"],
        sent["lacking"],
        sent.get("train", ""),
        min(sent.get("seconds", 0), 3600),
        pin=sent.get("pin"),
        lacking_pin=sent.get("lacking_pin", False),
        numbers=sent.get("numbers", ""),
        repair=sent.get("repair", ""),
    )
    *types, pin, lacking_pin, numbers, repair = map(type, vars(message).values())
    assert types == [int, str, bool, bool, str, str, float, bool]
    assert pin in (str, type(None))
    assert lacking_pin is bool
    assert numbers is repair is str
    assert 0 <= message.seconds <= 3600
    json.dumps(vars(message), allow_nan=False)
    (message.drawing + message.lacking + message.train + (message.pin or "")).encode()


@given(
    ANYTHING
    | st.builds(lambda edits: {"edits": {"seq": 1, "edits": edits}}, ANYTHING | st.lists(spoilt(EDIT), max_size=4))
)
def test_any_grid_message_is_changes_or_nothing(state: Any) -> None:
    for number, edit in enumerate(received(grid_player, state)):
        sent = state["edits"]["edits"][number]
        assert edit == Edit(sent["seq"], sent["part"], tuple(sent["index"]), sent["value"])
        assert is_whole(sent["seq"], 0, 2**53 - 1)
        assert len(edit.index) in {"input": [3], "weight": [4], "bias": [1]}.get(edit.part, range(5))
        assert all(is_whole(at, 0, 100) for at in sent["index"])
        assert math.isfinite(edit.value)


@given(st.integers(0, 2**53 - 1), st.text(alphabet="spd0123_-Z", max_size=5000), st.booleans(), st.integers(0, 40))
def test_a_good_message_is_read_as_it_is(seq: int, drawing: str, moving: bool, seconds: int) -> None:
    sent = VIEW | {"seq": seq, "drawing": drawing, "moving": moving, "seconds": seconds}
    assert received(network_view, {"message": sent}) == ViewMessage(seq, drawing, True, moving, "", "fc10", seconds)


WRONG_VIEW_MESSAGES: list[Any] = [
    7, "message", True, [VIEW], {"seq": 1},
    *({name: value for name, value in VIEW.items() if name != gone} for gone in ("seq", "drawing", "final", "moving", "lacking")),
    *(VIEW | {"seq": value} for value in ("3", None, [3], -1, 3.5, math.nan, math.inf, 10**400, 2**53, True)),
    *(VIEW | {"drawing": value} for value in (5, None, ["d5"], {"text": "d5"}, "\ud800", "s" * 5_000_000)),
    *(VIEW | {"final": value} for value in (1, "true", None, [])),
    *(VIEW | {"moving": value} for value in (0, "false", None, {})),
    *(VIEW | {"lacking": value} for value in (None, 0, ["fc10"], "fc10" * 1000)),
    *(VIEW | {"train": value} for value in (None, 0, ["fc10"], "fc10" * 1000)),
    *(VIEW | {"pin": value} for value in (0, False, ["fc10"], "fc10" * 1000)),
    *(VIEW | {"lacking_pin": value} for value in (None, 0, "fc10")),
    *(VIEW | {"numbers": value} for value in (None, 0, "x" * 41)),
    *(VIEW | {"repair": value} for value in (None, 0, "x" * 2_001)),
    *(VIEW | {"seconds": value} for value in (None, "4", -1, math.nan, -math.inf, -(10**400), True, [4])),
]  # fmt: skip
WRONG_EDITS: list[Any] = [
    7, "edits", None, {}, EDIT, [7], ["edit"], [[EDIT]], [EDIT] * (MAX_EDITS + 1),
    *([{name: value for name, value in EDIT.items() if name != gone}] for gone in EDIT),
    *([EDIT, EDIT | {"seq": value}] for value in ("1", None, -1, 0.5, math.nan, math.inf, 10**400)),
    *([EDIT | {"part": value}] for value in (None, 1, ["weight"], "weight" * 2, "\ud800", "w" * 5_000_000)),
    *([EDIT | {"index": value}] for value in (None, 0, "0012", {}, [], [0, 0], [0, 0, 0, -1], [0, 0, 0, 0.5], [0, 0, 0, None],
                                               [0, 0, 0, 10**400], [0] * 1_000_000)),
    *([EDIT | {"value": value}] for value in (None, "5", math.nan, math.inf, 10**400, True, [5])),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WRONG_VIEW_MESSAGES)))
def test_a_wrong_pen_message_is_left_out(number: int) -> None:
    assert received(network_view, {"message": WRONG_VIEW_MESSAGES[number]}) is None


@pytest.mark.parametrize("number", range(len(WRONG_EDITS)))
def test_a_wrong_grid_message_is_left_out_as_a_whole(number: int) -> None:
    assert received(grid_player, {"edits": {"seq": 1, "edits": WRONG_EDITS[number]}}) == []


@pytest.mark.parametrize("state", [7, "it", [1], {"message": 1, "edits": 1}, {"message": [], "edits": [EDIT]}])
def test_a_wrong_state_is_no_message(state: Any) -> None:
    assert received(network_view, state) is None
    assert received(grid_player, state) == []


def test_the_most_changes_are_read() -> None:
    edits = [EDIT | {"seq": seq} for seq in range(MAX_EDITS)]
    assert [edit.seq for edit in received(grid_player, {"edits": {"edits": edits}})] == [*range(MAX_EDITS)]


def test_what_is_left_out_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", "cnn_explorer.ui.messages"):
        received(network_view, {"message": VIEW | {"seq": "s" * 5_000_000}})
    (record,) = caplog.records
    assert "is not a whole number from 0 to" in record.getMessage()
    assert len(record.getMessage()) < 300


@pytest.mark.parametrize(
    ("points", "cell"),
    [
        ([{"customdata": [3, 5]}, {"customdata": "x"}], (3, 5)),
        ([], None),
        *(
            ([{"customdata": wrong}], None)
            for wrong in (None, 3, "35", [3], [3, 5, 7], [3, 10], [-1, 5], ["3", "5"], [math.nan, 5], {"0": 3})
        ),
        ([3], None),
        ("points", None),
        (None, None),
    ],
)
def test_a_click_on_the_matrix_is_a_cell_or_nothing(points: Any, cell: tuple[int, int] | None) -> None:
    assert message({"selection": {"points": points}}, "selection", training_results._clicked_cell) == cell


# --- on the pages ---


def opened(name: str = "", **parameters: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=60)
    if name:
        page.switch_page(f"pages/{name}.py")
    page.query_params.update(parameters)
    torch_loading().wait()
    page.run()
    shows_its_view(page)
    return page


def shows_its_view(page: AppTest) -> None:
    assert not page.exception, page.exception
    assert not page.error
    assert len(components(page)) == 1


@pytest.mark.parametrize(("name", "key"), [("", "network_view"), ("training", "training_view")])
def test_the_worst_messages_of_the_view_leave_the_page_as_it_is(name: str, key: str) -> None:
    page = opened(name, net="conv4k5s2-relu-fc10", drawing="d7")
    for wrong in [
        WRONG_VIEW_MESSAGES[0],
        WRONG_VIEW_MESSAGES[3],
        *WRONG_VIEW_MESSAGES[5:20:2],
        VIEW | {"drawing": "\ud800"},
        VIEW | {"seconds": math.nan},
    ]:
        page.session_state[key] = {"message": wrong}
        page.run()
        shows_its_view(page)
        assert record(page, Shown).drawing == "d7"
    page.session_state[key] = {"message": VIEW}
    page.run()
    shows_its_view(page)
    assert record(page, Shown).drawing == "d5"


@pytest.mark.parametrize(("name", "step"), [("convolution", "one"), ("convolution", "flip"), ("pooling", "compare")])
def test_the_worst_grid_messages_leave_the_page_as_it_is(name: str, step: str) -> None:
    page = opened(name, step=step)
    key, before = f"{'pool' if name == 'pooling' else 'conv'}_player_{step}", address(page)
    for wrong in [*WRONG_EDITS[:4], *WRONG_EDITS[10:36:3], [EDIT | {"index": [1]}]]:
        page.session_state[key] = {"edits": {"seq": 1, "edits": wrong}}
        page.run()
        shows_its_view(page)
        assert address(page) == before
    page.session_state[key] = {"edits": {"seq": 1, "edits": [EDIT | {"part": "input", "index": [0, 1, 1], "value": 7}]}}
    page.run()
    shows_its_view(page)
    assert address(page)["input"] != before["input"]


def send(page: AppTest, widget: Any, change: Callable[[Any], None]) -> None:
    """Run the page with a message in which one widget has another value, as no browser of ours would send it."""
    states = copy.deepcopy(page._tree.get_widget_states())
    (state,) = [state for state in states.widgets if state.id == widget.proto.id]
    change(state)
    page._run(states)


@pytest.mark.parametrize(
    ("name", "parameters", "boxes"),
    [
        ("", {}, ["preset", "block1_pooling", "block2_activation"]),
        ("training", {}, ["preset", "compare", "digits", "recipes", "optimizer", "schedule"]),
        ("convolution", {"step": "one"}, ["conv_preset_one"]),
        ("convolution", {"step": "picture"}, ["conv_filter"]),
        ("pooling", {}, ["pool_preset_compare"]),
    ],
)
def test_a_choice_that_is_not_offered_changes_nothing(name: str, parameters: dict[str, str], boxes: list[str]) -> None:
    page = AppTest.from_file("../app.py", default_timeout=60)
    if name:
        page.switch_page(f"pages/{name}.py")
    page.query_params.update(parameters)
    page.run()
    before = address(page)
    for box in boxes:
        for nonsense in ("no such thing", "x" * 100_000):

            def change(state: Any, value: str = nonsense) -> None:
                state.string_value = value

            send(page, control(page.selectbox, box), change)
            assert not page.exception, page.exception
            assert not page.error
            assert not page.toast
            assert address(page) == before


@pytest.mark.parametrize(
    ("name", "group"), [("convolution", "conv_steps"), ("pooling", "pool_steps"), ("training", "results")]
)
@pytest.mark.parametrize("chosen", [[], ["no such step"], ["a", "b"]])
def test_a_step_that_is_not_offered_changes_nothing(name: str, group: str, chosen: list[str]) -> None:
    page = opened(name)
    before = address(page)

    def change(state: Any) -> None:
        del state.string_array_value.data[:]
        state.string_array_value.data.extend(chosen)
        state.string_array_value.SetInParent()

    (widget,) = [widget for widget in page.button_group if name_of(widget) == group]
    send(page, widget, change)
    shows_its_view(page)
    assert not page.toast
    assert address(page) == before


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(MessageError, match=r"^int is not a whole number from 1 to 7$"):
        whole(10**5000, 1, 7)
    with pytest.raises(MessageError, match=r"^'35' is not a list of 2 to 2 values$"):
        training_results._clicked_cell({"points": [{"customdata": "35"}]})
