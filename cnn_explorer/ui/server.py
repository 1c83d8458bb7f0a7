"""What the server does beside showing pages: it says what it runs with, and whether it is ready."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from cnn_explorer.classics.running import memory_limit
from cnn_explorer.sharing.memory import memory_bound, share_arenas
from cnn_explorer.ui import configuration, events, sessions
from cnn_explorer.ui.loading import torch_loading
from cnn_explorer.ui.pen_maps import pen_maps

if TYPE_CHECKING:
    from starlette.requests import Request


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """A lifespan of `st.App`: notes the start, and gives back the memory of sessions that have ended."""
    share_arenas()
    events.write_to_stderr()
    configuration.read_once()
    bound = memory_bound()
    events.note(
        "start",
        python=platform.python_version(),
        streamlit=importlib.metadata.version("streamlit"),
        torch=importlib.metadata.version("torch"),
        processors=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        memory_mb=round(bound / 1e6) if bound else None,
        classics_memory_mb=memory_limit(),
    )
    async with sessions.collecting(app):
        yield


async def ready(_request: Request) -> JSONResponse:
    """True with status 200 once PyTorch and the weights are loaded, else False with 503. The first call loads them."""
    loading = torch_loading()
    loading.start()
    return JSONResponse({"ready": loading.serving}, status_code=200 if loading.serving else 503)


ROUTES = (Route("/ready", ready), Route("/pen_maps", pen_maps, methods=["POST"]))
