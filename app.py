"""Draw a digit, change the network, see every layer live."""

import streamlit as st
from starlette.middleware import Middleware

from cnn_explorer.ui import caches, server, shell, state, widgets
from cnn_explorer.ui.boundary import guarded, uncaught
from cnn_explorer.ui.controlled import listening
from cnn_explorer.ui.draw import controls
from cnn_explorer.ui.draw.code import code_beside, code_switch
from cnn_explorer.ui.draw.live import live_view, stages
from cnn_explorer.ui.headers import ResponseHeaders
from cnn_explorer.ui.loading import torch_loading
from cnn_explorer.ui.run_queue import RunQueue


@st.fragment(key=widgets.PAGE)
@guarded(stop=True)
@listening()
def page() -> None:
    """Everything that follows the drawing and the network; a change reruns this and leaves the page's frame alone."""
    shapes = caches.shapes_of(state.architecture())
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="top_row"):
        controls.about_presets()
        widgets.preset_choice(shapes.spec, controls.show)
        typing_error = controls.architecture_text(shapes.spec)
        controls.picture_popover()
        stages()
        code_switch()
        controls.own_weights_button()
    controls.notices(typing_error)
    with code_beside(str(shapes.spec)):
        live_view()
    controls.block_groups(shapes)


if st.runtime.exists():
    shell.open_page("Draw", state.FIRST_PAGE)
    with guarded(stop=True):
        page()
        torch_loading().start()
    shell.footer()
else:  # `streamlit run` imports this file before there is a server, looks for `app`, and serves it
    app = st.App(
        __file__,
        lifespan=server.lifespan,
        routes=server.ROUTES,
        middleware=[Middleware(ResponseHeaders, modules=shell.modules()), Middleware(RunQueue)],
        on_script_error=uncaught,
    )
