"""The unmodified SDK, as its own process, against a sandbox over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.sandbox import REPOSITORY, client, running_sandbox


def run_script(sandbox, module: str, home: Path) -> dict[str, Any]:  # Any: JSON
    """Run a script on the SDK against a sandbox and return what it printed."""
    environment = {
        **os.environ,
        "WALLAROO_URL": sandbox.url,
        "WALLAROO_SDK_AUTH_TYPE": "user_password",
        "WALLAROO_USER": sandbox.username,
        "WALLAROO_PASSWORD": sandbox.password,
        "XDG_CACHE_HOME": str(home / "cache"),
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_deployments_that_find_no_room_change_and_grow(tmp_path):
    with (
        running_sandbox(tmp_path / "data", flags=("--cpu", "2")) as sandbox,
        client(sandbox) as http,
    ):
        http.post("/_sandbox/settings", json={"wait_ms": 50}).raise_for_status()
        seen = run_script(sandbox, "tests.sandbox.sdk_deploys", tmp_path)
    message, tree = seen["waiting"]
    assert "insufficient resources" in message
    assert "1.5 units of CPU" in message
    assert tree["status"] == "Error"
    assert tree["engines"][0]["status"] == "Pending"
    assert "0/1 nodes are available: 1 Insufficient cpu." in tree["engines"][0]["reason"]
    assert seen["by_itself"] == "Running", "there was room once the other was undeployed"
    assert seen["rolled"] == {"versions": 2, "failures": [], "engines": 1}
    assert seen["log"][0].endswith(" ready")
    assert len(seen["history"]) == 1, "the pod before the change"
    scaled = seen["scaled"]
    assert (scaled["first"], scaled["most"], scaled["left"]) == (1, 3, 1)
    assert scaled["answers"] == 60
    assert "after" not in seen


def test_the_notebooks_calls_work_with_the_unmodified_sdk(tmp_path):
    with running_sandbox(tmp_path / "data") as sandbox:
        seen = run_script(sandbox, "tests.sandbox.sdk_script", tmp_path)
        sample = f"{sandbox.url}/_sandbox/samples/test_summarization.df.json"
    assert seen["model"][:2] == ["hf-summarizer", "ready"]
    assert seen["model"][2].startswith("ee71d066")
    assert seen["before"] == {"status": "Pipeline hf-summarizer is not deployed"}
    assert seen["running"] == "Running"
    assert seen["connection"] == ["summary-sample-connection", {"url": sample}]
    assert seen["linked"] == ["workshop-workspace-summarization"]
    assert seen["url"] == f"{sandbox.url}/v1/api/pipelines/infer/hf-summarizer-1/hf-summarizer"
    assert seen["table"]
    assert "summary-sample-connection" not in seen["connections"]
    assert seen["upload"] == ["uploaded", "x86", "model.zip"]
    assert seen["default"] == f"{sandbox.username} - Default Workspace"
