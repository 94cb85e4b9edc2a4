"""What undeploying frees and whom it concerns, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import streamlit as st

from components import outage, presenting
from components.text import count, md, memory, told_when
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.idle import LastUse
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.run import Run


@dataclass(frozen=True, slots=True)
class UndeployFacts:
    """What is known of one pipeline before it is undeployed.

    Parameters
    ----------
    settings
        What it was asked to take; None where that is not known.
    last_use
        None where no use is known.
    is_asking
        Whether the platform's log is being read for a later use.
    run
        A run of the pipeline that is not over.
    is_in_flight
        Whether another request from here is under way.
    """

    name: str
    state: PipelineState | None
    settings: DeploymentSettings | None
    last_use: LastUse | None
    is_asking: bool = False
    run: Run | None = None
    is_in_flight: bool = False


def frees(settings: DeploymentSettings | None) -> str:
    """Return what undeploying frees, in words."""
    if settings is None:
        return "Frees its CPU and memory."
    total = f"{settings.total_cpus:g} CPU and {memory(settings.total_memory_bytes)}"
    more = f" ({count(settings.replicas, 'replica')})" if settings.replicas > 1 else ""
    return f"Frees {total}{more}."


def use_words(facts: UndeployFacts, *, mine: str, now: datetime, zone: tzinfo) -> str:
    """Return who used it last and when, and what is in flight. Markdown.

    Parameters
    ----------
    mine
        The reader's own id.
    """
    if facts.run is not None or facts.is_in_flight:
        return "It is in use now."
    use = facts.last_use
    if use is None:
        told = (
            "Asking when it was used last"
            if facts.is_asking
            else "Not used yet, as far as is known"
        )
    else:
        told = f"Last used {told_when(use.at, now=now, zone=zone)}{_by(use, mine)}"
    return f"{told}; nothing is in flight from here."


def in_flight_words(facts: UndeployFacts) -> str:
    """Return what an undeploy cuts off; empty if nothing. Markdown."""
    run = facts.run
    if run is not None:
        email = presenting.person(run.owner_email)
        whose = f" of {md(email)}" if email else ""
        return (
            f"A run{whose} is using it: {run.rows_done:,} of {count(run.rows_total, 'row')} are "
            "done. It waits 5 minutes for a new deploy, then it ends. What is done is kept, the "
            "rest can be sent again."
        )
    return "A request from here is in flight. It will fail." if facts.is_in_flight else ""


def undeploy_dialog(  # noqa: PLR0913 - what it tells, by keyword
    asked: Sequence[UndeployFacts],
    *,
    mine: str,
    now: datetime,
    zone: tzinfo,
    on_undeploy: Callable[[], None],
    on_keep: Callable[[], None],
    is_named: bool = False,
) -> None:
    """Draw what each frees and who uses it, and ask.

    Parameters
    ----------
    mine
        The reader's own id.
    is_named
        Whether the question names what it is about: then it is one, and has no card of its own.
    """
    if not asked:
        st.markdown("Nothing that you started is running any more.")
        st.button("Close", key="undeploy_keep", on_click=on_keep)
        return
    if outage.is_on():
        unknown = " What it frees is not known." if is_named else ""
        st.markdown(f":orange[:material/warning: {outage.WHY_OFF}{unknown}]")
    if is_named and not outage.is_on():
        _facts(asked[0], use_words(asked[0], mine=mine, now=now, zone=zone))
        st.markdown(":small[:gray[You can deploy it again at any time.]]")
    elif not is_named:
        _total(asked)
        for number, facts in enumerate(asked):
            with st.container(border=True, key=f"undeploy_one_{number}", gap="xsmall"):
                state = f" :gray[{facts.state.value.lower()}]" if facts.state is not None else ""
                st.markdown(f"**{md(facts.name)}**{state}")
                _facts(facts, use_words(facts, mine=mine, now=now, zone=zone), is_small=True)
    many = len(asked) > 1
    _ways(f"Undeploy {len(asked)} pipelines" if many else "Undeploy", on_undeploy, on_keep)


def _facts(facts: UndeployFacts, used: str, *, is_small: bool = False) -> None:
    """Draw what one frees, who uses it and what is cut off."""
    told = f"{frees(facts.settings)} {used}"
    st.markdown(f":small[{told}]" if is_small else told)
    if warning := in_flight_words(facts):
        told = f":orange[:material/warning: {warning}]"
        st.markdown(f":small[{told}]" if is_small else told)


def _total(asked: Sequence[UndeployFacts]) -> None:
    """Draw what several free together, where all of it is known."""
    known = [one.settings for one in asked if one.settings is not None]
    if len(asked) > 1 and len(known) == len(asked):
        cpus = sum(one.total_cpus for one in known)
        total = memory(sum(one.total_memory_bytes for one in known))
        st.markdown(f"Frees {cpus:g} CPU and {total} in all.")


def _ways(label: str, on_undeploy: Callable[[], None], on_keep: Callable[[], None]) -> None:
    with st.container(horizontal=True):
        st.button(
            label, type="primary", key="undeploy_confirm", on_click=on_undeploy, **outage.off()
        )
        st.button("Keep running", type="tertiary", key="undeploy_keep", on_click=on_keep)


def _by(use: LastUse, mine: str) -> str:
    if not use.who_id:
        return ", by whom is not known"
    if use.who_id == mine or not use.who:
        return " by you"
    return f" by {md(presenting.person(use.who)) or 'another person'}"
