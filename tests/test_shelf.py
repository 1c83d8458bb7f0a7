"""What is kept ready is bounded by its bytes, and what was not used for longest goes first."""

from torch import nn

from cnn_explorer.shelf import Shelf
from cnn_explorer.weights import Label, TrainedNetwork


def sized(values: int) -> TrainedNetwork:
    """A network of so many float32 weights."""
    return TrainedNetwork(nn.Sequential(nn.Linear(values, 1, bias=False)), Label("random", "", None, ""))


def test_what_fits_is_kept() -> None:
    shelf = Shelf(1000)
    first, second = sized(100), sized(100)
    shelf.keep("a", first)
    shelf.keep("b", second)
    assert (shelf.get("a"), shelf.get("b"), shelf.get("c")) == (first, second, None)


def test_the_least_recently_used_go_first() -> None:
    shelf = Shelf(1000)
    networks = {name: sized(100) for name in "abc"}
    shelf.keep("a", networks["a"])
    shelf.keep("b", networks["b"])
    assert shelf.get("a") is networks["a"]
    shelf.keep("c", networks["c"])  # 1,200 bytes
    assert [shelf.get(name) for name in "abc"] == [networks["a"], None, networks["c"]]


def test_another_in_its_place_counts_once() -> None:
    shelf = Shelf(1000)
    shelf.keep("a", sized(100))
    later = sized(100)
    shelf.keep("b", sized(100))
    shelf.keep("a", later)
    assert shelf.get("a") is later
    assert shelf.get("b") is not None


def test_one_that_is_too_large_is_kept_alone() -> None:
    shelf = Shelf(1000)
    large = sized(1000)
    shelf.keep("a", sized(10))
    shelf.keep("b", large)
    assert (shelf.get("a"), shelf.get("b")) == (None, large)
