"""What a label says, from its facts."""

import pytest

from cnn_explorer.weights.label import (
    Fitted,
    FromFile,
    Initialised,
    Label,
    Origin,
    Pretrained,
    QuicklyTrained,
    TrainedByRun,
    Untrained,
    describe,
)

SMALL = Fitted(200, 1)


@pytest.mark.parametrize(
    ("label", "source", "trained", "sentence"),
    [
        (
            Label(Pretrained(0.994, 1498, 6), 0.992, 10_000),
            "trained",
            True,
            "Trained on MNIST and pen digits. Right on 99.2 % of MNIST's 10,000 test digits and on 99.4 % of 1,498 "
            "digits by 6 people it never saw.",
        ),
        (
            Label(Fitted(1450, 320)),
            "shared weights",
            True,
            "Shared filters; last layer fitted on 1,450 digits: how often it is right is being measured.",
        ),
        (
            Label(Fitted(2000, 320, ("conv1", "conv2")), 0.95, 1000),
            "shared weights",
            True,
            "Shared filters, conv1 and conv2 gently tuned; last layer fitted on 2,000 digits: right on 95.0 % of 1,000 "
            "digits it has not seen.",
        ),
        (
            Label(Fitted(320, 50, random_layers=("fc1", "fc2"), wide_layers=("conv1",)), 0.874, 1000),
            "shared weights",
            True,
            "Shared filters, fc1 and fc2 random; last layer fitted on 320 digits: right on 87.4 % of 1,000 digits it "
            "has not seen. conv1's channels from the 33rd on are random. Trained as a whole it would do better.",
        ),
        (
            Label(SMALL, 0.2, 1000),
            "shared weights",
            True,
            "Shared filters; last layer fitted on 200 digits: right on 20.0 % of 1,000 digits it has not seen. A small "
            "network: 1 number before the last layer.",
        ),
        (
            Label(Fitted(250, 400, kernel_sizes=(1, 5)), 0.873, 1000),
            "shared weights",
            True,
            "Shared filters; last layer fitted on 250 digits: right on 87.3 % of 1,000 digits it has not seen. A first "
            "convolution of 1×1 can only rescale the contrast.",
        ),
        (
            Label(Untrained(("conv1",), (), True)),
            "partly trained",
            False,
            "Untrained as it stands: conv1 comes from the lecture's network, which was trained with other steps in "
            "between. How often this one is right was not measured.",
        ),
        (
            Label(Untrained(("conv1",), ("conv2", "fc1"), True)),
            "partly trained",
            False,
            "Untrained: conv1 from the lecture's network, conv2 and fc1 random, so the answer means nothing.",
        ),
        (Label(Untrained((), ("conv1",), False)), "random", False, "Untrained: all weights are random."),
        (Label(Untrained((), (), False)), "random", False, "Nothing to train: none of these layers has weights."),
        (Label(Initialised(3)), "random", False, "Untrained: random weights, as seed 3 makes them."),
        (
            Label(Initialised(3), 0.092, 400),
            "random",
            False,
            "Untrained: random weights, as seed 3 makes them: right on 9.2 % of 400 test digits.",
        ),
        (Label(TrainedByRun(1, 15, 4000, 1)), "trained here", True, "Trained here, 1 batch on 4,000 digits."),
        (
            Label(TrainedByRun(17, 15, 4000, 15), 0.838, 1000),
            "trained here",
            True,
            "Trained here, 1.1 epochs on 4,000 digits: right on 83.8 % of 1,000 test digits at epoch 1.",
        ),
        (
            Label(QuicklyTrained(1.25, 4, 4000, False), 0.5, 200),
            "trained here",
            True,
            "Training, 1.2 of 4 s: right on 50.0 % of 200 digits it has not seen.",
        ),
        (
            Label(QuicklyTrained(4, 4, 4000, True), 0.97, 1000),
            "fine-tuned",
            True,
            "Fine-tuned for 4 s on 4,000 digits: right on 97.0 % of 1,000 digits it has not seen.",
        ),
        (
            Label(SMALL, 0.95, 1000, trained_for=8, training_helped=False),
            "shared weights",
            True,
            "8 s of training did not help. Shared filters; last layer fitted on 200 digits: right on 95.0 % of 1,000 "
            "digits it has not seen.",
        ),
        (
            Label(FromFile(), 0.9, 1000),
            "a file",
            True,
            "Weights from your file: right on 90.0 % of 1,000 MNIST digits, which it may have learned from.",
        ),
    ],
)
def test_the_sentence_says_the_facts(label: Label, source: str, trained: bool, sentence: str) -> None:
    assert describe(label) == label.sentence == sentence
    assert (label.source, label.trained) == (source, trained)


@pytest.mark.parametrize("origin", [Fitted(320, 50, ("conv1",)), QuicklyTrained(4, 4, 4000, True)])
def test_labels_with_the_same_facts_are_equal(origin: Origin) -> None:
    assert Label(origin, 0.5, 10) == Label(origin, 0.5, 10) != Label(origin, 0.5, 11)
    assert Fitted(320, 50, seconds=1) == Fitted(320, 50, seconds=2)  # the clock is no part of what was made


LECTURE_LABEL = Label(Pretrained(0.994, 1498, 6, (5, 5)), 0.992, 10_000)


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        (
            Label(Fitted(2000, 320, kernel_sizes=(5, 5)), 0.979, 1000),
            "Same filters as before; last layer fitted on 2,000 digits: right on 97.9 % of 1,000 digits it has not seen "
            "(99.2 % before).",
        ),
        (
            Label(Fitted(2000, 320, ("conv1", "conv2"), kernel_sizes=(5, 5, 3)), 0.979, 1000),
            "Same filters as before, conv1 and conv2 gently tuned; last layer fitted on 2,000 digits: right on 97.9 % of "
            "1,000 digits it has not seen (99.2 % before).",
        ),
        (
            Label(Fitted(2000, 320, kernel_sizes=(3, 7))),
            "Same filters as before, conv1's cut to 3×3, conv2's widened to 7×7; last layer fitted on 2,000 digits: how "
            "often it is right is being measured.",
        ),
        (
            Label(Pretrained(0.98, 1498, 6, (5, 5)), 0.99, 10_000),
            "Trained on MNIST and pen digits. Right on 99.0 % of MNIST's 10,000 test digits (99.2 % before) and on 98.0 % "
            "of 1,498 digits by 6 people it never saw.",
        ),
        (
            Label(TrainedByRun(15, 15, 4000, 15), 0.91, 1000),
            "Trained here, 1 epoch on 4,000 digits: right on 91.0 % of 1,000 test digits. The filters are new.",
        ),
        (
            Label(QuicklyTrained(4, 4, 4000, True), 0.97, 1000),
            "Fine-tuned for 4 s on 4,000 digits: right on 97.0 % of 1,000 digits it has not seen.",
        ),
    ],
)
def test_sentences_after_a_change_of_the_lectures_network(label: Label, sentence: str) -> None:
    assert describe(label, LECTURE_LABEL) == sentence


def test_a_network_without_shared_filters_before_has_none_to_keep() -> None:
    label = Label(Fitted(2000, 320, kernel_sizes=(5,)), 0.9, 1000)
    connected = Label(Pretrained(0.994, 1498, 6), 0.991, 10_000)
    assert describe(label, connected).startswith("Shared filters; last layer fitted on 2,000 digits: right on 90.0 %")
    assert describe(label, connected).endswith("(99.1 % before).")
