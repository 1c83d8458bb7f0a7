"""How large a network may be for a page that computes it anew with every stroke, for every visitor at once.

The lecture's network needs a hundredth of each limit.
"""

from __future__ import annotations

from cnn_explorer.spec.cost import forward_time, layer_time
from cnn_explorer.spec.shapes import NetworkShapes

MAX_PARAMETERS = 5_000_000
MAX_TIME = 10_000_000  # nanoseconds, as `cost` counts them
MAX_VALUES = 400_000


def excess_of(shapes: NetworkShapes) -> str:
    """Why a network is too large for a page that answers at once, with the numbers and the remedy; "" if it is not."""
    values = sum(layer.values for layer in shapes.layers)
    for count, most, word in ((shapes.parameters, MAX_PARAMETERS, "parameters"), (values, MAX_VALUES, "values")):
        if count > most:
            return (
                f"this network has {count:,} {word}, more than the {most:,} that this page computes live; "
                "take fewer channels or features, or pool or stride earlier"
            )
    time = forward_time(shapes.layers)
    if time > MAX_TIME:
        slowest = max(shapes.layers, key=lambda layer: layer_time(layer).forward)
        return (
            f"this network takes about {time / 1e6:.0f} ms a digit, more than the {MAX_TIME / 1e6:.0f} ms that this "
            f"page has, most of them in {slowest.name}; take fewer channels or features, a smaller kernel, or pool or "
            "stride earlier"
        )
    return ""
