"""The results of a training: where the network fails, how two networks compare, and what can be downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cnn_explorer import figures
from cnn_explorer.digits.drawing import drawing_from_pixels
from cnn_explorer.spec.network import LECTURE, PRESETS, parse
from cnn_explorer.text import quoted
from cnn_explorer.training.files import CONVERT, LOAD_AND_SAVE, PickleError, read_weights, run_csv, weights_file
from cnn_explorer.training.recipe import digits_for
from cnn_explorer.training.results import epochs
from cnn_explorer.training.script import training_script
from cnn_explorer.ui import caches, events, own_weights, state, top_bar
from cnn_explorer.ui.boundary import careful, guarded
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.messages import Message, fields, message, several, whole
from cnn_explorer.ui.session import remembered
from cnn_explorer.ui.train import choices, controls, progress
from cnn_explorer.ui.train.live import Learner, Watch, learners, looked_into
from cnn_explorer.ui.uploads import drop_content, refuse, shown_key
from cnn_explorer.ui.widgets import data_url
from cnn_explorer.weights.evaluation import Evaluation

SECTIONS = {"wrong": "Where it fails", "beside": "Side by side", "along": "Take it along"}
HEAD = "| network | parameters | multiply-adds | epochs | time | right |\n|---|--:|--:|--:|--:|--:|"
GALLERY = 12  # digits
MAX_POINTS = 1000  # of a selection in a figure
DIGIT_SIDE = 72  # CSS pixels


class FileNote(NamedTuple):
    """What the page says of a file that was uploaded for a network `net`: Markdown `text`, and `code` below it."""

    net: str
    text: str
    refused: bool = False
    code: str = ""


@dataclass
class ResultsShown:
    """The `section` on screen, the chosen `cell` of the confusion matrix, (digit, answer), None for all wrong ones, and
    the `note` on the last file.
    """

    section: str = "wrong"
    cell: tuple[int, int] | None = None
    note: FileNote | None = None


@st.fragment
@guarded()
def results() -> None:
    """The results, once no training is under way."""
    watch = remembered(Watch)
    watch.results_wait = bool(watch.going)
    if watch.results_wait:
        st.caption("Where it fails, how it compares and what you can take along: here, when it has stopped.")
        return
    notices = progress.ADDRESS.notices()
    shown = [learner for learner in learners() if not learner.problem]
    if progress.ADDRESS.notices() != notices:  # they are above this fragment
        st.rerun()
    if not shown:
        return

    def show(section: str) -> None:
        remembered(ResultsShown).section = section

    section = remembered(ResultsShown).section
    st.segmented_control(
        "Results", list(SECTIONS), required=True, format_func=SECTIONS.__getitem__, label_visibility="collapsed",
        **controlled("results", section, show, "default", list(SECTIONS)),
    )  # fmt: skip
    {"wrong": _wrong, "beside": _side_by_side, "along": _along}[section](shown)


# --- where it fails ---


def _wrong(shown: list[Learner]) -> None:
    learner = looked_into(shown)
    if not learner.viewed_batch:
        st.caption("Which digits it takes for which: here, once it has learned something.")
        return
    network = learner.tested
    evaluation = caches.evaluation(learner.net, network.module, choices.recipe().data)
    st.markdown(f"**{controls.name_of(learner.net)}.** {plain(network.label.sentence)}")
    left, right = st.columns([2, 3])
    with left:
        key = f"confusion {network.fingerprint}"
        theme = st.context.theme.type
        figure = figures.confusion(evaluation, st.get_option(f"theme.{theme}.textColor") if theme else None)
        st.plotly_chart(figure, key=key, on_select=_cell_clicked(key), selection_mode="points", config=figures.CONFIG)
        st.plotly_chart(
            figures.class_accuracy({controls.name_of(learner.net): evaluation}),
            key="classes",
            config=figures.CONFIG,
        )
    with right:
        cell = _cell_choice(evaluation)
        indices = evaluation.most_confidently_wrong(len(evaluation)) if cell is None else evaluation.at(*cell)
        if not len(indices):
            st.caption(
                "It is right on every one of them." if cell is None else f"It knows none of the digits {cell[0]}."
            )
        elif len(indices) > GALLERY:
            st.caption(f"The {GALLERY} that it is surest of, out of {len(indices):,}.")
        _gallery([int(index) for index in indices[:GALLERY]], evaluation)


def _cell_choice(evaluation: Evaluation) -> tuple[int, int] | None:
    """A cell of the matrix, (digit, answer); None for all that is wrong."""
    counts = evaluation.confusion
    pairs = sorted(
        ((int(counts[t, a]), t, a) for t in range(10) for a in range(10) if t != a and counts[t, a]), reverse=True
    )
    cells = {(t, a): f"{t} taken for {a}: {n}" for n, t, a in pairs} | {
        (t, t): f"{t} known as {t}: {counts[t, t]}" for t in range(10)
    }
    cell = remembered(ResultsShown).cell
    cell = cell if cell in cells else None
    st.selectbox(
        "Which digits",
        format_func=lambda one: "The most confidently wrong" if one is None else cells[one],
        width=260,
        **chosen("cell", cell, [None, *cells], _choose_cell) | {"index": [None, *cells].index(cell)},
    )
    return cell


def _choose_cell(cell: tuple[int, int] | None) -> None:
    remembered(ResultsShown).cell = cell


def _cell_clicked(key: str) -> Callable[[], None]:
    def clicked() -> None:
        # A figure that is drawn anew may report a selection that is gone.
        cell = message(st.session_state.get(key), "selection", _clicked_cell)
        if cell:
            _choose_cell(cell)

    return careful(clicked)


def _clicked_cell(sent: Message) -> tuple[int, int] | None:
    points = several(sent.get("points"), MAX_POINTS)
    if not points:
        return None
    digit, answer = (whole(part, 0, 9) for part in several(fields(points[0]).get("customdata"), 2, 2))
    return digit, answer


def _gallery(indices: list[int], evaluation: Evaluation) -> None:
    """Test digits, each with a button that makes it the drawing."""
    images = digits_for(choices.recipe().data)[1].images
    with st.container(horizontal=True, gap="small"):
        for position, index in enumerate(indices):
            true, answer = int(evaluation.labels[index]), int(evaluation.answers[index])
            sure = float(evaluation.probabilities[index, answer])
            with st.container(width=DIGIT_SIDE + 16, gap="xsmall", horizontal_alignment="center"):
                picture = Image.fromarray(images[index]).resize((DIGIT_SIDE, DIGIT_SIDE), Image.Resampling.NEAREST)
                word = "known as" if answer == true else "taken for"
                st.image(
                    data_url(picture),
                    width=DIGIT_SIDE,
                    alt=f"Test digit {index}: a {true}, {word} a {answer}",
                )
                st.button(
                    f"{true} → {answer}",
                    key=f"digit_{position}",
                    help=f"{100 * sure:.1f} % sure. Look into it: it becomes the drawing above.",
                    on_click=controls.try_then_page(_look_into),
                    args=(images[index],),
                )


def _look_into(pixels: np.ndarray) -> None:
    state.set_drawing(drawing_from_pixels(pixels))


# --- side by side ---


def _side_by_side(shown: list[Learner]) -> None:
    if len(shown) < 2:
        _other_offer(shown[0].net)
    left, right = st.columns([1, 1])
    with left:
        st.markdown("\n".join([HEAD, *map(_row, shown)]))
        st.caption(
            "Multiply-adds are those of one digit's way through the network; time is the processor's, for training "
            "alone; right: of the test digits."
        )
        st.caption(
            "A convolution looks for the same thing everywhere. A fully connected layer has weights of their own for "
            "every pixel, and what it has learned in one place it does not know in another."
        )
    with right:
        _shifts([learner for learner in shown if learner.viewed_batch])


def _other_offer(net: str) -> None:
    """Train the lecture's fully connected network beside a convolutional one, or the other way round."""
    dense, lecture = str(PRESETS["the lecture's fully connected network"]), str(LECTURE)
    other = lecture if "conv" not in net else dense
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            "Train a second network by the same recipe on the same digits, and see both curves on one plot.",
            width="content",
        )
        st.button(
            f"Compare with {controls.name_of(other)}",
            icon=":material/compare_arrows:",
            on_click=controls.try_then_page(progress.set_beside),
            args=(other,),
        )


def _row(learner: Learner) -> str:
    """A network's row of the table, after `viewed_batch` batches."""
    name, shapes, run, at = (
        controls.name_of(learner.net),
        caches.shapes_of(learner.net),
        learner.run,
        learner.viewed_batch,
    )
    if run is None or not at:
        return f"| {name} | {shapes.parameters:,} | {shapes.macs:,} | 0 | – | – |"
    label = learner.tested.label
    seconds = f"{run.seconds_at(at):.1f} s"
    right = f"**{100 * (label.accuracy or 0):.2f} %** of {label.measured:,}"
    return f"| {name} | {shapes.parameters:,} | {shapes.macs:,} | {epochs(run, at)} | {seconds} | {right} |"


def _shifts(trained: list[Learner]) -> None:
    """Accuracy on test digits that are moved by some pixels."""
    if not trained:
        st.caption(
            "How many test digits are still right when they are moved by some pixels: here, once "
            "something has been trained."
        )
        return
    data = choices.recipe().data
    count = min(caches.digits_to_shift([learner.net for learner in trained]), len(digits_for(data)[1]))
    lines = {}
    for learner in trained:
        module = learner.tested.module
        lines[controls.name_of(learner.net)] = caches.shift_accuracy(learner.net, module, data, count)
    st.caption(f"{count:,} test digits moved left, right, up and down by so many pixels: how many are still right")
    st.plotly_chart(figures.shift_figure(lines), key="shifts", config=figures.CONFIG)


# --- take it along ---


def _along(shown: list[Learner]) -> None:
    learner, recipe = looked_into(shown), choices.recipe()
    network, seen = learner.tested, [point for point in learner.points if point.batch <= learner.viewed_batch]
    trained = bool(learner.run and learner.viewed_batch)
    st.markdown(f"**{controls.name_of(learner.net)}.** {plain(network.label.sentence)}")
    with st.container(horizontal=True):
        if trained:
            if st.button("Use it on the other pages", icon=":material/draw:", type="primary"):
                choices.put_first(learner.net)
                own_weights.use(learner.net, network, recipe, learner.viewed_batch)
                top_bar.request("")
            st.download_button(
                "Weights (.safetensors)",
                weights_file(network.module),
                f"{learner.net}.safetensors",
                icon=":material/download:",
                on_click="ignore",
                help="A state dict; the lines below load and save one. The layers' names are those of the script.",
            )
            st.download_button(
                "The run (.csv)", run_csv(seen), "run.csv", "text/csv", icon=":material/download:", on_click="ignore"
            )
        script = training_script(parse(learner.net), recipe)
        st.download_button(
            "PyTorch script (.py)", script, "train.py", "text/x-python", icon=":material/code:", on_click="ignore",
            help="The whole of this training in plain PyTorch. It comes to the same accuracy, and with this version "
            "of PyTorch on a processor like the server's to the very same numbers.",
        )  # fmt: skip
    if trained:
        st.code(LOAD_AND_SAVE, language="python", wrap_lines=True)
    with st.expander("The script"):
        st.code(script, language="python", height=360)
    _upload(learner.net)


def _upload(net: str) -> None:
    """The uploader for a network's weights, and the note on the last file."""
    st.file_uploader(
        f"Bring weights of {controls.name_of(net)} back",
        type=["safetensors", "pt", "pth"],  # the last two are refused, with the reason
        key=shown_key(_uploader(net)),
        on_change=careful(_read_file),
        args=(net,),
        width=420,
    )
    note = remembered(ResultsShown).note
    if note is None or note.net != net:
        return
    if note.refused:
        st.error(note.text, icon=":material/block:")
        if note.code:
            st.code(note.code, language="python", wrap_lines=True)
    elif own_weights.has_file(net):
        st.success(note.text, icon=":material/check:")
        if st.button("See it on the other pages", icon=":material/draw:"):
            choices.put_first(net)
            own_weights.use_file()
            top_bar.request("")


def _uploader(net: str) -> str:
    return f"weights_file {net}"


def _read_file(net: str) -> None:
    """Keep the weights of an uploaded file, or note what is wrong with it."""
    remembered(ResultsShown).note = None
    file = st.session_state[shown_key(_uploader(net))]
    if not isinstance(file, UploadedFile):  # removed again, or of a session that has ended
        return
    name = quoted(file.name)
    try:
        weights = read_weights(file.getvalue(), caches.shapes_of(net), file.name)
        network = own_weights.loaded(net, weights.module)
        own_weights.keep_from_file(net, network)
    except ValueError as problem:
        events.refusal("weights")
        code = CONVERT if isinstance(problem, PickleError) else ""
        remembered(ResultsShown).note = FileNote(net, f"{name}: {plain(problem)}", refused=True, code=code)
        refuse(_uploader(net))
        return
    finally:
        drop_content(file)
    said = f"{name}: {plain(network.label.sentence)} {plain(weights.sentence)}"
    remembered(ResultsShown).note = FileNote(net, said.strip())
