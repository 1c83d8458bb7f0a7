import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from full_data import drawn_by_others, full_mnist, written_digits
from torch import Generator, nn

from cnn_explorer.build_weights.lecture import (
    Examples,
    Recipe,
    examples_from,
    make_pool,
    placed,
    render,
    shifted_and_scaled,
    split_writers,
    train,
    train_network,
    vary,
    write_assets,
)
from cnn_explorer.digits.data import ASSETS, Digits, PenDigit, bundled_digits
from cnn_explorer.digits.preprocessing import image_from_strokes, preprocess_picture
from cnn_explorer.spec.network import LECTURE, parse
from cnn_explorer.training.augmentation import slant
from cnn_explorer.weights.builder import build_network
from cnn_explorer.weights.evaluation import accuracy, predict

WAVE = (
    (20.0, 20.0),
    (60.0, 30.0),
    (90.0, 80.0),
    (50.0, 120.0),
    (20.0, 160.0),
    (60.0, 190.0),
    (100.0, 160.0),
    (120.0, 200.0),
)


@pytest.fixture(scope="module")
def lecture() -> nn.Sequential:
    module = build_network(LECTURE, seed=99)
    module.load_state_dict(torch.load(ASSETS / "lecture.pt", weights_only=True))
    return module


@pytest.fixture(scope="module")
def described() -> dict:
    return json.loads((ASSETS / "lecture.json").read_text(encoding="utf-8"))


# --- the shipped weights ---


def test_shipped_file_is_the_lecture_network(lecture: nn.Sequential, described: dict):
    assert (ASSETS / "lecture.pt").stat().st_size <= 100_000
    tensors = torch.load(ASSETS / "lecture.pt", weights_only=True)
    assert list(tensors) == ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc1.weight", "fc1.bias"]
    assert sum(tensor.numel() for tensor in tensors.values()) == 8490 == described["parameters"]
    assert parse(described["architecture"]) == LECTURE


def test_recipe_names_its_data_and_rebuilds(described: dict):
    assert any("CC BY-SA 3.0" in source and "LeCun" in source for source in described["data"])
    assert any("CC BY 4.0" in source and "Alimoglu" in source for source in described["data"])
    assert re.match(r"python -m cnn_explorer\.build_weights ", described["rebuild"])
    default = json.loads(json.dumps(asdict(Recipe())))
    assert {name: described["recipe"][name] for name in default} == default


@pytest.mark.full_mnist
def test_shipped_weights_on_mnist(lecture: nn.Sequential, described: dict):
    mnist_test = full_mnist(train=False)
    reached = accuracy(lecture, mnist_test.images, mnist_test.labels)
    stated = described["results"]["mnist_test"]
    assert stated["digits"] == len(mnist_test) == 10_000
    assert reached == pytest.approx(stated["accuracy"], abs=0.0002)  # two digits: another processor may round otherwise
    assert reached >= 0.992


def test_shipped_weights_on_writers_never_seen(lecture: nn.Sequential, described: dict):
    images, labels = drawn_by_others()
    reached = accuracy(lecture, images, labels)
    stated = described["results"]["pen_unseen_writers"]
    assert stated["digits"] == len(labels) == 1498
    assert stated["writers"] == [25, 26, 27, 28, 29, 30]
    assert reached == pytest.approx(stated["accuracy"], abs=0.0014)  # two digits
    assert reached >= 0.985
    _, unseen = split_writers(written_digits(), 6)
    in_the_app = np.stack([_as_drawn_in_the_app(digit) for digit in unseen[::5]])
    # The canvas is another, so points round otherwise.
    assert accuracy(lecture, in_the_app, labels[::5]) == pytest.approx(
        accuracy(lecture, images[::5], labels[::5]), abs=0.007
    )


def _as_drawn_in_the_app(digit: PenDigit) -> np.ndarray:
    strokes = [[(x * 0.56, y * 0.56) for x, y in stroke] for stroke in digit.strokes]  # 500 units → 280 pixels
    return (255 * image_from_strokes(strokes, canvas_size=280, pen_width=16)[0, 0]).round().to(torch.uint8).numpy()


@pytest.mark.full_mnist
@pytest.mark.parametrize(
    ("side", "count", "stated"), [(28, 150, "shifted_scaled_14_to_56"), (140, 100, "shifted_scaled_70_to_280")]
)
def test_shipped_weights_on_digits_of_any_size_anywhere(
    lecture: nn.Sequential, described: dict, side: int, count: int, stated: str
):
    images, labels = shifted_and_scaled(full_mnist(train=False), side, count, seed=1)
    assert accuracy(lecture, images, labels) >= 0.97  # a sample; the figure for more digits is in the file
    assert described["results"][stated]["accuracy"] >= 0.98
    assert described["results"][stated]["digits"] >= 1000


def test_shipped_weights_are_sure_about_the_example(lecture: nn.Sequential):
    example = json.loads((ASSETS / "example.json").read_text(encoding="utf-8"))
    probabilities = predict(lecture, image_from_strokes(example["strokes"])).softmax(dim=1)[0]
    assert int(probabilities.argmax()) == example["label"]
    assert probabilities.max() >= 0.9


# --- training ---


def some_digits(count: int = 300) -> Examples:
    images, labels = (
        torch.from_numpy(bundled_digits().images[:count].copy()),
        torch.from_numpy(bundled_digits().labels[:count].copy()),
    )
    return lambda generator: (images, labels)


def test_training_lowers_the_loss_and_learns():
    module = build_network(LECTURE)
    epochs = list(train(module, some_digits(), epochs=6, batch_size=16, learning_rate=1e-2))
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[-1].loss < 0.3 * epochs[0].loss
    assert accuracy(module, bundled_digits().images[:300], bundled_digits().labels[:300]) >= 0.95
    assert not module.training


def test_training_resumes_to_the_identical_result(tmp_path: Path):
    whole, first, second, late = (build_network(LECTURE) for _ in range(4))
    expected = list(train(whole, some_digits(100), epochs=3, batch_size=32))
    checkpoint = tmp_path / "progress.pt"
    interrupted = train(first, some_digits(100), epochs=3, batch_size=32, checkpoint=checkpoint)
    assert [next(interrupted), next(interrupted)] == expected[:2]
    assert list(train(second, some_digits(100), epochs=3, batch_size=32, checkpoint=checkpoint)) == expected[2:]
    for name, tensor in whole.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor), name
    assert list(train(late, some_digits(100), epochs=3, checkpoint=checkpoint)) == []


def test_another_seed_is_another_order():
    one, other = build_network(LECTURE), build_network(LECTURE)
    list(train(one, some_digits(100), epochs=1, batch_size=32, seed=0))
    list(train(other, some_digits(100), epochs=1, batch_size=32, seed=1))
    assert not torch.equal(one.fc1.weight, other.fc1.weight)


# --- the pool ---


def pen(writer: int, label: int = 2) -> PenDigit:
    return PenDigit(label, writer, (WAVE,))


def twenty_digits() -> Digits:
    return Digits(bundled_digits().images[:20].copy(), bundled_digits().labels[:20].copy())


def tiny_recipe() -> Recipe:
    return Recipe(renderings=2, rescaled=5, per_epoch=(20, 5, 4), epochs=2)


def test_the_highest_numbered_writers_are_kept_back():
    seen, unseen = split_writers([pen(writer) for writer in (3, 1, 9, 2, 9, 8)], unseen=2)
    assert [digit.writer for digit in seen] == [3, 1, 2]
    assert [digit.writer for digit in unseen] == [9, 9, 8]


def test_the_pool_repeats_itself_and_keeps_labels():
    digits = twenty_digits()
    one, two = (make_pool(digits, [pen(1), pen(2, label=3)], tiny_recipe()) for _ in range(2))
    assert [len(part) for part in one.parts] == [20, 5, 4]
    assert one.parts[0].labels.tolist() == [*range(10)] * 2
    assert one.parts[2].labels.tolist() == [2, 2, 3, 3]
    for part, again in zip(one.parts, two.parts, strict=True):
        assert part.images.dtype == np.uint8
        assert np.array_equal(part.images, again.images)
        assert np.array_equal(part.labels, again.labels)


def test_slant_leaves_a_third_and_moves_the_others_a_little():
    images = torch.from_numpy(bundled_digits().images.copy())
    assert torch.equal(slant(images, Generator().manual_seed(0), 0.0), images)
    moved = slant(images, Generator().manual_seed(0))
    same = (moved == images).all(dim=2).all(dim=1)
    assert 0.28 <= same.float().mean() <= 0.38
    correlation = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1]
        for a, b in zip(images[~same].numpy(), moved[~same].numpy(), strict=True)
    ]
    assert 0.6 < np.mean(correlation) < 0.95


def test_every_epoch_draws_other_digits_and_slants_mnist_only():
    pool = make_pool(twenty_digits(), [pen(1), pen(2)], tiny_recipe())
    examples = examples_from(pool, replace(tiny_recipe(), per_epoch=(10, 5, 2)))
    images, labels = examples(Generator().manual_seed(0))
    others, _ = examples(Generator().manual_seed(1))
    assert images.shape == (17, 28, 28)
    assert labels[-2:].tolist() == [2, 2]
    assert not torch.equal(images, others)
    drawn = {image.tobytes() for image in pool.parts[2].images}
    assert all(image.numpy().tobytes() in drawn for image in images[-2:])
    printed = {image.tobytes() for part in pool.parts[:2] for image in part.images}
    assert not all(image.numpy().tobytes() in printed for image in images[:-2])


def test_variations_differ_and_resemble_the_drawing():
    rng = np.random.default_rng(0)
    plain = render((WAVE,)).astype(float)
    varied = [render(vary((WAVE,), rng)).astype(float) for _ in range(20)]
    assert len({image.tobytes() for image in varied}) == 20
    assert np.mean([np.corrcoef(plain.ravel(), image.ravel())[0, 1] for image in varied]) > 0.4
    assert not any(np.array_equal(image, plain) for image in varied)


def test_render_is_what_the_app_shows():
    drawn = (255 * image_from_strokes([WAVE])[0, 0]).numpy()
    assert np.abs(render((WAVE,)) - drawn).max() <= 1


def test_where_a_digit_lies_does_not_matter():
    pixels = bundled_digits().images[3]
    here, there = (preprocess_picture(placed(pixels, 40, corner, 100)).pixels for corner in [(5, 5), (50, 31)])
    assert np.array_equal(here, there)


def test_the_recipe_repeats_itself_and_describes_itself(tmp_path: Path):
    digits = twenty_digits()
    pool = make_pool(digits, [pen(1), pen(2)], tiny_recipe())
    module, again = build_network(LECTURE), build_network(LECTURE)
    train_network(module, pool, tiny_recipe())
    train_network(again, pool, tiny_recipe(), tmp_path / "progress.pt")
    write_assets(tmp_path / "out", module, tiny_recipe(), {"mnist_test": {"accuracy": 0.5, "digits": 2}})
    loaded = build_network(LECTURE, seed=7)
    loaded.load_state_dict(torch.load(tmp_path / "out" / "lecture.pt", weights_only=True))
    for other in (again, loaded):
        assert all(
            torch.equal(a, b) for a, b in zip(module.state_dict().values(), other.state_dict().values(), strict=True)
        )
    described = json.loads((tmp_path / "out" / "lecture.json").read_text(encoding="utf-8"))
    assert described["recipe"]["renderings"] == 2
    assert described["results"]["mnist_test"]["accuracy"] == 0.5
