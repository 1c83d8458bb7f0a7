"""The PyTorch source of what a number page shows. Pasted into Python it prints the same numbers, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_explorer.numbers.scenes import ConvScene, Grid, PoolScene

HEAD = "import torch\n\ntorch.set_printoptions(sci_mode=False, threshold=10_000)"


def convolution_code(scene: ConvScene) -> str:
    """One `torch.nn.functional.conv2d`; prints the output, `(out_channels, H', W')`."""
    return _source(
        *_operands(scene), "", f"y = torch.nn.functional.conv2d(x, weight, bias, {_sliding(scene)})", "print(y)"
    )


def flip_code(scene: ConvScene) -> str:
    """The kernel as it is and turned by 180°; prints cross-correlation, then convolution."""
    return _source(
        *_operands(scene),
        "",
        f"correlated = torch.nn.functional.conv2d(x, weight, bias, {_sliding(scene)})",
        f"convolved = torch.nn.functional.conv2d(x, weight.flip(2, 3), bias, {_sliding(scene)})",
        "print(correlated)",
        "print(convolved)",
    )


def pooling_code(scene: PoolScene) -> str:
    """Max and average pooling of the same input; prints both, `(C, H', W')`."""
    how = _pooling(scene)
    return _source(
        _tensor("x", scene.input, "C, H, W"),
        "",
        f"print(torch.nn.functional.max_pool2d(x, {how}))",
        f"print(torch.nn.functional.avg_pool2d(x, {how}))",
    )


def shift_code(scene: PoolScene) -> str:
    """Pooling before and after the input moves to the right; prints how many values change: of the max pooling, of the
    average pooling, and of the input.
    """
    how = _pooling(scene)
    return _source(
        _tensor("x", scene.input, "C, H, W"),
        f"columns = (torch.arange(x.shape[2]) - {scene.shift}).clamp(min=0)",
        "moved = x[:, :, columns]  # the first column is repeated",
        "",
        "for pool in (torch.nn.functional.max_pool2d, torch.nn.functional.avg_pool2d):",
        f"    print((pool(x, {how}) != pool(moved, {how})).sum())",
        "print((x != moved).sum())",
    )


def adaptive_code(scene: PoolScene) -> str:
    """Adaptive pooling, then global average pooling; prints max and average, `(C, output_size, output_size)`, and one
    number a channel.
    """
    return _source(
        _tensor("x", scene.input, "C, H, W"),
        "",
        f"print(torch.nn.functional.adaptive_max_pool2d(x, {scene.output_size}))",
        f"print(torch.nn.functional.adaptive_avg_pool2d(x, {scene.output_size}))",
        "print(x.mean(dim=(1, 2)))  # global average pooling: output_size = 1",
    )


def picture_code(pixels: np.ndarray, kernel: Grid) -> str:
    """A kernel on a grey picture, `(H, W)` uint8, that keeps the size; prints the smallest and the largest output."""
    if pixels.size <= 28 * 28:
        picture = [_tensor("x", pixels[None].tolist(), "1, H, W"), "x = x / 255  # 0 black to 1 white"]
    else:
        picture = [
            "import numpy as np",
            "from PIL import Image",
            "",
            'picture = Image.open("picture.png").convert("RGB")  # yours',
            f"picture = picture.resize(({pixels.shape[1]}, {pixels.shape[0]}), Image.Resampling.BOX)",
            'x = torch.from_numpy(np.array(picture.convert("L"))[None] / 255)  # (1, H, W), 0 black to 1 white',
        ]
    return _source(
        *picture,
        _tensor("weight", ((kernel,),), "1, 1, kernel_size, kernel_size"),
        "",
        f"y = torch.nn.functional.conv2d(x, weight, padding={len(kernel) // 2})",
        "print(y.min(), y.max())",
    )


def _source(*lines: str) -> str:
    return "\n".join([HEAD, *lines])


def _operands(scene: ConvScene) -> tuple[str, str, str]:
    """x, weight and bias."""
    channels = f"in_channels / {scene.groups}" if scene.groups > 1 else "in_channels"
    return (
        _tensor("x", scene.input, "in_channels, H, W"),
        _tensor("weight", scene.weight, f"out_channels, {channels}, kernel_size, kernel_size"),
        _tensor("bias", scene.bias, "out_channels"),
    )


def _sliding(scene: ConvScene) -> str:
    names = ("stride", "padding", "dilation", "groups")
    return ", ".join(f"{name}={getattr(scene, name)}" for name in names)


def _pooling(scene: PoolScene) -> str:
    return f"{scene.kernel_size}, stride={scene.stride}, padding={scene.padding}"


def _tensor(name: str, values: Any, axes: str) -> str:
    """A line that makes a tensor of nested values, with the names of its axes in a comment."""
    return f"{name} = torch.tensor({_nested(values, len(name) + 16)}, dtype=torch.float64)  # ({axes})"


def _nested(values: Any, indent: int) -> str:
    """Nested lists, with one row of numbers a line."""
    if not isinstance(values[0], tuple | list):
        return f"[{', '.join(map(_literal, values))}]"
    return "[" + (",\n" + " " * indent).join(_nested(part, indent + 1) for part in values) + "]"


def _literal(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(float(value))
