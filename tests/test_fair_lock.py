"""The order in which a lock is handed on."""

import threading
import time

import pytest

from cnn_explorer.sharing.fair_lock import FairLock


def test_it_is_taken_in_the_order_asked_for() -> None:
    lock, order = FairLock(), []

    def take(number: int) -> None:
        with lock:
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(20)]
    with lock:
        for number, thread in enumerate(threads):
            thread.start()
            end = time.monotonic() + 20
            while len(lock._waiting) <= number:
                assert time.monotonic() < end
                time.sleep(0.002)
    for thread in threads:
        thread.join()
    assert order == [*range(20)]
    with pytest.raises(ValueError, match="given back"), lock:
        raise ValueError("given back")
    with lock:
        pass
