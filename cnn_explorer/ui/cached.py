"""Everything that is kept between reruns, in one place. Keys are architecture strings: Streamlit would hash two different specs alike."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cnn_explorer.memory import give_back_memory
from cnn_explorer.network import parse
from cnn_explorer.shapes import NetworkShapes, infer_shapes
from cnn_explorer.shipped import AssetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from cnn_explorer.evaluation import Evaluation
    from cnn_explorer.shelf import Shelf
    from cnn_explorer.training.queue import TrainingQueue
    from cnn_explorer.training.recipes import Data
    from cnn_explorer.training.run import Run
    from cnn_explorer.training.runs import Runs
    from cnn_explorer.training.turns import Turns
    from cnn_explorer.weights import TrainedNetwork


_LOG = logging.getLogger(__name__)
SHIFT_WORK, SHIFTED = 1_600_000_000, (20, 1000)  # of one of the 25 places, as `affordable` counts it, and the test digits that this allows
KEPT = 48_000_000  # bytes of weights that are kept ready, and of those that were trained on the page: of hundreds of usual networks each


class Loading:
    """PyTorch on its way in: `ready` once it can be used without waiting, `error` if it cannot be loaded at all."""

    def __init__(self) -> None:
        self.ready = False
        self.error = ""
        self._started = threading.Lock()
        self._over = threading.Event()

    def start(self) -> None:
        """Import PyTorch in the background, once."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._load, name="import torch", daemon=True).start()

    def wait(self) -> None:
        """Until PyTorch can be used, or cannot be loaded."""
        self.start()
        self._over.wait()

    def _load(self) -> None:
        try:
            _load_torch()
            self.ready = True
        except Exception:  # whatever it is, the page says so and stays alive
            _LOG.exception("PyTorch could not be loaded")
            self.error = "PyTorch could not be loaded, and the reason is in the server's log. Start the app again, or install it again."
        finally:
            self._over.set()


@st.cache_resource(show_spinner=False)
def loading() -> Loading:
    """The one loading of this process; a page starts it when its own frame is on screen."""
    return Loading()


def _load_torch() -> None:
    # On small networks two threads wait for each other longer than they compute. `torch.set_num_threads` alone does not reach
    # oneDNN in the threads that Streamlit starts for every rerun; the variable, read when torch is imported, does.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # PyTorch and oneDNN keep the code they have made for the shapes of convolutions, a thousand times each: 20 MB after sixty networks,
    # and more with each. With these bounds all is as fast, but for 0.4 ms where many networks take turns.
    os.environ.setdefault("LRU_CACHE_CAPACITY", "64")
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    import torch

    from cnn_explorer.network import LECTURE
    from cnn_explorer.trace import trace_activations
    from cnn_explorer.weights import load_network

    torch.set_num_threads(1)
    sys.setswitchinterval(0.001)  # threads hand the interpreter over sooner: an update passes through three of them
    with suppress(AssetError):  # what needs a damaged file tells of it, and the rest goes on
        trace_activations(load_network(LECTURE).module, torch.zeros(1, 1, 28, 28))  # the first pass is slow
        # So is the first fit, of any network without weights of its own: it reads the shared weights and warms the optimiser up.
        load_network(parse("conv10k5-max2-relu-conv20k5-max2-tanh-fc10"))
    gc.collect()
    gc.freeze()  # what is loaded now stays: later collections need not look at it


@st.cache_resource(max_entries=256, show_spinner=False)
def shapes_of(architecture: str) -> NetworkShapes:
    """Shapes of an architecture string."""
    return infer_shapes(parse(architecture))


def network_of(architecture: str) -> TrainedNetwork:
    """The network of an architecture string; shared by all sessions, never changed.

    Who asks first is answered before it is known how often fitted weights are right; who asks next, after.
    """
    from cnn_explorer.weights import load_network, measured

    known = _networks().get(architecture)
    network = measured(known) if known else load_network(parse(architecture), measure=False)
    if network is not known:
        _networks().keep(architecture, network)
        give_back_memory()
    return network


@st.cache_resource(show_spinner=False)
def _networks() -> Shelf:
    from cnn_explorer.shelf import Shelf

    return Shelf(KEPT)


@st.cache_resource(show_spinner=False)
def trainings() -> TrainingQueue:
    """The queue in which all visitors' networks are trained briefly."""
    from cnn_explorer.training.queue import TrainingQueue

    return TrainingQueue(KEPT, turns=_turns())


@st.cache_resource(show_spinner=False)
def runs() -> Runs:
    """All visitors' runs."""
    from cnn_explorer.training.runs import Runs

    return Runs(_turns(), is_present)


@st.cache_resource(show_spinner=False)
def _turns() -> Turns:
    """Whatever trains in this process takes turns."""
    from cnn_explorer.training.turns import Turns

    return Turns()


def visitor() -> str:
    """Streamlit's name for this session."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def is_present(visitor: str) -> bool:
    """True while a visitor's browser is connected."""
    return not st.runtime.exists() or st.runtime.get_instance().is_active_session(visitor)


def initial(architecture: str, seed: int) -> TrainedNetwork:
    """A network before any training, as a run of this `seed` begins."""
    from cnn_explorer.builder import build_layers
    from cnn_explorer.training.results import untrained
    from cnn_explorer.weights import Label, TrainedNetwork

    key = f"{architecture} {seed}"
    network = _initials().get(key)
    if network is None:
        network = TrainedNetwork(build_layers(shapes_of(architecture), seed).eval(), Label("random", "", None, f"{untrained(seed)}."))
        _initials().keep(key, network)
    return network


@st.cache_resource(show_spinner=False)
def _initials() -> Shelf:
    from cnn_explorer.shelf import Shelf

    return Shelf(KEPT // 4)


def evaluation(net: str, module: nn.Sequential, data: Data) -> Evaluation:
    """What a network says of the test digits, of as many as take about a second."""
    from cnn_explorer.weights import fingerprint_of

    return _evaluation(net, fingerprint_of(module), data, module)


@st.cache_resource(max_entries=12, show_spinner=False)  # of full MNIST one takes 0.8 MB
def _evaluation(net: str, fingerprint: str, data: Data, _module: nn.Sequential) -> Evaluation:
    from cnn_explorer.evaluation import evaluate
    from cnn_explorer.training.recipes import digits_for
    from cnn_explorer.training.run import digits_to_test

    return evaluate(_module, digits_for(data)[1][: digits_to_test(shapes_of(net))])


def tested_at(run: Run, batch: int) -> TrainedNetwork:
    """A run's network after so many batches, its label by `evaluation`."""
    from cnn_explorer.training.results import trained_at

    return trained_at(run, batch, lambda module: evaluation(str(run.spec), module, run.recipe.data))


def digits_to_shift(nets: Sequence[str]) -> int:
    """How many test digits are moved about, so that each of the networks takes a few seconds at most."""
    from cnn_explorer.training.run import affordable

    return min(affordable(SHIFT_WORK, SHIFTED, shapes_of(net)) for net in nets)


def shift_accuracy(module: nn.Sequential, data: Data, count: int) -> list[float]:
    """How often a network is right on the first test digits moved by 0 to 6 pixels."""
    from cnn_explorer.weights import fingerprint_of

    return _shift_accuracy(fingerprint_of(module), data, count, module)


@st.cache_resource(max_entries=32, show_spinner=False)
def _shift_accuracy(fingerprint: str, data: Data, count: int, _module: nn.Sequential) -> list[float]:
    from cnn_explorer.evaluation import shift_accuracy
    from cnn_explorer.training.recipes import digits_for

    return shift_accuracy(_module, digits_for(data)[1][:count])
