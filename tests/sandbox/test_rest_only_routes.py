"""Calls that no part of the SDK sends: deletions, copies, lists of versions, streamed uploads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox import onnx_models
from tests.sandbox.archives import upload, version_id
from tests.sandbox.conftest import Platform
from tests.sandbox.test_pipelines_routes import RecordedFleet

Row = dict[str, Any]  # Any: JSON
ONNX = {"framework": "onnx", "arch": "x86", "accel": "none"}
MODEL = {"model_id": "adder", "workspace_id": 1}
PIPELINE = {"pipeline_id": "sums", "workspace_id": 1}
YES = {"confirm_delete": True}


@pytest.fixture
def platform(empty):
    empty.sandbox.fleet = RecordedFleet()
    empty.post("workspaces/create", {"workspace_name": "ws"})
    return empty


@pytest.fixture
def model(platform) -> Row:
    return model_version(platform, version_id(uploaded(platform)))


@pytest.fixture
def pipeline(platform, model) -> Row:
    return created(platform, model)


def uploaded(platform: Platform) -> Any:
    return upload(
        platform,
        onnx_models.identity(),
        call="upload",
        name="adder",
        conversion=ONNX,
        input_schema=None,
        output_schema=None,
    )


def model_version(platform: Platform, number: int) -> Row:
    body = {"model_version_id": number}
    found = platform.post("models/get_version_by_id", body).json()["model_version"]
    return dict(found["model_version"])


def created(platform: Platform, model: Row) -> Row:
    named = {"name": model["name"], "version": model["file_info"]["version"], "sha": ""}
    steps = [{"ModelInference": {"models": [named]}}]
    return dict(
        platform.post("pipelines/create", PIPELINE | {"definition": {"steps": steps}}).json()
    )


def deployed(platform: Platform, pipeline: Row) -> Row:
    body = {"deploy_id": "sums", "pipeline_version_pk_id": pipeline["pipeline_variant_pk_id"]}
    answer = platform.post("pipelines/deploy", body)
    assert answer.status_code == 200, answer.text
    return {"deployment_id": answer.json()["id"]}


def refused(platform: Platform, path: str, body: Row) -> tuple[int, bool]:
    answer = platform.post(path, body)
    return answer.status_code, "msg" in answer.json()


def test_a_model_goes_with_its_files_when_that_is_confirmed(platform, model):
    file = platform.sandbox.store.models.artefact(model["id"])
    answer = {"bytes": model["file_info"]["size"]}
    assert platform.post("models/delete_model", MODEL).json() == answer
    assert file.exists()
    assert platform.post("models/delete_model", MODEL | YES).json() == answer
    assert not file.exists()
    assert platform.post("models/list", {"workspace_id": 1}).json() == {"models": []}
    assert refused(platform, "models/delete_model", MODEL | YES) == (404, True)
    assert platform.post("workspaces/list").json()["workspaces"][0]["models"] == []
    assert version_id(uploaded(platform)) > model["id"]


def test_a_model_version_goes_and_its_model_stays(platform, model):
    newest = version_id(uploaded(platform))
    body = {"model_versions": [model["file_info"]["version"]] * 2}
    freed = platform.post("models/delete_model_versions", body | YES).json()
    assert freed == {"bytes": model["file_info"]["size"]}
    left = platform.post("models/list_versions", {"model_id": "adder"}).json()
    assert [each["id"] for each in left] == [newest]
    assert refused(platform, "models/delete_model_versions", body | YES) == (404, True)


def test_what_is_deployed_is_not_deleted(platform, model, pipeline):
    running = deployed(platform, pipeline)
    versions = {"model_versions": [model["file_info"]["version"]]}
    pipeline_versions = {"pipeline_versions": [pipeline["pipeline_variant_version"]]}
    calls: list[tuple[str, Row]] = [
        ("models/delete_model_versions", versions | YES),
        ("models/delete_model", MODEL | YES),
        ("pipelines/delete_pipeline_versions", pipeline_versions),
        ("pipelines/delete_pipeline", PIPELINE),
    ]
    for path, body in calls:
        assert refused(platform, path, body) == (409, True), path
    platform.post("pipelines/undeploy", running)
    answers = [platform.post(path, body) for path, body in calls]
    assert [each.status_code for each in answers] == [200, 200, 200, 200]
    assert answers[2].json() == pipeline_versions
    assert answers[3].json() == PIPELINE


def test_a_version_that_does_not_run_may_go_while_another_does(platform, model, pipeline):
    newer = created(platform, model)
    deployed(platform, newer)
    body = {"pipeline_versions": [pipeline["pipeline_variant_version"]]}
    assert platform.post("pipelines/delete_pipeline_versions", body).json() == body
    listed = platform.post("pipelines/list_pipeline_versions", PIPELINE).json()
    versions = [each["pipeline_version"]["version"] for each in listed["pipeline_versions"]]
    assert versions == [newer["pipeline_variant_version"]]


def test_a_deleted_pipeline_can_be_made_and_deployed_anew(platform, model, pipeline):
    running = deployed(platform, pipeline)
    platform.post("pipelines/undeploy", running)
    tag = platform.sandbox.store.tags.add("blue")
    platform.sandbox.store.tags.on_pipeline(pipeline["pipeline_pk_id"], tag["id"])
    assert platform.post("pipelines/delete_pipeline", PIPELINE).json() == PIPELINE
    assert platform.post("pipelines/list_pipelines").json() == {"pipelines": []}
    assert platform.post("pipelines/undeploy", running).status_code == 404
    again = created(platform, model)
    assert again["pipeline_pk_id"] > pipeline["pipeline_pk_id"]
    assert deployed(platform, again)["deployment_id"] > running["deployment_id"]


def test_a_model_that_is_still_loading_is_not_deleted(platform, model):
    platform.sandbox.store.models.set_status(model["id"], "attempting_load_native")
    assert refused(platform, "models/delete_model", MODEL | YES) == (409, True)


def test_nobody_deletes_or_copies_what_is_a_strangers(platform, model, pipeline):
    platform.invite("ann@example.com")
    calls: list[tuple[str, Row, int]] = [
        ("models/delete_model", MODEL | YES, 403),
        ("models/delete_model_versions", {"model_versions": [model["file_info"]["version"]]}, 404),
        ("pipelines/delete_pipeline", PIPELINE, 403),
        (
            "pipelines/delete_pipeline_versions",
            {"pipeline_versions": [pipeline["pipeline_variant_version"]]},
            404,
        ),
        ("pipelines/list_pipeline_versions", PIPELINE, 403),
        ("pipelines/copy", {"name": "mine", "workspace_id": 1, "source_pipeline": 1}, 403),
    ]
    for path, body, status in calls:
        assert platform.post(path, body, as_user="ann@example.com").status_code == status, path
    assert platform.post("models/get", {"id": 1}).status_code == 200
    assert len(platform.post("pipelines/list_pipelines").json()["pipelines"]) == 1


def test_a_copy_is_a_pipeline_of_the_same_steps(platform, pipeline):
    body = {"name": "copied", "workspace_id": 1, "source_pipeline": pipeline["pipeline_pk_id"]}
    copied = platform.post("pipelines/copy", body).json()
    assert copied == {
        "pipeline_pk_id": pipeline["pipeline_pk_id"] + 1,
        "pipeline_variant_pk_id": pipeline["pipeline_variant_pk_id"] + 1,
        "pipeline_version": None,
        "deployment": None,
    }
    found = platform.post("pipelines/list_pipelines").json()["pipelines"]
    versions = [each["pipeline"]["pipeline_versions"][0] for each in found]
    assert versions[0]["definition"] == versions[1]["definition"]
    assert refused(platform, "pipelines/copy", body) == (409, True)
    assert refused(platform, "pipelines/copy", body | {"name": "Not-This"}) == (400, True)
    assert refused(platform, "pipelines/copy", body | {"deploy": "now"}) == (501, True)
    elsewhere = platform.post("workspaces/create", {"workspace_name": "other"}).json()
    assert refused(platform, "pipelines/copy", body | elsewhere | {"name": "there"}) == (404, True)


def test_the_versions_of_a_pipeline_come_newest_first(platform, model, pipeline):
    newer = created(platform, model)
    listed = platform.post("pipelines/list_pipeline_versions", PIPELINE).json()
    first, second = listed["pipeline_versions"]
    assert (first["pipeline"]["name"], first["workspace"]["id"]) == ("sums", 1)
    assert first["pipeline_version"]["version"] == newer["pipeline_variant_version"]
    assert second["pipeline_version"]["version"] == pipeline["pipeline_variant_version"]
    assert second["pipeline_version"]["id"] == "sums"
    missing = PIPELINE | {"pipeline_id": "none"}
    assert refused(platform, "pipelines/list_pipeline_versions", missing) == (404, True)


def stream(platform: Platform, content: bytes, **query: object) -> Any:
    named = {"name": "streamed", "filename": "streamed.onnx", "workspace_id": 1}
    headers = platform.headers() | {"Content-Type": "application/octet-stream"}
    return platform.http.post(
        "/v1/api/models/upload_stream", content=content, headers=headers, params=named | query
    )


def test_a_streamed_upload_is_an_onnx_model(platform):
    answer = stream(platform, onnx_models.identity(), visibility="public")
    assert answer.status_code == 200
    version = model_version(platform, version_id(answer))
    assert (version["name"], version["status"], version["visibility"]) == (
        "streamed",
        "ready",
        "public",
    )
    assert version["file_info"]["file_name"] == "streamed.onnx"
    broken = model_version(platform, version_id(stream(platform, b"not a model")))
    assert broken["status"] == "error"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"name": "a.b"}, 400),
        ({"workspace_id": "x"}, 400),
        ({"workspace_id": "9" * 5000}, 400),
        ({"workspace_id": 9}, 404),
    ],
)
def test_a_streamed_upload_is_checked_as_any_other(platform, query, status):
    answer = stream(platform, b"", **query)
    assert (answer.status_code, "msg" in answer.json()) == (status, True)


def test_the_instance_says_what_it_has(platform):
    answer = platform.post("features/list").json()
    assert answer["features"] == {"plateau": "true"}
    assert answer["is_auth_enabled"]


def test_weights_that_a_crash_left_half_laid_out_are_swept(platform):
    folder = platform.sandbox.store.models.draft_path().with_name("1.weights.part")
    folder.mkdir()
    (folder / "model.safetensors").touch()
    platform.sandbox.store.models.sweep_drafts()
    assert not folder.exists()
