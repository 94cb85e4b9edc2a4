"""Tasks of a sandbox that is a process of its own: nothing of them outlives it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.sandbox import orchestrating as o
from tests.support.sandbox import client, running_sandbox
from tests.support.waiting import is_running, wait_until

PROGRAM = """
import signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
group = subprocess.Popen(["sleep", "600"])
escaped = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(group.pid, escaped.pid, flush=True)
time.sleep(600)
"""


class Remote:
    """A sandbox elsewhere, in the shape that the helpers expect."""

    def __init__(self, http):
        self.http = http

    def headers(self, _username=""):
        return {}

    def post(self, path, body=None, **_more):
        return self.http.post(f"/v1/api/{path}", json=body or {})


def begin(platform: Remote, how: str = "run_once", **over: object) -> tuple[str, list[int]]:
    """Begin a task that ends by force only; return its id and the ids of all its processes."""
    orchestration_id = o.upload(platform, o.program(PROGRAM)).json()["id"]
    wait_until(
        lambda: o.status(platform, orchestration_id) == "ready", within_s=o.LIMIT_S, what="ready"
    )
    task_id = o.begun(platform, orchestration_id, how, **over)
    run = o.wait_for_line(platform, task_id, "stdout")
    group, escaped = map(int, o.log(platform, run)[0].split()[2:])
    program = parent_of(group)
    return task_id, [group, escaped, program, parent_of(program)]


def parent_of(pid: int) -> int:
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[1])


def are_gone(pids: list[int]) -> bool:
    return not any(map(is_running, pids))


@pytest.mark.parametrize("way", ["kill -9", "pipe", "terminate"])
def test_no_process_outlives_the_sandbox_and_the_run_is_a_failure_afterwards(tmp_path, way):
    with running_sandbox(tmp_path) as sandbox, client(sandbox) as http:
        task_id, pids = begin(Remote(http))
        assert all(map(is_running, pids))
        if way == "pipe":
            assert sandbox.process.stdin is not None
            sandbox.process.stdin.close()
        else:
            number = signal.SIGKILL if way == "kill -9" else signal.SIGTERM
            sandbox.process.send_signal(number)
        sandbox.process.wait(o.LIMIT_S)
        wait_until(lambda: are_gone(pids), within_s=10, what="its processes are gone")
    with running_sandbox(tmp_path) as again, client(again) as http:
        platform = Remote(http)
        (run,) = o.runs(platform, task_id)
        assert run["status"] == "failure"
        assert "the sandbox stopped" in o.log(platform, run)[-1]
        assert list((tmp_path / "task-runs").glob("*")) == []


@pytest.mark.parametrize("which", [2, 3])
def test_a_run_whose_program_or_guard_is_killed_is_a_failure_and_leaves_nothing(tmp_path, which):
    with running_sandbox(tmp_path) as sandbox, client(sandbox) as http:
        task_id, pids = begin(Remote(http))
        os.kill(pids[which], signal.SIGKILL)
        assert o.ended(Remote(http), task_id)[0]["status"] == "failure"
        kept = pids if which == 2 else pids[2:]
        wait_until(lambda: are_gone(kept), within_s=10, what="its processes are gone")
        for pid in filter(is_running, pids):
            os.kill(pid, signal.SIGKILL)
        # The sandbox goes on as if nothing had been.
        begin(Remote(http))


def test_the_token_of_a_run_cut_short_is_worth_nothing_after_the_restart(tmp_path):
    text = (
        "import pathlib, time\n"
        "print(next(pathlib.Path('.cache').rglob('keycloak.json')).read_text(), flush=True)\n"
        "time.sleep(600)\n"
    )
    with running_sandbox(tmp_path) as sandbox, client(sandbox) as http:
        platform = Remote(http)
        orchestration_id = o.upload(platform, o.program(text)).json()["id"]
        wait_until(
            lambda: o.status(platform, orchestration_id) == "ready",
            within_s=o.LIMIT_S,
            what="ready",
        )
        task_id = o.begun(platform, orchestration_id)
        run = o.wait_for_line(platform, task_id, "access_token")
        token = json.loads(o.log(platform, run)[0].removeprefix("stdout F "))
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        assert http.post("/v1/api/workspaces/list", json={}, headers=headers).status_code == 200
        sandbox.process.kill()
        sandbox.process.wait()
    with running_sandbox(tmp_path) as again, client(again) as http:
        assert http.post("/v1/api/workspaces/list", json={}, headers=headers).status_code == 401
