"""Draw a digit, change the network, see every layer live."""

import streamlit as st
from starlette.middleware import Middleware

from cnn_explorer.ui import server, shell, state, widgets
from cnn_explorer.ui.boundary import guarded, uncaught
from cnn_explorer.ui.controlled import listening
from cnn_explorer.ui.draw import controls
from cnn_explorer.ui.draw.code import code_beside
from cnn_explorer.ui.draw.live import live_view
from cnn_explorer.ui.headers import ResponseHeaders
from cnn_explorer.ui.loading import torch_loading
from cnn_explorer.ui.run_queue import RunQueue


@st.fragment(key=widgets.PAGE)
@guarded(stop=True)
@listening()
def page() -> None:
    """Everything that follows the drawing and the network; a change reruns this and leaves the page's frame alone."""
    controls.top_row()
    with code_beside(state.architecture()):
        live_view()
    controls.block_groups()


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
