import numpy as np
import pytest
import torch
from torch import nn

from cnn_explorer.digits.data import Digits, bundled_digits
from cnn_explorer.spec.network import LECTURE
from cnn_explorer.weights.builder import build_network
from cnn_explorer.weights.evaluation import Evaluation, accuracy, evaluate, predict, shift_accuracy, shifted
from cnn_explorer.weights.load import load_network


class Brightest(nn.Module):
    """Answers with the index of the brightest of the first ten pixels, and notes how it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, bool, bool]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append((len(x), self.training, torch.is_grad_enabled()))
        return x.flatten(1)[:, :10]


def lit(labels: list[int]) -> np.ndarray:
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    images[np.arange(len(labels)), 0, labels] = 255
    return images


def test_accuracy_is_the_fraction_of_right_answers():
    assert accuracy(Brightest(), lit([3, 1, 4, 1]), np.array([3, 1, 4, 5])) == 0.75


def test_predict_takes_bytes_and_floats_alike():
    images = lit([7, 2])
    logits = predict(Brightest(), images)
    assert logits[0].tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    assert torch.equal(logits, predict(Brightest(), torch.from_numpy(images).unsqueeze(1).float() / 255))


def test_predict_works_batch_by_batch_without_gradients():
    module = Brightest()
    assert predict(module, lit([1] * 250)).shape == (250, 10)
    assert module.calls == [(100, False, False), (100, False, False), (50, False, False)]


@pytest.mark.parametrize("training", [True, False])
def test_predict_gives_the_mode_back_even_after_an_error(training: bool):
    module = Brightest().train(training)
    predict(module, lit([1]))
    assert module.training is training
    broken = nn.Sequential(nn.Linear(3, 3)).train(training)
    with pytest.raises(RuntimeError):
        predict(broken, lit([1]))
    assert broken.training is training
    assert broken[0].training is training


def test_accuracy_refuses_no_digits_and_missing_labels():
    with pytest.raises(ValueError, match="0 images with 0 labels"):
        accuracy(Brightest(), lit([]), np.array([]))
    with pytest.raises(ValueError, match="2 images with 1 labels"):
        accuracy(Brightest(), lit([1, 2]), np.array([1]))


# --- digit by digit ---


def worked() -> Evaluation:
    """Six digits: 1, 1, 7, 7, 7, 3, answered 1 (0.9), 7 (0.6), 7 (0.8), 1 (0.7), 1 (0.95), 7 (0.6)."""
    probabilities = np.zeros((6, 10))
    for row, (answer, sure, other) in enumerate(
        [(1, 0.9, 0), (7, 0.6, 1), (7, 0.8, 1), (1, 0.7, 7), (1, 0.95, 7), (7, 0.6, 3)]
    ):
        probabilities[row, [answer, other]] = sure, 1 - sure
    return Evaluation(np.array([1, 1, 7, 7, 7, 3]), probabilities)


def test_an_evaluation_worked_by_hand():
    evaluation = worked()
    assert len(evaluation) == 6
    assert evaluation.answers.tolist() == [1, 7, 7, 1, 1, 7]
    assert evaluation.accuracy == pytest.approx(2 / 6)
    expected = np.zeros((10, 10), dtype=int)
    expected[1, 1] = expected[1, 7] = expected[7, 7] = expected[3, 7] = 1
    expected[7, 1] = 2
    assert evaluation.confusion.tolist() == expected.tolist()
    assert evaluation.per_class.tolist() == pytest.approx([0, 1 / 2, 0, 0, 0, 0, 0, 1 / 3, 0, 0])


def test_digits_of_a_cell_and_wrong_ones_come_surest_first():
    evaluation = worked()
    assert evaluation.at(7, 1).tolist() == [4, 3]
    assert evaluation.at(7, 7).tolist() == [2]
    assert evaluation.at(0, 0).tolist() == []
    assert evaluation.most_confidently_wrong(3).tolist() == [4, 3, 1]  # 1 and 5 are equally sure: in their order
    assert evaluation.most_confidently_wrong(99).tolist() == [4, 3, 1, 5]
    assert evaluation.most_confidently_wrong(0).tolist() == []


def test_evaluate_agrees_with_torch_and_with_accuracy():
    module, digits = load_network(LECTURE).module, bundled_digits()
    evaluation = evaluate(module, digits)
    with torch.no_grad():
        logits = module(torch.from_numpy(digits.images.copy()).unsqueeze(1).float() / 255)
    assert torch.allclose(torch.from_numpy(evaluation.probabilities).float(), logits.softmax(1), atol=1e-5)
    assert evaluation.answers.tolist() == logits.argmax(1).tolist()
    assert evaluation.accuracy == accuracy(module, digits.images, digits.labels) > 0.98
    assert evaluation.probabilities.sum(axis=1) == pytest.approx(np.ones(1000), abs=1e-12)
    assert evaluation.confusion.sum(axis=1).tolist() == [100] * 10
    assert evaluation.per_class.mean() == pytest.approx(evaluation.accuracy)
    wrong = evaluation.most_confidently_wrong(1000)
    assert len(wrong) == round(1000 * (1 - evaluation.accuracy))
    assert (evaluation.answers[wrong] != digits.labels[wrong]).all()
    assert (np.diff(evaluation.probabilities.max(axis=1)[wrong]) <= 0).all()


def test_logits_that_differ_by_a_hair_stay_apart():
    class Close(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(len(x), 10)
            logits[:, 4] = 1.0
            logits[:, 8] = torch.nextafter(torch.tensor(1.0), torch.tensor(2.0))
            return logits

    assert evaluate(Close(), Digits(lit([8]), np.array([8]))).answers.tolist() == [8]


def test_evaluate_refuses_no_digits():
    with pytest.raises(ValueError, match="no digits to evaluate; give at least one"):
        evaluate(Brightest(), Digits(lit([]), np.array([], dtype=np.int64)))


# --- the same digits elsewhere ---


def test_shifted_moves_by_whole_pixels_and_fills_with_background():
    image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3)
    assert shifted(image, 0, 0).tolist() == image.tolist()
    assert shifted(image, 1, 0).tolist() == [[[0, 1, 2], [0, 4, 5], [0, 7, 8]]]
    assert shifted(image, -2, 0).tolist() == [[[3, 0, 0], [6, 0, 0], [9, 0, 0]]]
    assert shifted(image, 0, 1).tolist() == [[[0, 0, 0], [1, 2, 3], [4, 5, 6]]]
    assert shifted(image, 1, -1).tolist() == [[[0, 4, 5], [0, 7, 8], [0, 0, 0]]]
    assert not shifted(image, 3, 0).any()
    assert not shifted(image, 0, -7).any()
    assert shifted(image, 1, 0).dtype == np.uint8
    assert image.tolist() == [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]


def test_shift_accuracy_is_the_mean_over_four_directions():
    # A pixel in the corner moves right: the answer is one more. Left, up or down: it leaves the row, and the answer is
    # 0.
    digits = Digits(lit([0, 1, 2, 3]), np.array([0, 2, 3, 0]))
    by_hand = [
        1 / 4,  # unmoved: 0, 1, 2, 3
        np.mean([2, 2, 2, 2]) / 4,
    ]
    # left: 0 lost → 0, 0, 1, 2: one right; right: 1, 2, 3, 4: two right; up and down: 0, 0, 0, 0: two right each
    by_hand[1] = (1 + 2 + 2 + 2) / 16
    assert shift_accuracy(Brightest(), digits, [0, 1]) == pytest.approx(by_hand)


def test_shift_accuracy_of_a_trained_network():
    module, digits = load_network(LECTURE).module, bundled_digits()
    unmoved, one, six = shift_accuracy(module, digits, [0, 1, 6])
    assert unmoved == accuracy(module, digits.images, digits.labels)
    assert unmoved >= one > six > 0.2  # it learnt from digits moved by up to 1.5 · 1.5 pixels


def test_an_untrained_network_can_be_evaluated():
    evaluation = evaluate(build_network(LECTURE, 3), bundled_digits())
    assert 0 <= evaluation.accuracy < 0.4
    assert np.isfinite(evaluation.per_class).all()
