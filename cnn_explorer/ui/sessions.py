"""Gives back the memory of sessions that have ended.

Streamlit keeps a session for `server.disconnectedSessionTTL` seconds after its browser has gone. It drops the session
when another one is disconnected. Its objects refer to each other, so their memory comes back with a full garbage
collection only. Python starts such a collection rarely, and `[runner] postScriptGC = false` turns off Streamlit's own.
So the server looks every few seconds, and collects after a session has ended. A collection takes 5 to 20 ms of CPU
time, since `loading` freezes what PyTorch has loaded.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import streamlit as st

from cnn_explorer.sharing.memory import give_back_memory
from cnn_explorer.ui import own_weights

POLL = 5.0  # seconds


@asynccontextmanager
async def collecting(_app: Any) -> AsyncIterator[None]:
    """A lifespan of `st.App`: gives back the memory of sessions within `POLL` seconds of their end."""
    task = asyncio.create_task(_collect())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _collect() -> None:
    """Runs on the server's event loop, because other threads may not use Streamlit's store of disconnected sessions."""
    known: dict[str, Any] = {}
    while True:
        await asyncio.sleep(POLL)
        try:
            before, known = known, _sessions()
            ended = [session for name, session in before.items() if name not in known]
            before.clear()
            if ended:
                _end(ended)
                await asyncio.to_thread(give_back_memory)
        except Exception:  # the app works without this, and the host reads the log
            logging.getLogger(__name__).exception("The memory of ended sessions is not given back.")
            return


def _sessions() -> dict[str, Any]:
    """Streamlit's sessions by their identifiers: those with a browser, and those kept for one that may come back."""
    manager: Any = st.runtime.get_instance()._session_mgr
    manager._session_storage._cache.expire()  # else what has expired stays until another session is disconnected
    return {info.session.id: info.session for info in manager.list_sessions()}


def _end(sessions: list[Any]) -> None:
    """Drop what ended sessions hold. `sessions` is emptied, so that no reference is left."""
    while sessions:
        sessions.pop().shutdown()  # drops uploads, also of a session that `gc.freeze` hides from the collector
    own_weights.forget_absent()
    gc.collect()
