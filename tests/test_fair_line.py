"""Turns in a line: of addresses, and of the visitors of each."""

from cnn_explorer.sharing.fair_line import FairLine


def line_of(*visitors: str) -> FairLine:
    line = FairLine()
    for visitor in visitors:
        line.join(visitor, visitor.partition("@")[2])
    return line


def turns(line: FairLine, count: int) -> list[str | None]:
    taken = []
    for _ in range(count):
        taken.append(line.first)
        line.end_turn()
    return taken


def test_addresses_take_turns_and_so_do_their_visitors() -> None:
    visitors = ["a@greedy", "b@greedy", "c@greedy", "one@home", "x@school", "y@school"]
    assert [*line_of(*visitors)] == ["a@greedy", "one@home", "x@school", "b@greedy", "y@school", "c@greedy"]
    assert turns(line_of(*visitors), 9) == [
        *("a@greedy", "one@home", "x@school"),
        *("b@greedy", "one@home", "y@school"),
        *("c@greedy", "one@home", "x@school"),
    ]


def test_who_leaves_is_followed_by_the_next_of_the_same_address() -> None:
    line = line_of("a@greedy", "b@greedy", "one@home")
    line.leave("a@greedy")
    line.leave("nobody@home")
    assert [*line] == ["b@greedy", "one@home"]
    assert "a@greedy" not in line
    line.leave("b@greedy")
    line.leave("one@home")
    assert not line
    assert line.first is None
