"""What the host reads: one line of JSON on stderr for each start, visit, failure, refusal and slow answer.

A line has no personal data: no address, no drawing, no network, nothing that a visitor has typed. Its words are the
app's own.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

MOST = 60  # lines of one event in a minute: strangers may cause as many as they like
SLOW = 1.0  # seconds from which on an answer is noted
PACKAGE = Path(__file__).parents[1]

_LOG = logging.getLogger("cnn_explorer.events")


class _Quota:
    """How many lines of an event have been written in the present minute, and how many left out since the last."""

    def __init__(self) -> None:
        self.minute = self.written = self.left_out = 0


_QUOTAS: dict[str, _Quota] = {}
_COUNTING = threading.Lock()


def write_to_stderr() -> None:
    """Write the lines on the process's stderr; without this call the loggers above decide."""
    if not _LOG.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        _LOG.addHandler(handler)
        _LOG.propagate = False
    _LOG.setLevel(logging.INFO)


def note(event: str, **facts: str | float | None) -> None:
    """Write one line. Beyond `MOST` a minute lines are left out, and the next one says how many."""
    with _COUNTING:
        quota, minute = _QUOTAS.setdefault(event, _Quota()), int(time.monotonic() // 60)
        if minute != quota.minute:
            quota.minute, quota.written = minute, 0
        if quota.written == MOST:
            quota.left_out += 1
            return
        quota.written += 1
        if quota.left_out:
            facts["left_out"], quota.left_out = quota.left_out, 0
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    _LOG.info(json.dumps({"time": now, "event": event, **facts}))


def refusal(what: str) -> None:
    """Note that something a visitor sent or asked for was refused: the kind of thing, not the thing."""
    note("refusal", what=what)


def failure(problem: BaseException) -> None:
    """Note a failure by its class and the last line of the app that it passed. Its message may quote a visitor."""
    note("error", kind=type(problem).__name__, where=_place(problem))


def _place(problem: BaseException) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)] or frames[-1:]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
