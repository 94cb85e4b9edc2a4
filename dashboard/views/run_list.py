"""The list of runs: what of it is looked at, what is ticked, and what is done with that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from components import loading
from components.pager import pager
from components.run_filters import NamesChosen, clear_names, run_filters
from components.run_selection import NEEDED, RunBarAct, run_bar
from components.run_table import run_table
from components.text import count, duration
from dashboard import live, runtime, session
from dashboard.domain.connection_list import Page
from dashboard.domain.run_choice import PARAMETERS, RunChoice, choice_of, span_of
from dashboard.domain.run_filter import RunChoices, RunFilter
from dashboard.errors import DashboardError
from dashboard.services.reads import Read
from dashboard.services.run_history import RunHits
from dashboard.views import ways_back

_PER_PAGE = 50
_LONG_S = 1.0


def draw(choices: RunChoices) -> None:
    """Draw filters, table and pages.

    No fragment: a search takes a while, and only the frame sees when it has ended.
    """
    current = runtime.current()
    who = current.identity()
    now = datetime.now(UTC)
    choice = choice_of(session.address(PARAMETERS))
    names = run_filters(
        choice,
        choices,
        me=who.user_id,
        today=now.astimezone(session.zone()).date(),
        on_choose=_change,
    )
    wanted = _wanted(choice, names, now)
    known = live.read(
        current.history.find(who, wanted, offset=(choice.page - 1) * _PER_PAGE, limit=_PER_PAGE)
    )
    hits = known.value
    if hits is None and known.error is not None:
        ways_back.show(known.error, what="your runs", key="runs")
    elif hits is None:
        _looking(known, is_search=bool(wanted.words.strip()))
    else:
        _draw_found(hits, wanted)


def _looking(known: Read[RunHits], *, is_search: bool) -> None:
    if not is_search:
        loading.skeleton("your runs", known, height=420)
        return
    st.skeleton(height=420)
    told = f", {duration(known.loading_s)} so far" if known.loading_s >= _LONG_S else ""
    st.markdown(f":small[:gray[Looking through inputs and summaries{told}…]]")


def _draw_found(hits: RunHits, wanted: RunFilter) -> None:
    current = runtime.current()
    is_search = bool(wanted.words.strip())
    if not hits.is_complete:
        _say_incomplete()
    ticked = _still_there(hits, wanted)
    shown = {run.run_id for run in hits.runs}
    if hits.runs or ticked:
        run_bar(
            ticked,
            elsewhere=sum(one not in shown for one in ticked),
            found=hits.total,
            # Asked anew: a click can come together with the tick before it.
            on_act=lambda act: _act(act, session.ticked_runs(), hits.run_ids),
        )
    if hits.runs:
        run_table(
            hits.runs,
            facts=hits.facts,
            found_in=hits.rows if is_search else None,
            ticked=ticked,
            me=current.identity().user_id,
            zone=session.zone(),
            on_open=lambda run_id: session.go_to("summarize", run=run_id),
            on_tick=_tick,
        )
    else:
        _nothing_fits(hits)
    _draw_foot(hits)


def _still_there(hits: RunHits, wanted: RunFilter) -> list[str]:
    """Ids of the ticked runs; where all are listed, without those that are gone."""
    ticked = session.ticked_runs()
    if wanted == RunFilter():
        known = set(hits.run_ids)
        ticked = [one for one in ticked if one in known]
        session.set_ticked_runs(ticked)
    return ticked


def _say_incomplete() -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="runs_incomplete"):
        st.markdown(
            ":orange[:material/hourglass_top: The search ended before it had read all texts: older "
            "runs may hold these words too.]",
            width="content",
        )
        st.button("Search on", key="runs_search_on", on_click=_search_on)


def _search_on() -> None:
    current = runtime.current()
    current.history.search_on(current.identity())
    session.note_submitted()


def _nothing_fits(hits: RunHits) -> None:
    with st.container(border=True, key="runs_none", horizontal_alignment="center", gap="small"):
        st.space("small")
        told = "**No run fits these filters**" if hits.is_complete else "**No run found yet**"
        st.markdown(told, text_alignment="center")
        st.button("Clear the filters", key="runs_clear", on_click=_clear)
        st.space("small")


def _draw_foot(hits: RunHits) -> None:
    pages = max(1, -(-hits.total // _PER_PAGE))
    number = hits.first // _PER_PAGE + 1
    last = hits.first + len(hits.runs)
    told = _count_words(hits, last=last, is_paged=pages > 1)
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        key="runs_foot",
    ):
        st.markdown(f":small[:gray[{told}]]", width="content")
        pager(
            Page(number, pages, hits.first, ()),
            lambda chosen: _change(lambda old: replace(old, page=chosen)),
            name="runs_page",
        )


def _count_words(hits: RunHits, *, last: int, is_paged: bool) -> str:
    if not hits.total:
        return f"None of {hits.kept:,}."
    told = f"All {hits.total:,}" if hits.total > 1 else "One run"
    if is_paged:
        told = f"{hits.first + 1:,}–{last:,} of {hits.total:,}"
    elif hits.total != hits.kept:
        told = count(hits.total, "run")
    if hits.total != hits.kept:
        told += f", filtered from {hits.kept:,}"
    return f"{told}, newest first."


def _wanted(choice: RunChoice, names: NamesChosen, now: datetime) -> RunFilter:
    since, until = span_of(choice.when, now=now, zone=session.zone())
    return RunFilter(
        words=" ".join(names.words.split()),
        connection_name=names.connection,
        pipeline_name=names.pipeline,
        pipeline_version=choice.version,
        owner_id=choice.person,
        states=(choice.state,) if choice.state is not None else (),
        since=since,
        until=until,
        only_flagged=choice.only_flagged,
    )


def _change(change: Callable[[RunChoice], RunChoice]) -> None:
    now = choice_of(session.address(PARAMETERS))
    wanted = change(now)
    if wanted != now:
        session.set_address(PARAMETERS, wanted.to_query())


def _clear() -> None:
    clear_names()
    _change(lambda _old: RunChoice())


def _tick(shown: Sequence[str], ticks: Sequence[str]) -> None:
    others = [one for one in session.ticked_runs() if one not in set(shown)]
    session.set_ticked_runs([*others, *ticks])


def _oldest_first(run_ids: Sequence[str]) -> list[str]:
    """Order runs by when they began; as they are if one of them cannot be read."""
    current = runtime.current()
    who = current.identity()
    try:
        runs = [current.runs.run(who, run_id) for run_id in run_ids]
    except DashboardError:
        return list(run_ids)  # the page they go to says what is wrong
    return [run.run_id for run in sorted(runs, key=lambda run: run.created_at)]


def _act(act: RunBarAct, chosen: Sequence[str], found: Sequence[str]) -> None:
    ids = ",".join(chosen)
    if act in (RunBarAct.TICK_ALL, RunBarAct.CLEAR):
        session.set_ticked_runs(found if act is RunBarAct.TICK_ALL else [])
    elif not chosen or len(chosen) != NEEDED.get(act, len(chosen)):
        return
    elif act is RunBarAct.COMPARE:
        older, newer = _oldest_first(chosen)
        session.go_to("compare", a=older, b=newer)
    elif act is RunBarAct.RENAME:
        session.open_dialog("rename_run", chosen[0])
    elif act is RunBarAct.EXPORT:
        session.open_dialog("export_run", chosen[0])
    else:
        session.open_dialog("delete_runs", ids)
