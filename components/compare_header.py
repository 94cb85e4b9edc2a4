"""The head of a comparison: both runs, each to be chosen and opened, and the figures of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import streamlit as st

from components import presenting
from components.badges import run_badge
from components.run_diff import difference_ms, span
from components.run_table import run_by
from components.text import count, md, milliseconds, plain, short
from dashboard.domain.run import Run
from dashboard.domain.run_comparison import Comparison, RowChange, has_same_input

_TITLE_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs: `letter` is A or B, `run` None while none is chosen.

    Parameters
    ----------
    choices
        The runs to choose from, in the order to offer them; `run` is among them.
    other
        The run it is compared with: runs of another input than its own say so.
    """

    letter: str
    run: Run | None
    choices: Sequence[Run]
    other: Run | None = None


def run_label(run: Run, zone: tzinfo) -> str:
    """Name a run in a list: when, of what, and through which version. Plain text."""
    name = short(run.title or run.connection_name, _TITLE_CHARACTERS)
    when = f"{run.created_at.astimezone(zone):%d %b %H:%M:%S}"
    return (
        f"{when} {name}, version {plain(presenting.short_id(run.pipeline_version)) or 'not known'}"
    )


def run_side(
    side: Side,
    *,
    me: str,
    zone: tzinfo,
    on_choose: Callable[[str], None],
    on_open: Callable[[str], None],
) -> None:
    """Draw the card of one run. Both callbacks get a run id; `me` is the reader's account."""
    by_id = {run.run_id: run for run in side.choices}
    chosen = side.run.run_id if side.run is not None else None
    # Another run on either side draws another widget: its value cannot be set, and what the labels
    # say depends on both.
    other = side.other.run_id if side.other is not None else "none"
    key = f"compare_{side.letter.lower()}_{chosen or 'none'}_{other}"

    def label(run_id: str) -> str:
        run = by_id[run_id]
        is_other = side.other is not None and not has_same_input(run, side.other)
        return run_label(run, zone) + (" (another input)" if is_other else "")

    def choose() -> None:
        run_id = st.session_state.get(key)
        # A label that changed meanwhile, such as by a new title, comes back as it was.
        if run_id in by_id:
            on_choose(run_id)

    with st.container(border=True, height="stretch", gap="xsmall"):
        st.selectbox(
            f"Run {side.letter}",
            list(by_id),
            index=list(by_id).index(chosen) if chosen in by_id else None,
            format_func=label,
            placeholder="Choose a run",
            key=key,
            on_change=choose,
        )
        if side.run is None:
            st.markdown(":small[:gray[Runs of the same input come first.]]")
            return
        st.markdown(_facts(side.run, me, zone))
        st.button(
            f"Open run {side.letter}",
            type="tertiary",
            icon=":material/open_in_new:",
            key=f"compare_open_{side.letter.lower()}",
            on_click=on_open,
            args=(side.run.run_id,),
        )


def _facts(run: Run, me: str, zone: tzinfo) -> str:
    version = md(presenting.short_id(run.pipeline_version)) or "not known"
    model_version = md(presenting.short_id(run.model_version))
    told = [
        f"{run_badge(run.state)} **{md(short(run.title or run.connection_name, 80))}**",
        f":small[{md(run.pipeline_name)}, version {version}]",
        f":small[:gray[Model {md(run.model_name)}, version {model_version}]]",
    ]
    who = f" by {md(run_by(run, me=me))}"
    failed = f", {run.rows_failed:,} failed" if run.rows_failed else ""
    told.append(
        f":small[:gray[{run.created_at.astimezone(zone):%d %b %Y %H:%M}{who}. "
        f"{run.rows_done:,} of {count(run.rows_total, 'row')} done{failed}]]"
    )
    return "  \n".join(told)


def still_going(a: Run, b: Run) -> str:
    """Name the runs that are not over, such as `Run B is`; empty if both are."""
    letters = [letter for letter, run in (("A", a), ("B", b)) if not run.state.is_over]
    if not letters:
        return ""
    return f"Run {letters[0]} is" if len(letters) == 1 else "Both runs are"


def comparison_figures(known: Comparison) -> None:
    """Draw how many rows changed and what became of time and length, with their basis."""
    both = known.answered_in_both
    with st.grid(5, min_column_width=184, gap="xsmall"):
        for label, change in (
            ("Rows changed", RowChange.CHANGED),
            ("Rows the same", RowChange.SAME),
            ("Rows failed in one", RowChange.FAILED_IN_ONE),
        ):
            st.metric(label, f"{known.number(change):,}", border=True, height="stretch")
        medians = known.medians_ms()
        st.metric(
            "Median time, A → B",
            span(*medians, to=" → ") if medians else "not known",
            delta=_time_delta(*medians) if medians else None,
            delta_color="inverse",
            border=True,
            height="stretch",
            help=f"Half of the rows within. Of the {count(both, 'row')} answered in both runs, "
            "waiting included.",
        )
        words = known.mean_words()
        st.metric(
            "Words, A → B",
            f"{words[0]:,.1f} → {words[1]:,.1f}" if words else "not known",
            delta=_words_delta(*words) if words else None,
            delta_color="off",
            border=True,
            height="stretch",
            help=f"Mean length of a summary, of the {count(both, 'row')} answered in both runs.",
        )


def _time_delta(a_ms: float, b_ms: float) -> str | None:
    """Return how much longer B took, with a sign that points the figure's arrow; None if equal."""
    apart_ms = difference_ms(a_ms, b_ms)
    return f"{'-' if b_ms < a_ms else '+'}{milliseconds(apart_ms)}" if apart_ms else None


def _words_delta(a: float, b: float) -> str | None:
    """Return how much longer B's summaries are, as what is read adds up; None if equal."""
    apart = round(b, 1) - round(a, 1)
    return f"{apart:+,.1f}" if round(apart, 1) else None
