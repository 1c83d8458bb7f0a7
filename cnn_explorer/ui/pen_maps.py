"""PyTorch's maps while the pen moves, over HTTP: a fifth of the processor time that a run of the page takes.

A browser asks with the network, the fingerprint of its weights and the drawing. The answer depends on nothing else, so
any session and any replica gives the same one. It is what `network_view.pack_maps` makes, with values in float16. What
is drawn becomes the session's at the end of a stroke, by a run of the page.
"""

from __future__ import annotations

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

QUICK = 10  # digits in a unit of work: a network that takes no longer holds up nobody, and is asked at once
WAITING = 20  # questions about slower ones that may wait; more are refused, and browsers ask again later
_ONE = CapacityLimiter(1)


async def pen_maps(request: Request) -> Response:
    """Answer a POST request. Status 204 where the network with these weights is not kept here, 413 and 422 for what is
    no drawing, 503 where too many ask.
    """
    drawing = await _body(request)
    net = request.query_params.get("net", "")
    network = caches.kept_network(net)
    if network is None or network.fingerprint != request.query_params.get("version"):
        return Response(status_code=204)
    if caches.digits_in_a_unit(net) >= QUICK:  # to hand it to a thread would take as long as the answer
        answer = _answer(net, network, drawing)
    elif _ONE.statistics().tasks_waiting < WAITING:
        answer = await run_sync(_answer, net, network, drawing, limiter=_ONE)
    else:
        raise HTTPException(503, headers={"Retry-After": "3"})
    headers = {"Content-Encoding": "identity", "Cache-Control": "no-store"}  # compressing takes longer than sending
    return Response(answer, media_type="application/octet-stream", headers=headers)


async def _body(request: Request) -> str:
    received = b""
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_TEXT:
            raise HTTPException(413, f"A drawing has at most {MAX_TEXT:,} characters.")
    return received.decode("ascii", "replace")


def _answer(net: str, network: TrainedNetwork, text: str) -> bytes:
    from cnn_explorer.weights.trace import trace_activations

    try:
        seen = parse_drawing(text).preprocess()
    except DrawingError as problem:
        raise HTTPException(422, f"{problem}.") from problem
    return pack_maps(caches.shapes_of(net), seen.pixels, trace_activations(network.module, seen.image), exact=False)
