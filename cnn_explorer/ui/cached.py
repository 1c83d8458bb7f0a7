"""Everything that is kept between reruns, in one place. Keys are architecture strings: Streamlit would hash two different specs alike."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from cnn_explorer.network import parse
from cnn_explorer.shapes import NetworkShapes, infer_shapes

if TYPE_CHECKING:
    from cnn_explorer.shelf import Shelf
    from cnn_explorer.training.queue import TrainingQueue
    from cnn_explorer.training.turns import Turns
    from cnn_explorer.weights import TrainedNetwork


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
        except Exception as problem:  # whatever it is, the page says so and stays alive
            self.error = f"PyTorch or the trained weights could not be loaded: {problem!r}"
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
    # oneDNN keeps code for every shape it has met: a thousand of them take 20 MB more than these, and are no faster.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    import torch

    from cnn_explorer.network import LECTURE
    from cnn_explorer.trace import trace_activations
    from cnn_explorer.weights import load_network

    torch.set_num_threads(1)
    sys.setswitchinterval(0.001)  # threads hand the interpreter over sooner: an update passes through three of them
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
    """The network of an architecture string; shared by all sessions, never changed."""
    from cnn_explorer.weights import load_network

    network = _networks().get(architecture)
    if network is None:
        network = load_network(parse(architecture))
        _networks().keep(architecture, network)
        give_back_memory()
    return network


def give_back_memory() -> None:
    """Hand what a fit took for a moment back to the system; C's library would keep it, a hundred megabytes after some dozens of fits."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another library than glibc
            ctypes.CDLL(None).malloc_trim(0)


@st.cache_resource(show_spinner=False)
def _networks() -> Shelf:
    from cnn_explorer.shelf import Shelf

    return Shelf(KEPT)


@st.cache_resource(show_spinner=False)
def trainings() -> TrainingQueue:
    """The queue in which all visitors' networks are trained."""
    from cnn_explorer.training.queue import TrainingQueue

    return TrainingQueue(KEPT, turns=turns())


@st.cache_resource(show_spinner=False)
def turns() -> Turns:
    """The turns that all trainings of this process take."""
    from cnn_explorer.training.turns import Turns

    return Turns()
