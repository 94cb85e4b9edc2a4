"""How a deployment comes up: its phases, its processes, and the platform's own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from components import presenting
from components.pipeline_facts import PipelineFacts
from components.text import count, duration, md, short
from dashboard import strings
from dashboard.domain.deployment import Phase, PhaseState
from dashboard.domain.deployment_settings import needs_sidekick
from dashboard.domain.pipeline import DeploymentStatus, Pod


@dataclass(frozen=True, slots=True)
class _Words:
    """A phase in words: when it is reached, under way, still to come, and when it fails."""

    done: str
    now: str
    later: str
    failed: str
    detail: str = ""


_WORDS: Final = {
    "accepted": _Words(
        "Settings accepted", "Sending the settings", "Settings accepted", "Settings not accepted"
    ),
    "room": _Words(
        "Room found on the platform",
        "Looking for room on the platform",
        "Room found on the platform",
        "No room found yet",
    ),
    "engine": _Words(
        "Engine ready",
        "Engine is starting",
        "Engine ready",
        "The engine does not run",
        "It takes the requests.",
    ),
    "sidekick": _Words(
        "Sidekick has loaded the model",
        "Sidekick is loading the model",
        "Sidekick loads the model",
        "The sidekick does not run",
        strings.SIDEKICK,
    ),
    "ready": _Words(
        "Ready to answer",
        "Waiting for the platform to say that it is ready",
        "Ready to answer",
        "Not ready",
    ),
}
#: More processes, lines and letters than anybody reads are left out.
_MOST_PROCESSES: Final = 24
_MOST_LINES: Final = 60
_LONGEST_REASON: Final = 200
_LONGEST_LINE: Final = 1000


def timeline(facts: PipelineFacts) -> None:
    """Draw the phases: what is done with its time, what is under way, what is to come."""
    reached_s = 0.0
    for phase in facts.phases:
        if phase.key == "sidekick" and _runs_in_the_engine(facts):
            continue
        _draw(phase, facts, before_s=reached_s)
        reached_s = phase.at_s if phase.at_s is not None else reached_s


def _runs_in_the_engine(facts: PipelineFacts) -> bool:
    """Whether its model is known to get no sidekick, and none is there either."""
    if facts.status is not None and facts.status.sidekicks:
        return False
    version = facts.model_version
    return version is not None and not needs_sidekick(version.framework)


def _draw(phase: Phase, facts: PipelineFacts, *, before_s: float) -> None:
    words = _WORDS[phase.key]
    if phase.state is PhaseState.DONE:
        took = f" :gray[{duration(phase.at_s)}]" if phase.at_s else ""
        st.status(f"{words.done}{took}", state="complete", type="step")
    elif phase.state is PhaseState.NOW:
        so_far_s = max(0.0, (facts.started_s or 0.0) - before_s)
        told = f"{words.now}{_share(phase, facts)}, {duration(so_far_s)} so far"
        box = st.status(told, state="running", type="step", expanded=bool(words.detail))
        if words.detail:
            box.markdown(f":small[:gray[{words.detail}]]")
    elif phase.state is PhaseState.FAILED:
        st.status(words.failed, state="error", type="step")
    else:
        # The wide space puts it under the words of the steps.
        st.markdown(f":small[:gray[:material/circle:\u2003{words.later}]]")


def _share(phase: Phase, facts: PipelineFacts) -> str:
    """Of several processes, say how many are there already."""
    if facts.status is None or phase.key not in ("engine", "sidekick"):
        return ""
    pods = facts.status.engines if phase.key == "engine" else facts.status.sidekicks
    there = sum(pod.is_running for pod in pods)
    return f", {there} of {len(pods)} ready" if len(pods) > 1 else ""


def processes(facts: PipelineFacts) -> None:
    """Draw each replica's engine and each sidekick in one line: its state, reason, restarts."""
    if facts.status is None:
        return
    earlier = {one.version for one in facts.pipeline.versions[1:]}
    listed = list(_labelled(facts.status))
    told = [
        _process_line(
            label, pod, facts.restarts.get(pod.name, 0), is_earlier=pod.version in earlier
        )
        for label, pod in listed[:_MOST_PROCESSES]
    ]
    if len(listed) > len(told):
        told.append(f":gray[and {len(listed) - len(told)} more]")
    if told:
        st.markdown("  \n".join(f":small[{line}]" for line in told))


def _labelled(status: DeploymentStatus) -> Iterator[tuple[str, Pod]]:
    for kind, pods in (("Engine", status.engines), ("Sidekick", status.sidekicks)):
        for number, pod in enumerate(pods, start=1):
            yield (kind if len(pods) == 1 else f"{kind} {number}"), pod


def _process_line(label: str, pod: Pod, restarts: int, *, is_earlier: bool) -> str:
    look, words = _LOOKS.get(pod.status, _unknown(pod.status))
    parts = [words]
    if is_earlier:
        parts.append("an earlier version")
    if restarts:
        parts.append(f"restarted {count(restarts, 'time')}")
    why = pod.reason or ("; ".join(dict.fromkeys(pod.details)) if not pod.is_running else "")
    told = f"{look} {label} {', '.join(parts)}"
    return f"{told}: :gray[{md(short(presenting.words(why), _LONGEST_REASON))}]" if why else told


_LOOKS: Final = {
    "Running": (":green[:material/check_circle:]", "runs"),
    "Pending": (":blue[:material/progress_activity:]", "is pending"),
    "Failed": (":red[:material/cancel:]", "has failed"),
    "Succeeded": (":gray[:material/check_circle:]", "has ended"),
}


def _unknown(word: str) -> tuple[str, str]:
    told = md(short(word, 40)) or "not told"
    return ":gray[:material/help:]", f"is in the state {told}" if word else "has no state yet"


def own_words(facts: PipelineFacts) -> None:
    """Draw what the platform says, word for word, behind a fold."""
    if facts.status is None or presenting.is_on():
        return
    with st.expander("The platform's own words", type="compact"):
        st.code("\n".join(_own_lines(facts.status)), language=None, wrap_lines=True)


def _own_lines(status: DeploymentStatus) -> Sequence[str]:
    # What is not shown is not read either: there may be very much of it.
    lines = [("status: ", status.platform_word or "(none)")]
    lines += [("  ", detail) for detail in status.details]
    named = (
        ("engine", status.engines),
        ("engine_lb", status.load_balancers),
        ("sidekick", status.sidekicks),
    )
    for kind, pods in named:
        for pod in pods:
            lines.append((f"{kind} {_line(pod.name)}: ", pod.status or "(none)"))
            lines += [("  ", text) for text in (pod.reason, *pod.details) if text]
    left_out = len(lines) - _MOST_LINES
    told = [f"{before}{_line(text)}" for before, text in lines[:_MOST_LINES]]
    return [*told, *([f"… {count(left_out, 'line')} more"] if left_out > 0 else [])]


def _line(text: str) -> str:
    return short(text, _LONGEST_LINE)


def process_log(facts: PipelineFacts) -> None:
    """Draw what a process that does not run has written, where the platform gives it."""
    if not facts.log_lines or presenting.is_on():
        return
    with st.expander("What the model's process wrote last", type="compact"):
        lines = [_line(line) for line in reversed(facts.log_lines)]
        st.code("\n".join(lines[-_MOST_LINES:]), language=None, wrap_lines=True)
