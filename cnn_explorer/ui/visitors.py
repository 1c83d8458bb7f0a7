"""Who visits: sessions of browsers, by Streamlit's identifiers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cnn_explorer.ui import events
from cnn_explorer.ui.session import remembered


def visitor() -> str:
    """Streamlit's name for this session."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


@dataclass
class _Visit:
    """The page that a visitor sees."""

    page: str = ""


def arrive(page: str) -> None:
    """Remember which page a visitor sees; the first one of a session is noted as a visit."""
    visit = remembered(_Visit)
    if not visit.page:
        events.note("visit", page=page)
    visit.page = page


def present_page() -> str:
    """The page that this visitor sees, "" before the first."""
    return remembered(_Visit).page


def is_present(visitor: str) -> bool:
    """True while a visitor's browser is connected."""
    return not st.runtime.exists() or st.runtime.get_instance().is_active_session(visitor)


def address_of(visitor: str) -> str:
    """The network address that a visitor's browser is connected from, "" if that is not known.

    One person commands a whole IPv6 network of 64 bits: that counts as one address.
    """
    client = st.runtime.get_instance().get_client(visitor) if st.runtime.exists() else None
    context = client.client_context if client else None
    try:
        address = ipaddress.ip_address(str(context.remote_ip)) if context else None
    except ValueError:
        return ""
    return (
        str(ipaddress.ip_network((address, 64), strict=False))
        if address and address.version == 6
        else str(address or "")
    )


def stop_if_unwanted() -> None:
    """End this run of the page if its visitor has left, or has asked for something else since. Long work calls it
    between its units.
    """
    if get_script_run_ctx() is None:
        return
    if not is_present(visitor()):
        st.stop()
    st.session_state.get("net")  # Streamlit ends a run at any use of the session where a newer run is asked for
