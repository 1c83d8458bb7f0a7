"""Named kernels on a picture: before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from cnn_explorer.digits.preprocessing import grey_pixels
from cnn_explorer.numbers import codegen
from cnn_explorer.numbers.cutout import Cutout, cut_convolution
from cnn_explorer.numbers.scenes import LEARNED, MAX_KERNEL, NAMED_KERNELS, Grid, PictureScene
from cnn_explorer.spec.layers import Conv2dSpec
from cnn_explorer.spec.network import LECTURE
from cnn_explorer.ui import caches, grid_player, own_weights, state, widgets
from cnn_explorer.ui.controlled import chosen, controlled
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.numbers import controls as number_controls
from cnn_explorer.ui.numbers.state import NumberPage
from cnn_explorer.ui.session import remembered
from cnn_explorer.ui.uploads import picture_uploader, upload_error

if TYPE_CHECKING:
    from cnn_explorer.weights.load import TrainedNetwork

SIDE = 280  # pixels of an uploaded picture that are kept
SHOWN = 392  # CSS pixels: 14 for each of a digit's
ABOUT = "One pixel of the result with its window: the picture from 0 (black) to 1 (white), no number rounded."
UPLOAD, SOURCE = "conv_upload", "conv_source"  # keys of widgets
DRAWING_SOURCE, PICTURE_SOURCE = "Your drawing", "Your picture"
FRAME = (214, 51, 132)  # seen on black, on white, on blue and on orange
# The colours of numbers that can be negative: blue below zero, orange above, as everywhere in the app.
BELOW, ZERO, ABOVE = np.array([16, 78, 155]), np.array([246, 246, 246]), np.array([166, 70, 0])

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
    wanted = scene.pixel or (pixels.shape[0] // 2, pixels.shape[1] // 2)
    pixel = min(wanted[0], pixels.shape[0] - 1), min(wanted[1], pixels.shape[1] - 1)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        _shown(
            Image.fromarray(pixels),
            f"Before: {pixels.shape[1]}×{pixels.shape[0]} pixels",
            "The picture before the kernel",
            pixel,
            len(kernel),
        )
        with st.container(width=max(230, 62 * len(kernel))):
            st.caption(about(scene))
            st.latex(_matrix(kernel))
            _pixel_choice(page, scene, pixel, pixels.shape)
        signed = is_signed(scene.kernel)
        caption = (
            f"After: from {values.min():.2f} (blue) over 0 to {values.max():.2f} (orange)".replace("-", "−")
            if signed
            else "After"
        )
        _shown(picture_of(values, signed), caption, f"The picture after {scene.kernel}", pixel, 1)
    cutout = cutout_of(pixels, kernel, values, pixel)
    source = grid_player.Source("result", 0, "image", [])
    grid_player.mount(grid_player.cutout_data("picture", cutout, source), ABOUT, page.player_key, 0)
    number_controls.show_code(codegen.picture_code(pixels, kernel))


def _pixel_choice(page: NumberPage, scene: PictureScene, pixel: tuple[int, int], shape: tuple[int, ...]) -> None:
    """The pixel that is looked at, to be changed."""
    with st.container(horizontal=True, gap="xsmall"):
        for axis, name in enumerate(("row", "column")):

            def go(value: int, axis: int = axis) -> None:
                page.show(PictureScene(scene.kernel, (value, pixel[1]) if axis == 0 else (pixel[0], value)))

            widget = controlled(page.key(f"picture_{name}"), pixel[axis], go)
            st.number_input(name, 0, shape[axis] - 1, width=widgets.NUMBER_WIDTH, **widget)


def cutout_of(pixels: np.ndarray, kernel: Grid, values: np.ndarray, pixel: tuple[int, int]) -> Cutout:
    """The numbers around a pixel: the picture in [0, 1], the kernel and the result, none of them rounded.

    The padding is the convolution's own, which keeps the size.
    """
    spec = Conv2dSpec(1, len(kernel), padding=len(kernel) // 2)
    weight = np.array(kernel)[None, None]
    return cut_convolution(spec, 1, pixels[None] / 255, weight, np.zeros(1), values[None], (0, *pixel))


def about(scene: PictureScene) -> str:
    """What a kernel does, or where it comes from."""
    if scene.kernel in WHAT:
        return f"The kernel {WHAT[scene.kernel]}."
    number, network, whose = _learned(scene)
    return f"The kernel is number {number + 1} of {whose} conv1. {plain(network.label.sentence)}"


def kernel_of(scene: PictureScene) -> Grid:
    """The numbers of a named kernel, or of one that a network has learned in its first layer."""
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


def is_signed(kernel: str) -> bool:
    """True if the result can be negative, so that it is shown in two colours and not from black to white."""
    return kernel not in ("Identity", "Blur", "Sharpen", "Emboss")


def picture_of(values: np.ndarray, signed: bool) -> Image.Image:
    """`(H, W)` as a picture: grey from 0 to 1, or blue below zero and orange above, with full colour at the largest
    magnitude.
    """
    if not signed:
        return Image.fromarray((255 * values.clip(0, 1)).round().astype(np.uint8))
    share = (values / (np.abs(values).max() or 1))[..., None]
    colours = ZERO + np.where(share < 0, -share * (BELOW - ZERO), share * (ABOVE - ZERO))
    return Image.fromarray(colours.round().astype(np.uint8))


def _matrix(kernel: Grid) -> str:
    digits = "{:.2f}" if any(value != int(value) for row in kernel for value in row) else "{:.0f}"
    rows = (" & ".join(digits.format(value) for value in row) for row in kernel)
    return r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"


def _shown(picture: Image.Image, caption: str, alt: str, pixel: tuple[int, int], side: int) -> None:
    """A picture, enlarged, with a frame around `side` × `side` pixels whose middle is `pixel`."""
    scale = SHOWN / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    with st.container(width=size[0]):
        large = picture.resize(size, Image.Resampling.NEAREST).convert("RGB")
        row, column = (place - side // 2 for place in pixel)
        frame = [round(scale * at) for at in (column, row, column + side, row + side)]
        ImageDraw.Draw(large).rectangle(frame, outline=FRAME, width=3)
        st.image(large, width=size[0], alt=alt)
        st.caption(caption)


# --- choosing ---


def _kernel_choice(page: NumberPage, scene: PictureScene) -> None:
    kernels = [*NAMED_KERNELS, *LEARNED]
    st.selectbox(
        "Kernel",
        width=200,
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
