"""Everything that one process keeps for all sessions, in one place.

It lives in this module and not in Streamlit's caches: any browser may send the message that clears those, and would end
everybody's trainings. Keys are architecture strings.
"""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import sys
import threading
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cnn_explorer.sharing.lru_cache import LruCache
from cnn_explorer.sharing.memory import give_back_memory
from cnn_explorer.shipped import AssetError
from cnn_explorer.spec.cost import affordable_digits, digits_per_unit
from cnn_explorer.spec.network import parse
from cnn_explorer.spec.shapes import NetworkShapes, infer_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from cnn_explorer.training.recipe import Data
    from cnn_explorer.training.run import Run
    from cnn_explorer.training.scheduler import Scheduler
    from cnn_explorer.weights.evaluation import Evaluation
    from cnn_explorer.weights.load import TrainedNetwork


_LOG = logging.getLogger(__name__)
SHIFT_TIME, SHIFTED = (
    160_000_000,
    (20, 1000),
)  # nanoseconds for one of the 25 places, and the test digits that this allows
# bytes of weights that are kept ready, and of those that were trained on the page: of hundreds of usual networks each
KEPT = 48_000_000


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
            self.error = (
                "PyTorch could not be loaded, and the reason is in the server's log. "
                "Start the app again, or install it again."
            )
        finally:
            self._over.set()


_LOADING = Loading()


def loading() -> Loading:
    """The one loading of this process; a page starts it when its own frame is on screen."""
    return _LOADING


def _load_torch() -> None:
    # On small networks two threads wait for each other longer than they compute. `torch.set_num_threads` alone does not
    # reach oneDNN in the threads that Streamlit starts for every rerun; the variable, read when torch is imported,
    # does.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # PyTorch and oneDNN keep the code they have made for the shapes of convolutions, a thousand times each: 20 MB after
    # sixty networks, and more with each. With these bounds all is as fast, but for 0.4 ms where many networks take
    # turns.
    os.environ.setdefault("LRU_CACHE_CAPACITY", "64")
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    import torch

    from cnn_explorer.spec.network import LECTURE
    from cnn_explorer.weights.load import load_network
    from cnn_explorer.weights.trace import trace_activations

    torch.set_num_threads(1)
    sys.setswitchinterval(0.001)  # threads hand the interpreter over sooner: an update passes through three of them
    with suppress(AssetError):  # what needs a damaged file tells of it, and the rest goes on
        trace_activations(load_network(LECTURE).module, torch.zeros(1, 1, 28, 28))  # the first pass is slow
        # So is the first fit, of any network without weights of its own: it reads the shared weights and warms the
        # optimiser up.
        load_network(parse("conv10k5-max2-relu-conv20k5-max2-tanh-fc10"))
    gc.collect()
    gc.freeze()  # what is loaded now stays: later collections need not look at it


_SHAPES: LruCache[NetworkShapes] = LruCache(256)
_NETWORKS: LruCache[TrainedNetwork] = LruCache(KEPT, lambda network: network.bytes)
_INITIALS: LruCache[TrainedNetwork] = LruCache(KEPT // 4, lambda network: network.bytes)
_EVALUATIONS: LruCache[Evaluation] = LruCache(12)  # of full MNIST one takes 0.8 MB
_SHIFT_ACCURACIES: LruCache[list[float]] = LruCache(32)


def shapes_of(architecture: str) -> NetworkShapes:
    """Shapes of an architecture string."""
    return _SHAPES.get_or_compute(architecture, lambda: infer_shapes(parse(architecture)))


def _unit(architecture: str) -> int:
    """Digits that pass through a network before the work looks up again."""
    return digits_per_unit(shapes_of(architecture))


def network_of(architecture: str) -> TrainedNetwork:
    """The network of an architecture string; shared by all sessions, never changed.

    The first call returns at once, without an accuracy where that has to be measured. A later call measures it.
    """
    from cnn_explorer.weights.load import load_network, measured

    def load() -> TrainedNetwork:
        network = load_network(parse(architecture), measure=False, pause=stop_if_unwanted)
        give_back_memory()
        return network

    known = _NETWORKS.get(architecture)
    if known is None:
        return _NETWORKS.get_or_compute(architecture, load)
    network = measured(known, _unit(architecture), stop_if_unwanted)
    if network is not known:
        _NETWORKS.keep(architecture, network)
    return network


# --- trainings ---

_MAKING = threading.Lock()


def scheduler() -> Scheduler:
    """The one that trains for all visitors."""
    with _MAKING:
        return _scheduler()


@cache
def _scheduler() -> Scheduler:
    from cnn_explorer.training.scheduler import Scheduler

    return Scheduler(is_present, address_of)


# --- visitors ---


def visitor() -> str:
    """Streamlit's name for this session."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def is_present(visitor: str) -> bool:
    """True while a visitor's browser is connected."""
    return not st.runtime.exists() or st.runtime.get_instance().is_active_session(visitor)


def address_of(visitor: str) -> str:
    """The network address that a visitor's browser is connected from, "" if that is not known.

    One person commands a whole IPv6 network of 64 bits: that counts as one address.
    """
    client = st.runtime.get_instance().get_client(visitor) if st.runtime.exists() else None
    context = client.client_context if client else None
    try:
        address = ipaddress.ip_address(str(context.remote_ip)) if context else None
    except ValueError:
        return ""
    return (
        str(ipaddress.ip_network((address, 64), strict=False))
        if address and address.version == 6
        else str(address or "")
    )


def stop_if_unwanted() -> None:
    """End this run of the page if its visitor has left, or has asked for something else since. Long work calls it
    between its units.
    """
    if get_script_run_ctx() is None:
        return
    if not is_present(visitor()):
        st.stop()
    st.session_state.get("net")  # Streamlit ends a run at any use of the session where a newer run is asked for


# --- networks of a run, and what they are worth ---


def initial(architecture: str, seed: int) -> TrainedNetwork:
    """A network before any training, as a run of this `seed` begins."""
    from cnn_explorer.weights.builder import build_layers
    from cnn_explorer.weights.label import Initialised, Label
    from cnn_explorer.weights.load import TrainedNetwork

    def build() -> TrainedNetwork:
        return TrainedNetwork(build_layers(shapes_of(architecture), seed).eval(), Label(Initialised(seed)))

    return _INITIALS.get_or_compute(f"{architecture} {seed}", build)


def evaluation(net: str, module: nn.Sequential, data: Data, pause: Callable[[], None] = stop_if_unwanted) -> Evaluation:
    """What a network says of the test digits, of as many as take about a second. `pause` is called between units of the
    work.
    """
    from cnn_explorer.training.recipe import digits_for
    from cnn_explorer.training.run import digits_to_test
    from cnn_explorer.weights.evaluation import evaluate
    from cnn_explorer.weights.load import fingerprint_of

    def compute() -> Evaluation:
        return evaluate(module, digits_for(data)[1][: digits_to_test(shapes_of(net))], _unit(net), pause)

    return _EVALUATIONS.get_or_compute(f"{net} {fingerprint_of(module)} {data}", compute)


def tested_at(run: Run, batch: int) -> TrainedNetwork:
    """A run's network after so many batches, its label by `evaluation`."""
    from cnn_explorer.training.results import trained_at

    return trained_at(run, batch, lambda module: evaluation(str(run.spec), module, run.recipe.data))


def digits_to_shift(nets: Sequence[str]) -> int:
    """How many test digits are moved about, so that each of the networks takes a few seconds at most."""
    return min(affordable_digits(SHIFT_TIME, SHIFTED, shapes_of(net)) for net in nets)


def shift_accuracy(net: str, module: nn.Sequential, data: Data, count: int) -> list[float]:
    """How often a network is right on the first `count` test digits moved by 0 to 6 pixels."""
    from cnn_explorer.training.recipe import digits_for
    from cnn_explorer.weights.evaluation import shift_accuracy
    from cnn_explorer.weights.load import fingerprint_of

    def compute() -> list[float]:
        unit = _unit(net)
        return shift_accuracy(module, digits_for(data)[1][:count], batch_size=unit, pause=stop_if_unwanted)

    return _SHIFT_ACCURACIES.get_or_compute(f"{net} {fingerprint_of(module)} {data} {count}", compute)
