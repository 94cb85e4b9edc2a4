"""The unmodified SDK, as its own process, against a sandbox over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.support.sandbox import REPOSITORY, running_sandbox


def test_the_notebooks_calls_work_with_the_unmodified_sdk(tmp_path):
    with running_sandbox(tmp_path / "data") as sandbox:
        environment = {
            **os.environ,
            "WALLAROO_URL": sandbox.url,
            "WALLAROO_SDK_AUTH_TYPE": "user_password",
            "WALLAROO_USER": sandbox.username,
            "WALLAROO_PASSWORD": sandbox.password,
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "NO_PROXY": "127.0.0.1",
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.sandbox.sdk_script"],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout.splitlines()[-1])
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
