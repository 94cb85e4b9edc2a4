"""What follows when a connection under edit is edited already, or changed elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from components.connection_actions import changed_elsewhere, gone_card
from components.messages import success
from components.replacement_cards import under_way_card
from dashboard import live, runtime, session
from dashboard.domain.connection import Connection
from dashboard.navigation import page_file
from dashboard.services import replace_words as words
from dashboard.services.replacing import Outline
from dashboard.views import replacements
from dashboard.views.connection_changes import pending
from dashboard.views.connection_editing import FORM, editor, key_of
from dashboard.views.connection_standing import OwnEdit, Subject


def note_told(connection_id: str) -> None:
    """Remember that the reader was told of the edit that made this connection."""
    session.hide(f"told-{connection_id}")


def go_on_when_over(at: Subject, outline: Outline | None, *, has_typed: bool) -> None:
    """Leave the page if the reader's own edit is done; edit on what was put back.

    Parameters
    ----------
    has_typed
        Whether something is typed that is no part of that edit: it is not taken away.
    """
    if at.newer is None:
        return
    if at.own is OwnEdit.TAKEN_BACK:
        now = _outline_of(at.newer)
        if now is not None or outline is None:
            keeps = outline is not None and now is not None and has_same_places(outline, now)
            _go_over(at.newer, keeps=keeps)
            st.rerun()
    if at.own is OwnEdit.DONE and not has_typed and _is_news(at):
        note_told(at.newer.connection_id)
        if at.record is not None:
            session.keep_message(success(words.done(at.record)))
        session.renew_form(FORM)
        query = {"connection": at.newer.connection_id}
        st.switch_page(page_file("connections"), query_params=query)


def _is_news(at: Subject) -> bool:
    """Whether the reader was not told of it yet: not if they have come back to its address."""
    if at.record is None or at.newer is None or not replacements.is_recent(at.record):
        return False
    return not session.is_hidden(f"told-{at.newer.connection_id}")


def tell(at: Subject, outline: Outline | None, *, has_typed: bool) -> None:
    """Say above the form, or in its place, what became of the connection."""
    if at.own is OwnEdit.UNDER_WAY:
        under_way_card(at.name)
    elif at.own is OwnEdit.UNFINISHED and at.record is not None:
        replacements.draw_unfinished(at.record, at.known.value, is_first=True)
        if not has_typed:
            st.markdown(f":small[:gray[{at.why_off}]]")
    elif at.is_gone and at.own is not OwnEdit.TAKEN_BACK:
        if outline is not None and has_typed:
            _tell_changed(at, outline)
        else:
            on_newer = _going_on(at.newer, keeps=False)
            name = at.newer.name if at.newer is not None else ""
            gone_card(name, by_you=at.is_by_you, on_back=_back, on_newer=on_newer)


def _tell_changed(at: Subject, outline: Outline) -> None:
    now = _outline_of(at.newer) if at.newer is not None else None
    keeps = now is not None and has_same_places(outline, now)
    changed_elsewhere(
        at.name,
        by_you=at.is_by_you,
        keeps=keeps,
        on_newer=_going_on(at.newer if now is not None else None, keeps=keeps),
        on_back=_back,
    )


def _outline_of(connection: Connection) -> Outline | None:
    current = runtime.current()
    return live.read(current.replacing.outline(current.identity(), connection)).value


def _back() -> None:
    session.go_to("connections")


def _going_on(newer: Connection | None, *, keeps: bool) -> Callable[[], None] | None:
    """Return what goes on with the one that took the place; None where there is none."""
    return partial(_go_over, newer, keeps=keeps) if newer is not None else None


def _go_over(newer: Connection, *, keeps: bool) -> None:
    """Edit another connection here.

    Parameters
    ----------
    keeps
        Whether what is typed stays: it has the same places there.
    """
    if keeps:
        session.drop_job(FORM)
        session.set_test(FORM, "")
    else:
        session.renew_form(FORM)
    st.session_state[key_of("seen")] = newer
    st.query_params["connection"] = newer.connection_id


def has_typed(outline: Outline) -> bool:
    """Whether anything is typed that would change the connection."""
    now = pending(editor(outline))
    return bool(now.changes) or now.trouble is not None


def has_same_places(one: Outline, other: Outline) -> bool:
    """Whether what was typed for one connection's details fits another's."""
    return [(leaf.path, leaf.kind) for leaf in one.leaves] == [
        (leaf.path, leaf.kind) for leaf in other.leaves
    ]
