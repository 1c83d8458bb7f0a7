"""Write a hash of its assets into every component's name. Run after every change to a file in an `assets` folder:

    python -m cnn_explorer.ui.asset_hashes

Streamlit serves component files without a validator, under a path that holds the component's name. A name that changes
with the files keeps a browser from mixing modules of two versions. The gallery's picture is made anew from the bundled
digits as well.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_explorer.digits.data import bundled_digits

PACKAGE = Path(__file__).parents[1]
MANIFEST = PACKAGE / "pyproject.toml"
GALLERY = (3, 10)  # rows and columns of digits
_ENTRY = re.compile(r'name = "(?P<stem>[a-z_]+?)(?:_[0-9a-f]{8})?"\nasset_dir = "(?P<folder>[^"]+)"')


def gallery() -> Image.Image:
    """The first bundled digits as one picture, 28 pixels each."""
    rows, columns = GALLERY
    digits = bundled_digits().images[: rows * columns].reshape(rows, columns, 28, 28)
    return Image.fromarray(np.ascontiguousarray(digits.transpose(0, 2, 1, 3)).reshape(28 * rows, 28 * columns))


def with_hashes(manifest: str) -> str:
    """The manifest with every component's name carrying the hash of its folder."""

    def with_hash(entry: re.Match[str]) -> str:
        stem, folder = entry["stem"], entry["folder"]
        return f'name = "{stem}_{_digest(PACKAGE / folder)}"\nasset_dir = "{folder}"'

    return _ENTRY.sub(with_hash, manifest)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:8]


def main() -> None:
    """Command line: see the top of this file."""
    gallery().save(PACKAGE / "ui/network_view/assets/gallery.png", optimize=True)
    MANIFEST.write_text(with_hashes(MANIFEST.read_text(encoding="utf-8")), encoding="utf-8")
    print(MANIFEST.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
