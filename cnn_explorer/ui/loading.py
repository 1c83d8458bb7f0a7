"""PyTorch, imported in the background while the page already shows its frame."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time

from cnn_explorer.shipped import AssetError
from cnn_explorer.spec.network import LECTURE, parse
from cnn_explorer.ui import events

_LOG = logging.getLogger(__name__)


class Loading:
    """The import of PyTorch: `ready` once it can be used without waiting, `error` if it cannot be imported, `serving`
    once trained weights are loaded, too.
    """

    def __init__(self) -> None:
        self.ready = False
        self.serving = False
        self.error = ""
        self._started = threading.Lock()
        self._over = threading.Event()

    def start(self) -> None:
        """Import PyTorch in the background, once."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._load, name="import torch", daemon=True).start()

    def wait(self) -> None:
        """Start the import, and wait until PyTorch can be used or has failed to load."""
        self.start()
        self._over.wait()

    def _load(self) -> None:
        try:
            self.serving = _load_torch()
            self.ready = True
        except Exception as problem:  # whatever it is, the page says so and stays alive
            _LOG.exception("PyTorch could not be loaded")
            events.failure(problem)
            self.error = (
                "PyTorch could not be loaded, and the reason is in the server's log. "
                "Start the app again, or install it again."
            )
        finally:
            self._over.set()


_LOADING = Loading()


def torch_loading() -> Loading:
    """The one import of this process. A page starts it when its own frame is on screen."""
    return _LOADING


def _load_torch() -> bool:
    """Import PyTorch and load weights; False if their files are damaged."""
    began = time.monotonic()
    # Threads hand the interpreter over sooner: an update passes through three of them, and while PyTorch is imported
    # the server sends a page's files.
    sys.setswitchinterval(0.001)
    # On small networks two threads wait for each other longer than they compute. `torch.set_num_threads` alone does not
    # reach oneDNN in the threads that Streamlit starts for every rerun; the variable, read when torch is imported,
    # does.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # PyTorch and oneDNN each keep the code of a thousand shapes of convolutions: 20 MB after sixty networks, and more
    # with each. These bounds cost nothing for one network, and 0.4 ms where many networks alternate.
    os.environ.setdefault("LRU_CACHE_CAPACITY", "64")
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    import torch

    from cnn_explorer.weights.load import load_network
    from cnn_explorer.weights.trace import trace_activations

    torch.set_num_threads(1)
    try:
        trace_activations(load_network(LECTURE).module, torch.zeros(1, 1, 28, 28))  # the first pass is slow
        # So is the first fit: it reads the shared weights and loads the optimiser's code.
        load_network(parse("conv10k5-max2-relu-conv20k5-max2-tanh-fc10"))
        weights = True
    except AssetError as problem:  # whatever needs the damaged file says so, and the rest works
        events.failure(problem)
        weights = False
    gc.collect()
    gc.freeze()  # what is loaded now stays: later collections need not look at it
    seconds = round(time.monotonic() - began, 1)
    events.note("loaded", torch=torch.__version__, threads=torch.get_num_threads(), seconds=seconds)
    return weights
