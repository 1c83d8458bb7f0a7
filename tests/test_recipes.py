"""Recipes as data and as a line of text: the one is the other's exact inverse, and whatever the text, a sentence."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_explorer.training.recipe import LIMITS, RunRecipe, digits_for, parse_recipe, recipes_for


@st.composite
def recipes(draw: st.DrawFn) -> RunRecipe:
    optimizer = draw(st.sampled_from(["sgd", "adam"]))
    values: dict[str, Any] = {
        name: draw(st.integers(*map(int, LIMITS[name]))) for name in ("batch_size", "epochs", "seed")
    }
    return RunRecipe(
        data=draw(st.sampled_from(["bundled", "mnist"])),
        optimizer=optimizer,
        learning_rate=draw(st.floats(*LIMITS["learning_rate"])),
        momentum=draw(st.floats(*LIMITS["momentum"])) if optimizer == "sgd" else 0,
        schedule=draw(st.sampled_from(["constant", "onecycle"])),
        augment=draw(st.booleans()),
        **values,
    )


@given(recipes())
def test_the_line_says_the_whole_recipe(recipe: RunRecipe) -> None:
    assert parse_recipe(str(recipe)) == recipe
    assert str(parse_recipe(str(recipe))) == str(recipe)
    assert parse_recipe(f" {str(recipe).upper()} ") == recipe


@pytest.mark.parametrize(
    ("line", "recipe"),
    [
        ("mnist-sgd0.01m0.5-b64-e10-s0", RunRecipe("mnist", "sgd", 0.01, 0.5)),
        (
            "bundled-adam0.008-onecycle-augment-b64-e40-s0",
            RunRecipe("bundled", "adam", 0.008, 0, "onecycle", True, 64, 40, 0),
        ),
        ("bundled-sgd1-b8-e1-s9999", RunRecipe("bundled", "sgd", 1, 0, "constant", False, 8, 1, 9999)),
        (
            "bundled-sgd0.0001m0.00001-b512-e100-s7",
            RunRecipe("bundled", "sgd", 1e-4, 1e-5, "constant", False, 512, 100, 7),
        ),
    ],
)
def test_lines(line: str, recipe: RunRecipe) -> None:
    assert str(recipe) == line
    assert parse_recipe(line) == recipe


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the recipe has nothing for its digits: expected 'bundled' or 'mnist'"),
        ("cifar-sgd0.01-b64-e10-s0", "the recipe has `cifar` for its digits"),
        (
            "mnist",
            "the recipe has nothing for its optimizer: expected an optimizer with its learning rate: 'sgd0.01m0.5' "
            "or 'adam0.004'",
        ),
        ("mnist-adam0.01m0.5-b64-e10-s0", "has `adam0.01m0.5` for its optimizer"),
        ("mnist-sgd1e-3-b64-e10-s0", "has `sgd1e` for its optimizer"),
        ("mnist-sgd٠-b64-e10-s0", "has `sgd٠` for its optimizer"),
        (
            "mnist-sgd0.01-augment-onecycle-b64-e10-s0",
            "has `onecycle` for its batch size: expected a batch size: 'b64'",
        ),
        ("mnist-sgd0.01-b64-e10", "has nothing for its seed: expected a seed: 's0'"),
        ("mnist-sgd0.01-b64-e10-s0-s1", "`-s1` stands behind the seed"),
        ("mnist-sgd0.01-b64-e10-s0-", "`-` stands behind the seed"),
        ("mnist-sgd0.01-b64-e101-s0", r"epochs \(=101\) must be a whole number from 1 to 100; choose 100"),
        ("mnist-sgd0-b64-e10-s0", r"learning_rate \(=0.0\) must be a number from 0.0001 to 1; choose 0.0001"),
        ("mnist-" + "9" * 100 + "-b64-e10-s0", "`" + "9" * 40 + "…` for its optimizer"),
        ("-" * 10_000_000, "at most 200 characters, not 10,000,000"),
    ],
)
def test_what_is_no_recipe_gets_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_recipe(text)


PIECES = ["mnist", "bundled", "sgd0.01", "adam1", "sgd0.1m0.5", "onecycle", "augment", "b64", "e10", "s0", "", "9"]


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES)).map("-".join))
def test_any_text_is_a_recipe_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        recipe = parse_recipe(text)
        assert parse_recipe(str(recipe)) == recipe


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": "cifar"}, r"data \(='cifar'\) must be 'bundled' or 'mnist'"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"schedule": "cosine"}, "schedule"),
        ({"learning_rate": 2}, r"learning_rate \(=2\) must be a number from 0.0001 to 1; choose 1"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": "0.1"}, "learning_rate"),
        ({"momentum": 1}, r"momentum \(=1\) must be a number from 0 to 0.99; choose 0.99"),
        ({"optimizer": "adam", "momentum": 0.5}, "belongs to SGD"),
        ({"batch_size": 7}, "choose 8"),
        ({"batch_size": 64.0}, "whole number"),
        ({"epochs": True}, "whole number"),
        ({"seed": -1}, "choose 0"),
    ],
)
def test_values_outside_the_limits_are_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RunRecipe(**fields)


def test_the_lectures_recipe() -> None:
    for data in ("bundled", "mnist"):
        offered = recipes_for(data)  # type: ignore[arg-type]
        assert str(offered["the lecture's recipe"]) == f"{data}-sgd0.01m0.5-b64-e10-s0"
        assert offered["fast"].optimizer == "adam"
        assert offered["fast"].schedule == "onecycle"
        assert offered["fast"].augment == (data == "bundled")
        assert {recipe.data for recipe in offered.values()} == {data}


def test_digits_to_train_on_and_to_test_with() -> None:
    train, test = digits_for("bundled")
    assert (len(train), len(test)) == (4000, 1000)
    assert np.array_equal(test.labels[:20], [*range(10)] * 2)  # whatever comes first, classes are equal in number
    assert digits_for("bundled")[0] is train


def test_missing_digits_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNN_EXPLORER_DATA", str(tmp_path))
    digits_for.cache_clear()
    with pytest.raises(FileNotFoundError, match="no MNIST in"):
        digits_for("mnist")
