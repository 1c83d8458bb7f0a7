"""The components' names follow their files, and the gallery shows the bundled digits."""

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.ui import asset_hashes

PACKAGE = Path(asset_hashes.__file__).parents[1]
REMEDY = "run `python -m cnn_explorer.ui.asset_hashes` and commit what it changes"


def components() -> list[dict[str, str]]:
    manifest = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, str]] = manifest["tool"]["streamlit"]["component"]["components"]
    return found


def test_every_assets_folder_is_a_component() -> None:
    assert {PACKAGE / entry["asset_dir"] for entry in components()} == {*(PACKAGE / "ui").glob("*/assets")}


@pytest.mark.parametrize("entry", components(), ids=lambda entry: entry["asset_dir"])
def test_a_components_name_ends_in_the_hash_of_its_files(entry: dict[str, str]) -> None:
    digest = hashlib.sha256()
    for file in sorted((PACKAGE / entry["asset_dir"]).iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
    assert entry["name"].rsplit("_", 1)[1] == digest.hexdigest()[:8], (
        f"files in {entry['asset_dir']} have changed: {REMEDY}"
    )


def test_a_manifest_with_hashes_is_left_as_it_is() -> None:
    manifest = (PACKAGE / "pyproject.toml").read_text(encoding="utf-8")
    assert asset_hashes.with_hashes(manifest) == manifest, REMEDY


def test_writing_hashes_replaces_an_old_hash_and_adds_a_missing_one() -> None:
    manifest = (PACKAGE / "pyproject.toml").read_text(encoding="utf-8")
    for entry in components():
        stem, _, digest = entry["name"].rpartition("_")
        for old in (stem, f"{stem}_00000000"):
            assert asset_hashes.with_hashes(
                manifest.replace(f'"{stem}_{digest}"', f'"{old}"')
            ) == asset_hashes.with_hashes(manifest)


def test_the_gallery_shows_the_bundled_digits() -> None:
    with Image.open(PACKAGE / "ui/network_view/assets/gallery.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    assert pixels.shape == (3 * 28, 10 * 28)
    for index in range(30):
        row, column = divmod(index, 10)
        tile = pixels[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        assert np.array_equal(tile, bundled_digits().images[index]), f"digit {index}: {REMEDY}"
