"""The scenes that the number pages open with and offer: the lecture's examples, and others."""

from __future__ import annotations

from collections.abc import Mapping

from cnn_explorer.numbers.scenes import NAMED_KERNELS, ConvScene, Grids, Kernels, PoolScene

LECTURE_INPUT: Grids = (((3, 4, 6, 5, 7), (2, 4, 6, 8, 2), (1, 6, 7, 8, 4), (9, 7, 4, 6, 2), (3, 7, 5, 4, 1)),)
LECTURE_KERNEL: Kernels = ((((1, 2, 3), (4, 5, 6), (7, 8, 9)),),)
LECTURE_POOL: Grids = (((3, 4, 6, 5), (2, 4, 6, 8), (1, 6, 7, 8), (9, 7, 4, 6)),)


_SOBEL_X, _SOBEL_Y, _SPOT, _NOTHING = (
    NAMED_KERNELS["Sobel x"],
    NAMED_KERNELS["Sobel y"],
    NAMED_KERNELS["Identity"],
    ((0.0,) * 3,) * 3,
)
_DARK_LIGHT: Grids = (((0, 0, 0, 9, 9, 9),) * 6,)
_IMPULSE: Grids = (tuple(tuple(1.0 if (row, column) == (2, 2) else 0.0 for column in range(5)) for row in range(5)),)
# A yellow sun in a blue sky: red, green and blue from 0 to 9.
_SUN: Grids = (
    ((1, 1, 1, 1, 1), (1, 9, 9, 1, 1), (1, 9, 9, 1, 1), (1, 1, 1, 1, 1), (2, 2, 2, 2, 2)),
    ((3, 3, 3, 3, 3), (3, 8, 8, 3, 3), (3, 8, 8, 3, 3), (3, 3, 3, 3, 3), (6, 6, 6, 6, 6)),
    ((8, 8, 8, 8, 8), (8, 0, 0, 8, 8), (8, 0, 0, 8, 8), (8, 8, 8, 8, 8), (1, 1, 1, 1, 1)),
)
_THREE: Grids = (
    ((1, 0, 2, 1), (0, 3, 1, 2), (2, 1, 0, 1), (1, 2, 1, 0)),
    ((0, 1, 1, 0), (2, 0, 1, 3), (1, 1, 2, 0), (0, 2, 0, 1)),
    ((2, 1, 0, 1), (1, 0, 2, 0), (0, 2, 1, 1), (3, 0, 1, 2)),
)
_FOUR: Grids = (*_THREE, ((1, 2, 0, 1), (0, 1, 3, 0), (2, 0, 1, 2), (1, 1, 0, 2)))
_SMALL: Kernels = (
    (((1, 0), (0, -1)), ((0, 1), (1, 0)), ((1, 1), (-1, -1))),
    (((0, 2), (1, 0)), ((1, -1), (1, -1)), ((0, 0), (0, 1))),
    (((1, 1), (1, 1)), ((0, 0), (2, 0)), ((-1, 0), (0, 1))),
    (((2, 0), (0, 0)), ((-1, 0), (0, 1)), ((1, 0), (1, 0))),
)


def _narrow(kernels: Kernels, width: int) -> Kernels:
    """Kernels for the first `width` input channels."""
    return tuple(kernel[:width] for kernel in kernels)


# Scenes by step of the page and by name. A step opens with its first scene.
CONV_PRESETS: Mapping[str, Mapping[str, ConvScene]] = {
    "one": {
        "The lecture's example, padding 1": ConvScene(LECTURE_INPUT, LECTURE_KERNEL, (0.0,), padding=1),
        "The lecture's example, stride 2": ConvScene(LECTURE_INPUT, LECTURE_KERNEL, (0.0,), stride=2),
        "No padding: the map shrinks": ConvScene(LECTURE_INPUT, LECTURE_KERNEL, (0.0,)),
        "Dilation 2: the kernel spreads": ConvScene(LECTURE_INPUT, LECTURE_KERNEL, (0.0,), padding=2, dilation=2),
        "Stride 2 leaves a row and a column over": ConvScene(_DARK_LIGHT, (((_SPOT),),), (0.0,), stride=2),
        "An edge, found by Sobel x": ConvScene(_DARK_LIGHT, (((_SOBEL_X),),), (0.0,)),
    },
    "channels": {
        "Three grids of numbers": ConvScene(_THREE, (_SMALL[0],), (1.0,)),
        "A small colour picture": ConvScene(_SUN, ((_SOBEL_X, _NOTHING, _SOBEL_Y),), (0.0,), colour=True),
        "1×1: a weighted sum of the channels": ConvScene(
            _SUN, ((((0.3,),), ((0.6,),), ((0.1,),)),), (0.0,), colour=True
        ),
    },
    "kernels": {
        "Three kernels on three channels": ConvScene(_THREE, _SMALL[:3], (1.0, 0.0, -2.0)),
        "Two kernels on a colour picture": ConvScene(_SUN, ((_SOBEL_X,) * 3, (_SOBEL_Y,) * 3), (0.0, 0.0), colour=True),
        "Four 1×1 kernels": ConvScene(
            _THREE, tuple(tuple((grid[0][:1],) for grid in kernel) for kernel in _SMALL), (0.0,) * 4
        ),
    },
    "groups": {
        "Two groups": ConvScene(_FOUR, _narrow(_SMALL, 2), (0.0,) * 4, groups=2),
        "Depthwise: every channel by itself": ConvScene(_FOUR, _narrow(_SMALL, 1), (0.0,) * 4, groups=4),
        "One group: the usual convolution": ConvScene(_THREE, _SMALL[:3], (0.0,) * 3),
    },
    "flip": {
        "A single 1": ConvScene(_IMPULSE, LECTURE_KERNEL, (0.0,), padding=1, flip=True),
        "The lecture's example": ConvScene(LECTURE_INPUT, LECTURE_KERNEL, (0.0,), flip=True),
        "A symmetric kernel: no difference": ConvScene(
            LECTURE_INPUT, (((NAMED_KERNELS["Laplacian"]),),), (0.0,), flip=True
        ),
    },
}

POOL_PRESETS: Mapping[str, Mapping[str, PoolScene]] = {
    "compare": {
        "The lecture's example": PoolScene(LECTURE_POOL),
        "Three channels": PoolScene(_THREE),
        "Windows that overlap": PoolScene(LECTURE_INPUT, kernel_size=3, stride=1),
        "Padding": PoolScene(LECTURE_POOL, kernel_size=3, stride=2, padding=1),
        "A row and a column left over": PoolScene(LECTURE_INPUT),
    },
    "shift": {
        "A soft line": PoolScene((((0, 0, 9, 4, 0, 0),) * 4,)),
        "A sharp line, which stays in its window": PoolScene((((0, 0, 9, 0, 0, 0),) * 4,)),
        "The lecture's example": PoolScene(LECTURE_POOL),
    },
    "adaptive": {
        "The lecture's input to 2×2": PoolScene(LECTURE_INPUT),
        "Global average: three channels, three numbers": PoolScene(_THREE, output_size=1),
    },
}
