"""Deploying and undeploying pipelines, and making one from a model version."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import IO, Final

from dashboard.domain.activity import Act, ActResult
from dashboard.domain.deploy_record import DeployRecord
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion, UploadProgress
from dashboard.domain.pipeline import PIPELINE_NAME_RULE, Pipeline, PipelineState
from dashboard.domain.settings_words import problems
from dashboard.domain.workspace import NAME_RULE
from dashboard.errors import Conflict, DashboardError, InvalidInput
from dashboard.gateway.base import DeployedVersion
from dashboard.services import catalog
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.deploy_log import DeployLog, UsualStart
from dashboard.services.idle_guard import IdleGuard
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query, Reads
from dashboard.services.watch import DeploymentWatch

_GOING: Final = (PipelineState.STARTING, PipelineState.RUNNING, PipelineState.DEGRADED)


class Deployments:
    """The use cases. Methods that return an outcome block on the platform: run them as jobs."""

    def __init__(
        self,
        gateway: GatewayOf,
        reads: Reads,
        watch: DeploymentWatch,
        *,
        deploys: DeployLog,
        activity: ActivityLog,
        guard: IdleGuard,
    ) -> None:
        self._gateway = gateway
        self._reads = reads
        self._watch = watch
        self._deploys = deploys
        self._activity = activity
        self._guard = guard
        self._lock = threading.Lock()
        self._being_deployed: set[int] = set()

    def deploy(
        self,
        who: Identity,
        pipeline: Pipeline,
        *,
        model_version: ModelVersion,
        settings: DeploymentSettings,
        idle_minutes: int | None,
    ) -> Outcome:
        """Start a pipeline; the watch follows it from here.

        Parameters
        ----------
        idle_minutes
            After how long without a request the idle guard stops it; None for never.

        Raises
        ------
        InvalidInput
            The settings cannot be deployed; the field has its name of `settings_words.problems`.
        Conflict
            Somebody is starting it already.
        DeployFailed
            The platform refused it.
        """
        check_settings(settings)
        number = pipeline.pipeline_id
        # The idle guard does not stop in between what was started a moment before its time was up.
        held = self._guard.held(number)
        with self._alone(pipeline), held, self._noting(who, pipeline, Act.DEPLOYED):
            asked_at = self._deploys.clock()
            with self._guard.awaited(number, idle_minutes):
                made = self._send(who, pipeline, model_version, settings)
                if not made.already_running:
                    self._deploys.begin(
                        who,
                        pipeline,
                        version=made.version,
                        model_version=model_version,
                        settings=settings,
                        asked_at=asked_at,
                    )
                    self._guard.arm(who, pipeline, version=made.version, minutes=idle_minutes)
            if made.already_running:
                self._watch.give_up_expecting(who, pipeline)
                return self._runs_already(who, pipeline, idle_minutes)
            self._watch.confirm(who, pipeline)
        self._note(who, Act.DEPLOYED, pipeline, note=_asked_for(settings, idle_minutes))
        return Outcome(f"Starting {pipeline.name}.", result=str(pipeline.pipeline_id))

    def undeploy(self, who: Identity, pipeline: Pipeline, *, is_noted: bool = True) -> Outcome:
        """Stop a pipeline; the watch says when it has stopped.

        Parameters
        ----------
        is_noted
            Whether the activity log is to tell of it; the idle guard writes its own entry.
        """
        noting = self._noting(who, pipeline, Act.UNDEPLOYED) if is_noted else _NOTHING
        self._watch.expect(who, pipeline, PipelineState.STOPPING)
        with noting:
            try:
                self._gateway().undeploy(who, pipeline)
            except DashboardError:
                self._watch.give_up_expecting(who, pipeline)
                raise
            finally:
                self._forget_lists(who)
        self._watch.confirm(who, pipeline)
        self._deploys.end(pipeline.pipeline_id)
        self._guard.disarm(pipeline.pipeline_id)
        if is_noted:
            self._note(who, Act.UNDEPLOYED, pipeline)
        return Outcome(f"Undeploying {pipeline.name}. Its CPU and memory are being freed.")

    def last(self, who: Identity, pipeline: Pipeline) -> Query[DeployRecord | None]:
        """Read this person's newest deploy of a pipeline from here; None without one."""
        return self._deploys.last(who, pipeline)

    def mine(self, who: Identity) -> tuple[DeployRecord, ...]:
        """Return what this person deployed and nobody has undeployed from here, oldest first.

        Somebody may have stopped or replaced it elsewhere: ask what runs before acting on it.
        """
        return self._deploys.mine(who)

    def usual_start(self, pipeline_id: int) -> UsualStart | None:
        """Return how long the last starts from here took; None without any. Cheap."""
        return self._deploys.usual_start(pipeline_id)

    def usual_start_s(self, pipeline_id: int) -> float | None:
        """Return the median of those starts, in s; None without any. Cheap."""
        usual = self._deploys.usual_start(pipeline_id)
        return usual.median_s if usual is not None else None

    def create(
        self, who: Identity, *, workspace_id: int, name: str, model_version: ModelVersion
    ) -> Outcome:
        """Make a pipeline from a model version. Raises InvalidInput with field `name`."""
        if PIPELINE_NAME_RULE.fullmatch(name) is None:
            raise InvalidInput(
                "The platform takes small letters, digits and dashes only, "
                "with a letter or digit first and last.",
                hint="For example hf-summarizer.",
                field="name",
            )
        try:
            made = self._gateway().create_pipeline(
                who, workspace_id=workspace_id, name=name, model_version=model_version
            )
        except DashboardError as exc:
            self._note_in(who, Act.PIPELINE_CREATED, workspace_id, name, error=exc)
            raise
        finally:
            self._forget_lists(who)
        self._note(who, Act.PIPELINE_CREATED, made)
        return Outcome(
            f"Created {made.name}. It uses nothing until you deploy it.",
            result=str(made.pipeline_id),
        )

    def upload_summarizer(
        self,
        who: Identity,
        *,
        workspace_id: int,
        name: str,
        file_name: str,
        content: IO[bytes],
        on_progress: Callable[[UploadProgress], None] = lambda _progress: None,
    ) -> Outcome:
        """Upload a Hugging Face summarization zip and wait until the platform has taken it in."""
        if NAME_RULE.fullmatch(name) is None:
            raise InvalidInput(
                "The platform takes letters, digits and dashes only, with a letter first.",
                hint="For example hf-summarizer.",
                field="name",
            )
        try:
            version = self._gateway().upload_model(
                who,
                workspace_id=workspace_id,
                name=name,
                file_name=file_name,
                content=content,
                on_progress=on_progress,
            )
        except DashboardError as exc:
            self._note_in(who, Act.MODEL_UPLOADED, workspace_id, name, error=exc)
            raise
        finally:
            self._reads.invalidate(who.key, catalog.MODELS)
        self._note_in(who, Act.MODEL_UPLOADED, workspace_id, version.model_name)
        return Outcome(
            f"Uploaded {version.model_name}. It is ready.", result=str(version.version_id)
        )

    # How a deploy is made

    @contextlib.contextmanager
    def _alone(self, pipeline: Pipeline) -> Iterator[None]:
        """Let one deploy of a pipeline be sent at a time: the second person is told."""
        with self._lock:
            if pipeline.pipeline_id in self._being_deployed:
                raise _starting(pipeline)
            self._being_deployed.add(pipeline.pipeline_id)
        try:
            yield
        finally:
            with self._lock:
                self._being_deployed.discard(pipeline.pipeline_id)

    def _send(
        self,
        who: Identity,
        pipeline: Pipeline,
        model_version: ModelVersion,
        settings: DeploymentSettings,
    ) -> DeployedVersion:
        gateway = self._gateway()
        # Asked anew: what is on the screen may be older than somebody else's click.
        now = gateway.status(who, pipeline)
        is_first = now.state is PipelineState.STARTING and not now.running_versions
        is_going = now.state in _GOING and self._deploys.is_rolling(pipeline.pipeline_id, now)
        if is_first or is_going:
            raise _starting(pipeline)
        self._watch.expect(who, pipeline, PipelineState.STARTING)
        try:
            return gateway.deploy(who, pipeline, model_version=model_version, settings=settings)
        except DashboardError:
            self._watch.give_up_expecting(who, pipeline)
            raise
        finally:
            self._forget_lists(who)

    def _runs_already(self, who: Identity, pipeline: Pipeline, minutes: int | None) -> Outcome:
        told = f"{pipeline.name} runs already with these settings."
        view = self._guard.view(pipeline.pipeline_id)
        if view is None and minutes is not None:
            left = "It was not started from here, so the idle guard leaves it alone."
            return Outcome(f"{told} {left}", is_partial=True)
        if view is None or view.minutes == minutes:
            return Outcome(f"{told} Nothing was changed.")
        changed = self._guard.set_minutes(who, pipeline, minutes)
        return Outcome(f"{told} {changed.message}")

    # What is noted

    @contextlib.contextmanager
    def _noting(self, who: Identity, pipeline: Pipeline, act: Act) -> Iterator[None]:
        try:
            yield
        except DashboardError as exc:
            self._note(who, act, pipeline, error=exc)
            raise

    def _note(
        self,
        who: Identity,
        act: Act,
        pipeline: Pipeline,
        *,
        note: str = "",
        error: DashboardError | None = None,
    ) -> None:
        self._activity.note(
            who,
            act,
            result=ActResult.DONE if error is None else ActResult.FAILED,
            workspace=pipeline.workspace_name,
            pipeline=pipeline.name,
            note=note if error is None else error.message,
        )

    def _note_in(
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
        self._activity.note(
            who,
            act,
            result=ActResult.DONE if error is None else ActResult.FAILED,
            workspace=room,
            pipeline=name,
            note="" if error is None else error.message,
        )

    def _forget_lists(self, who: Identity) -> None:
        self._reads.invalidate(who.key, catalog.PIPELINES)
        self._reads.invalidate(who.key, catalog.DEPLOYMENTS)


_NOTHING: Final[contextlib.AbstractContextManager[None]] = contextlib.nullcontext()


def check_settings(settings: DeploymentSettings) -> None:
    """Hold the settings against what the platform can take.

    Raises
    ------
    InvalidInput
        With the field's name.
    """
    for field, told in problems(settings).items():
        raise InvalidInput(told, field=field)


def _starting(pipeline: Pipeline) -> Conflict:
    return Conflict(
        f"Somebody is starting {pipeline.name} already. Nothing was sent a second time.",
        title="It is starting already",
        hint="Wait until it runs, or cancel that start first.",
    )


def _asked_for(settings: DeploymentSettings, idle_minutes: int | None) -> str:
    size = f"{settings.total_cpus:g} CPU and {settings.total_memory_bytes / 2**30:.3g} GiB"
    replicas = "1 replica" if settings.replicas == 1 else f"{settings.replicas} replicas"
    stops = f" Stops when unused for {idle_minutes} min." if idle_minutes is not None else ""
    return f"{size}, {replicas}.{stops}"
