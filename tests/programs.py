"""Programs in processes of their own. Each is forked from a process that has imported torch, and nothing else.

Importing torch takes three seconds of processor time, forking takes ten milliseconds, and a shutdown of the interpreter
with all that torch has made takes 300. So it is left out where a test makes no claim about it.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

# Answers one request a line. A child that shuts down leaves the loop, and ends where any program ends. For one that goes
# on the answer is its process id.
SERVER = """
import gc, json, os, signal, sys, tempfile, traceback, types
import torch
gc.freeze()
for line in sys.stdin:
    request = json.loads(line)
    outputs = [tempfile.TemporaryFile() for _ in range(2)]
    child = os.fork()
    if not child:
        signal.alarm(request["seconds"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, output in enumerate(outputs, start=1):
            os.dup2(output.fileno(), number)
        if request["log"]:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = ["-c", *request["arguments"]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        program = compile(request["source"], "<program>", "exec")
        if request["shutdown"]:
            exec(program, vars(main))
            break
        try:
            exec(program, vars(main))
        except BaseException:
            traceback.print_exc()
            failed = True
        else:
            failed = False
        sys.stdout.flush()
        os._exit(failed)
    if request["log"]:
        print(json.dumps([0, str(child), ""]), flush=True)
        continue
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    texts = []
    for output in outputs:
        output.seek(0)
        texts.append(output.read().decode())
        output.close()
    print(json.dumps([status, *texts]), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """What a program has left: its exit code (negative for a signal) and what it has printed."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Server:
    """The process with torch. It runs one program after another, in the order in which they were started."""

    process: subprocess.Popen[str]
    started: int = 0
    ended: list[Ended] = field(default_factory=list)

    def wait(self, number: int) -> Ended:
        assert self.process.stdout
        while len(self.ended) <= number:
            self.ended.append(Ended(*json.loads(self.process.stdout.readline())))
        return self.ended[number]


@dataclass(frozen=True)
class Program:
    """A program that has been started; it may have to wait for those before it."""

    server: Server
    number: int

    def wait(self) -> Ended:
        """Wait until it has ended, however it did."""
        return self.server.wait(self.number)


@cache
def _server() -> Server:
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(_stop, process)
    return Server(process)


def _stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def start(
    source: str,
    *arguments: str | Path,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: int = 60,
    shutdown: bool = False,
    log: Path | None = None,
) -> Program:
    """Start a program in a folder (else the working folder), with these changes to the environment.

    A program that takes longer than `seconds` is ended. With `shutdown` its threads are joined and its interpreter is
    shut down; without, it ends after its last line. With `log` it goes on beside those after it, and what it writes on
    stderr is there; see `start_server`.
    """
    server = _server()
    request = {
        "source": source,
        "arguments": [*map(str, arguments)],
        "folder": str(folder or Path.cwd()),
        "environment": {**os.environ, **(environment or {})},
        "seconds": seconds,
        "shutdown": shutdown,
        "log": str(log) if log else "",
    }
    assert server.process.stdin
    server.process.stdin.write(json.dumps(request) + "\n")
    server.process.stdin.flush()
    server.started += 1
    return Program(server, server.started - 1)


def run(source: str, *arguments: str | Path, shutdown: bool = False) -> Ended:
    """Run a program to its end; one that fails, fails the test."""
    ended = start(source, *arguments, shutdown=shutdown).wait()
    assert ended.returncode == 0, ended.stderr
    return ended


class RunningServer:
    """A program that goes on until it is ended, with the methods of `subprocess.Popen` that end it."""

    def __init__(self, pid: int) -> None:
        self.pid, self._file = pid, os.pidfd_open(pid)

    def poll(self, seconds: float = 0) -> int | None:
        """0 once it has ended, None while it goes on; waits for its end so long."""
        return 0 if select.select([self._file], [], [], seconds)[0] else None

    def terminate(self) -> None:
        """End it at once, without a shutdown of its interpreter."""
        signal.pidfd_send_signal(self._file, signal.SIGKILL)

    def wait(self, timeout: float) -> None:
        if self.poll(timeout) is None:
            raise TimeoutError(f"process {self.pid} does not end")
        os.close(self._file)


def start_server(module: str, *arguments: str, folder: Path, log: Path) -> RunningServer:
    """Start what `python -m module` starts. What it writes on stderr is added to `log`."""
    source = f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    started = start(source, *arguments, folder=folder, seconds=900, shutdown=True, log=log).wait()
    return RunningServer(int(started.stdout))
