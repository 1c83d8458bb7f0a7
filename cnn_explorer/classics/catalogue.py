"""The networks of the page "Classic networks", by families. Loads no torch: torchvision's own metadata is read by
`tracing.facts`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cnn_explorer.text import quoted


@dataclass(frozen=True)
class Network:
    """A network by torchvision's `name`, its `title` on the page, and the `size` of the pictures that its weights are
    made for, in pixels a side.
    """

    name: str
    title: str
    size: int = 224


@dataclass(frozen=True)
class Family:
    """Networks of one kind: the `year` of the paper, what it `added` and why, and the `block` that shows it, as the
    path of a part of `shown`, the network to open it in.
    """

    title: str
    year: int
    added: str
    networks: tuple[Network, ...]
    shown: str
    block: str


LITE0 = "efficientnet_lite0"  # the one network that is not torchvision's: see `lite0`
FAMILIES = (
    Family(
        "AlexNet",
        2012,
        "Five convolutions and three linear layers, made large and trained on a million photographs: ReLU in place of "
        "tanh, because its gradient does not vanish, and dropout, because 58 of 61 million parameters are in the "
        "linear layers.",
        (Network("alexnet", "AlexNet"),),
        "alexnet",
        "stage1",
    ),
    Family(
        "VGG",
        2014,
        "Stacks of 3 × 3 convolutions only. Two of them see 5 × 5 pixels, three see 7 × 7, with fewer parameters than "
        "one large kernel and a ReLU after each. Batch norm was added later, to train them from scratch.",
        (
            *(Network(f"vgg{depth}", f"VGG-{depth}") for depth in (11, 13, 16, 19)),
            *(Network(f"vgg{depth}_bn", f"VGG-{depth} with batch norm") for depth in (11, 13, 16, 19)),
        ),
        "vgg16",
        "stage3",
    ),
    Family(
        "Inception",
        2014,
        "Branches with kernels of several sizes read the same input, and their maps are joined. A 1 × 1 convolution "
        "comes first in each branch and reduces the channels, so that the large kernels stay cheap.",
        (Network("googlenet", "GoogLeNet (Inception v1)"), Network("inception_v3", "Inception v3", 299)),
        "googlenet",
        "stage1.inception3a",
    ),
    Family(
        "ResNet",
        2015,
        "A block adds its input to its output, so it only has to learn the difference. The gradient reaches early "
        "layers through the additions, and networks of a hundred layers and more can be trained.",
        tuple(Network(f"resnet{depth}", f"ResNet-{depth}") for depth in (18, 34, 50, 101, 152)),
        "resnet50",
        "layer1.0",
    ),
    Family(
        "DenseNet",
        2016,
        "Every layer reads the maps of all layers before it in its block, joined together. Nothing is computed twice, "
        "so a layer needs to add a few maps only, and the network needs few parameters.",
        tuple(Network(f"densenet{depth}", f"DenseNet-{depth}") for depth in (121, 161, 169, 201)),
        "densenet121",
        "denseblock1.denselayer2",
    ),
    Family(
        "SqueezeNet",
        2016,
        "AlexNet's accuracy with a fiftieth of its parameters: 1 × 1 convolutions squeeze the channels before each "
        "3 × 3, and a global average takes the place of the large linear layers.",
        (Network("squeezenet1_0", "SqueezeNet 1.0"), Network("squeezenet1_1", "SqueezeNet 1.1")),
        "squeezenet1_1",
        "stage1.3",
    ),
    Family(
        "MobileNet",
        2018,
        "Depthwise convolutions, one kernel a channel, followed by 1 × 1 convolutions that mix the channels: a "
        "fraction of the multiply-adds, for phones. The additions join the narrow ends of the blocks.",
        (Network("mobilenet_v2", "MobileNet v2"),),
        "mobilenet_v2",
        "stage2.3",
    ),
    Family(
        "EfficientNet",
        2019,
        "MobileNet's blocks, with kernels, widths and depths that a search found. Lite0 is the smallest for phones: "
        "without the parts that do not work well with whole numbers. Its weights come with the app.",
        (Network(LITE0, "EfficientNet-Lite0"),),
        LITE0,
        "layer2.1",
    ),
)
NETWORKS = {network.name: network for family in FAMILIES for network in family.networks}
FIRST = LITE0  # what the page opens with
SIZES = (1, 512)  # smallest and largest input, in pixels a side


def network_named(name: str) -> Network:
    """A network of the catalogue by torchvision's name. Raises `ValueError` for any other."""
    if name not in NETWORKS:
        raise ValueError(f"there is no network named {quoted(name)}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name]


def family_of(name: str) -> Family:
    """The family of a network, by torchvision's name."""
    return next(family for family in FAMILIES if any(network.name == name for network in family.networks))
