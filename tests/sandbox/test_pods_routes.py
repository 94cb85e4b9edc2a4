"""What sidekick pods said, and which ones a pipeline had."""

from __future__ import annotations

import pytest

from dashboard.sandbox.pod_logs import PodLogs
from tests.sandbox.conftest import TurnableClock
from tests.sandbox.test_fleet import STEP, plan
from tests.sandbox.test_rehearsals import deploy, order, status, wait_for

ROOM = "workshop-workspace-summarization"


def logs(platform, pod: str, *, as_user: str = "", **more):
    body = {"pipeline_name": "hf-summarizer", "workspace_name": ROOM, "sidekick_name": pod}
    return platform.post("pipelines/get_sidekick_pod_logs", body | more, as_user=as_user)


def history(platform, **more):
    body = {"pipeline_name": "hf-summarizer", "workspace_id": 3, **more}
    return platform.post("pipelines/get_sidekick_pods_history", body)


def running_pod(platform) -> str:
    deploy(platform)
    wait_for(platform, "Running")
    return str(status(platform)["sidekicks"][0]["name"])


def test_a_pods_log_is_what_its_process_said_newest_first(demo):
    lines = logs(demo, running_pod(demo)).json()["logs"]
    said = [line.partition(" ")[2] for line in lines]
    assert said[0] == "ready"
    assert said[1].startswith("models loaded in ")
    assert said[2] == "loading model hf-summarizer (hugging-face-summarization)"
    assert all(line.startswith("2026-") and "Z " in line for line in lines)


def test_a_log_outlives_its_pod_and_is_found_by_the_history(demo):
    pod = running_pod(demo)
    assert history(demo).json() == {"pods": []}
    demo.clock.now += 60
    deploy(demo)
    wait_for(demo, "Running")
    second = str(status(demo)["sidekicks"][0]["name"])
    demo.post("pipelines/undeploy", {"deployment_id": 1})
    entries = history(demo).json()["pods"]
    assert [each["sidekick_name"] for each in entries] == [second, pod]
    assert set(entries[0]) == {
        "sidekick_name",
        "started_at",
        "pipeline_model_step",
        "model_sha",
        "model_version",
    }
    assert entries[0]["pipeline_model_step"] == "hf-summarizer"
    assert entries[0]["started_at"] > entries[1]["started_at"]
    assert logs(demo, pod).json()["logs"]
    assert len(history(demo, model_id="hf-summarizer").json()["pods"]) == 2
    assert history(demo, model_id="other").json() == {"pods": []}


def test_a_window_and_a_limit_choose_lines(demo):
    pod = running_pod(demo)
    assert len(logs(demo, pod, limit=1).json()["logs"]) == 1
    assert logs(demo, pod, limit=0).json()["logs"] == []
    assert logs(demo, pod, end_datetime="2020-01-01T00:00:00Z").json()["logs"] == []
    assert logs(demo, pod, start_datetime="2099-01-01T00:00:00Z").json()["logs"] == []
    assert logs(demo, pod, start_datetime="2020-01-01T00:00:00Z").json()["logs"]


@pytest.mark.parametrize(
    ("change", "status_code"),
    [
        ({"start_datetime": "yesterday"}, 400),
        ({"limit": -1}, 400),
        ({"sidekick_name": "other"}, 404),
        ({"pipeline_name": "other"}, 404),
        ({"pipeline_name": "\ud800"}, 400),
        ({"workspace_name": "other"}, 404),
        ({"workspace_name": "\ud800"}, 400),
    ],
)
def test_a_wrong_question_is_refused(demo, change, status_code):
    answer = logs(demo, running_pod(demo), **change)
    assert answer.status_code == status_code
    assert set(answer.json()) == {"msg", "code"}


def test_strangers_see_no_pods(demo):
    demo.invite("guest@sandbox.example")
    assert logs(demo, running_pod(demo), as_user="guest@sandbox.example").status_code == 403


def test_a_crash_is_in_the_log(demo):
    order(demo, "crash", times=1)
    lines = logs(demo, running_pod(demo)).json()["logs"]
    assert any("Error: container terminated: Error, exit code 1" in line for line in lines)


def test_a_talkative_pod_and_many_pods_stay_within_limits():
    kept = PodLogs(TurnableClock())
    for number in range(300):
        kept.open(f"pod-{number}", plan(), STEP)
        if number:
            kept.close(f"pod-{number}")
    for number in range(5000):
        kept.say(("pod-0", "unknown"), f"{number} " + "x" * 9000)
    pods = kept.of_pipeline(1, "hf-summarizer")
    assert len(pods) <= 201
    (first,) = [each for each in pods if each.pod == "pod-0"]
    lines = first.newest_first(start_s=None, end_s=None, limit=10_000)
    assert sum(map(len, lines)) < 70_000
    assert lines[0].partition(" ")[2].startswith("4999 ")
    kept.clear()
    assert [each.pod for each in kept.of_pipeline(1, "hf-summarizer")] == ["pod-0"]
