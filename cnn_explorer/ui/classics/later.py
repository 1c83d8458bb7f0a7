"""What takes a while: the page goes on, and shows it when it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from cnn_explorer.classics.worker import WorkerError
from cnn_explorer.ui.boundary import guarded, sentence_for
from cnn_explorer.ui.markdown import sentence

ASKED_AGAIN = 0.5  # seconds between two looks for what is under way in the background

Value = TypeVar("Value")


def later(ask: Callable[[], Value | None], show: Callable[[Value], None], meanwhile: str) -> None:
    """Show what `ask` returns. While that is None, show a sentence and ask again; where it raises, show why."""
    try:
        value = ask()
    except ValueError as problem:
        st.error(sentence(problem))
    except WorkerError as problem:
        st.error(sentence_for(problem))
    else:
        if value is None:
            st.fragment(_look, run_every=ASKED_AGAIN)(ask, meanwhile)
        else:
            show(value)


@guarded()
def _look(ask: Callable[[], object | None], meanwhile: str) -> None:
    try:
        there = ask() is not None
    except (ValueError, WorkerError):
        there = True  # the run of the whole page shows it
    if there:
        st.rerun()
    st.markdown(f":material/hourglass: {meanwhile}")
