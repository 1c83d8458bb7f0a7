"""A line in which network addresses take turns, and so do the visitors of each address."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class FairLine:
    """Visitors in the order of their turns. Not safe for threads by itself: callers hold a lock.

    Iterating gives every visitor once: the first visitor of every address, then the second of every address, and so on.
    The `first` has the turn.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[str]] = {}  # by address

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __contains__(self, visitor: str) -> bool:
        return any(visitor in line for line in self._lines.values())

    def __iter__(self) -> Iterator[str]:
        longest = max(map(len, self._lines.values()), default=0)
        return iter([line[place] for place in range(longest) for line in self._lines.values() if place < len(line)])

    @property
    def first(self) -> str | None:
        """Who has the turn; None in an empty line."""
        return next((line[0] for line in self._lines.values()), None)

    def join(self, visitor: str, address: str) -> None:
        """Stand at the end of an address's line."""
        self._lines.setdefault(address, deque()).append(visitor)

    def end_turn(self) -> None:
        """Put the first visitor at the end of their address's line, and that address behind all others."""
        address = next(iter(self._lines))
        line = self._lines.pop(address)
        line.rotate(-1)
        self._lines[address] = line

    def leave(self, visitor: str) -> None:
        """Take a visitor out of the line."""
        for address, line in list(self._lines.items()):
            if visitor in line:
                line.remove(visitor)
            if not line:
                del self._lines[address]
