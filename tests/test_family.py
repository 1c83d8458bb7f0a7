"""The lecture's kernels among the shared weights: their order, their places, and what may be added to them."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from cnn_explorer import LECTURE, load_network
from cnn_explorer.build_weights import channel_order
from cnn_explorer.build_weights.family import (
    INPUT_BOUND,
    NARROW_BOUND,
    PLACE_BOUND,
    SIZE_BOUND,
    LectureKernels,
    first_tap,
    lecture_part,
)
from cnn_explorer.build_weights.shared import initial
from cnn_explorer.weights.builder import build_network


def test_another_order_of_the_channels_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_order, "FITTED", 20)
    monkeypatch.setattr(channel_order, "SCORED", 10)
    module = build_network(LECTURE, seed=3).eval()
    images = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    before, kernels = module(images), module.get_submodule("conv1").weight.clone()
    channel_order.order_channels(module)
    assert torch.allclose(module(images), before, atol=1e-5)
    changed = module.get_submodule("conv1").weight
    assert not torch.equal(changed, kernels)
    assert sorted(changed.flatten(1).sum(dim=1).tolist()) == sorted(kernels.flatten(1).sum(dim=1).tolist())


def test_kernels_of_every_size_share_their_middle() -> None:
    assert [first_tap(size) for size in range(1, 8)] == [3, 2, 2, 1, 1, 1, 0]
    for small, large in pairwise(range(1, 8)):
        assert first_tap(large) <= first_tap(small)
        assert first_tap(large) + large >= first_tap(small) + small
    lecture = torch.arange(25.0).reshape(1, 1, 5, 5)
    widest = nn.functional.pad(lecture, (1, 1, 1, 1), value=-1)
    for size in range(1, 8):
        start = first_tap(size)
        part, own = lecture_part(widest[:, :, start : start + size, start : start + size], lecture)
        assert torch.equal(part, own)
        assert part.shape[-1] == min(size, 5)


def test_what_is_added_to_the_lectures_kernels_is_bounded() -> None:
    parameters = {name: tensor.detach() for name, tensor in initial(seed=0).items()}
    lecture = LectureKernels(parameters)
    lecture.start()
    trained = load_network(LECTURE).module
    for depth in (1, 2):
        kernels = trained.get_submodule(f"conv{depth}").weight
        part, own = lecture_part(parameters[f"conv{depth}"], kernels)
        assert torch.allclose(nn.functional.cosine_similarity(part.flatten(1), own.flatten(1)), torch.ones(len(own)))
    for tensor in parameters.values():
        tensor.add_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(1)))
    free = {name: parameters[name].clone() for name in ("conv2", "conv1.k7", "conv3.k3")}
    bounds = {"conv1.k5": 0, "conv1.k3": SIZE_BOUND, "conv1.k7": SIZE_BOUND, "conv2.k5.s2": 0}
    bounds |= {"conv2.k3.s2": 0, "conv2.k5.s4": INPUT_BOUND, "conv2.k5.thin": INPUT_BOUND, "conv2.k5.few": PLACE_BOUND}
    bounds |= {"conv1.k5.d2": PLACE_BOUND, "conv1.k5.sigmoid": PLACE_BOUND, "conv1.k5.inner": 0}
    bounds |= {"conv2.k3.narrow": NARROW_BOUND, "conv2.k5.raw": INPUT_BOUND}
    lecture.hold(["conv1", "conv2", "conv3.k3", *bounds])
    for name, bound in bounds.items():
        whole, _ = lecture_part(parameters[name.split(".")[0]], trained.get_submodule(f"conv{name[4]}").weight)
        added, reference = lecture_part(parameters[name], whole)
        assert torch.allclose(added.flatten(1).norm(dim=1), bound * reference.flatten(1).norm(dim=1), rtol=1e-4), name
    assert torch.equal(parameters["conv3.k3"], free["conv3.k3"])
    assert torch.equal(parameters["conv2"][20:], free["conv2"][20:])
    assert torch.equal(parameters["conv2"][:, 10:], free["conv2"][:, 10:])
    assert torch.equal(parameters["conv1.k7"][:, :, 0], free["conv1.k7"][:, :, 0])  # the border of a 7×7 kernel
