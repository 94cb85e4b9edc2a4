"""How the product tells that something worked or did not, on any page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import streamlit as st

from components import presenting
from components.text import md
from dashboard.errors import DashboardError, UnexpectedAnswer


class Tone(StrEnum):
    """How a message sounds."""

    SUCCESS = "success"
    NEWS = "news"
    PARTIAL = "partial"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Message:
    """How something ended, as Markdown that is safe to draw."""

    markdown: str
    tone: Tone = Tone.SUCCESS

    @property
    def wants_reading(self) -> bool:
        """Whether something was not done, so that it must not go away unread."""
        return self.tone in (Tone.PARTIAL, Tone.ERROR)


def success(message: str, *, is_partial: bool = False) -> Message:
    """Say in one line that something worked, or that a part of it did."""
    return Message(md(presenting.words(message)), Tone.PARTIAL if is_partial else Tone.SUCCESS)


def news(message: str) -> Message:
    """Say in one line what happened elsewhere meanwhile."""
    return Message(md(presenting.words(message)), Tone.NEWS)


def failure(doing: str, error: DashboardError) -> Message:
    """Say that something did not work, what happened and what to do next."""
    parts = [f"**{md(doing)}: {md(error.title)}**", md(presenting.words(error.message))]
    if error.hint:
        parts.append(md(presenting.words(error.hint)))
    if isinstance(error, UnexpectedAnswer) and not presenting.is_on():
        parts.append(f"Error id {md(error.error_id)}")
    return Message("  \n".join(parts), Tone.ERROR)


_DRAWN: Final = {
    Tone.SUCCESS: (st.success, "check_circle"),
    Tone.NEWS: (st.info, "info"),
    Tone.PARTIAL: (st.warning, "warning"),
    Tone.ERROR: (st.error, "error"),
}


def show(kept: Sequence[Message], *, on_dismiss: Callable[[], None]) -> None:
    """Draw the messages in the window's lower corner, over whatever stands there.

    They are drawn by every run while they last. A toast is drawn by one run alone, and the redraw
    that often follows at once takes it away before anybody has seen it.
    """
    if not kept:
        return
    with st.container(key="messages", gap="xsmall"):
        for message in kept:
            draw, icon = _DRAWN[message.tone]
            draw(message.markdown, icon=f":material/{icon}:")
        if any(message.wants_reading for message in kept):
            st.button("Dismiss", key="messages_dismiss", on_click=on_dismiss)


def field_error(message: str, hint: str = "") -> None:
    """Write an error right under the field it belongs to."""
    told = f"{md(presenting.words(message))} {md(presenting.words(hint))}".strip()
    st.markdown(f":small[:red[:material/error: {told}]]")


@contextmanager
def field_box(name: str, error: DashboardError | None) -> Iterator[None]:
    """Draw a field, and the error that belongs to it right under it."""
    with st.container(key=f"bad_{name}" if error is not None else f"field_{name}", gap=4):
        yield
        if error is not None:
            field_error(error.message, error.hint)
