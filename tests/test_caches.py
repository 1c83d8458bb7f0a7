"""What a process keeps for all sessions: shares of weights that visitors bring, work that ends with its visitor,
addresses.
"""

import sys
from types import SimpleNamespace

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import nn

from cnn_explorer.sharing.fair_cache import FairCache, Shares
from cnn_explorer.spec.network import LECTURE
from cnn_explorer.ui import caches, own_weights, visitors
from cnn_explorer.weights.label import FromFile, Label
from cnn_explorer.weights.load import TrainedNetwork

FILE = Label(FromFile(), 0.5)


class Visit:
    """Visitors of the own weights' store; "tab@home" comes from the address "home"."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now, self.gone = "", set[str]()
        store: FairCache[TrainedNetwork] = FairCache(
            Shares.of(40_000),
            lambda network: network.bytes,
            lambda one: one not in self.gone,
            lambda one: one.partition("@")[2],
        )
        patch.setattr(own_weights, "_KEPT", store)
        patch.setattr(visitors, "visitor", lambda: self.now)

    def bring(self, visitor: str, net: str, values: int = 1_000) -> None:
        """A network of four bytes a value."""
        self.now = visitor
        own_weights.keep_from_file(net, TrainedNetwork(nn.Sequential(nn.Linear(values, 1, bias=False)), FILE))

    def has(self, visitor: str, net: str) -> bool:
        self.now = visitor
        return own_weights.has_file(net)


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Visit:
    return Visit(monkeypatch)


def test_brought_weights_are_each_visitors_own(visit: Visit) -> None:
    visit.bring("one@home", "a")
    assert visit.has("one@home", "a")
    assert not visit.has("two@home", "a")


def test_all_sessions_together_keep_no_more_than_there_is(visit: Visit) -> None:
    visit.bring("honest@home", "mine")
    for number in range(8):
        for tab in range(2):
            visit.bring(f"tab {tab}@greedy", f"net {number}", 3_000)
    with pytest.raises(ValueError, match="take all the memory there is; try again when they have left"):
        visit.bring("tab 3@greedy", "net", 3_000)
    assert visit.has("honest@home", "mine")
    assert sum(own_weights._KEPT[key].bytes for key in own_weights._KEPT) <= 40_000
    visit.gone |= {"tab 0@greedy", "tab 1@greedy"}
    own_weights.forget_absent()
    assert visit.has("honest@home", "mine")
    assert len(list(own_weights._KEPT)) == 1


def test_a_visitor_keeps_four_networks(visit: Visit) -> None:
    for number in range(6):
        visit.bring("one@home", f"net {number}", 10)
    assert [visit.has("one@home", f"net {number}") for number in range(6)] == [False, False, True, True, True, True]


@pytest.mark.parametrize(
    ("ip", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("?", ""),
    ],
)
def test_the_address_of_a_visitor(monkeypatch: pytest.MonkeyPatch, ip: str, address: str) -> None:
    client = SimpleNamespace(client_context=SimpleNamespace(remote_ip=ip))
    runtime = SimpleNamespace(
        exists=lambda: True, get_instance=lambda: SimpleNamespace(get_client=lambda visitor: client)
    )
    monkeypatch.setattr(visitors.st, "runtime", runtime)
    assert visitors.address_of("one") == address


def test_the_address_of_one_who_has_left_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = SimpleNamespace(
        exists=lambda: True, get_instance=lambda: SimpleNamespace(get_client=lambda visitor: None)
    )
    monkeypatch.setattr(visitors.st, "runtime", runtime)
    assert visitors.address_of("one") == ""


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many digits each pass of a network had."""
    counts: list[int] = []
    forward = nn.Sequential.forward

    def counted(module: nn.Sequential, images: torch.Tensor) -> torch.Tensor:
        counts.append(len(images))
        output: torch.Tensor = forward(module, images)
        return output

    monkeypatch.setattr(nn.Sequential, "forward", counted)
    return counts


@pytest.mark.parametrize("present", [True, False])
def test_work_ends_when_the_visitor_has_left(
    own_visitors: None, monkeypatch: pytest.MonkeyPatch, passes: list[int], present: bool
) -> None:
    monkeypatch.setattr(visitors, "is_present", lambda visitor: present)

    def script() -> None:
        import streamlit as st

        from cnn_explorer.spec.network import LECTURE
        from cnn_explorer.ui import caches, visitors
        from cnn_explorer.weights.builder import build_network

        network = build_network(LECTURE, seed=77 + visitors.is_present("")).eval()
        st.write(len(caches.evaluation(str(LECTURE), network, "bundled")))

    page = AppTest.from_function(script, default_timeout=60).run()
    assert [text.value for text in page.markdown] == (["`1000`"] if present else [])
    assert sum(passes) == (1000 if present else 0)


def test_a_session_is_nothing_outside_a_page() -> None:
    assert "streamlit" in sys.modules
    visitors.stop_if_unwanted()  # in a notebook or a thread nobody is asked
    assert caches.shapes_of(str(LECTURE)) is caches.shapes_of(str(LECTURE))
