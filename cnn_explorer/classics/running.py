"""Networks with their trained weights, run on pictures. Called in the process of `worker`, which has torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cnn_explorer.classics import lite0
from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.photographs import decoded

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor, nn

ANSWERS = 5

Colour = tuple[float, float, float]  # red, green, blue


@dataclass(frozen=True)
class Preprocessing:
    """What weights expect of a picture: its shorter side scaled to `resize` pixels by `interpolation`, the middle
    `crop` × `crop` pixels cut out, and values from 0 to 1 normalised by the `mean` and `std` of each colour.
    """

    resize: int
    crop: int
    interpolation: str
    mean: Colour
    std: Colour


@dataclass(frozen=True)
class Answer:
    """A class of ImageNet by its `label`, and its `probability`."""

    label: str
    probability: float


@dataclass(frozen=True)
class Classified:
    """What a network says of a picture, with the steps before.

    `resized` and `cropped` are `(H, W, 3)`, uint8. `pixel` is the one in the middle of `cropped`, and `normalised` the
    same as the network gets it. `answers` are the most probable first.
    """

    preprocessing: Preprocessing
    resized: np.ndarray
    cropped: np.ndarray
    pixel: tuple[int, int, int]
    normalised: Colour
    answers: tuple[Answer, ...]


def classify(name: str, picture: bytes) -> Classified:
    """Run a network with its trained weights on a JPEG file.

    Raises `ValueError` for a network without weights, or with damaged ones.
    """
    import torch

    torch.set_num_threads(1)  # the other core is for the app's own process
    preprocessing = preprocessing_of(name)
    resized, cropped = scaled(decoded(picture), preprocessing)
    image = normalised(cropped, preprocessing)
    with torch.no_grad():
        probabilities = trained(name)(image).softmax(1)[0]
    best = probabilities.topk(ANSWERS)
    middle = preprocessing.crop // 2
    red, green, blue = np.asarray(cropped)[middle, middle].tolist()
    first, second, third = image[0, :, middle, middle].tolist()
    return Classified(
        preprocessing,
        np.asarray(resized),
        np.asarray(cropped),
        (red, green, blue),
        (first, second, third),
        tuple(
            Answer(categories()[place], probability)
            for place, probability in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ),
    )


def preprocessing_of(name: str) -> Preprocessing:
    """What a network's weights expect. Raises `ValueError` for a network without weights."""
    if name != LITE0:
        raise ValueError(f"the weights of {name} do not come with the app")
    return Preprocessing(256, 224, "bicubic", (lite0.MEAN,) * 3, (lite0.STD,) * 3)


@cache
def trained(name: str) -> nn.Module:
    """A network with its trained weights, in evaluation mode. Raises `ValueError` as `classify` does."""
    preprocessing_of(name)
    return lite0.load()


@cache
def categories() -> list[str]:
    """ImageNet's 1,000 classes, in the order of the networks' outputs."""
    from torchvision.models import MobileNet_V2_Weights

    labels: list[str] = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    return labels


def scaled(picture: Image.Image, preprocessing: Preprocessing) -> tuple[Image.Image, Image.Image]:
    """A picture after its resizing, and after its cropping."""
    from torchvision.transforms import functional

    interpolation = functional.InterpolationMode(preprocessing.interpolation)
    resized = functional.resize(picture, [preprocessing.resize], interpolation)
    return resized, functional.center_crop(resized, [preprocessing.crop])


def normalised(picture: Image.Image, preprocessing: Preprocessing) -> Tensor:
    """`(1, 3, H, W)`, float32: what the network gets."""
    from torchvision.transforms import functional

    values: Tensor = functional.to_tensor(picture)
    values = functional.normalize(values, list(preprocessing.mean), list(preprocessing.std))
    return values[None]
