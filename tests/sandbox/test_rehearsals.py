"""Troubles on order: a held start, an image that is not there, a crash; and who may order them."""

from __future__ import annotations

import pytest

from tests.support.waiting import wait_until

PATH = "/_sandbox/rehearsals"
WORKSPACE = 3
PIPELINE = {"workspace_id": WORKSPACE, "pipeline_name": "hf-summarizer"}
INFER = "/v1/api/pipelines/infer/hf-summarizer-1/hf-summarizer"
ROW = {
    "inputs": "One. Two.",
    "return_text": True,
    "return_tensors": False,
    "clean_up_tokenization_spaces": False,
}


def order(platform, trouble: str, *, as_user: str = "", **more):
    body = {**PIPELINE, "trouble": trouble, **more}
    return platform.http.post(PATH, json=body, headers=platform.headers(as_user))


def call_off(platform, query: str = "", *, as_user: str = ""):
    return platform.http.delete(PATH + query, headers=platform.headers(as_user)).json()


def deploy(platform, **engine_config):
    body = {"deploy_id": "hf-summarizer", "pipeline_version_pk_id": 1}
    answer = platform.post("pipelines/deploy", body | {"engine_config": engine_config})
    assert answer.json() == {"id": 1}


def status(platform):
    return platform.post("status/get_deployment", {"name": "hf-summarizer-1"}).json()


def wait_for(platform, word: str, *, within_s: float = 10.0) -> None:
    wait_until(lambda: status(platform)["status"] == word, within_s=within_s, what=word)


def settle(platform, **settings) -> None:
    answer = platform.http.post("/_sandbox/settings", json=settings, headers=platform.headers())
    assert answer.status_code == 200, answer.text


def test_a_held_deploy_starts_when_it_is_let_go(demo):
    made = order(demo, "hold").json()
    assert made == {"id": 1, **PIPELINE, "trouble": "hold", "times": None, "met": 0}
    deploy(demo)
    wait_until(
        lambda: demo.sandbox.fleet.rehearsals.listing()[0].met == 1, within_s=5, what="it is held"
    )
    tree = status(demo)
    assert (tree["status"], tree["details"]) == ("Starting", ["Scaling"])
    assert tree["engines"][0]["status"] == tree["sidekicks"][0]["status"] == "Pending"
    assert demo.sandbox.fleet.capacity.replicas() == 1, "it has its place"
    assert call_off(demo) == {"rehearsals": []}
    wait_for(demo, "Running")


def test_a_held_deploy_can_be_cancelled(demo):
    order(demo, "hold")
    deploy(demo)
    demo.post("pipelines/undeploy", {"deployment_id": 1})
    name = {"name": "hf-summarizer-1"}
    assert demo.post("status/get_deployment", name).status_code == 404
    assert demo.sandbox.fleet.capacity.replicas() == 0


def test_a_held_redeploy_leaves_the_old_one_answering(demo):
    deploy(demo)
    wait_for(demo, "Running")
    order(demo, "hold")
    deploy(demo, engine={"replicas": 2})
    tree = status(demo)
    assert tree["status"] == "Starting"
    assert [each["status"] for each in tree["engines"]] == ["Running", "Pending", "Pending"]
    answer = demo.http.post(INFER, json=[ROW], headers=demo.headers())
    assert answer.status_code == 200
    call_off(demo)
    wait_for(demo, "Running")
    assert len(status(demo)["engines"]) == 2


def test_an_image_that_cannot_be_pulled_is_pending_with_kubernetes_words(demo):
    order(demo, "image_pull")
    deploy(demo)
    wait_for(demo, "Error")
    wait_until(
        lambda: status(demo)["sidekicks"][0]["reason"] == "ImagePullBackOff",
        within_s=5,
        what="it backs off",
    )
    sidekick = status(demo)["sidekicks"][0]
    assert sidekick["status"] == "Pending"
    assert sidekick["details"] == [
        'Back-off pulling image "sandbox/hf-summarizer-1": not found',
    ]
    answer = demo.http.post(INFER, json=[ROW], headers=demo.headers())
    assert answer.status_code == 500
    assert "no engine is running" in answer.json()["error"]
    call_off(demo)
    wait_for(demo, "Running")


def test_an_error_turns_into_running_by_itself(demo):
    order(demo, "image_pull", times=2)
    deploy(demo)
    wait_for(demo, "Error")
    wait_for(demo, "Running")


def test_a_crash_is_a_process_that_ended_and_then_a_crash_loop(demo):
    order(demo, "crash", times=2)
    deploy(demo)
    wait_for(demo, "Error")
    wait_until(
        lambda: status(demo)["sidekicks"][0]["reason"] == "CrashLoopBackOff",
        within_s=5,
        what="it crashed again",
    )
    sidekick = status(demo)["sidekicks"][0]
    assert sidekick["status"] == "Failed"
    assert sidekick["restarts"] == 1
    assert sidekick["details"] == [
        "last: Error",
        "container terminated: Error, exit code 1",
        "back-off 1s restarting failed container",
    ]
    log = demo.post(
        "pipelines/get_sidekick_pod_logs",
        {
            "pipeline_name": "hf-summarizer",
            "workspace_name": "workshop-workspace-summarization",
            "sidekick_name": sidekick["name"],
        },
    ).json()["logs"]
    assert any("RuntimeError: this crash was ordered" in line for line in log)
    wait_for(demo, "Running")
    tree = status(demo)
    assert tree["sidekicks"][0]["name"] == sidekick["name"], "a restart keeps the pod"
    assert tree["sidekicks"][0]["restarts"] == tree["engines"][0]["restarts"] == 2


@pytest.mark.parametrize(("trouble", "reason"), [("kill", "Error"), ("out_of_memory", "OOMKilled")])
def test_what_runs_can_be_ended_at_once(demo, trouble, reason):
    assert order(demo, trouble).json() == {"ended_processes": 0}
    deploy(demo, engine={"replicas": 2})
    wait_for(demo, "Running")
    assert order(demo, trouble).json() == {"ended_processes": 2}
    wait_until(
        lambda: "restarts" in status(demo)["sidekicks"][0], within_s=5, what="it is replaced"
    )
    name = status(demo)["sidekicks"][0]["name"]
    log = demo.sandbox.fleet.pod_logs.of_pipeline(WORKSPACE, "hf-summarizer")
    lines = [line for each in log for line in each.newest_first(start_s=None, end_s=None, limit=9)]
    assert any(f"{reason}, exit code 137" in line for line in lines), name
    wait_for(demo, "Running")


def test_it_is_seen_without_a_token_that_a_rehearsal_is_on(demo):
    assert demo.http.get("/_sandbox/health").json()["rehearsals"] == 0
    order(demo, "crash")
    assert demo.http.get("/_sandbox/health").json()["rehearsals"] == 1


def test_a_rehearsal_ends_by_itself(demo):
    order(demo, "hold", for_s=0.2)
    deploy(demo)
    wait_for(demo, "Running")
    assert demo.sandbox.fleet.rehearsals.listing() == []


def test_one_of_several_can_be_called_off(demo):
    first, second = order(demo, "hold").json(), order(demo, "crash").json()
    assert call_off(demo, f"?id={first['id']}") == {"rehearsals": [second]}
    assert call_off(demo, "?id=nonsense") == {"rehearsals": [second]}


def test_a_reset_ends_them_all(demo):
    order(demo, "crash")
    demo.http.post("/_sandbox/reset", json={"seed": "demo"}, headers=demo.headers())
    assert demo.http.get("/_sandbox/health").json()["rehearsals"] == 0


def test_only_a_member_may_order_see_or_call_off(demo):
    demo.invite("guest@sandbox.example")
    order(demo, "hold")
    assert order(demo, "crash", as_user="guest@sandbox.example").status_code == 403
    assert call_off(demo, as_user="guest@sandbox.example") == {"rehearsals": []}
    assert len(call_off(demo, "?id=0")["rehearsals"]) == 1, "the guest did not end it"
    assert demo.http.post(PATH, json={**PIPELINE, "trouble": "hold"}).status_code == 401


@pytest.mark.parametrize(
    ("change", "status_code"),
    [
        ({"pipeline_name": "other"}, 404),
        ({"workspace_id": 99}, 404),
        ({"trouble": "fire"}, 400),
        ({"times": 0}, 400),
        ({"for_s": 0}, 400),
        ({"for_s": 1e6}, 400),
        ({"pipeline_name": None}, 400),
    ],
)
def test_a_wrong_order_is_refused(demo, change, status_code):
    body = {**PIPELINE, "trouble": "hold", **change}
    answer = demo.http.post(PATH, json=body, headers=demo.headers())
    assert answer.status_code == status_code
    assert set(answer.json()) == {"msg", "code"}


def test_an_early_platform_has_null_details_no_engines_and_no_sidekicks(demo):
    settle(demo, early_status=True)
    order(demo, "hold")
    deploy(demo)
    tree = status(demo)
    assert (tree["status"], tree["details"], tree["engines"]) == ("Starting", None, [])
    assert "sidekicks" not in tree
    call_off(demo)
    wait_for(demo, "Running")
    tree = status(demo)
    assert tree["details"] is None
    assert tree["engines"][0]["details"] is None
    assert "sidekicks" not in tree


def test_a_slow_shutdown_keeps_the_status_but_no_process(demo):
    settle(demo, shutdown_s=0.5)
    deploy(demo)
    wait_for(demo, "Running")
    demo.post("pipelines/undeploy", {"deployment_id": 1})
    assert status(demo)["status"] == "Running"
    assert demo.sandbox.fleet.capacity.replicas() == 0
    assert demo.http.post(INFER, json=[ROW], headers=demo.headers()).status_code == 404
    name = {"name": "hf-summarizer-1"}
    wait_until(
        lambda: demo.post("status/get_deployment", name).status_code == 404,
        within_s=5,
        what="the pods are gone",
    )


def test_a_deploy_during_a_slow_shutdown_shows_the_new_one(demo):
    settle(demo, shutdown_s=60)
    deploy(demo)
    wait_for(demo, "Running")
    demo.post("pipelines/undeploy", {"deployment_id": 1})
    order(demo, "hold")
    deploy(demo)
    assert status(demo)["status"] == "Starting"


def test_a_larger_node_lets_in_what_found_no_room(demo):
    settle(demo, cpu=0.25)
    deploy(demo)
    wait_for(demo, "Error")
    assert "Insufficient cpu" in status(demo)["engines"][0]["reason"]
    settle(demo, cpu=8)
    wait_for(demo, "Running")
    used = demo.http.get("/_sandbox/settings", headers=demo.headers()).json()["used"]
    assert used == {"cpu": 1, "memory_gib": 1, "replicas": 1}


@pytest.mark.parametrize(
    "engine", [{"replicas": 65}, {"autoscale": {"replica_min": 1, "replica_max": 10**12}}]
)
def test_more_replicas_than_a_machine_bears_are_refused(demo, engine):
    body = {"deploy_id": "hf-summarizer", "pipeline_version_pk_id": 1}
    answer = demo.post("pipelines/deploy", body | {"engine_config": {"engine": engine}})
    assert answer.status_code == 400
    assert "up to 64 replicas" in answer.json()["msg"]
