"""The network map: the component that draws a folded network and lets the visitor unfold its parts.

Every level that is unfolded is a row of boxes. The server sends the rows on screen only: a press on a box comes back as
that part's id, and `assets/map.js` draws the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from cnn_explorer.classics.folding import Dense, Part, Step, steps_of
from cnn_explorer.classics.graph import EVERYTHING, Graph, GraphShapes, NodeShape
from cnn_explorer.classics.wording import compact, inside_a_sentence, summary, times, word_for
from cnn_explorer.ui.component import component, nothing
from cnn_explorer.ui.messages import message, text

KEY = "network_map"  # session key of the component
MAX_ID = 100  # characters of a part's id
STAGES = ("Stage", "Sequential")  # kinds whose steps have telling names only
# Colours and signs of boxes, by class.
LOOKS = {
    "Conv2d": "weights",
    "Linear": "weights",
    "MaxPool2d": "pooling",
    "AvgPool2d": "pooling",
    "AdaptiveAvgPool2d": "pooling",
    "Add": "add",
    "Concatenate": "join",
    "Input": "input",
}

Data = dict[str, Any]


def pressed() -> str | None:
    """The id of the part that was pressed just now, None for none."""
    sent = message(st.session_state.get(KEY), "press", lambda sent: {"id": text(sent.get("id"), MAX_ID)})
    return sent["id"] if sent else None


def mount(graph: Graph, parts: Sequence[Part], shapes: GraphShapes, path: Sequence[Step]) -> None:
    """Show a network with the steps of `path` unfolded, from the top down."""
    whole = _row(graph, parts, shapes, "", "The whole network", path)
    rows = [
        _row(graph, step.inside, shapes, step.id, _title(step), path[depth + 1 :])
        for depth, step in enumerate(path)
        if step.inside
    ]
    data = {"rows": [whole, *rows], "selected": path[-1].id if path else ""}
    component(KEY)(key=KEY, data=[data], on_press_change=nothing)


def _row(graph: Graph, parts: Sequence[Part], shapes: GraphShapes, id: str, title: str, path: Sequence[Step]) -> Data:
    first = next(iter(steps_of(parts))).nodes[0]
    source = next(iter(graph.nodes[first].inputs), None)
    entry = "" if source is None or source >= len(shapes.nodes) else times(shapes.nodes[source].shape)
    opened = path[0].id if path else ""
    return {"id": id, "title": title, "entry": entry, "parts": _parts(graph, parts, shapes, opened)}


def _title(step: Step) -> str:
    times_equal = f", one of {step.count} equal ones" if step.count > 1 else ""
    kind = "" if step.kind in STAGES else f": {inside_a_sentence(step.kind)}"
    return f"{step.id}{kind}{times_equal}"


def _parts(graph: Graph, parts: Sequence[Part], shapes: GraphShapes, opened: str) -> list[Data]:
    drawn: list[Data] = []
    for part in parts:
        if isinstance(part, Step):
            drawn.append({"step": _step(graph, part, shapes, opened)})
        elif isinstance(part, Dense):
            drawn.append({"dense": [_step(graph, step, shapes, opened) for step in part.steps]})
        else:
            drawn.append({"fork": [_parts(graph, branch, shapes, opened) for branch in part.branches]})
    return drawn


def _step(graph: Graph, step: Step, shapes: GraphShapes, opened: str) -> Data:
    places = [place for place in step.nodes if place < len(shapes.nodes)]
    complete = len(places) == len(step.nodes)
    last = shapes.nodes[step.nodes[-1]] if complete else None
    macs = sum(shapes.nodes[place].macs for place in places)
    parameters = sum(graph.nodes[place].parameters for place in step.nodes)
    numbers = [
        f"{compact(parameters)} parameters" if parameters else "",
        f"{compact(macs)} multiply-adds" if macs else "",
        f"sees {_seen(last)}" if last and step.kind != "Input" else "",
    ]
    stage = step.kind in STAGES
    title = step.title if stage else word_for(step.kind)
    return {
        "id": step.id,
        "title": f"{step.count} × {title}" if step.count > 1 else title,
        "name": "" if stage else step.title,
        "summary": summary(graph, step),
        "look": "group" if step.inside else LOOKS.get(step.kind, "plain"),
        "shape": times(last.shape) if last else "",
        "size": [*last.shape, 1, 1][:3] if last else [],
        "numbers": [number for number in numbers if number],
        "opened": step.id == opened,
        "unfolds": bool(step.inside),
        "problem": _problem(places, step, shapes),
    }


def _seen(one: NodeShape) -> str:
    return "everything" if one.field.jump == EVERYTHING else times(one.field.size)


def _problem(places: Sequence[int], step: Step, shapes: GraphShapes) -> str:
    """Why a step is not drawn with its numbers."""
    if len(places) == len(step.nodes):
        return ""
    return "does not fit" if len(shapes.nodes) in step.nodes else "not reached"
