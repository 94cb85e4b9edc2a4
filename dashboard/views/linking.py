"""Linking connections to workspaces, many to many, with a preview of what will change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from components import link_form, loading, outage, presenting
from components.link_form import Preview
from components.messages import field_error
from components.text import count
from dashboard import live, runtime, session
from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace, labels
from dashboard.services.link_plan import LinkPlan, plan_links
from dashboard.services.reads import Read

_NAME = "link_connections"
_UNLINK = "unlink:"
_ROOM = "room:"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the dialog was opened with."""

    connection_ids: tuple[str, ...] = ()
    room_id: str = ""
    unlink: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """The lists to choose from, and their labels by id."""

    connections: Mapping[str, Connection]
    rooms: Mapping[str, Workspace]
    names: Mapping[str, str]
    room_names: Mapping[str, str]


def subject_of(connections: Sequence[str], *, unlink: bool = False) -> str:
    """Return the dialog's subject for connections chosen by id."""
    return (_UNLINK if unlink else "") + ",".join(connections)


def subject_of_room(workspace_id: int) -> str:
    """Return the dialog's subject for a workspace."""
    return f"{_ROOM}{workspace_id}"


def draw(subject: str) -> None:
    """Draw the dialog.

    Parameters
    ----------
    subject
        From `subject_of` or `subject_of_room`.
    """
    asked = _parse(subject)

    @st.dialog(
        "Link or unlink connections",
        width="medium",
        icon=":material/add_link:",
        on_dismiss=session.close_dialog,
    )
    def dialog() -> None:
        live.pursue()
        current = runtime.current()
        who = current.identity()
        connections = live.read(current.catalog.connections(who))
        rooms = live.read(current.catalog.workspaces(who))
        error = connections.error or rooms.error
        if connections.value is not None and rooms.value is not None:
            _form(asked, subject, _known(connections.value, rooms.value))
        elif error is not None:
            field_error(error.message, error.hint)
        else:
            loading.skeleton("connections and workspaces", [connections, rooms], height=260)

    dialog()


def _parse(subject: str) -> _Asked:
    if subject.startswith(_ROOM):
        return _Asked(room_id=subject.removeprefix(_ROOM))
    ids = subject.removeprefix(_UNLINK).split(",")
    chosen = tuple(dict.fromkeys(one.strip() for one in ids if one.strip()))
    return _Asked(connection_ids=chosen, unlink=subject.startswith(_UNLINK))


def _known(connections: Sequence[Connection], rooms: Sequence[Workspace]) -> _Known:
    by_id = {one.connection_id: one for one in connections}
    return _Known(
        by_id,
        {str(room.workspace_id): room for room in rooms},
        link_form.told_apart({one: connection.name for one, connection in by_id.items()}),
        link_form.told_apart({str(one): label for one, label in labels(rooms).items()}),
    )


def _form(asked: _Asked, subject: str, known: _Known) -> None:
    chosen = [one for one in asked.connection_ids if one in known.connections]
    gone = len(asked.connection_ids) - len(chosen)
    if gone:
        told = count(gone, "connection")
        verb = "does" if gone == 1 else "do"
        st.markdown(f":orange[:material/info: {told} you chose {verb} not exist any more.]")
    if asked.room_id and asked.room_id not in known.rooms:
        st.markdown(":orange[:material/info: You are not in that workspace any more.]")
    if not known.rooms:
        st.markdown("You are in no workspace yet. Create one on the page Workspaces first.")
        return
    link_form.mode_field(unlink=asked.unlink)
    link = _is_link(asked)
    rooms_at_first = [asked.room_id] if asked.room_id in known.rooms else []
    lists = _own_lists(_chosen_rooms(known, rooms_at_first))
    among = None
    if not link and lists and all(one.value is not None for one in lists.values()):
        among = {one.connection_id for own in lists.values() for one in own.value or ()}
    link_form.connections_field(known.names, chosen=chosen, among=among)
    # What is linked to a workspace is read, and followed, by a redraw of the frame.
    link_form.rooms_field(known.room_names, chosen=rooms_at_first, on_change=session.note_submitted)

    def plan() -> LinkPlan | None:
        return _plan(known, chosen, rooms_at_first, link=_is_link(asked))

    _rest(subject, known, plan)


def _is_link(asked: _Asked) -> bool:
    at_first = link_form.UNLINK if asked.unlink else link_form.LINK
    return bool(st.session_state.get(link_form.MODE_KEY, at_first) != link_form.UNLINK)


def _chosen_rooms(known: _Known, at_first: Sequence[str]) -> list[Workspace]:
    ids = st.session_state.get(link_form.ROOMS_KEY, at_first)
    return [known.rooms[one] for one in ids if one in known.rooms]


def _own_lists(rooms: Sequence[Workspace]) -> dict[int, Read[tuple[Connection, ...]]]:
    current = runtime.current()
    who = current.identity()
    return {
        room.workspace_id: live.read(current.catalog.linked_connections(who, room.workspace_id))
        for room in rooms
    }


def _plan(
    known: _Known, chosen: Sequence[str], rooms_at_first: Sequence[str], *, link: bool
) -> LinkPlan | None:
    """Return what would change; None while something is not chosen or not known.

    What is chosen is read where it is kept: a click can come together with the choice before it.
    """
    rooms = _chosen_rooms(known, rooms_at_first)
    ids = chosen
    if not link_form.is_fixed(chosen):
        ids = st.session_state.get(link_form.CONNECTIONS_KEY, chosen)
    connections = [known.connections[one] for one in ids if one in known.connections]
    lists = _own_lists(rooms)
    linked = {
        room_id: {one.connection_id for one in own.value}
        for room_id, own in lists.items()
        if own.value is not None
    }
    if not connections or not rooms or len(linked) < len(rooms):
        return None
    return plan_links(connections, rooms, linked, link=link)


def _rest(subject: str, known: _Known, plan: Callable[[], LinkPlan | None]) -> None:
    """Draw the preview and the buttons."""
    shown = plan()
    rooms = _chosen_rooms(known, ())
    lists = _own_lists(rooms)
    unknown = [one for one in lists.values() if one.value is None]
    failed = next((one.error for one in unknown if one.error is not None), None)
    if shown is not None:
        link_form.preview(_preview(known, shown))
    elif failed is not None:
        field_error(f"What is linked there cannot be read. {failed.message}", failed.hint)
    elif unknown:
        loading.skeleton("what is linked there now", unknown, height=72)
    else:
        st.markdown(":small[:gray[Choose connections and workspaces to see what will change.]]")
    with st.container(horizontal=True):
        st.button(
            _label(shown),
            type="primary",
            **outage.off(
                **(
                    presenting.off()
                    if shown is not None and not shown.link
                    else {"disabled": shown is None or not shown.changes}
                )
            ),
            key="linking_submit",
            on_click=_submit,
            args=(subject, plan),
        )
        st.button("Cancel", type="tertiary", key="linking_cancel", on_click=session.close_dialog)


def _label(shown: LinkPlan | None) -> str:
    if shown is None or not shown.changes:
        return "Save links"
    verb = "Add" if shown.link else "Remove"
    return f"{verb} {count(len(shown.changes), 'link')}"


def _preview(known: _Known, shown: LinkPlan) -> Preview:
    names, rooms = known.names, known.room_names
    return Preview(
        link=shown.link,
        pairs=[
            (names[one.connection.connection_id], rooms[str(one.room.workspace_id)])
            for one in shown.changes
        ],
        already=shown.already,
        lost={rooms[str(one)]: number for one, number in shown.lost_by().items()},
    )


def _submit(subject: str, plan: Callable[[], LinkPlan | None]) -> None:
    wanted = plan()
    if session.dialog() != (_NAME, subject) or wanted is None or not wanted.changes:
        return  # the second click of a double click, or nothing to do any more
    if presenting.is_on() and not wanted.link:
        return
    session.close_dialog()
    current = runtime.current()
    who = current.identity()
    changes = wanted.changes
    told = count(len(changes), "link")
    pairs = [(one.connection.connection_id, one.room.workspace_id) for one in changes]
    live.submit(
        lambda: current.connections.change_links(who, changes),
        doing=f"Adding {told}" if wanted.link else f"Removing {told}",
        once=f"{_NAME}:{wanted.link}:{hash(tuple(pairs))}",
    )
