"""The sandbox as an ASGI application, and the one list of the calls it answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboard.sandbox.context import Sandbox
from dashboard.sandbox.deployments import resume
from dashboard.sandbox.errors import EXCEPTION_HANDLERS
from dashboard.sandbox.gate import Gate
from dashboard.sandbox.routes import (
    auth,
    connections,
    control,
    graphql,
    inference,
    logs,
    models,
    pipelines,
    pods,
    rehearsals,
    uploads,
    workspaces,
)
from dashboard.sandbox.routes.calls import Nothing, call


class Support(StrEnum):
    """How far the sandbox imitates a call."""

    FULL = "supported"
    PARTLY = "partly"
    NOT = "501"


@dataclass(frozen=True, slots=True)
class Entry:
    """One call of the platform: its method and path, what answers it, and who calls it."""

    method: str
    path: str
    endpoint: Callable[[Request], Awaitable[Response]]
    sdk_calls: str = ""
    support: Support = Support.FULL


_REALM = "/auth/realms/master/protocol/openid-connect"
_API = "/v1/api"

ROUTES: tuple[Entry, ...] = (
    # Log-in and people
    Entry("POST", f"{_REALM}/token", auth.token, "Client(auth_type='user_password')"),
    Entry("POST", f"{_REALM}/auth/device", auth.device, "Client(auth_type='sso')", Support.NOT),
    Entry("GET", "/auth/admin/realms/master/users", auth.admin_users, "get_user_by_email"),
    Entry("GET", "/auth/admin/realms/master/users/{user_id}", auth.admin_user, "Workspace.users"),
    Entry(
        "PUT",
        "/auth/admin/realms/master/users/{user_id}",
        call(auth.Account, auth.change_user),
        "activate_user, deactivate_user",
    ),
    Entry("GET", f"{_API}/config", control.platform_config, "Client"),
    Entry("POST", f"{_API}/users/query", call(auth.UsersQuery, auth.query_users), "list_users"),
    Entry("POST", f"{_API}/users/invite", call(auth.Invitation, auth.invite), "invite_user"),
    # Workspaces
    Entry(
        "POST",
        f"{_API}/workspaces/list",
        call(Nothing, workspaces.list_workspaces),
        "list_workspaces, get_workspace",
    ),
    Entry(
        "POST",
        f"{_API}/workspaces/create",
        call(workspaces.NewWorkspace, workspaces.create_workspace),
        "create_workspace",
    ),
    Entry(
        "POST",
        f"{_API}/workspaces/add_user",
        call(workspaces.Membership, workspaces.add_user),
        "Workspace.add_user, Workspace.add_owner",
    ),
    # Connections
    Entry(
        "POST",
        f"{_API}/connections/create",
        call(connections.NewConnection, connections.create_connection),
        "create_connection",
    ),
    Entry(
        "POST",
        f"{_API}/connections/list",
        call(connections.InWorkspace, connections.list_connections),
        "list_connections, Workspace.list_connections",
    ),
    Entry(
        "POST",
        f"{_API}/connections/get",
        call(connections.Named, connections.get_connection),
        "get_connection",
    ),
    Entry(
        "POST",
        f"{_API}/connections/get_by_id",
        call(connections.Identified, connections.get_connection_by_id),
        "Connection.details",
    ),
    Entry(
        "POST",
        f"{_API}/connections/delete",
        call(connections.Named, connections.delete_connection),
        "Connection.delete_connection",
    ),
    Entry(
        "POST",
        f"{_API}/connections/add_to_workspace",
        call(connections.Link, connections.add_to_workspace),
        "Workspace.add_connection",
    ),
    Entry(
        "POST",
        f"{_API}/connections/remove_from_workspace",
        call(connections.Link, connections.remove_from_workspace),
        "Workspace.remove_connection",
    ),
    # Models
    Entry("POST", f"{_API}/models/get", call(models.ModelId, models.get_model), "get_model"),
    Entry("POST", f"{_API}/models/list", call(models.Scope, models.list_models), "list_models"),
    Entry(
        "POST",
        f"{_API}/models/get_config_by_id",
        call(models.ConfigOfVersion, models.get_config),
        "ModelVersion.config, Pipeline.add_model_step",
    ),
    Entry(
        "POST",
        f"{_API}/models/insert_model_config",
        call(models.NewConfig, models.insert_config),
        "ModelVersion.configure",
    ),
    Entry(
        "POST",
        f"{_API}/models/get_version_by_id",
        call(models.VersionId, models.get_version),
        "upload_model",
    ),
    Entry(
        "POST",
        f"{_API}/models/get_upload_logs",
        call(models.UploadLogs, models.get_upload_logs),
        "ModelVersion.get_upload_logs",
    ),
    Entry("POST", f"{_API}/models/upload", uploads.upload, "upload_model", Support.PARTLY),
    Entry(
        "POST",
        f"{_API}/models/upload_and_convert",
        uploads.upload_and_convert,
        "upload_model",
        Support.PARTLY,
    ),
    # Pipelines and their deployments
    Entry(
        "POST",
        f"{_API}/pipelines/create",
        call(pipelines.NewPipeline, pipelines.create_pipeline),
        "build_pipeline",
    ),
    Entry(
        "POST",
        f"{_API}/pipelines/list_pipelines",
        call(models.Scope, pipelines.list_pipelines),
        "list_pipelines",
    ),
    Entry(
        "POST",
        f"{_API}/pipelines/get_pipeline_by_name",
        call(pipelines.NamedPipeline, pipelines.get_pipeline),
        "get_pipeline",
    ),
    Entry(
        "POST",
        f"{_API}/pipelines/get_version",
        call(pipelines.PipelineVersion, pipelines.get_version),
        "PipelineVersion.definition",
    ),
    Entry("POST", f"{_API}/pipelines/deploy", pipelines.deploy, "Pipeline.deploy"),
    Entry("POST", f"{_API}/pipelines/undeploy", pipelines.undeploy, "Pipeline.undeploy"),
    Entry(
        "POST",
        f"{_API}/admin/get_pipeline_external_url",
        call(pipelines.NamedPipeline, pipelines.get_external_url),
        "Deployment.url",
    ),
    Entry("POST", f"{_API}/status/get_deployment", pipelines.get_status, "Pipeline.status"),
    Entry(
        "POST",
        f"{_API}/plateau/get_topic_name",
        call(pipelines.PipelineId, pipelines.get_topic_name),
        "Pipeline.logs",
    ),
    Entry(
        "POST",
        f"{_API}/pipelines/get_sidekick_pod_logs",
        call(pods.PodOfPipeline, pods.get_pod_logs),
        "Pipeline.get_sidekick_pod_logs",
    ),
    Entry(
        "POST",
        f"{_API}/pipelines/get_sidekick_pods_history",
        call(pods.PodsOfPipeline, pods.get_pods_history),
        "Pipeline.get_sidekick_pods_history",
    ),
    # Inference and logs
    Entry(
        "POST",
        f"{_API}/pipelines/infer/{{target}}/{{pipeline}}",
        inference.infer,
        "Pipeline.infer, Pipeline.async_infer, Pipeline.parallel_infer",
    ),
    Entry("POST", "/v1/logs/topic/{topic}/records", logs.records, "Pipeline.logs"),
    Entry("GET", "/v1/logs/topic/{topic}", logs.partitions, "Pipeline.export_logs"),
    # What the SDK reads by GraphQL
    Entry("POST", "/v1/graphql", graphql.graphql, "Workspace.models, Pipeline.versions"),
)

#: The sandbox's own controls; no platform has them.
CONTROLS: tuple[Entry, ...] = (
    Entry("GET", "/_sandbox/health", control.health),
    Entry("POST", "/_sandbox/reset", control.reset),
    Entry("GET", "/_sandbox/settings", control.settings),
    Entry("POST", "/_sandbox/settings", control.settings),
    Entry("GET", "/_sandbox/faults", control.faults),
    Entry("POST", "/_sandbox/faults", control.faults),
    Entry("DELETE", "/_sandbox/faults", control.faults),
    Entry("GET", "/_sandbox/samples/{name}", control.sample),
    Entry("GET", "/_sandbox/rehearsals", rehearsals.rehearsals),
    Entry("POST", "/_sandbox/rehearsals", rehearsals.rehearsals),
    Entry("DELETE", "/_sandbox/rehearsals", rehearsals.rehearsals),
)


def create_app(sandbox: Sandbox) -> Starlette:
    """Return the application that serves `sandbox`.

    Its lifespan starts the engines of what was deployed, and stops them at the end.
    """
    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Gate, sandbox=sandbox)],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.sandbox = sandbox
    return app


def _routes() -> list[BaseRoute]:
    by_path: dict[str, dict[str, Entry]] = {}
    for entry in (*ROUTES, *CONTROLS):
        by_path.setdefault(entry.path, {})[entry.method] = entry
    return [
        Route(path, _endpoint(entries), methods=list(entries)) for path, entries in by_path.items()
    ]


def _endpoint(entries: dict[str, Entry]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        # HEAD comes with GET in the router.
        method = "GET" if request.method == "HEAD" else request.method
        return await entries[method].endpoint(request)

    return endpoint


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    sandbox: Sandbox = app.state.sandbox
    await sandbox.fleet.start()
    await resume(sandbox)
    for version in sandbox.store.models.unfinished():
        uploads.start_conversion(sandbox, version)
    try:
        yield
    finally:
        await asyncio.shield(sandbox.fleet.stop())
