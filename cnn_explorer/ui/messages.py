"""What a component in the browser sends, read strictly: a stranger may have written it.

A message is what JSON can hold. One that is not of the declared form is left out and noted in the log, at debug level.
"""

from __future__ import annotations

import logging
import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from cnn_explorer.ui import events

LARGEST = 2**53 - 1  # a whole number in JavaScript

Message = Mapping[str, Any]
Read = TypeVar("Read")

_LOG = logging.getLogger(__name__)


class MessageError(ValueError):
    """A part of a message that is not of the declared form."""


def message(state: Any, name: str, read: Callable[[Message], Read]) -> Read | None:
    """The message `name` in a component's `state`, as `read` returns it; None if there is none.

    `read` uses the functions below. They raise `MessageError` for what is not of the declared form; the result is then
    None, too.
    """
    sent = state.get(name) if isinstance(state, Mapping) else state
    if not sent:
        return None
    try:
        return read(fields(sent))
    except MessageError as problem:
        events.refusal("message")
        _LOG.debug("a message %s is left out: %s", name, problem)
        return None


def fields(value: Any) -> Message:
    """An object: values by name."""
    if not isinstance(value, Mapping):
        raise _not("an object", value)
    return value


def several(value: Any, most: int, least: int = 0) -> Sequence[Any]:
    """A list of `least` to `most` values."""
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        raise _not(f"a list of {least:,} to {most:,} values", value)
    return value


def whole(value: Any, low: int = 0, high: int = LARGEST) -> int:
    """A whole number from `low` to `high`; JavaScript knows no other kind of number than 4.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or value != int(value):
        raise _not(f"a whole number from {low} to {high}", value)
    return int(value)


def number(value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number from `low` to `high`."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not low <= value <= high
        or abs(value) > LARGEST
    ):
        raise _not(f"a number from {low} to {high}", value)
    return float(value)


def at_most(value: Any, high: float) -> float:
    """A number from 0 to `high`; `high` for a larger one, infinity included."""
    if isinstance(value, int | float) and value > high:
        return float(high)
    return number(value, 0, high)


def text(value: Any, most: int) -> str:
    """Text of at most so many characters, without halves of a character, which JSON can hold and no page can show."""
    if not isinstance(value, str) or len(value) > most or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise _not(f"text of at most {most:,} whole characters", value)
    return value


def flag(value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise _not("true or false", value)
    return value


def _not(expected: str, value: Any) -> MessageError:
    try:
        shown = reprlib.repr(value)
    except ValueError:  # Python writes no number of thousands of digits
        shown = type(value).__name__
    return MessageError(f"{shown} is not {expected}")
