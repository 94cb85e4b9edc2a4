"""How the product tells that something worked or did not, on any page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from components.text import md
from dashboard.errors import DashboardError, UnexpectedAnswer


@dataclass(frozen=True, slots=True)
class Message:
    """How something ended, as Markdown that is safe to draw."""

    markdown: str
    is_error: bool = False


def success(message: str) -> Message:
    """Say in one line that something worked."""
    return Message(md(message))


def failure(doing: str, error: DashboardError) -> Message:
    """Say that something did not work, what happened and what to do next."""
    parts = [f"**{md(doing)}: {md(error.title)}**", md(error.message)]
    if error.hint:
        parts.append(md(error.hint))
    if isinstance(error, UnexpectedAnswer):
        parts.append(f"Error id {md(error.error_id)}")
    return Message("  \n".join(parts), is_error=True)


def show(message: Message) -> None:
    """Draw a message at the edge of the window, over whatever stands there."""
    if message.is_error:
        st.toast(message.markdown, icon=":material/error:", duration="infinite")
    else:
        st.toast(message.markdown, icon=":material/check_circle:", duration="long")


def field_error(message: str, hint: str = "") -> None:
    """Write an error right under the field it belongs to."""
    told = f"{md(message)} {md(hint)}".strip()
    st.markdown(f":small[:red[:material/error: {told}]]")


@contextmanager
def field_box(name: str, error: DashboardError | None) -> Iterator[None]:
    """Draw a field, and the error that belongs to it right under it."""
    with st.container(key=f"bad_{name}" if error is not None else f"field_{name}", gap=4):
        yield
        if error is not None:
            field_error(error.message, error.hint)
