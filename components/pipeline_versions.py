"""The saved versions of a pipeline: when, what they run, which one runs, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

import streamlit as st

from components import presenting
from components.text import count, md, plain, told_when
from dashboard.domain.pipeline import Pipeline, PipelineVersion
from dashboard.domain.version_difference import differences, steps_words

#: So many of the newest are listed; the others can still be compared.
_LISTED: Final = 10
_COMPARABLE: Final = 100


def pipeline_versions(
    pipeline: Pipeline, running: Sequence[str], *, now: datetime, zone: tzinfo
) -> None:
    """Draw the versions, newest first, behind a fold.

    Parameters
    ----------
    running
        UUIDs of the versions that the engines report.
    """
    versions = pipeline.versions
    if not versions:
        return
    key = f"pipeline_{pipeline.pipeline_id}_versions"
    with st.expander(f"Versions ({len(versions):,})", key=key):
        st.markdown(_table(versions, running, now=now, zone=zone))
        if len(versions) > _LISTED:
            st.markdown(f":small[:gray[{count(len(versions) - _LISTED, 'older version')}.]]")
        if len(versions) > 1:
            _compare(versions[:_COMPARABLE], len(versions), now=now, zone=zone, key=key)


def _table(
    versions: Sequence[PipelineVersion], running: Sequence[str], *, now: datetime, zone: tzinfo
) -> str:
    rows = ["| Version | Saved | Runs | |", "|---|---|---|---|"]
    for place, one in enumerate(versions[:_LISTED]):
        name = md(presenting.version(one.version, len(versions) - place))
        state = ":green-badge[runs now]" if one.version in running else ""
        saved = md(_when(one, now=now, zone=zone))
        rows.append(f"| {name} | {saved} | {_steps(one)} | {state} |")
    return "\n".join(rows)


def _steps(version: PipelineVersion) -> str:
    if presenting.is_on():
        return md(", then ".join(step.model_name for step in version.steps) or "no steps")
    return md(steps_words(version.steps))


def _when(version: PipelineVersion, *, now: datetime, zone: tzinfo) -> str:
    return told_when(version.created_at, now=now, zone=zone)


def _compare(
    versions: Sequence[PipelineVersion], total: int, *, now: datetime, zone: tzinfo, key: str
) -> None:
    numbers = {one.version_id: total - place for place, one in enumerate(versions)}
    by_id = {one.version_id: one for one in versions}

    told_of = {
        number: f"Version {plain(presenting.version(one.version, numbers[number]))}, "
        f"{_when(one, now=now, zone=zone)}"
        for number, one in by_id.items()
    }

    def label(version_id: int) -> str:
        return told_of.get(version_id, "")

    # On stage they have other names, by which the browser knows what is chosen.
    key = f"{key}_stage" if presenting.is_on() else key
    ids = list(by_id)
    left, right = st.columns(2)
    with left:
        from_id = st.selectbox(
            "What differs from", ids, index=1, format_func=label, key=f"{key}_from"
        )
    with right:
        to_id = st.selectbox("to", ids, index=0, format_func=label, key=f"{key}_to")
    told = differences(by_id[from_id], by_id[to_id])
    if from_id == to_id:
        st.markdown(":small[:gray[This is one and the same version.]]")
    elif not told:
        st.markdown(
            "Nothing in their steps. :small[:gray[Each deploy saves a version, with the same steps "
            "too.]]"
        )
    else:
        st.markdown("  \n".join(md(presenting.words(one)) for one in told))
