"""PyTorch's maps while the pen moves: the route, called as the server calls it."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlencode

import pytest
from coroutines import completed
from starlette.applications import Starlette

from cnn_explorer.digits.drawing import MAX_TEXT, drawing_from_strokes, example_drawing, parse_drawing
from cnn_explorer.spec.network import LECTURE, PRESETS
from cnn_explorer.ui import caches, network_view, pen_maps
from cnn_explorer.ui.server import ROUTES
from cnn_explorer.weights.load import TrainedNetwork
from cnn_explorer.weights.trace import trace_activations

STROKE = drawing_from_strokes([[(60, 60), (200, 60), (120, 230)]]).text


@pytest.fixture(scope="module")
def lecture() -> TrainedNetwork:
    return caches.network_of(str(LECTURE))


def ask(net: str, version: str, drawing: str) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of the answer. The drawing arrives in two parts."""
    query = urlencode({"net": net, "version": version}).encode()
    scope = {"type": "http", "method": "POST", "path": "/pen_maps", "query_string": query, "headers": []}
    body, told = drawing.encode(), list[MutableMapping[str, Any]]()
    parts = iter([(body[:7], True), (body[7:], False)])

    async def receive() -> MutableMapping[str, Any]:
        part, more = next(parts)
        return {"type": "http.request", "body": part, "more_body": more}

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message)

    async def answer() -> None:
        await Starlette(routes=ROUTES)(scope, receive, send)

    completed(answer())
    return told[0]["status"], dict(told[0]["headers"]), b"".join(part.get("body", b"") for part in told[1:])


@pytest.mark.parametrize("net", [str(spec) for spec in PRESETS.values()])
@pytest.mark.parametrize("drawing", ["s", "d17", STROKE, example_drawing().text])
def test_the_maps_are_those_of_a_run_of_the_page(net: str, drawing: str) -> None:
    network, shapes, seen = caches.network_of(net), caches.shapes_of(net), parse_drawing(drawing).preprocess()
    status, headers, body = ask(net, network.fingerprint, drawing)
    assert (status, headers[b"content-type"], headers[b"cache-control"]) == (
        200,
        b"application/octet-stream",
        b"no-store",
    )
    trace = trace_activations(network.module, seen.image)
    update = network_view.pack(1, "", shapes, seen.pixels, trace, network.label, exact=False)
    assert len(body) > 1000
    assert update[-len(body) :] == body


def test_other_weights_and_networks_that_are_not_kept_have_no_answer(lecture: TrainedNetwork) -> None:
    assert ask(str(LECTURE), "of another training", STROKE)[0] == 204
    for net in ("conv3k3-fc10", "no network", "conv9999k5-fc10", ""):
        assert ask(net, lecture.fingerprint, STROKE)[0] == 204
        assert caches.kept_network(net) is None  # to ask makes nothing


@pytest.mark.parametrize(
    ("drawing", "status"), [("x", 422), ("", 422), ("d5000", 422), ("sÄ", 422), ("s" + "A" * MAX_TEXT, 413)]
)
def test_what_is_no_drawing_is_refused(drawing: str, status: int, lecture: TrainedNetwork) -> None:
    answered, _, body = ask(str(LECTURE), lecture.fingerprint, drawing)
    assert answered == status
    assert body.endswith(b".")
    assert b"Traceback" not in body


def test_where_too_many_wait_browsers_are_told_to_come_later(
    lecture: TrainedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pen_maps, "SHORT", 3)  # as if this drawing were long
    _, _, whole = ask(str(LECTURE), lecture.fingerprint, STROKE)
    monkeypatch.setattr(pen_maps, "WAITING", 0)
    assert len(whole) > 1000  # in a thread
    assert ask(str(LECTURE), lecture.fingerprint, STROKE)[0] == 503
    monkeypatch.setattr(pen_maps, "WAITING", 1)
    monkeypatch.setattr(pen_maps, "PATIENCE", -1.0)
    assert ask(str(LECTURE), lecture.fingerprint, STROKE)[0] == 503  # the browser has given up
