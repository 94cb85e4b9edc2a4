"""Troubles on order, under `/_sandbox/rehearsals`: for tests, and to practise before it is real.

Only somebody who could undeploy the pipeline as well may order one, for one named pipeline; it
ends by itself, and `/_sandbox/health` says that one is on. A restart of the sandbox ends them all.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.bodies import Body, read, storable
from dashboard.sandbox.context import sandbox_of
from dashboard.sandbox.errors import WireError, json_answer
from dashboard.sandbox.rehearsals import DEFAULT_S, LONGEST_S, Rehearsal, Trouble
from dashboard.sandbox.routes.access import is_mine, member_workspace
from dashboard.sandbox.routes.calls import Id
from dashboard.sandbox.routes.entry import Entry
from dashboard.sandbox.store import Row

#: What happens at once to the replicas that run.
_KILL, _OUT_OF_MEMORY = "kill", "out_of_memory"


class NewRehearsal(Body):
    """Which trouble, for which pipeline.

    `hold`, `image_pull` and `crash` meet its next starts; `kill` and `out_of_memory` end the
    processes that run, at once.
    """

    workspace_id: Id
    pipeline_name: str
    trouble: Literal["hold", "image_pull", "crash", "kill", "out_of_memory"]
    times: int | None = Field(default=None, ge=1, le=1000)
    for_s: float = Field(default=DEFAULT_S, gt=0, le=LONGEST_S, allow_inf_nan=False)


async def rehearsals(request: Request) -> Response:
    """Order a trouble (POST), call off one (DELETE with `?id=`) or all, or list them (GET)."""
    ordered = sandbox_of(request).fleet.rehearsals
    if request.method == "POST":
        return await _order(request)
    if request.method == "DELETE":
        chosen = request.query_params.get("id")
        for rehearsal in await run_in_threadpool(_mine, request, ordered.listing()):
            if chosen in (None, str(rehearsal.rehearsal_id)):
                ordered.call_off(rehearsal)
    mine = await run_in_threadpool(_mine, request, ordered.listing())
    return json_answer({"rehearsals": [_entry(each) for each in mine]})


async def _order(request: Request) -> Response:
    body = await read(request, NewRehearsal)
    fleet = sandbox_of(request).fleet
    deployment = await run_in_threadpool(_deployment, request, body)
    if body.trouble in (_KILL, _OUT_OF_MEMORY):
        ended = 0
        if deployment is not None:
            is_full = body.trouble == _OUT_OF_MEMORY
            ended = fleet.hurt(deployment["id"], out_of_memory=is_full)
        return json_answer({"ended_processes": ended})
    made = fleet.rehearsals.order(
        body.workspace_id,
        body.pipeline_name,
        Trouble(body.trouble),
        times=body.times,
        for_s=body.for_s,
    )
    return json_answer(_entry(made))


def _deployment(request: Request, body: NewRehearsal) -> Row | None:
    member_workspace(request, body.workspace_id)
    pipelines = sandbox_of(request).store.pipelines
    name = storable(body.pipeline_name, "pipeline_name")
    pipeline = pipelines.find(body.workspace_id, name)
    if pipeline is None:
        raise WireError(404, f"Pipeline {name[:100]!r} not found in this workspace")
    return pipelines.deployment_of(pipeline["id"])


def _mine(request: Request, ordered: list[Rehearsal]) -> list[Rehearsal]:
    return [each for each in ordered if is_mine(request, each.workspace_id)]


def _entry(rehearsal: Rehearsal) -> dict[str, object]:
    return {
        "id": rehearsal.rehearsal_id,
        "workspace_id": rehearsal.workspace_id,
        "pipeline_name": rehearsal.pipeline_name,
        "trouble": rehearsal.trouble,
        "times": rehearsal.times,
        "met": rehearsal.met,
    }


CONTROLS: tuple[Entry, ...] = (
    Entry("GET", "/_sandbox/rehearsals", rehearsals),
    Entry("POST", "/_sandbox/rehearsals", rehearsals),
    Entry("DELETE", "/_sandbox/rehearsals", rehearsals),
)
