"""Plotly figures of trainings and tests: the only module that imports plotly.

Fonts and grid come from the page's theme. Backgrounds are transparent: a figure can be read on white and on dark pages.
The colours are those of M. Okabe and K. Ito, which colour-blind people can tell apart; lines differ in their dashes,
too.

The axis of accuracy is stretched towards 100 %, where networks differ: from 90 % to 99 % is as far as from 99 % to
99.9 %. Hovering shows the exact value.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from cnn_explorer.weights.evaluation import SHIFTS, Evaluation
from cnn_explorer.weights.shared_filters import CLASSES

if TYPE_CHECKING:
    from cnn_explorer.classics.tracing import Facts
    from cnn_explorer.training.run import CurvePoint

BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE)
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "diamond")
NETWORK_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "triangle-down", "hexagon")
AXES = {
    "fixedrange": True,
    "automargin": True,
    "gridcolor": "rgba(128, 128, 128, 0.25)",
    "linecolor": "rgba(128, 128, 128, 0.6)",
    "zeroline": False,
}
Axis = tuple[str, Mapping[str, Any]]  # its title, and what is its own
CONFIG = {"displayModeBar": False}  # for `st.plotly_chart`: no toolbar, as there is nothing to zoom
HEIGHT, TITLE, LEGEND = 260, 24, 28  # pixels
ACCURACIES = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
LOSSES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)


def curves(
    series: Mapping[str, Sequence[CurvePoint]], epochs: float, place: float | None = None, height: int = HEIGHT
) -> go.Figure:
    """Training loss and test accuracy against epochs, side by side, for runs by name; the longest has `epochs` epochs.

    The axes of both are stretched at low losses and high accuracies. Tests after whole epochs have markers and full
    lines. `place` is the epoch on screen, marked by a vertical line. `height` is in pixels.
    """
    # One dict, as in `_figure`: the figure is drawn several times a second.
    lines = [(name, points, style) for (name, points), style in zip(series.items(), _styles(), strict=False)]
    losses = [point.loss for points in series.values() for point in points if point.loss]
    best = max((point.accuracy for points in series.values() for point in points if _ends_epoch(point)), default=0)
    across = {**AXES, "range": [0, epochs], "title": {"text": "epochs", "standoff": 6}, "rangemode": "tozero"}
    layout = {
        **_layout(height, legend=len(series) > 1, title_height=TITLE),
        "xaxis": {**across, "domain": LEFT, "anchor": "y"},
        "xaxis2": {**across, "domain": RIGHT, "anchor": "y2"},
        "yaxis": {**AXES, "type": "log", "anchor": "x", **_loss_ticks(losses)},
        "yaxis2": {**AXES, "anchor": "x2", **_accuracy_ticks(best)},
        "annotations": [_title("training loss", LEFT), _title("test accuracy", RIGHT)],
        "shapes": [] if place is None else [_mark(place, axis) for axis in ("", "2")],
    }
    data = [trace for line in lines for trace in (_loss_line(*line), *_accuracy_lines(*line))]
    return go.Figure(data=data, layout=layout)


def confusion(evaluation: Evaluation, text_colour: str | None = None) -> go.Figure:
    """The number of digits of each class (rows) with each answer (columns). Only errors are coloured. `customdata` of a
    cell's point is `[true, answered]`.

    `text_colour` is the page's: the fainter one of a theme's figures is hard to read on the darkest cells.
    """
    counts = evaluation.confusion
    wrong = np.where(np.eye(CLASSES, dtype=bool) | (counts == 0), np.nan, np.log1p(counts))
    cells = [(true, answered) for true in range(CLASSES) for answered in range(CLASSES)]
    places = {"x": [answered for _, answered in cells], "y": [true for true, _ in cells]}
    colours = {
        "type": "heatmap",
        "z": wrong,
        "zmin": 0,
        "colorscale": _shades(VERMILLION),
        "showscale": False,
        "hoverinfo": "skip",
        "xgap": 1,
        "ygap": 1,
    }
    numbers = {
        "type": "scatter",
        **places,
        "text": [f"{counts[cell]:,}" if counts[cell] else "" for cell in cells],
        "mode": "text",
        "textfont": {"size": 12, "color": text_colour},
        "hoverinfo": "skip",
        "selected": {"textfont": {"color": BLUE}},  # without it, Plotly fades all other numbers after a click
    }
    # A click selects points, not cells of a heatmap: every cell has an invisible point.
    points = {
        "type": "scatter",
        **places,
        "hovertext": [_cell_text(*cell, int(counts[cell])) for cell in cells],
        "customdata": [[*cell] for cell in cells],
        "mode": "markers",
        "hoverinfo": "text",
        "marker": {"symbol": "square", "size": 28, "opacity": 0, "color": BLUE},
        "selected": {"marker": {"opacity": 0.35}},
        "unselected": {"marker": {"opacity": 0}},
    }
    ticks = {
        "tickvals": [*range(CLASSES)],
        "range": [-0.5, CLASSES - 0.5],
        "showgrid": False,
        "zeroline": False,
        "constrain": "domain",
    }
    down = {**ticks, "scaleanchor": "x", "range": [CLASSES - 0.5, -0.5]}
    return _figure([colours, numbers, points], 400, False, ("answer", ticks), ("digit", down))


def class_accuracy(evaluations: Mapping[str, Evaluation]) -> go.Figure:
    """The fraction answered right of each class, for networks by name."""
    lines = []
    for index, ((name, evaluation), style) in enumerate(zip(evaluations.items(), _styles(), strict=False)):
        parts, totals = evaluation.per_class.tolist(), evaluation.confusion.sum(axis=1).tolist()
        aside = 0.16 * (index - (len(evaluations) - 1) / 2)  # markers of equal values are side by side
        line = {
            "type": "scatter",
            "x": [label + aside for label in range(CLASSES)],
            "y": parts,
            "name": name,
            "mode": "markers",
            "marker": {"size": 9, "color": style["color"], "symbol": SYMBOLS[index % len(SYMBOLS)]},
            "hovertext": [
                f"{name}<br>{_percent(part)} of {total:,} digits {label}"
                for label, (part, total) in enumerate(zip(parts, totals, strict=True))
            ],
            "hoverinfo": "text",
            "cliponaxis": False,
        }
        lines.append(line)
    lowest = min((float(evaluation.per_class.min()) for evaluation in evaluations.values()), default=0.0)
    bottom = max(0.0, math.floor(20 * lowest - 0.5) / 20)  # a multiple of 5 % below the lowest value
    across = {"tickvals": [*range(CLASSES)], "range": [-0.5, CLASSES - 0.5], "showgrid": False}
    up = {"tickformat": ".0%", "range": [bottom, 1 + 0.04 * (1 - bottom)]}
    return _figure(lines, HEIGHT, len(evaluations) > 1, ("digit", across), ("right", up))


def networks(series: Mapping[str, Sequence[Facts]], titles: Mapping[str, str]) -> go.Figure:
    """Accuracy on ImageNet against parameters and against multiply-adds, side by side on log scales, for families of
    networks by name. Sizes and prices are in millions; `titles` has a network's name on the page.
    """
    if "pandas" in sys.modules:
        import_module("pandas")  # waits for the thread that imports it: Plotly would use the half of it that is there
    data = []
    for index, (name, facts) in enumerate(series.items()):
        line = {"color": COLOURS[index % len(COLOURS)], "dash": DASHES[index % len(DASHES)], "width": 1}
        ordered = sorted(facts, key=lambda one: one.parameters)
        for axis, values in (
            ("", [one.parameters / 1e6 for one in ordered]),
            ("2", [one.macs / 1e6 for one in ordered]),
        ):
            symbol = NETWORK_SYMBOLS[index % len(NETWORK_SYMBOLS)]
            trace = {
                "type": "scatter",
                "x": values,
                "y": [one.accuracy for one in ordered],
                "name": name,
                "legendgroup": name,
                "showlegend": not axis,
                "mode": "lines+markers",
                "line": line,
                "marker": {"size": 9, "color": line["color"], "symbol": symbol},
                "hovertext": [
                    f"{titles[one.name]}, {name}<br>{100 * one.accuracy:.1f} % right at once"
                    f"<br>{one.parameters / 1e6:.1f} million parameters<br>{one.macs / 1e6:,.0f} million multiply-adds"
                    for one in ordered
                ],
                "hoverinfo": "text",
                "cliponaxis": False,
                "xaxis": f"x{axis}",
                "yaxis": f"y{axis}",
            }
            data.append(trace)
    across = {**AXES, "type": "log", "dtick": 1}
    up = {**AXES, "tickformat": ".0%"}
    titled = [_title("accuracy by parameters (millions)", LEFT), _title("by multiply-adds (millions)", RIGHT)]
    layout = {
        **_layout(320, legend=True, title_height=TITLE),
        "xaxis": {**across, "domain": LEFT, "anchor": "y"},
        "xaxis2": {**across, "domain": RIGHT, "anchor": "y2"},
        "yaxis": {**up, "anchor": "x"},
        "yaxis2": {**up, "anchor": "x2", "matches": "y"},
        "annotations": titled,
    }
    return go.Figure(data=data, layout=layout)


def gradient_norms(points: Sequence[CurvePoint], epochs: float) -> go.Figure:
    """The Euclidean norm of each layer's gradient, in the last batch before every test, on a log scale against epochs;
    the axis ends at `epochs`.
    """
    seen = [point for point in points if point.gradient_norms]
    layers = list(dict.fromkeys(layer for point in seen for layer, _ in point.gradient_norms))
    epoch = np.array([point.epoch for point in seen])
    norms = [dict(point.gradient_norms) for point in seen]
    lines = [
        {
            "type": "scatter",
            "x": epoch,
            "y": np.array([norm.get(layer, math.nan) for norm in norms]),
            "name": layer,
            "mode": "lines",
            "line": {**style, "width": 1.5},
            "hovertemplate": "%{y:.3~g}",
            "cliponaxis": False,
        }
        for layer, style in zip(layers, _styles(), strict=False)
    ]
    across = {"range": [0, epochs], "hoverformat": ".2f", "unifiedhovertitle": {"text": "epoch %{x:.2f}"}}
    up = {"type": "log", "dtick": 1, "tickformat": "~g"}
    return _figure(lines, HEIGHT, True, ("epochs", across), ("norm of the gradient", up), hovermode="x unified")


def shift_figure(lines: Mapping[str, Sequence[float]], shifts: Sequence[int] = SHIFTS) -> go.Figure:
    """Accuracy on shifted digits against the shift in pixels, for networks by name."""
    data = [
        {
            "type": "scatter",
            "x": [*shifts],
            "y": [*line],
            "name": name,
            "mode": "lines+markers",
            "line": {**style, "width": 2},
            "cliponaxis": False,
            "marker": {"size": 8, "symbol": SYMBOLS[index % len(SYMBOLS)]},
            "hovertext": [
                f"{name}<br>{_percent(part)} right when shifted by {shift} px"
                for shift, part in zip(shifts, line, strict=True)
            ],
            "hoverinfo": "text",
        }
        for index, ((name, line), style) in enumerate(zip(lines.items(), _styles(), strict=False))
    ]
    up = {"tickformat": ".0%", "range": [0, 1.04], "dtick": 0.2}
    return _figure(data, HEIGHT, len(lines) > 1, ("shift in pixels", {"tickvals": [*shifts]}), ("right", up))


# --- curves ---


LEFT, RIGHT = (0.0, 0.435), (0.565, 1.0)  # shares of the width


def _title(text: str, domain: tuple[float, float]) -> dict[str, Any]:
    where = {"x": sum(domain) / 2, "xref": "paper", "xanchor": "center", "y": 1, "yref": "paper", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "font": {"size": 13}, **where}


def _mark(place: float, axis: str) -> dict[str, Any]:
    line = {"dash": "dot", "width": 1}
    return {
        "type": "line",
        "x0": place,
        "x1": place,
        "y0": 0,
        "y1": 1,
        "xref": f"x{axis}",
        "yref": f"y{axis} domain",
        "line": line,
    }


def _loss_line(name: str, points: Sequence[CurvePoint], style: Mapping[str, str]) -> dict[str, Any]:
    seen = [point for point in points if point.loss is not None]
    return {
        **_line(name, style, _marks(seen)),
        "x": np.array([point.epoch for point in seen]),
        "y": np.array([point.loss for point in seen]),
        "hovertemplate": "%{fullData.name}<br>epoch %{x:.2f}<br>loss %{y:.4f}<extra></extra>",
        "showlegend": False,
        "xaxis": "x",
        "yaxis": "y",
    }


def _accuracy_lines(name: str, points: Sequence[CurvePoint], style: Mapping[str, str]) -> list[dict[str, Any]]:
    """A clear line through the tests after whole epochs. The other tests are on fewer digits: if there are any, a faint
    line through all tests comes before it.
    """
    after_epochs = [point for point in points if _ends_epoch(point)]
    if len(after_epochs) >= len(points[1:]):
        return [_accuracies(points, _line(name, style, _marks(points)))]
    clear = after_epochs or points[:1]  # at least one point, or the name is missing in the legend
    faint = {**_line(name, {**style, "dash": "solid"}, []), "mode": "lines", "opacity": 0.4, "showlegend": False}
    return [_accuracies(points, faint), _accuracies(clear, _line(name, style, _marks(clear)))]


def _accuracies(points: Sequence[CurvePoint], line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **line,
        "x": np.array([point.epoch for point in points]),
        "y": np.array([_stretched(point.accuracy, point.measured) for point in points]),
        "customdata": np.array([(100 * point.accuracy, point.measured) for point in points]).reshape(-1, 2),
        "hovertemplate": (
            "%{fullData.name}<br>epoch %{x:.2f}<br>%{customdata[0]:.2f} % of %{customdata[1]:,} "
            "test digits<extra></extra>"
        ),
        "xaxis": "x2",
        "yaxis": "y2",
    }


def _ends_epoch(point: CurvePoint) -> bool:
    return point.batch > 0 and float(point.epoch).is_integer()


def _marks(points: Sequence[CurvePoint]) -> list[int]:
    """Sizes of the markers in pixels: 0, none, within an epoch."""
    return [6 if _ends_epoch(point) else 0 for point in points]


def _line(name: str, style: Mapping[str, str], marks: Sequence[int]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": name,
        "legendgroup": name,
        "mode": "lines+markers",
        "line": {**style, "width": 1.5},
        "marker": {"opacity": 1, "size": marks},
        "cliponaxis": False,
    }


def _stretched(accuracy: float, measured: int) -> float:
    """Position of an accuracy on its axis: ten times fewer errors are a step of 1. No error counts as half an error."""
    return -math.log10(max(1 - accuracy, 0.5 / max(measured, 1)))


def _accuracy_ticks(best: float) -> dict[str, Any]:
    """The axis of accuracy: up to 99.6 %, or to 99.95 % where that is not enough."""
    top = 2.45 if best <= 0.996 else 3.35
    ticks = [accuracy for accuracy in ACCURACIES if _stretched(accuracy, 10**9) <= top]
    return {
        "range": [0, top],
        "tickvals": [_stretched(accuracy, 10**9) for accuracy in ticks],
        "ticktext": [f"{100 * accuracy:.3g} %" for accuracy in ticks],
    }


def _loss_ticks(losses: Sequence[float]) -> dict[str, Any]:
    """The logarithmic axis of losses: from 0.01 to 3, or further where that is not enough."""
    low, high = min([0.011, *losses]), max([2.9, *losses])
    return {
        "range": [math.floor(math.log10(low)), math.log10(3.2) if high <= 3.2 else math.ceil(math.log10(high))],
        "tickvals": LOSSES,
        "ticktext": [f"{loss:g}" for loss in LOSSES],
    }


# --- layout and style of all figures ---


def _styles() -> list[dict[str, str]]:
    """Colour and dash of each line in turn; lines of the same colour differ in their dashes."""
    return [
        {"color": COLOURS[index % len(COLOURS)], "dash": DASHES[(index + index // len(COLOURS)) % len(DASHES)]}
        for index in range(len(COLOURS) * len(DASHES))
    ]


def _shades(colour: str) -> list[list[Any]]:
    """A colour scale from nearly transparent to a shade on which dark and light text can be read."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return [[0, f"rgba({red}, {green}, {blue}, 0.04)"], [1, f"rgba({red}, {green}, {blue}, 0.65)"]]


def _figure(
    data: Sequence[Mapping[str, Any]], height: int, legend: bool, across: Axis, up: Axis, hovermode: str = "closest"
) -> go.Figure:
    """A figure with one pair of axes, made at once: plotly validates it with every call that changes it."""
    layout = {
        **_layout(height, legend),
        "hovermode": hovermode,
        "xaxis": {**AXES, **across[1], "title": {"text": across[0], "standoff": 6}},
        "yaxis": {**AXES, **up[1], "title": {"text": up[0], "standoff": 14}},
    }
    return go.Figure(data=[*data], layout=layout)


def _layout(height: int, legend: bool, title_height: int = 0) -> dict[str, Any]:
    """Small margins, a transparent background, and no dragging: a finger on a figure scrolls the page."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 12 + title_height + LEGEND * legend, "b": 8},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "showlegend": legend,
        "legend": {
            "orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top",
            "itemclick": False, "itemdoubleclick": False,
        },
        "dragmode": False,
        "hovermode": "closest",
        "uirevision": "kept",  # a selection survives an update
    }  # fmt: skip


def _percent(part: float) -> str:
    return f"{100 * part:.2f} %"


def _cell_text(true: int, answered: int, count: int) -> str:
    digits = f"{count:,} digit{'' if count == 1 else 's'}"
    return f"{true} answered right: {digits}" if true == answered else f"{true} taken for {answered}: {digits}"
