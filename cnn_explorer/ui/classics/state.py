"""What the page shows: a network, the part of it that is unfolded, the size of its input, and a picture.

All of it is in the address, but for a picture of one's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnn_explorer.classics.catalogue import FIRST, SIZES, network_named
from cnn_explorer.classics.folding import Part, Step, find
from cnn_explorer.classics.photographs import PHOTOGRAPHS, photograph
from cnn_explorer.text import quoted
from cnn_explorer.ui import state
from cnn_explorer.ui.address import Address, Parameter, cannot_be_read, set_notice
from cnn_explorer.ui.network_map import MAX_ID
from cnn_explorer.ui.session import remembered

OWN = "own"


@dataclass
class _Shown:
    """The `network` by torchvision's name, the id of the part that is unfolded (`part`, "" for none), and the `size` of
    the input in pixels a side, 0 for the size that the network's weights are made for. `picture` names a photograph, or
    is `OWN`; then `own` is the visitor's own as a JPEG file.
    """

    network: str = FIRST
    part: str = ""
    size: int = 0
    picture: str = next(iter(PHOTOGRAPHS))
    own: bytes = b""


def network() -> str:
    """torchvision's name of the network."""
    return remembered(_Shown).network


def part() -> str:
    """The id of the part that is unfolded, "" for none."""
    return remembered(_Shown).part


def size() -> int:
    """Rows, and columns, of the input."""
    return remembered(_Shown).size or network_named(network()).size


def show(name: str, part: str = "") -> None:
    """Show another network, or another part of one, and write the address."""
    _show_network(name)
    show_part(part)


def show_part(id: str) -> None:
    """Unfold a part, "" for none, and write the address."""
    remembered(_Shown).part = id
    set_notice(PART.name, "")
    ADDRESS.write()


def show_size(size: int) -> None:
    """Take an input of another size, and write the address."""
    remembered(_Shown).size = size
    set_notice(SIZE.name, "")
    ADDRESS.write()


def picture() -> str:
    """The name of the photograph, or `OWN`."""
    return remembered(_Shown).picture


def pictures() -> list[str]:
    """The pictures that can be shown: the photographs, and the visitor's own if there is one."""
    return [*PHOTOGRAPHS, *([OWN] if remembered(_Shown).own else [])]


def picture_file() -> bytes:
    """The picture as a JPEG file. Raises `AssetError`."""
    return remembered(_Shown).own if picture() == OWN else photograph(picture())


def show_picture(name: str) -> None:
    """Show another picture, and write the address."""
    _show_picture(name)
    set_notice(PICTURE.name, "")
    ADDRESS.write()


def show_own(file: bytes) -> None:
    """Show a picture of the visitor's own, a JPEG file, and write the address."""
    remembered(_Shown).own = file
    show_picture(OWN)


def opened(parts: Sequence[Part]) -> list[Step]:
    """The steps from the top of a network down to the one that is unfolded. If the network has no such part, a notice
    says so and nothing is unfolded.
    """
    try:
        return find(parts, part())
    except ValueError as problem:
        remembered(_Shown).part = ""
        set_notice(PART.name, PART.notice(problem, True))
        return []


# --- in the address ---


def _show_network(name: str) -> None:
    shown = remembered(_Shown)
    if shown.network != network_named(name).name:
        shown.network, shown.size = name, 0
    set_notice(NETWORK.name, "")


def _read_part(id: str) -> None:
    """Whether the network has this part is found out when its graph is there."""
    if len(id) > MAX_ID:
        raise ValueError(f"{quoted(id)} has {len(id):,} characters, more than the name of any part")
    remembered(_Shown).part = id
    set_notice(PART.name, "")


def _read_size(text: str) -> None:
    low, high = SIZES
    known = text.isascii() and text.isdigit() and len(text) < 5
    if text and not (known and low <= int(text) <= high):
        raise ValueError(f"the size (={quoted(text)}) must be a whole number from {low} to {high}")
    remembered(_Shown).size = int(text) if text else 0


def _show_picture(name: str) -> None:
    if name == OWN and not remembered(_Shown).own:
        raise ValueError("A picture of one's own stays with the visitor who has uploaded it")
    if name not in pictures():
        raise ValueError(f"there is no picture named {quoted(name)}; there are {', '.join(PHOTOGRAPHS)}")
    remembered(_Shown).picture = name


NETWORK = Parameter(
    "network",
    lambda query: _show_network(query.get("network", FIRST)),
    lambda: {"network": network()},
    cannot_be_read("network", "another one"),
)
PART = Parameter(
    "open",
    lambda query: _read_part(query.get("open", "")),
    lambda: {"open": part()},
    cannot_be_read("unfolded part", "the whole network"),
    depends_on="network",
)
SIZE = Parameter(
    "size",
    lambda query: _read_size(query.get("size", "")),
    lambda: {"size": str(remembered(_Shown).size or "")},
    cannot_be_read("size of the input", "the usual one"),
    depends_on="network",
)
PICTURE = Parameter(
    "picture",
    lambda query: _show_picture(query.get("picture", next(iter(PHOTOGRAPHS)))),
    lambda: {"picture": picture()},
    cannot_be_read("picture", "another one"),
)
ADDRESS = Address(*state.SHARED, NETWORK, PART, SIZE, PICTURE)
