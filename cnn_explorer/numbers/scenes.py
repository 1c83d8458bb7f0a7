"""Scenes: what a number page shows, as frozen values that fit into an address.

A scene is an input, kernels and how they slide.

Numbers are written with `_` between columns, `~` between rows, `~~` between input channels and `~~~` between output
channels: `1_2~3_4` is a grid of two rows. An address does not encode these characters. Scenes are limited to 12×12
numbers of at most 999, 4 channels and kernels of 7×7, as anybody can write an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar, cast

import numpy as np

from cnn_explorer.spec.layers import Conv2dSpec, Pool2dSpec
from cnn_explorer.text import quoted

Grid = tuple[tuple[float, ...], ...]  # rows of numbers
Grids = tuple[Grid, ...]  # (channels, rows, columns)
Kernels = tuple[Grids, ...]  # (out_channels, in_channels / groups, kernel_size, kernel_size)

MAX_SIDE = 12
MAX_KERNEL = 7
MAX_CHANNELS = 4
MAX_VALUE = 999
MAX_STRIDE, MAX_PADDING, MAX_DILATION = 6, 6, 4
MAX_TEXT = 8000  # characters of one parameter

# parameter: (smallest, largest)
LIMITS: Mapping[str, tuple[int, int]] = {
    "height": (1, MAX_SIDE),
    "width": (1, MAX_SIDE),
    "kernel_size": (1, MAX_KERNEL),
    "stride": (1, MAX_STRIDE),
    "padding": (0, MAX_PADDING),
    "dilation": (1, MAX_DILATION),
    "in_channels": (1, MAX_CHANNELS),
    "out_channels": (1, MAX_CHANNELS),
    "groups": (1, MAX_CHANNELS),
    "output_size": (1, MAX_SIDE),
    "shift": (0, 3),
    "flip": (0, 1),
    "colour": (0, 1),
}


class SceneError(ValueError):
    """A part of an address that cannot be read; the message is a clause for a page."""


@dataclass(frozen=True)
class ConvScene:
    """A convolution: `input` `(in_channels, H, W)`, `weight` `(out_channels, in_channels / groups, kernel_size,
    kernel_size)`, one `bias` an output channel, and how the kernel slides. The geometry can be impossible: then
    `spec().output_shape(shape)` raises.
    """

    input: Grids
    weight: Kernels
    bias: tuple[float, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    flip: bool = False  # show the kernel turned by 180°, too
    colour: bool = False  # show the three channels as red, green and blue

    @property
    def shape(self) -> tuple[int, int, int]:
        """(in_channels, H, W)."""
        return len(self.input), len(self.input[0]), len(self.input[0][0])

    @property
    def kernel_size(self) -> int:
        """Number of rows, and of columns, of a kernel."""
        return len(self.weight[0][0])

    @property
    def out_channels(self) -> int:
        """Number of output maps."""
        return len(self.weight)

    def spec(self) -> Conv2dSpec:
        """The layer without its numbers."""
        return Conv2dSpec(self.out_channels, self.kernel_size, self.stride, self.padding, self.dilation, self.groups)

    def flipped(self) -> ConvScene:
        """The scene with every kernel turned by 180°."""
        return replace(
            self,
            weight=tuple(tuple(tuple(row[::-1] for row in grid[::-1]) for grid in kernel) for kernel in self.weight),
        )

    def query(self) -> dict[str, str]:
        """The scene as query parameters."""
        return {
            "input": _text_of(self.input),
            "kernel": _text_of(self.weight),
            "bias": _text_of(self.bias),
            "stride": str(self.stride),
            "padding": str(self.padding),
            "dilation": str(self.dilation),
            "groups": str(self.groups),
            "flip": str(int(self.flip)),
            "colour": str(int(self.colour)),
        }

    @classmethod
    def read(cls, query: Mapping[str, str], default: ConvScene) -> ConvScene:
        """The scene of query parameters; missing ones are those of `default`. Raises `SceneError`."""
        scene = cls(
            read_grids("input", query["input"]) if "input" in query else default.input,
            _read_kernels(query["kernel"]) if "kernel" in query else default.weight,
            default.bias,
            **{
                name: read_int(name, query.get(name, str(getattr(default, name))))
                for name in ("stride", "padding", "dilation", "groups")
            },
            flip=_read_flag("flip", query, default.flip),
            colour=_read_flag("colour", query, default.colour),
        )
        inside = max(1, scene.shape[0] // scene.groups)
        if len(scene.weight[0]) != inside:
            raise SceneError(
                f"kernel has {_count(len(scene.weight[0]), 'input channel')} where input and groups (={scene.groups}) "
                f"make {inside}"
            )
        bias = (
            _read_row("bias", query["bias"]) if "bias" in query else (default.bias * MAX_CHANNELS)[: scene.out_channels]
        )
        if len(bias) != scene.out_channels:
            raise SceneError(
                f"bias has {_count(len(bias), 'number')}, but kernel makes "
                f"{_count(scene.out_channels, 'output channel')}"
            )
        return replace(scene, bias=bias)


@dataclass(frozen=True)
class PoolScene:
    """A pooling: `input` `(C, H, W)` and how the window slides; the `output_size` of an adaptive pooling; a `shift` of
    the input to the right, in pixels.
    """

    input: Grids
    kernel_size: int = 2
    stride: int = 2
    padding: int = 0
    output_size: int = 2
    shift: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return len(self.input), len(self.input[0]), len(self.input[0][0])

    def spec(self) -> Pool2dSpec:
        """The layer without its numbers; the average has the same shapes."""
        return Pool2dSpec("max", self.kernel_size, self.stride, self.padding)

    def query(self) -> dict[str, str]:
        """The scene as query parameters."""
        return {"input": _text_of(self.input), **{name: str(getattr(self, name)) for name in POOL_NUMBERS}}

    @classmethod
    def read(cls, query: Mapping[str, str], default: PoolScene) -> PoolScene:
        """The scene of query parameters; missing ones are those of `default`. Raises `SceneError`."""
        return cls(
            read_grids("input", query["input"]) if "input" in query else default.input,
            **{name: read_int(name, query.get(name, str(getattr(default, name)))) for name in POOL_NUMBERS},
        )


NAMED_KERNELS: Mapping[str, Grid] = {
    "Identity": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "Blur": ((1 / 9, 1 / 9, 1 / 9),) * 3,
    "Sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "Sobel x": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "Sobel y": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "Laplacian": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "Emboss": ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
}
LEARNED = tuple(f"Learned {number}" for number in range(1, 11))  # kernels of a trained network's first layer
OWN_KERNEL = "Your own"


@dataclass(frozen=True)
class PictureScene:
    """The name of a kernel to apply to a picture, and the `pixel` of the result that is looked at, (row, column); None
    for the middle. The kernel `OWN_KERNEL` has its numbers in `own`.
    """

    kernel: str = "Sobel x"
    pixel: tuple[int, int] | None = None
    own: Grid = ()

    def query(self) -> dict[str, str]:
        """The scene as query parameters."""
        return {
            "filter": self.kernel,
            "pixel": f"{self.pixel[0]}.{self.pixel[1]}" if self.pixel else "",
            "kernel": _text_of(self.own) if self.own else "",
        }

    @classmethod
    def read(cls, query: Mapping[str, str], default: PictureScene) -> PictureScene:
        """The scene of query parameters. Raises `SceneError`."""
        name = query.get("filter", default.kernel)
        if name not in (*NAMED_KERNELS, *LEARNED, OWN_KERNEL):
            known = f"{', '.join(NAMED_KERNELS)}, {OWN_KERNEL}, and {LEARNED[0]} to {LEARNED[-1]}"
            raise SceneError(f"there is no kernel named {quoted(name)}; there are {known}")
        place = query.get("pixel", "")
        found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", place, re.ASCII)
        if place and not found:
            raise SceneError(f"pixel (={quoted(place)}) must be a row and a column, such as 14.9")
        own = _read_square(query.get("kernel", "")) if name == OWN_KERNEL else ()
        return cls(name, (int(found[1]), int(found[2])) if found else None, own)

    def with_number(self, kernel: Grid, row: int, column: int, value: float) -> PictureScene:
        """The scene with one number of its present `kernel` changed. Raises `SceneError` as `with_number`."""
        values = np.array(kernel, dtype=float)
        if not (0 <= row < values.shape[0] and 0 <= column < values.shape[1]):
            raise SceneError(f"there is no number at {(row, column)} of the kernel")
        values[row, column] = read_number("kernel", str(value))
        written = tuple(tuple(float(_text_of(number)) for number in line) for line in values.tolist())
        return replace(self, kernel=OWN_KERNEL, own=written)  # as an address has them


@dataclass(frozen=True)
class NetworkScene:
    """A value in the network on the pages: `layer` by its name ("" for the first one that there is), `map`, `row` and
    `column`, counted from 0; and the fingerprint of the `weights` that the network had ("" for any).

    Its numbers are not in an address. They are computed again from the network and the drawing, which are.
    """

    layer: str = ""
    map: int = 0
    row: int = 0
    column: int = 0
    weights: str = ""

    @property
    def place(self) -> tuple[int, int, int]:
        """(map, row, column)."""
        return self.map, self.row, self.column

    def query(self) -> dict[str, str]:
        """The scene as query parameters."""
        at = f"{self.layer}.{self.map}.{self.row}.{self.column}" if self.layer else ""
        return {"at": at, "of": self.weights}

    @classmethod
    def read(cls, query: Mapping[str, str], default: NetworkScene) -> NetworkScene:
        """The scene of query parameters. Raises `SceneError`."""
        at, weights = query.get("at", ""), query.get("of", "")
        found = re.fullmatch(r"([a-z]{1,12}\d{0,3})\.(\d{1,4})\.(\d{1,4})\.(\d{1,4})", at, re.ASCII)
        if at and not found:
            raise SceneError(f"at (={quoted(at)}) must be a layer, a map, a row and a column, such as conv2.7.3.4")
        if not re.fullmatch(r"([0-9a-f]{8})?", weights, re.ASCII):
            raise SceneError(f"of (={quoted(weights)}) must be the eight hexadecimal digits that tell weights apart")
        if not found:
            return default
        return cls(found[1], int(found[2]), int(found[3]), int(found[4]), weights)


@dataclass(frozen=True)
class ClassicScene:
    """A value of a convolution in a classic `network`, by torchvision's name, on one of its pictures: the `layer`,
    `map`, `row` and `column`, counted from 0. "" stands for the first of each, and no place for one in the middle.

    Its numbers are not in an address. They are computed again from the picture.
    """

    network: str = ""
    layer: str = ""
    picture: str = ""
    place: tuple[int, int, int] | None = None

    def query(self) -> dict[str, str]:
        """The scene as query parameters."""
        at = ".".join(map(str, self.place)) if self.place else ""
        return {"network": self.network, "layer": self.layer, "picture": self.picture, "at": at}

    @classmethod
    def read(cls, query: Mapping[str, str], default: ClassicScene) -> ClassicScene:
        """The scene of query parameters. Whether there is such a network, layer and picture is found out later. Raises
        `SceneError`.
        """
        for name in ("network", "layer", "picture"):
            if not re.fullmatch(r"[\w.]{0,200}", query.get(name, ""), re.ASCII):
                raise SceneError(f"{name} (={quoted(query[name])}) must be a name of letters, digits and dots")
        at = query.get("at", "")
        found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})", at, re.ASCII)
        if at and not found:
            raise SceneError(f"at (={quoted(at)}) must be a map, a row and a column, such as 7.3.4")
        place = (int(found[1]), int(found[2]), int(found[3])) if found else None
        return cls(query.get("network", ""), query.get("layer", ""), query.get("picture", ""), place)


POOL_NUMBERS = ("kernel_size", "stride", "padding", "output_size", "shift")


# --- numbers as text ---

_SEPARATORS = ("_", "~", "~~", "~~~")  # by depth of nesting


def _text_of(values: Any) -> str:
    """Nested tuples as text."""
    if not isinstance(values, tuple):
        return f"{values:.6g}"
    depth, inner = 0, values[0]
    while isinstance(inner, tuple):
        depth, inner = depth + 1, inner[0]
    return _SEPARATORS[depth].join(map(_text_of, values))


def read_number(name: str, text: str) -> float:
    """A number from −999 to 999, with a decimal point or comma, or a fraction such as 1/9. Raises `SceneError`."""
    try:
        above, slash, below = text.strip().replace("−", "-").replace(",", ".").partition("/")
        value = float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise SceneError(f"{name} has {quoted(text)} where a number belongs") from None
    if not abs(value) <= MAX_VALUE:  # true for "not a number" as well
        raise SceneError(f"{name} has {quoted(text)} where a number from −{MAX_VALUE} to {MAX_VALUE} belongs")
    return float(f"{value:.6g}") + 0.0  # no negative zero


def read_int(name: str, text: str) -> int:
    """A whole number within the parameter's limits. Raises `SceneError`."""
    low, high = LIMITS[name]
    if not (text.isascii() and text.isdigit() and len(text) < 4 and low <= int(text) <= high):
        raise SceneError(f"{name} (={quoted(text)}) must be a whole number from {low} to {high}")
    return int(text)


def _read_flag(name: str, query: Mapping[str, str], default: bool) -> bool:
    return bool(read_int(name, query[name])) if name in query else default


def _read_row(name: str, text: str) -> tuple[float, ...]:
    return tuple(read_number(name, part) for part in text.split("_"))


def read_grids(name: str, text: str, most: int = MAX_SIDE) -> Grids:
    """Channels of equal size, at most `most` numbers on a side. Raises `SceneError`."""
    if len(text) > MAX_TEXT:
        raise SceneError(f"{name} has {len(text):,} characters; at most {MAX_TEXT:,} are read")
    grids = tuple(tuple(_read_row(name, row) for row in channel.split("~")) for channel in text.split("~~"))
    height, width = len(grids[0]), len(grids[0][0])
    for grid in grids:
        if len(grid) != height:
            raise SceneError(f"{name} has a channel with {_count(len(grid), 'row')}, but its first has {height}")
        for row in grid:
            if len(row) != width:
                raise SceneError(f"{name} has a row with {_count(len(row), 'number')}, but its first has {width}")
    if len(grids) > MAX_CHANNELS:
        raise SceneError(f"{name} has {len(grids)} channels; at most {MAX_CHANNELS} are shown")
    if max(height, width) > most:
        raise SceneError(f"{name} has {height}×{width} numbers; at most {most}×{most} are shown")
    return grids


def _read_kernels(text: str) -> Kernels:
    if len(text) > MAX_TEXT:
        raise SceneError(f"kernel has {len(text):,} characters; at most {MAX_TEXT:,} are read")
    kernels = tuple(read_grids("kernel", part, MAX_KERNEL) for part in text.split("~~~"))
    if len(kernels) > MAX_CHANNELS:
        raise SceneError(f"kernel makes {len(kernels)} output channels; at most {MAX_CHANNELS} are shown")
    if len({len(kernel) for kernel in kernels}) > 1:
        raise SceneError("kernel has output channels that see different numbers of input channels")
    sizes = {(len(grid), len(grid[0])) for kernel in kernels for grid in kernel}
    if len(sizes) > 1 or any(height != width for height, width in sizes):
        raise SceneError(
            f"kernel has sizes {', '.join(f'{h}×{w}' for h, w in sorted(sizes))}; here it is square, and all are of "
            "one size"
        )
    return kernels


def _read_square(text: str) -> Grid:
    kernel = read_grids("kernel", text, MAX_KERNEL)[0]
    if len(kernel) != len(kernel[0]):
        raise SceneError(
            f"kernel has {_count(len(kernel), 'row')} of {_count(len(kernel[0]), 'number')}; it must be square"
        )
    return kernel


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


# --- changing a scene ---


def _default_input() -> np.ndarray:
    channel, row, column = np.indices((MAX_CHANNELS, MAX_SIDE, MAX_SIDE))
    return np.asarray((3 * row + 5 * column + 7 * channel + row * column) % 10, dtype=float)


def _default_weight() -> np.ndarray:
    out, inside, row, column = np.indices((MAX_CHANNELS, MAX_CHANNELS, MAX_KERNEL, MAX_KERNEL))
    return np.asarray((out + 2 * inside + 2 * row + column + 1) % 3 - 1, dtype=float)


@dataclass
class LastNumbers:
    """The last number at every index of the grids. A grid that is made smaller and larger again gets its numbers back.

    Indices that were never on screen have default numbers.
    """

    input: np.ndarray = field(default_factory=_default_input)
    weight: np.ndarray = field(default_factory=_default_weight)
    bias: np.ndarray = field(default_factory=lambda: np.zeros(MAX_CHANNELS))

    def remember(self, scene: ConvScene | PoolScene) -> Self:
        """Store the numbers of a scene; returns itself."""
        channels, height, width = scene.shape
        self.input[:channels, :height, :width] = scene.input
        if isinstance(scene, ConvScene):
            size = scene.kernel_size
            self.weight[: scene.out_channels, : len(scene.weight[0]), :size, :size] = scene.weight
            self.bias[: scene.out_channels] = scene.bias
        return self

    def grids(self, channels: int, height: int, width: int) -> Grids:
        """The input of this shape."""
        return cast(Grids, _tuples(self.input[:channels, :height, :width]))

    def conv(self, scene: ConvScene, **changes: int) -> ConvScene:
        """The scene with other parameters, by their names in `LIMITS`."""
        channels, height, width = scene.shape
        sizes = {
            "in_channels": channels,
            "height": height,
            "width": width,
            "kernel_size": scene.kernel_size,
            "out_channels": scene.out_channels,
            "stride": scene.stride,
            "padding": scene.padding,
            "dilation": scene.dilation,
            "groups": scene.groups,
        } | changes
        size, inside = sizes["kernel_size"], max(1, sizes["in_channels"] // sizes["groups"])
        return ConvScene(
            self.grids(sizes["in_channels"], sizes["height"], sizes["width"]),
            cast(Kernels, _tuples(self.weight[: sizes["out_channels"], :inside, :size, :size])),
            tuple(self.bias[: sizes["out_channels"]].tolist()),
            sizes["stride"],
            sizes["padding"],
            sizes["dilation"],
            sizes["groups"],
            scene.flip,
            scene.colour,
        )

    def pool(self, scene: PoolScene, **changes: int) -> PoolScene:
        """The scene with other parameters, by their names in `LIMITS`."""
        channels, height, width = scene.shape
        shape = {"in_channels": channels, "height": height, "width": width}
        others = {name: value for name, value in changes.items() if name not in shape}
        shape |= {name: value for name, value in changes.items() if name in shape}
        return replace(scene, input=self.grids(shape["in_channels"], shape["height"], shape["width"]), **others)


def _tuples(values: np.ndarray) -> tuple[Any, ...]:
    def frozen(part: Any) -> Any:
        return tuple(map(frozen, part)) if isinstance(part, list) else part

    return tuple(map(frozen, values.tolist()))


Numbered = TypeVar("Numbered", bound=ConvScene | PoolScene)


def with_number(scene: Numbered, part: str, index: tuple[int, ...], value: float) -> Numbered:
    """The scene with one number changed. `part` and `index` are "input" (channel, row, column), "weight" (out_channel,
    in_channel, row, column) or "bias" (out_channel,). Raises `SceneError` for an index outside and a number too large.
    """
    parts = ("input", "weight", "bias") if isinstance(scene, ConvScene) else ("input",)
    values = np.array(getattr(scene, part)) if part in parts else np.empty(0)
    if len(index) != values.ndim or not all(0 <= at < side for at, side in zip(index, values.shape, strict=True)):
        raise SceneError(f"there is no number at {index} of {quoted(part)}")
    values = values.astype(float)
    values[index] = read_number(part, str(value))
    changes: dict[str, Any] = {part: _tuples(values)}
    return replace(scene, **changes)
