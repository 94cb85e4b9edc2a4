"""The list of connections: what of it is looked at, what is ticked, and what is done with that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from components.connection_filters import (
    SEARCH_KEY,
    FilterFacts,
    health_pills,
    order_choice,
    search_box,
    type_and_workspace,
)
from components.connection_table import connection_table, result_count
from components.pager import pager
from components.selection_bar import BarAct, selection_bar
from dashboard import live, runtime, session
from dashboard.domain.connection import Connection
from dashboard.domain.connection_list import (
    ConnectionIndex,
    Facts,
    Found,
    Narrowing,
    Page,
    page_of,
)
from dashboard.domain.list_choice import NOT_LINKED, PARAMETERS, ListChoice, choice_of
from dashboard.domain.workspace import Workspace, labels
from dashboard.views import connection


def index_of(connections: Sequence[Connection]) -> ConnectionIndex:
    """Return the index of the list, without the temporary copies of replaces under way."""
    current = runtime.current()
    who = current.identity()
    replaces = live.read(current.replacing.replacements(who)).value or ()
    copies = [
        name
        for one in replaces
        if not one.state.is_over
        for name in (one.new_copy_name, one.old_copy_name)
    ]
    return current.catalog.index_of(who, connections, copies)


@st.fragment(key="connections_part")
def draw(index: ConnectionIndex, rooms: Sequence[Workspace]) -> None:
    """Draw filters, table and pages: a part of the page of its own, which a key press redraws."""
    live.pursue()
    current = runtime.current()
    who = current.identity()
    facts = Facts(
        live.read(current.checks.health(who), wait=False).value or {},
        live.read(current.run_actions.last_runs(who), wait=False).value or {},
    )
    names = labels(rooms)
    choice = _valid(choice_of(session.address(PARAMETERS)), index, names)
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="connections_filters"
    ):
        wanted = Narrowing(
            words=search_box(_change),
            health=choice.health,
            type=choice.type,
            among=_among(choice.workspace, index, rooms),
        )
        found = index.find(wanted, choice.order, facts)
        order_choice(choice, _change)
        # Last in the row: their counts change its width with every key.
        health_pills(choice, found.by_health, _change)
    page = page_of(found.positions, choice.page)
    rows = index.rows(page.positions, facts)
    rooms_by_id = {str(room_id): name for room_id, name in names.items()}
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="connections_tools"
    ):
        type_and_workspace(choice, FilterFacts(index.types, rooms_by_id), _change)
        if rows or session.ticked():
            _draw_bar(index, {row.connection.connection_id for row in rows})
    if rows:
        connection_table(
            rows,
            ticked=session.ticked(),
            zone=session.zone(),
            on_open=_open,
            on_tick=_tick,
        )
    _draw_foot(page, found, index, is_narrowed=choice.is_narrowed or bool(wanted.words.strip()))


def _draw_bar(index: ConnectionIndex, shown: set[str]) -> None:
    current = runtime.current()
    chosen = index.chosen(session.ticked())
    selection_bar(
        len(chosen),
        elsewhere=sum(one.connection_id not in shown for one in chosen),
        is_testing=current.tests.check_progress(current.identity()) is not None,
        # Asked anew: a click can come together with the tick before it.
        on_act=lambda act: _act(act, index.chosen(session.ticked())),
    )


def _draw_foot(page: Page, found: Found, index: ConnectionIndex, *, is_narrowed: bool) -> None:
    told = result_count(page, found=len(found.positions), total=len(index.connections))
    if not found.positions and is_narrowed:
        with st.container(border=True, key="connections_none", horizontal_alignment="center"):
            st.markdown("**No connection fits these filters.**", text_alignment="center")
            st.button("Clear filters", key="connections_clear", on_click=_clear)
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        key="connections_foot",
    ):
        hint = " Click a name to open it." if found.positions else ""
        st.markdown(f":small[:gray[{told}{hint}]]", width="content")
        pager(page, lambda number: _change(lambda old: replace(old, page=number)))


def _valid(choice: ListChoice, index: ConnectionIndex, rooms: Mapping[int, str]) -> ListChoice:
    """Return the choice without what there is not."""
    if choice.type is not None and choice.type not in index.types:
        choice = replace(choice, type=None)
    if choice.workspace not in ("", NOT_LINKED) and int(choice.workspace) not in rooms:
        choice = replace(choice, workspace="")
    return choice


def _among(
    workspace: str, index: ConnectionIndex, rooms: Sequence[Workspace]
) -> frozenset[str] | None:
    """Ids of the connections of a workspace; None for all."""
    if not workspace:
        return None
    if workspace == NOT_LINKED:
        return index.not_linked()
    name = next(room.name for room in rooms if str(room.workspace_id) == workspace)
    if sum(room.name == name for room in rooms) > 1:
        # The platform lists names; where two share one, the workspace's own list decides.
        current = runtime.current()
        own = live.read(
            current.catalog.linked_connections(current.identity(), int(workspace))
        ).value
        if own is not None:
            return frozenset(one.connection_id for one in own)
    return index.linked_to(name)


def _change(change: Callable[[ListChoice], ListChoice]) -> None:
    now = choice_of(session.address(PARAMETERS))
    wanted = change(now)
    if wanted != now:
        session.set_address(PARAMETERS, wanted.to_query())


def _clear() -> None:
    st.session_state[SEARCH_KEY] = ""
    _change(lambda old: ListChoice(order=old.order))


def _open(connection_id: str) -> None:
    connection.open_drawer(connection_id)
    session.note_submitted()


def _tick(shown: Sequence[str], ticks: Sequence[str]) -> None:
    others = [one for one in session.ticked() if one not in set(shown)]
    session.set_ticked([*others, *ticks])


def _act(act: BarAct, chosen: Sequence[Connection]) -> None:
    ids = ",".join(one.connection_id for one in chosen)
    if act is BarAct.CLEAR:
        session.set_ticked([])
    elif act is BarAct.TEST:
        check(chosen)
    elif act is BarAct.LINK:
        session.open_dialog("link_connections", ids)
    elif act is BarAct.UNLINK:
        session.open_dialog("link_connections", f"unlink:{ids}")
    elif act is BarAct.EXPORT:
        session.open_dialog("export_connections", ids)
    else:
        session.open_dialog("delete_connections", ids)


def check(connections: Sequence[Connection]) -> None:
    """Test these connections as one paced job. For callbacks."""
    current = runtime.current()
    who = current.identity()
    window = session.mark()
    told = "1 connection" if len(connections) == 1 else f"{len(connections):,} connections"
    live.submit(
        lambda: current.tests.check(who, connections, session=window),
        doing=f"Testing {told}",
        once="check",
    )
