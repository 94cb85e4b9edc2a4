"""How a connection under edit stands: there, edited already by its editor, or changed elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

import streamlit as st

from dashboard import live, runtime, session
from dashboard.domain.connection import Connection
from dashboard.domain.replacement import Replacement, ReplaceState
from dashboard.errors import Conflict
from dashboard.services.reads import Read
from dashboard.services.replacing import Outline
from dashboard.views import finding
from dashboard.views.connection_editing import FORM, key_of

#: Until an edit under way is over, its journal is read so often.
_UNDER_WAY_S = 1.0


class OwnEdit(Enum):
    """What became of the reader's own edit of the connection that is opened."""

    NONE = auto()
    NOT_KNOWN = auto()
    UNDER_WAY = auto()
    UNFINISHED = auto()
    DONE = auto()
    TAKEN_BACK = auto()


@dataclass(frozen=True, slots=True)
class Subject:
    """The connection under edit.

    Parameters
    ----------
    known
        The list it was looked for in.
    name
        Its name; empty while it is not known.
    seen
        As the editor saw it first; None if there is none of this id, or it is not edited yet.
    newer
        The one that took its place meanwhile.
    is_gone
        Whether the one that was seen is not there any more.
    own, record
        What became of an edit of the reader's own, and its entry in the journal, if it has one.
    """

    known: Read[tuple[Connection, ...]]
    name: str = ""
    seen: Connection | None = None
    newer: Connection | None = None
    is_gone: bool = False
    own: OwnEdit = OwnEdit.NONE
    record: Replacement | None = None

    @property
    def why_off(self) -> str:
        """Why nothing can be changed now; empty while it can."""
        gone = "This connection is not there any more." if self.is_gone else ""
        return _WHY_OFF.get(self.own, gone)

    @property
    def is_by_you(self) -> bool:
        """Whether the reader has put there what took its place."""
        return self.own is OwnEdit.DONE


_WHY_OFF = {
    OwnEdit.UNDER_WAY: "You can change it again when the edit under way is done.",
    OwnEdit.UNFINISHED: "You can change it again when this edit is finished or taken back.",
    OwnEdit.TAKEN_BACK: "The edit was taken back. Reading what is stored…",
}


def subject(opened_id: str, *, is_busy: bool) -> Subject:
    """Return the connection that the address names, and what became of it."""
    seen: Connection | None = st.session_state.get(key_of("seen"))
    if seen is not None and seen.connection_id != opened_id:
        session.renew_form(FORM)  # nothing typed for one connection goes over to another
        seen = None
    found = finding.find(FORM, opened_id)
    here = Subject(found.known, _name_of(seen or found.connection), seen)
    if is_busy:
        return here
    if opened_id:
        here = _with_own_edit(here, opened_id, is_first=seen is None)
    if here.own is not OwnEdit.NONE:
        return here
    if found.connection is not None:
        seen = st.session_state[key_of("seen")] = seen or found.connection
        return replace(here, seen=seen)
    if not found.is_sure:
        return here
    named = (one for one in found.known.value or () if seen is not None and one.name == seen.name)
    return replace(here, newer=here.newer or next(named, None), is_gone=True)


def _name_of(connection: Connection | None) -> str:
    return connection.name if connection is not None else ""


def _with_own_edit(here: Subject, opened_id: str, *, is_first: bool) -> Subject:
    """Say what became of the reader's own edit, if there was one."""
    current = runtime.current()
    who = current.identity()
    job_id = _job_of(opened_id)
    if job_id:
        if is_first:
            session.note_job(job_id)  # begun by this page before it was loaded again
            st.session_state[key_of("waited")] = True
        return replace(here, own=OwnEdit.UNDER_WAY)
    edits = live.read(current.replacing.replacements(who))
    follower = live.read(current.replacing.followed_by(who, opened_id))
    if is_first and (_is_out_of_date(edits) or _is_out_of_date(follower)):
        return replace(here, own=OwnEdit.NOT_KNOWN)
    known = edits.value or ()
    for one in known:
        is_its = opened_id in (one.old_id, one.new_id) or one.connection_name == here.name
        if is_its and not one.state.is_over:
            return _held(here, one)
    if not follower.value:
        return here
    return _followed(here, opened_id, follower.value, known)


def _held(here: Subject, record: Replacement) -> Subject:
    held = replace(here, name=record.connection_name, record=record)
    if record.state is ReplaceState.UNFINISHED:
        return replace(held, own=OwnEdit.UNFINISHED)
    current = runtime.current()
    edits = current.replacing.replacements(current.identity())
    # Carried by another process, or by one that was killed: only the journal tells how it ends.
    live.read(replace(edits, fresh_s=_UNDER_WAY_S), wait=False)
    return replace(held, own=OwnEdit.UNDER_WAY)


def _followed(
    here: Subject, opened_id: str, newer_id: str, edits: Sequence[Replacement]
) -> Subject:
    newer = next((one for one in here.known.value or () if one.connection_id == newer_id), None)
    if newer is None:
        return replace(here, own=OwnEdit.NOT_KNOWN) if here.known.is_loading else here
    record = next((one for one in edits if one.new_id == newer_id), None)
    after = replace(here, name=newer.name, newer=newer, is_gone=True, record=record)
    if record is None or record.state is ReplaceState.NEW:
        return replace(after, own=OwnEdit.DONE)
    if record.state is ReplaceState.OLD and record.old_id == opened_id:
        return replace(after, own=OwnEdit.TAKEN_BACK)
    return after


def _is_out_of_date(known: Read[Any]) -> bool:
    """Whether what is known is from before the end of something that this page has to tell."""
    if not known.is_loading:
        return False
    return known.age_s < known.fresh_s or key_of("waited") in st.session_state


def once_of(connection_id: str) -> str:
    """Key of the job that edits a connection."""
    return f"replace:{connection_id}"


def is_under_way(connection_id: str) -> bool:
    """Whether this person edits a connection at this moment, in whatever window."""
    return bool(_job_of(connection_id))


def _job_of(connection_id: str) -> str:
    current = runtime.current()
    begins = f"{once_of(connection_id)}:"
    jobs = current.jobs.running(current.identity())
    return next((one.job_id for one in jobs if one.once.startswith(begins)), "")


def outline_of(at: Subject) -> Read[Outline] | None:
    """Return what is stored, as far as it is known; None while it is not known of what."""
    if at.seen is None:
        return None
    current = runtime.current()
    query = current.replacing.outline(current.identity(), at.seen)
    known = current.reads.get(query)
    if at.is_gone or at.own is not OwnEdit.NONE or isinstance(known.error, Conflict):
        # That it cannot be read again is no trouble of the platform: the page says what happened.
        return known
    return live.read(query)
