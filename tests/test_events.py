"""What the host reads: one line of JSON an event, and nothing about a visitor."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cnn_explorer.sharing.memory import memory_bound
from cnn_explorer.ui import boundary, events
from cnn_explorer.ui.messages import message, whole

APP = str(Path(__file__).parents[1] / "app.py")
DRAWING = "sCKABeOwBAAIGnQHOAg"


class Lines(logging.Handler):
    """Every event that was written."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(json.loads(record.getMessage()))

    def of(self, event: str) -> list[dict[str, object]]:
        found = [dict(line) for line in self.all if line["event"] == event]
        for line in found:
            del line["time"], line["event"]
        return found


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    monkeypatch.setattr(events, "_QUOTAS", {})
    handler, log = Lines(), logging.getLogger("cnn_explorer.events")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.setLevel(level)
    log.removeHandler(handler)


@pytest.mark.usefixtures("own_visitors")
def test_a_session_is_one_visit_and_tells_nothing_of_what_is_in_its_address(lines: Lines) -> None:
    test = AppTest.from_file(APP, default_timeout=60)
    test.query_params["drawing"] = DRAWING
    test.query_params["net"] = "conv7k3-relu-flatten-fc10"
    test.run()
    test.run()
    assert lines.of("visit") == [{"page": "Draw"}]
    written = json.dumps(lines.all)
    assert DRAWING not in written
    assert "conv7k3" not in written


@pytest.mark.usefixtures("own_visitors")
def test_an_address_that_cannot_be_read_is_a_refusal(lines: Lines) -> None:
    test = AppTest.from_file(APP, default_timeout=60)
    test.query_params["net"] = "private words"
    test.run()
    assert lines.of("refusal") == [{"what": "address"}]
    assert "private" not in json.dumps(lines.all)


def test_a_message_that_is_not_of_the_declared_form_is_a_refusal(lines: Lines) -> None:
    assert message({"drawn": {"seq": "private"}}, "drawn", lambda sent: whole(sent["seq"])) is None
    assert lines.of("refusal") == [{"what": "message"}]


def test_a_failure_is_noted_by_its_class_and_place_and_not_by_its_words(
    lines: Lines, failures: list[BaseException | None]
) -> None:
    def fails() -> None:
        events.refusal("weights")
        raise RuntimeError("private words")

    try:
        fails()
    except RuntimeError as problem:
        boundary.sentence_for(problem)
        boundary.uncaught(problem)
    failures.clear()
    first, second = lines.of("error")
    assert first == second
    assert first["kind"] == "RuntimeError"
    assert str(first["where"]).startswith("test_events.py:")
    try:
        whole("private words")
    except ValueError as problem:
        events.failure(problem)
    assert str(lines.of("error")[2]["where"]).startswith("messages.py:")  # the app's own line, if there is one
    assert "private" not in json.dumps(lines.all)


def test_a_slow_answer_is_noted_once_for_all_parts_of_a_page(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary.visitors, "present_page", lambda: "Draw")
    monkeypatch.setattr(events, "SLOW", 0.05)

    @boundary.guarded()
    def part() -> None:
        time.sleep(0.06)

    with boundary.guarded():
        part()
        part()
    with boundary.guarded():
        pass
    (line,) = lines.of("slow")
    assert line["page"] == "Draw"
    assert 0.1 <= float(str(line["seconds"])) < 10


def test_lines_of_one_event_are_bounded_and_those_left_out_are_counted(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [600.0]
    monkeypatch.setattr(events.time, "monotonic", lambda: now[0])
    for _ in range(events.MOST + 7):
        events.refusal("message")
    events.note("visit", page="Draw")
    assert len(lines.of("refusal")) == events.MOST
    assert len(lines.of("visit")) == 1
    now[0] += 60
    events.refusal("message")
    events.refusal("message")
    assert lines.of("refusal")[-2:] == [{"what": "message", "left_out": 7}, {"what": "message"}]


def test_the_memory_bound_is_the_tightest_of_the_control_groups(tmp_path: Path) -> None:
    machine = memory_bound(tmp_path)
    assert machine is None or machine > 100_000_000
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/system.slice/explorer.service\n")
    groups = tmp_path / "sys/fs/cgroup"
    (groups / "system.slice/explorer.service").mkdir(parents=True)
    (groups / "system.slice/explorer.service/memory.max").write_text("max\n")
    assert memory_bound(tmp_path) == machine
    (groups / "system.slice/memory.max").write_text("50000000\n")
    assert memory_bound(tmp_path) == 50_000_000
    (groups / "memory.max").write_text("40000000\n")  # as a container sees its own
    assert memory_bound(tmp_path) == 40_000_000
    (groups / "memory").mkdir()
    (groups / "memory/memory.limit_in_bytes").write_text("30000000\n")  # version 1
    assert memory_bound(tmp_path) == 30_000_000
