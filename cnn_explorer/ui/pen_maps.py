"""PyTorch's maps while the pen moves, over HTTP: a fifth of the processor time that a run of the page takes.

A browser asks with the network, the fingerprint of its weights and the drawing. The answer depends on nothing else:
every process that keeps this network gives the same one, and the others answer 204. It is what
`network_view.pack_maps` makes, with values in float16. The session gets the drawing by a run of the page: at the end of
a stroke, and every 3 seconds during a long one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.responses import Response

from cnn_explorer.digits.drawing import MAX_TEXT, DrawingError, parse_drawing
from cnn_explorer.ui import caches
from cnn_explorer.ui.network_view import pack_maps

if TYPE_CHECKING:
    from starlette.requests import Request

    from cnn_explorer.weights.load import TrainedNetwork

QUICK = 10  # digits in a unit of work of 25 ms: such a network takes 2.5 ms a digit at most
SHORT = 1500  # characters of a drawing that is preprocessed within a few milliseconds
WAITING = 20  # requests for slower networks and longer drawings in the queue; more get 503
PATIENCE = 3.0  # seconds; a browser waits no longer (`pen_maps.js`)
_SLOW = CapacityLimiter(1)  # of these requests one at a time, in a thread


async def pen_maps(request: Request) -> Response:
    """Answer a POST request. Status 204 where the network with these weights is not kept here, 413 and 422 for what is
    no drawing, 503 where too many ask.
    """
    drawing = await _body(request)
    net = request.query_params.get("net", "")
    network = caches.kept_network(net)
    if network is None or network.fingerprint != request.query_params.get("version"):
        return Response(status_code=204)
    if caches.digits_in_a_unit(net) >= QUICK and len(drawing) <= SHORT:  # a thread would take as long as the answer
        answer = _answer(net, network, drawing)
    elif _SLOW.statistics().tasks_waiting < WAITING:
        answer = await run_sync(_answer_in_time, net, network, drawing, time.monotonic(), limiter=_SLOW)
    else:
        raise HTTPException(503)
    headers = {"Content-Encoding": "identity", "Cache-Control": "no-store"}  # compressing takes longer than sending
    return Response(answer, media_type="application/octet-stream", headers=headers)


async def _body(request: Request) -> str:
    received = b""
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_TEXT:
            raise HTTPException(413, f"A drawing has at most {MAX_TEXT:,} characters.")
    return received.decode("ascii", "replace")


def _answer_in_time(net: str, network: TrainedNetwork, text: str, asked: float) -> bytes:
    if time.monotonic() - asked > PATIENCE:
        raise HTTPException(503)
    return _answer(net, network, text)


def _answer(net: str, network: TrainedNetwork, text: str) -> bytes:
    from cnn_explorer.weights.trace import trace_activations

    try:
        seen = parse_drawing(text).preprocess()
    except DrawingError as problem:
        raise HTTPException(422, f"{problem}.") from problem
    return pack_maps(caches.shapes_of(net), seen.pixels, trace_activations(network.module, seen.image), exact=False)
