"""A cache that visitors share fairly, bounded in bytes: altogether, for a visitor, and for an address.

A value belongs to the visitors who asked for it, as long as they are present. A value that belongs to somebody present
is never dropped to make room for another visitor: that visitor is refused, with the numbers. What belongs to nobody
present goes first, the least recently used value before the others; then the visitor's own values that are not in use.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Value = TypeVar("Value")
Scope = Literal["visitor", "address", "all"]


@dataclass(frozen=True)
class Shares:
    """Bytes that may be kept: in `total`, by one `visitor`, by all visitors of one `address`.

    Values of more than `small` bytes may not take the last `reserved` bytes of the total.
    """

    total: int
    visitor: int
    address: int
    small: int
    reserved: int

    @classmethod
    def of(cls, total: int) -> Shares:
        """A half for a visitor, three quarters for an address, a quarter for values of up to a twelfth."""
        return cls(total, total // 2, total * 3 // 4, total // 12, total // 4)


@dataclass(frozen=True)
class Shortage:
    """Why there is no room: within `scope`, `taken` of `limit` bytes cannot be given up."""

    scope: Scope
    taken: int
    limit: int


class FairCache(Generic[Value]):
    """Values by key, each with the visitors it belongs to. Not safe for threads by itself: callers hold a lock.

    `size(value)` is in bytes and may change; `present(visitor)` says whether a visitor is still there;
    `address(visitor)` is the network address of a visitor, "" where it is not known.
    """

    def __init__(
        self,
        shares: Shares,
        size: Callable[[Value], int],
        present: Callable[[str], bool],
        address: Callable[[str], str],
    ) -> None:
        self.shares = shares
        self._size, self._present, self._address = size, present, address
        self._values: OrderedDict[str, Value] = OrderedDict()  # the least recently used first
        self._owners: dict[str, set[str]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __getitem__(self, key: str) -> Value:
        return self._values[key]

    def get(self, key: str, visitor: str = "") -> Value | None:
        """The value of a key, if it is kept; from now on it belongs to `visitor`, too, if one is named."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        if visitor:
            self._owners[key].add(visitor)
        return self._values[key]

    def keep(self, key: str, value: Value, visitors: Iterable[str]) -> None:
        """Keep a value in place of the one before it; it belongs to the visitors named, and to those the one before
        belonged to.
        """
        self._values[key] = value
        self._values.move_to_end(key)
        self._owners.setdefault(key, set()).update(visitors)

    def drop(self, key: str) -> None:
        """Give up a value, whoever it belongs to."""
        self._values.pop(key, None)
        self._owners.pop(key, None)

    def owned_by(self, visitor: str) -> list[str]:
        """Keys of a visitor's values, the least recently used first."""
        return [key for key in self._values if visitor in self._owners[key]]

    def make_room(self, visitor: str, size: int, in_use: Container[str] = frozenset()) -> Shortage | None:
        """Make room for a value of `size` bytes that is to belong to `visitor`; None, or why that cannot be.

        Values whose keys are `in_use` are not given up. Nothing is given up in vain.
        """
        self._forget_absent()
        mine = set(self.owned_by(visitor))
        neighbours = {key for key in self._values if self._address(visitor) in map(self._address, self._owners[key])}
        unused = [key for key in self._values if key not in in_use]
        alone = [key for key in unused if self._owners[key] == {visitor}]
        unowned = [key for key in unused if not self._owners[key]]
        shares, large = self.shares, size > self.shares.small
        bounds: list[tuple[Scope, int, set[str], list[str]]] = [
            ("visitor", shares.visitor, mine, [key for key in unused if key in mine]),
            ("address", shares.address, neighbours, alone),
            ("all", shares.total, set(self._values), unowned + alone),
        ]
        if large:
            bounds.append(
                ("all", shares.total - shares.reserved, set(filter(self._is_large, self._values)), unowned + alone)
            )
        given_up: set[str] = set()
        for scope, limit, counted, candidates in bounds:
            # A value that others own as well is given up by this visitor only: it still counts elsewhere.
            gone = given_up.intersection(alone + unowned)
            taken = sum(self._size(self._values[key]) for key in counted - gone)
            for key in candidates:
                if taken + size <= limit:
                    break
                if key in counted - gone:
                    given_up.add(key)
                    taken -= self._size(self._values[key])
            if taken + size > limit:
                return Shortage(scope, taken, limit)
        for key in given_up:
            self._owners[key].discard(visitor)
            if not self._owners[key]:
                self.drop(key)
        return None

    def drop_unowned(self) -> None:
        """Give up what belongs to nobody present."""
        self._forget_absent()
        for key in [key for key, owners in self._owners.items() if not owners]:
            self.drop(key)

    def _is_large(self, key: str) -> bool:
        return self._size(self._values[key]) > self.shares.small

    def _forget_absent(self) -> None:
        there: dict[str, bool] = {}
        for owners in self._owners.values():
            for visitor in owners:
                if visitor not in there:
                    there[visitor] = self._present(visitor)
            owners.intersection_update([visitor for visitor in owners if there[visitor]])
