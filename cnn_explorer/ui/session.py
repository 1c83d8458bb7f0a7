"""What a session remembers, as typed records: one for each subject, in one entry of `st.session_state`."""

from __future__ import annotations

from typing import TypeVar

import streamlit as st

Record = TypeVar("Record")


def remembered(kind: type[Record]) -> Record:
    """This session's record of a class, made without arguments when it is first asked for."""
    key = f"{kind.__module__}.{kind.__qualname__}"
    if key not in st.session_state:
        st.session_state[key] = kind()
    record: Record = st.session_state[key]
    return record
