"""What moves while a network learns: progress, curves, filters, and every layer's maps of the visitor's own digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

import streamlit as st

from cnn_explorer import figures
from cnn_explorer.training.results import epochs, trained_at
from cnn_explorer.training.run import CurvePoint, Run
from cnn_explorer.training.scheduler import RunStatus
from cnn_explorer.ui import caches, events, network_view, state
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.controlled import controlled
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.session import remembered
from cnn_explorer.ui.show_network import show_network
from cnn_explorer.ui.train import choices, controls, pictures, progress
from cnn_explorer.ui.train.progress import Progress
from cnn_explorer.weights.load import TrainedNetwork

# Streamlit imports pandas while it shows this page. Plotly uses it once it is imported, and failed where the thread of
# another visitor had imported only half of it.
import_module("pandas")

CURVES, LEGEND = 190, 20  # CSS pixels; so the maps below stay on the first screen
KEY = network_view.TRAIN


@dataclass
class Watch:
    """`going`: networks and recipe that were in training at the last rerun, if any. `results_wait`: the results are
    hidden until the training pauses. `looked_into`: architecture string of the network whose maps are shown.
    `problems`: why networks cannot be trained, as noted last.
    """

    going: tuple[str, ...] = ()
    results_wait: bool = False
    looked_into: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Learner:
    """One of the networks on the page: its architecture string `net`, the `status` of its run, the visitor's `progress`
    in it, and why it cannot be trained (`problem`), "" if it can.
    """

    net: str
    status: RunStatus
    progress: Progress
    problem: str

    @property
    def run(self) -> Run | None:
        """Its run, once there is one."""
        return self.status.run

    @property
    def points(self) -> list[CurvePoint]:
        """The points of its curves that the visitor has seen."""
        return [point for point in self.run.points if point.batch <= self.progress.at] if self.run else []

    @property
    def done(self) -> bool:
        """True if the visitor has seen the whole run."""
        return self.run is not None and self.run.finished and self.progress.at >= self.run.batch

    @property
    def available_batches(self) -> list[int]:
        """The batches whose weights are available, up to the one that the visitor has seen; ascending."""
        at = self.progress.at
        return (
            sorted({at, *(snapshot.batch for snapshot in self.run.snapshots if snapshot.batch < at)})
            if self.run
            else []
        )

    @property
    def viewed_batch(self) -> int:
        """The batch whose weights are shown."""
        if self.run is None or self.progress.going:
            return self.progress.at
        wanted = progress.viewed_batch(self.net)
        return max(batch for batch in self.available_batches if batch <= wanted)

    @cached_property
    def network(self) -> TrainedNetwork:
        """The network after `viewed_batch` batches. Its accuracy is that of the curves' last point, or that of `tested`
        if it is the newest and the training pauses.
        """
        if self.run is None:
            return caches.initial(self.net, choices.recipe().seed)
        if not self.progress.going and 0 < self.viewed_batch == self.progress.at:
            return self.tested
        return trained_at(self.run, self.viewed_batch)

    @cached_property
    def tested(self) -> TrainedNetwork:
        """The same, with its accuracy on all test digits if it is trained and the training pauses."""
        if self.run is None or self.progress.going or not self.viewed_batch:
            return self.network
        return caches.tested_at(self.run, self.viewed_batch)


def learners() -> list[Learner]:
    """The networks on the page. Lets their runs go on, by `progress.follow`."""
    recipe = choices.recipe()
    found = []
    for net in choices.networks():
        try:
            caches.scheduler().check(caches.shapes_of(net), recipe)
            status = progress.follow(net)
            found.append(Learner(net, status, progress.of(net), status.problem))
        except ValueError as problem:
            found.append(Learner(net, RunStatus(), Progress(), str(problem)))
    return found


@st.fragment
@guarded()
def live() -> None:
    """Progress, curves, filters and maps. Reruns while a training goes on: the network view asks for updates."""
    message = network_view.view_message(KEY)
    seq = state.apply_message(message)
    notices = progress.ADDRESS.notices()
    # A short training, or one on a busy machine, can begin and end before this fragment runs for the first time.
    began = any(progress.of(net).going for net in choices.networks())
    watch = remembered(Watch)
    was_going = began or watch.going == progress.shown()
    shown = learners()
    going = any(learner.progress.going for learner in shown)
    if going:
        progress.note_progress()
    elif was_going:  # the training has ended
        progress.ADDRESS.write()
    watch.going = progress.shown() if going else ()
    problems = tuple(learner.problem for learner in shown)
    if any(problems) and problems != watch.problems:
        events.refusal("training")
    watch.problems = problems
    # The whole page: notices are above this fragment, and the results below it wait for the training's end.
    if progress.ADDRESS.notices() != notices or (not going and watch.results_wait):
        st.rerun()
    for learner in shown:
        _problem(learner)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        started = any(learner.progress.at or (learner.run and learner.problem) for learner in shown)
        controls.buttons(going, started, all(learner.done or learner.problem for learner in shown))
        with st.container(width="stretch", key="training_place"):
            if going:
                _progress(shown)
            else:
                _scrubber(looked_into(shown))
    learner = looked_into(shown)
    curves, seen = st.columns([3, 2])
    with curves:
        _curves(shown, learner)
    with seen:
        _choice(shown)
        network = learner.network
        pictures.show_filters(network.module)
        _numbers(learner, network)
    going_on = network_view.Training(network.label.sentence, going, 0, 0)
    show_network(KEY, seq, message, caches.shapes_of(learner.net), network, going_on)
    _gradients(shown)


def _curves(shown: list[Learner], learner: Learner) -> None:
    """Loss and accuracy of all networks, and a line at the epoch whose weights are shown."""
    run = learner.run
    epoch = (
        learner.viewed_batch / run.batches_per_epoch if run and learner.viewed_batch != learner.progress.at else None
    )
    series = {controls.name_of(one.net): one.points for one in shown}
    figure = figures.curves(series, choices.recipe().epochs, epoch, CURVES + LEGEND * (len(shown) > 1))
    st.plotly_chart(figure, key="curves", config=figures.CONFIG)


def _gradients(shown: list[Learner]) -> None:
    """Gradient norms by layer, drawn only while the expander is open."""
    fold = st.expander("Gradient norms", on_change="rerun", key="gradients")
    if not fold.open:
        return
    with fold:
        st.caption(
            "How steep the loss is in each layer's weights: the Euclidean norm of the gradient, in the last batch "
            "before each point."
        )
        for column, learner in zip(st.columns(len(shown)), shown, strict=True):
            with column:
                st.markdown(f"**{controls.name_of(learner.net)}**")
                figure = figures.gradient_norms(learner.points, choices.recipe().epochs)
                st.plotly_chart(figure, key=f"gradients {learner.net}", config=figures.CONFIG)


def _numbers(learner: Learner, network: TrainedNetwork) -> None:
    """Accuracy, training loss and number of parameters."""
    shapes, label = caches.shapes_of(learner.net), network.label
    losses = [point.loss for point in learner.points if point.loss is not None and point.batch <= learner.viewed_batch]
    tested = f"Right, of {label.measured:,} test digits" if label.measured else "Right, of the test digits"
    with st.container(horizontal=True, gap="medium"):
        st.metric(tested, f"{100 * label.accuracy:.1f} %" if label.accuracy is not None else "–", width="content")
        st.metric("Training loss", f"{losses[-1]:.3g}" if losses else "–", width="content")
        st.metric("Parameters", f"{shapes.parameters:,}", width="content")


def _problem(learner: Learner) -> None:
    if learner.problem:
        st.warning(f"{controls.name_of(learner.net)}: {plain(learner.problem)}", icon=":material/block:")
    else:
        st.empty()


def _progress(shown: list[Learner]) -> None:
    """The progress of the network with the most batches left, and the time that it will take."""
    learner = max(shown, key=lambda one: one.progress.until - one.progress.at)
    run, now, status = learner.run, learner.progress, learner.status
    if run is None:
        st.progress(0.0, text="Starting")
        return
    share = min(now.at / max(now.until, 1), 1.0)
    text = f"Epoch {epochs(run, now.at)} of {run.recipe.epochs}"
    if now.is_trained_again:
        text += f": trained again up to epoch {epochs(run, now.named)}, where this page was, to the same weights"
    elif now.replaying:
        text += ": trained here before, and replayed"
    elif status.seconds_left is not None:
        text += f", {_time(status.seconds_left)} left"
    if now.restarted:
        text += ": a run of your own, from the beginning, for this one has gone further already"
    if status.ahead and not now.replaying:
        text += (
            f". {status.ahead} other {'visitor trains' if status.ahead == 1 else 'visitors train'} before "
            "your next turn"
        )
    st.progress(share, text=text)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _scrubber(learner: Learner) -> None:
    """A slider over the batches whose weights are available."""
    run, batches = learner.run, learner.available_batches
    if run is None or len(batches) < 2:
        if learner.problem:
            st.empty()
            return
        st.caption(
            "Press Train and watch filters, maps and curves change. Every step is the same again for the same seed."
        )
        return

    def name(batch: int) -> str:
        epoch, more = divmod(batch, run.batches_per_epoch)
        if not more:
            return f"epoch {epoch}"
        return f"epoch {epoch} + {more} batch{'' if more == 1 else 'es'}"

    def go_to(batch: int) -> None:
        progress.look_at(learner.net, batch)
        progress.ADDRESS.write()

    st.select_slider(
        "Back through the epochs",
        options=sorted({*batches, learner.viewed_batch}),
        format_func=name,
        label_visibility="collapsed",
        **controlled("viewed_batch", learner.viewed_batch, controls.try_then_page(go_to)),
    )


def _choice(shown: list[Learner]) -> None:
    """The choice of the network whose maps are shown."""
    if len(shown) == 1:
        st.empty()
        return

    def show(net: str) -> None:
        remembered(Watch).looked_into = net

    st.segmented_control(
        "Look into",
        [one.net for one in shown],
        required=True,
        format_func=controls.name_of,
        label_visibility="collapsed",
        **controlled(
            "look_into",
            looked_into(shown).net,
            controls.try_then_page(show),
            "default",
            [one.net for one in shown],
        ),
    )


def looked_into(shown: Sequence[Learner]) -> Learner:
    """The network whose maps are shown."""
    net = remembered(Watch).looked_into
    return next((learner for learner in shown if learner.net == net), shown[0])
