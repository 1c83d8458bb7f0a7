"""Networks that are kept ready, by architecture string, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict

from cnn_explorer.weights import TrainedNetwork


class Shelf:
    """Holds networks whose weights have up to `capacity` bytes altogether; the least recently used go first, the last one stays.

    Safe to use from many threads.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._networks: OrderedDict[str, TrainedNetwork] = OrderedDict()  # the least recently used first

    def get(self, architecture: str) -> TrainedNetwork | None:
        """The network kept for an architecture string, if it is still there."""
        with self._lock:
            if architecture in self._networks:
                self._networks.move_to_end(architecture)
            return self._networks.get(architecture)

    def keep(self, architecture: str, network: TrainedNetwork) -> None:
        """Keep a network in place of the one before it."""
        with self._lock:
            self._networks[architecture] = network
            self._networks.move_to_end(architecture)
            total = sum(map(_size, self._networks.values()))
            while len(self._networks) > 1 and total > self.capacity:
                _, dropped = self._networks.popitem(last=False)
                total -= _size(dropped)


def _size(network: TrainedNetwork) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in network.module.state_dict().values())
