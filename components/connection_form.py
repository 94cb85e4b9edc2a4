"""The form of a connection, generated from the fields that its type asks for.

What is typed stays under the fields' keys: nothing here gives a field a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import streamlit as st

from components.messages import field_box
from components.text import md, short
from dashboard.connectors.base import FieldKind, FormField
from dashboard.errors import Conflict, DashboardError, InvalidInput

#: A password field sends nothing when the focus leaves it by its own eye button, as it does with
#: the Tab key: what is typed is sent while it is typed.
SENT_AFTER = "300ms"
#: Beside the label of a field that cannot stay empty.
REQUIRED = " *"


@dataclass(frozen=True, slots=True)
class Bound:
    """Where the secrets of a form are sent: the host, empty while there is none, and how."""

    host: str = ""
    is_plain: bool = False


def type_choice(titles: Mapping[str, str], *, key: str) -> None:
    """Draw the choice of the type, which comes before everything else; the first is the default."""
    first = next(iter(titles))
    st.segmented_control(
        "Type",
        list(titles),
        default=first if st.session_state.get(key, first) == first else None,
        required=True,
        format_func=lambda one: titles[one],
        key=key,
    )


def name_field(
    error: DashboardError | None, *, key: str, on_open: Callable[[], None] | None
) -> None:
    """Draw the name's field with the error that belongs to it.

    Parameters
    ----------
    on_open
        Opens the connection that has the name already, where it is known.
    """
    with field_box("name", error):
        st.text_input(
            f"Name{REQUIRED}",
            placeholder="For example press-releases",
            autocomplete="off",
            help="Scripts look it up by this name. It must be new on the platform.",
            key=key,
        )
    if isinstance(error, Conflict) and on_open is not None:
        st.button(
            "Open that one",
            type="tertiary",
            icon=":material/open_in_new:",
            key="correct_name",
            on_click=on_open,
        )


def type_fields(
    fields: Sequence[FormField],
    error: DashboardError | None,
    *,
    key_of: Callable[[str], str],
    bound: Bound,
    on_correct: Callable[[dict[str, str]], None],
) -> None:
    """Draw a type's fields.

    Parameters
    ----------
    error
        Why the last attempt failed; drawn at its field, or at the choice that hides it.
    key_of
        Gives a field's widget key, under which what is typed is kept.
    on_correct
        Called with a field and its corrected text. The text is not put into the field: what was
        typed may hold a secret, and nothing secret is sent back to the browser.
    """
    chosen: dict[str, str] = {}
    at = error.field if error is not None else None
    for group in _groups(fields):
        visible = [spec for spec in group if is_shown(spec, chosen)]
        places = st.columns(len(visible)) if len(visible) > 1 else [st.container()] * len(visible)
        for place, spec in zip(places, visible, strict=True):
            hidden = {one.key for one in fields if _hides(spec, one, chosen, key_of)}
            own = error if at is not None and at in {spec.key, *hidden} else None
            with place:
                with field_box(spec.key, own):
                    chosen[spec.key] = field_widget(
                        spec, key_of(spec.key), bound=bound, is_open=own is not None
                    )
                _ways_out(spec, own, fields, key_of, on_correct=on_correct)


def correction_words(link: str) -> str:
    """Return what a button says that takes a corrected link and does again what failed.

    Of the link, the host alone is shown: what was typed may hold a secret.
    """
    parts = urlsplit(link)
    return f"Change it to {md(f'{parts.scheme}://{parts.hostname}')}/… and try again"


def is_shown(spec: FormField, chosen: Mapping[str, str]) -> bool:
    """Whether a field stands there, given what was chosen above it."""
    return spec.shown_when is None or chosen.get(spec.shown_when[0]) == spec.shown_when[1]


def field_widget(
    spec: FormField, key: str, *, bound: Bound, is_open: bool = False, stored: str = ""
) -> str:
    """Draw one field and return what is in it; below a secret, where it is sent.

    Parameters
    ----------
    stored
        What stands in a choice at first; its first one where that is none of them.
    is_open
        Whether a field that is folded away is opened.
    """
    must = spec.is_required or spec.shown_when is not None
    label = spec.label + (REQUIRED if must else "")
    if spec.kind is FieldKind.CHOICE:
        words = dict(spec.choices)
        values = list(words)
        chosen = st.selectbox(
            label,
            values,
            index=values.index(stored) if stored in words else 0,
            format_func=lambda one: words[one],
            help=spec.help,
            key=key,
        )
        return chosen or ""
    if spec.kind is FieldKind.LONG_TEXT:
        with st.expander(label, expanded=is_open or bool(st.session_state.get(key))):
            typed_lines = st.text_area(
                label,
                help=spec.help,
                placeholder=spec.example,
                label_visibility="collapsed",
                height=90,
                key=key,
            )
            st.markdown(bound_words(bound))
        return typed_lines or ""
    is_secret = spec.kind is FieldKind.SECRET
    typed = st.text_input(
        label,
        type="password" if is_secret else "default",
        live=SENT_AFTER if is_secret else False,
        autocomplete="off",
        placeholder=spec.example,
        help=spec.help or None,
        key=key,
    )
    if is_secret:
        st.markdown(bound_words(bound))
    return typed or ""


def bound_words(bound: Bound) -> str:
    """Markdown that says where a secret is sent."""
    told = f"Sent to {md(bound.host)} only" if bound.host else "Sent to the link's host only"
    if bound.is_plain:
        return (
            f":small[:orange[:material/lock_open: {told}, readable on the way: http, not https.]]"
        )
    return f":small[:gray[:material/lock: {told}.]]"


def custom_fields(  # noqa: PLR0913 - what it shows and does, by keyword
    error: DashboardError | None,
    *,
    key_of: Callable[[str], str],
    types_in_use: Sequence[str],
    known_type: str,
    on_known: Callable[[], None],
    trouble: str,
    example: str,
) -> None:
    """Draw what a connection of any other type asks for.

    Parameters
    ----------
    types_in_use
        Offered to be taken over.
    known_type
        What the form for the typed type is called, if there is one; `on_known` opens it.
    trouble
        What is wrong with the typed JSON, if anything.
    """
    type_key = key_of("type")
    with field_box("type", error if error is not None and error.field == "type" else None):
        st.text_input(
            f"Name of the type{REQUIRED}",
            placeholder="For example MONGODB",
            autocomplete="off",
            help="Any word. Scripts that use the connection read it.",
            key=type_key,
        )
        if known_type:
            st.button(
                f"There is a form for this type. Use “{md(known_type)}”",
                type="tertiary",
                icon=":material/auto_fix_high:",
                key="correct_type",
                on_click=on_known,
            )
        elif types_in_use:
            _suggestions(types_in_use, type_key, key_of("type_in_use"))
    own = error if error is not None and error.field == "details" else None
    json_area("Details", key_of("details"), error=own, trouble=trouble, example=example)


def json_area(
    label: str, key: str, *, error: DashboardError | None, trouble: str, example: str
) -> None:
    """Draw a field for JSON; the line below it says where it is wrong once it was left."""
    with field_box("details", error if not trouble else None):
        st.text_area(
            f"{label}{REQUIRED}",
            placeholder=example,
            height=190,
            help="Names and values in JSON. All of it is secret and never shown again.",
            key=key,
        )
        if trouble or error is None:
            json_line(trouble)


def json_line(trouble: str) -> None:
    """Say below a field for JSON what is wrong with it.

    Always one line: one that comes as the field is left would move the buttons away from under
    the click that leaves it.
    """
    if trouble:
        st.markdown(f":small[:red[:material/error: {md(trouble)}]]")
    else:
        st.markdown(":small[:gray[JSON, checked when you leave the field.]]")


def _suggestions(types: Sequence[str], type_key: str, key: str) -> None:
    labels = {md(short(one, 30)): one for one in types}

    def take() -> None:
        picked = st.session_state.get(key)
        if picked in labels:
            st.session_state[type_key] = labels[picked]
        st.session_state[key] = None

    st.pills(
        "Types in use here",
        list(labels),
        label_visibility="collapsed",
        key=key,
        on_change=take,
    )


def _groups(fields: Sequence[FormField]) -> list[list[FormField]]:
    """Put choices that follow each other side by side; every other field has its own line."""
    groups: list[list[FormField]] = []
    for spec in fields:
        is_choice = spec.kind is FieldKind.CHOICE
        if groups and is_choice and groups[-1][-1].kind is FieldKind.CHOICE:
            groups[-1].append(spec)
        else:
            groups.append([spec])
    return groups


def _hides(
    choice: FormField, spec: FormField, chosen: Mapping[str, str], key_of: Callable[[str], str]
) -> bool:
    if spec.shown_when is None or spec.shown_when[0] != choice.key:
        return False
    now = st.session_state.get(key_of(choice.key), chosen.get(choice.key))
    return bool(now != spec.shown_when[1])


def _ways_out(
    spec: FormField,
    error: DashboardError | None,
    fields: Sequence[FormField],
    key_of: Callable[[str], str],
    *,
    on_correct: Callable[[dict[str, str]], None],
) -> None:
    """Offer what corrects an error with one click."""
    if isinstance(error, InvalidInput) and error.suggestion:
        st.button(
            correction_words(error.suggestion),
            type="tertiary",
            icon=":material/auto_fix_high:",
            key=f"correct_{spec.key}",
            on_click=on_correct,
            args=({spec.key: error.suggestion},),
        )
    elif error is not None and error.field == spec.key:
        _offers(spec, fields, key_of(spec.key))


def _offers(spec: FormField, fields: Sequence[FormField], key: str) -> None:
    """Offer the choices that bring up more fields, such as those of a sign-in."""
    wanted = {
        one.shown_when[1] for one in fields if one.shown_when and one.shown_when[0] == spec.key
    }

    def choose(value: str) -> None:
        st.session_state[key] = value

    if st.session_state.get(key) in wanted:
        return
    with st.container(horizontal=True, gap="small"):
        for value, words in spec.choices:
            if value in wanted:
                st.button(
                    f"Add a {md(words.lower())}",
                    type="tertiary",
                    icon=":material/add:",
                    key=f"correct_{spec.key}_{value}",
                    on_click=choose,
                    args=(value,),
                )
