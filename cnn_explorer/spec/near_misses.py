"""What is meant by an architecture string that is not quite one: other names, typing errors, a missing size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from cnn_explorer.spec.layers import LAYERS
from cnn_explorer.spec.network import ArchitectureError, NetworkSpec, parse, tokens

# Names of other libraries and textbooks. "": the page does without this layer.
NAMES: Mapping[str, str] = {
    **dict.fromkeys(("conv2d", "convolution", "convolutional", "cnn"), "conv"),
    **dict.fromkeys(("maxpool", "maxpool2d", "maxpooling", "maxpooling2d", "max2d", "pool", "pooling", "mp"), "max"),
    **dict.fromkeys(("avgpool", "avgpool2d", "averagepool", "averagepooling", "average", "meanpool", "mean"), "avg"),
    **dict.fromkeys(("dense", "linear", "lin", "full", "fullyconnected", "dnn"), "fc"),
    **dict.fromkeys(("batchnorm", "batchnorm2d", "batchnormalization", "norm"), "bn"),
    **dict.fromkeys(("dropout", "dropout2d"), "drop"),
    **dict.fromkeys(("lrelu", "leaky"), "leakyrelu"),
    **dict.fromkeys(("sigm", "logistic"), "sigmoid"),
    **dict.fromkeys(("flat", "reshape", "view"), "flatten"),
    **dict.fromkeys(("softmax", "logsoftmax", "input"), ""),
}
ALIKE = 0.7  # of two words; 1 for the same
LONGEST = 400  # characters of a text that is looked at


class NearMiss(NamedTuple):
    """A network that is meant, and the tokens that were `corrected`: as written, and as meant ("" for left out)."""

    spec: NetworkSpec
    corrected: tuple[tuple[str, str], ...]


def near_miss(architecture: str) -> NearMiss | None:
    """The network that a text most likely means, None where every token is right or one cannot be guessed."""
    if len(architecture) > LONGEST:
        return None
    meant: list[str] = []
    corrected: list[tuple[str, str]] = []
    for token, _ in tokens(architecture.lower()):
        if _is_right(token):
            meant.append(token)
            continue
        guess = next((guess for guess in _guesses(token) if not guess or _is_right(guess)), None)
        if guess is None:
            return None
        corrected.append((token, guess))
        meant += [guess] if guess else []
    try:
        return NearMiss(parse("-".join(meant)), tuple(corrected)) if corrected else None
    except ValueError:
        return None


def _is_right(token: str) -> bool:
    try:
        parse(token)
    except ArchitectureError:
        return False
    return True


def _guesses(token: str) -> Iterator[str]:
    """What a token may mean, the likeliest first."""
    match = re.fullmatch(r"([a-z]+(?:2d)?)[\W_]*(.*?)[\W_]*", token, re.ASCII)
    if not match:
        return
    written, rest = match.groups()
    known = {**{name: name for name in LAYERS}, **NAMES}
    close = get_close_matches(written, known, 1, ALIKE)
    if not close:
        return
    name = known[close[0]]
    if not name:
        yield ""
        return
    yield name + rest
    if name == "conv":
        yield from _convolutions(rest)
    elif name in ("max", "avg"):
        yield name + (rest.removeprefix("k") or "2")
    elif name == "drop":
        yield name + (_percent(rest) or "50")
    elif name != "fc" and rest.isdecimal():
        yield name


def _convolutions(rest: str) -> Iterator[str]:
    """`10`, `10x5` and parameters in another order."""
    match = re.fullmatch(r"(\d+)(?:x(\d+(?:x\d+)?))?((?:[kspdg]\d+(?:x\d+)?)*)", rest, re.ASCII)
    if not match:
        return
    channels, kernel, more = match.groups()
    values = {"k": kernel or "3", **dict(re.findall(r"([kspdg])(\d+(?:x\d+)?)", more, re.ASCII))}
    yield f"conv{channels}" + "".join(f"{letter}{values[letter]}" for letter in "kspdg" if letter in values)


def _percent(rest: str) -> str:
    """A share such as 0.5, or 5 behind a dropped point, as whole percent."""
    try:
        share = float(rest)
    except ValueError:
        return ""
    return str(round(100 * share)) if share < 1 else ""
