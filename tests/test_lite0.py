"""EfficientNet-Lite0 with its real weights, against the same network written out with TensorFlow's padding."""

import math
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_explorer.classics import lite0
from cnn_explorer.classics.photographs import PHOTOGRAPHS, decoded, photograph

BLOCKS = [
    (kernel, stride if first else 1)
    for kernel, stride, count in [(3, 1, 1), (3, 2, 2), (5, 2, 2), (3, 2, 3), (5, 1, 3), (5, 2, 4), (3, 1, 1)]
    for first in [True] + [False] * (count - 1)
]


@cache
def network() -> nn.Module:
    return lite0.load()


def same(x: Tensor, weight: Tensor, stride: int, groups: int = 1) -> Tensor:
    """A convolution as TensorFlow pads it: ⌈side/stride⌋ windows, the smaller half of the zeros first."""
    pads = []
    for side, kernel in zip(reversed(x.shape[2:]), reversed(weight.shape[2:]), strict=True):
        total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def written_out(x: Tensor) -> Tensor:
    weights = lite0.read_weights()

    def norm(name: str, x: Tensor) -> Tensor:
        mean, var, scale, shift = (
            weights[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-3) * scale + shift

    x = norm("_bn0", same(x, weights["_conv_stem.weight"], 2)).clamp(0, 6)
    for number, (kernel, stride) in enumerate(BLOCKS):
        block, before = f"_blocks.{number}", x
        if f"{block}._expand_conv.weight" in weights:
            x = norm(f"{block}._bn0", same(x, weights[f"{block}._expand_conv.weight"], 1)).clamp(0, 6)
        depthwise = weights[f"{block}._depthwise_conv.weight"]
        assert depthwise.shape[2:] == (kernel, kernel)
        x = norm(f"{block}._bn1", same(x, depthwise, stride, x.shape[1])).clamp(0, 6)
        x = norm(f"{block}._bn2", same(x, weights[f"{block}._project_conv.weight"], 1))
        if stride == 1 and x.shape == before.shape:
            x = x + before
    x = norm("_bn1", same(x, weights["_conv_head.weight"], 1)).clamp(0, 6).mean((2, 3))
    return x @ weights["_fc.weight"].T + weights["_fc.bias"]


@torch.no_grad()
def test_the_network_computes_what_tensorflows_definition_says() -> None:
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network()(x), written_out(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("chelsea", {"Egyptian cat", "tiger cat", "tabby"}),
        ("coffee", {"espresso"}),
        ("rocket", {"missile", "projectile", "drilling platform"}),
    ],
)
@torch.no_grad()
def test_it_recognises_the_photographs(name: str, right: set[str]) -> None:
    from torchvision.models import get_model_weights
    from torchvision.transforms import functional as pictures

    picture = pictures.resize(decoded(photograph(name)), [256], pictures.InterpolationMode.BICUBIC)
    x = (pictures.pil_to_tensor(pictures.center_crop(picture, [224])).float() - 127) / 128
    first = int(network()(x[None]).argmax())
    assert next(iter(get_model_weights("resnet50"))).meta["categories"][first] in right


def test_all_tensors_of_the_file_are_used() -> None:
    weights = lite0.read_weights()
    fitted = lite0.fitted(weights, lite0.build().state_dict())
    assert len(fitted) == len({tensor.data_ptr() for tensor in fitted.values()}) == 296


@pytest.mark.parametrize("damage", ["missing", "torn", "changed"])
def test_a_damaged_file_is_told(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = lite0.weights_file().read_bytes()
    file = tmp_path / "weights.pth"
    if damage == "torn":
        file.write_bytes(contents[: len(contents) // 2])
    elif damage == "changed":
        file.write_bytes(contents[:5_000_000] + b"x" + contents[5_000_001:])
    monkeypatch.setattr(lite0, "weights_file", lambda: file)
    with pytest.raises(lite0.WeightsError, match="install the app again"):
        lite0.load()


def test_without_the_package_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite0, "PACKAGE", "not_installed")
    with pytest.raises(lite0.WeightsError):
        lite0.load()


def test_weights_of_another_network_do_not_fit() -> None:
    own = lite0.build().state_dict()
    for wrong in (dict(list(own.items())[:-1]), {**own, "fc.bias": torch.zeros(999)}):
        with pytest.raises(lite0.WeightsError):
            lite0.fitted(wrong, own)


def test_the_photographs_are_small() -> None:
    files = [photograph(name) for name in PHOTOGRAPHS]
    assert sum(map(len, files)) < 75_000
    assert all(max(decoded(file).size) == 320 for file in files)
