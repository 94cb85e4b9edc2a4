"""The sandbox's own controls: health, reset, settings, samples, ordered failures."""

from __future__ import annotations

import json

import pytest

from dashboard.sandbox.routes import control

LIST = "/v1/api/connections/list"


def order(platform, **fault) -> None:
    answer = platform.http.post("/_sandbox/faults", json=fault, headers=platform.headers())
    assert answer.status_code == 200, answer.text


def test_health_is_open_and_tells_the_settings(empty):
    answer = empty.http.get("/_sandbox/health").json()
    assert (answer["status"], answer["wait_ms"], answer["startup_s"]) == ("ok", 0, 0)
    assert answer["pid"] > 0


def test_config_is_open(empty):
    assert empty.http.get("/v1/api/config").json() == {"default_arch": "x86"}


def test_settings_change_while_it_runs(empty):
    body = {"wait_ms": 250}
    answer = empty.http.post("/_sandbox/settings", json=body, headers=empty.headers())
    assert answer.json() == {
        "wait_ms": 250,
        "startup_s": 0,
        "shutdown_s": 0,
        "cpu": 8,
        "memory_gib": 32,
        "early_status": False,
        "used": {"cpu": 0, "memory_gib": 0, "replicas": 0},
    }
    assert empty.sandbox.config.wait_ms == 250
    assert empty.http.get("/_sandbox/health").json()["wait_ms"] == 250


@pytest.mark.parametrize("body", [{"wait_ms": -1}, {"wait_ms": "x"}, {"startup_s": 1e9}])
def test_a_setting_out_of_range_is_a_400(empty, body):
    answer = empty.http.post("/_sandbox/settings", json=body, headers=empty.headers())
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith(next(iter(body)))


@pytest.mark.parametrize("name", ["test_summarization.df.json", "support-tickets.json"])
def test_samples_are_open_tables_of_records(empty, name):
    answer = empty.http.get(f"/_sandbox/samples/{name}")
    assert answer.headers["content-type"] == "application/json"
    assert all(row["inputs"] for row in answer.json())


@pytest.mark.parametrize("name", ["x", "..%2fapp.py", "../app.py", "%2e%2e/app.py", "a%00b"])
def test_no_other_file_is_a_sample(empty, name):
    answer = empty.http.get(f"/_sandbox/samples/{name}", headers=empty.headers())
    assert answer.status_code in (404, 501)
    assert set(answer.json()) == {"msg", "code"}


def test_a_reset_brings_the_seed_back_and_keeps_the_log_in(demo):
    demo.post("connections/create", {"name": "mine", "type": "t", "details": 1})
    before = demo.post("workspaces/list").json()
    answer = demo.http.post("/_sandbox/reset", json={"seed": "demo"}, headers=demo.headers())
    assert answer.json() == {"seed": "demo"}
    names = [each["name"] for each in demo.post("connections/list").json()["connections"]]
    assert "mine" not in names
    assert demo.post("workspaces/list").json() == before
    demo.http.post("/_sandbox/reset", json={"seed": "empty"}, headers=demo.headers())
    assert demo.post("connections/list").json() == {"connections": []}
    assert demo.post("workspaces/list").json() == {"workspaces": []}


def test_what_is_deployed_during_a_reset_does_not_outlive_it(demo, monkeypatch):
    clear = control._reset

    def deploy_and_clear(*args):
        body = {"deploy_id": "hf-summarizer", "pipeline_version_pk_id": 1, "engine_config": {}}
        assert demo.post("pipelines/deploy", body).status_code == 200
        clear(*args)

    monkeypatch.setattr(control, "_reset", deploy_and_clear)
    answer = demo.http.post("/_sandbox/reset", json={"seed": "empty"}, headers=demo.headers())
    assert answer.status_code == 200
    assert demo.sandbox.fleet.status(1) is None
    assert demo.sandbox.fleet.capacity.used() == (0.0, 0)


def test_the_demo_is_the_workshops_state(demo):
    spaces = {each["name"]: each for each in demo.post("workspaces/list").json()["workspaces"]}
    assert spaces["workshop-workspace-summarization"]["models"] == [1]
    assert "workshop-workspace-john-cv-medical" in spaces
    (model,) = demo.post("models/list").json()["models"]
    assert model["model"]["name"] == "hf-summarizer"
    version = model["model_versions"][0]["model_version"]
    assert version["status"] == "ready"
    assert version["image_path"] == "sandbox/embedded-extractive:1"
    (item,) = demo.post("pipelines/list_pipelines").json()["pipelines"]
    assert item["pipeline"]["name"] == "hf-summarizer"
    connections = demo.post("connections/list").json()["connections"]
    assert "summary-sample-connection" not in [each["name"] for each in connections]
    tickets = connections[-1]
    assert tickets["workspace_names"] == [], "to link it is a step of the tour"
    assert demo.http.get(tickets["details"]["url"]).status_code == 200


def test_an_ordered_failure_is_met_as_often_as_ordered(empty):
    order(empty, route=LIST, times=2, status=500)
    statuses = [empty.post("connections/list").status_code for _ in range(3)]
    assert statuses == [500, 500, 200]
    assert empty.post("workspaces/list").status_code == 200
    (fault,) = empty.http.get("/_sandbox/faults", headers=empty.headers()).json()["faults"]
    assert (fault["consumed"], fault["left"]) == (2, 0)


def test_an_ordered_failure_has_the_body_it_was_given(empty):
    order(empty, route=LIST, times=1, status=502, body="<html>bad gateway</html>")
    answer = empty.post("connections/list")
    assert (answer.status_code, answer.text) == (502, "<html>bad gateway</html>")


def test_an_ordered_status_alone_has_the_wires_form(empty):
    order(empty, route=LIST, status=403)
    assert set(empty.post("connections/list").json()) == {"msg", "code"}


def test_a_star_meets_every_platform_route_and_no_control(empty):
    headers = empty.headers()
    order(empty, route="*", status=500)
    assert empty.http.get("/v1/api/config").status_code == 500
    assert empty.http.post("/v1/graphql", headers=headers).status_code == 500
    assert empty.http.get("/_sandbox/health").status_code == 200
    assert empty.http.delete("/_sandbox/faults", headers=headers).json() == {"faults": []}
    assert empty.http.get("/v1/api/config").status_code == 200


def test_a_delay_passes_before_the_answer(empty):
    order(empty, route=LIST, times=1, delay_s=0.2)
    timing = empty.post("connections/list").headers["server-timing"]
    assert float(timing.partition("=")[2]) >= 200
    faster = empty.post("connections/list").headers["server-timing"]
    assert float(faster.partition("=")[2]) < 200


def test_a_truncated_answer_is_half_of_it(empty):
    whole = empty.post("connections/list").content
    order(empty, route=LIST, times=1, truncate=True)
    answer = empty.post("connections/list")
    assert int(answer.headers["content-length"]) == len(whole)
    assert answer.content == whole[: len(whole) // 2]


@pytest.mark.parametrize(
    "fault", [{}, {"route": "*", "times": 0}, {"route": "*", "status": 42}, {"route": 5}]
)
def test_a_wrong_order_is_a_400(empty, fault):
    answer = empty.http.post("/_sandbox/faults", content=json.dumps(fault), headers=empty.headers())
    assert answer.status_code == 400
