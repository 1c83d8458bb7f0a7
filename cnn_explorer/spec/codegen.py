"""The PyTorch source of a network: it runs as it is pasted, and marks what differs from the network before."""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import zip_longest

from cnn_explorer.spec.shapes import LayerShapes, NetworkShapes


def network_code(shapes: NetworkShapes, former: NetworkShapes | None = None) -> str:
    """An `nn.Sequential` of these layers, each with its output shape, then one forward pass of a random image.

    Above a layer whose settings differ from those of the `former` network, a comment says what it was. A layer that
    cannot take its input ends the code, and a comment says why.
    """
    marks, gone = _marks(shapes, former)
    calls = [_call(layer) for layer in shapes.layers]
    width = max(map(len, calls), default=0)
    lines = []
    for at, (layer, call) in enumerate(zip(shapes.layers, calls, strict=True)):
        lines += [f"    # ← gone: {each}" for each in gone.get(at, [])]
        lines += [f"    # ↓ {marks[at]}"] if at in marks else []
        lines.append(f"    {call:<{width}}  # {layer.name}: {_sizes(layer.output_shape)}")
    lines += [f"    # ← gone: {each}" for each in gone.get(len(calls), [])]
    if shapes.error:
        lines.append(f"    # {shapes.error.layer} does not fit: {_one_line(shapes.error.problem)}")
    size = ", ".join(map(str, shapes.spec.input_shape))
    answer = "print(network(x).softmax(dim=1))" if shapes.classifies else "print(network(x).shape)"
    return "\n".join(
        [
            "import torch",
            "from torch import nn",
            "",
            f"network = nn.Sequential(  # input: {_sizes(shapes.spec.input_shape)}",
            *lines,
            ")",
            "",
            f"x = torch.rand(1, {size})  # one random image; grey values from 0 to 1",
            "x = (x - 0.1307) / 0.3081  # MNIST's mean and standard deviation: from -0.42 to 2.82",
            answer,
        ]
    )


def _call(layer: LayerShapes) -> str:
    return f"nn.{layer.spec.torch_name}({layer.spec.arguments(layer.input_shape)}),"


def _marks(shapes: NetworkShapes, former: NetworkShapes | None) -> tuple[dict[int, str], dict[int, list[str]]]:
    """By the place of a layer: how it has changed; and the layers that stood before it and are gone."""
    if former is None:
        return {}, {}
    old, new = ([str(layer.spec) for layer in each.layers] for each in (former, shapes))
    marks: dict[int, str] = {}
    gone: dict[int, list[str]] = {}
    for kind, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for before, now in zip_longest(range(first, last), range(start, end)):
            was = None if before is None else _call(former.layers[before]).rstrip(",")
            if now is None:
                gone.setdefault(end, []).append(str(was))
            else:
                marks[now] = f"was {was}" if was else "new"
    return marks, gone


def _sizes(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _one_line(text: str) -> str:
    return " ".join(text.split())
