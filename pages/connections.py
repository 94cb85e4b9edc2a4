import streamlit as st

from components import loading
from components.connection_table import connection_table, filters, matching
from components.empty_state import Way, empty_state
from components.frame import page_header
from components.text import count
from dashboard import live, runtime, session, strings
from dashboard.views import connection, ways_back

current = runtime.current()
who = current.identity()
heading = st.container()
known = live.read(current.catalog.connections(who))
rooms = live.read(current.catalog.workspaces(who))


def begin() -> None:
    """Go to the form of a new connection."""
    session.go_to("new_connection")


with heading:
    told = f"{count(len(known.value), 'connection')} on this platform." if known.value else ""
    with page_header("Connections", told or "Named addresses of data sources."):
        st.button(
            "New connection",
            type="primary",
            icon=":material/add:",
            key="connections_new",
            on_click=begin,
        )

if known.value is None and known.error is not None:
    ways_back.show(known.error, what="your connections", key="connections")
elif known.value is None:
    loading.skeleton("your connections", known, height=380)
elif not known.value:
    way = Way("connections_first", "Connect a file on the web", begin, ":material/add:")
    empty_state("No connections yet", strings.CONNECTION, [way], icon="link")
else:
    words, connection_type = filters(known.value)
    connection_table(
        matching(known.value, words=words, connection_type=connection_type),
        total=len(known.value),
        zone=session.zone(),
        on_open=connection.open_drawer,
    )
    connection.draw_drawer(known, rooms.value or ())
