"""Change one thing about a network: its filters and maps stay what they were."""

import pytest
import torch
from continuity import kernel_cosines, map_correlation
from settings import kernel_sizes

from cnn_explorer import LECTURE, load_network, parse
from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.weights.evaluation import as_input


@pytest.mark.parametrize(
    "architecture",
    [
        "conv10k5s2-max2-relu-conv20k5-max2-relu-fc10",
        "conv10k5-avg2-relu-conv20k5-max2-relu-fc10",
        "conv10k5p1-max2-relu-conv20k5-max2-relu-fc10",
        "conv10k5-max2-relu-conv21k5-max2-relu-fc10",
        "conv8k5-max2-tanh-conv20k5-max2-relu-fc10",
        "conv10k3-max2-relu-conv20k5-max2-relu-fc10",
        "conv10k5-max2-relu-conv20k7p3-max2-relu-fc10",
        "conv10k5-max2-relu-conv20k5-relu-fc10",
        "conv10k5-avg2-relu-conv20k5-avg2-relu-fc10",
        "conv10k5-max2-relu-conv20k5-max2-relu-conv8k3-relu-fc10",
    ],
)
def test_channels_of_the_lectures_network_stay_what_they_are(architecture: str) -> None:
    spec = parse(architecture)
    lecture, changed = (load_network(each, measure=False).module for each in (LECTURE, spec))
    for name, cosine in kernel_cosines(lecture, changed).items():
        block = int(name.removeprefix("conv")) - 1
        same_size = block < 2 and kernel_sizes(spec)[block] == kernel_sizes(LECTURE)[block]
        assert cosine >= (0.85 if same_size else 0.7), name
    correlation = map_correlation(lecture, changed, as_input(torch.tensor(bundled_digits().images[:200])))
    assert correlation is None or correlation >= 0.9


def test_other_filters_would_be_noticed() -> None:
    lecture, other = load_network(LECTURE).module, load_network(LECTURE).module
    conv1 = other.get_submodule("conv1")
    with torch.no_grad():
        conv1.weight.copy_(conv1.weight.roll(1, dims=0))
    assert kernel_cosines(lecture, other)["conv1"] < 0.5
    assert kernel_cosines(lecture, other)["conv2"] == pytest.approx(1)
    assert map_correlation(lecture, other, as_input(torch.tensor(bundled_digits().images[:20]))) < 0.9
