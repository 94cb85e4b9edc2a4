"""What stands around the fields of a connection's form: its buttons and what follows saving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from components.text import md, short


def copied_note(name: str, *, left_out: Sequence[str], lost: Sequence[str]) -> None:
    """Say what a copy does not hold. All of it may be hostile; no name means it is gone."""
    with st.container(border=True, key="new_connection_copied", gap="xsmall"):
        if not name:
            st.markdown("What was to be copied does not exist any more. You can begin anew.")
            return
        st.markdown(f"A copy of **{md(short(name, 80))}**. Nothing secret is copied.")
        for label in left_out[:8]:
            st.markdown(
                f":small[:gray[:material/edit: {md(short(label, 60))} is not copied. Type it.]]"
            )
        rest = [*lost, *left_out[8:]]
        if rest:
            told = ", ".join(md(short(label, 40)) for label in rest[:6])
            more = f" and {len(rest) - 6} more" if len(rest) > 6 else ""
            st.markdown(f":small[:gray[Not copied either: {told}{more}.]]")


def after_saving(  # noqa: PLR0913 - what it shows and does, by keyword
    names: Mapping[int, str] | None,
    *,
    room_id: int | None,
    same_ids: Sequence[int] | None,
    link_key: str,
    room_key: str,
    explanation: str,
    about: str,
    on_sample: Callable[[], None] | None,
) -> None:
    """Draw what happens after saving: the link to a workspace.

    Parameters
    ----------
    names
        Labels of the workspaces by id; None while they are not known.
    room_id
        The one of them to propose; None for the first.
    same_ids
        Those that the connection it is a copy of is linked to; None where it is no copy.
    about
        What a connection is.
    on_sample
        Fills in a link to try it with; None where there is none.
    """
    with st.container(border=True, key="new_connection_after"):
        st.markdown("**After saving**")
        if names is None:
            st.markdown(":small[:gray[Loading your workspaces…]]")
        elif names:
            if same_ids:
                _same_links(names, same_ids, link_key)
            else:
                _link_choice(
                    names, room_id, link_key, room_key, explanation, is_on=same_ids is None
                )
        else:
            st.markdown(":small[:gray[You can link it to a workspace once there is one.]]")
        st.markdown(f":small[:gray[{md(about)}]]")
        if on_sample is not None:
            st.markdown("**No link at hand?**")
            st.button(
                "Fill in the workshop's sample",
                icon=":material/auto_fix_high:",
                on_click=on_sample,
                key="new_connection_sample",
            )


def _same_links(names: Mapping[int, str], same_ids: Sequence[int], link_key: str) -> None:
    one = len(same_ids) == 1
    st.toggle(
        f"Link it to the same {'workspace' if one else 'workspaces'}", value=True, key=link_key
    )
    listed = ", ".join(f"**{md(short(names[room_id], 60))}**" for room_id in same_ids)
    st.markdown(f":small[{listed}]")


def _link_choice(
    names: Mapping[int, str],
    room_id: int | None,
    link_key: str,
    room_key: str,
    explanation: str,
    *,
    is_on: bool,
) -> None:
    link = st.toggle("Link it right away", value=is_on, key=link_key)
    ids = list(names)
    st.selectbox(
        "Workspace",
        ids,
        index=ids.index(room_id) if room_id is not None else 0,
        format_func=lambda one: names[one],
        help=explanation,
        disabled=not link,
        key=room_key,
    )


@dataclass(frozen=True, slots=True)
class Actions:
    """What the form's buttons say and do.

    Parameters
    ----------
    page
        First part of the buttons' keys.
    save, saving
        What the primary button says, and what it says while that is under way.
    why_no_test
        Why Test is off; empty while it is on.
    untested
        What saving without a test is called; empty where that is not offered.
    why_off
        Why nothing can be tested or saved; empty while it can.
    """

    page: str
    save: str
    saving: str
    is_busy: bool
    why_no_test: str
    untested: str
    on_save: Callable[[], None]
    on_test: Callable[[], None]
    on_save_untested: Callable[[], None]
    on_cancel: Callable[[], None]
    why_off: str = ""


def form_actions(asked: Actions) -> None:
    """Draw the form's buttons, and in words why they, or Test alone, are off when they are."""
    is_off = asked.is_busy or bool(asked.why_off)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            asked.saving if asked.is_busy else asked.save,
            type="secondary" if asked.why_off else "primary",
            disabled=is_off,
            key=f"{asked.page}_save",
            on_click=asked.on_save,
        )
        st.button(
            "Test",
            disabled=is_off or bool(asked.why_no_test),
            key=f"{asked.page}_test",
            on_click=asked.on_test,
        )
        if asked.untested:
            st.button(
                asked.untested,
                type="tertiary",
                disabled=is_off,
                key=f"{asked.page}_save_untested",
                on_click=asked.on_save_untested,
            )
        st.button("Cancel", type="tertiary", key=f"{asked.page}_cancel", on_click=asked.on_cancel)
    if asked.why_off or asked.why_no_test:
        st.markdown(f":small[:gray[{md(asked.why_off or asked.why_no_test)}]]")


def gone_card(
    newer_name: str,
    *,
    by_you: bool,
    on_back: Callable[[], None],
    on_newer: Callable[[], None] | None,
) -> None:
    """Say calmly that there is nothing to edit; offer the one that took its place, if known.

    Parameters
    ----------
    by_you
        Whether the reader's own edit put it there.
    """
    name = md(short(newer_name, 80))
    with st.container(border=True, key="edit_connection_gone"):
        if on_newer is not None and by_you:
            st.markdown(f"#### Your edit of {name} is done")
            st.markdown("To change it again, begin a new edit.")
        else:
            st.markdown("#### This connection does not exist any more")
            if on_newer is not None:
                st.markdown(f"**{name}** was replaced meanwhile and has another id now.")
            else:
                st.markdown("It was deleted or replaced elsewhere. Nothing was changed here.")
        with st.container(horizontal=True):
            if on_newer is not None:
                st.button(
                    "Edit it again" if by_you else "Edit the new one",
                    type="primary",
                    key="edit_connection_newer",
                    on_click=on_newer,
                )
            st.button(
                "Back to the connections",
                type="primary" if on_newer is None else "secondary",
                key="edit_connection_back",
                on_click=on_back,
            )


def changed_elsewhere(
    name: str,
    *,
    by_you: bool,
    keeps: bool | None,
    on_newer: Callable[[], None] | None,
    on_back: Callable[[], None],
) -> None:
    """Say above a form that its connection was changed or deleted elsewhere meanwhile.

    Parameters
    ----------
    by_you
        Whether the reader did it, in another window.
    keeps
        Whether what is typed fits the newer one; None where nothing is typed.
    on_newer
        Goes on with it; None where there is none, or it is not read yet.
    """
    with st.container(border=True, key="edit_connection_elsewhere"):
        shown = md(short(name, 80))
        what = "was replaced" if on_newer is not None else "was replaced or deleted"
        told = f"{shown} {what} elsewhere meanwhile."
        if by_you:
            told = f"You have edited {shown} in another window meanwhile."
        st.markdown(f":orange[:material/warning:] **{told}** Nothing of it is overwritten.")
        with st.container(horizontal=True, vertical_alignment="center"):
            if on_newer is not None:
                st.button(
                    "Edit the new one",
                    type="primary",
                    key="edit_connection_newer",
                    on_click=on_newer,
                )
                if keeps is not None:
                    kept = (
                        "What you typed is kept."
                        if keeps
                        else "Its details stand in other places: what you typed is dropped."
                    )
                    st.markdown(f":small[:gray[{kept}]]")
            else:
                st.button("Back to the connections", key="edit_connection_back", on_click=on_back)
