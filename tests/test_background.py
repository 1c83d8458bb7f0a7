"""Values computed in the background: once each, one after the other, and not for nobody."""

import threading
import time
from collections.abc import Callable

import pytest

from cnn_explorer.sharing.background import Background

PATIENCE = 20.0


def blocked(event: threading.Event, value: int) -> Callable[[], int]:
    def compute() -> int:
        event.wait(PATIENCE)
        return value

    return compute


def test_a_value_comes_later_and_is_kept() -> None:
    values: Background[int] = Background(2)
    go = threading.Event()
    assert values.get("a", blocked(go, 1)) is None
    assert values.get("a", pytest.fail) is None  # the one under way is enough
    go.set()
    assert values.get("a", pytest.fail, PATIENCE) == 1
    assert values.get("a", pytest.fail) == 1


def test_what_fails_is_told_and_computed_anew() -> None:
    values: Background[int] = Background(2, forgotten=0.2)

    def fail() -> int:
        raise ValueError("the reason")

    for _ in range(2):
        with pytest.raises(ValueError, match="the reason"):
            values.get("a", fail, PATIENCE)
    time.sleep(0.3)
    assert values.get("a", lambda: 3, PATIENCE) == 3


def test_a_failure_between_two_calls_is_not_lost() -> None:
    values: Background[int] = Background(2)
    go = threading.Event()

    def fail() -> int:
        go.wait(PATIENCE)
        raise ValueError("the reason")

    assert values.get("a", fail) is None
    go.set()
    assert values.get("b", lambda: 1, PATIENCE) == 1  # behind the one that failed
    with pytest.raises(ValueError, match="the reason"):
        values.get("a", lambda: 2)


def test_what_nobody_asks_for_any_more_is_dropped() -> None:
    values: Background[int] = Background(2, forgotten=0.05)
    go, computed = threading.Event(), []
    assert values.get("a", blocked(go, 1)) is None
    assert values.get("b", lambda: computed.append("b") or 2) is None
    time.sleep(0.2)
    go.set()
    assert values.get("c", lambda: 3, PATIENCE) == 3
    assert computed == []
    assert values.get("b", lambda: 2, PATIENCE) == 2
