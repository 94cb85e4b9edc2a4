"""The details of a stored connection, one line each: kept, replaced or removed, never shown.

A line's widgets are named by its place, never by its key: keys are hostile text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from components.connection_form import REQUIRED, SENT_AFTER, Bound, bound_words, json_line
from components.messages import field_box
from components.text import md, plain, short
from dashboard.domain.detail_tree import ValueKind
from dashboard.domain.json_text import json_trouble
from dashboard.errors import DashboardError

KEEP, REPLACE, REMOVE = "Keep", "Replace", "Remove"

#: Words that mean nothing else in Markdown.
_PLAIN = re.compile(r"[A-Za-z0-9]+([-_ ,]+[A-Za-z0-9]+)*")

KeyOf = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class DetailRow:
    """One stored detail, without its value.

    Parameters
    ----------
    ordinal
        Its place among the leaves: what its widgets are named by.
    label
        Hostile text.
    status
        Since when it is set, and when it last worked, in words.
    shown
        Parts of it that may be shown; empty for none.
    kind
        What it holds; a text is typed as it is, anything else as JSON.
    is_masked
        Whether the new value is typed unseen.
    is_free_text
        Whether a text may have several lines.
    is_moved
        Whether the address that it is bound to changes, so that it cannot be kept.
    is_dropped
        Whether it is not typed again either, and goes.
    bound
        Where it is sent; None where that is nothing to say.
    """

    ordinal: int
    label: str
    status: str
    shown: str = ""
    kind: ValueKind = ValueKind.TEXT
    is_masked: bool = True
    is_free_text: bool = False
    can_remove: bool = True
    is_moved: bool = False
    is_dropped: bool = False
    example: str = ""
    bound: Bound | None = field(default=None)


def act_key(ordinal: int) -> str:
    """Name of the field that says what becomes of a detail."""
    return f"act{ordinal}"


def value_key(ordinal: int) -> str:
    """Name of the field for a detail's new value."""
    return f"value{ordinal}"


def detail_row(
    row: DetailRow,
    *,
    key_of: KeyOf,
    error: DashboardError | None,
    correction: str = "",
    on_correct: Callable[[int], None] | None = None,
) -> None:
    """Draw one line, with the field for a new value where one is wanted.

    Parameters
    ----------
    error
        Why the last attempt failed, if it is because of this detail.
    correction
        What a correction that is at hand says; `on_correct` takes it.
    """
    key = key_of(act_key(row.ordinal))
    with field_box(f"row_{row.ordinal}", error):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            shown = f" {md(row.shown)} ·" if row.shown else ""
            st.markdown(
                f"**{md(short(row.label, 90))}**  \n:small[:gray[{shown} {md(row.status)}]]",
                width="stretch",
            )
            if row.is_dropped:
                st.markdown(
                    ":orange-badge[:material/link_off: Goes with the host]", width="content"
                )
            else:
                # A value set before the first draw reaches the browser as a message of that run
                # alone, and is lost with it when another run follows at once; a default is not.
                st.segmented_control(
                    f"What becomes of {_label(short(row.label, 60))}",
                    [KEEP, REPLACE, REMOVE] if row.can_remove else [KEEP, REPLACE],
                    default=KEEP if st.session_state.get(key, KEEP) == KEEP else None,
                    required=True,
                    label_visibility="collapsed",
                    key=key,
                )
        if row.is_moved or st.session_state.get(key) == REPLACE:
            _new_value(row, key_of)
    if error is not None and not row.is_moved and st.session_state.get(key, KEEP) == KEEP:
        _offer_to_replace(row, key)
    if correction and on_correct is not None:
        st.button(
            correction,
            type="tertiary",
            icon=":material/auto_fix_high:",
            key=f"correct_row_{row.ordinal}",
            on_click=on_correct,
            args=(row.ordinal,),
        )


def _label(text: str) -> str:
    """Return hostile text for a label; escapes, which screen readers speak, only where needed."""
    return text if _PLAIN.fullmatch(text) else md(text)


def _name(row: DetailRow) -> str:
    """Return a label within a sentence: a form's own is a word of it, a stored key stays."""
    name = plain(short(row.label, 60))
    return name if row.is_free_text else name[:1].lower() + name[1:]


def _offer_to_replace(row: DetailRow, key: str) -> None:
    def replace() -> None:
        st.session_state[key] = REPLACE

    st.button(
        f"Replace {_label(_name(row))}",
        type="tertiary",
        icon=":material/edit:",
        key=f"correct_keep_{row.ordinal}",
        on_click=replace,
    )


def _new_value(row: DetailRow, key_of: KeyOf) -> None:
    key = key_of(value_key(row.ordinal))
    told = "again, or leave it empty" if row.is_moved else ""
    label = f"New {_name(row)} {told}".strip()
    wants_json = row.kind is not ValueKind.TEXT
    lines_key = key_of(f"lines{row.ordinal}")
    is_long = row.kind in (ValueKind.LIST, ValueKind.OBJECT) or (
        row.is_free_text and bool(st.session_state.get(lines_key))
    )
    if is_long:
        st.text_area(_label(label), height=110, key=key)
    else:
        st.text_input(
            _label(label),
            type="password" if row.is_masked else "default",
            live=SENT_AFTER if row.is_masked else False,
            autocomplete="off",
            placeholder=row.example
            or ("Type or paste" if not wants_json else "As JSON: 8080, true"),
            key=key,
        )
    if row.is_free_text and not wants_json:
        st.toggle("Several lines, such as a key file", key=lines_key)
    if wants_json:
        json_line(json_trouble(str(st.session_state.get(key) or "")))
    if row.bound is not None:
        st.markdown(bound_words(row.bound))


def dropped_note(labels: Sequence[str], host: str) -> None:
    """Say under the link what goes because the host changes. Labels may be hostile."""
    names = ", ".join(md(short(label, 40)) for label in labels[:6])
    more = f" and {len(labels) - 6} more" if len(labels) > 6 else ""
    is_one = len(labels) == 1
    was, it = ("was", "it") if is_one else ("were", "them")
    told = f"{names}{more} {was} typed for {md(host) or 'the old one'} and "
    told += "is dropped" if is_one else "are dropped"
    st.markdown(
        f":small[:orange[:material/link_off: The host changes: {told}. "
        f"Type {it} again where the new host needs {it}.]]"
    )


def added_values(count: int, *, key_of: KeyOf, error: DashboardError | None) -> None:
    """Draw the fields of values that are added, and the button for one more."""
    for place in range(count):
        own = error if error is not None and error.field == f"added_{place}" else None
        with field_box(f"added_{place}", own):
            name, value = st.columns([1, 1.6])
            with name:
                st.text_input("Name", autocomplete="off", key=key_of(f"addedname{place}"))
            with value:
                key = key_of(f"addedvalue{place}")
                st.text_input(
                    "Value, as JSON",
                    type="password",
                    live=SENT_AFTER,
                    autocomplete="off",
                    placeholder='"a text", 8080 or true',
                    key=key,
                )
            json_line(json_trouble(str(st.session_state.get(key) or "")))

    def one_more() -> None:
        st.session_state[key_of("added")] = count + 1

    st.button(
        "Add a value",
        type="tertiary",
        icon=":material/add:",
        key="edit_connection_add",
        on_click=one_more,
    )


def everything_anew(*, key_of: KeyOf, error: DashboardError | None) -> None:
    """Draw the field for details that are typed as a whole."""
    key = key_of("everything")
    trouble = json_trouble(str(st.session_state.get(key) or ""), wants_object=True)
    with field_box("everything", error if not trouble else None):
        st.text_area(f"All details{REQUIRED}", height=220, placeholder="{ … }", key=key)
        json_line(trouble)
