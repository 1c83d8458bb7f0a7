"""Layer specs: what a layer is, what it does to a shape, what it costs and how PyTorch builds it.

A spec is frozen data with torch's own parameter names. Each class holds, side by side, its output shape, its formula,
its parameters, its multiply-adds and its `build`; `LAYERS` lists them all. A new layer is one class and one line there.

Conventions: shapes leave the batch out and are `(C, H, W)` for feature maps or `(F,)` for features. A multiply-add
counts as 1; additions and comparisons alone (pooling, activations) count as 0. `kernel_size`, `stride`, `padding` and
`dilation` are an int or a pair (height, width), as in torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, cast

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]
Pair = tuple[int, int]  # (height, width)
IntOrPair = int | Pair
PoolKind = Literal["max", "avg"]
ActivationKind = Literal["relu", "tanh", "sigmoid", "leakyrelu", "gelu"]

MAX_CHANNELS = 256
MAX_FEATURES = 4096
MAX_EXTENT = 28  # of kernel_size, stride, padding and dilation


@dataclass(frozen=True)
class Repair:
    """A layer that fits its input, after one change: the parameter `name` has a new `value`."""

    name: str
    value: IntOrPair
    layer: LayerSpec

    @property
    def label(self) -> str:
        """For example "kernel_size = 4" or "padding = 1×2"."""
        height, width = pair(self.value)
        return f"{self.name} = {height}" if height == width else f"{self.name} = {height}×{width}"


class GeometryError(ValueError):
    """A layer cannot take its input.

    `layer` is the layer's name in the network, "" until `infer_shapes` adds it, and `index` its index among the named
    layers, −1 until then. `problem` has the numbers and the rule, `remedy` says what to change. `find_repairs` is not
    called before `repairs` is read: it tries other parameters, and each trial that fails makes another `GeometryError`.
    """

    def __init__(
        self,
        problem: str,
        remedy: str,
        find_repairs: Callable[[], tuple[Repair, ...]] = tuple,
        layer: str = "",
        index: int = -1,
    ):
        self.problem, self.remedy, self.find_repairs = problem, remedy, find_repairs
        self.layer, self.index = layer, index
        super().__init__(f"{layer}: {problem}; {remedy}" if layer else f"{problem}; {remedy}")

    def at(self, layer: str, index: int) -> GeometryError:
        """The same error, with the layer's name and place."""
        return GeometryError(self.problem, self.remedy, self.find_repairs, layer, index)

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The nearest layers that fit this input, with one parameter changed each."""
        return self.find_repairs()


def pair(value: IntOrPair) -> Pair:
    """(height, width) of an int or a pair."""
    return value if isinstance(value, tuple) else (value, value)


def squeeze(value: IntOrPair) -> IntOrPair:
    """The int for a pair of equal sides, else the pair: equal layers are then equal specs."""
    height, width = pair(value)
    return height if height == width else (height, width)


def _check(owner: str, name: str, value: object, low: int, high: int, pairs: bool = False) -> None:
    sides = value if pairs and isinstance(value, tuple) else (value,)
    integers = all(isinstance(side, int) and not isinstance(side, bool) for side in sides)
    if not integers or len(sides) not in (1, 2) or not all(low <= side <= high for side in sides):
        also = ", or a pair for height and width" if pairs else ""
        raise ValueError(f"{owner}: {name} (={value}) must be a whole number from {low} to {high}{also}")


@dataclass(frozen=True)
class LayerSpec:
    """The interface of every layer. The defaults are those of a layer that keeps the shape and costs nothing."""

    token: ClassVar[str]  # how the architecture string names it; a layer's name is this and a number
    torch_name: ClassVar[str]  # the nn class that `build` returns
    pattern: ClassVar[str] = ""  # what may follow the token, as a regular expression
    expected: ClassVar[str] = "nothing more"  # the same in words

    @classmethod
    def parse(cls, token: str, match: Mapping[str, str | None]) -> LayerSpec:
        """The spec of a token; `match` has the named groups of `pattern`, matched with the text behind the token."""
        return cls()

    def __str__(self) -> str:
        return self.token

    def output_shape(self, shape: Shape) -> Shape:
        """Shape after the layer; raises `GeometryError` if it cannot take `shape`."""
        return shape

    def formula(self, shape: Shape) -> str:
        """How the output is computed, with the numbers of this `shape`."""
        raise NotImplementedError

    def parameters(self, shape: Shape) -> int:
        """Number of trained values, for inputs of `shape`."""
        return 0

    def macs(self, shape: Shape) -> int:
        """Multiply-adds for one image of `shape`."""
        return 0

    def arguments(self, shape: Shape) -> str:
        """The arguments of `torch_name` in Python, for inputs of `shape`."""
        return ""

    def build(self, shape: Shape) -> nn.Module:
        """The PyTorch module for inputs of `shape`."""
        raise NotImplementedError

    def _require_maps(self, shape: Shape) -> None:
        if len(shape) != 3:
            raise GeometryError(
                f"{self.torch_name} needs feature maps C×H×W, but its input is {shape[0]:,} features",
                "move it before the first linear layer",
            )


# --- windows: what convolution and pooling share ---


def _side_text(value: IntOrPair) -> str:
    return "{}x{}".format(*value) if isinstance(value, tuple) else str(value)


def _keywords(**values: tuple[IntOrPair, IntOrPair]) -> str:
    """Keyword arguments behind others, by name: a value and its default, with which it is left out."""
    return "".join(f", {name}={value}" for name, (value, default) in values.items() if value != default)


def _parse_sides(text: str | None, default: IntOrPair) -> IntOrPair:
    if text is None:
        return default
    sides = tuple(int(side) for side in text.split("x"))
    return squeeze((sides[0], sides[-1]))


def _signed(number: int) -> str:
    return f"−{-number}" if number < 0 else str(number)


# Allowed numbers have at most four digits. Longer ones are matched, too, so that their error can name the range.
_SIDES = r"\d{1,9}(?:x\d{1,9})?"


@dataclass(frozen=True)
class WindowSpec(LayerSpec):
    """A layer that slides a window over `(C, H, W)`."""

    def window(self) -> tuple[Pair, Pair, Pair, Pair]:
        """kernel_size, stride, padding and dilation, each as (height, width)."""
        raise NotImplementedError

    def spans(self) -> Pair:
        """Rows and columns from the first to the last cell of the window: dilation · (kernel_size − 1) + 1."""
        kernel, _, _, dilation = self.window()
        return (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)

    def unused(self, shape: Shape) -> Pair:
        """Rows at the bottom and columns at the right of the padded input that no window reaches."""
        _, stride, padding, _ = self.window()
        return (
            (shape[1] + 2 * padding[0] - self.spans()[0]) % stride[0],
            (shape[2] + 2 * padding[1] - self.spans()[1]) % stride[1],
        )

    def _slide(self, shape: Shape) -> Pair:
        """Output rows and columns; below 1 if the window does not fit."""
        _, stride, padding, _ = self.window()
        span = self.spans()
        return (
            (shape[1] + 2 * padding[0] - span[0]) // stride[0] + 1,
            (shape[2] + 2 * padding[1] - span[1]) // stride[1] + 1,
        )

    def formula(self, shape: Shape) -> str:
        """`torch.nn.Conv2d`'s shape formula, floor included: `formula_lines`, joined by line breaks."""
        return "\n".join(self.formula_lines(shape))

    def formula_lines(self, shape: Shape) -> tuple[str, ...]:
        """One line where rows and columns have the same formula, else one for each."""
        sizes = self._slide(shape)
        rows, columns = (f"{self._side(shape[1 + axis], axis)} = {_signed(sizes[axis])}" for axis in (0, 1))
        return (rows,) if rows == columns else (f"H: {rows}", f"W: {columns}")

    def _side(self, size: int, axis: int) -> str:
        kernel, stride, padding, dilation = (value[axis] for value in self.window())
        return f"⌊({size} + 2·{padding} − {dilation}·({kernel}−1) − 1)/{stride}⌋ + 1"

    def _fit(self, shape: Shape) -> Pair:
        """Output rows and columns; raises `GeometryError` if the window is larger than the padded input."""
        sizes = self._slide(shape)
        _, _, padding, _ = self.window()
        for axis, side in enumerate(("height", "width")):
            if sizes[axis] < 1:
                padded = shape[1 + axis] + 2 * padding[axis]
                raise GeometryError(
                    f"{self._span_words(axis)} exceeds the padded input {side} "
                    f"({shape[1 + axis]} + 2·{padding[axis]} = {padded}), so {self._side(shape[1 + axis], axis)} = "
                    f"{_signed(sizes[axis])}",
                    self._fit_remedy(),
                    partial(_repairs, self, shape, self._fit_choices()),
                )
        return sizes

    def _span_words(self, axis: int) -> str:
        kernel, _, _, dilation = (value[axis] for value in self.window())
        if dilation == 1:
            return f"kernel_size (={kernel})"
        return f"the dilated kernel ({dilation}·({kernel}−1) + 1 = {self.spans()[axis]})"

    def _fit_remedy(self) -> str:
        return "reduce kernel_size or raise padding"

    def _fit_choices(self) -> Mapping[str, range]:
        raise NotImplementedError


@dataclass(frozen=True)
class Conv2dSpec(WindowSpec):
    """`torch.nn.Conv2d`: `(C, H, W)` → `(out_channels, H', W')` with H' = ⌊(H + 2·padding − dilation·(kernel_size−1) −
    1)/stride⌋ + 1.

    An output channel has one kernel for each input channel of its group. It is the sum of their results and a bias.
    """

    out_channels: int
    kernel_size: IntOrPair
    stride: IntOrPair = 1
    padding: IntOrPair = 0
    dilation: IntOrPair = 1
    groups: int = 1

    token: ClassVar[str] = "conv"
    torch_name: ClassVar[str] = "Conv2d"
    pattern: ClassVar[str] = (
        rf"(?P<out>\d{{1,9}})k(?P<k>{_SIDES})(?:s(?P<s>{_SIDES}))?(?:p(?P<p>{_SIDES}))?(?:d(?P<d>{_SIDES}))?(?:g(?P<g>\d{{1,9}}))?"
    )
    expected: ClassVar[str] = (
        "out_channels, then k kernel_size and optionally s stride, p padding, d dilation, g groups in this order: "
        "conv8k3s2p1"
    )

    def __post_init__(self) -> None:
        _check("conv", "out_channels", self.out_channels, 1, MAX_CHANNELS)
        _check("conv", "groups", self.groups, 1, MAX_CHANNELS)
        for name, low in (("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            _check("conv", name, getattr(self, name), low, MAX_EXTENT, pairs=True)
            object.__setattr__(self, name, squeeze(getattr(self, name)))

    @classmethod
    def parse(cls, token: str, match: Mapping[str, str | None]) -> Conv2dSpec:
        kernel_size, stride, dilation = (_parse_sides(match[letter], 1) for letter in "ksd")
        return cls(
            int(match["out"] or 0), kernel_size, stride, _parse_sides(match["p"], 0), dilation, int(match["g"] or 1)
        )

    def __str__(self) -> str:
        optional = (("s", self.stride, 1), ("p", self.padding, 0), ("d", self.dilation, 1), ("g", self.groups, 1))
        return f"conv{self.out_channels}k{_side_text(self.kernel_size)}" + "".join(
            letter + _side_text(value) for letter, value, default in optional if value != default
        )

    def window(self) -> tuple[Pair, Pair, Pair, Pair]:
        return pair(self.kernel_size), pair(self.stride), pair(self.padding), pair(self.dilation)

    def output_shape(self, shape: Shape) -> Shape:
        self._require_maps(shape)
        for name, channels in (("in_channels", shape[0]), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise GeometryError(
                    f"{name} (={channels}) must be divisible by groups (={self.groups})",
                    f"choose groups that divide both {shape[0]} and {self.out_channels}",
                    partial(_repairs, self, shape, {"groups": range(self.groups - 1, 0, -1)}),
                )
        return (self.out_channels, *self._fit(shape))

    def parameters(self, shape: Shape) -> int:
        kernel = pair(self.kernel_size)
        return self.out_channels * (shape[0] // self.groups * kernel[0] * kernel[1] + 1)

    def macs(self, shape: Shape) -> int:
        kernel = pair(self.kernel_size)
        channels, height, width = self.output_shape(shape)
        return channels * height * width * (shape[0] // self.groups) * kernel[0] * kernel[1]

    def arguments(self, shape: Shape) -> str:
        optional = _keywords(stride=(self.stride, 1), padding=(self.padding, 0), dilation=(self.dilation, 1))
        groups = _keywords(groups=(self.groups, 1))
        return f"{shape[0]}, {self.out_channels}, kernel_size={self.kernel_size}{optional}{groups}"

    def build(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Conv2d(
            shape[0], self.out_channels, self.kernel_size, self.stride, self.padding, self.dilation, self.groups
        )

    def _fit_remedy(self) -> str:
        dilated = self.dilation != 1 and self.kernel_size != 1
        return "reduce kernel_size or dilation, or raise padding" if dilated else super()._fit_remedy()

    def _fit_choices(self) -> Mapping[str, range]:
        return {
            "kernel_size": range(max(pair(self.kernel_size)) - 1, 0, -1),
            "padding": range(min(pair(self.padding)) + 1, MAX_EXTENT + 1),
            "dilation": range(max(pair(self.dilation)) - 1, 0, -1),
        }


@dataclass(frozen=True)
class Pool2dSpec(WindowSpec):
    """`torch.nn.MaxPool2d` or `AvgPool2d`: `(C, H, W)` → `(C, H', W')` with H' = ⌊(H + 2·padding − kernel_size)/stride⌋
    + 1.

    `stride` is `kernel_size` unless it is given. Each channel is pooled by itself. Padding counts as −∞ for the maximum
    and as 0 for the average.
    """

    kind: PoolKind
    kernel_size: IntOrPair
    stride: IntOrPair = field(default=0)  # 0 stands for "as kernel_size" until __post_init__
    padding: IntOrPair = 0

    pattern: ClassVar[str] = rf"(?P<k>{_SIDES})(?:s(?P<s>{_SIDES}))?(?:p(?P<p>{_SIDES}))?"
    expected: ClassVar[str] = "kernel_size and optionally s stride, p padding in this order: max2, avg3s2p1"

    def __post_init__(self) -> None:
        if self.kind not in ("max", "avg"):
            raise ValueError(f"pool: kind (={self.kind!r}) must be 'max' or 'avg'")
        if self.stride == 0:
            object.__setattr__(self, "stride", self.kernel_size)
        for name, low in (("kernel_size", 1), ("stride", 1), ("padding", 0)):
            _check(self.kind, name, getattr(self, name), low, MAX_EXTENT, pairs=True)
            object.__setattr__(self, name, squeeze(getattr(self, name)))

    @property
    def token(self) -> str:  # type: ignore[override]  # one class, two tokens
        return self.kind

    @property
    def torch_name(self) -> str:  # type: ignore[override]
        return "MaxPool2d" if self.kind == "max" else "AvgPool2d"

    @classmethod
    def parse(cls, token: str, match: Mapping[str, str | None]) -> Pool2dSpec:
        return cls(
            cast(PoolKind, token), _parse_sides(match["k"], 1), _parse_sides(match["s"], 0), _parse_sides(match["p"], 0)
        )

    def __str__(self) -> str:
        text = self.kind + _side_text(self.kernel_size)
        if self.stride != self.kernel_size:
            text += "s" + _side_text(self.stride)
        return text + ("p" + _side_text(self.padding) if self.padding else "")

    def window(self) -> tuple[Pair, Pair, Pair, Pair]:
        return pair(self.kernel_size), pair(self.stride), pair(self.padding), (1, 1)

    def output_shape(self, shape: Shape) -> Shape:
        self._require_maps(shape)
        for kernel, padding in zip(pair(self.kernel_size), pair(self.padding), strict=True):
            if 2 * padding > kernel:
                raise GeometryError(
                    f"padding (={padding}) must be at most half of kernel_size (={kernel}): a window could see "
                    "nothing but padding",
                    f"reduce padding to {kernel // 2} or less, or raise kernel_size",
                    partial(_repairs, self, shape, {"padding": range(max(pair(self.padding)) - 1, -1, -1)}),
                )
        return (shape[0], *self._fit(shape))

    def arguments(self, shape: Shape) -> str:
        optional = _keywords(stride=(self.stride, self.kernel_size), padding=(self.padding, 0))
        return f"kernel_size={self.kernel_size}{optional}"

    def build(self, shape: Shape) -> nn.Module:
        from torch import nn

        pooling = nn.MaxPool2d if self.kind == "max" else nn.AvgPool2d
        return pooling(self.kernel_size, self.stride, self.padding)

    def _side(self, size: int, axis: int) -> str:
        kernel, stride, padding, _ = (value[axis] for value in self.window())
        return f"⌊({size} + 2·{padding} − {kernel})/{stride}⌋ + 1"

    def _fit_choices(self) -> Mapping[str, range]:
        largest = max(pair(self.kernel_size))
        return {"kernel_size": range(largest - 1, 0, -1), "padding": range(1, largest // 2 + 1)}


def _repairs(layer: WindowSpec, shape: Shape, choices: Mapping[str, range]) -> tuple[Repair, ...]:
    """For each parameter the first of its `choices` with which the layer takes `shape`; the nearest one comes first."""
    found: list[Repair] = []
    for name, values in choices.items():
        old = getattr(layer, name)
        limit = max if name == "padding" and values.step > 0 else min  # a repair may raise padding and nothing else
        for value in values:
            new = squeeze((limit(old[0], value), limit(old[1], value))) if isinstance(old, tuple) else value
            changes = {name: new}
            if isinstance(layer, Pool2dSpec) and name == "kernel_size" and layer.stride == layer.kernel_size:
                changes["stride"] = new
            candidate = replace(layer, **changes)
            try:
                candidate.output_shape(shape)
            except GeometryError:
                continue
            found.append(Repair(name, new, candidate))
            break
    return tuple(found)


# --- layers that keep the shape ---


@dataclass(frozen=True)
class ActivationSpec(LayerSpec):
    """An activation function, applied to every value by itself."""

    kind: ActivationKind

    def __post_init__(self) -> None:
        if self.kind not in ACTIVATIONS:
            raise ValueError(f"activation: kind (={self.kind!r}) must be one of {', '.join(ACTIVATIONS)}")

    @property
    def token(self) -> str:  # type: ignore[override]
        return self.kind

    @property
    def torch_name(self) -> str:  # type: ignore[override]
        return ACTIVATIONS[self.kind][0]

    @classmethod
    def parse(cls, token: str, match: Mapping[str, str | None]) -> ActivationSpec:
        return cls(cast(ActivationKind, token))

    def formula(self, shape: Shape) -> str:
        return ACTIVATIONS[self.kind][1]

    def build(self, shape: Shape) -> nn.Module:
        from torch import nn

        module: nn.Module = getattr(nn, self.torch_name)()
        return module


# kind: (nn class, formula as torch documents it)
ACTIVATIONS: Mapping[str, tuple[str, str]] = {
    "relu": ("ReLU", "max(0, x)"),
    "tanh": ("Tanh", "tanh(x)"),
    "sigmoid": ("Sigmoid", "1/(1 + exp(−x))"),
    "leakyrelu": ("LeakyReLU", "max(0, x) + 0.01·min(0, x)"),
    "gelu": ("GELU", "x·Φ(x)"),
}


@dataclass(frozen=True)
class BatchNorm2dSpec(LayerSpec):
    """`torch.nn.BatchNorm2d`: each channel shifted and scaled by trained values, one multiply-add a value."""

    token: ClassVar[str] = "bn"
    torch_name: ClassVar[str] = "BatchNorm2d"

    def output_shape(self, shape: Shape) -> Shape:
        self._require_maps(shape)
        return shape

    def formula(self, shape: Shape) -> str:
        return "(x − mean)/√(var + 10⁻⁵) · weight + bias"

    def parameters(self, shape: Shape) -> int:
        return 2 * shape[0]

    def macs(self, shape: Shape) -> int:
        return shape[0] * shape[1] * shape[2]

    def arguments(self, shape: Shape) -> str:
        return str(shape[0])

    def build(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.BatchNorm2d(shape[0])


@dataclass(frozen=True)
class DropoutSpec(LayerSpec):
    """`torch.nn.Dropout`: in training, a share `p` of the values becomes zero; 0 to 0.95, in whole percent."""

    p: float = 0.5

    token: ClassVar[str] = "drop"
    torch_name: ClassVar[str] = "Dropout"
    pattern: ClassVar[str] = r"(?P<percent>\d{1,9})"
    expected: ClassVar[str] = "the share in percent: drop50"

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 0.95 or abs(self.p * 100 - round(self.p * 100)) > 1e-9:
            raise ValueError(f"drop: p (={self.p}) must be from 0 to 0.95 in whole percent: drop50 stands for 0.5")
        object.__setattr__(self, "p", round(self.p * 100) / 100)

    @classmethod
    def parse(cls, token: str, match: Mapping[str, str | None]) -> DropoutSpec:
        return cls(int(match["percent"] or 0) / 100)

    def __str__(self) -> str:
        return f"drop{round(self.p * 100)}"

    def formula(self, shape: Shape) -> str:
        return "x (dropout acts only while training)"

    def arguments(self, shape: Shape) -> str:
        return f"p={self.p}"

    def build(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.p)


# --- features ---


@dataclass(frozen=True)
class FlattenSpec(LayerSpec):
    """`torch.nn.Flatten`: `(C, H, W)` → `(C·H·W,)`, channel by channel, row by row."""

    token: ClassVar[str] = "flatten"
    torch_name: ClassVar[str] = "Flatten"

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def formula(self, shape: Shape) -> str:
        return f"{'·'.join(map(str, shape))} = {self.output_shape(shape)[0]}"

    def build(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Flatten()


@dataclass(frozen=True)
class LinearSpec(LayerSpec):
    """`torch.nn.Linear`: `(in_features,)` → `(out_features,)`; every output is a weighted sum of all inputs plus a
    bias.
    """

    out_features: int

    token: ClassVar[str] = "fc"
    torch_name: ClassVar[str] = "Linear"
    pattern: ClassVar[str] = r"(?P<out>\d{1,9})"
    expected: ClassVar[str] = "out_features: fc10"

    def __post_init__(self) -> None:
        _check("fc", "out_features", self.out_features, 1, MAX_FEATURES)

    @classmethod
    def parse(cls, token: str, match: Mapping[str, str | None]) -> LinearSpec:
        return cls(int(match["out"] or 0))

    def __str__(self) -> str:
        return f"fc{self.out_features}"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise GeometryError(
                f"Linear needs features, but its input is {'×'.join(map(str, shape))}", "put flatten before it"
            )
        return (self.out_features,)

    def formula(self, shape: Shape) -> str:
        return f"W·x + b, W {self.out_features}×{shape[0]}"

    def parameters(self, shape: Shape) -> int:
        return self.out_features * (shape[0] + 1)

    def macs(self, shape: Shape) -> int:
        return self.out_features * shape[0]

    def arguments(self, shape: Shape) -> str:
        return f"{shape[0]}, {self.out_features}"

    def build(self, shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Linear(shape[0], self.out_features)


# --- the registry: the class of every token of the architecture string ---

LAYERS: Mapping[str, type[LayerSpec]] = {
    "conv": Conv2dSpec,
    "max": Pool2dSpec,
    "avg": Pool2dSpec,
    **dict.fromkeys(ACTIVATIONS, ActivationSpec),
    "bn": BatchNorm2dSpec,
    "drop": DropoutSpec,
    "flatten": FlattenSpec,
    "fc": LinearSpec,
}
