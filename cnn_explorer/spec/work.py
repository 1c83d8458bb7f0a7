"""What torch does to compute a layer: the quantities that `cost` turns into time.

torch leaves convolutions to oneDNN, which has several ways to compute them and chooses by the shapes. Each has
quantities of its own here. The choices were read from `ONEDNN_VERBOSE=1` (torch 2.14 with AVX-512):

- directly, 16 channels at a time: most convolutions. Channels are rounded up to full lanes of 16;
- depthwise: one filter a channel. Lanes go along the channels;
- by `im2col`: the windows are copied into a matrix, image by image and group by group, and multiplied with the weights.
  For everything else: padding as wide as the window, and groups in a forward pass. In a backward pass also stride
  together with dilation, and for the gradients of weights windows of more than 14 columns.

A training step has three parts: the forward pass, the gradients of the input and the gradients of the weights. Each is
computed in a way of its own.

Words in the names of quantities:

- `taps`: values that `im2col` copies, one for each cell of each window;
- `gathered…`: of the gradients of the weights by `im2col`. `scattered…`: of the gradients of the input by its inverse,
  which adds up the matrix's values in the cells they come from;
- `filled`: with channels rounded up to full lanes;
- `rows`, `windows`, `cells`, `groups`: numbers of parts that each have a fixed cost;
- `chained`: additions of a long sum, where each waits for the one before.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from cnn_explorer.spec.layers import BatchNorm2dSpec, Conv2dSpec, LinearSpec, Pool2dSpec, WindowSpec
from cnn_explorer.spec.shapes import LayerShapes

# Values of a batch that stay in the processor's cache, in a forward pass and in training.
CACHED_FORWARD, CACHED_TRAINING = 250_000, 1_000_000
LONG_SUM = 32  # cells of a window; the additions of a longer sum wait for each other
LANES = 16  # channels that a processor computes at once
UNIT_VALUES = 1_000_000  # values of a layer's output in a unit of work; more do not fit into the processor's cache
UNIT_DIGITS = 100  # digits in a unit, at most
ROW_REGISTERS = 28  # cells of a row that the direct forward pass computes at once
WIDEST_KERNEL = 14  # columns of the direct gradients of weights
IM2COL_BYTES = 20 * 2**20  # of an image's matrix. For a larger one oneDNN uses plain loops, if the tensors are small
TRAINED_DIGITS, TRAINED_VALUES = 64, 8_000_000  # digits and values in a training step, at most

Work = dict[str, float]


class _Windows(NamedTuple):
    """The geometry of a convolution; pairs are (height, width).

    `channels`, `height`, `width` are those of the input, `out_channels`, `rows`, `columns` those of the output.
    `inside` are rows and columns of the input, added up over all windows along an axis, padding left out. `beyond` is
    the padding that is reached at the bottom and at the right, `padding` that at the top and at the left.
    """

    channels: int
    height: int
    width: int
    out_channels: int
    rows: int
    columns: int
    kernel: tuple[int, int]
    groups: int
    strided: bool
    dilated: bool
    padded: bool
    depthwise: bool
    inside: tuple[int, int]
    beyond: tuple[int, int]
    spans: tuple[int, int]
    padding: tuple[int, int]

    @property
    def area(self) -> int:
        """Cells of a window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def cells(self) -> int:
        """Cells of an output channel."""
        return self.rows * self.columns

    @property
    def outside(self) -> bool:
        """Whether a window lies in the padding with all of its rows or columns."""
        return any(
            max(before, after) >= span
            for before, after, span in zip(self.padding, self.beyond, self.spans, strict=True)
        )


def kind_of(layer: LayerShapes, training: bool) -> str:
    """The name of a layer's coefficients: its nn class, and the way in which torch computes it."""
    spec = layer.spec
    if isinstance(spec, Conv2dSpec):
        windows = _windows(layer)
        return _training_kind(windows) if training else _forward_kind(windows, _digits(layer, training=False))
    depends_on_layout = isinstance(spec, BatchNorm2dSpec) or (training and isinstance(spec, Pool2dSpec))
    if depends_on_layout and _is_contiguous(layer):
        return f"contiguous {spec.torch_name}"
    if isinstance(spec, Pool2dSpec) and spec.kernel_size == 1:
        return f"1x1 {spec.torch_name}"
    return spec.torch_name


def _is_contiguous(layer: LayerShapes) -> bool:
    """With one channel or one cell, a channels_last tensor is contiguous as well, and torch computes it as such."""
    return layer.input_shape[0] == 1 or math.prod(layer.input_shape[1:]) == 1


def work_of(layer: LayerShapes, training: bool) -> Work:
    """The quantities of a layer, for one digit, by name. `cost` multiplies each by a coefficient of its `kind_of`.

    Of all layers: `calls` is a digit's share of the fixed cost of a call, `inputs` and `outputs` are values,
    `operations` multiply-adds, or the cells that the windows of a pooling cover, and `parameters` weights and biases.
    `uncached` are the outputs of a batch that is too large for the processor's cache.
    """
    spec = layer.spec
    if isinstance(spec, Conv2dSpec):
        return _trained_convolution(layer) if training else _convolution(layer)
    work = _values(layer, training)
    if isinstance(spec, Pool2dSpec):
        return work | _pooling(layer, spec, training)
    if isinstance(spec, LinearSpec):
        readings = 1 if training else work["calls"]  # of the weights, by a digit
        return work | {"operations": layer.macs, "parameters": layer.parameters * readings}
    if isinstance(spec, BatchNorm2dSpec):
        work["channels"] = layer.input_shape[0]
        if training:
            work["left_over"] = math.prod(layer.input_shape[1:]) if layer.input_shape[0] % LANES else 0
    elif layer.values * _digits(layer, training) > (CACHED_TRAINING if training else CACHED_FORWARD):
        work["uncached"] = layer.values
    del work["outputs"]  # as many as inputs
    return work


def _pooling(layer: LayerShapes, spec: Pool2dSpec, training: bool) -> Work:
    """`covered` are the cells of all windows of a channel, `operations` those of all channels; `chained` are the same,
    where a sum is long; `left_over` are those of channels that do not fill the lanes.
    """
    channels = layer.input_shape[0]
    single_cell = kind_of(layer, training).startswith("1x1")
    covered = math.prod(_inside(spec, layer.input_shape, axis) for axis in (0, 1))
    work: Work = {} if single_cell else {"operations": channels * covered}
    if spec.kind == "avg" and math.prod(spec.window()[0]) > LONG_SUM:
        work["chained"] = channels * covered
    if training and not _is_contiguous(layer):
        # A lane is a channel of a cell. Channels that do not fill all lanes are computed one by one.
        work |= {"cells": math.prod(layer.output_shape[1:]), "left_over": channels % LANES * covered}
        if not single_cell:
            work["covered"] = covered
    return work


def _digits(layer: LayerShapes, training: bool) -> int:
    """Digits in a unit of a forward pass, or in a training step: fewer for large layers."""
    values = max(math.prod(layer.input_shape), layer.values)
    if training:
        return max(2, min(TRAINED_DIGITS, TRAINED_VALUES // values))
    return max(1, min(UNIT_DIGITS, UNIT_VALUES // values))


def _values(layer: LayerShapes, training: bool) -> Work:
    most = TRAINED_DIGITS if training else UNIT_DIGITS
    calls = most / _digits(layer, training)
    return {"calls": calls, "inputs": math.prod(layer.input_shape), "outputs": layer.values}


# --- convolutions ---


def _convolution(layer: LayerShapes) -> Work:
    """A forward pass in torch's usual layout: oneDNN reorders inputs, weights and outputs to its own layout and back.

    `filled_outputs` are outputs with channels rounded up; `weights` are a digit's share of the reordered weights;
    `rows` are rows of windows.
    """
    shape, digits = _windows(layer), _digits(layer, training=False)
    kind, work = _forward_kind(shape, digits), _values(layer, training=False)
    group_in, group_out = shape.channels // shape.groups, shape.out_channels // shape.groups
    if kind.startswith("im2col"):
        work["taps"] = shape.channels * shape.area * shape.cells
        work["strided_taps"] = work["taps"] if shape.strided and shape.padded else 0
        work["rows"] = shape.channels * shape.area * shape.rows
        tiles = _filled(shape.cells) * _filled(group_out, 8)  # of the matrix product
        return work | {"groups": shape.groups, "operations": shape.groups * tiles * group_in * shape.area}
    filled_out = _filled(shape.out_channels)
    if kind == "matrix Conv2d":
        weights = shape.out_channels * shape.channels * shape.area
        return work | {"weights": weights * work["calls"]}
    work["filled_outputs"] = filled_out * shape.cells
    if kind == "depthwise Conv2d":
        return work | {"operations": filled_out * shape.cells * shape.area}
    return work | {
        "operations": filled_out * group_in * shape.inside[0] * shape.kernel[1] * shape.columns,
        "rows": filled_out * group_in * shape.inside[0],
        "weights": filled_out * _filled(group_in) * shape.area * work["calls"],
    }


def _trained_convolution(layer: LayerShapes) -> Work:
    """Forward and backward, with channels side by side in memory (`channels_last`)."""
    shape = _windows(layer)
    work = _values(layer, training=True)
    work["parameters"] = shape.out_channels * shape.channels // shape.groups * shape.area * work["calls"]
    # From 1×1 weights for one channel torch cannot tell the layout, and networks with strided 1×1 kernels are not
    # trained in channels_last: oneDNN reorders as in a forward pass.
    if shape.area == 1 and (shape.strided or shape.channels == 1):
        work["reordered"] = _filled(shape.channels) * shape.height * shape.width
        work["reordered"] += _filled(shape.out_channels) * shape.cells
    return work | _forward_part(shape) | _input_part(shape, layer) | _weight_part(shape, layer)


def _forward_part(shape: _Windows) -> Work:
    """The forward pass of a training step."""
    group_in, group_out = shape.channels // shape.groups, shape.out_channels // shape.groups
    matrix = shape.area == 1 and shape.strided and shape.padded
    if (matrix and not shape.depthwise) or (shape.depthwise and shape.dilated and shape.outside):
        return {"matrix_operations": shape.channels * shape.area * shape.cells * group_out}
    if shape.depthwise:
        filled = _filled(shape.channels)
        return {
            "operations": filled * shape.inside[0] * shape.kernel[1] * shape.columns,
            "rows": filled * shape.inside[0],
        }
    filled = shape.groups * _filled(group_out) * group_in
    return {
        "operations": filled * shape.inside[0] * shape.kernel[1] * shape.columns,
        "rows": filled * shape.inside[0],
        "group_cells": shape.groups * shape.cells,
    }


def _input_part(shape: _Windows, layer: LayerShapes) -> Work:
    """The gradients of the input."""
    group_in, group_out = shape.channels // shape.groups, shape.out_channels // shape.groups
    strided_and_dilated = shape.strided and shape.dilated
    outside = shape.outside and (shape.dilated if shape.depthwise else not shape.strided)
    if strided_and_dilated or outside:
        if _too_large(shape, layer):
            return {"plain_operations": shape.channels * shape.area * shape.cells * group_out}
        return {
            "scattered": shape.channels * shape.area * shape.cells,
            "scattered_windows": shape.groups * shape.area * shape.cells,
            "scattered_outputs": shape.out_channels * shape.cells,
            "scattered_groups": shape.groups,
        }
    filled = shape.groups * _filled(group_in) * group_out
    if shape.strided and not shape.depthwise and (shape.groups == 1 or group_out >= LANES):
        return {
            "strided_operations": filled * shape.area * shape.cells,
            "strided_cells": shape.groups * _filled(group_in) * shape.height * shape.width,
        }
    if shape.depthwise and not shape.dilated:
        return {}
    return {
        "back_operations": filled * shape.inside[0] * shape.kernel[1] * shape.width,
        "back_windows": shape.groups * shape.inside[0] * shape.kernel[1] * shape.columns,
        "back_cells": shape.groups * shape.height * shape.width,
    }


def _weight_part(shape: _Windows, layer: LayerShapes) -> Work:
    """The gradients of the weights. Computed directly, they take about as long as the forward pass."""
    group_in, group_out = shape.channels // shape.groups, shape.out_channels // shape.groups
    sizes = (shape.height, shape.width)
    uneven = shape.dilated and any(
        span > size or padding > span // 2
        for span, size, padding in zip(shape.spans, sizes, shape.padding, strict=True)
    )
    wide = shape.kernel[1] > WIDEST_KERNEL or (uneven and shape.groups == 1 and shape.area > 1)
    if shape.outside or (shape.strided and shape.dilated) or wide:
        if _too_large(shape, layer):
            return {"plain_operations": 2 * shape.channels * shape.area * shape.cells * group_out}
        taps = shape.channels * shape.area * shape.cells
        return {
            "gathered": taps,
            "gathered_strided": taps if shape.strided else 0,
            "gathered_strided_sums": shape.groups * _filled(group_out) * group_in * shape.area if shape.strided else 0,
            "gathered_windows": shape.groups * shape.area * shape.cells,
            "gathered_outputs": shape.out_channels * shape.cells,
            "gathered_sums": shape.groups * _filled(group_out) * group_in * shape.area,
            "gathered_groups": shape.groups,
        }
    filled_in = _filled(group_in) if group_in > 3 else group_in
    filled = shape.groups * _filled(group_out) * filled_in
    return {
        "sums": shape.groups * _filled(group_out) * _filled(group_in) * shape.area,
        "sum_operations": filled * shape.inside[0] * shape.kernel[1] * shape.columns,
    }


def _forward_kind(shape: _Windows, digits: int) -> str:
    row = min(shape.columns, ROW_REGISTERS)
    split = shape.groups > 1 and not shape.depthwise
    if shape.outside or split or max(shape.padding[1], shape.beyond[1]) > row:
        return "im2col Conv2d" if shape.cells > 1 else "im2col Conv2d of one window"
    if shape.depthwise:
        return "depthwise Conv2d"
    if shape.area == 1 and digits < 16 and not shape.strided:
        return "1x1 Conv2d of large maps"
    if shape.spans == (shape.height, shape.width) and not shape.padded and not shape.dilated:
        return "matrix Conv2d"
    return "1x1 Conv2d" if shape.area == 1 else "Conv2d"


def _training_kind(shape: _Windows) -> str:
    if shape.groups > 1:
        return "depthwise Conv2d" if shape.depthwise else "grouped Conv2d"
    return "1x1 Conv2d" if shape.area == 1 else "Conv2d"


def _too_large(shape: _Windows, layer: LayerShapes) -> bool:
    """Whether oneDNN refuses the matrix of `im2col` and computes in plain loops."""
    matrix = 4 * shape.channels * shape.area * shape.cells
    values = _digits(layer, training=True) * (math.prod(layer.input_shape) + layer.values) + layer.parameters
    return matrix > max(IM2COL_BYTES, 8 * 4 * values)


def _windows(layer: LayerShapes) -> _Windows:
    spec = layer.spec
    assert isinstance(spec, Conv2dSpec)
    (channels, height, width), (out_channels, rows, columns) = layer.input_shape, layer.output_shape
    kernel, stride, padding, dilation = spec.window()
    spans = spec.spans()
    beyond = (
        (rows - 1) * stride[0] + spans[0] - height - padding[0],
        (columns - 1) * stride[1] + spans[1] - width - padding[1],
    )
    return _Windows(
        channels,
        height,
        width,
        out_channels,
        rows,
        columns,
        kernel,
        spec.groups,
        strided=max(stride) > 1,
        dilated=max(dilation) > 1,
        padded=max(padding) > 0,
        depthwise=1 < spec.groups == channels == out_channels,
        inside=(_inside(spec, layer.input_shape, 0), _inside(spec, layer.input_shape, 1)),
        beyond=beyond,
        spans=spans,
        padding=padding,
    )


def _filled(number: int, lanes: int = LANES) -> int:
    """`number` rounded up to full lanes."""
    return math.ceil(number / lanes) * lanes


def _inside(spec: WindowSpec, shape: tuple[int, ...], axis: int) -> int:
    """Rows (axis 0) or columns (axis 1) of the input, added up over all windows along the axis, padding left out."""
    kernel, stride, padding, dilation = (value[axis] for value in spec.window())
    size = shape[1 + axis]
    count = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    starts = range(-padding, -padding + count * stride, stride)
    return sum(sum(0 <= start + dilation * tap < size for tap in range(kernel)) for start in starts)
