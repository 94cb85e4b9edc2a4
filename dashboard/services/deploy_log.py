"""The deploys that were asked for here: by whom, with what, and how long each took to answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Final

from dashboard.domain.deploy_record import Deployer, DeployRecord
from dashboard.domain.deployment import MAY_RECOVER_S
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState
from dashboard.errors import DashboardError
from dashboard.services.reads import Query, Reads
from dashboard.store.deploy_records import DeployRecords

if TYPE_CHECKING:
    from dashboard.store.database import Store

DEPLOYS: Final = "deploys"
KEPT_FOR: Final = timedelta(days=400)
_FRESH_S: Final = 60.0
_STARTS: Final = 6
_SERVING: Final = (PipelineState.RUNNING, PipelineState.DEGRADED)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UsualStart:
    """How long the last starts of a pipeline took, in s."""

    shortest_s: float
    longest_s: float
    median_s: float
    starts: int


@dataclass(frozen=True, slots=True)
class _Pending:
    """A deploy that was accepted and has not been seen to answer."""

    deploy_id: int | None
    version: str
    asked_at: float
    begun_at: datetime


class DeployLog:
    """Writes and reads the deploys. Thread-safe. What cannot be kept is not told as a failure."""

    def __init__(
        self,
        store: Store,
        reads: Reads,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = DeployRecords(store)
        self._reads = reads
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._over: set[int] = set()
        self._usual: dict[int, UsualStart | None] = {}

    @property
    def clock(self) -> Callable[[], float]:
        """The clock that starts are measured by, in s."""
        return self._clock

    def begin(
        self,
        who: Identity,
        pipeline: Pipeline,
        *,
        version: str,
        model_version: ModelVersion,
        settings: DeploymentSettings,
        asked_at: float,
    ) -> None:
        """Keep a deploy that the platform has accepted.

        Parameters
        ----------
        version
            UUID of the pipeline version that it made.
        asked_at
            When it was asked for, by `clock`.
        """
        record = DeployRecord(
            deploy_id=0,
            pipeline_id=pipeline.pipeline_id,
            pipeline_name=pipeline.name,
            workspace_id=pipeline.workspace_id,
            workspace_name=pipeline.workspace_name,
            version=version,
            model_name=model_version.model_name,
            model_version=model_version.version,
            who_id=who.user_id,
            who=who.email,
            at=self._now(),
            settings=settings,
        )
        deploy_id: int | None = None
        try:
            deploy_id = self._records.insert(record)
            self._records.drop(before=record.at - KEPT_FOR)
        except Exception as exc:  # noqa: BLE001 - it is deployed, noted or not
            _LOG.warning("a deploy was not noted: %s", type(exc).__name__)
        with self._lock:
            self._over.discard(pipeline.pipeline_id)
            self._pending[pipeline.pipeline_id] = _Pending(deploy_id, version, asked_at, record.at)
        self._reads.invalidate_for_all(DEPLOYS)

    def seen(self, pipeline: Pipeline, status: DeploymentStatus, asked_at: datetime) -> None:
        """Take what the platform told of a deployment: it may be ready, or gone.

        Parameters
        ----------
        asked_at
            When it was asked for, UTC: what was deployed later is not told of.
        """
        number = pipeline.pipeline_id
        if status.state is PipelineState.NOT_DEPLOYED:
            self._gone(number, asked_at)
            return
        with self._lock:
            self._over.discard(number)
            pending = self._pending.get(number)
            answers = status.state in _SERVING and (
                pending is not None
                and (not status.running_versions or pending.version in status.running_versions)
            )
            if pending is None or not answers:
                return
            del self._pending[number]
        self._ready(number, pending)

    def version(self, pipeline_id: int) -> str:
        """Return the version that was deployed from here and is not over; empty without one."""
        with self._lock:
            pending = self._pending.get(pipeline_id)
        if pending is not None and pending.deploy_id is None:  # it could not be stored
            return pending.version
        try:
            return self._records.version(pipeline_id)
        except DashboardError:
            return pending.version if pending is not None else ""

    def end(self, pipeline_id: int, version: str) -> None:
        """End what is kept of the deploy of a version, which was undeployed or replaced."""
        with self._lock:
            pending = self._pending.get(pipeline_id)
            if pending is not None and pending.version == version:
                del self._pending[pipeline_id]
        try:
            if self._records.end(pipeline_id, self._now(), version=version):
                self._reads.invalidate_for_all(DEPLOYS)
        except DashboardError:
            # The watch sees that it is gone, and tries again.
            _LOG.warning("the end of a deployment was not noted")

    def _gone(self, pipeline_id: int, asked_at: datetime) -> None:
        """End what was deployed before the platform was asked; it tells so again and again."""
        with self._lock:
            pending = self._pending.get(pipeline_id)
            if pending is not None and pending.begun_at <= asked_at:
                del self._pending[pipeline_id]
            if pipeline_id in self._over:
                return
            self._over.add(pipeline_id)
        try:
            if self._records.end_before(pipeline_id, self._now(), asked_at=asked_at):
                self._reads.invalidate_for_all(DEPLOYS)
            is_over = not self._records.version(pipeline_id)
        except DashboardError:
            is_over = False
            _LOG.warning("the end of a deployment was not noted")
        if not is_over:
            with self._lock:
                self._over.discard(pipeline_id)

    def is_rolling(self, pipeline_id: int, status: DeploymentStatus) -> bool:
        """Whether a version deployed from here does not answer yet, and still may."""
        with self._lock:
            pending = self._pending.get(pipeline_id)
        if pending is None or self._clock() - pending.asked_at >= MAY_RECOVER_S:
            return False
        return bool(status.running_versions) and pending.version not in status.running_versions

    def last(self, who: Identity, pipeline: Pipeline) -> Query[DeployRecord | None]:
        """Read this person's newest deploy of a pipeline; None without one.

        Those of others are theirs alone: their environment may hold what is theirs.
        """

        def load() -> DeployRecord | None:
            found = self._records.last(pipeline.pipeline_id, who_id=who.user_id)
            # A platform that was begun anew gives its numbers again.
            is_it = found is not None and found.pipeline_name == pipeline.name
            return found if is_it else None

        return Query((who.key, DEPLOYS, pipeline.pipeline_id, pipeline.name), load, _FRESH_S)

    def deployer(
        self, who: Identity, pipeline: Pipeline, version: str
    ) -> Query[tuple[Deployer, ...]]:
        """Read who deployed a version from here, whoever it was; empty if it was nobody."""
        number, name = pipeline.pipeline_id, pipeline.name

        def load() -> tuple[Deployer, ...]:
            found = self._records.deployer(number, name, version)
            return (found,) if found is not None else ()

        return Query((who.key, DEPLOYS, number, name, version), load, _FRESH_S)

    def mine(self, who: Identity) -> tuple[DeployRecord, ...]:
        """Return what this person deployed and nobody has undeployed from here, oldest first.

        Somebody may have stopped or replaced it elsewhere: ask what runs before acting on it.
        """
        try:
            return self._records.not_ended(who_id=who.user_id)
        except DashboardError:
            _LOG.warning("the deploys could not be read")
            return ()

    def usual_start(self, pipeline_id: int) -> UsualStart | None:
        """Return how long the last starts took; None without any. Cheap."""
        with self._lock:
            if pipeline_id in self._usual:
                return self._usual[pipeline_id]
        try:
            starts = self._records.starts_s(pipeline_id, most=_STARTS)
        except DashboardError:
            return None
        usual = (
            UsualStart(min(starts), max(starts), median(starts), len(starts)) if starts else None
        )
        with self._lock:
            self._usual[pipeline_id] = usual
        return usual

    def _ready(self, pipeline_id: int, pending: _Pending) -> None:
        if pending.deploy_id is None:
            return
        try:
            self._records.ready(pending.deploy_id, self._clock() - pending.asked_at)
        except DashboardError:
            _LOG.warning("how long a start took was not noted")
        with self._lock:
            self._usual.pop(pipeline_id, None)
        self._reads.invalidate_for_all(DEPLOYS)
