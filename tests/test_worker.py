"""torchvision in a process of its own: answers, errors, a process that dies, and its end."""

import os
import time

import pytest

from cnn_explorer.classics.worker import Worker, WorkerError


def fails() -> None:
    raise ZeroDivisionError


def refuses(text: str) -> None:
    raise ValueError(text)


def ends() -> None:
    os._exit(3)


def test_answers_errors_and_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    worker = Worker()
    try:
        assert worker.pid is None
        assert worker.call(divmod, 7, 2) == (3, 1)
        process = worker.call(os.getpid)
        assert process == worker.pid != os.getpid()
        worker.call(print, "what is printed does not disturb the answers")
        with pytest.raises(ValueError, match="the reason"):
            worker.call(refuses, "the reason")
        with pytest.raises(WorkerError):
            worker.call(fails)
        assert worker.call(os.getpid) == process
        with pytest.raises(WorkerError):
            worker.call(ends)
        assert worker.call(os.getpid) != process
    finally:
        worker.close()
    assert worker.pid is None


def test_the_process_ends_when_nothing_is_asked() -> None:
    worker = Worker(idle=0.1)
    process = worker.call(os.getpid)
    deadline = time.monotonic() + 20
    while worker.pid is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert worker.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
