"""The process of `worker.Worker`: reads pickled calls from its input and writes pickled answers to its output.

Both ends belong to one program on one machine. Nothing that a visitor sends is unpickled.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback

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
            answer = (True, function(*args, **kwargs))
        except ValueError as problem:
            answer = (False, problem)
        except Exception:  # whatever it is, the app shows a sentence and the log has the details
            traceback.print_exc()
            answer = (False, None)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
