"""States as icon, word and colour: the one table of them (LOOK: states)."""

from __future__ import annotations

from dataclasses import dataclass

from components.text import md
from dashboard.domain.activity import ActResult
from dashboard.domain.check import HealthState
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.run import RunState


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is drawn: a Material icon, a badge colour, a glyph for table cells."""

    icon: str
    color: str
    glyph: str


PIPELINE_LOOKS = {
    PipelineState.RUNNING: Look("play_circle", "green", "▶"),
    PipelineState.STARTING: Look("progress_activity", "blue", "…"),
    PipelineState.STOPPING: Look("pending", "gray", "…"),
    PipelineState.DEGRADED: Look("warning", "orange", "▲"),
    PipelineState.ERROR: Look("error", "red", "✕"),
    PipelineState.NOT_DEPLOYED: Look("stop_circle", "gray", "■"),
}
RUN_LOOKS = {
    RunState.QUEUED: Look("schedule", "gray", "◷"),
    RunState.RUNNING: Look("progress_activity", "blue", "…"),
    RunState.PAUSED: Look("pause_circle", "yellow", "◷"),
    RunState.CANCELLED: Look("cancel", "gray", "■"),
    RunState.DONE: Look("check_circle", "green", "✓"),
    RunState.FAILED: Look("cancel", "red", "✕"),
}
HEALTH_LOOKS = {
    HealthState.HEALTHY: Look("check_circle", "green", "✓"),
    HealthState.FAILING: Look("cancel", "red", "✕"),
    HealthState.STALE: Look("schedule", "yellow", "◷"),
    HealthState.UNTESTED: Look("help", "gray", "?"),
}

ACTIVITY_LOOKS = {
    ActResult.DONE: Look("check_circle", "green", "✓"),
    ActResult.FAILED: Look("cancel", "red", "✕"),
    ActResult.UNFINISHED: Look("warning", "orange", "▲"),
}


def badge(look: Look, words: str) -> str:
    """Markdown of a badge. `words` may be hostile."""
    return f":{look.color}-badge[:material/{look.icon}: {md(words)}]"


def pipeline_badge(state: PipelineState, words: str = "") -> str:
    """Markdown of a pipeline's state, in `words` if given."""
    return badge(PIPELINE_LOOKS[state], words or state.value)


def run_badge(state: RunState, words: str = "") -> str:
    """Markdown of a run's state, in `words` if given."""
    return badge(RUN_LOOKS[state], words or state.value)


def health_badge(state: HealthState, words: str = "") -> str:
    """Markdown of a connection's health, in `words` if given."""
    return badge(HEALTH_LOOKS[state], words or state.value)


def cell(look: Look, words: str) -> str:
    """Text of a state in a table's cell, where no icons can be drawn."""
    return f"{look.glyph} {words}"
