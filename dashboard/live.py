"""How a page shows what is on its way without ever waiting for it.

`read` gives what is known and notes what is still loading; `follow`, drawn last by the frame, polls
in a fragment of its own and redraws the page when a read or a job has ended. Worker threads never
touch Streamlit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from components import messages
from dashboard import runtime, session
from dashboard.errors import DashboardError
from dashboard.services.jobs import JobState, Outcome
from dashboard.services.reads import Query, Read

T = TypeVar("T")

_BUSY_S = 0.3
_MOVING_S = 0.5
_RESTING_S = 5.0
#: While a message stands there: it goes on time.
_TELLING_S = 1.0
_RETRY_S = 3.0


def read(query: Query[T], *, wait: bool = True) -> Read[T]:
    """Return what is known of `query` and see that the page is redrawn when more is."""
    known = runtime.current().reads.get(query, wait_s=session.read_budget_s() if wait else 0.0)
    if known.is_loading:
        session.follow(query.key)
    # A page that is only looked at is read again too.
    session.note_due(_RETRY_S if known.error is not None else known.fresh_s)
    if known.error is not None and known.value is not None:
        session.note_stale(known.error, known.age_s)
    return known


@dataclass(frozen=True, slots=True)
class FormState:
    """Where a form's last submission stands.

    Parameters
    ----------
    done
        Set in the one run that first sees its success; the form has new keys by then.
    """

    is_busy: bool = False
    error: DashboardError | None = None
    done: Outcome | None = None

    def error_at(self, *fields: str) -> DashboardError | None:
        """Return the error if it belongs to one of `fields`."""
        if self.error is None or self.error.field not in fields:
            return None
        return self.error

    def error_elsewhere(self, *fields: str) -> DashboardError | None:
        """Return the error if it belongs to none of `fields`."""
        return self.error if self.error_at(*fields) is None else None


def form_state(form: str) -> FormState:
    """Return where the form's last submission stands; a success is given once."""
    session.note_form_drawn(form)
    job_id = session.job_of(form)
    if not job_id:
        return FormState()
    current = runtime.current()
    job = current.jobs.find(current.identity(), job_id)
    if job is None:
        session.drop_job(form)
        return FormState()
    if job.state is JobState.RUNNING:
        session.follow_job(job_id)
        return FormState(is_busy=True)
    if job.state is JobState.FAILED:
        return FormState(error=job.error)
    session.renew_form(form)
    return FormState(done=job.outcome)


def tell_news() -> None:
    """Show how the jobs ended that this person has not been told of.

    Called after the page and its dialog: an error that a form shows already is not told twice.
    """
    current = runtime.current()
    shown = session.jobs_of_drawn_forms()
    for job in current.jobs.take_news(current.identity(), session.jobs_started()):
        if job.error is None:
            # One without words, such as of something saved while it is typed, shows where it is.
            if (ended := job.outcome) is not None and ended.message:
                told = messages.success(ended.message, is_partial=ended.is_partial)
                session.keep_message(told)
        elif job.job_id not in shown:
            session.keep_message(messages.failure(job.doing, job.error))
    messages.show(session.messages(), on_dismiss=session.drop_messages)


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it was drawn: its name, and the version of its keys.

    A click that was sent before the form's success came back finds another version, and does
    nothing: a double click acts once.
    """

    name: str
    version: int


def drawn_form(name: str) -> Form:
    """Return the form as this run draws it. Call it after `form_state`."""
    return Form(name, session.form_version(name))


def submit(
    action: Callable[[], Outcome], *, doing: str, once: str, form: Form | None = None
) -> None:
    """Start an action as a job, and see that it is followed from wherever it was clicked.

    Parameters
    ----------
    form
        The form whose fields an error may belong to; the form then shows it.
    """
    current = runtime.current()
    if form is not None:
        if _was_sent(form):
            return
        # Two people who fill in the same form send two forms.
        once = f"{once}:{session.mark()}:{form.version}"
    job = current.jobs.submit(current.identity(), action, doing=doing, once=once)
    if form is not None:
        session.set_job(form.name, job.job_id)
    session.note_job(job.job_id)
    session.note_submitted()


def _was_sent(form: Form) -> bool:
    """Whether this very form was sent already, and did not fail."""
    if form.version != session.form_version(form.name):
        return True
    current = runtime.current()
    sent = current.jobs.find(current.identity(), session.job_of(form.name))
    return sent is not None and sent.state is not JobState.FAILED


def pursue() -> None:
    """Redraw the frame after a callback in a dialog or fragment, which reruns only itself."""
    if session.take_submitted():
        st.rerun()


def follow() -> None:
    """Poll until what this run has drawn as loading, or a job under way, has ended."""
    session.take_submitted()
    session.end_run()
    current = runtime.current()
    who = current.identity()
    if left := session.take_left_upload():
        current.portable.drop(who, left)
    keys = session.followed()
    # Also those that the page has drawn as running and that have ended since.
    jobs = {*session.followed_jobs(), *(job.job_id for job in current.jobs.running(who))}
    states = current.watch.states(who)
    place = current.place()
    # A job may have ended, and its lists been marked as old, while this run was drawing them.
    drawn_at = session.reads_generation()
    old = current.reads.generation != drawn_at
    busy = bool(old or keys or jobs or current.jobs.has_news(who, session.jobs_started()))
    moving = any(state is None or state.is_moving for _, state in states)
    resting_s = _TELLING_S if session.messages() else _RESTING_S
    every_s = _BUSY_S if busy else _MOVING_S if moving else resting_s

    in_page_run = True

    @st.fragment(run_every=every_s, key="frame_follow")
    def poll() -> None:
        # The page was drawn a moment ago: whatever has ended since can wait for the next poll.
        if in_page_run:
            return
        reads_ended = any(current.reads.is_settled(key) for key in keys)
        jobs_ended = any(
            job is None or job.state is not JobState.RUNNING
            for job in (current.jobs.find(who, job_id) for job_id in jobs)
        )
        due = session.is_due() or current.reads.generation != drawn_at
        moved = current.watch.states(who) != states or current.place() != place
        if (
            reads_ended
            or jobs_ended
            or moved
            or due
            or current.jobs.has_news(who, session.jobs_started())
        ):
            st.rerun()

    poll()
    in_page_run = False
