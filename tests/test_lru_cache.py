"""A cache bounded by the sizes of its values, in which a value is computed once."""

import threading
import time

import pytest

from cnn_explorer.sharing.lru_cache import LruCache


def sized(capacity: int = 10) -> LruCache[str]:
    return LruCache(capacity, len)


def test_what_fits_is_kept() -> None:
    cache = sized()
    cache.keep("a", "1234")
    cache.keep("b", "5678")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("1234", "5678", None)


def test_the_least_recently_used_go_first() -> None:
    cache = sized()
    cache.keep("a", "1234")
    cache.keep("b", "5678")
    assert cache.get("a") == "1234"
    cache.keep("c", "9012")
    assert [cache.get(key) for key in "abc"] == ["1234", None, "9012"]


def test_another_in_its_place_counts_once() -> None:
    cache = sized()
    cache.keep("a", "1234")
    cache.keep("b", "5678")
    cache.keep("a", "4321")
    assert (cache.get("a"), cache.get("b")) == ("4321", "5678")


def test_one_that_is_too_large_is_kept_alone() -> None:
    cache = sized()
    cache.keep("a", "1")
    cache.keep("b", "x" * 11)
    assert (cache.get("a"), cache.get("b")) == (None, "x" * 11)


def test_without_a_size_values_are_counted() -> None:
    cache: LruCache[str] = LruCache(2)
    for key in "abc":
        cache.keep(key, key)
    assert [cache.get(key) for key in "abc"] == [None, "b", "c"]


def test_twenty_threads_compute_a_value_once() -> None:
    cache, calls, found = sized(), [], []

    def compute() -> str:
        calls.append(1)
        time.sleep(0.05)
        return "value"

    threads = [threading.Thread(target=lambda: found.append(cache.get_or_compute("a", compute))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(calls), set(found), len(found)) == (1, {"value"}, 20)
    assert not cache._computing


def test_other_keys_do_not_wait() -> None:
    cache, begun, end = sized(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert end.wait(10)
        return "slow"

    thread = threading.Thread(target=cache.get_or_compute, args=("a", slow))
    thread.start()
    assert begun.wait(10)
    assert cache.get_or_compute("b", lambda: "quick") == "quick"
    end.set()
    thread.join()
    assert cache.get("a") == "slow"


def test_a_failure_is_passed_on_and_the_next_call_computes() -> None:
    cache = sized()
    with pytest.raises(ValueError, match="failed"):
        cache.get_or_compute("a", lambda: (_ for _ in ()).throw(ValueError("failed")))
    assert cache.get_or_compute("a", lambda: "value") == "value"
