"""Many clients at once on one sandbox: `python -m tests.bench.clients [seconds] [kinds]`.

64 of them read, write, deploy and infer, each over a connection of its own, with a pause between
two requests. Every answer is checked: what one client alone would not get is an error. Kinds, such
as `reads:48,writes:16`, choose another mix. Times are the client's, with the server's own beside.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.sandbox import RunningSandbox, running_sandbox, token

#: How many clients do what.
MIX = {"reads": 36, "writes": 12, "deploys": 4, "inferences": 12}
PAUSE_S = 0.5
_DICE = random.Random(1)  # noqa: S311  # pauses, and texts that differ
_FLAGS = {"return_text": True, "return_tensors": False, "clean_up_tokenization_spaces": False}
_ENGINE = {"engine": {"cpu": 0.25, "resources": {"limits": {"cpu": 0.25, "memory": "512Mi"}}}}
_SIDEKICK = {"resources": {"limits": {"cpu": 0.1, "memory": "512Mi"}}}
_START_LIMIT_S = 120.0


class WrongAnswer(Exception):
    """An answer that one client alone would not get."""


@dataclass
class Tally:
    """What the clients saw: latencies in ms by kind of request, and errors."""

    waited_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    served_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)

    def p95_ms(self, kind: str) -> float:
        """Return the time in ms that 95 of 100 requests of a kind stayed below."""
        return _quantile(self.waited_ms[kind], 0.95)


@dataclass(frozen=True)
class Demo:
    """What every client needs to know of the sandbox."""

    headers: Mapping[str, str]
    url: str
    workspace_id: int
    pipeline_id: int
    version_id: int
    definition: Mapping[str, Any]  # Any: JSON
    model_image: str
    deployment_id: int = 0


class Client:
    """One of many: a connection, a tally to fill, a checked request."""

    def __init__(self, http: httpx.AsyncClient, tally: Tally, number: int) -> None:
        self._http = http
        self._tally = tally
        self.number = number
        self.workspace_id: int | None = None

    async def ask(self, kind: str, path: str, body: object, *, status: int = 200) -> Any:
        """POST `body`, note how long it took, and return the answer's JSON.

        Raises
        ------
        WrongAnswer
            If the status is another.
        """
        began = time.perf_counter()
        answer = await self._http.post(path, json=body)
        self._tally.waited_ms[kind].append((time.perf_counter() - began) * 1000)
        served = answer.headers.get("server-timing", "").rpartition("=")[2]
        self._tally.served_ms[kind].append(float(served or 0))
        if answer.status_code != status:
            raise WrongAnswer(f"{path}: {answer.status_code} {answer.text[:200]}")
        if not answer.headers.get("content-type", "").startswith("application/json"):
            return answer.content
        return answer.json()


async def reads(client: Client, demo: Demo) -> None:
    """Read what a page or a notebook reads."""
    found = await client.ask("reads", "/v1/api/workspaces/list", {})
    _expect(any(each["id"] == demo.workspace_id for each in found["workspaces"]), "workspace")
    found = await client.ask("reads", "/v1/api/connections/list", {})
    _expect(bool(found["connections"]), "connections")
    await client.ask("reads", "/v1/api/pipelines/list_pipelines", {})
    await client.ask("reads", "/v1/api/models/list", {"workspace_id": demo.workspace_id})
    name = f"hf-summarizer-{demo.deployment_id}"
    found = await client.ask("reads", "/v1/api/status/get_deployment", {"name": name})
    _expect(found["status"] == "Running", "status")
    query = (
        "query($id: bigint!) { pipeline_by_pk(id: $id) { pipeline_id pipeline_versions { id } } }"
    )
    found = await client.ask(
        "reads", "/v1/graphql", {"query": query, "variables": {"id": demo.pipeline_id}}
    )
    _expect(found["data"]["pipeline_by_pk"]["pipeline_id"] == "hf-summarizer", "GraphQL")
    topic = f"workspace-{demo.workspace_id}-pipeline-hf-summarizer-inference"
    rows = await client.ask("reads", f"/v1/logs/topic/{topic}/records?page_size=20&order=desc", {})
    _expect(rows[:6] == b"ARROW1", "log")


async def writes(client: Client, _demo: Demo) -> None:
    """Make a connection, link it to the client's own workspace, look, take apart."""
    name = f"load-{client.number}-{time.monotonic_ns()}"
    workspace = client.workspace_id
    if workspace is None:
        made = await client.ask("writes", "/v1/api/workspaces/create", {"workspace_name": name})
        client.workspace_id = workspace = int(made["workspace_id"])
    body = {"name": name, "type": "HTTP", "details": {"host": "https://example.com"}}
    connection = (await client.ask("writes", "/v1/api/connections/create", body))["id"]
    link = {"workspace_id": workspace, "connection_id": connection}
    await client.ask("writes", "/v1/api/connections/add_to_workspace", link)
    found = await client.ask("reads", "/v1/api/connections/list", {"workspace_id": workspace})
    _expect([each["name"] for each in found["connections"]] == [name], "link")
    gone = {"status": 204}
    await client.ask("writes", "/v1/api/connections/remove_from_workspace", link, **gone)
    await client.ask("writes", "/v1/api/connections/delete", {"name": name}, **gone)
    await client.ask("writes", "/v1/api/connections/create", body)
    await client.ask("writes", "/v1/api/connections/create", body, status=409)
    await client.ask("writes", "/v1/api/connections/delete", {"name": name}, **gone)


async def deploys(client: Client, demo: Demo) -> None:
    """Deploy a pipeline of its own, use it once, undeploy it."""
    name = f"load-{client.number}"
    deployment_id = await _deployed(client, demo, name)
    await _inferred(client, f"{name}-{deployment_id}/{name}")
    await client.ask("deploys", "/v1/api/pipelines/undeploy", {"deployment_id": deployment_id})


async def inferences(client: Client, demo: Demo) -> None:
    """Summarize one text."""
    await _inferred(client, f"hf-summarizer-{demo.deployment_id}/hf-summarizer")


KINDS: Mapping[str, Callable[[Client, Demo], Awaitable[None]]] = {
    "reads": reads,
    "writes": writes,
    "deploys": deploys,
    "inferences": inferences,
}


async def _inferred(client: Client, target: str) -> None:
    text = f"Report {_DICE.random()}. It rained in spring. The harvest was good all the same."
    body = [{"inputs": text, **_FLAGS}]
    path = f"/v1/api/pipelines/infer/{target}?dataset[]=*&dataset.separator=."
    answer = await client.ask("inferences", path, body)
    _expect(answer[0]["in.inputs"] == text, "an answer to another text")


async def _deployed(client: Client, demo: Demo, name: str) -> int:
    """Deploy the demo's steps under this name, and return the deployment when it runs."""
    made = await client.ask(
        "deploys",
        "/v1/api/pipelines/create",
        {"pipeline_id": name, "workspace_id": demo.workspace_id, "definition": demo.definition},
    )
    config = {**_ENGINE, "engineAux": {"images": {demo.model_image: _SIDEKICK}}}
    body = {
        "deploy_id": name,
        "pipeline_version_pk_id": made["pipeline_variant_pk_id"],
        "engine_config": config,
    }
    deployment_id = int((await client.ask("deploys", "/v1/api/pipelines/deploy", body))["id"])
    deadline = time.monotonic() + _START_LIMIT_S
    status = {"name": f"{name}-{deployment_id}"}
    while True:
        seen = await client.ask("polls", "/v1/api/status/get_deployment", status)
        if seen["status"] == "Running":
            return deployment_id
        _expect(time.monotonic() < deadline, f"still {seen['status']}")
        await asyncio.sleep(0.2)


def _expect(is_true: bool, what: str) -> None:
    if not is_true:
        raise WrongAnswer(f"not as one client alone would see it: {what}")


async def run(
    sandbox: RunningSandbox, mix: Mapping[str, int], *, seconds: float, pause_s: float = PAUSE_S
) -> Tally:
    """Let the clients work for so long, and return what they saw."""
    headers = {"Authorization": f"Bearer {token(sandbox)}"}
    tally = Tally()
    async with _opened(sandbox.url, headers) as http:
        demo = await _look(Client(http, Tally(), 0), sandbox.url, headers)
    deadline = time.monotonic() + seconds
    kinds = [kind for kind, clients in mix.items() for _ in range(clients)]

    async def work(number: int, kind: str) -> None:
        # One after the other, as people come.
        await asyncio.sleep(_DICE.random() * pause_s)
        async with _opened(demo.url, demo.headers) as http:
            client = Client(http, tally, number)
            while time.monotonic() < deadline:
                try:
                    await KINDS[kind](client, demo)
                except (WrongAnswer, httpx.HTTPError) as exc:
                    tally.errors.append(f"{kind}: {type(exc).__name__} {exc}")
                await asyncio.sleep(pause_s * (0.5 + _DICE.random()))

    await asyncio.gather(*(work(number, kind) for number, kind in enumerate(kinds, start=1)))
    return tally


@asynccontextmanager
async def _opened(url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=url, headers=dict(headers), timeout=60, trust_env=False
    ) as http:
        yield http


async def _look(client: Client, url: str, headers: Mapping[str, str]) -> Demo:
    """Return what stands in the demo, with its pipeline deployed."""
    listed = await client.ask("", "/v1/api/pipelines/list_pipelines", {})
    item = next(each for each in listed["pipelines"] if each["pipeline"]["name"] == "hf-summarizer")
    version = item["pipeline"]["pipeline_versions"][0]
    workspace_id = item["workspace"]["id"]
    models = await client.ask("", "/v1/api/models/list", {"workspace_id": workspace_id})
    name = models["models"][0]["model"]["name"]
    newest = max(each["model_version"]["id"] for each in models["models"][0]["model_versions"])
    demo = Demo(
        headers,
        url,
        workspace_id,
        item["pipeline"]["id"],
        version["id"],
        _definition(version["definition"], models["models"][0]["model_versions"], name),
        f"{name}-{newest}",
    )
    deployment_id = await _deployed(client, demo, "hf-summarizer")
    ready = Demo(**{**vars(demo), "deployment_id": deployment_id})
    # What is imported with the first request of its kind is not what is measured.
    await reads(client, ready)
    return ready


def _definition(
    stored: Mapping[str, Any] | None, versions: list[Mapping[str, Any]], name: str
) -> Mapping[str, Any]:
    """Return the steps that are stored, or one step of the model's newest version."""
    if stored and stored.get("steps"):
        return stored
    newest = max((each["model_version"] for each in versions), key=lambda each: each["id"])
    info = newest["file_info"]
    step = {"name": name, "version": info["version"], "sha": info["sha"]}
    return {"id": "hf-summarizer", "steps": [{"ModelInference": {"models": [step]}}]}


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)] if values else 0.0


def main(seconds: float, mix: Mapping[str, int]) -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox(Path(folder) / "sandbox") as sandbox,
    ):
        load = os.getloadavg()[0]
        tally = asyncio.run(run(sandbox, mix, seconds=seconds))
    print(f"{sum(mix.values())} clients, {seconds:g} s, load before {load:.1f}: {dict(mix)}")  # noqa: T201 - a script
    print("kind         requests    p50 ms    p95 ms    max ms   server p50 / p95 ms")  # noqa: T201 - as above
    for kind, waited in sorted(tally.waited_ms.items()):
        served = tally.served_ms[kind]
        print(  # noqa: T201 - as above
            f"{kind:12} {len(waited):8} {statistics.median(waited):9.1f} {tally.p95_ms(kind):9.1f}"
            f" {max(waited):9.1f}   {statistics.median(served):8.1f}"
            f" / {_quantile(served, 0.95):.1f}"
        )
    print(f"errors: {len(tally.errors)}")  # noqa: T201 - as above
    for error in tally.errors[:20]:
        print("  ", error)  # noqa: T201 - as above


def _mix(text: str) -> dict[str, int]:
    pairs = [each.split(":") for each in text.split(",") if each]
    return {kind: int(clients) for kind, clients in pairs} or MIX


if __name__ == "__main__":
    main(
        float(sys.argv[1]) if len(sys.argv) > 1 else 60.0,
        _mix(sys.argv[2] if len(sys.argv) > 2 else ""),
    )
