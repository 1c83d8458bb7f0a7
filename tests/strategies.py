"""Random layers and networks: mostly small numbers, every parameter, valid and invalid geometry alike."""

from hypothesis import strategies as st

from cnn_explorer.spec.layers import (
    ACTIVATIONS,
    ActivationSpec,
    BatchNorm2dSpec,
    Conv2dSpec,
    DropoutSpec,
    FlattenSpec,
    IntOrPair,
    LayerSpec,
    LinearSpec,
    Pool2dSpec,
)
from cnn_explorer.spec.network import NetworkSpec


def extents(low: int, usual: int, rare: int = 28) -> st.SearchStrategy[IntOrPair]:
    """An int or a pair from `low`, mostly up to `usual`, now and then up to `rare`."""
    side = st.sampled_from([*range(low, usual + 1)] * 12 + [*range(usual + 1, rare + 1)])
    return st.one_of(side, side, st.tuples(side, side))


channels = st.sampled_from([1, 2, 3, 4, 6, 8, 12, 16, 256])
convolutions = st.builds(
    Conv2dSpec,
    channels,
    extents(1, 5),
    extents(1, 3),
    extents(0, 2),
    extents(1, 2),
    st.sampled_from([1, 1, 1, 1, 1, 2, 3, 4]),
)
poolings = st.builds(
    Pool2dSpec, st.sampled_from(["max", "avg"]), extents(1, 4), st.one_of(st.just(0), extents(1, 3)), extents(0, 1)
)
keeping = st.one_of(
    st.builds(ActivationSpec, st.sampled_from([*ACTIVATIONS])),
    st.just(BatchNorm2dSpec()),
    st.builds(DropoutSpec, st.integers(0, 95).map(lambda percent: percent / 100)),
)
linears = st.builds(LinearSpec, st.one_of(st.integers(1, 20), st.integers(1, 4096)))
map_layers: st.SearchStrategy[LayerSpec] = st.one_of(convolutions, poolings, keeping)
any_layer: st.SearchStrategy[LayerSpec] = st.one_of(map_layers, linears, st.just(FlattenSpec()))


@st.composite
def networks(draw: st.DrawFn) -> NetworkSpec:
    """Feature maps, then features, as networks are; one in four with its layers in any order."""
    if draw(st.integers(0, 3)) == 0:
        return NetworkSpec(tuple(draw(st.lists(any_layer, min_size=1, max_size=9))))
    maps = draw(st.lists(map_layers, min_size=1, max_size=7))
    features = draw(st.lists(st.one_of(linears, linears, keeping, st.just(FlattenSpec())), max_size=4))
    return NetworkSpec((*maps, *features))
