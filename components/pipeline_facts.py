"""What is shown of one pipeline, and its state in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from components import presenting
from components.idle_guard import countdown
from components.text import ago, count, duration, memory, told_when
from dashboard.domain.deployment import Phase, answering
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.idle import GuardView
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState, PipelineVersion


class PipelineAct(StrEnum):
    """What was asked for."""

    DEPLOY = "deploy"
    UNDEPLOY = "undeploy"
    CANCEL = "cancel"
    SUMMARIZE = "summarize"
    KEEP = "keep"
    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class LastRequest:
    """The newest inference that is known, UTC, and by whom: empty where that is not known."""

    at: datetime
    who: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """Another pipeline that is deployed, and what it holds."""

    name: str
    cpus: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PipelineFacts:
    """What a card shows. Moments are UTC.

    Parameters
    ----------
    status
        None while the platform has not answered yet.
    since_s, started_s, usual_start_s
        Seconds in this state; since the start was asked for; that earlier starts took.
    recover_left_s
        In an error: seconds for which the platform goes on trying; 0 when it is final.
    restarts
        How often a process was started again, by its name.
    settings
        What the running deployment was asked to take, if known.
    by
        Who deployed it, as far as it was from here and is known.
    is_foreign
        Whether it is known not to have been deployed from here.
    holders
        Other pipelines that are deployed, those that hold most first.
    log_lines
        What a failed process wrote, newest first, where the platform gives it.
    problem
        Why the platform could not be asked for the state the last time.
    why_off
        Why nothing is known of it now and nothing can be done; empty otherwise.
    """

    pipeline: Pipeline
    status: DeploymentStatus | None
    since_s: float = 0.0
    started_s: float | None = None
    usual_start_s: float | None = None
    phases: Sequence[Phase] = ()
    recover_left_s: float | None = None
    restarts: Mapping[str, int] = field(default_factory=dict)
    settings: DeploymentSettings | None = None
    model_version: ModelVersion | None = None
    guard: GuardView | None = None
    deployed_at: datetime | None = None
    by: str = ""
    is_foreign: bool = False
    last_use: LastRequest | None = None
    holders: Sequence[Holder] = ()
    log_lines: Sequence[str] = ()
    problem: str = ""
    why_off: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    zone: tzinfo = UTC

    @property
    def state(self) -> PipelineState | None:
        """The state; None while it is not known."""
        return self.status.state if self.status is not None else None

    @property
    def uses_resources(self) -> bool:
        """Whether it is known to hold CPU and memory."""
        return self.state is not None and self.state.uses_resources

    @property
    def may_recover(self) -> bool:
        """Whether an error may pass by itself."""
        return self.recover_left_s != 0.0

    @property
    def version(self) -> PipelineVersion | None:
        """The version that runs; without one, the newest."""
        versions = self.pipeline.versions
        running = self.status.running_versions if self.status is not None else ()
        known = [one for one in versions if one.version in running]
        return next(iter([*known, *versions]), None)

    def at(self, moment_in_s: float) -> str:
        """Time of day in so many seconds, such as `14:18`."""
        return f"{(self.now + timedelta(seconds=moment_in_s)).astimezone(self.zone):%H:%M}"


def state_words(facts: PipelineFacts) -> str:
    """Return the state in words with its time, as on the badge."""
    if facts.status is None:
        return ""
    state = facts.status.state
    if state is PipelineState.STARTING:
        elapsed_s = facts.since_s if facts.started_s is None else facts.started_s
        told = f"Starting, {duration(elapsed_s)}"
        return f"{told} of about {duration(facts.usual_start_s)}" if facts.usual_start_s else told
    if state is PipelineState.STOPPING:
        return f"Stopping, {duration(facts.since_s)}"
    if state is PipelineState.ERROR:
        return "Error, may recover" if facts.may_recover else "Error, final"
    if state is PipelineState.DEGRADED:
        return f"Degraded: {answering_words(facts.status)}"
    stops = countdown(facts.guard, now=facts.now)
    return f"Running, {stops}" if state is PipelineState.RUNNING and stops else state.value


def answering_words(status: DeploymentStatus) -> str:
    """Say how many replicas answer, such as `1 of 2 replicas answers`."""
    running, replicas = answering(status)
    verb = "answers" if running == 1 else "answer"
    if not running:
        return "no replica answers"
    return f"{running} of {count(replicas, 'replica')} {verb}"


def one_line(facts: PipelineFacts) -> str:
    """Tell a pipeline in one line. Plain text with foreign names in it."""
    parts = [_version_words(facts)]
    if facts.uses_resources and facts.settings is not None:
        parts.append(uses_words(facts.settings))
    if facts.uses_resources:
        parts.append(since_words(facts))
    if facts.last_use is not None:
        parts.append(last_use_words(facts))
    elif facts.state is PipelineState.NOT_DEPLOYED:
        parts.append("Uses nothing now")
    parts.append(f"In {facts.pipeline.workspace_name}")
    return " ".join(f"{part}." for part in parts if part)


def uses_words(settings: DeploymentSettings) -> str:
    """Return what is taken, such as `1.25 CPU, 5 GiB, 1 replica`."""
    return (
        f"{settings.total_cpus:g} CPU, {memory(settings.total_memory_bytes)}, "
        f"{count(settings.replicas, 'replica')}"
    )


def since_words(facts: PipelineFacts) -> str:
    """Say since when it is deployed and by whom, such as `Deployed 3 h ago by you`."""
    if facts.deployed_at is None:
        return ""
    told = f"Deployed {told_when(facts.deployed_at, now=facts.now, zone=facts.zone)}"
    if facts.is_foreign:
        return f"{told}, not from here"
    return f"{told} by {facts.by}" if facts.by else told


def last_use_words(facts: PipelineFacts) -> str:
    """Say when it was asked last and by whom, such as `Last request 48 min ago by you`."""
    if facts.last_use is None:
        return ""
    told = f"Last request {ago(max(0.0, (facts.now - facts.last_use.at).total_seconds()))}"
    return f"{told} by {facts.last_use.who}" if facts.last_use.who else told


def _version_words(facts: PipelineFacts) -> str:
    version = facts.version
    if version is None:
        return "No version yet"
    number = len(facts.pipeline.versions) - facts.pipeline.versions.index(version)
    models = ", ".join(step.model_name for step in version.steps)
    told = f"Version {presenting.version(version.version, number)}"
    return f"{told}, model {models}" if models else told
