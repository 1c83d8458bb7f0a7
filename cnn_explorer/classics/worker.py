"""Runs functions that need torchvision in a process of their own.

torchvision loads PyTorch's compiler: a hundred megabytes that the other pages do not need. The process starts with the
first call and ends when nothing was asked for a while, which gives all its memory back.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar, cast

from cnn_explorer.sharing.fair_lock import FairLock

IDLE = 90.0  # seconds without a call after which the process ends

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class WorkerError(RuntimeError):
    """The process failed; the message is for a page, and the details are in the server's log."""

    def __init__(self) -> None:
        super().__init__("The networks of this page could not be computed. Try again; the server's log has the reason.")


class Worker:
    """One process for all threads. Calls wait for each other, first come, first served."""

    def __init__(self, idle: float = IDLE) -> None:
        self._idle = idle
        self._lock = FairLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None

    @property
    def pid(self) -> int | None:
        """The process's number, None while there is none."""
        return self._process.pid if self._process else None

    def call(self, function: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        """The answer of a function at the top of a module, computed in the process.

        A `ValueError` of the function is raised here as well. Raises `WorkerError` if anything else goes wrong; the
        next call then starts a new process.
        """
        with self._lock:
            self._stop_timer()
            try:
                good, answer = self._ask((function, args, kwargs))
            except (OSError, EOFError, pickle.UnpicklingError) as problem:
                self._end()
                raise WorkerError from problem
            self._start_timer()
        if not good:
            raise answer if isinstance(answer, ValueError) else WorkerError
        return cast(Answer, answer)

    def close(self) -> None:
        """End the process now, if no call is running, else after it."""
        with self._lock:
            self._stop_timer()
            self._end()

    def _ask(self, request: object) -> tuple[bool, Any]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cnn_explorer.classics"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None
        assert answers is not None
        pickle.dump(request, questions)
        questions.flush()
        good, answer = pickle.load(answers)
        return good, answer

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):  # a question that the process did not read to its end
                    if pipe:
                        pipe.close()
            self._process = None

    def _start_timer(self) -> None:
        self._timer = threading.Timer(self._idle, self.close)
        self._timer.daemon = True
        self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
