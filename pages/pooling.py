"""One pooling, number by number: max, average and none beside each other, a shift by a pixel, adaptive and global
pooling.
"""

import streamlit as st

from cnn_explorer.numbers import codegen
from cnn_explorer.numbers.examples import POOL_PRESETS
from cnn_explorer.numbers.scenes import NetworkScene, PoolScene
from cnn_explorer.numbers.wording import COUNTED
from cnn_explorer.spec.layers import Pool2dSpec
from cnn_explorer.ui import grid_player, shell
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.controlled import listening
from cnn_explorer.ui.numbers import controls as number_controls
from cnn_explorer.ui.numbers.network import network_step
from cnn_explorer.ui.numbers.state import POOLING, changed

STEPS = {
    "compare": "Max, average, none",
    "shift": "A shift by a pixel",
    "adaptive": "Adaptive and global",
    "network": "From your network",
}
PARAMETERS = {
    "compare": ("in_channels", "height", "width", "kernel_size", "stride", "padding"),
    "shift": ("shift", "height", "width", "kernel_size", "stride", "padding"),
    "adaptive": ("output_size", "in_channels", "height", "width"),
}
VIEWS = {"compare": grid_player.pooling_data, "shift": grid_player.shift_data, "adaptive": grid_player.adaptive_data}
CODE = {"compare": codegen.pooling_code, "shift": codegen.shift_code, "adaptive": codegen.adaptive_code}
ABOUT = {
    "compare": (
        "A window gives one number: its largest, or its mean. Every channel is pooled by itself, so their number stays."
        f" {COUNTED}"
    ),
    "shift": "",  # the scene's own sentence, which has its counts
    "adaptive": "The output's size is given and the windows follow from it; 1 is global pooling: one number a channel.",
}


@st.fragment
@guarded(stop=True)
@listening()
def page() -> None:
    """Everything that follows the numbers; a change reruns this alone."""
    POOLING.apply_edits(changed)
    number_controls.header(POOLING, "Pooling, number by number", STEPS)
    step, scene = POOLING.step, POOLING.scene
    if isinstance(scene, NetworkScene):
        network_step(POOLING, scene, Pool2dSpec, "pooling")
        return
    assert isinstance(scene, PoolScene)
    number_controls.parameters(POOLING, PARAMETERS[step], POOL_PRESETS[step])
    if step != "adaptive":  # whose windows always fit
        number_controls.problem(POOLING)
    else:
        st.empty()
    number_controls.player(POOLING, VIEWS[step](step, scene), ABOUT[step], CODE[step](scene))


shell.open_page("Pooling", POOLING.address)
page()
shell.footer()
