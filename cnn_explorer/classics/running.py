"""Networks with their trained weights, run on pictures. Called in the process of `worker`, which has torchvision."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from cnn_explorer.classics import downloads, lite0, tracing
from cnn_explorer.classics.catalogue import LITE0, network_named
from cnn_explorer.classics.photographs import decoded
from cnn_explorer.numbers.cutout import Cutout, cut_convolution
from cnn_explorer.sharing.memory import give_back_memory
from cnn_explorer.spec.layers import Conv2dSpec

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor, fx, nn

ANSWERS = 5
PAGE = 24  # maps that are shown together
ACTIVATIONS = 65.0  # megabytes that a pass takes beside the weights; VGG-19 with batch norm takes most
MEMORY = "CNN_EXPLORER_MEMORY_MB"  # environment variable
USUAL_MEMORY = 1000.0  # megabytes
TOO_LARGE = f"This network needs more memory than this server gives to networks ({MEMORY})."
INCEPTION = ("googlenet", "inception_v3")

Colour = tuple[float, float, float]  # red, green, blue


@dataclass(frozen=True)
class Preprocessing:
    """What weights expect of a picture: its shorter side scaled to `resize` pixels by `interpolation`, the middle
    `crop` × `crop` pixels cut out, and values from 0 to 1 normalised by the `mean` and `std` of each colour.
    """

    resize: int
    crop: int
    interpolation: str
    mean: Colour
    std: Colour


@dataclass(frozen=True)
class Answer:
    """A class of ImageNet by its `label`, and its `probability`."""

    label: str
    probability: float


@dataclass(frozen=True)
class Classified:
    """What a network says of a picture, with the steps before.

    `resized` and `cropped` are `(H, W, 3)`, uint8. `pixel` is the one in the middle of `cropped`, and `normalised` the
    same as the network gets it. `answers` are the most probable first.
    """

    preprocessing: Preprocessing
    resized: np.ndarray
    cropped: np.ndarray
    pixel: tuple[int, int, int]
    normalised: Colour
    answers: tuple[Answer, ...]


def classify(name: str, picture: bytes, file: Path | None = None) -> Classified:
    """Run a network on a JPEG file, with the trained weights in a `file` of torchvision's; EfficientNet-Lite0 has its
    own.

    Raises `ValueError` where the weights are missing, damaged or not the network's. A damaged file is deleted.
    """
    import torch

    torch.set_num_threads(1)  # the other core is for the app's own process
    preprocessing = preprocessing_of(name)
    resized, cropped = scaled(decoded(picture), preprocessing)
    image = normalised(cropped, preprocessing)
    with torch.no_grad():
        probabilities = trained(name, file)(image).softmax(1)[0]
    best = probabilities.topk(ANSWERS)
    middle = preprocessing.crop // 2
    red, green, blue = np.asarray(cropped)[middle, middle].tolist()
    first, second, third = image[0, :, middle, middle].tolist()
    return Classified(
        preprocessing,
        np.asarray(resized),
        np.asarray(cropped),
        (red, green, blue),
        (first, second, third),
        tuple(
            Answer(tracing.categories()[place], probability)
            for place, probability in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ),
    )


def preprocessing_of(name: str) -> Preprocessing:
    """What a network's weights expect."""
    from torchvision.models import get_model_weights

    if name == LITE0:
        return Preprocessing(256, 224, "bicubic", (lite0.MEAN,) * 3, (lite0.STD,) * 3)
    wanted = next(iter(get_model_weights(network_named(name).name))).transforms()
    mean, std = tuple(wanted.mean), tuple(wanted.std)
    if name in INCEPTION:  # TensorFlow's, which torchvision computes from the usual ones inside of the network
        mean = std = (0.5, 0.5, 0.5)
    return Preprocessing(wanted.resize_size[0], wanted.crop_size[0], wanted.interpolation.value, mean, std)


# --- weights ---

_KEPT: OrderedDict[str, nn.Module] = OrderedDict()  # the least recently used first


def memory_limit() -> float:
    """Megabytes that networks may take."""
    try:
        return float(os.environ.get(MEMORY, USUAL_MEMORY))
    except ValueError:
        return USUAL_MEMORY


def memory_for(megabytes: float) -> float:
    """Megabytes of memory for a network whose file has so many."""
    return megabytes + ACTIVATIONS


def trained(name: str, file: Path | None = None) -> nn.Module:
    """A network with its trained weights, in evaluation mode. As many as fit into the memory stay.

    Raises `ValueError` as `classify` does.
    """
    if name in _KEPT:
        _KEPT.move_to_end(name)
        return _KEPT[name]
    if name == LITE0:
        _make_room(20)
        network = lite0.load()
    elif file is None:
        raise ValueError("The weights of this network are not here.")
    else:
        _make_room(_size(file))
        network = _loaded(name, file)
        give_back_memory()
    _KEPT[name] = network
    return network


def make_room_for(name: str, needed: float) -> None:
    """Forget networks, the one of this name last, until so many megabytes fit beside those that stay."""
    for other in [*(one for one in _KEPT if one != name), name]:
        if _kept_megabytes() + needed <= memory_limit():
            return
        _KEPT.pop(other, None)
        give_back_memory()


def _size(file: Path) -> float:
    try:
        return file.stat().st_size / 1e6
    except OSError as problem:
        raise ValueError("The weights of this network are not here any more.") from problem


def _make_room(megabytes: float) -> None:
    """Forget networks until one of this size fits. Raises `ValueError` if it never does."""
    if memory_for(megabytes) > memory_limit():
        raise ValueError(TOO_LARGE)
    while _KEPT and _kept_megabytes() + memory_for(megabytes) > memory_limit():
        _KEPT.popitem(last=False)
        give_back_memory()


def _kept_megabytes() -> float:
    return sum(map(megabytes_of, _KEPT.values()))


def megabytes_of(network: nn.Module) -> float:
    """Size of a network's weights, 10⁶ bytes."""
    return sum(float(tensor.nbytes) for tensor in network.state_dict().values()) / 1e6


def _loaded(name: str, file: Path) -> nn.Module:
    import torch
    from torchvision.models import get_model, get_model_weights

    try:
        downloads.check(file, file.name)
        state = {key: _full(value) for key, value in torch.load(file, map_location="cpu", weights_only=True).items()}
        with _weights_from(state), torch.device("meta"):  # weights take the places of numbers that were never there
            network: Any = get_model(name, weights=next(iter(get_model_weights(name))))
    except Exception as problem:  # there is no end to what a damaged file raises
        file.unlink(missing_ok=True)
        raise ValueError(downloads.WRONG) from problem
    for key, tensor in network.state_dict().items():
        if tensor.is_meta:  # old files do not have these counters
            assert key.endswith("num_batches_tracked"), key
            module = network.get_submodule(key.rpartition(".")[0])
            module.num_batches_tracked = torch.zeros((), dtype=torch.long)
    if name in INCEPTION:
        network.transform_input = False  # done by `preprocessing_of`
    evaluated: nn.Module = network.eval()
    return evaluated


def _full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


@contextmanager
def _weights_from(state: dict[str, Tensor]) -> Iterator[None]:
    """torchvision's builders, which know the older names in some files, take these weights."""
    from torch import nn
    from torchvision.models import WeightsEnum

    read, load = WeightsEnum.get_state_dict, nn.Module.load_state_dict
    WeightsEnum.get_state_dict = lambda *_, **__: state
    nn.Module.load_state_dict = partialmethod(load, assign=True)  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        WeightsEnum.get_state_dict = read
        nn.Module.load_state_dict = load  # type: ignore[method-assign]


# --- inside of a network ---


def out_of_place(network: nn.Module) -> fx.GraphModule:
    """The graph of a network in which no step overwrites what another has computed. Its layers are the network's."""
    from torch import fx

    if network in _TRACED:
        return _TRACED[network]
    traced = fx.symbolic_trace(network)
    for module in traced.modules():
        if getattr(module, "inplace", False):
            setattr(module, "inplace", False)  # noqa: B010  # of many classes
    for node in traced.graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
    traced.recompile()
    _TRACED[network] = traced
    return traced


_TRACED: WeakKeyDictionary[nn.Module, fx.GraphModule] = WeakKeyDictionary()


def value_at(network: nn.Module, image: Tensor, place: int) -> Tensor:
    """What the node at a place of the network's `Graph` gives for an image. Later nodes are not computed."""
    return values_at(network, image, [place])[0]


def values_at(network: nn.Module, image: Tensor, places: Sequence[int]) -> list[Tensor]:
    """The same for several places, in one pass."""
    import torch
    from torch import fx

    traced = out_of_place(network)
    nodes = list(traced.graph.nodes)
    wanted = {nodes[place]: place for place in places}
    found: dict[int, Tensor] = {}

    class Until(fx.Interpreter):
        def run_node(self, node: fx.Node) -> Any:
            value = super().run_node(node)
            if node in wanted:
                found[wanted[node]] = value
                if len(found) == len(wanted):
                    raise _FoundError
            return value

    with torch.no_grad(), suppress(_FoundError):
        Until(traced).run(image)
    return [found[place] for place in places]


class _FoundError(Exception):
    """Ends a pass that has computed all that is wanted."""


@dataclass(frozen=True)
class Wanted:
    """A `page` of the maps of the node at `place`, counted from 0: those with the largest values first if `strongest`,
    else by channel. `channels`, from the first to before the last, are those to choose from. `beside` are places of
    nodes whose maps of the same channels are wanted, too.
    """

    place: int
    strongest: bool = True
    page: int = 0
    channels: tuple[int, int] | None = None
    beside: tuple[int, ...] = ()


@dataclass(frozen=True)
class Maps:
    """Some of a node's maps: `shape` of the whole output, the `channels` that these are, and their `values`, `(maps, H,
    W)`, float16. Without height and width there are no maps.

    `kernels` are those of a first layer as colour pictures, `(maps, H, W, 3)`, uint8 with 128 for zero; else None.
    `beside` are maps of the same channels of other nodes, `(nodes, maps, H, W)`, float16.
    """

    shape: tuple[int, ...]
    channels: tuple[int, ...]
    values: np.ndarray
    kernels: np.ndarray | None
    beside: np.ndarray


NO_MAPS = np.zeros((0, 0, 0), np.float16)


def maps(name: str, picture: bytes, wanted: Wanted, file: Path | None = None) -> Maps:
    """A page of the maps of a node. Raises `ValueError` as `classify` does."""
    import torch

    torch.set_num_threads(1)
    network, image = ready(name, picture, file)
    value, *others = (value[0] for value in values_at(network, image, [wanted.place, *wanted.beside]))
    if value.dim() != 3:
        return Maps(tuple(value.shape), (), NO_MAPS, None, NO_MAPS[None])
    first, end = wanted.channels or (0, len(value))
    order = torch.arange(first, end)
    if wanted.strongest:
        order = order[value[first:end].abs().amax((1, 2)).argsort(descending=True, stable=True)]
    chosen = order[wanted.page * PAGE : (wanted.page + 1) * PAGE]
    values = _halves(value[chosen])
    return Maps(
        tuple(value.shape),
        tuple(chosen.tolist()),
        values,
        _kernels(network, wanted.place, chosen),
        np.array([_halves(one[chosen]) for one in others], np.float16).reshape(len(others), *values.shape),
    )


def cut_out(name: str, picture: bytes, place: int, at: tuple[int, int, int], file: Path | None = None) -> Cutout:
    """One value of the convolution at a place, by map, row and column: its window, its kernels, its bias. Raises
    `ValueError` as `classify` does.
    """
    import torch

    torch.set_num_threads(1)
    network, image = ready(name, picture, file)
    nodes = list(out_of_place(network).graph.nodes)
    (source,) = nodes[place].all_input_nodes
    x, output = (value[0].numpy() for value in values_at(network, image, [nodes.index(source), place]))
    layer: Any = network.get_submodule(str(nodes[place].target))
    weight = layer.weight.detach().numpy()
    bias = np.zeros(len(weight), np.float32) if layer.bias is None else layer.bias.detach().numpy()
    spec = Conv2dSpec(1, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    return cut_convolution(spec, layer.groups, x, weight, bias, output, at)


def ready(name: str, picture: bytes, file: Path | None) -> tuple[nn.Module, Tensor]:
    """A network with its weights, and a picture as it gets it. Raises `ValueError` as `classify` does."""
    network, preprocessing = trained(name, file), preprocessing_of(name)
    return network, normalised(scaled(decoded(picture), preprocessing)[1], preprocessing)


def _halves(values: Tensor) -> np.ndarray:
    halves: np.ndarray = values.clamp(-65_000, 65_000).half().numpy()
    return halves


def _kernels(network: nn.Module, place: int, chosen: Tensor) -> np.ndarray | None:
    from torch import nn

    node = list(out_of_place(network).graph.nodes)[place]
    layer = network.get_submodule(str(node.target)) if node.op == "call_module" else None
    if not isinstance(layer, nn.Conv2d) or layer.weight.shape[1] != 3 or layer.groups != 1:
        return None
    kernels = layer.weight.detach()[chosen]
    scaled_to_one = kernels / kernels.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
    pixels: np.ndarray = (128 + 127 * scaled_to_one).round().byte().permute(0, 2, 3, 1).numpy()
    return pixels


def scaled(picture: Image.Image, preprocessing: Preprocessing) -> tuple[Image.Image, Image.Image]:
    """A picture after its resizing, and after its cropping."""
    from torchvision.transforms import functional

    interpolation = functional.InterpolationMode(preprocessing.interpolation)
    resized = functional.resize(picture, [preprocessing.resize], interpolation)
    return resized, functional.center_crop(resized, [preprocessing.crop])


def normalised(picture: Image.Image, preprocessing: Preprocessing) -> Tensor:
    """`(1, 3, H, W)`, float32: what the network gets."""
    from torchvision.transforms import functional

    values: Tensor = functional.to_tensor(picture)
    values = functional.normalize(values, list(preprocessing.mean), list(preprocessing.std))
    return values[None]
