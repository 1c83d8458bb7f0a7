"""For every test: the same random examples on every run, however slow the machine, and one thread for PyTorch, as in
the app.

With `HYPOTHESIS_PROFILE=large` in the environment the random examples are others on every run, and fifty times as many
where a test does not name their number.
"""

import gc
import logging
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported

settings.register_profile(
    "reproducible", max_examples=50, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("large", max_examples=2500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "reproducible"))

# Files that run one after the other in one process: there torchvision is imported, and the app's process that has it
# started, for the first of them alone.
TORCHVISION = ("classics", "classics_page", "data", "downloads", "explaining", "lite0", "maps", "one_value", "origins")
TORCHVISION += ("running", "script", "addresses")
# Likewise the process that tests/programs.py forks from.
PROGRAMS = ("server", "proxy", "scheduler", "codegen", "documents", "files", "network_code", "public_names")
# Likewise torch's compiler, which `torch.optim` and shapes without numbers load.
COMPILER = ("run", "layers", "presets", "novelty", "shapes", "shared", "training")
GROUPS = {f"test_{one}.py": group for group in (TORCHVISION, PROGRAMS, COMPILER) for one in group}
# What takes longest comes first, so that no process is left with it at the end.
ORDER = [*GROUPS, *(f"test_{one}.py" for one in ("training_page", "pages", "preprocessing"))]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        if item.path.parent.name == "browser":
            return -1
        return ORDER.index(item.path.name) if item.path.name in ORDER else len(ORDER)

    items.sort(key=place)


class Values(Mapping[str, Any]):
    """The values of a session by their keys, as `SafeSessionState.filtered_state` has them."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def __getitem__(self, key: str) -> Any:
        with self.session._lock:
            return self.session._state[key]

    def __iter__(self) -> Iterator[str]:
        with self.session._lock:
            return iter(self.session._state.filtered_state)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def pytest_configure() -> None:
    """Garbage is looked for in what tests make, but not in the hundred thousands of objects of what is imported."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Have Streamlit do once what every AppTest would do anew: search the installed packages for components, for 150
    ms, and compile the program of a page, for 20 ms a run. Have it wait for a run without looking every millisecond,
    and look up one value where it would make a dict of all for every widget, which takes a tenth of a run. And have it
    keep, as a browser does, what stands beside the fragments that a callback has run again.
    """
    gc.freeze()
    gc.enable()
    if "streamlit.testing.v1" in sys.modules:
        from streamlit.components.v2 import manifest_scanner
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
        from streamlit.proto.RootContainer_pb2 import RootContainer
        from streamlit.runtime.scriptrunner.script_cache import ScriptCache
        from streamlit.runtime.state.safe_session_state import SafeSessionState
        from streamlit.testing.v1 import local_script_runner

        manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
        shared, get_bytecode = ScriptCache(), ScriptCache.get_bytecode
        ScriptCache.get_bytecode = lambda _, path: get_bytecode(shared, path)

        def places(message: ForwardMsg) -> list[tuple[int, ...]]:
            """Where it belongs, from the outermost container on."""
            return list(accumulate((step,) for step in message.metadata.delta_path))

        def wait(runner: local_script_runner.LocalScriptRunner, timeout: float) -> None:
            runner._script_thread.join(timeout)
            if not runner.script_stopped():
                runner.request_stop()
                raise RuntimeError(f"The page takes longer than {timeout} seconds.")
            page = runner._fragment_storage  # the same in all runs of an AppTest
            messages, runs = runner.forward_msgs(), [told for told in runner.event_data if "pages" in told]
            if runs[-1]["fragment_ids_this_run"]:
                anew = {tuple(message.metadata.delta_path) for message in messages}
                messages[:0] = [old for old in page.on_screen if anew.isdisjoint(places(old))]
            page.on_screen = [message for message in messages if places(message)[:1] == [(RootContainer.MAIN,)]]

        local_script_runner.require_widgets_deltas = wait
        SafeSessionState.filtered_state = property(Values)


def pytest_unconfigure() -> None:
    """The process ends without a last look for garbage, which takes half a second."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With `--dist=loadfile`, the files of a group are one file."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            group = GROUPS.get(Path(file).name)
            return group[0] if group else file

    return ByFile(config, log)


class Failures(logging.Handler):
    """What the pages have caught and shown as a sentence (cnn_explorer/ui/boundary.py)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[BaseException | None] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.exc_info[1] if record.exc_info else None)


@pytest.fixture(autouse=True)
def failures() -> Iterator[list[BaseException | None]]:
    """The failures that pages have caught. A test that expects some takes them out of the list; any other fails by
    them.
    """
    handler, log = Failures(), logging.getLogger("cnn_explorer.ui.boundary")
    log.addHandler(handler)
    yield handler.found
    log.removeHandler(handler)
    assert not handler.found, handler.found


@pytest.fixture
def own_visitors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every AppTest is a visitor of its own, who is there; Streamlit gives all of them one session id. What they have
    trained ends with the test: a page trains a network of which nothing is known for ten seconds.
    """
    import streamlit as st

    from cnn_explorer.ui import caches, visitors

    monkeypatch.setattr(visitors, "visitor", lambda: st.session_state.setdefault("visitor", uuid.uuid4().hex))
    monkeypatch.setattr(visitors, "is_present", lambda visitor: True)
    monkeypatch.setattr(visitors, "address_of", lambda visitor: "")
    yield
    if caches._scheduler.cache_info().currsize:
        caches.scheduler().close()
        caches._scheduler.cache_clear()


@pytest.fixture(scope="module")
def quickly_fitted() -> Iterator[None]:
    """Networks are fitted on few digits, and not tuned: for tests that look at widgets, addresses and messages."""
    from cnn_explorer.sharing.lru_cache import LruCache
    from cnn_explorer.ui import caches
    from cnn_explorer.weights import fitting

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(caches, "_NETWORKS", LruCache(caches._NETWORKS.capacity, lambda network: network.bytes))
        patch.setattr(fitting, "FIT_DIGITS", (200, 200))
        patch.setattr(fitting, "CALIBRATION_DIGITS", (60, 60))
        patch.setattr(fitting, "ACCURATE", 0.0)
        yield
