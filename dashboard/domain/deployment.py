"""How a deployment's progress is told: its phases with their times, and who answers by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from dashboard.domain.deploy_trouble import Cause, trouble_of
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState, Pod

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
    return bool(pods) and all(pod.is_running for pod in pods)


def reached(status: DeploymentStatus) -> dict[str, bool]:
    """Which phases a status shows as reached, by key of `PHASE_KEYS`."""
    running = status.state in (PipelineState.RUNNING, PipelineState.DEGRADED)
    pods = (*status.engines, *status.sidekicks)
    trouble = trouble_of(status)
    waiting_for_room = trouble is not None and trouble.cause is Cause.NO_ROOM
    engine = _all_running(status.engines)
    return {
        "accepted": status.state is not PipelineState.NOT_DEPLOYED,
        "room": running or (bool(pods) and not waiting_for_room),
        "engine": running or engine,
        # A model that the engine runs itself has no sidekick, but the tree may come without any
        # before its first one is made.
        "sidekick": running or (engine and _all_running(status.sidekicks)),
        "ready": running,
    }


def advance(
    phases: Sequence[Phase], status: DeploymentStatus, *, elapsed_s: float | None
) -> tuple[Phase, ...]:
    """Return the phases after seeing `status` at `elapsed_s` seconds after the start.

    None where it is seen for the first time long after: when a phase was reached is not known.

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


def answering(status: DeploymentStatus) -> tuple[int, int]:
    """Return how many replicas answer, and of how many.

    A replica is an engine with one sidekick of each model that has any. The platform does not say
    which belong together, so the kind with the fewest running ones counts.
    """
    engines = [pod for pod in status.engines if pod.status != "Succeeded"]
    running = [sum(pod.is_running for pod in engines)]
    by_model = Counter(_owner(pod) for pod in status.sidekicks)
    for owner in by_model:
        running.append(sum(pod.is_running for pod in status.sidekicks if _owner(pod) == owner))
    return min(running), max(len(engines), *by_model.values(), 0)


def _owner(sidekick: Pod) -> str:
    """Name of what a sidekick is a copy of: its own, without the two random parts at the end."""
    return sidekick.name.rsplit("-", 2)[0]


def deployed_at(pipeline: Pipeline, status: DeploymentStatus | None = None) -> datetime | None:
    """When the deployment was asked for, by the platform's clock: each deploy makes a version.

    That of the version that runs; while none does, of the newest. None where it is not listed.
    """
    running = status.running_versions if status is not None else ()
    told = [one for one in pipeline.versions if not running or one.version in running]
    return told[0].created_at if told else None
