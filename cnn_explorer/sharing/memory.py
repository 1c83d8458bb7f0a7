"""Memory that is not needed any more."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def give_back_memory() -> None:
    """Hand what a fit or a training took for a moment back to the system; C's library would keep it, a hundred
    megabytes after some dozens of fits.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another library than glibc
            ctypes.CDLL(None).malloc_trim(0)
