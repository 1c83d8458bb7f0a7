"""The files that come with the package are the ones that were shipped, or a sentence says that they are not."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from cnn_explorer import shipped
from cnn_explorer.classics.photographs import PHOTOGRAPHS, photograph
from cnn_explorer.classics.recorded import records
from cnn_explorer.digits import data, drawing
from cnn_explorer.shipped import ASSETS, SUMS, AssetError, read_asset, write_all_sums, write_sums
from cnn_explorer.spec.network import LECTURE, PRESETS, parse
from cnn_explorer.weights import load as weights
from cnn_explorer.weights import shared_filters as shared

ROOT = Path(__file__).parent.parent
DENSE = PRESETS["the lecture's fully connected network"]
CACHES = (
    data.bundled_digits,
    drawing.example_drawing,
    drawing.parse_drawing,
    shared.shared_weights,
    weights._trained,
    weights._tensors,
    weights.recipe,
    records,
)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the shipped files that everything reads from."""
    folder = tmp_path / "assets"
    shutil.copytree(ASSETS, folder)
    monkeypatch.setattr(shipped, "ASSETS", folder)
    forget()
    yield folder
    forget()


def forget() -> None:
    """Have everything read its file again."""
    for cached in CACHES:
        cached.cache_clear()


def flip(file: Path, count: int = 5000) -> None:
    """Turn the bits of `count` bytes in the middle of a file."""
    contents = bytearray(file.read_bytes())
    start = max(0, (len(contents) - count) // 2)
    contents[start : start + count] = bytes(byte ^ 0xFF for byte in contents[start : start + count])
    file.write_bytes(contents)


def test_every_file_has_its_sum() -> None:
    lines = (ASSETS / SUMS).read_bytes().decode("ascii").removesuffix("\n").split("\n")
    listed = dict(reversed(line.split("  ")) for line in lines)
    files = {file for file in ASSETS.iterdir() if file.name != SUMS}
    assert listed == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_a_checkout_never_changes_line_ends() -> None:
    """Git would on Windows, and a JSON file would have another sum."""
    names = [f"cnn_explorer/assets/{file.name}" for file in ASSETS.iterdir()]
    done = subprocess.run(
        ["git", "check-attr", "text", "--", *names], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(names) == len(done.stdout.splitlines()) == len(re.findall(r": text: unset$", done.stdout, re.MULTILINE))


READERS: list[tuple[str, Callable[[], object]]] = [
    ("presets.pt", lambda: weights.load_network(DENSE)),
    ("presets.json", lambda: weights.load_network(DENSE)),
    ("lecture.pt", lambda: weights.load_network(LECTURE)),
    ("lecture.json", lambda: weights.load_network(LECTURE)),
    ("shared.pt", lambda: weights.load_network(parse("conv10k5-max2-relu-conv20k5-max2-tanh-fc10"))),
    ("digits.npz", data.bundled_digits),
    ("more_digits.npz", data.more_digits),
    ("example.json", drawing.example_drawing),
    ("classics.json.gz", records),
    *((f"{name}.jpg", partial(photograph, name)) for name in PHOTOGRAPHS),
    (SUMS, data.more_digits),
]


@pytest.mark.parametrize(("name", "read"), READERS)
def test_a_damaged_file_is_named(copied: Path, name: str, read: Callable[[], object]) -> None:
    read()
    forget()
    flip(copied / name)
    with pytest.raises(AssetError) as raised:
        read()
    if name != SUMS:
        assert raised.value.name == name
        assert (
            str(raised.value)
            == f"The file {name} that comes with the app is damaged or missing; install the app again."
        )


@pytest.mark.parametrize(("name", "read"), READERS)
def test_a_missing_file_is_named(copied: Path, name: str, read: Callable[[], object]) -> None:
    (copied / name).unlink()
    with pytest.raises(
        AssetError, match=f"^The file {re.escape(name)} that comes with the app is damaged or missing; install the app"
    ):
        read()


def test_every_file_that_is_read_is_covered() -> None:
    assert {name for name, _ in READERS} == {file.name for file in ASSETS.iterdir()} - {
        "shared.json"
    }  # which nothing reads


def test_one_bit_is_enough(copied: Path) -> None:
    contents = bytearray((copied / "lecture.pt").read_bytes())
    contents[20_000] ^= 1
    (copied / "lecture.pt").write_bytes(contents)
    with pytest.raises(OSError, match=r"lecture\.pt"):
        read_asset("lecture.pt")


def test_a_damaged_file_leaves_the_other_networks(copied: Path) -> None:
    flip(copied / "presets.pt")
    assert weights.load_network(LECTURE).label.source == "trained"


def test_a_file_without_a_sum_is_not_read(copied: Path) -> None:
    (copied / "more.json").write_text("{}")
    with pytest.raises(AssetError):
        read_asset("more.json")


def test_the_sums_of_some_files_are_written_anew(copied: Path) -> None:
    for name in ("lecture.pt", "shared.json"):
        (copied / name).write_bytes(b"another")
    write_sums(copied, ["lecture.pt"])
    assert read_asset("lecture.pt") == b"another"
    assert read_asset("more_digits.npz") == (ASSETS / "more_digits.npz").read_bytes()
    with pytest.raises(AssetError):
        read_asset("shared.json")


def test_the_sums_of_all_files_are_written_anew(copied: Path) -> None:
    (copied / "lecture.pt").write_bytes(b"another")
    (copied / "shared.json").unlink()
    write_all_sums(copied)
    assert read_asset("lecture.pt") == b"another"
    assert len((copied / SUMS).read_text().splitlines()) == len([*ASSETS.iterdir()]) - 2


def test_the_command_writes_the_sums_that_are_shipped(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / SUMS).unlink()
    shipped.main()
    assert (copied / SUMS).read_bytes() == (ASSETS / SUMS).read_bytes()
    assert f"{SUMS}: {len([*ASSETS.iterdir()]) - 1} files" in capsys.readouterr().out
