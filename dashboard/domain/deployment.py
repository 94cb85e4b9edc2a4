"""How a deployment's progress is told: phases with times, and what it is in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dashboard.domain.pipeline import DeploymentStatus, PipelineState, Pod

#: The platform goes on trying for this long; an error before that may recover.
MAY_RECOVER_S = 600.0


class PhaseState(StrEnum):
    """Where one phase of a start stands."""

    DONE = "done"
    NOW = "now"
    LATER = "later"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a start. `at_s` is when it was reached, in s after the start, if it was."""

    key: str
    state: PhaseState = PhaseState.LATER
    at_s: float | None = None


PHASE_KEYS = ("accepted", "room", "engine", "sidekick", "ready")


def _all_running(pods: Sequence[Pod]) -> bool:
    return bool(pods) and all(pod.status == "Running" for pod in pods)


def reached(status: DeploymentStatus) -> dict[str, bool]:
    """Which phases a status shows as reached, by key of `PHASE_KEYS`."""
    running = status.state in (PipelineState.RUNNING, PipelineState.DEGRADED)
    pods = (*status.engines, *status.sidekicks)
    waiting_for_room = any(pod.reason and "Insufficient" in pod.reason for pod in pods)
    engine = _all_running(status.engines)
    return {
        "accepted": status.state is not PipelineState.NOT_DEPLOYED,
        "room": running or (bool(pods) and not waiting_for_room),
        "engine": running or engine,
        "sidekick": running or (engine and _all_running(status.sidekicks)),
        "ready": running,
    }


def advance(
    phases: Sequence[Phase], status: DeploymentStatus, *, elapsed_s: float
) -> tuple[Phase, ...]:
    """Return the phases after seeing `status` at `elapsed_s` seconds after the start.

    A phase once reached stays reached. The first one not reached is the current one, or the failed
    one when the platform reports an error.
    """
    shown = reached(status)
    current = PhaseState.FAILED if status.state is PipelineState.ERROR else PhaseState.NOW
    moved: list[Phase] = []
    for phase in phases or [Phase(key) for key in PHASE_KEYS]:
        before_is_done = not moved or moved[-1].state is PhaseState.DONE
        if phase.state is PhaseState.DONE:
            moved.append(phase)
        elif shown[phase.key] and before_is_done:
            moved.append(replace(phase, state=PhaseState.DONE, at_s=elapsed_s))
        else:
            moved.append(replace(phase, state=current if before_is_done else PhaseState.LATER))
    return tuple(moved)
