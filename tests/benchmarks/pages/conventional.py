"""The page as it is usually built: one Plotly figure with a Heatmap subplot a channel, redrawn from the same trace."""

import streamlit as st
import torch
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from cnn_explorer import LECTURE, load_network, trace_activations
from cnn_explorer.digits.drawing import parse_drawing

COMPONENT = st.components.v2.component(
    "sender",
    html='<div class="sender">\n</div>',
    js="""
export default function ({ parentElement, setStateValue }) {
  parentElement.querySelector(".sender").send = (seq, drawing) => setStateValue("pen", { seq, drawing });
}
""",
)
COLUMNS = 10


@st.cache_resource
def network() -> torch.nn.Sequential:
    """The trained network."""
    torch.set_num_threads(1)
    return load_network(LECTURE).module


@st.fragment
def page() -> None:
    """Draw every map of every layer."""
    pen = (st.session_state.get("sender") or {}).get("pen") or {"seq": 0, "drawing": "s"}
    COMPONENT(key="sender", on_pen_change=lambda: None)
    trace = trace_activations(network(), parse_drawing(pen["drawing"]).preprocess().image)
    maps = [values for layer in trace.activations if len(layer.shape) == 3 for values in layer.values.numpy()]
    figure = make_subplots(rows=-(-len(maps) // COLUMNS), cols=COLUMNS)
    for index, values in enumerate(maps):
        figure.add_trace(go.Heatmap(z=values[::-1], showscale=False), row=1 + index // COLUMNS, col=1 + index % COLUMNS)
    figure.update_layout(title=f"update {pen['seq']}", height=1000)
    st.plotly_chart(figure, key="figure")


page()
