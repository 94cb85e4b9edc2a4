"""The sandbox as a process: start, port, lock, restart, and every way to end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.sandbox import REPOSITORY, client, running_sandbox, start, stop, wait_until_ready
from tests.support.waiting import is_running, wait_until

INFER = "/v1/api/pipelines/infer/hf-summarizer-1/hf-summarizer"


#: A shell for whose program nothing more can be written to the disk.
ON_A_FULL_DISK = ("sh", "-c", 'ulimit -f 0; exec "$0" "$@"')


def refused(data_dir, *flags, env=None, shell=()) -> tuple[int, str]:
    """Run a sandbox that must not start; return its status and what it said on stderr."""
    command = [
        *shell,
        sys.executable,
        "-m",
        "dashboard.sandbox",
        "--data-dir",
        str(data_dir),
        *flags,
    ]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def create(sandbox, name: str) -> None:
    with client(sandbox) as http:
        body = {"name": name, "type": "HTTP", "details": {"url": "u"}}
        http.post("/v1/api/connections/create", json=body).raise_for_status()


def deployed_status(http) -> int:
    name = {"name": "hf-summarizer-1"}
    return int(http.post("/v1/api/status/get_deployment", json=name).status_code)


def test_the_ready_line_the_port_and_the_private_files(tmp_path):
    with running_sandbox(tmp_path / "d") as sandbox:
        port = (tmp_path / "d" / "port").read_text()
        assert sandbox.url == f"http://127.0.0.1:{port}"
        assert httpx.get(f"{sandbox.url}/_sandbox/health", trust_env=False).status_code == 200
        for path in (tmp_path / "d").rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        account = json.loads((tmp_path / "d" / "credentials.json").read_text())
        assert set(account) == {"username", "password"}


def test_kill_9_loses_nothing_and_what_was_deployed_is_deployed_again(tmp_path):
    with running_sandbox(tmp_path) as sandbox, client(sandbox) as http:
        create(sandbox, "kept")
        body = {"deploy_id": "hf-summarizer", "pipeline_version_pk_id": 1, "engine_config": {}}
        assert http.post("/v1/api/pipelines/deploy", json=body).json() == {"id": 1}
        account = sandbox.password
        token = http.headers["Authorization"]
        sandbox.process.kill()
        sandbox.process.wait()
    with running_sandbox(tmp_path) as again, client(again) as http:
        assert (again.url, again.password) == (sandbox.url, account)
        http.headers["Authorization"] = token
        listed = http.post("/v1/api/connections/list", json={}).json()["connections"]
        assert listed[-1]["name"] == "kept"
        assert deployed_status(http) == 200


@pytest.mark.parametrize("way", ["pipe", "terminate"])
def test_it_ends_within_a_second_and_leaves_no_engine(tmp_path, way):
    with running_sandbox(tmp_path) as sandbox, client(sandbox) as http:
        body = {"deploy_id": "hf-summarizer", "pipeline_version_pk_id": 1, "engine_config": {}}
        http.post("/v1/api/pipelines/deploy", json=body).raise_for_status()
        running = lambda: http.post(  # noqa: E731  # used once, just below
            "/v1/api/status/get_deployment", json={"name": "hf-summarizer-1"}
        ).json()["status"]
        wait_until(lambda: running() == "Running", within_s=60, what="the pipeline runs")
        engines = children_of(sandbox.process.pid)
        assert engines
        began = time.monotonic()
        if way == "pipe":
            assert sandbox.process.stdin is not None
            sandbox.process.stdin.close()
        else:
            sandbox.process.send_signal(signal.SIGTERM)
        assert sandbox.process.wait(30) == 0
        # Within a second by the pipe, on a machine that has nothing else to do.
        limit_s = 3.0 if way == "pipe" else 8.0
        assert time.monotonic() - began < limit_s
        wait_until(
            lambda: not any(map(is_running, engines)), within_s=10, what="the engines are gone"
        )


@pytest.mark.parametrize(
    ("wait_ms", "status", "expected"),
    [(600, 200, "in.inputs"), (30_000, 500, '{"msg":"The sandbox is stopping","code":500}')],
)
def test_a_request_in_flight_is_answered_before_the_end(tmp_path, wait_ms, status, expected):
    flags = ("--wait-ms", str(wait_ms))
    with running_sandbox(tmp_path, flags=flags) as sandbox, client(sandbox) as http:
        deploy_and_wait(http)
        # An ordered failure that changes nothing counts the requests that have come in.
        counter = {"route": INFER, "delay_s": 0.0}
        http.post("/_sandbox/faults", json=counter).raise_for_status()
        taken = lambda: http.get("/_sandbox/faults").json()["faults"][0]["consumed"]  # noqa: E731  # used just below
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(infer, sandbox, http.headers["Authorization"])
            wait_until(taken, within_s=20, what="the request is under way")
            sandbox.process.send_signal(signal.SIGTERM)
            answer = asked.result(40)
        assert sandbox.process.wait(30) == 0
    assert answer.status_code == status
    assert expected in answer.text


def deploy_and_wait(http) -> None:
    body = {"deploy_id": "hf-summarizer", "pipeline_version_pk_id": 1, "engine_config": {}}
    http.post("/v1/api/pipelines/deploy", json=body).raise_for_status()
    name = {"name": "hf-summarizer-1"}
    wait_until(
        lambda: http.post("/v1/api/status/get_deployment", json=name).json()["status"] == "Running",
        within_s=60,
        what="the pipeline runs",
    )


def infer(sandbox, authorization: str) -> httpx.Response:
    row = {"inputs": "One. Two.", "return_text": True, "return_tensors": False}
    return httpx.post(
        f"{sandbox.url}{INFER}",
        params={"dataset[]": "*", "dataset.separator": "."},
        json=[row | {"clean_up_tokenization_spaces": False}],
        headers={"Authorization": authorization},
        timeout=40,
        trust_env=False,
    )


def children_of(pid: int) -> list[int]:
    """Return the processes that `pid` started."""
    found = subprocess.run(
        ["/usr/bin/env", "ps", "-o", "pid=", "--ppid", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(word) for word in found.stdout.split()]


def test_one_data_folder_has_one_owner(tmp_path):
    with running_sandbox(tmp_path) as sandbox:
        status, said = refused(tmp_path)
    assert status == 3
    assert said.count("\n") == 1
    assert f"another sandbox (process {sandbox.process.pid}) is using" in said


def test_a_successor_waits_for_the_last_owner_to_leave(tmp_path):
    first = start(tmp_path)
    wait_until_ready(first)
    second = start(tmp_path)
    stop(first)
    try:
        assert wait_until_ready(second).startswith("http://127.0.0.1:")
    finally:
        stop(second)


def test_a_kept_port_that_is_taken_is_replaced_and_the_samples_move_along(tmp_path):
    with running_sandbox(tmp_path) as sandbox:
        old = int((tmp_path / "port").read_text())
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", old))
        other.listen()
        process = start(tmp_path)
        assert process.stderr is not None
        said = process.stderr.readline()
        try:
            url = wait_until_ready(process)
            assert url != sandbox.url
            assert said.startswith(f"port {old} is used by another program")
            account = json.loads((tmp_path / "credentials.json").read_text())
            moved = type(sandbox)(url, account["username"], account["password"], tmp_path, process)
            with client(moved) as http:
                listed = http.post("/v1/api/connections/list", json={}).json()["connections"]
                assert listed[-1]["details"]["url"].startswith(f"{url}/_sandbox/samples/")
        finally:
            stop(process)


def test_a_port_that_was_asked_for_and_is_taken_is_one_sentence(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        status, said = refused(tmp_path, "--port", str(port))
    assert status == 3
    assert said.startswith(f"The sandbox cannot start: port {port} on 127.0.0.1 cannot be used")
    assert said.count("\n") == 1


@pytest.mark.parametrize("is_new", [True, False])
def test_a_full_disk_is_one_sentence_and_leaves_no_draft(tmp_path, is_new):
    if not is_new:
        with running_sandbox(tmp_path, seed="empty"):
            pass
    before = {path.name for path in tmp_path.iterdir()}
    status, said = refused(tmp_path, shell=ON_A_FULL_DISK)
    assert status == 3
    assert said.startswith(f"The sandbox cannot start: the data folder {tmp_path} cannot be used")
    assert said.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} <= before | {"lock"}


def test_a_lost_key_is_one_sentence_and_a_failure(tmp_path):
    with running_sandbox(tmp_path):
        pass
    (tmp_path / "key").unlink()
    status, said = refused(tmp_path)
    assert status == 3
    assert said.startswith("The sandbox cannot start: the key")
    assert said.count("\n") == 1
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ("--host", "192.0.2.1"),
        ("--host", "example.com"),
        ("--port", "70000"),
        ("--seed", "other"),
        ("--wait-ms", "-1"),
        ("--wait-ms", "nan"),
    ],
)
def test_a_wrong_flag_is_refused(tmp_path, flags):
    status, said = refused(tmp_path, *flags)
    assert status == 2
    assert flags[0] in said


def test_flags_reach_the_settings(tmp_path):
    flags = ("--wait-ms", "120", "--startup-s", "0.5")
    with running_sandbox(tmp_path, seed="empty", flags=flags) as sandbox:
        health = httpx.get(f"{sandbox.url}/_sandbox/health", trust_env=False).json()
        assert (health["wait_ms"], health["startup_s"]) == (120, 0.5)
        with client(sandbox) as http:
            assert http.post("/v1/api/workspaces/list", json={}).json() == {"workspaces": []}


def test_a_kept_alive_client_does_not_wait_for_delayed_packets(tmp_path):
    with running_sandbox(tmp_path, seed="empty") as sandbox, client(sandbox) as http:
        elapsed_ms = []
        for _ in range(20):
            answer = http.post("/v1/api/connections/list", json={})
            elapsed_ms.append(answer.elapsed.total_seconds() * 1000)
    # With Nagle's algorithm on, every one of them takes 40 ms.
    assert min(elapsed_ms) < 25


def test_a_truncated_answer_breaks_at_the_client(tmp_path):
    with running_sandbox(tmp_path, seed="empty") as sandbox, client(sandbox) as http:
        fault = {"route": "/v1/api/connections/list", "times": 1, "truncate": True}
        http.post("/_sandbox/faults", json=fault).raise_for_status()
        with pytest.raises(httpx.RemoteProtocolError):
            http.post("/v1/api/connections/list", json={})
        assert http.post("/v1/api/connections/list", json={}).status_code == 200
