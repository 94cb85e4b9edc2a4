from datetime import UTC, datetime

import streamlit as st

from components import loading, presenting
from components.activity_table import (
    activity_table,
    clear_filters,
    filters,
    nothing_fits,
    page_picker,
)
from components.empty_state import Way, empty_state
from components.frame import page_header
from dashboard import live, runtime, session
from dashboard.services.activity import MOST_EXPORTED, ActivityFilter, ActivityLog
from dashboard.views import ways_back

_PER_PAGE = 50
_EXPLANATION = (
    "Every connection that is created, tested, edited, linked, fetched through or deleted here "
    "leaves a line: who did it, when, and how it ended. Names of fields are noted, never what is "
    "in them."
)

current = runtime.current()
who = current.identity()


def begin() -> None:
    """Go to the form of a new connection."""
    session.go_to("new_connection")


def draw_exports(log: ActivityLog, wanted: ActivityFilter) -> None:
    """Draw the buttons that give what is wanted as a file, made when it is asked for."""
    name = f"activity-{datetime.now(UTC).astimezone(session.zone()):%Y-%m-%d}"
    told = f"All entries that fit the filters, the newest {MOST_EXPORTED:,} at most."
    st.download_button(
        "CSV",
        # The mark at the beginning tells spreadsheets that it is UTF-8.
        lambda: log.csv_text(who, wanted).encode("utf-8-sig"),
        f"{name}.csv",
        "text/csv",
        icon=":material/download:",
        **presenting.off(help=told),
        key="activity_csv",
        on_click="ignore",
    )
    st.download_button(
        "JSON",
        lambda: log.json_text(who, wanted).encode(),
        f"{name}.json",
        "application/json",
        icon=":material/download:",
        **presenting.off(help=told),
        key="activity_json",
        on_click="ignore",
    )


actions = page_header(
    "Activity",
    "Who did what to which connection or pipeline, and when. Values are never kept.",
)
everything = live.read(current.activity.query(who, ActivityFilter(), limit=_PER_PAGE))

if everything.value is None and everything.error is not None:
    ways_back.show(everything.error, what="the activity log", key="activity")
elif everything.value is None:
    loading.skeleton("the activity log", everything, height=420)
elif not everything.value.total:
    way = Way("activity_first", "New connection", begin, ":material/add:")
    empty_state("Nothing has been done yet", _EXPLANATION, [way], icon="history")
else:
    wanted = filters()
    table = st.container()
    first_page = live.read(current.activity.query(who, wanted, limit=_PER_PAGE))
    # The pages are drawn below the table, which shows the one that is chosen there.
    total = first_page.value.total if first_page.value is not None else 0
    offset = (page_picker(total, per_page=_PER_PAGE) - 1) * _PER_PAGE
    known = live.read(current.activity.query(who, wanted, offset=offset, limit=_PER_PAGE))
    with table:
        if known.value is None and known.error is not None:
            ways_back.show(known.error, what="the activity log", key="activity")
        elif known.value is None:
            loading.skeleton("the activity log", known, height=420)
        elif not known.value.entries:
            nothing_fits(clear_filters)
        else:
            activity_table(
                known.value.entries,
                me=who.user_id,
                zone=session.zone(),
                first=offset + 1,
                total=known.value.total,
                ticked=session.ticked_entries(),
                on_tick=session.set_ticked_entries,
            )
    with actions:
        draw_exports(current.activity, wanted)
