"""The least that a live page can do: a component in a fragment that answers with the number it was sent."""

import streamlit as st

COMPONENT = st.components.v2.component(
    "empty",
    html='<div class="empty">\n</div>',
    js="""
export default function ({ data, parentElement, setStateValue }) {
  const host = parentElement.querySelector(".empty");
  host.send = (seq) => setStateValue("pen", { seq });
  host.dataset.paintedSeq = String(new DataView(data.buffer, data.byteOffset).getUint32(0, true));
}
""",
)


@st.fragment
def page() -> None:
    """Answer."""
    pen = (st.session_state.get("empty") or {}).get("pen") or {"seq": 0}
    COMPONENT(key="empty", data=int(pen["seq"]).to_bytes(4, "little"), on_pen_change=lambda: None)


page()
