"""The form of an import: what the file holds, a field for each slot, new names for those taken.

Of the file only names, types and what the types let be shown is drawn; its values never are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from components.messages import field_box, field_error
from components.text import count, md, plain, short
from dashboard.domain.detail_tree import ValueKind
from dashboard.errors import DashboardError

_SHORT_NAME = 60
_FIELD_PX = 640
_KIND_HINTS = {
    ValueKind.NUMBER: "a number",
    ValueKind.TRUTH: "true or false",
    ValueKind.LIST: "a list in JSON",
    ValueKind.OBJECT: "a group in JSON",
}
_LONG_KINDS = (ValueKind.LIST, ValueKind.OBJECT)


@dataclass(frozen=True, slots=True)
class SlotField:
    """One slot to fill in. `name` is what stands in the file, `label` where it stands."""

    name: str
    label: str
    kind: ValueKind
    has_lines: bool


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One connection of the file.

    Parameters
    ----------
    from_file
        How many values come from the file.
    rooms_here, rooms_missing
        Names of the workspaces it was linked to: those that this person is in, and the others.
    is_taken
        Whether the platform has a connection of this name.
    """

    name: str
    type: str
    host: str | None
    from_file: int
    slots: tuple[SlotField, ...]
    rooms_here: tuple[str, ...]
    rooms_missing: tuple[str, ...]
    is_taken: bool


def file_fields(
    *, upload_key: str, text_key: str, most_mb: int, on_change: Callable[[], None]
) -> bytes | str | None:
    """Draw the two ways in; return the file's content or the pasted text, None if there is none.

    Parameters
    ----------
    on_change
        Called when another file or text comes.
    """
    upload = st.file_uploader(
        "File of an export",
        type=["json"],
        max_upload_size=most_mb,
        key=upload_key,
        on_change=on_change,
    )
    with st.expander("Paste its text instead", type="compact"):
        pasted = st.text_area("Text of the file", height=140, key=text_key, on_change=on_change)
    if upload is not None:
        return upload.getvalue()
    return pasted if (pasted or "").strip() else None


def about_the_file() -> None:
    """Say what such a file holds and what becomes of it."""
    with st.container(border=True, key="import_connections_about", gap="small"):
        st.markdown("**What happens**")
        st.markdown(
            "The file names each connection, its type and its workspaces. In the place of each "
            "secret it has a slot, such as `${SECRET:press-releases/token}`, and this page asks "
            "for what belongs there."
        )
        st.markdown(
            ":small[:gray[Nothing is made before all of it fits, and nothing that exists is "
            "changed. What the file holds besides names and types is kept as secret as what you "
            "type: neither is shown again.]]"
        )


def file_summary(connections: int, slots: int) -> None:
    """Say in a card what the file holds."""
    with st.container(border=True, key="import_connections_summary", gap="small"):
        st.markdown(f"**{count(connections, 'connection')}** in the file")
        st.markdown(
            f"{count(slots, 'secret')} to fill in below. Nothing is made before all of it fits."
            if slots
            else "No secret to fill in. Nothing is made before all of it fits."
        )


def import_progress(done: tuple[int, int] | None) -> None:
    """Draw how many of how many are made; None where there is nothing to tell yet."""
    if done is None:
        st.markdown(":small[:gray[Looking whether everything fits…]]")
        return
    made, most = done
    st.progress(made / max(1, most), text=f"{made:,} of {count(most, 'connection')} made")


def reading_progress(done: tuple[int, int] | None) -> None:
    """Draw how many connections of the file are read; of none where they are not known yet."""
    read, most = done or (0, 0)
    told = f"{read:,} of {count(most, 'connection')} read" if most else "Reading the file…"
    st.progress(read / max(1, most), text=told)


def import_table(rows: Sequence[ImportRow]) -> None:
    """Draw what the file holds, one row per connection."""
    frame = pd.DataFrame(
        {
            "Name": [short(row.name, 200) for row in rows],
            "State": ["▲ Exists already" if row.is_taken else "✓ New" for row in rows],
            "To fill in": [len(row.slots) for row in rows],
            "From the file": [count(row.from_file, "value") for row in rows],
            "Type": [short(row.type, 60) for row in rows],
            "Host": [plain(row.host or "–") for row in rows],
            "Workspaces": [_rooms(row) for row in rows],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        row_height=38,
        height=min(38 * len(rows) + 35, 360),
        width="stretch",
        key="import_connections_table",
        column_config={
            "Name": st.column_config.TextColumn(width=250),
            "State": st.column_config.MultiselectColumn(
                options=["✓ New", "▲ Exists already"], color=["green", "orange"], width=150
            ),
            "To fill in": st.column_config.NumberColumn(width=80),
            "From the file": st.column_config.TextColumn(width=100),
        },
        alt=f"{count(len(rows), 'connection')} in the file",
    )


def _rooms(row: ImportRow) -> str:
    told = [plain(name) for name in row.rooms_here]
    told += [f"{plain(name)} (not here)" for name in row.rooms_missing]
    return ", ".join(told) or "–"


def import_cards(
    rows: Sequence[ImportRow], error: DashboardError | None, *, key_of: Callable[[str], str]
) -> bool:
    """Draw the fields of `rows`; return whether `error` was drawn at one of them.

    Parameters
    ----------
    error
        With the field `slot:<place>:<name>`, `name:<place>` or `draft:<place>`, or any other.
    key_of
        Gives a widget's key: of `tick_name(...)` for whether a row is imported, of `name_<place>`
        for its new name, and of `slot_<place>_<number>` for a slot.
    """
    own_errors = [_own_error(error, place) for place in range(len(rows))]
    ready = []
    for place, (row, own) in enumerate(zip(rows, own_errors, strict=True)):
        if row.slots or row.is_taken or own is not None:
            with st.container(border=True, key=f"import_connections_card_{place}", gap="small"):
                _card(place, row, own, key_of)
        else:
            ready.append(place)
    if ready:
        with st.container(border=True, key="import_connections_ready", gap="small"):
            st.markdown("**Nothing to fill in** :gray[The file has all of their values.]")
            with st.container(horizontal=True):
                for place in ready:
                    _tick(place, rows[place], key_of)
    return any(own is not None for own in own_errors)


def tick_name(place: int, *, is_taken: bool) -> str:
    """Name of a row's tick: one that has come to exist meanwhile is not ticked any more."""
    return f"take_{place}_{'taken' if is_taken else 'new'}"


def _own_error(error: DashboardError | None, place: int) -> DashboardError | None:
    if error is None or error.field is None:
        return None
    kind, _, rest = error.field.partition(":")
    own = str(place)
    is_own = rest == own or (kind == "slot" and rest.partition(":")[0] == own)
    return error if is_own and kind in ("slot", "name", "draft") else None


def _card(
    place: int, row: ImportRow, error: DashboardError | None, key_of: Callable[[str], str]
) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        is_ticked = _tick(place, row, key_of)
        goes_to = f" · goes to {md(row.host)}" if row.host else ""
        st.markdown(f":small[:gray[{md(short(row.type, 60))}{goes_to}]]", width="content")
    kind = error.field.partition(":")[0] if error is not None and error.field else ""
    if error is not None and kind == "draft":
        field_error(error.message, error.hint)
    if row.is_taken and not is_ticked:
        st.markdown(
            ":small[:orange[:material/warning: A connection of this name exists already, so this "
            "one is left out. Tick it to give it another name.]]"
        )
    if not is_ticked:
        return
    name_error = error if kind == "name" else None
    if row.is_taken or name_error is not None:
        with field_box(f"import_name_{place}", name_error):
            st.text_input(
                f"New name for {md(short(row.name, _SHORT_NAME))}",
                placeholder="This name exists already: type another one",
                autocomplete="off",
                width=_FIELD_PX,
                key=key_of(f"name_{place}"),
            )
    for number, slot in enumerate(row.slots):
        own = error if error is not None and error.field == f"slot:{place}:{slot.name}" else None
        with field_box(f"import_slot_{place}_{number}", own):
            _slot(row, slot, key_of(f"slot_{place}_{number}"))
    if row.slots and row.from_file:
        comes = "comes" if row.from_file == 1 else "come"
        st.markdown(f":small[:gray[{count(row.from_file, 'value')} {comes} from the file.]]")


def _tick(place: int, row: ImportRow, key_of: Callable[[str], str]) -> bool:
    return st.checkbox(
        f"**{md(short(row.name, _SHORT_NAME))}**",
        value=not row.is_taken,
        key=key_of(tick_name(place, is_taken=row.is_taken)),
        width="content",
    )


def _slot(row: ImportRow, slot: SlotField, key: str) -> None:
    hint = _KIND_HINTS.get(slot.kind)
    label = f"{md(slot.label)} :gray[— from {md(short(row.name, _SHORT_NAME))}]"
    help_ = f"In the file: {md('${SECRET:' + short(slot.name, 200) + '}')}"
    if slot.has_lines or slot.kind in _LONG_KINDS:
        st.text_area(
            label,
            placeholder=f"{hint or 'several lines'}; seen while you type it",
            help=help_,
            height=100,
            width=_FIELD_PX,
            key=key,
        )
    else:
        st.text_input(
            label,
            type="password",
            autocomplete="off",
            placeholder=hint or "Type or paste",
            help=help_,
            width=_FIELD_PX,
            key=key,
        )
