"""What is meant by an architecture string that is not quite one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import networks

from cnn_explorer.spec.near_misses import near_miss
from cnn_explorer.spec.network import NetworkSpec


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("conv10k5 maxpool2 relu dense10", "conv10k5-max2-relu-fc10"),
        ("Conv2d10k5 -> MaxPool2d2 -> ReLU -> Linear10 -> softmax", "conv10k5-max2-relu-fc10"),
        ("conv10-relu-fc10", "conv10k3-relu-fc10"),
        ("conv10x5, max, rleu, fc10", "conv10k5-max2-relu-fc10"),
        ("conv8k3p1s2-relu6-fc10", "conv8k3s2p1-relu-fc10"),
        ("dropout0.5-fc10", "drop50-fc10"),
        ("avgpool-batchnorm-fc10", "avg2-bn-fc10"),
    ],
)
def test_a_near_miss_is_understood(written: str, meant: str) -> None:
    found = near_miss(written)
    assert found is not None
    assert str(found.spec) == meant
    assert all(before != after for before, after in found.corrected)


@pytest.mark.parametrize(
    "written", ["", "fc", "conv", "conv10k5relu", "conv(10,5)", "what", "conv512k3-maxpool2", "relu-"]
)
def test_what_cannot_be_guessed_is_not_guessed(written: str) -> None:
    assert near_miss(written) is None


@given(networks())
def test_what_is_right_is_no_near_miss(spec: NetworkSpec) -> None:
    assert near_miss(str(spec)) is None


@given(st.text(alphabet="convmaxpoolfcdense0123456789kspd ->,.", max_size=80))
def test_any_text_is_understood_or_not(text: str) -> None:
    near_miss(text)


def test_a_long_text_takes_no_time() -> None:
    start = time.process_time()
    assert near_miss("convo" * 300_000) is None
    near_miss("-".join(["maxpool2"] * 44))
    assert time.process_time() - start < 1
