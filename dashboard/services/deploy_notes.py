"""What the activity log is told of pipelines and models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dashboard.domain.activity import Act, ActResult
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import Pipeline
from dashboard.errors import DashboardError
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf


class DeployNotes:
    """Writes the entries. Thread-safe; raises nothing of its own."""

    def __init__(self, gateway: GatewayOf, activity: ActivityLog) -> None:
        self._gateway = gateway
        self._activity = activity

    @contextlib.contextmanager
    def noting(self, who: Identity, act: Act, pipeline: Pipeline) -> Iterator[None]:
        """Note an act that fails within the block."""
        try:
            yield
        except DashboardError as exc:
            self.note(who, act, pipeline, error=exc)
            raise

    def note(
        self,
        who: Identity,
        act: Act,
        pipeline: Pipeline,
        *,
        note: str = "",
        error: DashboardError | None = None,
    ) -> None:
        """Note what was done to a pipeline; `error` is why it was not."""
        room = (pipeline.workspace_id, pipeline.workspace_name)
        self._write(who, act, room, pipeline.name, note=note, error=error)

    def note_in(
        self,
        who: Identity,
        act: Act,
        workspace_id: int,
        name: str,
        *,
        error: DashboardError | None = None,
    ) -> None:
        """Note what was done in a workspace that is known by its number."""
        room = ""
        with contextlib.suppress(DashboardError):
            rooms = self._gateway().list_workspaces(who)
            room = next((one.name for one in rooms if one.workspace_id == workspace_id), "")
        self._write(who, act, (workspace_id, room), name, error=error)

    def _write(
        self,
        who: Identity,
        act: Act,
        room: tuple[int, str],
        name: str,
        *,
        note: str = "",
        error: DashboardError | None = None,
    ) -> None:
        self._activity.note(
            who,
            act,
            result=ActResult.DONE if error is None else ActResult.FAILED,
            workspace=room[1],
            workspace_id=room[0],
            pipeline=name,
            note=note if error is None else error.message,
        )


def asked_for(settings: DeploymentSettings, idle_minutes: int | None) -> str:
    """Return what a deploy was asked for with, in words."""
    size = f"{settings.total_cpus:g} CPU and {settings.total_memory_bytes / 2**30:.3g} GiB"
    replicas = "1 replica" if settings.replicas == 1 else f"{settings.replicas} replicas"
    stops = f" Stops when unused for {idle_minutes} min." if idle_minutes is not None else ""
    return f"{size}, {replicas}.{stops}"
