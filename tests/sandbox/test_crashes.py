"""`kill -9` at random moments, amid writes and inferences: nothing acknowledged is lost."""

from __future__ import annotations

import io
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pyarrow as pa
import pytest

from tests.sandbox.archives import packed, upload_parts
from tests.sandbox.test_life_cycle import children_of
from tests.support.sandbox import RunningSandbox, client, running_sandbox
from tests.support.waiting import is_running, wait_until

ROUNDS = 4
TOPIC = "workspace-3-pipeline-hf-summarizer-inference"
INFER = "/v1/api/pipelines/infer/hf-summarizer-1/hf-summarizer"


@dataclass
class Acknowledged:
    """What the sandbox has confirmed so far, over all its lives."""

    connections: dict[str, str] = field(default_factory=dict)
    linked: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    uploads: set[int] = field(default_factory=set)
    #: Whether the second pipeline is deployed; None while that is being changed.
    toggled: bool | None = None


@dataclass
class Life:
    """One life of the sandbox: what writers need to write until it is killed."""

    sandbox: RunningSandbox
    token: str
    number: int
    seen: Acknowledged

    def write(self, one: Callable[[Life, httpx.Client, int], None]) -> None:
        """Write on and on, until the connection breaks."""
        headers = {"Authorization": self.token}
        with httpx.Client(
            base_url=self.sandbox.url, headers=headers, timeout=20, trust_env=False
        ) as http:
            count = 0
            while True:
                try:
                    one(self, http, count)
                except httpx.TransportError:
                    return
                count += 1


def pause(seconds: float) -> None:
    """Let time pass: there is nothing to wait for, the moment of the kill is meant to be any."""
    threading.Event().wait(seconds)


def connect(life: Life, http: httpx.Client, count: int) -> None:
    name, url = f"c-{life.number}-{count}", f"http://host/{life.number}/{count}"
    body = {"name": name, "type": "HTTP", "details": {"url": url}}
    made = http.post("/v1/api/connections/create", json=body).raise_for_status().json()
    life.seen.connections[name] = url
    link = {"connection_id": made["id"], "workspace_id": 3}
    http.post("/v1/api/connections/add_to_workspace", json=link).raise_for_status()
    life.seen.linked.add(name)


def infer(life: Life, http: httpx.Client, count: int) -> None:
    text = f"Text {life.number} {threading.get_ident()} {count}."
    row = {"inputs": text, "return_text": True, "return_tensors": False}
    row["clean_up_tokenization_spaces"] = False
    answer = http.post(INFER, json=[row])
    # 500 is right while the engine starts again; a lost answer was never acknowledged.
    if answer.status_code == 200:
        life.seen.texts.add(text)
    else:
        assert answer.status_code in {404, 500}
        pause(0.01)


def toggle(life: Life, http: httpx.Client, count: int) -> None:
    deploys = count % 2 == 0
    body = {"deploy_id": "second", "pipeline_version_pk_id": 2, "engine_config": {}}
    life.seen.toggled = None
    if deploys:
        http.post("/v1/api/pipelines/deploy", json=body).raise_for_status()
    else:
        http.post("/v1/api/pipelines/undeploy", json={"deployment_id": 2}).raise_for_status()
    life.seen.toggled = deploys
    pause(0.05)


def upload(life: Life, http: httpx.Client, count: int) -> None:
    parts = upload_parts(packed(), workspace_id=3, name=f"m-{life.number}-{count}")
    answer = http.post("/v1/api/models/upload_and_convert", files=parts).raise_for_status()
    (model,) = answer.json()["insert_models"]["returning"][0]["models"]
    life.seen.uploads.add(model["id"])
    pause(0.05)


def prepare(http: httpx.Client) -> None:
    """Deploy the demo's pipeline, and make a second one with the same step."""
    body = {"deploy_id": "hf-summarizer", "pipeline_version_pk_id": 1, "engine_config": {}}
    http.post("/v1/api/pipelines/deploy", json=body).raise_for_status()
    (item,) = http.post("/v1/api/pipelines/list_pipelines", json={}).json()["pipelines"]
    definition = item["pipeline"]["pipeline_versions"][0]["definition"]
    second = {"pipeline_id": "second", "workspace_id": 3, "definition": definition}
    http.post("/v1/api/pipelines/create", json=second).raise_for_status()


def status(http: httpx.Client, name: str) -> str:
    answer = http.post("/v1/api/status/get_deployment", json={"name": name})
    return str(answer.json()["status"]) if answer.status_code == 200 else "stopped"


def check(http: httpx.Client, seen: Acknowledged) -> None:
    listed = http.post("/v1/api/connections/list", json={}).json()["connections"]
    found = {each["name"]: each["details"].get("url") for each in listed}
    assert seen.connections.items() <= found.items()
    assert seen.linked <= {each["name"] for each in listed if each["workspace_names"]}
    assert seen.texts <= logged_texts(http)
    for number in seen.uploads:
        wait_until(lambda: model_status(http, number) == "ready", within_s=20, what="ready")  # noqa: B023  # used at once
    wait_until(lambda: status(http, "hf-summarizer-1") == "Running", within_s=60, what="runs")
    if seen.toggled is not None:
        assert (status(http, "second-2") != "stopped") == seen.toggled


def logged_texts(http: httpx.Client) -> set[str]:
    params = {"page_size": "100000", "order": "asc", "dataset[]": "in", "dataset.separator": "."}
    answer = http.post(f"/v1/logs/topic/{TOPIC}/records", params=params, json={})
    table = pa.ipc.open_file(io.BytesIO(answer.content)).read_all()
    return set(table["in.inputs"].to_pylist()) if "in.inputs" in table.column_names else set()


def model_status(http: httpx.Client, number: int) -> str:
    answer = http.post("/v1/api/models/get_version_by_id", json={"model_version_id": number})
    return str(answer.json()["model_version"]["model_version"]["status"])


def live_and_die(sandbox: RunningSandbox, life: Life, lifetime_s: float) -> None:
    """Let writers write, kill the sandbox in the middle of it, and see that no engine is left."""
    writers = [
        threading.Thread(target=life.write, args=(one,))
        for one in (connect, infer, infer, toggle, upload)
    ]
    for writer in writers:
        writer.start()
    if life.number == 0:
        # However slow the machine, the first life is long enough to lose something.
        seen = life.seen
        wait_until(
            lambda: seen.connections and seen.texts and seen.uploads,
            within_s=60,
            what="something was acknowledged",
        )
    pause(lifetime_s)
    engines = children_of(sandbox.process.pid)
    sandbox.process.kill()
    sandbox.process.wait()
    for writer in writers:
        writer.join(60)
        assert not writer.is_alive()
    wait_until(lambda: not any(map(is_running, engines)), within_s=20, what="the engines are gone")


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_killed_at_random_moments_it_loses_nothing_that_it_acknowledged(tmp_path):
    seed = time.time_ns() % 1_000_000
    dice = random.Random(seed)  # noqa: S311  # moments, not secrets
    seen = Acknowledged()
    for number in range(ROUNDS):
        with running_sandbox(tmp_path) as sandbox, client(sandbox) as http:
            if number == 0:
                prepare(http)
            check(http, seen)
            life = Life(sandbox, http.headers["Authorization"], number, seen)
            live_and_die(sandbox, life, dice.uniform(0.05, 1.2))
    with running_sandbox(tmp_path) as sandbox, client(sandbox) as http:
        check(http, seen)
    assert seen.connections, f"seed {seed}"
    assert seen.texts, f"seed {seed}"
    assert seen.uploads, f"seed {seed}"
