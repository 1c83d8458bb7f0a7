"""Shares of a cache: who may keep how much, and what is given up for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_explorer.sharing.fair_cache import FairCache, Shares, Shortage


class Visitors:
    """Everybody is there but those who are `gone`; "tab@home" is a visitor of the address "home"."""

    def __init__(self, shares: Shares) -> None:
        self.gone: set[str] = set()
        self.cache: FairCache[int] = FairCache(
            shares,
            lambda value: value,
            lambda visitor: visitor not in self.gone,
            lambda visitor: visitor.partition("@")[2],
        )

    def put(self, key: str, size: int, visitor: str) -> Shortage | None:
        shortage = self.cache.make_room(visitor, size)
        if shortage is None:
            self.cache.keep(key, size, [visitor])
        return shortage


@pytest.fixture
def visitors() -> Visitors:
    return Visitors(Shares(total=100, visitor=50, address=75, small=10, reserved=25))


def test_the_shares_of_a_total() -> None:
    assert Shares.of(96) == Shares(total=96, visitor=48, address=72, small=8, reserved=24)


def test_a_visitors_own_values_make_room_the_least_recently_used_first(visitors: Visitors) -> None:
    for key in "ab":
        assert visitors.put(key, 20, "one@home") is None
    assert visitors.cache.get("a") == 20
    assert visitors.put("c", 20, "one@home") is None
    assert list(visitors.cache) == ["a", "c"]


def test_values_in_use_are_not_given_up(visitors: Visitors) -> None:
    visitors.put("a", 30, "one@home")
    assert visitors.cache.make_room("one@home", 30, in_use={"a"}) == Shortage("visitor", 30, 50)
    assert "a" in visitors.cache


def test_an_address_has_a_share(visitors: Visitors) -> None:
    visitors.put("a", 40, "one@home")
    visitors.put("b", 30, "two@home")
    assert visitors.put("c", 10, "three@home") == Shortage("address", 70, 75)
    assert visitors.put("c", 10, "three@elsewhere") is None


def test_large_values_leave_room_for_small_ones(visitors: Visitors) -> None:
    visitors.put("a", 40, "one@home")
    visitors.put("b", 35, "two@elsewhere")
    assert visitors.put("c", 11, "three@third") == Shortage("all", 75, 75)
    assert visitors.put("c", 10, "three@third") is None
    assert visitors.put("d", 10, "four@fourth") is None
    assert visitors.put("e", 10, "five@fifth") == Shortage("all", 95, 100)


def test_what_belongs_to_nobody_present_goes_first(visitors: Visitors) -> None:
    visitors.put("a", 40, "one@home")
    visitors.put("b", 35, "two@elsewhere")
    visitors.gone.add("one@home")
    assert visitors.put("c", 30, "three@third") is None
    assert list(visitors.cache) == ["b", "c"]


def test_a_value_of_two_visitors_is_released_and_stays(visitors: Visitors) -> None:
    visitors.put("a", 40, "one@home")
    assert visitors.cache.get("a", "two@elsewhere") == 40
    assert visitors.put("b", 30, "one@home") is None
    assert list(visitors.cache) == ["a", "b"]
    assert visitors.cache.owned_by("one@home") == ["b"]


def test_nothing_is_given_up_in_vain(visitors: Visitors) -> None:
    visitors.put("a", 20, "one@home")
    visitors.put("b", 50, "two@elsewhere")
    assert visitors.put("c", 50, "one@home") == Shortage("all", 50, 75)
    assert list(visitors.cache) == ["a", "b"]


def test_unowned_values_can_be_dropped(visitors: Visitors) -> None:
    visitors.put("a", 20, "one@home")
    visitors.put("b", 20, "two@home")
    visitors.gone.add("one@home")
    visitors.cache.drop_unowned()
    assert list(visitors.cache) == ["b"]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(1, 60), st.booleans()), max_size=30))
def test_bounds_hold_and_nobody_present_loses_to_another(steps: list[tuple[int, int, int, bool]]) -> None:
    visitors = Visitors(Shares(total=100, visitor=50, address=75, small=10, reserved=25))
    owned: dict[str, tuple[str, int]] = {}
    left: list[tuple[int, int]] = []
    for number, (visitor, address, size, leaves) in enumerate(steps):
        who = f"{visitor}, {left.count((visitor, address))} times gone@{address}"
        before = dict(owned)
        if visitors.put(str(number), size, who) is None:
            owned[str(number)] = (who, size)
        kept = set(visitors.cache)
        for key, (owner, _) in before.items():
            assert key in kept or owner == who or owner in visitors.gone
        owned = {key: value for key, value in owned.items() if key in kept}
        sizes = {key: size for key, (_, size) in owned.items()}
        assert sum(sizes.values()) <= 100
        assert sum(size for size in sizes.values() if size > 10) <= 75
        assert sum(size for key, size in sizes.items() if owned[key][0] == who) <= 50
        if leaves:
            visitors.gone.add(who)
            left.append((visitor, address))
