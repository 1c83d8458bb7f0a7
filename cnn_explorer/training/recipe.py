"""A training recipe as data, and as one line of text.

The line joins its parts with hyphens: digits, optimizer with its learning rate (and momentum), schedule, augmentation,
batch size, epochs and seed. The lecture's recipe on full MNIST is `mnist-sgd0.01m0.5-b64-e10-s0`; another is
`bundled-adam0.008-onecycle-augment-b64-e40-s0`. A momentum of 0 and a constant rate are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, cast

from cnn_explorer.digits.data import Digits, bundled_digits, mnist, more_digits
from cnn_explorer.text import quoted

Data = Literal["bundled", "mnist"]
Optimizer = Literal["sgd", "adam"]
Schedule = Literal["constant", "onecycle"]

LIMITS: Mapping[str, tuple[float, float]] = {
    "learning_rate": (0.0001, 1),
    "momentum": (0, 0.99),
    "batch_size": (8, 512),
    "epochs": (1, 100),
    "seed": (0, 9999),
}
DECIMALS = 6  # of the learning rate and the momentum
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "data": ("bundled", "mnist"),
    "optimizer": ("sgd", "adam"),
    "schedule": ("constant", "onecycle"),
}
_WHOLE = ("batch_size", "epochs", "seed")


@dataclass(frozen=True)
class RunRecipe:
    """What a run is trained on and how.

    `data`: the 4,000 digits that come with the package ("bundled") or MNIST's 60,000 ("mnist"). `learning_rate`: of
    every step, or with the schedule "onecycle" the highest one. `momentum`: of SGD. Both are rounded to six decimals,
    so that the line says them exactly. `augment`: distort the digits anew every epoch, by `slant`. Raises `ValueError`
    for a value outside `LIMITS`.
    """

    data: Data = "bundled"
    optimizer: Optimizer = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.0
    schedule: Schedule = "constant"
    augment: bool = False
    batch_size: int = 64
    epochs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} (={getattr(self, name)!r}) must be {' or '.join(map(repr, choices))}; choose one of them"
                )
        for name, (low, high) in LIMITS.items():
            self._check(name, low, high)
        if self.optimizer == "adam" and self.momentum:
            raise ValueError(
                f"momentum (={self.momentum}) belongs to SGD and Adam has its own; set it to 0 or choose 'sgd'"
            )
        for name in ("learning_rate", "momentum"):
            object.__setattr__(self, name, round(float(getattr(self, name)), DECIMALS))

    def _check(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        kind, word = (int, "a whole number") if name in _WHOLE else (int | float, "a number")
        if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
            remedy = f"; choose {min(max(value, low), high)}" if isinstance(value, kind) else ""
            raise ValueError(f"{name} (={value!r}) must be {word} from {low} to {high}{remedy}")

    def __str__(self) -> str:
        momentum = f"m{_number(self.momentum)}" if self.momentum else ""
        parts = [self.data, f"{self.optimizer}{_number(self.learning_rate)}{momentum}"]
        parts += [self.schedule] if self.schedule != "constant" else []
        parts += ["augment"] if self.augment else []
        return "-".join([*parts, f"b{self.batch_size}", f"e{self.epochs}", f"s{self.seed}"])


def _number(value: float) -> str:
    """The shortest decimal, without an exponent, that reads back as `value`."""
    return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")


# --- reading the line ---

_DECIMAL = r"\d{1,3}(?:\.\d{1,12})?"
_PARTS: tuple[tuple[str, str, str], ...] = (  # name, pattern, what is expected
    ("digits", r"(?P<data>bundled|mnist)", "'bundled' or 'mnist'"),
    (
        "optimizer",
        rf"(?:(?P<sgd>sgd)(?P<rate>{_DECIMAL})(?:m(?P<momentum>{_DECIMAL}))?|(?P<adam>adam)(?P<adam_rate>{_DECIMAL}))",
        "an optimizer with its learning rate: 'sgd0.01m0.5' or 'adam0.004'",
    ),
    ("schedule", r"(?P<schedule>onecycle)", "'onecycle'"),
    ("augmentation", r"(?P<augment>augment)", "'augment'"),
    ("batch size", r"b(?P<batch_size>\d{1,6})", "a batch size: 'b64'"),
    ("epochs", r"e(?P<epochs>\d{1,6})", "a number of epochs: 'e10'"),
    ("seed", r"s(?P<seed>\d{1,6})", "a seed: 's0'"),
)
_OPTIONAL = ("schedule", "augmentation")
_LONGEST = 200  # characters; the longest that `str` writes has half of it


@lru_cache(256)
def parse_recipe(text: str) -> RunRecipe:
    """Read what `str(recipe)` writes: `parse_recipe(str(recipe)) == recipe`.

    Raises `ValueError` with a sentence that names the offending part and what is expected there.
    """
    if len(text) > _LONGEST:
        raise ValueError(
            f"a recipe has at most {_LONGEST} characters, not {len(text):,}; an example is "
            "'mnist-sgd0.01m0.5-b64-e10-s0'"
        )
    found: dict[str, str] = {}
    pieces = text.strip().lower().split("-")
    for name, pattern, expected in _PARTS:
        match = re.fullmatch(pattern, pieces[0], re.ASCII) if pieces else None
        if match:
            found |= {key: value for key, value in match.groupdict().items() if value is not None}
            del pieces[0]
        elif name not in _OPTIONAL:
            found_instead = quoted(pieces[0] if pieces else "")
            raise ValueError(f"the recipe has {found_instead} for its {name}: expected {expected}")
    if pieces:
        rest = quoted("".join(f"-{piece}" for piece in pieces))
        raise ValueError(f"{rest} stands behind the seed, where a recipe ends: leave it out")
    return RunRecipe(
        data=cast(Data, found["data"]),
        optimizer="adam" if "adam" in found else "sgd",
        learning_rate=float(found.get("adam_rate") or found["rate"]),
        momentum=float(found.get("momentum", 0)),
        schedule=cast(Schedule, found.get("schedule", "constant")),
        augment="augment" in found,
        batch_size=int(found["batch_size"]),
        epochs=int(found["epochs"]),
        seed=int(found["seed"]),
    )


# --- recipes and digits to choose from ---


def recipes_for(data: Data) -> Mapping[str, RunRecipe]:
    """The recipes that the page offers for a set of digits, by name."""
    lecture = RunRecipe(data, "sgd", 0.01, 0.5, batch_size=64, epochs=10)
    fast = {
        "bundled": RunRecipe("bundled", "adam", 0.008, schedule="onecycle", augment=True, batch_size=64, epochs=60),
        "mnist": RunRecipe("mnist", "adam", 0.008, schedule="onecycle", batch_size=64, epochs=6),
    }
    return {"the lecture's recipe": lecture, "fast": fast[data]}


@cache
def digits_for(data: Data) -> tuple[Digits, Digits]:
    """The digits to train on and those to test with, read once in a process: 4,000 and 1,000 ("bundled"), 60,000 and
    10,000 ("mnist").

    Raises `FileNotFoundError` where full MNIST is missing.
    """
    if data == "bundled":
        return more_digits(), bundled_digits()
    return mnist(), mnist(train=False)
