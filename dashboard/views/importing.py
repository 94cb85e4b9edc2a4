"""Filling in and importing what a file of connections holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from components import outage
from components.import_form import (
    ImportRow,
    SlotField,
    import_cards,
    import_progress,
    import_table,
    reading_progress,
    tick_name,
)
from components.messages import field_error
from components.text import count
from dashboard import live, runtime, session
from dashboard.domain.workspace import Workspace
from dashboard.errors import NotFound
from dashboard.masking import Secret
from dashboard.services.jobs import Outcome
from dashboard.services.portable import Draft, ReadFile

#: Name of the form; its keys change with every file and after every success.
FORM = "import_connections_fill"
#: Name of the form with the file; it goes when all of the file is imported, or on leaving.
FILE_FORM = "import_connections_file"
#: Stands for the reading of a file; it has no fields.
READ_FORM = "import_connections_read"
#: Files up to so many characters or bytes are read at once, in some milliseconds.
_SHORT = 30_000
#: Connections that are filled in and imported together.
AT_ONCE = 50


def read(content: bytes | str | None) -> tuple[str, ReadFile | None]:
    """Return the file's id and what it holds; None while it is being read.

    It is read once and kept by the service until another one comes or the page is left.
    """
    if content is None:
        return "", ReadFile()
    current = runtime.current()
    who = current.identity()
    file_id = current.portable.file_id(who, content)
    if before := session.note_upload(file_id):
        current.portable.drop(who, before)
    state = live.form_state(READ_FORM)
    found = current.portable.found(who, file_id)
    if found is not None or state.is_busy:
        return file_id, found
    if state.error is not None:
        return file_id, ReadFile(problem=state.error)
    if len(content) <= _SHORT:
        current.portable.read(who, content, file_id)
        return file_id, current.portable.found(who, file_id)
    live.submit(
        lambda: current.portable.read(who, content, file_id),
        doing="Reading the file",
        once="read_connections",
        form=live.drawn_form(READ_FORM),
    )
    session.follow_job(session.job_of(READ_FORM))
    return file_id, None


def follow_reading(file_id: str) -> None:
    """Draw that the file is being read."""
    st.skeleton(height=200)

    @st.fragment(run_every=0.5, key="import_connections_reading")
    def progress() -> None:
        current = runtime.current()
        reading_progress(current.portable.progress(current.identity(), file_id))

    progress()


def drop(file_id: str) -> None:
    """Forget the file and what was read of it."""
    current = runtime.current()
    current.portable.drop(current.identity(), file_id)
    session.renew_form(FILE_FORM)


def parts_of(drafts: Sequence[Draft]) -> list[Sequence[Draft]]:
    """Return what a file holds in parts that can be filled in at once."""
    return [drafts[start : start + AT_ONCE] for start in range(0, len(drafts), AT_ONCE)]


def go_on(part: int) -> None:
    """Show another part of the file. For a run before `fill_in`."""
    st.session_state[_key("part")] = part


def fill_in(
    file_id: str,
    parts: Sequence[Sequence[Draft]],
    state: live.FormState,
    *,
    taken: frozenset[str],
    rooms: Sequence[Workspace],
) -> None:
    """Draw the table, the fields and the button.

    Parameters
    ----------
    taken
        Names of the connections that exist.
    """
    here = [room.name for room in rooms if not room.archived]
    part = _part(parts)
    drafts = parts[part]
    rows = [_row(draft, taken, here) for draft in drafts]
    import_table(rows)
    error_is_drawn = import_cards(rows, state.error, key_of=partial(_key_in, part))
    if any(row.rooms_here for row in rows):
        st.toggle(
            "Link to the workspaces of the same name",
            value=True,
            help="Only to those that you are in, and that no other workspace shares the name of.",
            key=_key("link"),
        )
    if state.error is not None and not error_is_drawn:
        field_error(f"{state.error.title}. {state.error.message}", state.error.hint)
    if state.is_busy:
        _follow()
    _button(file_id, part, rows, is_busy=state.is_busy)


def _button(file_id: str, part: int, rows: Sequence[ImportRow], *, is_busy: bool) -> None:
    sent_form = live.drawn_form(FORM)

    def start() -> None:
        current = runtime.current()
        who = current.identity()
        if st.session_state.get(_key("part"), part) != part:
            return  # what the part chosen now holds has not been seen yet
        names = [_new_name(part, place, row) for place, row in enumerate(rows)]
        # Read where it is kept: a click can come together with the last change.
        filled = {
            (place, slot.name): Secret(_typed(part, f"slot_{place}_{number}"))
            for place, row in enumerate(rows)
            if names[place]
            for number, slot in enumerate(row.slots)
        }
        link = bool(st.session_state.get(_key("link")))
        mark = session.mark()
        found = current.portable.found(who, file_id)

        def act() -> Outcome:
            if found is None:
                raise NotFound(
                    "What was read of the file is not kept any more.", hint="Click Import again."
                )
            parts = parts_of(found.drafts)
            drafts = parts[part]
            done = current.portable.import_(who, drafts, filled, names=names, link=link, mark=mark)
            return replace(done, result=str(part + 1) if part + 1 < len(parts) else "")

        doing = f"Importing {count(sum(map(bool, names)), 'connection')}"
        live.submit(act, doing=doing, once="import_connections", form=sent_form)

    def cancel() -> None:
        session.renew_form(FORM)
        session.renew_form(FILE_FORM)
        session.go_to("connections")

    wanted = sum(bool(_new_name(part, place, row)) for place, row in enumerate(rows))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Importing…" if is_busy else f"Import {count(wanted, 'connection')}",
            type="primary",
            icon=":material/upload:",
            **outage.off(disabled=is_busy or not wanted),
            key="import_connections_import",
            on_click=start,
        )
        st.button("Cancel", type="tertiary", key="import_connections_cancel", on_click=cancel)


def _follow() -> None:
    @st.fragment(run_every=0.5, key="import_connections_progress")
    def progress() -> None:
        current = runtime.current()
        import_progress(current.portable.progress(current.identity(), session.mark()))

    progress()


def _part(parts: Sequence[Sequence[Draft]]) -> int:
    if len(parts) == 1:
        return 0
    ends = [sum(map(len, parts[: number + 1])) for number in range(len(parts))]
    chosen: int = st.selectbox(
        "Part of the file",
        range(len(parts)),
        format_func=lambda one: f"{ends[one] - len(parts[one]) + 1}–{ends[one]} of {ends[-1]:,}",
        help=f"At most {AT_ONCE} connections are imported at once.",
        width=240,
        key=_key("part"),
    )
    return chosen


def _row(draft: Draft, taken: frozenset[str], here: Sequence[str]) -> ImportRow:
    return ImportRow(
        name=draft.name,
        type=draft.type,
        host=draft.host,
        from_file=draft.values,
        slots=tuple(SlotField(one.name, one.label, one.kind, one.has_lines) for one in draft.slots),
        rooms_here=tuple(name for name in draft.workspaces if name in here),
        rooms_missing=tuple(name for name in draft.workspaces if name not in here),
        is_taken=draft.name in taken,
    )


def _new_name(part: int, place: int, row: ImportRow) -> str:
    """Return the name a row is imported under; an empty one leaves it out."""
    if not st.session_state.get(_key_in(part, tick_name(place, is_taken=row.is_taken))):
        return ""
    return _typed(part, f"name_{place}").strip() or row.name


def _typed(part: int, field: str) -> str:
    return str(st.session_state.get(_key_in(part, field)) or "")


def _key_in(part: int, field: str) -> str:
    """Key of a field of one part: what is typed for one must never be sent with another."""
    return _key(f"{part}_{field}")


def _key(field: str) -> str:
    return session.form_key(FORM, field)
