"""What the steps of a preflight hand on to each other, and how one can end early."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dashboard.connectors.outbound import Progress
from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.preflight import Step, Subject, Way
from dashboard.errors import DashboardError, DeployFailed, FetchFailed, NotFound
from dashboard.gateway.base import PlatformGateway
from dashboard.services.run_rows import WaitingRow

if TYPE_CHECKING:
    import pyarrow as pa

    from dashboard.domain.connection import Connection
    from dashboard.domain.table import ColumnFacts

#: What was found, in words, and how long it took in ms; None for as long as the step took.
Found = tuple[str, float | None]


class Cancelled(Exception):
    """It was given up."""


class NotDeployed(DeployFailed):
    """Nothing answers, and a deploy is what helps."""


@dataclass(slots=True)
class FirstRow:
    """Takes in a table and keeps its first row alone."""

    row: pa.Table | None = None

    def begin(self) -> None:
        """Forget what was taken in: reading begins anew."""
        self.row = None

    def add(self, piece: pa.Table) -> None:
        """Take in some rows."""
        if self.row is None and piece.num_rows:
            self.row = piece.slice(0, 1)


@dataclass(slots=True)
class Walk:
    """What the steps of one preflight hand on to each other; dropped with it.

    Parameters
    ----------
    tell
        Says what the step under way is waiting for.
    test_id
        Where the test of the connection is watched, while it runs.
    """

    who: Identity
    subject: Subject
    session: str
    tell: Callable[[str], None]
    cancel: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Progress)
    test_id: str = ""
    connection: Connection | None = None
    details: Any = None  # masked: `SecretDetails`
    failure: FetchFailed | None = None
    first: FirstRow | None = None
    columns: Sequence[ColumnFacts] = ()
    format: str = ""
    row: WaitingRow | None = None
    pipeline: Pipeline | None = None

    @property
    def version_id(self) -> int:
        """Number of the pipeline version that was walked; 0 while none was looked at."""
        versions = self.pipeline.versions if self.pipeline is not None else ()
        return versions[0].version_id if versions else 0

    def stop_if_cancelled(self) -> None:
        """Raise `Cancelled` if somebody has given it up."""
        if self.cancel.is_set():
            raise Cancelled


def pipeline_of(gateway: PlatformGateway, walk: Walk) -> Pipeline:
    """Return the pipeline as the platform tells of it in this walk. Raises NotFound."""
    if walk.pipeline is None:
        room = walk.subject.workspace_id
        listed = gateway.list_pipelines(walk.who, workspace_id=room)
        found = [one for one in listed if one.pipeline_id == walk.subject.pipeline_id]
        if not found:
            raise NotFound("This pipeline does not exist any more.", hint="Choose another one.")
        walk.pipeline = found[0]
    return walk.pipeline


def way_on(step: Step, error: DashboardError) -> Way:
    """Return where to take the next step after a failure."""
    if isinstance(error, NotDeployed):
        return Way.DEPLOY
    if step in (Step.REACHABLE, Step.READABLE):
        # Anything else is about the platform, or about too many tests a minute.
        return Way.CONNECTION if isinstance(error, FetchFailed) else Way.NOWHERE
    return Way.TABLE if step is Step.FITS else Way.PIPELINE
