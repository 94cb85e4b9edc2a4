"""Two runs beside each other: which, how they compare, and their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from components import loading
from components.compare_header import Side, run_side, still_going
from components.run_diff import run_diff
from components.text import count
from dashboard import live, runtime, session
from dashboard.domain.run import Run
from dashboard.domain.run_comparison import Comparison, RowChange, has_same_input
from dashboard.errors import DashboardError, NotFound
from dashboard.services import comparing
from dashboard.views import ways_back

_PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Pair:
    """The runs to compare; None where none is chosen yet."""

    a: Run | None
    b: Run | None


def chosen(asked: tuple[str, str], listed: Sequence[Run]) -> Pair | None:
    """Return the runs the address names, without one the newest; draw why not, and return None.

    Parameters
    ----------
    asked
        Ids as they stand in the address; empty where there is none.
    """
    current = runtime.current()
    who = current.identity()
    a_id = asked[0] or (listed[0].run_id if listed and not asked[1] else "")
    try:
        return Pair(
            *(
                current.runs.run(who, run_id) if run_id else None
                for run_id in (a_id, asked[1] if asked[1] != a_id else "")
            )
        )
    except NotFound:
        st.markdown("This run is not kept any more.")
        st.button(
            "Choose two runs", type="primary", key="compare_gone", on_click=st.query_params.clear
        )
    except DashboardError as error:
        ways_back.show(error, what="this run", key="compare_run")
    return None


def sides(pair: Pair, listed: Sequence[Run]) -> None:
    """Draw both runs with the lists to choose others from."""
    zone = session.zone()
    with st.grid(2, min_column_width=320, gap="small"):
        for letter, run, other in (("A", pair.a, pair.b), ("B", pair.b, pair.a)):
            side = Side(letter, run, _choices(run, other, listed), other)
            run_side(
                side,
                me=runtime.current().identity().user_id,
                zone=zone,
                on_choose=_chooser(pair, letter),
                on_open=lambda run_id: session.go_to("summarize", run=run_id),
            )
    if pair.b is None and len(listed) < 2:
        st.markdown(
            "This is the only run there is. Send its table through a pipeline once more, then "
            "compare both here."
        )


def known(a: Run, b: Run) -> Comparison | None:
    """Return how the runs compare; draw what there is to say about it before that is known."""
    current = runtime.current()
    if not has_same_input(a, b):
        told = ":orange-badge[:material/warning: Another input] Rows are compared by place: the "
        told += "first with the first."
        beyond = abs(a.rows_total - b.rows_total)
        if beyond:
            longer = "A" if a.rows_total > b.rows_total else "B"
            told += f" The last {count(beyond, 'row')} of {longer} have no counterpart."
        st.markdown(told)
    read = live.read(comparing.comparison(current.runs, current.identity(), a, b))
    if read.value is None:
        if read.error is not None:
            ways_back.show(read.error, what="the rows of these runs", key="compare_rows")
        else:
            loading.skeleton("the rows of both runs", read, height=380)
        return None
    going = still_going(a, b)
    waiting = read.value.number(RowChange.WAITING)
    if going:
        compared = len(read.value.pairs) - waiting
        st.markdown(
            f":blue-badge[:material/progress_activity: Still going on] {going} not over: "
            f"{compared:,} of {count(len(read.value.pairs), 'row')} are compared so far."
        )
    elif waiting:
        st.markdown(f"{count(waiting, 'row was', 'rows were')} never sent in one of the runs.")
    if len(read.value.pairs) == comparing.ROWS_AT_MOST < min(a.rows_total, b.rows_total):
        st.markdown(f"The first {comparing.ROWS_AT_MOST:,} rows are compared.")
    return read.value


def rows(a: Run, b: Run, compared: Comparison) -> None:
    """Draw the rows, a page of them at a time."""
    differences = compared.indexes(only_differences=True)
    listed = compared.indexes(only_differences=False)
    key = f"{a.run_id}_{b.run_id}"
    only = False
    if differences:
        only = st.toggle("Only what changed", value=True, key=f"compare_only_{key}")
    elif compared.answered_in_both:
        same = compared.number(RowChange.SAME)
        st.markdown(
            f"**Nothing changed**: {count(same, 'row')} with the same summary in both runs."
        )
    wanted = differences if only else listed
    if not wanted:
        st.markdown(":gray[There are no rows to compare.]")
        return
    table = st.container()
    pages = -(-len(wanted) // _PAGE_ROWS)
    page = 1
    if pages > 1:
        page = st.pagination(pages, key=f"compare_page_{key}_{only:d}")
    first = (page - 1) * _PAGE_ROWS
    shown = wanted[first : first + _PAGE_ROWS]
    current = runtime.current()
    read = live.read(comparing.rows(current.runs, current.identity(), a, b, shown))
    with table:
        if read.value is not None:
            end = f"{first + 1:,}–{first + len(shown):,} of {count(len(wanted), 'row')}"
            st.markdown(f":small[:gray[{end}{' that differ' if only else ''}]]")
            run_diff(read.value, key=f"compare_diff_{key}")
        elif read.error is not None:
            ways_back.show(read.error, what="these rows", key="compare_page_rows")
        else:
            loading.skeleton("these rows", read, height=380)


def _choices(run: Run | None, other: Run | None, listed: Sequence[Run]) -> list[Run]:
    """Offer every run but the other one; those of its input first."""
    offered = {one.run_id: one for one in (*listed, *([run] if run is not None else []))}
    if other is None:
        return list(offered.values())
    offered.pop(other.run_id, None)
    return sorted(offered.values(), key=lambda one: not has_same_input(one, other))


def _chooser(pair: Pair, letter: str) -> Callable[[str], None]:
    def choose(run_id: str) -> None:
        drawn = {
            "a": pair.a.run_id if pair.a is not None else "",
            "b": pair.b.run_id if pair.b is not None else "",
        }
        # The other one may have been chosen since, and both choices come together.
        now = {name: st.query_params.get(name, shown) for name, shown in drawn.items()}
        ids = {**now, letter.lower(): run_id}
        st.query_params.from_dict({name: value for name, value in ids.items() if value})

    return choose
