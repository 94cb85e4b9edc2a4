"""Why a pipeline does not run, in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from components import presenting
from components.pipeline_facts import Holder, PipelineFacts, answering_words
from components.text import md, memory, plain, short
from dashboard.domain.deploy_trouble import Cause, Lack, Trouble, trouble_of
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.pipeline import PipelineState

_MOST_HOLDERS: Final = 3
_LONGEST_REASON: Final = 400
_RECOVERY_MIN: Final = 10


def why(facts: PipelineFacts) -> None:
    """Draw why it does not run, whether it may pass, and the next step."""
    if facts.status is None:
        return
    trouble = trouble_of(facts.status)
    if trouble is not None:
        st.markdown(trouble_words(trouble, facts))


def trouble_words(trouble: Trouble, facts: PipelineFacts) -> str:
    """Return it as Markdown, everything foreign escaped."""
    parts = [_TOLD[trouble.cause](trouble, facts)]
    if facts.state is PipelineState.ERROR:
        parts += [_hope(trouble, facts), _still_answers(facts)]
    parts.append(_advice(trouble, facts))
    return " ".join(part for part in parts if part)


def _no_room(trouble: Trouble, facts: PipelineFacts) -> str:
    sizes = [size for lack in trouble.lacks if (size := _size(lack, trouble, facts.settings))]
    if not sizes:
        words = " and ".join(lack.value for lack in trouble.lacks)
        return f"**The platform lacks {words}** for it."
    return f"**The platform lacks {' and '.join(sizes)}**, to be free in one place for a replica."


def _size(lack: Lack, trouble: Trouble, settings: DeploymentSettings | None) -> str:
    """Return how much one process needs: as the platform says it, or as it was asked for."""
    if lack is Lack.CPU:
        if trouble.cpu:
            return f"{md(short(trouble.cpu, 20))} CPU"
        if settings is not None:
            return f"{_asked_cpus(trouble, settings):g} CPU"
    if lack is Lack.MEMORY:
        if trouble.memory:
            return f"{md(_binary(trouble.memory))} of memory"
        if settings is not None:
            return f"{md(_binary(_asked_memory(trouble, settings)))} of memory"
    return "a GPU" if lack is Lack.GPU else ""


def _asked_cpus(trouble: Trouble, settings: DeploymentSettings) -> float:
    return settings.sidekick_cpus if trouble.is_sidekick else settings.engine_cpus


def _asked_memory(trouble: Trouble, settings: DeploymentSettings) -> str:
    return settings.sidekick_memory if trouble.is_sidekick else settings.engine_memory


def _binary(size: str) -> str:
    """Return `4Gi` as `4 GiB`; other writings as they are."""
    told = short(size, 20)
    for suffix in ("Gi", "Mi"):
        if told.endswith(suffix):
            return f"{told.removesuffix(suffix).strip()} {suffix}B"
    return told


def _out_of_memory(trouble: Trouble, facts: PipelineFacts) -> str:
    given = ""
    if facts.settings is not None:
        given = f" than the {md(_binary(_asked_memory(trouble, facts.settings)))} it was given"
    who = "The model" if trouble.is_sidekick else "The engine"
    return f"**{who} needs more memory**{given}, so the platform ended it."


def _crash_loop(trouble: Trouble, _facts: PipelineFacts) -> str:
    what = "model's process" if trouble.is_sidekick else "engine"
    if plain(trouble.last_words):
        told = md(short(presenting.words(trouble.last_words), _LONGEST_REASON))
        return f"**The {what} ends again each time it is started.** The platform says: {told}."
    return (
        f"**The {what} ends again each time it is started.** Most often the model cannot be "
        "loaded: a file or a package is missing, or its memory is too small."
    )


def _no_image(_trouble: Trouble, _facts: PipelineFacts) -> str:
    return "**The platform cannot fetch the program that runs the model** (its container image)."


def _other(trouble: Trouble, _facts: PipelineFacts) -> str:
    what = "The model's process" if trouble.is_sidekick else "The engine"
    if not plain(trouble.reason):
        return f"**{what} does not run.** The platform does not say why."
    return (
        f"**{what} does not run.** The platform says: "
        f"{md(short(presenting.words(trouble.reason), _LONGEST_REASON))}"
    )


def _untold(_trouble: Trouble, facts: PipelineFacts) -> str:
    runs = facts.status is not None and bool(facts.status.engines)
    seen = "although every process runs" if runs else "and does not say why"
    return f"**The platform reports an error**, {seen}."


_TOLD: Final[Mapping[Cause, Callable[[Trouble, PipelineFacts], str]]] = {
    Cause.NO_ROOM: _no_room,
    Cause.OUT_OF_MEMORY: _out_of_memory,
    Cause.CRASH_LOOP: _crash_loop,
    Cause.NO_IMAGE: _no_image,
    Cause.OTHER: _other,
    Cause.UNTOLD: _untold,
}


def _hope(trouble: Trouble, facts: PipelineFacts) -> str:
    if not facts.may_recover:
        return f"This is final: it has not passed within {_RECOVERY_MIN} minutes."
    until = facts.at(facts.recover_left_s or 0.0) if facts.recover_left_s is not None else ""
    verb = "It keeps trying" if trouble.cause is Cause.NO_ROOM else "It may recover"
    return f"{verb} until {until}." if until else f"{verb}."


def _still_answers(facts: PipelineFacts) -> str:
    """Say what still works: an earlier version may go on beside the one that does not start."""
    status = facts.status
    if status is None or not any(pod.is_running and pod.version for pod in status.engines):
        return ""
    if all(pod.is_running for pod in (*status.engines, *status.sidekicks)):
        return ""
    words = answering_words(status)
    return f"{words[0].upper()}{words[1:]} meanwhile."


def _advice(trouble: Trouble, facts: PipelineFacts) -> str:
    if trouble.cause is Cause.NO_ROOM:
        others = _holders(trouble, facts)
        return f"Ask for a smaller size{f' or undeploy {others}' if others else ''}."
    if trouble.cause is Cause.OUT_OF_MEMORY:
        part = "sidekick" if trouble.is_sidekick else "engine"
        return f"Deploy it again with more memory for the {part}."
    if trouble.cause is Cause.CRASH_LOOP:
        log = " Its log is below." if facts.log_lines else ""
        first = "Mend that and deploy it again"
        if not plain(trouble.last_words):
            first = "Deploy it again with more memory"
        return f"{first}, or with another version of the model.{log}"
    if trouble.cause is Cause.NO_IMAGE:
        return "Whoever looks after the platform can see why."
    if facts.state is PipelineState.ERROR and not facts.may_recover:
        return "Undeploy it, then deploy it again."
    return ""


def _holders(trouble: Trouble, facts: PipelineFacts) -> str:
    by_memory = trouble.lacks == (Lack.MEMORY,)
    found = sorted(
        facts.holders,
        key=lambda one: one.memory_bytes if by_memory else one.cpus,
        reverse=True,
    )[:_MOST_HOLDERS]
    told = [f"{md(one.name)} ({_held(one, by_memory=by_memory)})" for one in found]
    return " or ".join(told)


def _held(holder: Holder, *, by_memory: bool) -> str:
    return memory(holder.memory_bytes) if by_memory else f"{holder.cpus:g} CPU"
