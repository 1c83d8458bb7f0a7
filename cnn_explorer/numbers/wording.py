"""What a number page says of its scene: the formula of one output value, and what a shift of the input changes."""

from __future__ import annotations

from collections.abc import Mapping

from cnn_explorer.numbers.scenes import ConvScene, PoolScene

COUNTED = "Max ignores the padding; average counts its zeros (count_include_pad=True, as in PyTorch by default)."


def convolution_formula(scene: ConvScene) -> str:
    """One output value, with this stride, padding and dilation as numbers; indices outside the input are padding."""
    place = _place(scene.stride, scene.padding, scene.dilation)
    several, channels = scene.out_channels > 1, len(scene.weight[0]) > 1 or scene.groups > 1
    output, bias, out = ("output[o, i, j]", "bias[o]", "o") if several else ("output[i, j]", "bias", "0")
    if not (several or channels):
        return f"{output} = {bias} + Σ input[{place}] · kernel[u, v], over all u, v"
    where = "input channels c of o's group" if scene.groups > 1 else "all c"
    return f"{output} = {bias} + Σ input[c, {place}] · weight[{out}, c, u, v], over {where}, u, v"


def pooling_formula(scene: PoolScene) -> str:
    """One value of the maximum and of the average."""
    cells = scene.kernel_size**2
    return (
        f"max[i, j] = largest input[{_place(scene.stride, scene.padding)}] over all u, v; average[i, j] = sum / {cells}"
    )


def _place(stride: int, padding: int, dilation: int = 1) -> str:
    """Row and column of the input: i·stride + u·dilation − padding."""
    border = f" − {padding}" if padding else ""
    sides = (f"{_times(stride, i)} + {_times(dilation, u)}{border}" for i, u in (("i", "u"), ("j", "v")))
    return ", ".join(sides)


def _times(factor: int, index: str) -> str:
    return index if factor == 1 else f"{factor}{index}"


def shift_sentence(shift: int, changed: Mapping[str, tuple[int, int]]) -> str:
    """How much of each map changes when the input moves: of "max", "average" and "none" (the input itself) the number
    of values that change, and of all.
    """
    moved = f"The input moves by {shift} pixel{'' if shift == 1 else 's'}"
    share = {name: count / total for name, (count, total) in changed.items()}
    if not share["none"]:
        return f"{moved}: no number changes."
    input_share, names = share["none"], {"max": "of the maximum's", "average": "of the average's"}
    parts = [f"{_percent(share[name])} {words} {_than(share[name], input_share)}" for name, words in names.items()]
    return (
        f"{moved}: {_percent(input_share)} of its numbers change (underlined), {parts[0]}, {parts[1]}. "
        "A maximum stays as long as the largest number of its window stays in it and no larger one comes in."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _than(share: float, other: float) -> str:
    if share == other:
        return "(as much)"
    return "(less)" if share < other else "(more)"
