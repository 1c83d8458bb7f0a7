"""Return unused memory to the system; how much there is."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

M_ARENA_MAX = -8  # of glibc's malloc.h


def give_back_memory() -> None:
    """Return the memory that a fit or a training has freed to the system.

    glibc would keep it: a hundred megabytes after dozens of fits.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another C library than glibc
            ctypes.CDLL(None).malloc_trim(0)


def share_arenas() -> None:
    """Have all threads allocate from a few of glibc's arenas. Call it before there are many threads.

    By default there are up to eight arenas a processor. Each keeps freed memory in pieces between what lives on. What
    that comes to is in docs/measurements.md.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # as above
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def memory_bound(root: Path = Path("/")) -> int | None:
    """Bytes of memory that this process may use: the machine's, or the limit of a container or service that it runs in.

    None where neither is known.
    """
    bounds = []
    with suppress(AttributeError, OSError, ValueError):  # Windows
        bounds.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file in _limits(root):
        with suppress(OSError, ValueError):  # there is none, or it says "max"
            bounds.append(int(file.read_text()))
    return min(bounds, default=None)


def _limits(root: Path) -> Iterator[Path]:
    """Files that may hold a limit: of this process's control group and of those around it, in both versions of them."""
    groups = root / "sys/fs/cgroup"
    yield groups / "memory/memory.limit_in_bytes"
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            path = Path(line.split(":", 2)[2].lstrip("/"))
            yield from (groups / folder / "memory.max" for folder in (path, *path.parents))
