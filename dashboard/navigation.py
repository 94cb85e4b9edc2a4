"""The only list of pages."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from components import presenting
from dashboard import session

_PAGES = Path(__file__).resolve().parent.parent / "pages"


def page_file(name: str) -> Path:
    """Path of a page's script, for `st.switch_page` and `st.page_link`."""
    return _PAGES / f"{name}.py"


def build_pages() -> dict[str, list[st.Page]]:
    """Return the pages by section of the rail. Built anew in each run: they hold its state."""

    def page(
        name: str, title: str, icon: str, *, default: bool = False, hidden: bool = False
    ) -> st.Page:
        return st.Page(
            page_file(name),
            title=title,
            icon=f":material/{icon}:",
            url_path=name.replace("_", "-"),
            default=default,
            visibility="hidden" if hidden else "visible",
        )

    return {
        "": [page("home", "Home", "home", default=True)],
        "Data": [
            page("connections", "Connections", "link"),
            page("workspaces", "Workspaces", "folder_shared"),
            page("new_connection", "New connection", "add_link", hidden=True),
            page("edit_connection", "Edit connection", "edit", hidden=True),
            page("import_connections", "Import connections", "upload", hidden=True),
        ],
        "Model": [
            page("pipelines", "Pipelines", "account_tree"),
            page("models", "Models", "deployed_code"),
            page("summarize", "Summarize", "short_text"),
            page("latency", "Latency", "timer"),
            page("pipeline_log", "Inference log", "receipt_long", hidden=True),
            page("preflight", "Preflight", "flight_takeoff", hidden=True),
        ],
        "Record": [
            page("runs", "Runs", "checklist"),
            page("activity", "Activity", "history"),
            page("compare", "Compare runs", "compare_arrows", hidden=True),
        ],
    }


def go_where_asked() -> None:
    """Go to the page that a callback of the last run asked for, if one did."""
    target = session.take_target()
    if target is not None:
        name, query = target
        st.switch_page(page_file(name), query_params=query | presenting.address())
