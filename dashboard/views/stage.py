"""The pages that presenter mode keeps closed: they show what is stored of a connection."""

from __future__ import annotations

from typing import Final

import streamlit as st

from components import presenting
from components.empty_state import Way, empty_state
from components.frame import page_header
from dashboard import session

_CLOSED: Final = {
    "edit-connection": "Edit connection",
    "import-connections": "Import connections",
}
_COPIES: Final = "new-connection"
_TOLD: Final = (
    "It holds addresses of your data. Turn presenter mode off in the rail, at its end, to see it."
)


def is_closed(url_path: str) -> bool:
    """Whether a page is not drawn now."""
    if not presenting.is_on():
        return False
    return url_path in _CLOSED or (url_path == _COPIES and bool(st.query_params.get("from")))


def draw(url_path: str) -> None:
    """Say why the page is not shown, and lead back."""
    title = _CLOSED.get(url_path, "Duplicate a connection")
    page_header(title)
    way = Way("stage_back", "See connections", _back, ":material/link:")
    empty_state("Not shown in presenter mode", _TOLD, [way], icon="visibility_off")


def _back() -> None:
    session.go_to("connections")
