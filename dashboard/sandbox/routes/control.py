"""The sandbox's own controls, under `/_sandbox/`: health, reset, settings, failures, samples."""

from __future__ import annotations

import asyncio
import os
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.bodies import Body, read
from dashboard.sandbox.config import (
    LONGEST_STARTUP_S,
    LONGEST_WAIT_MS,
    MOST_CPU,
    MOST_MEMORY_GIB,
)
from dashboard.sandbox.context import Sandbox, sandbox_of, user_of
from dashboard.sandbox.errors import WireError, json_answer
from dashboard.sandbox.faults import Fault
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.seed import sow

SAMPLE_NAMES = ("test_summarization.df.json", "support-tickets.json")
_SAMPLES = Path(__file__).parent.parent / "samples"


async def health(request: Request) -> Response:
    """Say that it is there, what it pretends, and how many troubles are on order."""
    sandbox = sandbox_of(request)
    ordered = len(sandbox.fleet.rehearsals.listing())
    return json_answer(
        {"status": "ok", "pid": os.getpid(), "rehearsals": ordered, **_settings(sandbox)}
    )


async def platform_config(_request: Request) -> Response:
    """Return the instance's configuration, which the SDK asks for before it logs in."""
    return json_answer({"default_arch": "x86"})


async def platform_features(_request: Request) -> Response:
    """Return what the instance has: here, as there, a log of inferences and a log-in."""
    features = {"plateau": "true"}
    return json_answer({"features": features, "name": "Sandbox", "is_auth_enabled": True})


async def sample(request: Request) -> Response:
    """Return a sample table; the two known names, never a path."""
    name = request.path_params["name"]
    if name not in SAMPLE_NAMES:
        raise WireError(404, "There is no such sample")
    return Response(await run_in_threadpool(_sample, name), media_type="application/json")


class Reset(Body):
    """What to begin anew with."""

    seed: Literal["demo", "empty"] = "demo"


async def reset(request: Request) -> Response:
    """Stop every engine, forget everything but the users, and sow the seed again."""
    body = await read(request, Reset)
    sandbox = sandbox_of(request)
    await sandbox.fleet.undeploy_all()
    sandbox.fleet.forget()
    async with request.app.state.automation.standstill():
        # Numbers begin again at 1: a conversion still at work would write to a stranger's version.
        await asyncio.gather(*sandbox.background, return_exceptions=True)
        await run_in_threadpool(_reset, sandbox, body.seed, user_of(request).user_id)
        # What was deployed since then is in no store any more.
        await sandbox.fleet.undeploy_all()
    return json_answer({"seed": body.seed})


class Settings(Body):
    """What to pretend; what is left out stays. See `SandboxConfig`."""

    wait_ms: float | None = Field(default=None, ge=0, le=LONGEST_WAIT_MS, allow_inf_nan=False)
    startup_s: float | None = Field(default=None, ge=0, le=LONGEST_STARTUP_S, allow_inf_nan=False)
    shutdown_s: float | None = Field(default=None, ge=0, le=LONGEST_STARTUP_S, allow_inf_nan=False)
    cpu: float | None = Field(default=None, ge=0, le=MOST_CPU, allow_inf_nan=False)
    memory_gib: float | None = Field(default=None, ge=0, le=MOST_MEMORY_GIB, allow_inf_nan=False)
    early_status: bool | None = None


async def settings(request: Request) -> Response:
    """Return the settings, after changing them if it is a POST, and how full the node is."""
    sandbox = sandbox_of(request)
    if request.method == "POST":
        body = await read(request, Settings)
        for name, value in body.model_dump(exclude_none=True).items():
            setattr(sandbox.config, name, value)
        # What found no room may fit now.
        sandbox.fleet.capacity.wake_waiting()
    cpu, memory_bytes = sandbox.fleet.capacity.used()
    used = {
        "cpu": round(cpu, 6),
        "memory_gib": round(memory_bytes / 2**30, 6),
        "replicas": sandbox.fleet.capacity.replicas(),
    }
    return json_answer({**_settings(sandbox), "used": used})


class NewFault(Body):
    """A failure to register, see `dashboard.sandbox.faults`."""

    route: str = Field(min_length=1, max_length=1024)
    times: int | None = Field(default=None, ge=1)
    delay_s: float = Field(default=0.0, ge=0, le=600, allow_inf_nan=False)
    status: int | None = Field(default=None, ge=200, le=599)
    body: str | None = None
    truncate: bool = False


async def faults(request: Request) -> Response:
    """Register a failure (POST), forget all (DELETE), or list them with their counts (GET)."""
    registered = sandbox_of(request).faults
    if request.method == "POST":
        body = await read(request, NewFault)
        return json_answer({"id": registered.add(Fault(**body.model_dump()))})
    if request.method == "DELETE":
        registered.clear()
    return json_answer({"faults": registered.listing()})


def _settings(sandbox: Sandbox) -> dict[str, object]:
    return {name: getattr(sandbox.config, name) for name in Settings.model_fields}


@cache
def _sample(name: str) -> bytes:
    return (_SAMPLES / name).read_bytes()


def _reset(sandbox: Sandbox, seed: str, owner_id: str) -> None:
    sandbox.store.clear()
    sandbox.logs.reset()
    sow(sandbox.store, seed, owner_id=owner_id, origin=sandbox.config.origin)


ROUTES: tuple[Entry, ...] = (
    Entry("GET", f"{API}/config", platform_config, "Client"),
    Entry("POST", f"{API}/features/list", platform_features),
)


CONTROLS: tuple[Entry, ...] = (
    Entry("GET", "/_sandbox/health", health),
    Entry("POST", "/_sandbox/reset", reset),
    Entry("GET", "/_sandbox/settings", settings),
    Entry("POST", "/_sandbox/settings", settings),
    Entry("GET", "/_sandbox/faults", faults),
    Entry("POST", "/_sandbox/faults", faults),
    Entry("DELETE", "/_sandbox/faults", faults),
    Entry("GET", "/_sandbox/samples/{name}", sample),
)
