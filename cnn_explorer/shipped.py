"""The files that come with the package, checked every time they are read.

`assets/SHA256SUMS` has the SHA-256 sum of every other file in that folder, in the format that
`sha256sum --check SHA256SUMS` reads. The commands that build a file write its new sum. After any other change to the
folder,

    python -m cnn_explorer.shipped

writes the sums of all files anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
SUMS = "SHA256SUMS"


class AssetError(OSError):
    """A file of the package, `name`, that is damaged or missing; the message is for a page."""

    def __init__(self, name: str):
        super().__init__(f"The file {name} that comes with the app is damaged or missing; install the app again.")
        self.name = name


def read_asset(name: str) -> bytes:
    """The contents of `assets/{name}`. Raises `AssetError` if it cannot be read or is not the file that was shipped."""
    expected = _sums(ASSETS).get(name)
    try:
        contents = (ASSETS / name).read_bytes()
    except OSError as problem:
        raise AssetError(name) from problem
    if hashlib.sha256(contents).hexdigest() != expected:
        raise AssetError(name)
    return contents


def _sums(folder: Path) -> dict[str, str]:
    """SHA-256 sums by file name, in hexadecimal digits. Raises `AssetError` for a list that cannot be read."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as problem:
        raise AssetError(SUMS) from problem
    # "sum  name", or "sum *name" as sha256sum writes it on other systems.
    return {name[1:]: digits for digits, space, name in (line.partition(" ") for line in lines) if name}


def write_sums(folder: Path, names: Iterable[str]) -> None:
    """Write the sums of these files of `folder` to its SHA256SUMS; the other lines of that file stay."""
    sums = _sums(folder) if (folder / SUMS).exists() else {}
    sums |= {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    _write(folder, sums)


def write_all_sums(folder: Path) -> None:
    """Write SHA256SUMS anew, for all files of `folder`."""
    names = [file.name for file in folder.iterdir() if file.name != SUMS and not file.name.startswith(".")]
    _write(folder, {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names})


def _write(folder: Path, sums: dict[str, str]) -> None:
    text = "".join(f"{digits}  {name}\n" for name, digits in sorted(sums.items()))
    (folder / SUMS).write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Command line: see the top of this file."""
    write_all_sums(ASSETS)
    print(f"{ASSETS / SUMS}: {len(_sums(ASSETS))} files")


if __name__ == "__main__":
    main()
