"""The sandbox as an ASGI application, and the one list of the calls it answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboard.sandbox.automation.service import Automation
from dashboard.sandbox.context import Sandbox
from dashboard.sandbox.deployments import resume
from dashboard.sandbox.errors import EXCEPTION_HANDLERS
from dashboard.sandbox.gate import Gate
from dashboard.sandbox.routes import (
    absent,
    auth,
    connections,
    control,
    deletions,
    graphql,
    inference,
    logs,
    metrics,
    models,
    orchestrations,
    people,
    pipeline_lookups,
    pipelines,
    pods,
    rehearsals,
    signin,
    task_runs,
    tasks,
    uploads,
    workspaces,
)
from dashboard.sandbox.routes.entry import Entry

#: What the sandbox answers, by area: the order of the list in the README.
AREAS: Final[Mapping[str, tuple[Entry, ...]]] = {
    "Log-in and people": auth.ROUTES + signin.ROUTES + people.ROUTES,
    "Workspaces": workspaces.ROUTES,
    "Connections": connections.ROUTES,
    "Models": models.ROUTES + uploads.ROUTES + deletions.MODEL_ROUTES,
    "Pipelines and their deployments": pipelines.ROUTES
    + pipeline_lookups.ROUTES
    + deletions.PIPELINE_ROUTES
    + pods.ROUTES,
    "Inference and logs": inference.ROUTES + logs.ROUTES,
    "Metrics": metrics.ROUTES,
    "Orchestrations and tasks": orchestrations.ROUTES + tasks.ROUTES + task_runs.ROUTES,
    "Reading by GraphQL": graphql.ROUTES,
    "The instance": control.ROUTES,
    "Refused": absent.ROUTES,
}

ROUTES: Final = tuple(entry for area in AREAS.values() for entry in area)

#: The sandbox's own controls; no platform has them.
CONTROLS: Final = control.CONTROLS + rehearsals.CONTROLS + people.CONTROLS


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
    app.state.automation = Automation(sandbox)
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
    automation: Automation = app.state.automation
    await automation.start()
    try:
        yield
    finally:
        await asyncio.shield(_stop(sandbox, automation))


async def _stop(sandbox: Sandbox, automation: Automation) -> None:
    await asyncio.gather(automation.stop(), sandbox.fleet.stop())
