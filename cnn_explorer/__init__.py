"""See how a convolutional network works: specs, shapes, trained weights and traces, for a notebook or for the app.

    from cnn_explorer import LECTURE, image_from_strokes, infer_shapes, load_network, parse, trace_activations

    network = load_network(LECTURE)
    trace = trace_activations(network.module, image_from_strokes([[(140, 40), (140, 240)]]))
    print(trace.probabilities)

Names are loaded when they are first used, so that `import cnn_explorer` does not wait for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_explorer.digits.preprocessing import image_from_strokes
    from cnn_explorer.spec.network import LECTURE, NetworkSpec, parse
    from cnn_explorer.spec.shapes import infer_shapes
    from cnn_explorer.weights.builder import build_network
    from cnn_explorer.weights.load import load_network
    from cnn_explorer.weights.trace import trace_activations

__version__ = "0.1.0"
__all__ = [
    "LECTURE",
    "NetworkSpec",
    "build_network",
    "image_from_strokes",
    "infer_shapes",
    "load_network",
    "parse",
    "trace_activations",
]

_HOMES = {
    "LECTURE": "spec.network",
    "NetworkSpec": "spec.network",
    "build_network": "weights.builder",
    "image_from_strokes": "digits.preprocessing",
    "infer_shapes": "spec.shapes",
    "load_network": "weights.load",
    "parse": "spec.network",
    "trace_activations": "weights.trace",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
