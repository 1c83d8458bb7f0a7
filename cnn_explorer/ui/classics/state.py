"""What the page shows: a network, the part of it that is unfolded, the size of its input, a picture, which maps, the
class of the heat map, and the order of the table.

All of it is in the address, but for a picture of one's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cnn_explorer.classics.catalogue import FIRST, SIZES, network_named
from cnn_explorer.classics.folding import Part, Step, find
from cnn_explorer.classics.photographs import PHOTOGRAPHS, photograph
from cnn_explorer.text import quoted
from cnn_explorer.ui import state
from cnn_explorer.ui.address import Address, Parameter, Query, cannot_be_read, set_notice
from cnn_explorer.ui.network_map import MAX_ID
from cnn_explorer.ui.picture_view import Pixel
from cnn_explorer.ui.session import remembered

OWN = "own"
BY_CHANNEL, ON = "channel", "1"  # in the address
MAX_LABEL = 100  # characters of a class
SORTS = ("accuracy", "parameters", "macs", "megabytes")  # columns that the table can be sorted by


@dataclass
class _Shown:
    """The `network` by torchvision's name, the id of the part that is unfolded (`part`, "" for none), and the `size` of
    the input in pixels a side, 0 for the size that the network's weights are made for. `picture` names a photograph, or
    is `OWN`; then `own` is the visitor's own as a JPEG file.

    Of the maps of that part: whether they are shown `by_channel` or the strongest first, the `page`, counted from 1,
    the `pixel` that is kept (channel, row, column), and of a join the first and the last of the `channels` that are
    shown, None for all.

    Whether the heat map is shown (`heat`), and for which class, by its `label`, "" for the most probable one. `sort`
    names the column that the table of all networks is sorted by, "" for the order of the catalogue.
    """

    network: str = FIRST
    part: str = ""
    size: int = 0
    picture: str = next(iter(PHOTOGRAPHS))
    own: bytes = b""
    by_channel: bool = False
    page: int = 1
    pixel: Pixel | None = None
    channels: tuple[int, int] | None = None
    heat: bool = False
    label: str = ""
    sort: str = ""


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
    shown = remembered(_Shown)
    shown.part, shown.page, shown.pixel, shown.channels = id, 1, None, None
    set_notice(PART.name, "")
    set_notice(MAPS.name, "")
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


def has_picture(name: str) -> bool:
    """Whether there is a picture of this name: a photograph, or `OWN` where this visitor has one."""
    return name in pictures()


def picture_file() -> bytes:
    """The picture as a JPEG file. Raises `AssetError`."""
    return file_of(picture())


def file_of(name: str) -> bytes:
    """One of `pictures` as a JPEG file. Raises `AssetError`."""
    return remembered(_Shown).own if name == OWN else photograph(name)


def show_picture(name: str) -> None:
    """Show another picture, and write the address."""
    _show_picture(name)
    set_notice(PICTURE.name, "")
    ADDRESS.write()


def show_own(file: bytes) -> None:
    """Show a picture of the visitor's own, a JPEG file, and write the address."""
    remembered(_Shown).own = file
    show_picture(OWN)


def by_channel() -> bool:
    """Whether maps are shown by channel, and not the strongest first."""
    return remembered(_Shown).by_channel


def page() -> int:
    """The page of maps, counted from 1."""
    return remembered(_Shown).page


def pixel() -> Pixel | None:
    """The pixel that is kept: channel, row, column."""
    return remembered(_Shown).pixel


def channels() -> tuple[int, int] | None:
    """The first and the last of a join's channels that are shown, None for all."""
    return remembered(_Shown).channels


def show_maps(by_channel: bool, channels: tuple[int, int] | None = None, page: int = 1) -> None:
    """Show other maps of the part that is unfolded, and write the address."""
    shown = remembered(_Shown)
    shown.by_channel, shown.channels, shown.page = by_channel, channels, page
    set_notice(MAPS.name, "")
    ADDRESS.write()


def keep_pixel(pixel: Pixel) -> None:
    """Keep a pixel of a map, and write the address."""
    remembered(_Shown).pixel = pixel
    set_notice(MAPS.name, "")
    ADDRESS.write()


def drop_maps(problem: str) -> None:
    """Forget what the address says of maps that the layer does not have; a notice says so."""
    shown = remembered(_Shown)
    shown.page, shown.pixel, shown.channels = 1, None, None
    set_notice(MAPS.name, MAPS.notice(ValueError(problem), True))


def heat() -> bool:
    """Whether the heat map is shown."""
    return remembered(_Shown).heat


def label() -> str:
    """The class that the heat map is for, "" for the most probable one."""
    return remembered(_Shown).label


def show_heat(heat: bool) -> None:
    """Show the heat map, or not, and write the address."""
    remembered(_Shown).heat = heat
    set_notice(HEAT.name, "")
    ADDRESS.write()


def show_label(label: str) -> None:
    """Show the heat map for another class, "" for the most probable one, and write the address."""
    remembered(_Shown).label = label
    set_notice(HEAT.name, "")
    ADDRESS.write()


def drop_label() -> None:
    """Forget a class that there is not; a notice says so."""
    problem = ValueError(f"none of ImageNet's 1,000 classes is named {quoted(label())}")
    remembered(_Shown).label = ""
    set_notice(HEAT.name, HEAT.notice(problem, True))


def sort() -> str:
    """The column that the table of all networks is sorted by, "" for the order of the catalogue."""
    return remembered(_Shown).sort


def show_sort(column: str) -> None:
    """Sort the table of all networks by another column, and write the address."""
    _show_sort(column)
    set_notice(SORT.name, "")
    ADDRESS.write()


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


def _read_maps(query: Query) -> None:
    order, number, at, of = (query.get(name, "") for name in ("order", "page", "at", "channels"))
    if order not in ("", BY_CHANNEL):
        raise ValueError(f"the order (={quoted(order)}) must be {BY_CHANNEL}, or be left out")
    if number and not re.fullmatch(r"[1-9]\d{0,3}", number, re.ASCII):
        raise ValueError(f"the page (={quoted(number)}) must be a whole number from 1 on")
    found = re.fullmatch(r"(\d{1,5})\.(\d{1,4})\.(\d{1,4})", at, re.ASCII)
    if at and not found:
        raise ValueError(f"the pixel (={quoted(at)}) must be a map, a row and a column, such as 7.3.4")
    part = re.fullmatch(r"(\d{1,5})-(\d{1,5})", of, re.ASCII)
    if of and not part:
        raise ValueError(f"the channels (={quoted(of)}) must be the first and the last of a part, such as 64-95")
    shown = remembered(_Shown)
    shown.by_channel, shown.page = bool(order), int(number or 1)
    shown.pixel = (int(found[1]), int(found[2]), int(found[3])) if found else None
    shown.channels = (int(part[1]), int(part[2])) if part else None
    set_notice(MAPS.name, "")


def _read_heat(query: Query) -> None:
    """Whether there is such a class is found out when the classes are there."""
    switch, wanted = query.get("heat", ""), query.get("class", "")
    if switch not in ("", ON):
        raise ValueError(f"heat (={quoted(switch)}) must be {ON}, or be left out")
    if len(wanted) > MAX_LABEL:
        raise ValueError(f"{quoted(wanted)} has {len(wanted):,} characters, more than the name of any class")
    shown = remembered(_Shown)
    shown.heat, shown.label = bool(switch), wanted


def _show_sort(column: str) -> None:
    if column not in ("", *SORTS):
        raise ValueError(f"the table is sorted by {', '.join(SORTS)}, and not by {quoted(column)}")
    remembered(_Shown).sort = column


def _maps_query() -> Query:
    shown = remembered(_Shown)
    return {
        "order": BY_CHANNEL if shown.by_channel else "",
        "page": str(shown.page) if shown.page > 1 else "",
        "at": ".".join(map(str, shown.pixel)) if shown.pixel else "",
        "channels": "-".join(map(str, shown.channels)) if shown.channels else "",
    }


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
MAPS = Parameter(
    "maps",
    _read_maps,
    _maps_query,
    cannot_be_read("choice of maps", "the strongest ones"),
    ("order", "page", "at", "channels"),
    depends_on="open",
)
HEAT = Parameter(
    "heat",
    _read_heat,
    lambda: {"heat": ON if heat() else "", "class": label()},
    cannot_be_read("class of the heat map", "the most probable one"),
    ("heat", "class"),
)
SORT = Parameter(
    "sort",
    lambda query: _show_sort(query.get("sort", "")),
    lambda: {"sort": sort()},
    cannot_be_read("order of the table", "the usual one"),
)
ADDRESS = Address(*state.SHARED, NETWORK, PART, SIZE, PICTURE, MAPS, HEAT, SORT)
