"""Pipelines and deployments through the SDK, without its waits, prints and repeated reads."""

from __future__ import annotations

from typing import Any

from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.inference import LogPage
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import (
    PIPELINE_NAME_RULE,
    Deployment,
    DeploymentStatus,
    Pipeline,
    PipelineState,
)
from dashboard.errors import Conflict, DashboardError, InvalidInput, NotFound, UnexpectedAnswer
from dashboard.gateway import deploy_config, model_calls, translate
from dashboard.gateway.base import DeployedVersion
from dashboard.gateway.clients import SdkObject, Session
from dashboard.gateway.sdk_errors import Doing, refused_deploy
from dashboard.gateway.sdk_errors import translate as translate_error

_FIELDS = """
  id pipeline_id created_at updated_at workspace { id name }
  pipeline_versions(order_by: {id: desc}) { id version created_at definition }
  deployment { id deploy_id deployed engine_config }
"""
# The SDK needs one request per pipeline, and one to three more per version.
_ALL = f"query DashboardPipelines {{ pipeline(order_by: {{id: asc}}) {{ {_FIELDS} }} }}"
_OF_WORKSPACE = f"""
query DashboardWorkspacePipelines($workspace_id: bigint!) {{
  pipeline(where: {{workspace_id: {{_eq: $workspace_id}}}}, order_by: {{id: asc}}) {{ {_FIELDS} }}
}}"""
_ONE = f"query DashboardPipeline($id: bigint!) {{ pipeline_by_pk(id: $id) {{ {_FIELDS} }} }}"
_NAMED = f"""
query DashboardPipelineNamed($name: String!, $workspace_id: bigint!) {{
  pipeline(where: {{_and: [{{pipeline_id: {{_eq: $name}}}},
                           {{workspace_id: {{_eq: $workspace_id}}}}]}}) {{ {_FIELDS} }}
}}"""
_DEPLOYMENT = """
query DashboardDeployment($id: bigint!) {
  pipeline_by_pk(id: $id) { id deployment { id deploy_id deployed engine_config } }
}"""

_STATUS_PATH = "/v1/api/status/get_deployment"
_DEPLOY_PATH = "/pipelines/deploy"
#: `*` cannot be combined with metadata.
_LOG_PARTS = ["time", "in", "out", "anomaly", "metadata"]
#: What an answer is marked with that leaves nothing out; servers that mark nothing say None.
_WHOLE_LOG = ("All", None)
_NOT_DEPLOYED = DeploymentStatus(PipelineState.NOT_DEPLOYED)


def list_pipelines(session: Session, workspace_id: int | None) -> tuple[Pipeline, ...]:
    """All pipelines, or those of a workspace, with versions and steps, in one request."""
    if workspace_id is None:
        rows = session.query(_ALL)["pipeline"]
    else:
        rows = session.query(_OF_WORKSPACE, workspace_id=workspace_id)["pipeline"]
    return tuple(translate.pipeline(fields) for fields in rows)


def find(session: Session, workspace_id: int, name: str) -> Pipeline | None:
    """Return the pipeline of that name in that workspace, or None."""
    rows = session.query(_NAMED, name=name, workspace_id=workspace_id)["pipeline"]
    return translate.pipeline(rows[0]) if rows else None


def get(session: Session, workspace_id: int, name: str) -> Pipeline:
    """As `find`, but a missing one is `NotFound`."""
    found = find(session, workspace_id, name)
    if found is None:
        raise NotFound(f'There is no pipeline "{name}" in this workspace.')
    return found


def create(session: Session, workspace_id: int, name: str, version: ModelVersion) -> Pipeline:
    """Save a pipeline of one model step. The SDK's `build_pipeline` would save an empty one too."""
    if not PIPELINE_NAME_RULE.fullmatch(name):
        raise InvalidInput(
            "A pipeline name holds lower-case ASCII letters, digits and dashes, starts and ends "
            "with a letter or digit and has at most 63 characters.",
            field="name",
        )
    if find(session, workspace_id, name) is not None:
        # The platform would quietly add a version to the pipeline that is there.
        text = f'There is a pipeline "{name}" in this workspace already. Choose another name.'
        raise Conflict(text, field="name")
    session.client.set_current_workspace(session.workspace(workspace_id))
    builder = session.sdk.PipelineConfigBuilder(session.client, pipeline_name=name)
    builder.add_model_step(model_calls.handle(session, version))
    return by_id(session, int(builder.upload().id()))


def by_id(session: Session, pipeline_id: int) -> Pipeline:
    """Read a pipeline by its number."""
    fields = session.query(_ONE, id=pipeline_id)["pipeline_by_pk"]
    if fields is None:
        raise NotFound("The pipeline is gone.")
    return translate.pipeline(fields)


def record(session: Session, pipeline: Pipeline) -> dict[str, Any] | None:
    """Return the platform's row of the last deployment, or None if there never was one."""
    fields = session.query(_DEPLOYMENT, id=pipeline.pipeline_id)["pipeline_by_pk"]
    if fields is None:
        raise NotFound(f'There is no pipeline "{pipeline.name}" any more.')
    return fields["deployment"] or None


def deployment(session: Session, pipeline: Pipeline) -> Deployment | None:
    """Return the last deployment, or None if there never was one."""
    fields = record(session, pipeline)
    return translate.deployment(fields) if fields else None


def status(session: Session, pipeline: Pipeline) -> DeploymentStatus:
    """Tell what the deployment is doing. Not deployed is a state, not an error."""
    return _status_of(session, record(session, pipeline))


def _status_of(session: Session, fields: dict[str, Any] | None) -> DeploymentStatus:
    """Ask for the status of a deployment's record.

    Over the SDK client's own HTTP client, as the SDK would: its `Deployment` object, made for each
    question, costs 50 ms of CPU for certificates that it then does not use.
    """
    if fields is None:
        return _NOT_DEPLOYED
    wanted = bool(fields.get("deployed"))
    name = f"{fields['deploy_id']}-{fields['id']}"
    answer = session.client.httpx_client.post(_STATUS_PATH, json={"name": name})
    if answer.status_code == 404:
        # Asked for, but nothing there yet: a deploy that was accepted a moment ago.
        return DeploymentStatus(PipelineState.STARTING) if wanted else _NOT_DEPLOYED
    answer.raise_for_status()
    return translate.status(answer.json(), wanted=wanted)


def deploy(
    session: Session, pipeline: Pipeline, version: ModelVersion, settings: DeploymentSettings
) -> DeployedVersion:
    """Ask for a deployment, unless the same one runs already, and return its version."""
    model = model_calls.handle(session, version)
    config = deploy_config.built(session.sdk, model, settings)
    running = _already_running(session, pipeline, version, settings, config)
    if running is not None:
        return running
    client = session.client
    client.set_current_workspace(session.workspace(pipeline.workspace_id, pipeline.workspace_name))
    handle = session.sdk.Pipeline(client, _handle_data(pipeline))
    handle.clear()
    problem: DashboardError | None = None
    try:
        handle.add_model_step(model)
        handle.deploy(deployment_config=config, wait_for_status=False)
    except Exception as exc:  # noqa: BLE001 - translated, or found to have come too late to matter
        problem = translate_error(exc, session.wire, deploying(pipeline))
    # Past the acceptance the SDK still reads and prints; a failure there does not undo the deploy.
    if problem is not None and not session.wire.answered(_DEPLOY_PATH):
        raise refused_deploy(problem, session.wire)
    try:
        made = by_id(session, pipeline.pipeline_id)
    except Exception:  # noqa: BLE001 - it is deployed, and nobody would guard what is told as failed
        made = by_id(session, pipeline.pipeline_id)
    return _made(made, already_running=False)


def deploying(pipeline: Pipeline) -> Doing:
    """Say what `deploy` is about."""
    return Doing(f'deploy "{pipeline.name}"', subject=f'pipeline "{pipeline.name}"')


def undeploy(session: Session, pipeline: Pipeline) -> None:
    """Ask the platform to stop it. The SDK's own `undeploy` waits for up to 45 s."""
    fields = record(session, pipeline)
    if fields is None or not fields.get("deployed"):
        return
    session.sdk.request_undeploy(session.client, int(fields["id"]))
    try:
        after = record(session, pipeline)
    except Exception:  # noqa: BLE001 - it was accepted: a failure to look does not undo it
        return
    if after is not None and after.get("deployed"):
        raise UnexpectedAnswer(f'The platform did not stop "{pipeline.name}".', hint="Try again.")


def log_page(session: Session, pipeline: Pipeline, limit: int) -> LogPage:
    """Newest rows first; a pipeline that never answered anything has none.

    `Pipeline.logs` of the SDK fails on an empty log and on a row without dropped columns, and
    writes to stderr; the two calls it is made of do not.
    """
    topic = session.client.get_topic_name(pipeline.pipeline_id)
    try:
        frame, status = session.client.get_logs(topic, limit=limit, dataset=_LOG_PARTS)
    except Exception:
        last = session.wire.last
        if last is not None and last.status == 404:
            return LogPage((), is_complete=True)
        raise
    rows = tuple(translate.plain_row(row) for row in frame.to_dict("records"))
    is_whole = status in _WHOLE_LOG
    return LogPage(rows, is_complete=is_whole, cut_by="" if is_whole else str(status))


def _handle_data(pipeline: Pipeline) -> dict[str, Any]:
    return {"id": pipeline.pipeline_id, "pipeline_id": pipeline.name}


def _already_running(
    session: Session,
    pipeline: Pipeline,
    version: ModelVersion,
    settings: DeploymentSettings,
    config: SdkObject,
) -> DeployedVersion | None:
    """Return the version that runs, if it is all Running with the same step and the same settings.

    Each deploy makes a new version and restarts the engines even with nothing changed. A value of
    the environment counts as the same where it was kept from the version that runs. One that was
    typed never does, also if it is the same: whoever types must not learn that.
    """
    fields = record(session, pipeline)
    if fields is None or not fields.get("deployed"):
        return None
    stored = translate.deployment(fields).engine_config

    def uploaded_for() -> tuple[str | None, str | None]:
        # Of a handle of its own: asking fills it anew.
        model = model_calls.handle(session, version)
        return model.arch(), model.accel()

    if not deploy_config.asks_the_same(stored, config, uploaded_for):
        return None
    now = _status_of(session, fields)
    newest = _made(by_id(session, pipeline.pipeline_id), already_running=True)
    steps = [(step.model_name, step.model_version) for step in newest.steps]
    is_same = steps == [(version.model_name, version.version)]
    is_kept = all(one.kept_from == newest.version for one in settings.environment)
    runs_it = not now.running_versions or now.running_versions == (newest.version,)
    is_all_running = now.state is PipelineState.RUNNING
    return newest if is_all_running and is_same and is_kept and runs_it else None


def _made(pipeline: Pipeline, *, already_running: bool) -> DeployedVersion:
    if not pipeline.versions:
        raise UnexpectedAnswer(f'The pipeline "{pipeline.name}" has no version.')
    newest = pipeline.versions[0]
    return DeployedVersion(
        version_id=newest.version_id,
        version=newest.version,
        created_at=newest.created_at,
        steps=newest.steps,
        already_running=already_running,
    )
