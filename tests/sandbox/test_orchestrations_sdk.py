"""Orchestrations and tasks with the unmodified SDK, outside of a task and inside of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sandbox import running_sandbox


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the script saw at a sandbox of its own."""
    home = tmp_path_factory.mktemp("orchestrates")
    with running_sandbox(home / "data") as sandbox:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("sdk_orchestrates.py"))],
            capture_output=True,
            text=True,
            cwd=home,
            timeout=400,
            check=False,
            env={
                **os.environ,
                "WALLAROO_URL": sandbox.url,
                "WALLAROO_SDK_AUTH_TYPE": "user_password",
                "WALLAROO_USER": sandbox.username,
                "WALLAROO_PASSWORD": sandbox.password,
                # A busy machine may need longer for a start than the SDK's 45 s.
                "WALLAROO_REQUEST_TIMEOUT": "90",
                "XDG_CACHE_HOME": str(home / "cache"),
                "NO_PROXY": "127.0.0.1",
            },
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_an_orchestration_becomes_ready_and_its_packaging_can_be_read(seen):
    assert seen["status"] == "ready"
    assert seen["file"] == ["summaries.zip", "summaries", 3]
    assert seen["packaging"] == ["success", "Every package it asks for is here already."]
    assert seen["listed"]


def test_a_task_reads_a_connection_infers_through_a_pipeline_and_prints(seen):
    assert seen["run"] == ["success"], seen["said"]
    assert seen["said"] == [
        "in a task: True you@sandbox.example",
        "summaries: 1 True",
        "settings: quiet",
        "mine: ['summaries']",
    ]
    assert seen["tail"] == seen["said"][-1:]
    # Notebooks wait for this word, however soon a run is over.
    assert seen["afterwards"] == ["started", True, "Oneshot"]
    assert seen["by id"] == "once"


def test_a_scheduled_task_is_listed_paused_and_killed(seen):
    assert seen["schedule"] == ["Scheduled Run", "*/1, *, *, *, *"]
    assert seen["tasks"] == [["often", "once"]] * 2
    assert seen["paused"] == ["paused", "started"]
    assert seen["kill"] == "pending_kill"
    assert seen["left"] == [1, 2]


def test_the_tables_of_notebooks_are_drawn(seen):
    assert seen["tables"] == [True] * 5


def test_refusals_reach_the_person_in_the_sdks_words(seen):
    assert seen["no zip"].startswith("OrchestrationUploadFailed: Orchestration upload failed: ")
    assert "the file is not a zip archive" in seen["no zip"]
    assert seen["wrong schedule"].startswith("OrchestrationDeployOneshotFailed: ")
    assert "the minute '61' is not between 0 and 59" in seen["wrong schedule"]
    assert seen["task"].startswith("Exception: Failed to find Task ID")
