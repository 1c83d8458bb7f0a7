"""A kernel on a picture: before and after, live."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image

from cnn_explorer.digits.preprocessing import grey_pixels
from cnn_explorer.numbers import codegen
from cnn_explorer.numbers.scenes import LEARNED, MAX_KERNEL, NAMED_KERNELS, OWN_KERNEL, Grid, PictureScene, SceneError
from cnn_explorer.spec.network import LECTURE
from cnn_explorer.text import quoted
from cnn_explorer.ui import caches, grid_player, own_weights, state, widgets
from cnn_explorer.ui.controlled import chosen
from cnn_explorer.ui.numbers import controls as number_controls
from cnn_explorer.ui.numbers.state import NumberPage, Scene, changed
from cnn_explorer.ui.session import remembered
from cnn_explorer.ui.uploads import picture_uploader, upload_error

if TYPE_CHECKING:
    from cnn_explorer.weights.load import TrainedNetwork

SIDE = 280  # pixels of an uploaded picture that are kept
UPLOAD, SOURCE = "conv_upload", "conv_source"  # keys of widgets
DRAWING_SOURCE, PICTURE_SOURCE = "Your drawing", "Your picture"
WHAT = {
    "Identity": "leaves everything as it is",
    "Blur": "takes the mean of nine pixels",
    "Sharpen": "lifts a pixel out of its surroundings",
    "Sobel x": "finds vertical edges: right minus left",
    "Sobel y": "finds horizontal edges: below minus above",
    "Laplacian": "finds spots and lines: the surroundings minus the middle",
    "Emboss": "lights the picture from one corner",
}


@dataclass
class _Picture:
    """The grey pixels of an uploaded picture, `(H, W)` uint8, if there is one."""

    uploaded: np.ndarray | None = None


def picture_changed(scene: Scene, edit: grid_player.Edit) -> Scene:
    """A scene after an edit in the browser; in a picture's, a pixel may have been chosen. Raises `SceneError`."""
    if not isinstance(scene, PictureScene):
        return changed(scene, edit)
    if edit.part == "pixel":
        row, column = edit.index
        return replace(scene, pixel=(row, column))
    if edit.part != "weight":
        raise SceneError(f"a picture has no {quoted(edit.part)} to be changed")
    *_, row, column = edit.index
    return scene.with_number(kernel_of(scene), row, column, edit.value)


def picture_step(page: NumberPage, scene: PictureScene) -> None:
    """The choice of a picture and a kernel, and the picture before and after the kernel."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _kernel_choice(page, scene)
        pixels = _picture()
    if upload_error(UPLOAD):
        st.error(upload_error(UPLOAD))
    if not widgets.ready():
        return
    kernel = kernel_of(scene)
    values = filtered(pixels, kernel)
    wanted = scene.pixel or (values.shape[0] // 2, values.shape[1] // 2)
    pixel = min(wanted[0], values.shape[0] - 1), min(wanted[1], values.shape[1] - 1)
    data = grid_player.picture_data(pixels, kernel, values, pixel, signed=scene.kernel in LEARNED)
    grid_player.mount(data, about(scene), page.player_key, page.confirmed)
    number_controls.show_code(codegen.picture_code(pixels, kernel))


def about(scene: PictureScene) -> str:
    """What a kernel does, or where it comes from."""
    if scene.kernel == OWN_KERNEL:
        return "The kernel has your own numbers."
    if scene.kernel in WHAT:
        return f"The kernel {WHAT[scene.kernel]}."
    number, network, whose = _learned(scene)
    return f"The kernel is number {number + 1} of {whose} conv1. {network.label.sentence}"


def kernel_of(scene: PictureScene) -> Grid:
    """The numbers of a named kernel, of the visitor's own, or of one that a network has learned in its first layer."""
    if scene.kernel == OWN_KERNEL:
        return scene.own
    if scene.kernel in NAMED_KERNELS:
        return NAMED_KERNELS[scene.kernel]
    number, network, _ = _learned(scene)
    rows: list[list[float]] = network.module.state_dict()["conv1.weight"][number, 0].double().tolist()
    return tuple(map(tuple, rows))


def _learned(scene: PictureScene) -> tuple[int, TrainedNetwork, str]:
    """The index of a learned kernel, its network, and whose network that is.

    It is the visitor's own if that has such a kernel and the kernel is square, else the lecture's.
    """
    number, mine = LEARNED.index(scene.kernel), own_weights.own()
    if mine and "conv1.weight" in mine.module.state_dict():
        count, _, height, width = mine.module.state_dict()["conv1.weight"].shape
        if number < count and height == width <= MAX_KERNEL:
            return number, mine, "your"
    return number, caches.network_of(str(LECTURE)), "the lecture's"


def filtered(pixels: np.ndarray, kernel: Grid) -> np.ndarray:
    """`(H, W)` uint8 from black to white as 0 to 1, through `conv2d` with the size kept → `(H, W)` float64."""
    import torch

    x = torch.from_numpy(pixels[None] / 255)
    weight = torch.tensor(kernel, dtype=torch.float64)[None, None]
    values: np.ndarray = torch.nn.functional.conv2d(x, weight, padding=len(kernel) // 2)[0].numpy()
    return values


# --- choosing ---


def _kernel_choice(page: NumberPage, scene: PictureScene) -> None:
    kernels = [*NAMED_KERNELS, *LEARNED]
    st.selectbox(
        "Kernel",
        width=200,
        placeholder="Your own numbers",
        **chosen(page.key("filter"), scene.kernel, kernels, lambda name: page.show(PictureScene(name, scene.pixel))),
    )


def _picture() -> np.ndarray:
    """The pixels to work on: the drawing's, or those of an uploaded picture, which stays in the session."""
    uploaded = remembered(_Picture).uploaded
    if uploaded is not None:
        st.session_state.setdefault(SOURCE, PICTURE_SOURCE)
        st.segmented_control("Picture", [DRAWING_SOURCE, PICTURE_SOURCE], key=SOURCE, required=True)
    with st.popover("Upload a picture", icon=":material/upload:"):
        picture_uploader("Any picture; it is shown in grey", UPLOAD, _keep_upload)
    if uploaded is not None and st.session_state[SOURCE] == PICTURE_SOURCE:
        return uploaded
    return state.drawing().preprocess().pixels


def _keep_upload(picture: Image.Image) -> str:
    remembered(_Picture).uploaded = grey_pixels(picture, SIDE)
    st.session_state[SOURCE] = PICTURE_SOURCE
    return ""
