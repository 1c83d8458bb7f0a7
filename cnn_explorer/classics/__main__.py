"""The process of `worker.Worker`: reads pickled calls from its input and writes pickled answers to its output.

Both ends belong to one program on one machine. Nothing that a visitor sends is unpickled.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
import traceback
from functools import cache

NICENESS = 5  # the app's own process goes first: it answers the other pages


def main() -> None:
    """Answer calls until the input ends, which is when the app ends."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    while True:
        try:
            function, args, kwargs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if function.__module__.startswith("cnn_explorer.classics."):
                _import_torchvision()
            answer = (True, function(*args, **kwargs))
        except ValueError as problem:
            answer = (False, problem)
        except Exception:  # whatever it is, the app shows a sentence and the log has the details
            traceback.print_exc()
            answer = (False, None)
        pickle.dump(answer, answers)
        answers.flush()


@cache
def _import_torchvision() -> None:
    """Import torchvision, and freeze its objects: to look through them for garbage takes 150 ms, whenever networks are
    forgotten.
    """
    import torchvision  # noqa: F401

    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    main()
