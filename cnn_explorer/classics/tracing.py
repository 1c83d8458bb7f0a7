"""torchvision's networks as `Graph`s, and what torchvision says of them.

Every function imports torchvision, which takes a second and more: the app calls them in a process of their own
(`worker`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cnn_explorer.classics import lite0
from cnn_explorer.classics.catalogue import LITE0, NETWORKS, network_named
from cnn_explorer.classics.graph import Graph, Node, Pair, Window, infer_graph

if TYPE_CHECKING:
    from torch import fx, nn

# Their first random weights take minutes, and on the meta device they are not even numbers.
SETTINGS: Mapping[str, Mapping[str, bool]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"init_weights": False},
}
# Functions that the networks call, by name, as the kinds of `Node`.
FUNCTIONS = {
    "relu": "ReLU",
    "add": "Add",
    "cat": "Concatenate",
    "flatten": "Flatten",
    "max_pool2d": "MaxPool2d",
    "avg_pool2d": "AvgPool2d",
    "adaptive_avg_pool2d": "AdaptiveAvgPool2d",
}


@dataclass(frozen=True)
class Facts:
    """What torchvision says of the first version of a network's weights, and EfficientNet-Lite0's authors of theirs.

    `accuracy` is the top-1 accuracy on ImageNet's validation pictures, from 0 to 1. `parameters` is exact, and `macs`
    is rounded to a million. `megabytes` are 10⁶ bytes of the file. `url` is where it can be fetched, "" if it is here.
    """

    name: str
    accuracy: float
    parameters: int
    macs: float
    megabytes: float
    url: str = ""


def facts() -> tuple[Facts, ...]:
    """Facts about all networks of the catalogue."""
    return tuple(map(_facts_of, NETWORKS))


def _facts_of(name: str) -> Facts:
    from torchvision.models import get_model_weights

    if name == LITE0:
        graph = trace_graph(name)
        macs = infer_graph(graph, network_named(name).size).macs
        return Facts(name, lite0.ACCURACY, graph.parameters, macs, round(lite0.weights_file().stat().st_size / 1e6, 1))
    weights = next(iter(get_model_weights(name)))
    meta = weights.meta
    return Facts(
        name,
        meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100,
        meta["num_params"],
        meta["_ops"] * 1e9,
        round(meta["_file_size"] * 2**20 / 1e6, 1),  # torchvision counts 1,048,576 bytes
        weights.url,
    )


@cache
def categories() -> list[str]:
    """ImageNet's 1,000 classes, in the order of the networks' outputs."""
    from torchvision.models import MobileNet_V2_Weights

    labels: list[str] = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    return labels


def build(name: str, device: str = "meta") -> nn.Module:
    """A network of the catalogue in evaluation mode. On the meta device it has shapes, but no numbers and no memory.

    Raises `ValueError` for a name that is not in the catalogue.
    """
    import torch
    from torchvision.models import get_model

    network_named(name)
    with torch.device(device):
        network: nn.Module = lite0.build() if name == LITE0 else get_model(name, **SETTINGS.get(name, {}))
    return network.eval()


def trace_graph(name: str) -> Graph:
    """The graph of a network of the catalogue. Raises `ValueError` for any other name."""
    return graph_of(name, build(name))


def graph_of(name: str, module: nn.Module) -> Graph:
    """The graph of a network in evaluation mode, by `torch.fx`."""
    from torch.fx import Tracer

    nodes: list[Node] = []
    places: dict[fx.Node, int] = {}
    used: Counter[tuple[str, ...]] = Counter()
    for fx_node in Tracer().trace(module).nodes:
        if fx_node.op == "output":
            continue
        inputs = tuple(places[one] for one in fx_node.all_input_nodes)
        places[fx_node] = len(nodes)
        nodes.append(_node(fx_node, inputs, module, used))
    total = sum(parameter.numel() for parameter in module.parameters())
    return Graph(name, tuple(nodes), total - sum(node.parameters for node in nodes))


def _node(fx_node: fx.Node, inputs: tuple[int, ...], module: nn.Module, used: Counter[tuple[str, ...]]) -> Node:
    stack = fx_node.meta.get("nn_module_stack", {})
    path = tuple(name.partition("@")[0].rpartition(".")[2] for name in stack)
    types = tuple(kind.__name__ for _, kind in stack.values())
    if fx_node.op == "placeholder":
        return Node("Input", ("input",), ("Input",), ())
    if fx_node.op == "call_module":
        layer = module.get_submodule(str(fx_node.target))
        parameters = sum(parameter.numel() for parameter in layer.parameters())
        return Node(types[-1], _once(path, used), types, inputs, parameters, **dict(_module_settings(layer)))
    # torch.fx numbers the calls. The functions' own names do not serve: that of `max_pool2d` is "fn".
    word = re.sub(r"_\d+$", "", fx_node.name)
    kind = FUNCTIONS[word]
    return Node(kind, _once((*path, word), used), (*types, kind), inputs, **dict(_function_settings(kind, fx_node)))


def _once(path: tuple[str, ...], used: Counter[tuple[str, ...]]) -> tuple[str, ...]:
    """A path of its own: a module that is called again gets a number."""
    used[path] += 1
    return path if used[path] == 1 else (*path[:-1], f"{path[-1]}_{used[path]}")


def _module_settings(layer: nn.Module) -> Iterator[tuple[str, Any]]:
    from torch import nn

    if isinstance(layer, nn.Conv2d):
        yield "window", _window(layer)
        yield "channels", (layer.in_channels, layer.out_channels)
        yield "groups", layer.groups
    elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
        yield "window", _window(layer)
    elif isinstance(layer, nn.AdaptiveAvgPool2d):
        yield "output_size", _pair(layer.output_size)
    elif isinstance(layer, nn.ZeroPad2d):
        yield "pads", tuple(layer.padding)
    elif isinstance(layer, nn.Linear):
        yield "channels", (layer.in_features, layer.out_features)


def _window(layer: nn.Module) -> Window:
    names = ("kernel_size", "stride", "padding", "dilation")
    pairs = {name: _pair(getattr(layer, name)) for name in names if hasattr(layer, name)}
    return Window(**pairs, ceil_mode=getattr(layer, "ceil_mode", False))


def _function_settings(kind: str, fx_node: fx.Node) -> Iterator[tuple[str, Any]]:
    names = ("input", "output_size") if kind == "AdaptiveAvgPool2d" else ("input", "kernel_size", "stride", "padding")
    given = {**dict(zip(names, fx_node.args, strict=False)), **fx_node.kwargs}
    if kind == "AdaptiveAvgPool2d":
        yield "output_size", _pair(given["output_size"])
    elif kind in ("MaxPool2d", "AvgPool2d"):
        kernel_size = _pair(given["kernel_size"])
        stride = _pair(given.get("stride") or kernel_size)
        yield "window", Window(kernel_size, stride, _pair(given.get("padding", 0)), _pair(given.get("dilation", 1)))


def _pair(value: Any) -> Pair:
    if isinstance(value, int):
        return value, value
    height, width = value
    return int(height), int(width)
