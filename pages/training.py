"""Train on MNIST: filters, maps, loss and accuracy while they change; where it fails; two networks side by side."""

import streamlit as st

from cnn_explorer.digits.data import has_mnist
from cnn_explorer.ui import shell, widgets
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.controlled import listening
from cnn_explorer.ui.session import remembered
from cnn_explorer.ui.train import choices, progress
from cnn_explorer.ui.train.progress import ADDRESS


@st.fragment(key=widgets.PAGE)
@guarded(stop=True)
@listening()
def page() -> None:
    """Everything that follows networks, digits and recipe."""
    from cnn_explorer.ui.train import controls
    from cnn_explorer.ui.train.live import Watch, live
    from cnn_explorer.ui.train.results import results

    remembered(Watch).results_wait = False  # they are shown in this very run

    progress.pause_others()
    controls.header()
    widgets.show_notices(ADDRESS.notices())
    if choices.recipe().data == "mnist" and not has_mnist():
        controls.digits_missing()
        return
    live()
    results()


shell.open_page("Train", ADDRESS)
with guarded(stop=True):
    if widgets.ready():
        page()
shell.footer()
