"""Gathers what is known of one pipeline, for its card."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from components import outage, presenting
from components.pipeline_facts import Holder, LastRequest, PipelineFacts
from dashboard import live, runtime, session
from dashboard.domain.deploy_trouble import Cause, trouble_of
from dashboard.domain.deployment import deployed_at
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState
from dashboard.domain.run import Run
from dashboard.domain.settings_json import settings_of
from dashboard.errors import Conflict
from dashboard.services import last_use
from dashboard.services.watch import DeploymentView
from dashboard.views import deploying

#: A run's last answer is in the platform's log within this time.
_LOG_LAG = timedelta(seconds=5)
#: The platform's clock and ours differ by less.
_CLOCKS_DIFFER = timedelta(minutes=2)


def gather(pipeline: Pipeline, listed: Sequence[Pipeline], *, is_open: bool) -> PipelineFacts:
    """Return what a card shows.

    Parameters
    ----------
    listed
        All pipelines this person sees.
    is_open
        Whether it is drawn in full; only then the platform is asked for more than the state.
    """
    current = runtime.current()
    who = current.identity()
    if outage.is_on():
        return PipelineFacts(
            pipeline=pipeline,
            status=None,
            why_off=outage.WHY_OFF,
            last_use=_last_use(pipeline, is_open=False),
            zone=session.zone(),
        )
    view = current.watch.look(who, pipeline, wait_s=session.read_budget_s(), closely=is_open)
    uses = view.state is not None and view.state.uses_resources
    by = _by(view, pipeline, who) if uses else ""
    is_wrong = view.status is not None and trouble_of(view.status) is not None
    return PipelineFacts(
        pipeline=pipeline,
        status=view.status,
        since_s=view.since_s,
        started_s=view.started_s,
        usual_start_s=current.deployments.usual_start_s(pipeline.pipeline_id) or view.usual_start_s,
        phases=view.phases,
        recover_left_s=view.recover_left_s,
        restarts=view.restarts,
        settings=settings_in(pipeline) if uses else None,
        model_version=deploying.model_version_of(pipeline) if is_open else None,
        guard=current.guard.view(pipeline.pipeline_id) if uses else None,
        deployed_at=since(pipeline, view, now=datetime.now(UTC)) if uses else None,
        by=by or "",
        is_foreign=by is None,
        last_use=_last_use(pipeline, is_open=is_open),
        holders=_holders(pipeline, listed) if is_wrong else (),
        log_lines=_log_lines(pipeline, view.status) if is_open else (),
        problem=view.error.message if view.error else "",
        now=datetime.now(UTC),
        zone=session.zone(),
    )


def since(pipeline: Pipeline, view: DeploymentView, *, now: datetime) -> datetime | None:
    """When the deployment was asked for; None while its own version is not listed yet."""
    at = deployed_at(pipeline, view.status)
    if at is None or view.state is not PipelineState.STARTING or view.started_s is None:
        return at
    began_at = now - timedelta(seconds=view.started_s)
    return at if at > began_at - _CLOCKS_DIFFER else None


def settings_in(pipeline: Pipeline) -> DeploymentSettings | None:
    """What the running deployment was asked to take, if the platform has told."""
    if pipeline.deployment is not None:
        return settings_of(pipeline.deployment.engine_config)
    return deploying.stored_settings(pipeline)


def _by(view: DeploymentView, pipeline: Pipeline, who: Identity) -> str | None:
    """Who deployed what runs; empty while that is not known, None where it was not from here."""
    running = view.status.running_versions if view.status is not None else ()
    versions = running or tuple(one.version for one in pipeline.versions[:1])
    if len(versions) != 1:
        return ""
    current = runtime.current()
    known = live.read(current.deployments.deployer(who, pipeline, versions[0]), wait=False).value
    if known is None:
        return ""
    return next((_person(one.who_id, one.who, who) for one in known), None)


def _person(user_id: str, address: str, who: Identity) -> str:
    return "you" if user_id == who.user_id else presenting.person(address)


def _last_use(pipeline: Pipeline, *, is_open: bool) -> LastRequest | None:
    """Return the newest inference: of the runs from here, and of the platform's log if open."""
    current = runtime.current()
    who = current.identity()
    runs = live.read(current.run_actions.recent(who), wait=False).value or ()
    run = next((one for one in runs if _is_of(one, pipeline) and one.started_at is not None), None)
    used = None
    if run is not None and run.started_at is not None:
        ended_at = run.finished_at if run.state.is_over else datetime.now(UTC)
        used = LastRequest(ended_at or run.started_at, _person(run.owner_id, run.owner_email, who))
    seen = current.guard.last_use(pipeline.pipeline_id)
    if seen is not None and (used is None or seen.at > used.at):
        used = LastRequest(seen.at, _person(seen.who_id, seen.who, who) if seen.who_id else "")
    if not is_open:
        return used
    logged = live.read(last_use.last_inference(current.gateway, who, pipeline), wait=False).value
    if logged is not None and (used is None or logged > used.at + _LOG_LAG):
        return LastRequest(logged)
    return used


def _is_of(run: Run, pipeline: Pipeline) -> bool:
    return (run.workspace_id, run.pipeline_name) == (pipeline.workspace_id, pipeline.name)


def _holders(pipeline: Pipeline, listed: Sequence[Pipeline]) -> tuple[Holder, ...]:
    """Return the other deployed pipelines that hold something, as far as this person sees them."""
    found = []
    for one in listed:
        if one.pipeline_id == pipeline.pipeline_id or one.deployment is None:
            continue
        settings = settings_in(one) if one.deployment.deployed else None
        if settings is not None:
            found.append(Holder(one.name, settings.total_cpus, settings.total_memory_bytes))
    return tuple(found)


def _log_lines(pipeline: Pipeline, status: DeploymentStatus | None) -> tuple[str, ...]:
    """Return what a sidekick that does not run has written, where the platform gives it."""
    if status is None:
        return ()
    trouble = trouble_of(status)
    if trouble is None or not trouble.is_sidekick or trouble.cause is Cause.NO_ROOM:
        return ()
    pod = next((one for one in status.sidekicks if not one.is_running and one.reason), None)
    if pod is None:
        return ()
    current = runtime.current()
    query = last_use.pod_log(current.gateway, current.identity(), pipeline, pod.name)
    known = live.read(query, wait=False)
    if isinstance(known.error, Conflict):
        return (known.error.message,)
    return known.value or ()
