"""Typed access to what one browser session keeps. The only place that names session keys.

Values are plain and picklable. No secret stays here: a form's typed values live under its widgets'
keys only while it is mounted, and after a success the form gets new keys.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from components.messages import Message
from dashboard.domain.run import RunRow
from dashboard.errors import DashboardError

_READ_UNTIL = "_read_until"
_FOLLOWED = "_followed"
_FOLLOWED_JOBS = "_followed_jobs"
_FORM = "_form_"
_JOB = "_job_"
_TEST = "_test_"
_DIALOG = "_dialog"
_SUBMITTED = "_submitted"
_TARGET = "_target"
_MARK = "_mark"
_STARTED = "_started_jobs"
_DUE = "_due"
_MESSAGES = "_messages"
_GENERATION = "_generation"
_DRAWN = "_drawn_forms"
_STALE = "_stale"
_ERROR_SHOWN = "_error_shown"
_RUN = "_run"
_TICKED = "_ticked"
_TICKED_RUNS = "_ticked_runs"
_TICKED_ENTRIES = "_ticked_entries"
_ROW = "_row"
_OPINION = "_opinion"
_OPINION_OPEN = "_opinion_open"
_EXPORT = "_export"
_TRIAL = "_trial"
_TRIAL_DRAWN = "_trial_drawn"
_UPLOAD = "_upload"
_UPLOAD_DRAWN = "_upload_drawn"
_ADDRESSES = "_addresses"
_OPENED = "_opened"
_HIDDEN = "_hidden"
_UNFOLDED = "_unfolded_pipelines"
_FOLDED = "_folded_pipelines"

#: How long one script run may wait, all reads together, before it draws skeletons.
_READ_BUDGET_S = 0.08

#: How long a message stands there.
_MESSAGE_S = 8.0
_ERROR_S = 60.0

#: A run that was asked for before the browser had the address written last carries the one before.
_ADDRESS_LAG_S = 1.5


def begin_run(reads_generation: int) -> None:
    """Start a script run: the reads get a new budget, and nothing is followed yet."""
    st.session_state[_GENERATION] = reads_generation
    st.session_state[_READ_UNTIL] = time.monotonic() + _READ_BUDGET_S
    st.session_state[_FOLLOWED] = []
    st.session_state[_FOLLOWED_JOBS] = []
    st.session_state[_DRAWN] = []
    st.session_state[_STALE] = None
    st.session_state[_ERROR_SHOWN] = False
    st.session_state.pop(_DUE, None)
    st.session_state[_TRIAL_DRAWN] = False
    st.session_state[_UPLOAD_DRAWN] = False


def end_run() -> None:
    """End a script run that was not broken off: what is private and was not drawn is dropped."""
    if not st.session_state.get(_TRIAL_DRAWN):
        drop_trial()


def reads_generation() -> int:
    """The number of the reads when this run began."""
    return int(st.session_state.get(_GENERATION, 0))


def read_budget_s() -> float:
    """Seconds this run may still wait for first values."""
    until: float = st.session_state.get(_READ_UNTIL, 0.0)
    return max(0.0, until - time.monotonic())


def follow(key: tuple[Any, ...]) -> None:
    """Note a read whose end must redraw the page."""
    st.session_state.setdefault(_FOLLOWED, []).append(key)


def followed() -> list[tuple[Any, ...]]:
    """Keys of the reads under way that this run has drawn."""
    return list(st.session_state.get(_FOLLOWED, []))


def note_stale(error: DashboardError, age_s: float) -> None:
    """Note that this run shows something read `age_s` ago, because a newer read failed."""
    st.session_state[_STALE] = (error.title, error.message, error.hint, age_s)


def stale() -> tuple[DashboardError | None, float | None]:
    """Why this run shows something old, and its age in s; twice None if it does not."""
    noted = st.session_state.get(_STALE)
    if noted is None:
        return None, None
    title, message, hint, age_s = noted
    return DashboardError(message, title=title, hint=hint), age_s


def note_error_shown() -> None:
    """Note that this run's page is an error state already."""
    st.session_state[_ERROR_SHOWN] = True


def error_was_shown() -> bool:
    """Whether this run's page is an error state already."""
    return bool(st.session_state.get(_ERROR_SHOWN))


def follow_job(job_id: str) -> None:
    """Note a job drawn as running, whose end must redraw the page."""
    st.session_state.setdefault(_FOLLOWED_JOBS, []).append(job_id)


def followed_jobs() -> list[str]:
    """Ids of the jobs that this run has drawn as running."""
    return list(st.session_state.get(_FOLLOWED_JOBS, []))


def zone() -> tzinfo:
    """Return the visitor's time zone; UTC where the browser names none we know."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (KeyError, ValueError, OSError):
        return UTC


def form_key(form: str, field: str) -> str:
    """Widget key of a form's field; changes after every success."""
    return f"{form}_{field}_{st.session_state.get(_FORM + form, 0)}"


def form_version(form: str) -> int:
    """Number of the form's keys; it grows with every success."""
    version: int = st.session_state.get(_FORM + form, 0)
    return version


def renew_form(form: str) -> None:
    """Give the form new keys and drop what was typed under the old ones."""
    version = st.session_state.get(_FORM + form, 0)
    for key in [
        key
        for key in st.session_state
        if isinstance(key, str) and key.startswith(f"{form}_") and key.endswith(f"_{version}")
    ]:
        del st.session_state[key]
    st.session_state[_FORM + form] = version + 1
    st.session_state.pop(_JOB + form, None)
    st.session_state.pop(_TEST + form, None)


def set_job(form: str, job_id: str) -> None:
    """Remember which job a form started last."""
    st.session_state[_JOB + form] = job_id


def job_of(form: str) -> str:
    """Id of the job the form started last, or an empty text."""
    job_id: str = st.session_state.get(_JOB + form, "")
    return job_id


def set_test(form: str, test_id: str) -> None:
    """Remember which test a form, or a view of a connection, started last."""
    st.session_state[_TEST + form] = test_id


def test_of(form: str) -> str:
    """Id of the test started last there, or an empty text."""
    test_id: str = st.session_state.get(_TEST + form, "")
    return test_id


def note_form_drawn(form: str) -> None:
    """Note that this run draws the form, and with it the error of its last submission."""
    st.session_state.setdefault(_DRAWN, []).append(form)


def jobs_of_drawn_forms() -> set[str]:
    """Ids of the jobs whose errors this run's forms show."""
    return {job_of(form) for form in st.session_state.get(_DRAWN, [])}


def drop_job(form: str) -> None:
    """Forget the form's last job, and with it its error."""
    st.session_state.pop(_JOB + form, None)


def open_dialog(name: str, subject: str = "") -> None:
    """Open a dialog at the next run of the frame. Only one can be open."""
    st.session_state[_DIALOG] = (name, subject)
    note_submitted()


def dialog() -> tuple[str, str]:
    """Name and subject of the open dialog; empty texts when none is."""
    opened: tuple[str, str] = st.session_state.get(_DIALOG, ("", ""))
    return opened


def close_dialog() -> None:
    """Close the open dialog."""
    st.session_state.pop(_DIALOG, None)
    note_submitted()


def note_submitted() -> None:
    """Remember that the frame has something to do: a job to follow, a page or dialog to show."""
    st.session_state[_SUBMITTED] = True


def take_submitted() -> bool:
    """Whether the frame has something to do since this was last asked."""
    return bool(st.session_state.pop(_SUBMITTED, False))


def note_opened(connection_id: str, name: str, *, took_place: bool = False) -> None:
    """Remember which connection is open: another one of its name may take its place.

    Parameters
    ----------
    took_place
        Whether it did so while its predecessor was open.
    """
    st.session_state[_OPENED] = (connection_id, name, took_place)


def opened() -> tuple[str, str, bool]:
    """Id and name of the connection opened last, and whether it took another one's place."""
    noted: tuple[str, str, bool] = st.session_state.get(_OPENED, ("", "", False))
    return noted


def hide(thing: str) -> None:
    """Take something away for the rest of the session, such as a receipt that was read."""
    st.session_state.setdefault(_HIDDEN, []).append(thing)


def is_hidden(thing: str) -> bool:
    """Whether the reader has taken it away."""
    return thing in st.session_state.get(_HIDDEN, [])


def unfold_moving(pipeline_ids: Sequence[int], *, at_most: int) -> list[int]:
    """Return the pipelines that are drawn in full because they move, or did while looked at.

    What the reader has folded stays so until it has come to rest.
    """
    folded = [one for one in st.session_state.get(_FOLDED, []) if one in pipeline_ids]
    known = list(st.session_state.get(_UNFOLDED, []))
    new = [one for one in pipeline_ids if one not in known and one not in folded]
    st.session_state[_FOLDED] = folded
    st.session_state[_UNFOLDED] = [*known, *new][-at_most:]
    return list(st.session_state[_UNFOLDED])


def fold_pipeline(pipeline_id: int) -> None:
    """Draw a pipeline in one line again, though it moves."""
    st.session_state[_UNFOLDED] = [
        one for one in st.session_state.get(_UNFOLDED, []) if one != pipeline_id
    ]
    st.session_state[_FOLDED] = [*st.session_state.get(_FOLDED, []), pipeline_id]


def note_run(run_id: str, *, moving: bool) -> None:
    """Remember whether the run shown was under way when it was drawn last."""
    st.session_state[_RUN] = (run_id, moving)


def run_was_moving(run_id: str) -> bool:
    """Whether this run was under way when it was drawn last."""
    return bool(st.session_state.get(_RUN) == (run_id, True))


def note_export(run_id: str, form: str) -> str:
    """Remember the file of a run's rows that is made last, and return its unguessable id."""
    file_id = secrets.token_urlsafe(24)
    st.session_state[_EXPORT] = (run_id, file_id, form)
    return file_id


def export_of(run_id: str) -> tuple[str, str]:
    """Id and form of the file of this run's rows that was made last; empty texts without one."""
    noted, file_id, form = st.session_state.get(_EXPORT, ("", "", ""))
    return (file_id, form) if noted == run_id else ("", "")


@dataclass(frozen=True, slots=True)
class TrialNote:
    """One text that was tried: private, so it goes when the page is left.

    Parameters
    ----------
    engine
        Who made the summary, in words.
    row
        The text beside its summary; None without one.
    error
        Message and hint of why there is none; None without a failure.
    """

    trial_id: str = ""
    engine: str = ""
    row: RunRow | None = None
    error: tuple[str, str] | None = None


def trial() -> TrialNote:
    """Return the text that was tried last; its id is empty without one."""
    st.session_state[_TRIAL_DRAWN] = True
    noted: TrialNote = st.session_state.get(_TRIAL, TrialNote())
    return noted


def begin_trial(trial_id: str, *, engine: str) -> None:
    """Remember that a text is on its way."""
    st.session_state[_TRIAL] = TrialNote(trial_id, engine)


def end_trial(row: RunRow | None, error: DashboardError | None) -> TrialNote:
    """Remember what became of it."""
    told = (error.message, error.hint) if error is not None else None
    ended = replace(trial(), row=row, error=told)
    st.session_state[_TRIAL] = ended
    return ended


def drop_trial() -> None:
    """Forget the text and what became of it."""
    st.session_state.pop(_TRIAL, None)


def note_upload(file_id: str) -> str:
    """Remember which uploaded file this run draws; return the one before, if it is another."""
    before: str = st.session_state.get(_UPLOAD, "")
    st.session_state[_UPLOAD] = file_id
    st.session_state[_UPLOAD_DRAWN] = True
    return before if before != file_id else ""


def take_left_upload() -> str:
    """Return the uploaded file that this run did not draw any more, once; else an empty text."""
    if st.session_state.get(_UPLOAD_DRAWN):
        return ""
    left: str = st.session_state.pop(_UPLOAD, "")
    return left


def go_to(page: str, **query: str) -> None:
    """Ask for a page; the frame goes there. For callbacks, which cannot switch pages themselves."""
    st.session_state[_TARGET] = (page, query)
    note_submitted()


def take_target() -> tuple[str, dict[str, str]] | None:
    """Return the page asked for and its query, once."""
    target: tuple[str, dict[str, str]] | None = st.session_state.pop(_TARGET, None)
    return target


def mark() -> str:
    """Return a random mark of this session."""
    own: str = st.session_state.setdefault(_MARK, secrets.token_hex(8))
    return own


def note_job(job_id: str) -> None:
    """Remember that this session started a job: its end is told here first."""
    st.session_state.setdefault(_STARTED, []).append(job_id)


def jobs_started() -> frozenset[str]:
    """Ids of the jobs that this session started."""
    return frozenset(st.session_state.get(_STARTED, ()))


def note_due(seconds: float) -> None:
    """Note that something this run shows wants to be read again after so many seconds."""
    due = time.monotonic() + seconds
    st.session_state[_DUE] = min(due, st.session_state.get(_DUE, due))


def is_due() -> bool:
    """Whether something that was shown wants to be read again."""
    return time.monotonic() >= float(st.session_state.get(_DUE, float("inf")))


def keep_message(message: Message) -> None:
    """Keep a message, to be drawn by every run for as long as it takes to read it."""
    lasts_s = _ERROR_S if message.wants_reading else _MESSAGE_S
    # Told twice, as by a page and by the job it waited for, it is still one message.
    others = [one for one in st.session_state.get(_MESSAGES, []) if one[0] != message]
    st.session_state[_MESSAGES] = [*others, (message, time.monotonic() + lasts_s)]


def messages() -> list[Message]:
    """The messages to draw now, oldest first; sees that they go when their time is over."""
    now = time.monotonic()
    kept = [(one, until) for one, until in st.session_state.get(_MESSAGES, []) if now < until]
    st.session_state[_MESSAGES] = kept
    for _message, until in kept:
        note_due(until - now)
    return [message for message, _until in kept]


def drop_messages() -> None:
    """Take all messages away."""
    st.session_state.pop(_MESSAGES, None)


def ticked() -> list[str]:
    """Ids of the connections that are ticked in their list."""
    return list(st.session_state.get(_TICKED, []))


def set_ticked(connection_ids: Sequence[str]) -> None:
    """Remember which connections are ticked, on whatever page of the list they are."""
    st.session_state[_TICKED] = list(connection_ids)


def ticked_runs() -> list[str]:
    """Ids of the runs that are ticked in their list."""
    return list(st.session_state.get(_TICKED_RUNS, []))


def set_ticked_runs(run_ids: Sequence[str]) -> None:
    """Remember which runs are ticked, on whatever page of the list they are."""
    st.session_state[_TICKED_RUNS] = list(run_ids)


def ticked_entries() -> list[str]:
    """Ids of the entries of the activity log that are read in full."""
    return list(st.session_state.get(_TICKED_ENTRIES, []))


def set_ticked_entries(entry_ids: Sequence[str]) -> None:
    """Remember which entries of the activity log are read in full."""
    st.session_state[_TICKED_ENTRIES] = list(entry_ids)


def note_row(run_id: str, row_index: int) -> None:
    """Remember which row of a run is being read."""
    st.session_state[_ROW] = (run_id, row_index)


def row_read(run_id: str, *, default: int) -> int:
    """Index of the row of this run that is being read."""
    noted: tuple[str, int] = st.session_state.get(_ROW, ("", 0))
    return noted[1] if noted[0] == run_id else default


def opinion_begins_open(row_index: int) -> bool:
    """Whether the opinion on this row begins open: as that on the row before was left."""
    shown_row, begins, is_open = st.session_state.get(_OPINION_OPEN, (None, False, False))
    if shown_row != row_index:
        begins = is_open
        st.session_state[_OPINION_OPEN] = (row_index, begins, is_open)
    return bool(begins)


def note_opinion_open(row_index: int, *, is_open: bool) -> None:
    """Remember whether the opinion on the row that is shown is open."""
    begins = opinion_begins_open(row_index)
    st.session_state[_OPINION_OPEN] = (row_index, begins, is_open)


def opinion_version(run_id: str, row_index: int, kept_at: datetime | None) -> str:
    """Version of the fields of an opinion; it changes when somebody else has written a newer one.

    Parameters
    ----------
    kept_at
        When the opinion that is kept was given, UTC; None without one.
    """
    row = (run_id, row_index)
    shown_row, began_at, saved_at = st.session_state.get(_OPINION, (None, None, None))
    if shown_row != row:
        began_at, saved_at = kept_at, None
    newest = max((at for at in (began_at, saved_at) if at is not None), default=None)
    if kept_at is not None and (newest is None or newest < kept_at):
        began_at = kept_at
    st.session_state[_OPINION] = (row, began_at, saved_at)
    return began_at.isoformat() if began_at is not None else "new"


def note_opinion(run_id: str, row_index: int, at: datetime) -> None:
    """Remember when this session gave its own opinion on the row that is shown."""
    shown_row, began_at, _saved_at = st.session_state.get(_OPINION, (None, None, None))
    if shown_row == (run_id, row_index):
        st.session_state[_OPINION] = (shown_row, began_at, at)


def address(parameters: Sequence[str]) -> dict[str, str]:
    """Return what these parameters of the page's address are.

    The address written last counts, unless the visitor went to another one since: back, forward,
    or by a link.
    """
    told = {name: st.query_params[name] for name in parameters if name in st.query_params}
    written: list[tuple[dict[str, str], float]] = st.session_state.get(_ADDRESSES, [])
    now = time.monotonic()
    recent = [query for query, until in written[:-1] if now < until]
    if written and told in recent:
        told = written[-1][0]
    if not written or told != written[-1][0]:
        st.session_state[_ADDRESSES] = [(told, now)]
    return dict(told)


def set_address(parameters: Sequence[str], query: Mapping[str, str]) -> None:
    """Write these parameters of the page's address; those not in `query` are taken away."""
    others = {
        name: value for name, value in st.query_params.to_dict().items() if name not in parameters
    }
    now = time.monotonic()
    written = [one for one in st.session_state.get(_ADDRESSES, [])[-8:] if one[0] != query]
    if written:
        written[-1] = (written[-1][0], now + _ADDRESS_LAG_S)
    st.session_state[_ADDRESSES] = [*written, (dict(query), now)]
    st.query_params.from_dict({**others, **query})
