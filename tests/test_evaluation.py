import numpy as np
import pytest
import torch
from torch import nn

from cnn_explorer.evaluation import accuracy, predict


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
