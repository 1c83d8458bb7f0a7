"""One convolution, number by number: a kernel slides, multiplies, adds up; channels, kernels and
groups step by step.
"""

import streamlit as st

from cnn_explorer.numbers import codegen
from cnn_explorer.numbers.examples import CONV_PRESETS
from cnn_explorer.numbers.scenes import ClassicScene, ConvScene, NetworkScene, PictureScene
from cnn_explorer.spec.layers import Conv2dSpec
from cnn_explorer.ui import grid_player, shell, widgets
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.classics.one_value import classic_step
from cnn_explorer.ui.controlled import listening
from cnn_explorer.ui.numbers import controls as number_controls
from cnn_explorer.ui.numbers.network import network_step
from cnn_explorer.ui.numbers.pictures import picture_changed, picture_step
from cnn_explorer.ui.numbers.state import CONVOLUTION

STEPS = {
    "one": "One channel",
    "channels": "Several channels",
    "kernels": "Many kernels",
    "groups": "Groups",
    "picture": "On a picture",
    "flip": "Why cross-correlation",
    "network": "From your network",
    "classic": "From a classic network",
}
SLIDING = ("kernel_size", "stride", "padding", "dilation")
PARAMETERS = {
    "one": ("height", "width", *SLIDING),
    "channels": ("in_channels", "height", "width", *SLIDING),
    "kernels": ("in_channels", "out_channels", *SLIDING),
    "groups": ("in_channels", "out_channels", "groups", "kernel_size", "stride", "padding"),
    "flip": ("height", "width", *SLIDING),
}
ABOUT = {
    "one": "Lay the kernel on a window of the input, multiply cell by cell, add up: one number of the output.",
    "channels": "Every input channel has a kernel of its own. Their partial results and the bias add up to one map.",
    "kernels": "Every output channel has kernels of its own: together one tensor with four axes.",
    "groups": "An output channel sees its own group of input channels only; groups = in_channels: depthwise.",
    "flip": (
        "A convolution turns the kernel by 180° first; conv2d does not, which is a cross-correlation. "
        "Learned kernels make up for it."
    ),
}


@st.fragment
@guarded(stop=True)
@listening()
def page() -> None:
    """Everything that follows the numbers; a change reruns this alone."""
    CONVOLUTION.apply_edits(picture_changed)
    number_controls.header(CONVOLUTION, "Convolution, number by number", STEPS)
    step, scene = CONVOLUTION.step, CONVOLUTION.scene
    if isinstance(scene, PictureScene):
        picture_step(CONVOLUTION, scene)
        return
    if isinstance(scene, NetworkScene):
        network_step(CONVOLUTION, scene, Conv2dSpec, "convolution")
        return
    if isinstance(scene, ClassicScene):
        classic_step(CONVOLUTION, scene)
        return
    assert isinstance(scene, ConvScene)
    number_controls.parameters(CONVOLUTION, PARAMETERS[step], CONV_PRESETS[step])
    number_controls.problem(CONVOLUTION)
    if not widgets.ready():
        return
    if step == "flip":
        flip_step(scene)
        return
    data = grid_player.convolution_data(step, scene, matrix=step in ("kernels", "groups"))
    number_controls.player(CONVOLUTION, data, ABOUT[step], codegen.convolution_code(scene))


def flip_step(scene: ConvScene) -> None:
    """The kernel as it is, which is what `conv2d` computes, and turned by 180°, which is what the formula says."""
    number_controls.flip_switch(CONVOLUTION, scene)
    code = codegen.flip_code(scene) if scene.flip else codegen.convolution_code(scene)
    number_controls.player(CONVOLUTION, grid_player.flip_data("flip", scene), ABOUT["flip"], code)


shell.open_page("Convolution", CONVOLUTION.address)
page()
shell.footer()
