"""Deploying and undeploying pipelines, and making one from a model version."""

from __future__ import annotations

from typing import IO

from dashboard.domain.deployment_settings import MEMORY_RULE, DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import PIPELINE_NAME_RULE, Pipeline, PipelineState
from dashboard.domain.workspace import NAME_RULE
from dashboard.errors import DashboardError, InvalidInput
from dashboard.services import catalog
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Reads
from dashboard.services.watch import DeploymentWatch


class Deployments:
    """The use cases. Methods block on the platform: run them as jobs."""

    def __init__(self, gateway: GatewayOf, reads: Reads, watch: DeploymentWatch) -> None:
        self._gateway = gateway
        self._reads = reads
        self._watch = watch

    def deploy(
        self,
        who: Identity,
        pipeline: Pipeline,
        *,
        model_version: ModelVersion,
        settings: DeploymentSettings,
    ) -> Outcome:
        """Start a pipeline; the watch follows it from here. Raises DeployFailed, InvalidInput."""
        check_settings(settings)
        self._watch.expect(who, pipeline, PipelineState.STARTING)
        try:
            made = self._gateway().deploy(
                who, pipeline, model_version=model_version, settings=settings
            )
        except DashboardError:
            self._watch.give_up_expecting(who, pipeline)
            raise
        finally:
            self._forget_lists(who)
        if made.already_running:
            self._watch.give_up_expecting(who, pipeline)
            return Outcome(
                f"{pipeline.name} runs already with these settings. Nothing was changed."
            )
        self._watch.confirm(who, pipeline)
        return Outcome(f"Starting {pipeline.name}.", result=str(pipeline.pipeline_id))

    def undeploy(self, who: Identity, pipeline: Pipeline) -> Outcome:
        """Stop a pipeline; the watch says when it has stopped."""
        self._watch.expect(who, pipeline, PipelineState.STOPPING)
        try:
            self._gateway().undeploy(who, pipeline)
        except DashboardError:
            self._watch.give_up_expecting(who, pipeline)
            raise
        finally:
            self._forget_lists(who)
        self._watch.confirm(who, pipeline)
        return Outcome(f"Undeploying {pipeline.name}. Its CPU and memory are being freed.")

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
        finally:
            self._forget_lists(who)
        return Outcome(
            f"Created {made.name}. It uses nothing until you deploy it.",
            result=str(made.pipeline_id),
        )

    def upload_summarizer(
        self, who: Identity, *, workspace_id: int, name: str, file_name: str, content: IO[bytes]
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
                who, workspace_id=workspace_id, name=name, file_name=file_name, content=content
            )
        finally:
            self._reads.invalidate(who.key, catalog.MODELS)
        return Outcome(f"Uploaded {version.model_name}. Its status is {version.status}.")

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
    for field_name in ("engine_cpus", "sidekick_cpus"):
        if not 0.05 <= getattr(settings, field_name) <= 64:
            raise InvalidInput("Between 0.05 and 64 CPUs.", field=field_name)
    for field_name in ("engine_memory", "sidekick_memory"):
        if MEMORY_RULE.fullmatch(getattr(settings, field_name).strip()) is None:
            raise InvalidInput(
                "A whole number with Mi or Gi, such as 512Mi or 4Gi.", field=field_name
            )
    if not 1 <= settings.replicas <= 16:
        raise InvalidInput("Between 1 and 16 replicas.", field="replicas")
