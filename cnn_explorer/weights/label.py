"""Labels: where the weights of a network come from and how often it is right, as facts and as a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from cnn_explorer.weights.shared_filters import MAX_CHANNELS

Source = Literal[
    "trained", "shared weights", "partly trained", "random", "trained here", "fine-tuned", "a file"
]  # where weights come from, in a word or two
WEAK = 0.9  # a fitted network that is right less often gets the reason, where it is known
FEW_FEATURES = 100  # below, a network is called small


# --- origins of weights ---


@dataclass(frozen=True)
class Pretrained:
    """Weights in the package that were trained for exactly this network.

    `label.accuracy` is that on MNIST's test digits. `pen_accuracy` is that on `pen_digits` digits drawn by
    `pen_writers` people, none of whom drew training data. `kernel_sizes` are those of the
    convolutions, if they are near the shared ones.
    """

    pen_accuracy: float
    pen_digits: int
    pen_writers: int
    kernel_sizes: tuple[int, ...] = ()

    source: ClassVar[Source] = "trained"
    data: ClassVar[str] = "MNIST and pen digits"


@dataclass(frozen=True)
class Fitted:
    """Shared convolutions of the package, with a last layer that was fitted on `digits` digits in `seconds` seconds.

    `features` is the number of inputs of the last layer. Layers go by their names: `tuned_layers` are the convolutions
    that were trained along with the last layer, `random_layers` the hidden linear layers, and `wide_layers` the
    convolutions with more channels than the shared weights have. `kernel_sizes` are those of the convolutions.
    """

    digits: int
    features: int
    tuned_layers: tuple[str, ...] = ()
    random_layers: tuple[str, ...] = ()
    wide_layers: tuple[str, ...] = ()
    kernel_sizes: tuple[int, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    source: ClassVar[Source] = "shared weights"
    data: ClassVar[str] = "MNIST and pen digits"


@dataclass(frozen=True)
class Untrained:
    """A network that no weights in the package suit: `pretrained_layers` have the weights of the lecture's network,
    `random_layers` a random initialisation. `classifies`: its output is ten numbers, one a class.
    """

    pretrained_layers: tuple[str, ...]
    random_layers: tuple[str, ...]
    classifies: bool

    data: ClassVar[str] = ""

    @property
    def source(self) -> Source:
        """ "partly trained" where any layer is."""
        return "partly trained" if self.pretrained_layers else "random"


@dataclass(frozen=True)
class Initialised:
    """The random weights that a run with this `seed` starts from."""

    seed: int

    source: ClassVar[Source] = "random"
    data: ClassVar[str] = ""


@dataclass(frozen=True)
class TrainedByRun:
    """Trained on the page for `batches` batches, of which `batches_per_epoch` have all `digits` training digits.

    `tested_after`: the number of batches after which `label.accuracy` was measured, at most `batches`.
    """

    batches: int
    batches_per_epoch: int
    digits: int
    tested_after: int

    source: ClassVar[Source] = "trained here"
    data: ClassVar[str] = "MNIST"


@dataclass(frozen=True)
class QuicklyTrained:
    """Trained for `seconds` of `planned` seconds of CPU time on `digits` digits.

    `fine_tuned`: the training started from shared weights, otherwise from random ones.
    """

    seconds: float
    planned: float
    digits: int
    fine_tuned: bool

    @property
    def source(self) -> Source:
        """What the training started from decides."""
        return "fine-tuned" if self.fine_tuned else "trained here"

    @property
    def data(self) -> str:
        """The shared weights were trained on pen digits, too."""
        return "MNIST and pen digits" if self.fine_tuned else "MNIST"


@dataclass(frozen=True)
class FromFile:
    """Read from a file that a visitor brought."""

    source: ClassVar[Source] = "a file"
    data: ClassVar[str] = "unknown"


Origin = Pretrained | Fitted | Untrained | Initialised | TrainedByRun | QuicklyTrained | FromFile


@dataclass(frozen=True)
class Label:
    """Where the weights of a network come from, and how often it is right.

    `accuracy` is the fraction of `measured` digits answered right, None where it was not measured; no label but that of
    a file counts digits that the network learned from. `trained_for` is the CPU time in seconds that quick trainings
    have spent on the network. `training_helped` is False where the last of them made it worse: the weights are those
    from before.
    """

    origin: Origin
    accuracy: float | None = None
    measured: int = 0
    trained_for: float = 0.0
    training_helped: bool = True

    @property
    def source(self) -> Source:
        """Where the weights come from, in a word or two."""
        return self.origin.source

    @property
    def data(self) -> str:
        """What all of the weights were trained on or fitted to, "" where some or all are as initialised."""
        return self.origin.data

    @property
    def trained(self) -> bool:
        """True if the network's answer means something: all that makes it up has learned from data."""
        return bool(self.data)

    @property
    def sentence(self) -> str:
        """`describe`, for a page."""
        return describe(self)


# --- a label's sentence ---


def describe(label: Label, before: Label | None = None) -> str:
    """The label in one to three English sentences.

    With the label of the network that was shown `before`, they also say what stayed of its filters, and how often that
    network was right.
    """
    sentence = _origin_sentence(label, before)
    if before and _has_shared_filters(before) and not _has_shared_filters(label):
        sentence += " The filters are new."
    return sentence if label.training_helped else f"{label.trained_for:.0f} s of training did not help. {sentence}"


def epochs_text(batches: int, batches_per_epoch: int) -> str:
    """How many epochs so many batches are, with one decimal where they are not whole: "2", "1.5"."""
    return f"{batches / batches_per_epoch:.1f}".removesuffix(".0")


def _has_shared_filters(label: Label) -> bool:
    """Whether its convolutions are of the one family that the package's weights share."""
    match label.origin:
        case Pretrained(kernel_sizes=sizes) | Fitted(kernel_sizes=sizes):
            return bool(sizes)
        case QuicklyTrained(fine_tuned=fine_tuned):
            return fine_tuned
        case _:
            return False


def _origin_sentence(label: Label, before: Label | None) -> str:
    match label.origin:
        case Pretrained() as origin:
            return (
                f"Trained on {origin.data}. Right on {_percent(label.accuracy)} of MNIST's {label.measured:,} test "
                f"digits{_accuracy_before(before)} and on {_percent(origin.pen_accuracy)} of {origin.pen_digits:,} "
                f"digits by {origin.pen_writers} people it never saw."
            )
        case Fitted() as origin:
            return _fitted_sentence(origin, label, before)
        case Untrained() as origin:
            return _untrained_sentence(origin)
        case Initialised(seed):
            return f"Untrained: random weights, as seed {seed} makes them{_test_result(label)}."
        case TrainedByRun() as origin:
            untested = origin.batches - origin.tested_after
            when = f" at epoch {epochs_text(origin.tested_after, origin.batches_per_epoch)}" if untested else ""
            return f"Trained here, {_duration(origin)} on {origin.digits:,} digits{_test_result(label, when)}."
        case QuicklyTrained() as origin:
            return f"{_quick_training(origin)}: {_unseen_result(label)}."
        case FromFile():
            return (
                f"Weights from your file: right on {_percent(label.accuracy)} of {label.measured:,} MNIST digits, "
                "which it may have learned from."
            )


def _fitted_sentence(origin: Fitted, label: Label, before: Label | None) -> str:
    result = "how often it is right is being measured"
    if label.accuracy is not None:
        result = f"{_unseen_result(label)}{_accuracy_before(before)}"
    sentences = [
        f"{', '.join(_what_stayed(origin, before))}; last layer fitted on {origin.digits:,} digits: {result}.",
        *(f"{name}'s channels from the {MAX_CHANNELS + 1}rd on are random." for name in origin.wide_layers),
    ]
    if label.accuracy is not None and label.accuracy < WEAK:
        sentences += _weaknesses(origin)
    return " ".join(sentences)


def _what_stayed(origin: Fitted, before: Label | None) -> list[str]:
    """The parts of a sentence on a fitted network's filters."""
    parts = ["Shared filters"]
    if before and isinstance(before.origin, Pretrained | Fitted) and before.origin.kernel_sizes:
        parts = ["Same filters as before"]
        sizes = zip(origin.kernel_sizes, before.origin.kernel_sizes, strict=False)
        for number, (size, size_before) in enumerate(sizes, 1):
            if size != size_before:
                parts.append(f"conv{number}'s {'widened' if size > size_before else 'cut'} to {size}×{size}")
    if origin.tuned_layers:
        parts.append(f"{_names(origin.tuned_layers)} gently tuned")
    if origin.random_layers:
        parts.append(f"{_names(origin.random_layers)} random")
    return parts


def _accuracy_before(before: Label | None) -> str:
    return f" ({_percent(before.accuracy)} before)" if before and before.accuracy is not None else ""


def _weaknesses(origin: Fitted) -> list[str]:
    """The likeliest reason why a network is right rarely; none where nothing is known."""
    if origin.random_layers:
        return ["Trained as a whole it would do better."]
    if origin.features < FEW_FEATURES:
        numbers = "number" if origin.features == 1 else "numbers"
        return [f"A small network: {origin.features} {numbers} before the last layer."]
    if origin.kernel_sizes[:1] == (1,):
        return ["A first convolution of 1×1 can only rescale the contrast."]
    return []


def _untrained_sentence(origin: Untrained) -> str:
    pretrained, random = origin.pretrained_layers, origin.random_layers
    meaning = ", so the answer means nothing." if origin.classifies else "."
    if not pretrained and not random:
        return "Nothing to train: none of these layers has weights."
    if not pretrained:
        return f"Untrained: all weights are random{meaning}"
    if random:
        return f"Untrained: {_names(pretrained)} from the lecture's network, {_names(random)} random{meaning}"
    come = "comes" if len(pretrained) == 1 else "come"
    return (
        f"Untrained as it stands: {_names(pretrained)} {come} from the lecture's network, which was trained with other "
        "steps in between. How often this one is right was not measured."
    )


def _duration(origin: TrainedByRun) -> str:
    """In epochs, in batches below a tenth of an epoch."""
    if origin.batches < origin.batches_per_epoch / 10:
        return "1 batch" if origin.batches == 1 else f"{origin.batches} batches"
    epochs = epochs_text(origin.batches, origin.batches_per_epoch)
    return "1 epoch" if epochs == "1" else f"{epochs} epochs"


def _quick_training(origin: QuicklyTrained) -> str:
    if origin.seconds < origin.planned:
        doing = "Fine-tuning" if origin.fine_tuned else "Training"
        return f"{doing}, {origin.seconds:.1f} of {origin.planned:.0f} s"
    done = "Fine-tuned" if origin.fine_tuned else "Trained here"
    return f"{done} for {origin.planned:.0f} s on {origin.digits:,} digits"


def _unseen_result(label: Label) -> str:
    return f"right on {_percent(label.accuracy)} of {label.measured:,} digits it has not seen"


def _test_result(label: Label, when: str = "") -> str:
    if label.accuracy is None:
        return ""
    return f": right on {_percent(label.accuracy)} of {label.measured:,} test digits{when}"


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.1f} %"


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
