"""A preflight: the six steps between a connection and a first answer, and how each went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Step(StrEnum):
    """The steps, in order, by the words they are shown with."""

    REACHABLE = "Connection reachable"
    READABLE = "Table readable"
    FITS = "Inputs fit the model"
    RUNNING = "Pipeline running"
    WARM = "Model warm"
    INFERS = "One row infers"


class Mark(StrEnum):
    """How one step went."""

    TO_COME = "to come"
    NOW = "now"
    DONE = "done"
    FAILED = "failed"
    NOT_TRIED = "not tried"


class Way(StrEnum):
    """Where the next step is taken, where there is a place for it."""

    NOWHERE = ""
    CONNECTION = "connection"
    TABLE = "table"
    DEPLOY = "deploy"
    PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is walked: a connection of a workspace, and a pipeline of it."""

    workspace_id: int
    connection_id: str
    pipeline_id: int


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step.

    Parameters
    ----------
    told
        What was found, or why it failed: plain text, without any secret.
    hint
        What to do next, after a failure.
    """

    step: Step
    mark: Mark = Mark.TO_COME
    elapsed_ms: float | None = None
    told: str = ""
    hint: str = ""
    way: Way = Way.NOWHERE


@dataclass(frozen=True, slots=True)
class PreflightView:
    """Where a preflight stands.

    Parameters
    ----------
    age_s
        Seconds since it ended; 0 while it runs.
    can_go_on
        Whether what was read is still there, so that only the rest has to be done.
    is_from_before
        Whether it was walked before the dashboard was started anew.
    is_stale
        Whether the pipeline has got another version since.
    """

    steps: tuple[StepResult, ...]
    is_running: bool = False
    was_cancelled: bool = False
    age_s: float = 0.0
    can_go_on: bool = False
    is_from_before: bool = False
    is_stale: bool = False

    @property
    def is_green(self) -> bool:
        """Whether every step is done."""
        return all(one.mark is Mark.DONE for one in self.steps)

    @property
    def failed(self) -> StepResult | None:
        """The step that failed; None without one."""
        return next((one for one in self.steps if one.mark is Mark.FAILED), None)


@dataclass(frozen=True, slots=True)
class KeptPreflight:
    """A preflight that has ended, as it is kept: without a word of what was in the table.

    Parameters
    ----------
    ended_at
        UTC.
    version_id
        The platform's number of the pipeline version that was walked; 0 where it was not reached.
    """

    ended_at: datetime
    version_id: int
    steps: tuple[StepResult, ...]


def all_steps(mark: Mark = Mark.TO_COME) -> tuple[StepResult, ...]:
    """Return every step with the same mark."""
    return tuple(StepResult(step, mark) for step in Step)
