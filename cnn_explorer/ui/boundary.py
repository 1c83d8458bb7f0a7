"""What a visitor sees when something fails: one sentence, never a traceback. The details are in the server's log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import streamlit as st
from streamlit.errors import FragmentHandledException

from cnn_explorer.classics.worker import WorkerError
from cnn_explorer.digits.data import DataError
from cnn_explorer.shipped import AssetError
from cnn_explorer.ui import events, visitors
from cnn_explorer.ui.markdown import plain

UNKNOWN = (
    "Something went wrong here, and the details are in the server's log. Reload the page: its address "
    "keeps your drawing and your network."
)
ICON = ":material/error:"

Arguments = ParamSpec("Arguments")

_LOG = logging.getLogger(__name__)
_RUN = threading.local()  # Streamlit gives each run of a page a thread


@contextmanager
def guarded(*, stop: bool = False) -> Iterator[None]:
    """Show a sentence in place of a page, or of a part of one, that fails. A context manager and a decorator.

    With `stop`, for a page or a part that the rest needs, the run ends there. Streamlit then keeps the values of all
    widgets, also of those that the run has not reached. Streamlit's own signals pass.
    """
    try:
        with _timed():
            yield
    except FragmentHandledException:  # a fragment inside has shown its own failure
        raise
    except Exception as problem:  # whatever it is, the visitor reads a sentence
        st.error(sentence_for(problem), icon=ICON)
        if stop:
            st.stop()


@contextmanager
def _timed() -> Iterator[None]:
    """Note a slow answer, once for a run: the outermost guarded part counts."""
    if getattr(_RUN, "timed", False):
        yield
        return
    page, began = visitors.present_page(), time.monotonic()
    _RUN.timed = True
    try:
        yield
    finally:
        _RUN.timed = False
        seconds = time.monotonic() - began
        if seconds >= events.SLOW:
            events.note("slow", page=page, seconds=round(seconds, 1))


def careful(act: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Make a widget's callback show a sentence where it fails. The page then runs as it was."""

    @wraps(act)
    def acted(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            act(*args, **kwargs)
        except Exception as problem:  # likewise
            st.toast(sentence_for(problem), icon=ICON, duration="long")

    return acted


def sentence_for(problem: Exception) -> str:
    """The sentence for a failure, as Markdown. Its details go to the log."""
    _LOG.error("a page failed", exc_info=problem)
    events.failure(problem)
    return plain(problem) if isinstance(problem, AssetError | DataError | WorkerError) else UNKNOWN


def uncaught(problem: Exception) -> None:
    """A handler of `st.App` for what fails outside `guarded`. Streamlit shows a sentence and writes its own log."""
    events.failure(problem)
