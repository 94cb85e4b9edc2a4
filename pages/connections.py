import streamlit as st

from components import loading, outage, presenting
from components.empty_state import Way, empty_state
from components.frame import page_header
from components.text import ago, count
from dashboard import live, runtime, session, strings
from dashboard.views import checking, connection, connection_list, replacements, ways_back

current = runtime.current()
who = current.identity()
heading = st.container()
known = live.read(current.catalog.connections(who))
rooms = live.read(current.catalog.workspaces(who))
index = connection_list.index_of(known.value) if known.value is not None else None


def begin() -> None:
    """Go to the form of a new connection."""
    session.go_to("new_connection")


def bring() -> None:
    """Go to the page that imports connections."""
    session.go_to("import_connections")


with heading:
    told = "Named addresses of data sources, with what is needed to read them."
    if index is not None and index.connections:
        told = f"{count(len(index.connections), 'connection')} on this platform."
        if known.age_s > known.fresh_s:
            told += f" Read {ago(known.age_s)}{', refreshing' if known.is_loading else ''}."
    with page_header("Connections", told):
        if index is not None and index.connections:
            checking.check_all(index.connections)
            st.button(
                "Import",
                icon=":material/upload:",
                key="connections_import",
                on_click=bring,
                **presenting.off(),
            )
        st.button(
            "New connection",
            type=outage.primary(),
            icon=":material/add:",
            key="connections_new",
            on_click=begin,
        )
replacements.draw()
connection.draw_missing(known)

if known.error is not None and index is None:
    ways_back.show(known.error, what="your connections", key="connections")
elif index is None or rooms.is_first:
    loading.skeleton("your connections", [known, rooms], height=380)
elif not index.connections:
    ways = [
        Way("connections_first", "Connect a file on the web", begin, ":material/add:"),
        Way("connections_first_import", "Import from JSON", bring, ":material/upload:"),
    ]
    empty_state("No connections yet", strings.CONNECTION, ways, icon="link")
else:
    connection_list.draw(index, rooms.value or ())
# Whatever the list shows: an address may name a connection that no filter lets through.
if index is not None and not rooms.is_first:
    connection.draw_drawer(known, rooms.value or ())
