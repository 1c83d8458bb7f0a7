"""Train on MNIST: filters, maps, loss and accuracy while they change; where it fails; two networks side by side."""

import streamlit as st

from cnn_explorer.data import has_mnist
from cnn_explorer.ui import controls, number_controls, shell
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.controlled import listening


@st.fragment(key=controls.PAGE)
@guarded(stop=True)
@listening()
def page() -> None:
    """Everything that follows networks, digits and recipe."""
    from cnn_explorer.ui import training_controls, training_state
    from cnn_explorer.ui.training_live import AWAITED, live
    from cnn_explorer.ui.training_results import results

    st.session_state[AWAITED] = False  # the results follow in this very run

    training_state.hold_others()
    training_controls.header()
    controls.show_notices(training_state.notices())
    if training_state.recipe().data == "mnist" and not has_mnist():
        training_controls.digits_missing()
        return
    live()
    results()


shell.open_page("Train")
with guarded(stop=True):
    if number_controls.ready():
        from cnn_explorer.ui import training_state

        training_state.read_url()
        page()
