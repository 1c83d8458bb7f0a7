"""What every page has: title, navigation, a little less padding."""

from __future__ import annotations

import streamlit as st
from PIL import Image

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.shipped import AssetError
from cnn_explorer.ui import state
from cnn_explorer.ui.boundary import guarded

# file, label, icon
PAGES = (
    ("app.py", "Draw a digit", ":material/draw:"),
    ("pages/training.py", "Train", ":material/model_training:"),
    ("pages/convolution.py", "Convolution, number by number", ":material/grid_on:"),
    ("pages/pooling.py", "Pooling, number by number", ":material/grid_view:"),
)

STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 0.9rem 1.6rem 1rem; max-width: 1800px; }
[data-testid="stHeader"] { background: transparent; height: 2.5rem; }
[data-testid="stHeader"], [data-testid="stHeader"] :not(button, button *) { pointer-events: none; }
[data-testid="stHeader"] button { pointer-events: auto; }
[class*="st-key-icon_"] button [data-testid="stMarkdownContainer"] {
  position: absolute; clip-path: inset(50%); width: 1px; overflow: hidden;
}
[class*="st-key-icon_"] button { gap: 0; }
/* the built-in colours of code are too faint on either ground */
[data-testid="stCode"] .token { color: inherit !important; }
/* formulas are short; a box that scrolls by a hair cannot have the focus */
.katex-display { overflow: visible !important; }
[data-testid="stCode"] .keyword { font-weight: 600; }
[data-stale="true"] { opacity: 1 !important; } /* what moves several times a second is not to be dimmed in between */
[data-testid="stCaptionContainer"] { opacity: 0.8 !important; } /* theirs is too faint */
/* theirs: white on light blue */
[data-testid="stBaseButton-primary"]:not(:disabled) { color: light-dark(#ffffff, #10151d) !important; }
[data-testid="stBaseButton-primary"]:not(:disabled):is(:hover, :focus, :active) {
  background: light-dark(#17478f, #8fbaff) !important;
}
/* so is theirs of figures */
.js-plotly-plot :is(.infolayer, [class*="axislayer"]) text { fill: currentColor !important; }
[data-testid="stSidebar"] { container-type: inline-size; }
/* closed, it cannot have the focus */
@container (max-width: 9px) { [data-testid="stSidebarContent"] { visibility: hidden; } }
.st-key-training_place { min-width: 300px; }
@media (min-width: 641px) { [data-testid="stMainBlockContainer"] h4 { margin-left: 1.8rem; } }
@media (max-width: 640px) {
  [data-testid="stHeader"] { position: absolute; }
  [data-testid="stMarkdownContainer"] :is(th, td) { padding: 0.2rem !important; font-size: 11px; }
  [data-testid="stMarkdownContainer"] td:first-child { overflow-wrap: anywhere; }
  [data-testid="stMainBlockContainer"] { padding: 2.6rem 0.8rem 1rem; }
}
</style>"""


@guarded(stop=True)
def open_page(title: str) -> None:
    """Set the page up; the first call of every page. `title` is its label."""
    st.set_page_config(
        page_title=f"{title} · CNN Explorer", page_icon=_icon(), layout="wide", initial_sidebar_state="collapsed"
    )
    st.html(STYLE)
    with st.sidebar:
        st.header("CNN Explorer")
        with st.container(gap="xxsmall"):
            _navigation(title)
        st.caption(
            "While the pen moves, the maps are your browser's own; at rest all numbers are PyTorch's. "
            "The page's address holds your drawing and your network: copy it to share both."
        )
        st.caption(
            "An architecture has one word a layer: conv8k5x3s2p1d1g1 (out_channels, kernel_size, stride, padding, "
            "dilation, groups), "
            "max2 or avg3s2p1, relu, tanh, sigmoid, leakyrelu, gelu, bn, drop50, flatten, fc10."
        )
        st.caption(
            "The weights were trained on MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0) and on Pen-Based "
            "Recognition of "
            "Handwritten Digits (E. Alpaydin, F. Alimoglu; UCI; CC BY 4.0)."
        )


def _navigation(title: str) -> None:
    for file, label, icon in PAGES:
        if label == title:
            st.markdown(f"{icon} **{label}**")
        # A link would hold drawing and network as they were when it was drawn: pages change without a run of all.
        elif st.button(label, icon=icon, type="tertiary", key=f"go {file}"):
            st.switch_page(file, query_params=_carried(file))


def _carried(file: str) -> dict[str, str]:
    """The whole address of a page, as its last visit left it."""
    if file == "app.py":
        return state.ADDRESS.query()
    if file == "pages/training.py":
        from cnn_explorer.ui.train.progress import ADDRESS

        return ADDRESS.query()
    from cnn_explorer.ui.numbers.state import CONVOLUTION, POOLING

    return (CONVOLUTION if file == "pages/convolution.py" else POOLING).address.query()


def _icon() -> Image.Image | None:
    """A handwritten 3: a named icon would be fetched from another host. None where the digits are damaged, which the
    page tells.
    """
    try:
        return Image.fromarray(bundled_digits().images[3])
    except AssetError:
        return None
