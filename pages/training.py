"""Train on MNIST: filters, maps, loss and accuracy while they change; where it fails; two networks side by side."""

import streamlit as st

from cnn_explorer.digits.data import has_mnist
from cnn_explorer.ui import shell, widgets
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.controlled import listening


@st.fragment(key=widgets.PAGE)
@guarded(stop=True)
@listening()
def page() -> None:
    """Everything that follows networks, digits and recipe."""
    from cnn_explorer.ui.train import controls as training_controls
    from cnn_explorer.ui.train import state as training_state
    from cnn_explorer.ui.train.live import AWAITED, live
    from cnn_explorer.ui.train.results import results

    st.session_state[AWAITED] = False  # the results follow in this very run

    training_state.hold_others()
    training_controls.header()
    widgets.show_notices(training_state.notices())
    if training_state.recipe().data == "mnist" and not has_mnist():
        training_controls.digits_missing()
        return
    live()
    results()


shell.open_page("Train")
with guarded(stop=True):
    if widgets.ready():
        from cnn_explorer.ui.train import state as training_state

        training_state.read_url()
        page()
