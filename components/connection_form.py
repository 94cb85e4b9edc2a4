"""The form of a new connection, generated from its type's fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import streamlit as st

from components.messages import field_box
from components.text import md
from dashboard.errors import DashboardError, InvalidInput


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of the form, as its type describes it."""

    key: str
    label: str
    help: str
    example: str
    kind: str
    choices: tuple[tuple[str, str], ...] = ()
    shown_when: tuple[str, str] | None = None


def name_field(error: DashboardError | None, *, key: str) -> None:
    """Draw the name's field with the error that belongs to it."""
    with field_box("name", error):
        st.text_input(
            "Name",
            placeholder="For example press-releases",
            help="Scripts look it up by this name. It must be new on the platform.",
            key=key,
        )


def type_fields(
    fields: Sequence[FieldSpec],
    error: DashboardError | None,
    *,
    key_of: Callable[[str], str],
    on_correct: Callable[[dict[str, str]], None],
) -> None:
    """Draw a type's fields.

    Parameters
    ----------
    error
        The error of the last submission; drawn at its field.
    key_of
        Gives a field's widget key, under which what is typed is kept.
    on_correct
        Called with a field and its corrected text. The text is not put into the field: what was
        typed may hold a secret, and nothing secret is sent back to the browser.
    """
    typed: dict[str, str] = {}
    for group in _groups(fields):
        visible = [spec for spec in group if _is_shown(spec, typed)]
        places = st.columns(len(visible)) if len(visible) > 1 else [st.container()] * len(visible)
        for place, spec in zip(places, visible, strict=True):
            own = error if error is not None and error.field == spec.key else None
            with place:
                with field_box(spec.key, own):
                    typed[spec.key] = _widget(spec, key_of(spec.key))
                if isinstance(own, InvalidInput) and own.suggestion:
                    _correction(spec, own, on_correct)


def _groups(fields: Sequence[FieldSpec]) -> list[list[FieldSpec]]:
    """Put choices that follow each other side by side; every other field has its own line."""
    groups: list[list[FieldSpec]] = []
    for spec in fields:
        if groups and spec.kind == "choice" and groups[-1][-1].kind == "choice":
            groups[-1].append(spec)
        else:
            groups.append([spec])
    return groups


def _is_shown(spec: FieldSpec, typed: dict[str, str]) -> bool:
    return spec.shown_when is None or typed.get(spec.shown_when[0]) == spec.shown_when[1]


def _widget(spec: FieldSpec, key: str) -> str:
    if spec.kind == "choice":
        words = dict(spec.choices)
        chosen = st.selectbox(
            spec.label, list(words), format_func=lambda one: words[one], help=spec.help, key=key
        )
        return chosen or ""
    if spec.kind == "long_text":
        with st.expander(spec.label, type="compact"):
            typed_lines = st.text_area(
                spec.label,
                help=spec.help,
                placeholder=spec.example,
                label_visibility="collapsed",
                height=90,
                key=key,
            )
        return typed_lines or ""
    typed = st.text_input(
        spec.label,
        type="password" if spec.kind == "secret" else "default",
        autocomplete="off",
        placeholder=spec.example,
        help=spec.help,
        key=key,
    )
    return typed or ""


def _correction(
    spec: FieldSpec, error: InvalidInput, on_correct: Callable[[dict[str, str]], None]
) -> None:
    parts = urlsplit(error.suggestion)
    st.button(
        f"Save it as {md(f'{parts.scheme}://{parts.hostname}')}/…",
        type="tertiary",
        icon=":material/auto_fix_high:",
        key=f"correct_{spec.key}",
        on_click=on_correct,
        args=({spec.key: error.suggestion},),
    )
