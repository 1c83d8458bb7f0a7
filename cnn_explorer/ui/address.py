"""The address of a page. It is the page's state: a reload, a second tab or another server shows the same.

A page lists its parameters in an `Address`. While the page is open, their values live in the session. Every change is
written to the address, and every address that the browser goes to is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import streamlit as st

from cnn_explorer.ui import events
from cnn_explorer.ui.markdown import sentence
from cnn_explorer.ui.session import remembered

Query = Mapping[str, str]  # query parameters by name


def cannot_be_read(subject: str, instead: str) -> Callable[[ValueError, bool], str]:
    """A `Parameter.notice` about a value that cannot be read; `instead` is what an address shows without it."""

    def notice(problem: ValueError, opening: bool) -> str:
        shown = instead if opening else "the one before"
        return f"The {subject} in this page's address cannot be read, so here is {shown}. {sentence(problem)}"

    return notice


@dataclass(frozen=True)
class Parameter:
    """A part of the address: one query parameter of this `name`, or several (`names`) that make sense together only.

    `show(query)` puts the values of an address on screen; the default stands for one that is missing. If they cannot be
    shown, it raises `ValueError` with the reason and changes nothing. `shown()` returns the values on screen; the
    address leaves out empty ones. `notice(problem, opening)` returns the sentence for a value that cannot be read;
    `opening` is true if the page has just been opened. When the parameter named `depends_on` is read anew, this one is,
    too.
    """

    name: str
    show: Callable[[Query], None]
    shown: Callable[[], Query]
    notice: Callable[[ValueError, bool], str]
    names: tuple[str, ...] = ()
    depends_on: str = ""

    @property
    def query_names(self) -> tuple[str, ...]:
        """Names of its query parameters."""
        return self.names or (self.name,)


@dataclass
class Known:
    """The address as a session knows it: each part as it was last read or written (`parts`), and the whole `query`.

    Both have two values after an address that the browser completes: it may send the old or the completed one. Parts
    that have been `opened` are on screen. `notices` has a sentence for each part that could not be read, "" for none.
    """

    query: tuple[Query, ...] = ()
    parts: dict[str, tuple[Query, ...]] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    notices: dict[str, str] = field(default_factory=dict)


@dataclass
class Moves:
    """How many times the browser has gone to another address by itself."""

    count: int = 0


class Address:
    """The parameters of one page."""

    def __init__(self, *parameters: Parameter) -> None:
        self.parameters = parameters
        self._names = frozenset(name for parameter in parameters for name in parameter.query_names)

    def read(self) -> dict[str, str]:
        """Show every part of the address that is new. A part that cannot be read stays as it was and gets a notice.

        Returns the query parameters that the browser must set in its address: a page that has just been opened may show
        more than the address says, or something else.
        """
        _follow_browser()
        opened = [self._read(parameter) for parameter in self.parameters]
        if not any(opened):
            return {}
        known, query = remembered(Known), st.query_params.to_dict()
        correction = {name: value for name, value in self.query().items() if query.get(name) != value}
        known.query = (query, query | correction)
        return correction

    def _read(self, parameter: Parameter) -> bool:
        """Read one part. Returns whether it was shown for the first time in this session."""
        known, query = remembered(Known), st.query_params.to_dict()
        given = {name: query[name] for name in parameter.query_names if name in query}
        opening = parameter.name not in known.opened
        if given in known.parts.get(parameter.name, ()) and not opening:
            return False
        try:
            parameter.show(given)
        except ValueError as problem:
            if opening:
                parameter.show({})
            events.refusal("address")
            set_notice(parameter.name, parameter.notice(problem, opening))
        else:
            set_notice(parameter.name, "")
        for other in self.parameters:
            if other.depends_on == parameter.name:
                known.parts.pop(other.name, None)
        # Last: Streamlit may end a run at any use of the session.
        known.parts[parameter.name] = (given, _filled(parameter.shown()))
        known.opened.add(parameter.name)
        return opening

    def write(self) -> None:
        """Write all that the page shows, at once: every write is a step of the browser's history.

        Query parameters that are not the page's stay.
        """
        shown = {parameter.name: _filled(parameter.shown()) for parameter in self.parameters}
        before = st.query_params.to_dict()
        wanted = {name: value for name, value in before.items() if name not in self._names} | _joined(shown)
        known = remembered(Known)
        # A question that was sent before the last written address arrived carries the older one.
        if wanted != before or wanted not in known.query:
            st.query_params.from_dict(wanted)
        known.query = (wanted,)
        known.parts |= {name: (values,) for name, values in shown.items()}

    def query(self, wanted: Query | None = None) -> dict[str, str]:
        """All that the page shows, as query parameters; nothing of a part that this session has not shown yet.

        A part of which `wanted` has any parameter is taken from there as a whole.
        """
        opened, wanted = remembered(Known).opened, wanted or {}
        shown = {
            one.name: _filled(one.shown())
            for one in self.parameters
            if one.name in opened and not wanted.keys() & set(one.query_names)
        }
        return {**_joined(shown), **wanted}

    def notices(self) -> list[str]:
        """A notice for every part, "" for none."""
        return [self.notice(parameter.name) for parameter in self.parameters]

    def notice(self, name: str) -> str:
        """The notice on one part, "" for none."""
        return remembered(Known).notices.get(name, "")


def _follow_browser() -> None:
    """Note whether the browser has gone to another address by itself: by Back, Forward or a link.

    An address that was written just before may reach the browser after that step. So the browser is told once more
    where it is; this does not add a step.
    """
    known, now = remembered(Known), st.query_params.to_dict()
    if now in known.query:
        return
    if known.query:
        remembered(Moves).count += 1
        st.query_params.from_dict(now)
    known.query = (now,)


def set_notice(name: str, notice: str) -> None:
    """Set the notice on a part, "" for none."""
    remembered(Known).notices[name] = notice


def read_again(*names: str) -> None:
    """Forget what the address last said of these parts: the next `Address.read` shows them again."""
    for name in names:
        remembered(Known).parts.pop(name, None)


def _filled(values: Query) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _joined(parts: Mapping[str, Query]) -> dict[str, str]:
    return {name: value for part in parts.values() for name, value in part.items()}
