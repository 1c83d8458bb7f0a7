import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from full_data import full_mnist, written_digits

from cnn_explorer import data
from cnn_explorer.data import ASSETS, PenDigit, bundled_digits, data_folder, mnist, more_digits, pen_digits, select_digits
from cnn_explorer.preprocessing import preprocess_strokes


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
    assert (ASSETS / "shared.pt").stat().st_size <= 6_000_000
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
    with gzip.open(tmp_path / "source.csv.gz", "wt") as file:
        np.savetxt(file, rows, fmt="%d", delimiter=",")
    data.main(["--source", str(tmp_path / "source.csv.gz"), "--out", str(tmp_path / "digits.npz")])
    monkeypatch.setattr(data, "ASSETS", tmp_path)
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


@pytest.mark.full_mnist
def test_mnist_has_two_parts():
    mnist_train, mnist_test = full_mnist(train=True), full_mnist(train=False)
    assert mnist_train.images.shape == (60_000, 28, 28)
    assert mnist_test.images.shape == (10_000, 28, 28)
    assert mnist_train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist_test.labels[:5].tolist() == [7, 2, 1, 0, 4]


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
