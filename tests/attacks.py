"""Files that once stopped the server that read them, all of them PyTorch's: zips with a pickle in it."""

from __future__ import annotations

import io
import struct
import zipfile
from functools import cache

SENTENCE = "a pickle can run any program when it is opened"  # of the page, about each of them


def zipped(pickle: bytes, kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip as torch writes it, with this pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        archive.writestr("weights/data.pkl", pickle)
        archive.writestr("weights/version", b"3\n")
    return file.getvalue()


@cache
def attacks() -> dict[str, bytes]:
    """Contents by what they did."""
    bomb = bytearray(zipped(bytes(100_000_000), zipfile.ZIP_BZIP2))
    for _ in range(2):  # sizes claimed in front of the record and in the directory
        place = bomb.index(struct.pack("<I", 100_000_000))
        bomb[place : place + 4] = struct.pack("<I", 1000)
    return {
        "crash": zipped(b"})" + b"\x85" * 300_000 + b"Ns."),  # a tuple in a tuple in a tuple … as the key of a dict
        "standstill": zipped(b"ctorch\n" + b"A" * 120_000 + b"Storage\n."),  # a regular expression in quadratic time
        "memory": bytes(bomb),  # unpacked without limit
        "operations": zipped(b"\x80\x02" + b"]0" * 19_000_000 + b"}."),  # 38 million in 37 kB
    }
