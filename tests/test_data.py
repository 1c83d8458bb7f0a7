import gzip
import importlib.util
import json
import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from full_data import full_mnist, mnist_folder, written_digits

from cnn_explorer import shipped
from cnn_explorer.digits import data
from cnn_explorer.digits.data import (
    ASSETS,
    MNIST_FILES,
    MNIST_RAW,
    DataError,
    MnistDownload,
    PenDigit,
    bundled_digits,
    data_folder,
    download_mnist,
    has_mnist,
    mnist,
    mnist_download,
    more_digits,
    pen_digits,
    select_digits,
)
from cnn_explorer.digits.preprocessing import preprocess_strokes


def test_bundled_digits_are_a_hundred_of_each_class_in_turn():
    digits = bundled_digits()
    assert digits.images.shape == (1000, 28, 28)
    assert digits.images.dtype == np.uint8
    assert digits.labels.dtype == np.int64
    assert digits.labels.tolist() == list(range(10)) * 100
    assert len({image.tobytes() for image in digits.images}) == len(digits) == 1000


def test_more_digits_are_others_of_each_class_in_turn():
    digits = more_digits()
    assert digits.images.shape == (4000, 28, 28)
    assert digits.labels.tolist() == list(range(10)) * 400
    assert not {image.tobytes() for image in digits.images} & {image.tobytes() for image in bundled_digits().images}


def test_bundled_digits_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        bundled_digits().images[0, 0, 0] = 1


@pytest.mark.full_mnist
def test_bundled_digits_are_training_digits():
    mnist_train, mnist_test = full_mnist(train=True), full_mnist(train=False)
    known = {image.tobytes(): label for image, label in zip(mnist_train.images, mnist_train.labels, strict=True)}
    assert [known.get(image.tobytes()) for image in bundled_digits().images] == bundled_digits().labels.tolist()
    assert [known.get(image.tobytes()) for image in more_digits().images] == more_digits().labels.tolist()
    assert not {image.tobytes() for image in mnist_test.images} & {
        image.tobytes() for part in (bundled_digits(), more_digits()) for image in part.images
    }


def test_assets_are_small():
    assert (ASSETS / "digits.npz").stat().st_size <= 250_000
    assert (ASSETS / "more_digits.npz").stat().st_size <= 1_000_000
    assert (ASSETS / "shared.pt").stat().st_size <= 6_500_000
    assert (ASSETS / "example.json").stat().st_size <= 5_000


def test_select_digits_keeps_file_order_within_a_class():
    rows = np.zeros((40, 785), dtype=np.int64)
    rows[:, -1] = np.repeat(np.arange(10)[::-1], 4)
    rows[:, 0] = np.arange(40)
    chosen = select_digits(rows, per_class=2)
    assert chosen.labels.tolist() == [*range(10), *range(10)]
    assert chosen.images[:, 0, 0].tolist() == [36, 32, 28, 24, 20, 16, 12, 8, 4, 0, 37, 33, 29, 25, 21, 17, 13, 9, 5, 1]
    with pytest.raises(ValueError, match=r"4 digits, fewer than `per_class` \(=5\)"):
        select_digits(rows, per_class=5)


def test_the_command_writes_what_it_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = np.random.default_rng(0).integers(0, 256, (1000, 785))
    rows[:, -1] = np.arange(1000) // 100
    with gzip.open(tmp_path / "source.csv.gz", "wt", compresslevel=1) as file:
        file.writelines(",".join(map(str, row)) + "\n" for row in rows.tolist())
    data.main(["--source", str(tmp_path / "source.csv.gz"), "--out", str(tmp_path / "digits.npz")])
    monkeypatch.setattr(shipped, "ASSETS", tmp_path)
    written = bundled_digits.__wrapped__()
    assert np.array_equal(written.images[1], rows[100, :-1].reshape(28, 28))
    assert written.labels.tolist() == list(range(10)) * 100


def test_data_folder_prefers_the_argument_then_the_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(data.FOLDER_VARIABLE, "from-variable")
    assert data_folder("given") == Path("given")
    assert data_folder() == Path("from-variable")
    monkeypatch.delenv(data.FOLDER_VARIABLE)
    assert data_folder() == Path("data")


def test_missing_mnist_is_an_error_with_a_remedy(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"`download=True`.*CNN_EXPLORER_DATA"):
        mnist(tmp_path)


def test_a_file_that_was_cut_short_is_not_mnist(tmp_path: Path):
    put_mnist(tmp_path)
    assert has_mnist(tmp_path)
    os.truncate(tmp_path / MNIST_RAW / "train-images-idx3-ubyte", 1_000_000)
    assert not has_mnist(tmp_path)
    with pytest.raises(FileNotFoundError, match="no MNIST in"):
        mnist(tmp_path)


@pytest.mark.full_mnist
def test_mnist_has_two_parts():
    mnist_train, mnist_test = (mnist(mnist_folder(), train) for train in (True, False))
    for read, train in ((mnist_train, True), (mnist_test, False)):
        assert np.array_equal(read.images, full_mnist(train).images)
        assert np.array_equal(read.labels, full_mnist(train).labels)
    assert mnist_train.images.shape == (60_000, 28, 28)
    assert mnist_test.images.shape == (10_000, 28, 28)
    assert mnist_train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist_test.labels[:5].tolist() == [7, 2, 1, 0, 4]


# --- fetching full MNIST ---

FAKE_TORCHVISION = """
import os, time
from pathlib import Path

SIZES = {sizes}

class MNIST:
    def __init__(self, root, download):
        raw = Path(root) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name, (size, gzipped) in SIZES.items():
            (raw / (name + ".gz")).write_bytes(bytes(gzipped // 2))
            Path({step!r}).touch()
            {meanwhile}
            (raw / (name + ".gz")).write_bytes(bytes(gzipped))
            with open(raw / name, "wb") as file:
                file.truncate(size)
"""


def put_mnist(folder: Path) -> None:
    """Files of MNIST's sizes, with nothing in them."""
    (folder / MNIST_RAW).mkdir(parents=True)
    for name, (size, _) in MNIST_FILES.items():
        with (folder / MNIST_RAW / name).open("wb") as file:
            file.truncate(size)


@pytest.fixture
def fake_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Have the downloading process find another torchvision, which runs `meanwhile` in the middle of each file; returns
    a file that exists from then on.
    """

    def put(meanwhile: str) -> Path:
        (tmp_path / "fake" / "torchvision").mkdir(parents=True, exist_ok=True)
        (tmp_path / "fake" / "torchvision" / "__init__.py").touch()
        code = FAKE_TORCHVISION.format(sizes=MNIST_FILES, step=str(tmp_path / "step"), meanwhile=meanwhile)
        (tmp_path / "fake" / "torchvision" / "datasets.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
        return tmp_path / "step"

    return put


def finished(download: MnistDownload, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while download.going:
        assert time.monotonic() < until, "still going"
        time.sleep(0.01)


def test_a_download_shows_its_progress_and_leaves_just_the_files(tmp_path: Path, fake_torchvision):
    goes_on = tmp_path / "goes on"
    half = fake_torchvision(f"while not os.path.exists({str(goes_on)!r}): time.sleep(0.01)")
    download = MnistDownload(tmp_path / "data")
    assert (download.ready, download.going, download.progress, download.problem) == (False, False, 0, "")
    download.start()
    download.start()  # a second press changes nothing
    until = time.monotonic() + 20
    while not half.exists() or download.progress != pytest.approx(9_912_422 / 2 / 11_594_722, abs=1e-6):
        assert time.monotonic() < until, (download.progress, download.problem)
        time.sleep(0.01)
    assert download.going
    assert not has_mnist(tmp_path / "data")
    goes_on.touch()
    finished(download)
    assert download.ready
    assert download.problem == ""
    assert sorted(
        str(file.relative_to(tmp_path / "data")) for file in (tmp_path / "data").rglob("*") if file.is_file()
    ) == sorted(str(MNIST_RAW / name) for name in MNIST_FILES)
    download.start()
    assert not download.going  # nothing is missing


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (
            "raise RuntimeError('Tried here, got:\\n<urlopen error [Errno 5] no way>')",
            "`urlopen error [Errno 5] no way`",
        ),
        ("os._exit(3)", "no reason was given"),
    ],
)
def test_a_download_that_failed_can_be_tried_again(tmp_path: Path, fake_torchvision, meanwhile: str, reason: str):
    fake_torchvision(meanwhile)
    put_mnist(tmp_path)
    os.truncate(
        tmp_path / MNIST_RAW / "t10k-labels-idx1-ubyte", 5
    )  # left by another download; in torchvision's eyes it is complete
    download = MnistDownload(tmp_path)
    download.start()
    finished(download)
    remedy = "Check the network and try again, or name a folder that has MNIST/raw by CNN_EXPLORER_DATA."
    assert download.problem == f"MNIST could not be downloaded ({reason}). {remedy}"
    assert not download.ready
    assert not [*tmp_path.glob(".mnist*")]
    fake_torchvision("pass")
    download.start()
    assert download.problem == ""
    finished(download)
    assert download.ready


def test_a_silent_server_is_given_up(tmp_path: Path, fake_torchvision):
    fake_torchvision("time.sleep(600)")
    with pytest.raises(OSError, match=r"\(nothing came for 1 seconds\)"):
        download_mnist(tmp_path, patience=1.0)
    assert {file.name for file in tmp_path.iterdir()} == {"fake", "step"}


def test_torchvision_itself_behind_a_proxy_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its data sets, without all else that it would import before."""
    (tmp_path / "alone" / "torchvision").mkdir(parents=True)
    folders = importlib.util.find_spec("torchvision").submodule_search_locations
    (tmp_path / "alone" / "torchvision" / "__init__.py").write_text(f"__path__ += {[*folders]}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "alone"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        OSError, match=r"MNIST could not be downloaded \(`urlopen error .*refused`\)\. Check the network and try again"
    ):
        download_mnist(tmp_path / "data", patience=60)
    assert not [*(tmp_path / "data").iterdir()]


def test_a_folder_that_cannot_be_written_to(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"MNIST cannot be kept in .*file; name another folder by CNN_EXPLORER_DATA"):
        download_mnist(tmp_path / "file")


def test_mnist_downloads_on_request_only(tmp_path: Path, fake_torchvision):
    fake_torchvision("os._exit(0)")
    with pytest.raises(OSError, match="could not be downloaded"):
        mnist(tmp_path / "data", download=True)


def test_there_is_one_download_a_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path))
    mnist_download.cache_clear()
    try:
        assert mnist_download() is mnist_download()
        assert mnist_download().folder == tmp_path
    finally:
        mnist_download.cache_clear()


# --- pen digits, the example ---


def test_pen_digits_reads_a_line_a_digit(tmp_path: Path):
    with gzip.open(tmp_path / "pen.jsonl.gz", "wt") as file:
        file.write(json.dumps({"label": 7, "writer": 3, "strokes": [[[1, 2], [3, 4]], [[5, 6]]]}) + "\n")
    assert pen_digits(tmp_path / "pen.jsonl.gz") == [PenDigit(7, 3, (((1, 2), (3, 4)), ((5, 6),)))]


def test_all_pen_digits_are_there():
    written = written_digits()
    assert len(written) == 7494
    assert {digit.writer for digit in written} == set(range(1, 31))


def test_the_example_is_a_clear_centred_drawing():
    example = json.loads((ASSETS / "example.json").read_text(encoding="utf-8"))
    points = np.concatenate([np.array(stroke) for stroke in example["strokes"]])
    assert len(points) <= 60
    assert points.dtype == np.int64
    low, high = points.min(axis=0), points.max(axis=0)
    assert 0.6 <= (high - low).max() / example["canvas_size"] <= 0.75
    assert np.abs((low + high) / 2 - example["canvas_size"] / 2).max() <= 2
    assert not preprocess_strokes(example["strokes"]).is_empty


def test_mnist_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    put_mnist(tmp_path)
    with pytest.raises(OSError, match="cannot be read; delete these files and fetch it again"):
        mnist(tmp_path)


def write_mnist(folder: Path, label: int, side: int = 28) -> None:
    """MNIST's files as they should be, but for the value of one `label` and the height of the images, `side`."""
    put_mnist(folder)
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        labels = bytearray(number % 10 for number in range(count))
        labels[-1] = label
        heads = {
            "images-idx3": struct.pack(">4i", 0x803, count * 28 // side, side, 28),
            "labels-idx1": struct.pack(">2i", 0x801, count),
        }
        for name, head in heads.items():
            with (folder / MNIST_RAW / f"{part}-{name}-ubyte").open("r+b") as file:
                file.write(head + (labels if name == "labels-idx1" else b""))


@pytest.mark.parametrize(("label", "side", "fine"), [(9, 28, True), (10, 28, False), (255, 28, False), (9, 56, False)])
def test_mnist_with_other_labels_or_sizes_is_refused(tmp_path: Path, label: int, side: int, fine: bool) -> None:
    write_mnist(tmp_path, label, side)
    assert has_mnist(tmp_path)
    if fine:
        assert mnist(tmp_path, train=False).labels.tolist() == [*range(10)] * 1000
        return
    for train in (True, False):
        with pytest.raises(
            DataError, match=r"^MNIST in .*raw cannot be read; delete these files and fetch it again\.$"
        ):
            mnist(tmp_path, train=train)


def test_a_download_that_fails_in_an_unknown_way_has_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(data, "download_mnist", broken)
    download = MnistDownload(tmp_path)
    download.start()
    while download.going:
        time.sleep(0.01)
    assert download.problem == "MNIST could not be downloaded, and the details are in the server's log. Try again."
