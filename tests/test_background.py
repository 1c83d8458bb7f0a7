"""Values computed in the background: once each, one after the other, in fair turns, and not for nobody."""

import threading
import time
from collections.abc import Callable

import pytest

from cnn_explorer.sharing.background import Background
from cnn_explorer.sharing.lru_cache import LruCache

PATIENCE = 20.0


def blocked(event: threading.Event, value: int) -> Callable[[], int]:
    def compute() -> int:
        event.wait(PATIENCE)
        return value

    return compute


def test_a_value_comes_later_and_is_kept() -> None:
    values: Background = Background(2)
    go = threading.Event()
    assert values.get("a", blocked(go, 1)) is None
    assert values.get("a", pytest.fail) is None  # the one under way is enough
    go.set()
    assert values.get("a", pytest.fail, PATIENCE) == 1
    assert values.get("a", pytest.fail) == 1


def test_a_value_that_comes_while_it_is_looked_for_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    values: Background = Background(2)
    go, look = threading.Event(), LruCache.get

    def look_slowly(cache: LruCache, key: str) -> int | None:
        found: int | None = look(cache, key)
        go.set()
        time.sleep(0.2)  # it comes now
        return found

    assert values.get("a", blocked(go, 1)) is None
    monkeypatch.setattr(LruCache, "get", look_slowly)
    assert values.get("a", lambda: 2, PATIENCE) == 1


def test_what_fails_is_told_and_computed_anew() -> None:
    values: Background = Background(2, forgotten=0.2)

    def fail() -> int:
        raise ValueError("the reason")

    for _ in range(2):
        with pytest.raises(ValueError, match="the reason"):
            values.get("a", fail, PATIENCE)
    time.sleep(0.3)
    assert values.get("a", lambda: 3, PATIENCE) == 3


def test_a_failure_between_two_calls_is_not_lost() -> None:
    values: Background = Background(2)
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
    values: Background = Background(2, forgotten=0.05)
    go, computed = threading.Event(), []
    assert values.get("a", blocked(go, 1)) is None
    assert values.get("b", lambda: computed.append("b") or 2) is None
    time.sleep(0.2)
    go.set()
    assert values.get("c", lambda: 3, PATIENCE) == 3
    assert computed == []
    assert values.get("b", lambda: 2, PATIENCE) == 2


def order_of(values: Background, asked: list[tuple[str, str, bool]]) -> list[str]:
    """In which order keys are computed that are asked for while another value is computed: visitor@address, key, and
    whether it is to come last.
    """
    go, computed = threading.Event(), []
    values.get("first", blocked(go, 0))
    for visitor, key, last in asked:
        values.get(
            key,
            lambda key=key: computed.append(key) or 1,
            visitor=visitor,
            address=visitor.partition("@")[2],
            last=last,
        )
    go.set()
    for visitor, key, _ in asked:
        assert values.get(key, pytest.fail, PATIENCE, visitor, visitor.partition("@")[2]) == 1
    return computed


def test_visitors_take_turns_however_much_one_has_asked_for() -> None:
    greedy = [("a@there", f"a{number}", False) for number in range(4)]
    second = [("b@there", f"b{number}", False) for number in range(2)]
    computed = order_of(Background(20), [*greedy, *second, ("c@here", "c0", False)])
    assert computed == ["a0", "c0", "b0", "a1", "b1", "a2", "a3"]


def test_what_is_to_come_last_waits_for_all_else_of_its_visitor() -> None:
    asked = [("a@there", "fine0", True), ("a@there", "fine1", True), ("a@there", "map", False), ("b@here", "b", True)]
    assert order_of(Background(20), asked) == ["map", "b", "fine0", "fine1"]


def test_two_who_ask_for_the_same_share_it_and_one_may_leave() -> None:
    values = Background(20, forgotten=0.3)
    go, computed = threading.Event(), []
    values.get("first", blocked(go, 0), visitor="c")
    values.get("same", lambda: computed.append("same") or 1, visitor="a")
    values.get("left", lambda: computed.append("left") or 1, visitor="a")
    until = time.monotonic() + 0.5
    while time.monotonic() < until:  # only the second visitor asks again
        values.get("same", pytest.fail, visitor="b")
        time.sleep(0.02)
    go.set()
    assert values.get("same", pytest.fail, PATIENCE, "b") == 1
    assert values.get("end", lambda: 2, PATIENCE, "b") == 2
    assert computed == ["same"]


def test_values_are_kept_up_to_a_size() -> None:
    values = Background(10, size=lambda value: value)
    for key, value in (("a", 4), ("b", 5), ("c", 3)):
        assert values.get(key, lambda value=value: value, PATIENCE) == value
    assert values.get("b", pytest.fail, PATIENCE) == 5
    assert values.get("a", lambda: 1, PATIENCE) == 1
