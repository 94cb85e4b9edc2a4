"""A connection as code: how a script uses it, and how to make it elsewhere. Without any value."""

from __future__ import annotations

import streamlit as st

from components import presenting
from components.text import md


def code_section(use: str, create: str | None, *, trouble: str = "") -> None:
    """Draw the snippets; `create` is None while it is not known, or when `trouble` says why."""
    if presenting.is_on():
        st.markdown(":gray[Code is not shown in presenter mode.]")
        return
    st.markdown("**Use it in a script.** The code looks it up by its name.")
    st.code(use, language="python", wrap_lines=True)
    st.markdown(
        "**Make it on another instance.** The code asks for every value as it runs; none is in it."
    )
    if create is not None:
        st.code(create, language="python", wrap_lines=True)
    elif trouble:
        st.markdown(f":small[:red[:material/error: {md(trouble)}]]")
    else:
        st.skeleton(height=180)
