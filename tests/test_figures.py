"""What is in the figures; how they look is for eyes."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from programs import run

from cnn_explorer import figures
from cnn_explorer.training.run import CurvePoint
from cnn_explorer.weights.evaluation import Evaluation

POINTS = (
    CurvePoint(0, 0.0, None, 0.1, 400, 0.0),
    CurvePoint(5, 0.5, 1.5, 0.9, 400, 0.5, (("conv1", 0.25), ("fc1", 2.0))),
    CurvePoint(10, 1.0, 0.25, 0.99, 1000, 1.0, (("conv1", 0.125), ("fc1", 1.0))),
)


def evaluation(pairs: dict[tuple[int, int], int]) -> Evaluation:
    """So many digits of each (true, answered)."""
    labels = np.array([true for (true, _), count in pairs.items() for _ in range(count)])
    answers = np.array([answered for (_, answered), count in pairs.items() for _ in range(count)])
    return Evaluation(labels, np.eye(10)[answers])


SOME = evaluation({(0, 0): 5, (1, 1): 1200, (1, 7): 1, (7, 1): 12, (7, 7): 36})
FIGURES = {
    "curves": figures.curves({"one": POINTS, "other": POINTS[:2]}, 3),
    "confusion": figures.confusion(SOME),
    "classes": figures.class_accuracy({"one": SOME, "other": SOME}),
    "gradients": figures.gradient_norms(POINTS, 3),
    "shifts": figures.shift_figure({"one": [0.9, 0.5], "other": [0.8, 0.1]}, [0, 1]),
}


def numbers(values: Any) -> list[float]:
    return np.asarray(values, dtype=float).tolist()


def traces(figure: go.Figure, axis: str) -> list[Any]:
    return [trace for trace in figure.data if trace.xaxis == axis]


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_every_figure_is_still_transparent_and_of_one_height(figure: go.Figure):
    layout = figure.layout
    assert layout.height in (260, 400)
    assert {layout.paper_bgcolor, layout.plot_bgcolor} == {"rgba(0, 0, 0, 0)"}
    assert layout.dragmode is False
    assert layout.uirevision
    assert layout.title.text is None
    assert layout.font.color is None  # the theme's
    assert not figure.frames
    assert layout.transition.duration is None
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        assert axis.fixedrange
    assert len(figure.to_json()) < 20_000


@pytest.mark.parametrize("name", ["curves", "shifts"])
def test_two_lines_differ_in_colour_and_in_dash(name: str):
    lines = {
        (trace.name, trace.line.color, trace.line.dash) for trace in FIGURES[name].data if trace.showlegend is not False
    }
    assert lines == {("one", "#0072B2", "solid"), ("other", "#D55E00", "dash")}


def test_curves_hold_loss_and_accuracy_against_epochs():
    figure = figures.curves({"one": POINTS}, 3)
    (loss,) = traces(figure, "x")
    assert (numbers(loss.x), numbers(loss.y), loss.name) == ([0.5, 1.0], [1.5, 0.25], "one")
    assert numbers(loss.marker.size) == [0, 6]
    faint, clear = traces(figure, "x2")
    assert numbers(faint.x) == [0, 0.5, 1]
    assert numbers(faint.y) == pytest.approx([-math.log10(0.9), 1, 2])
    assert np.allclose(faint.customdata, [[10, 400], [90, 400], [99, 1000]])
    assert (numbers(clear.x), numbers(clear.customdata)) == ([1.0], [[99, 1000]])
    assert [axis.range for axis in figure.select_xaxes()] == [(0, 3), (0, 3)]
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.showlegend is False
    assert figures.curves({"one": POINTS, "other": POINTS}, 3).layout.showlegend is True


def test_looks_after_epochs_alone_make_one_line_from_the_start():
    (line,) = traces(figures.curves({"one": (POINTS[0], POINTS[2])}, 3), "x2")
    assert (numbers(line.x), numbers(line.marker.size)) == ([0, 1], [0, 6])


@pytest.mark.parametrize("points", [(), POINTS[:1], POINTS[:2]], ids=["none", "one", "two"])
def test_curves_of_a_run_that_has_hardly_begun(points: tuple[CurvePoint, ...]):
    figure = figures.curves({"one": points, "other": POINTS}, 10)
    assert figure.layout.xaxis.range == (0, 10)
    assert [trace.name for trace in traces(figure, "x2") if trace.showlegend is not False] == ["one", "other"]
    assert figures.gradient_norms(points, 10).layout.xaxis.range == (0, 10)


def test_the_accuracy_axis_is_marked_where_accuracies_are():
    axis = figures.curves({"one": POINTS}, 3).layout.yaxis2
    ticks = dict(zip(axis.ticktext, axis.tickvals, strict=True))
    assert [*ticks] == ["0 %", "50 %", "80 %", "90 %", "95 %", "98 %", "99 %", "99.5 %"]
    assert ticks["90 %"] == pytest.approx(1)
    assert ticks["99 %"] == pytest.approx(2)
    assert axis.range == (0, 2.45)
    better = figures.curves({"one": (*POINTS, CurvePoint(20, 2.0, 0.0005, 0.998, 1000, 2.0))}, 3).layout
    assert better.yaxis2.ticktext[-1] == "99.9 %"
    assert better.yaxis.range == (-4, pytest.approx(math.log10(3.2)))


def test_no_error_at_all_has_a_place_on_the_axis():
    figure = figures.curves({"one": (POINTS[0], CurvePoint(10, 1.0, 0.1, 1.0, 1000, 1.0))}, 3)
    (line,) = traces(figure, "x2")
    assert numbers(line.y)[1] == pytest.approx(-math.log10(0.0005))
    assert numbers(line.y)[1] < figure.layout.yaxis2.range[1]
    assert numbers(line.customdata)[1] == [100, 1000]


def test_axes_do_not_move_while_a_run_goes_on():
    layouts = [figures.curves({"one": POINTS[:count]}, 3).layout for count in range(4)]
    for one, following in pairwise(layouts):
        assert [one[axis].range for axis in ("xaxis", "xaxis2", "yaxis", "yaxis2")] == [
            following[axis].range for axis in ("xaxis", "xaxis2", "yaxis", "yaxis2")
        ]


def test_a_loss_that_grows_is_seen():
    figure = figures.curves({"one": (POINTS[0], CurvePoint(5, 0.5, 250.0, 0.1, 400, 0.5))}, 3)
    assert figure.layout.yaxis.range == (-2, 3)


def test_confusion_counts_and_colours_errors_alone():
    heat, text, points = FIGURES["confusion"].data
    shades = np.asarray(heat.z, dtype=float)
    assert np.argwhere(np.isfinite(shades)).tolist() == [[1, 7], [7, 1]]
    assert shades[7, 1] > shades[1, 7] > 0
    assert heat.zmin == 0
    cells = zip(points.y, points.x, text.text, points.hovertext, points.customdata, strict=True)
    where = {(y, x): (written, shown, [*data]) for y, x, written, shown, data in cells}
    assert len(where) == 100
    assert where[7, 1] == ("12", "7 taken for 1: 12 digits", [7, 1])
    assert where[1, 7] == ("1", "1 taken for 7: 1 digit", [1, 7])
    assert where[1, 1] == ("1,200", "1 answered right: 1,200 digits", [1, 1])
    assert where[3, 5] == ("", "3 taken for 5: 0 digits", [3, 5])
    assert (text.x, text.y) == (points.x, points.y)
    layout = FIGURES["confusion"].layout
    assert layout.yaxis.range == (9.5, -0.5)
    assert layout.yaxis.scaleanchor == "x"


def test_confusion_takes_the_ink_of_the_page():
    assert FIGURES["confusion"].data[1].textfont.color is None
    assert figures.confusion(SOME, "#1b2330").data[1].textfont.color == "#1b2330"


def test_a_network_without_an_error_has_a_confusion_matrix():
    assert not np.isfinite(np.asarray(figures.confusion(evaluation({(2, 2): 9})).data[0].z, dtype=float)).any()


def test_class_accuracy_has_a_mark_a_class_side_by_side():
    one, other = FIGURES["classes"].data
    assert numbers(one.y) == pytest.approx([1, 1200 / 1201, 0, 0, 0, 0, 0, 0.75, 0, 0])
    assert numbers(other.x) == pytest.approx([x + 0.16 for x in one.x])
    assert one.hovertext[7] == "one<br>75.00 % of 48 digits 7"
    assert one.marker.symbol != other.marker.symbol
    assert FIGURES["classes"].layout.yaxis.range[0] == 0
    good = evaluation({(label, label): 100 for label in range(10)} | {(9, 4): 9})
    assert figures.class_accuracy({"one": good}).layout.yaxis.range[0] == pytest.approx(0.85)


def test_gradient_norms_have_a_line_a_layer():
    conv, fc = FIGURES["gradients"].data
    assert (conv.name, numbers(conv.x), numbers(conv.y)) == ("conv1", [0.5, 1.0], [0.25, 0.125])
    assert (fc.name, numbers(fc.y)) == ("fc1", [2.0, 1.0])
    assert FIGURES["gradients"].layout.yaxis.type == "log"


def test_twenty_four_layers_can_be_told_apart():
    norms = tuple((f"fc{number}", 1.0) for number in range(24))
    lines = figures.gradient_norms((POINTS[0], CurvePoint(1, 1.0, 1.0, 0.5, 400, 1.0, norms)), 3).data
    assert len({(line.line.color, line.line.dash) for line in lines}) == len(lines) == 24


def test_shift_figure_has_a_line_a_network():
    one, other = FIGURES["shifts"].data
    assert (numbers(one.x), numbers(one.y)) == ([0, 1], [0.9, 0.5])
    assert other.hovertext[1] == "other<br>10.00 % right when shifted by 1 px"
    assert FIGURES["shifts"].layout.yaxis.range == (0, 1.04)
    with pytest.raises(ValueError, match="shorter"):
        figures.shift_figure({"one": [0.9]}, [0, 1])


def test_a_long_run_travels_in_few_bytes():
    points = [CurvePoint(batch, batch / 100, 0.1, 0.9, 400, 1.0, (("conv1", 0.1),)) for batch in range(1000)]
    assert len(figures.curves({"one": points, "other": points}, 10).to_json()) < 200_000


def test_pandas_is_there_before_any_figure_is_made() -> None:
    """While Streamlit imported it in one visitor's thread, Plotly failed in another's."""
    ended = run("import sys, cnn_explorer.figures; print(hasattr(sys.modules['pandas'], 'Series'))")
    assert ended.stdout == "True\n"
