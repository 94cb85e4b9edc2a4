"""Deploying and undeploying pipelines, and making one from a model version."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from dashboard.domain.activity import Act
from dashboard.domain.deploy_record import Deployer, DeployRecord
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion, NewModel, UploadProgress
from dashboard.domain.pipeline import PIPELINE_NAME_RULE, Pipeline, PipelineState
from dashboard.domain.settings_words import problems
from dashboard.domain.workspace import NAME_RULE
from dashboard.errors import Conflict, DashboardError, InvalidInput
from dashboard.gateway.base import DeployedVersion
from dashboard.services import catalog
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.deploy_log import DeployLog, UsualStart
from dashboard.services.deploy_notes import DeployNotes, asked_for
from dashboard.services.guard_stop import NotYet
from dashboard.services.idle_guard import IdleGuard
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query, Reads
from dashboard.services.turns import Turns, starting
from dashboard.services.watch import DeploymentWatch

#: So long the idle guard's stop, which holds up requests meanwhile, waits for its turn.
_BRIEFLY_S: Final = 5.0
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
        self._notes = DeployNotes(gateway, activity)
        self._guard = guard
        self._turns = Turns()

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
        held, noting = self._guard.held(number), self._notes.noting(who, Act.DEPLOYED, pipeline)
        with held, self._turns.deploying(pipeline), noting:
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
        self._notes.note(who, Act.DEPLOYED, pipeline, note=asked_for(settings, idle_minutes))
        return Outcome(f"Starting {pipeline.name}.", result=str(pipeline.pipeline_id))

    def undeploy(self, who: Identity, pipeline: Pipeline, *, only: str = "") -> Outcome:
        """Stop a pipeline; the watch says when it has stopped.

        A deploy or an undeploy of it that is being sent from here is awaited.

        Parameters
        ----------
        only
            The pipeline version that is meant; empty for whatever runs.

        Raises
        ------
        Conflict
            Another version was deployed from here since, so nothing was sent.
        """
        with self._turns.undeploying(pipeline):
            # Asked before: a deploy from another dashboard right after it is none of this.
            version = self._deploys.version(pipeline.pipeline_id)
            if only and version not in ("", only):
                raise Conflict(f"{pipeline.name} was deployed again since. It was left alone.")
            with self._notes.noting(who, Act.UNDEPLOYED, pipeline):
                self._send_undeploy(who, pipeline)
            if version:
                self._deploys.end(pipeline.pipeline_id, version)
                self._guard.disarm(pipeline.pipeline_id, version)
        self._notes.note(who, Act.UNDEPLOYED, pipeline)
        return Outcome(f"Undeploying {pipeline.name}. Its CPU and memory are being freed.")

    def undeploy_unused(
        self, who: Identity, pipeline: Pipeline, *, version: str, may_send: Callable[[], bool]
    ) -> None:
        """Stop a pipeline version for the idle guard, which tells the activity log itself.

        Parameters
        ----------
        may_send
            Asked right before it is sent.

        Raises
        ------
        NotYet
            Nothing was sent: it may not be, a deploy or an undeploy is being sent from here and
            takes its time, or another version was deployed from here.
        """
        with contextlib.ExitStack() as turn:
            try:
                turn.enter_context(self._turns.undeploying(pipeline, patience_s=_BRIEFLY_S))
            except Conflict:
                raise NotYet from None
            if self._deploys.version(pipeline.pipeline_id) not in ("", version) or not may_send():
                raise NotYet
            self._send_undeploy(who, pipeline)
            self._deploys.end(pipeline.pipeline_id, version)

    def last(self, who: Identity, pipeline: Pipeline) -> Query[DeployRecord | None]:
        """Read this person's newest deploy of a pipeline from here; None without one."""
        return self._deploys.last(who, pipeline)

    def deployer(
        self, who: Identity, pipeline: Pipeline, version: str
    ) -> Query[tuple[Deployer, ...]]:
        """Read who deployed a version from here, whoever it was; empty if it was nobody.

        The platform does not tell who makes a pipeline's versions.
        """
        return self._deploys.deployer(who, pipeline, version)

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
            self._notes.note_in(who, Act.PIPELINE_CREATED, workspace_id, name, error=exc)
            raise
        finally:
            self._forget_lists(who)
        self._notes.note(who, Act.PIPELINE_CREATED, made)
        return Outcome(
            f"Created {made.name}. It uses nothing until you deploy it.",
            result=str(made.pipeline_id),
        )

    def upload_model(
        self,
        who: Identity,
        model: NewModel,
        *,
        on_progress: Callable[[UploadProgress], None] = lambda _progress: None,
    ) -> Outcome:
        """Upload a model and wait until the platform has taken it in; see `PlatformGateway`."""
        if NAME_RULE.fullmatch(model.name) is None:
            raise InvalidInput(
                "The platform takes letters, digits and dashes only, with a letter first.",
                hint="For example hf-summarizer.",
                field="name",
            )
        try:
            version = self._gateway().upload_model(who, model, on_progress=on_progress)
        except DashboardError as exc:
            self._notes.note_in(who, Act.MODEL_UPLOADED, model.workspace_id, model.name, error=exc)
            raise
        finally:
            self._reads.invalidate(who.key, catalog.MODELS)
        self._notes.note_in(who, Act.MODEL_UPLOADED, model.workspace_id, version.model_name)
        return Outcome(
            f"Uploaded {version.model_name}. It is ready.", result=str(version.version_id)
        )

    # How a deploy is made

    def _send_undeploy(self, who: Identity, pipeline: Pipeline) -> None:
        self._watch.expect(who, pipeline, PipelineState.STOPPING)
        try:
            self._gateway().undeploy(who, pipeline)
        except DashboardError:
            self._watch.give_up_expecting(who, pipeline)
            raise
        finally:
            self._forget_lists(who)
        self._watch.confirm(who, pipeline)

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
            raise starting(pipeline)
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

    def _forget_lists(self, who: Identity) -> None:
        self._reads.invalidate(who.key, catalog.PIPELINES)
        self._reads.invalidate(who.key, catalog.DEPLOYMENTS)


def check_settings(settings: DeploymentSettings) -> None:
    """Hold the settings against what the platform can take.

    Raises
    ------
    InvalidInput
        With the field's name.
    """
    for field, told in problems(settings).items():
        raise InvalidInput(told, field=field)
