"""A cache that visitors share fairly, bounded in bytes: in total, for a visitor, and for a network address.

A value belongs to the visitors who asked for it, as long as they are present. To make room for a visitor's new value,
the cache drops the values of nobody present, least recently used first, then those of this visitor that are not in use.
It never drops what belongs to others: then it refuses the new value and returns the numbers.
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
    """At most so many bytes are kept: in `total`, for one `visitor`, for all visitors of one `address`.

    `reserved` bytes of the total are for values of up to `small` bytes.
    """

    total: int
    visitor: int
    address: int
    small: int
    reserved: int

    @classmethod
    def of(cls, total: int) -> Shares:
        """For a visitor a half, for an address three quarters; a quarter is reserved for values of up to a twelfth."""
        return cls(total, total // 2, total * 3 // 4, total // 12, total // 4)


@dataclass(frozen=True)
class Shortage:
    """Why there is no room: of the `limit` bytes of a `scope`, `taken` bytes cannot be freed."""

    scope: Scope
    taken: int
    limit: int


class FairCache(Generic[Value]):
    """Values by key, each with the visitors it belongs to. Not thread-safe: callers hold a lock.

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
        """The value of a key, None if it is not kept. It now belongs to `visitor`, too, if one is given."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        if visitor:
            self._owners[key].add(visitor)
        return self._values[key]

    def keep(self, key: str, value: Value, visitors: Iterable[str]) -> None:
        """Set the value of a key. It belongs to `visitors` and to the owners of the value it replaces."""
        self._values[key] = value
        self._values.move_to_end(key)
        self._owners.setdefault(key, set()).update(visitors)

    def drop(self, key: str) -> None:
        """Drop a value, whoever it belongs to."""
        self._values.pop(key, None)
        self._owners.pop(key, None)

    def owned_by(self, visitor: str) -> list[str]:
        """Keys of a visitor's values, the least recently used first."""
        return [key for key in self._values if visitor in self._owners[key]]

    def make_room(self, visitor: str, size: int, in_use: Container[str] = frozenset()) -> Shortage | None:
        """Make room for a new value of `size` bytes of `visitor`. Returns None, or why there is no room.

        Values whose keys are `in_use` are not dropped. Where there is no room, nothing is dropped.
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
        dropped: set[str] = set()
        for scope, limit, counted, candidates in bounds:
            # A value with other owners loses this visitor only: in the other scopes it still counts.
            gone = dropped.intersection(alone + unowned)
            taken = sum(self._size(self._values[key]) for key in counted - gone)
            for key in candidates:
                if taken + size <= limit:
                    break
                if key in counted - gone:
                    dropped.add(key)
                    taken -= self._size(self._values[key])
            if taken + size > limit:
                return Shortage(scope, taken, limit)
        for key in dropped:
            self._owners[key].discard(visitor)
            if not self._owners[key]:
                self.drop(key)
        return None

    def drop_unowned(self) -> None:
        """Drop what belongs to nobody present."""
        self._forget_absent()
        for key in [key for key, owners in self._owners.items() if not owners]:
            self.drop(key)

    def _is_large(self, key: str) -> bool:
        return self._size(self._values[key]) > self.shares.small

    def _forget_absent(self) -> None:
        present: dict[str, bool] = {}
        for owners in self._owners.values():
            for visitor in owners:
                if visitor not in present:
                    present[visitor] = self._present(visitor)
            owners.intersection_update([visitor for visitor in owners if present[visitor]])
