"""Drawings that are no digits, to test with: scribbles, letters, and digits that lie on their side.

Everything is drawn by `numpy.random.default_rng(seed)`: the same seed gives the same images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnn_explorer.digits.data import Digits
from cnn_explorer.digits.preprocessing import SIZE, preprocess_strokes

Points = np.ndarray  # (N, 2): x, y in [0, 1], y down
CANVAS, PEN_WIDTH = 10 * SIZE, 16

# Capital letters as strokes on a grid of 4 × 4. Those that resemble a digit are left out: B, D, G, I, J, L, O, Q, S, Z.
LETTERS = {
    "A": [[(0, 4), (2, 0), (4, 4)], [(1, 2.5), (3, 2.5)]],
    "E": [[(3, 0), (0, 0), (0, 4), (3, 4)], [(0, 2), (2.5, 2)]],
    "F": [[(3, 0), (0, 0), (0, 4)], [(0, 2), (2.5, 2)]],
    "H": [[(0, 0), (0, 4)], [(3, 0), (3, 4)], [(0, 2), (3, 2)]],
    "K": [[(0, 0), (0, 4)], [(3, 0), (0, 2), (3, 4)]],
    "M": [[(0, 4), (0, 0), (2, 2.5), (4, 0), (4, 4)]],
    "N": [[(0, 4), (0, 0), (3, 4), (3, 0)]],
    "R": [[(0, 4), (0, 0), (2, 0), (3, 1), (2, 2), (0, 2), (3, 4)]],
    "T": [[(0, 0), (4, 0)], [(2, 0), (2, 4)]],
    "V": [[(0, 0), (2, 4), (4, 0)]],
    "W": [[(0, 0), (1, 4), (2, 1), (3, 4), (4, 0)]],
    "X": [[(0, 0), (3, 4)], [(3, 0), (0, 4)]],
}


def scribbles(count: int, seed: int = 0) -> np.ndarray:
    """Zigzags, waves, spirals, stars, hatchings and wanderings in turn, `(count, 28, 28)` uint8."""
    rng = np.random.default_rng(seed)
    kinds = (zigzag, wave, spiral, star, hatching, wandering)
    return np.stack([_rendered(kinds[number % len(kinds)](rng), rng) for number in range(count)])


def letters(count: int, seed: int = 0) -> np.ndarray:
    """The letters of `LETTERS` in turn, `(count, 28, 28)` uint8."""
    rng, names = np.random.default_rng(seed), list(LETTERS)
    chosen = (LETTERS[names[number % len(names)]] for number in range(count))
    return np.stack([_rendered([_along(np.array(stroke) / 4) for stroke in letter], rng) for letter in chosen])


def rotated(digits: Digits, labels: Sequence[int] = (2, 3, 4, 5, 7)) -> np.ndarray:
    """Digits of these `labels`, turned by a quarter to the left and to the right in turn, `(N, 28, 28)` uint8."""
    chosen = digits.images[np.isin(digits.labels, labels)]
    return np.stack([np.rot90(image, 1 if number % 2 else -1) for number, image in enumerate(chosen)])


# --- the kinds of scribbles: a list of strokes ---


def zigzag(rng: np.random.Generator) -> list[Points]:
    """One stroke from side to side, downwards or across, with 3 to 8 turns."""
    turns = int(rng.integers(4, 10))
    points = np.stack([np.arange(turns) % 2, np.linspace(0, rng.uniform(0.5, 1.2), turns)], axis=1)
    return [_along(points if rng.random() < 0.5 else points[:, ::-1])]


def wave(rng: np.random.Generator) -> list[Points]:
    """A sine wave of 2 to 4 periods."""
    along = np.linspace(0, 1, 80)
    height = rng.uniform(0.15, 0.5)
    return [np.stack([along, height * np.sin(2 * math.pi * rng.uniform(2, 4) * along)], axis=1)]


def spiral(rng: np.random.Generator) -> list[Points]:
    """A spiral of 2 to 4 rounds."""
    along = np.linspace(0.05, 1, 120)
    angle = 2 * math.pi * (rng.uniform(2, 4) * along + rng.random())
    return [np.stack([along * np.cos(angle), along * np.sin(angle)], axis=1) / 2]


def star(rng: np.random.Generator) -> list[Points]:
    """A star or a bundle of 3 to 6 lines through one point."""
    angles = rng.uniform(0, math.pi) + np.arange(count := int(rng.integers(3, 7))) * math.pi / count
    ends = np.stack([np.cos(angles), np.sin(angles)], axis=1) / 2
    return [_along(np.stack([-end, end])) for end in ends]


def hatching(rng: np.random.Generator) -> list[Points]:
    """2 to 4 lines one way and 2 to 4 across."""
    places = [np.linspace(0.1, 0.9, int(rng.integers(2, 5))) for _ in range(2)]
    across = [_along(np.array([(0, place), (1, place)])) for place in places[0]]
    return across + [_along(np.array([(place, 0), (place, 1)])) for place in places[1]]


def wandering(rng: np.random.Generator) -> list[Points]:
    """A smooth line through 6 to 10 random places."""
    places = rng.random((int(rng.integers(6, 11)), 2))
    return [_smooth(_along(places, 20))]


# --- how they are drawn ---


def _along(corners: np.ndarray, between: int = 12) -> Points:
    """Points on the lines from corner to corner."""
    at = np.linspace(0, len(corners) - 1, (len(corners) - 1) * between + 1)
    return np.stack([np.interp(at, np.arange(len(corners)), corners[:, axis]) for axis in (0, 1)], axis=1)


def _smooth(points: Points, reach: int = 12) -> Points:
    padded = np.pad(points, ((reach, reach), (0, 0)), mode="edge")
    window = np.hanning(2 * reach + 1)
    smoothed: Points = np.stack(
        [np.convolve(padded[:, axis], window / window.sum(), "valid") for axis in (0, 1)], axis=1
    )
    return smoothed


def _rendered(strokes: Sequence[Points], rng: np.random.Generator) -> np.ndarray:
    """By hand: slightly turned, sheared, stretched and bent, then through the app's own preprocessing."""
    angle = math.radians(rng.normal(0, 6))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = turn @ np.array([[1, rng.normal(0, 0.12)], [0, 1]]) @ np.diag(np.exp(rng.normal(0, 0.15, 2)))
    frequency, phase = rng.normal(0, 3, (2, 2)), rng.uniform(0, 2 * math.pi, 2)

    def moved(stroke: Points) -> list[tuple[float, float]]:
        bent = stroke @ matrix.T
        bent = bent + 0.03 * np.sin(bent @ frequency + phase)
        return [(float(x), float(y)) for x, y in 60 + 160 * bent]

    return preprocess_strokes([moved(stroke) for stroke in strokes], CANVAS, PEN_WIDTH).pixels
