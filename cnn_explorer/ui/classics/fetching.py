"""Weights that are still to be downloaded: how large they are, a button, how far the download is."""

from __future__ import annotations

import streamlit as st

from cnn_explorer.classics import running
from cnn_explorer.classics.catalogue import LITE0, NETWORKS
from cnn_explorer.classics.downloads import Progress
from cnn_explorer.ui.boundary import careful, guarded
from cnn_explorer.ui.classics import kept, state
from cnn_explorer.ui.classics.later import ASKED_AGAIN

BAR = """<div style="max-width: 420px; height: 7px; background: color-mix(in srgb, currentColor 18%, transparent)">
<div style="width: {percent:.1f}%; height: 7px; background: #2f7ed8"></div></div>"""


def fetching(name: str) -> None:
    """Let the visitor download a network's weights, or open the network that comes with its own."""
    title, megabytes = NETWORKS[name].title, kept.facts()[name].megabytes
    memory, limit = running.memory_for(megabytes), running.memory_limit()
    if memory > limit:
        st.markdown(
            f"The weights of {title} need about {memory:,.0f} MB of memory, and this server gives {limit:,.0f} MB to "
            f"networks. `{running.MEMORY}` sets the limit."
        )
    else:
        going = _goes_on(kept.download_progress(name))
        st.fragment(_offer, run_every=ASKED_AGAIN if going else None)(name, going)
    own = NETWORKS[LITE0].title
    st.button(f"Open {own}, whose weights come with the app", on_click=careful(state.show), args=(LITE0,))


def _goes_on(progress: Progress | None) -> bool:
    return progress is not None and not progress.error


@guarded()
def _offer(name: str, going: bool) -> None:
    progress = kept.download_progress(name)
    if going and not _goes_on(progress):  # it has ended, well or not
        st.rerun()
    title, megabytes = NETWORKS[name].title, kept.facts()[name].megabytes
    if progress is not None and not progress.error:
        total = progress.total or 1e6 * megabytes
        st.markdown(f"Downloading the weights of {title}: {progress.done / 1e6:.0f} of {total / 1e6:.0f} MB")
        st.html(BAR.format(percent=100 * min(1, progress.done / total)))
        return
    if progress is not None:
        st.warning(progress.error, icon=":material/cloud_off:")
    else:
        st.empty()
    st.markdown(
        f"The weights of {title} do not come with the app. torchvision's file has {megabytes:,.0f} MB and stays on "
        "this server, for all visitors. In use, the network takes about "
        f"{running.memory_for(megabytes):,.0f} MB of memory."
    )
    if st.button(f"Download {megabytes:,.0f} MB", key="classic_download", icon=":material/download:"):
        kept.download(name)
        st.rerun()
