"""For every test: the same random examples on every run, however slow the machine, and one thread for PyTorch, as in the app."""

import os
import uuid

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported

settings.register_profile("reproducible", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("large", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "reproducible"))


@pytest.fixture
def own_visitors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every AppTest is a visitor of its own, who is there; Streamlit gives all of them one session id."""
    import streamlit as st

    from cnn_explorer.ui import cached

    monkeypatch.setattr(cached, "visitor", lambda: st.session_state.setdefault("visitor", uuid.uuid4().hex))
    monkeypatch.setattr(cached, "is_present", lambda visitor: True)
    monkeypatch.setattr(cached, "address_of", lambda visitor: "")
