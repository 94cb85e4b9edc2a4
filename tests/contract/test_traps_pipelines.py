"""Traps of models, pipelines, deployments and logs."""

from __future__ import annotations

import io
import json
import sys

import pyarrow as pa
import pytest

from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.model import NewModel
from dashboard.domain.pipeline import PipelineState
from dashboard.errors import (
    AccessDenied,
    DeployFailed,
    InvalidInput,
    PlatformUnreachable,
    UnexpectedAnswer,
)
from tests.contract.scripted import (
    GRAPHQL,
    PIPELINE,
    STATUS,
    VERSION,
    deployment,
    graphql,
)


def test_workspaces_and_models_and_pipelines_are_one_request_each(gateway, platform, ann):
    room = {
        "id": 1,
        "name": "room",
        "created_at": "2026-11-22T13:44:15+00:00",
        "created_by": "user-1",
        "archived": False,
        "models": [4],
        "pipelines": [3],
    }
    version = {"id": 7, "model_id": "m", "model_version": "u-7", "sha": "s", "status": "ready"}
    older = {**version, "id": 6, "model_version": "u-6"}
    step = {"ModelInference": {"models": [{"name": "m", "version": "u-7", "sha": "s"}]}}
    saved = [
        {"id": number, "version": f"v-{number}", "definition": {"id": "p", "steps": [step]}}
        for number in (1, 2, 3)
    ]
    row = {"id": 3, "pipeline_id": "p", "workspace": {"id": 1, "name": "room"}}
    platform.scripts["/v1/api/workspaces/list"] = (200, {"workspaces": [room]})
    platform.scripts[GRAPHQL] = graphql(
        DashboardModels={
            "workspace_by_pk": {"models": [{"id": 4, "name": "m", "models": [older, version]}]}
        },
        DashboardPipelines={"pipeline": [{**row, "pipeline_versions": saved}]},
    )
    before = len(platform.seen)
    (workspace,) = gateway.list_workspaces(ann)
    (model,) = gateway.list_models(ann, 1)
    (pipeline,) = gateway.list_pipelines(ann)
    # The platform's configuration is read once, before the first call.
    assert len(platform.seen) - before == 1 + 3
    assert (workspace.model_ids, workspace.pipeline_ids) == ((4,), (3,))
    assert [version.version for version in model.versions] == ["u-7", "u-6"]
    assert [version.version for version in pipeline.versions] == ["v-3", "v-2", "v-1"]
    assert pipeline.versions[0].steps[0].model_version == "u-7"


@pytest.mark.parametrize(
    ("record", "answer", "state"),
    [
        ({"id": 3, "deployment": None}, None, PipelineState.NOT_DEPLOYED),
        (
            deployment(deployed=False),
            (404, {"msg": "no", "code": 404}),
            PipelineState.NOT_DEPLOYED,
        ),
        (deployment(deployed=True), (404, {"msg": "no", "code": 404}), PipelineState.STARTING),
        (deployment(deployed=True), (200, {"status": "Error"}), PipelineState.ERROR),
        (deployment(deployed=False), (200, {"status": "Running"}), PipelineState.STOPPING),
        (deployment(deployed=True), (200, {"status": "Running"}), PipelineState.RUNNING),
        (
            deployment(deployed=True),
            (
                200,
                {
                    "status": "Running",
                    "engines": [{"name": "a", "status": "Running"}, {"status": "Pending"}],
                },
            ),
            PipelineState.DEGRADED,
        ),
        (
            deployment(deployed=True),
            (200, {"status": "Starting", "engines": None, "details": None}),
            PipelineState.STARTING,
        ),
    ],
)
def test_every_form_of_a_status_is_a_state(gateway, platform, ann, record, answer, state):
    platform.scripts[GRAPHQL] = graphql(DashboardDeployment={"pipeline_by_pk": record})
    if answer is not None:
        platform.scripts[STATUS] = answer
    assert gateway.status(ann, PIPELINE).state is state


def test_a_status_that_cannot_be_read_is_not_taken_for_stopped(gateway, platform, ann):
    record = deployment(deployed=True)
    platform.scripts[GRAPHQL] = graphql(DashboardDeployment={"pipeline_by_pk": record})
    platform.scripts[STATUS] = (500, {"msg": "boom", "code": 500})
    with pytest.raises(UnexpectedAnswer):
        gateway.status(ann, PIPELINE)


def _deployable(platform, *, deployed=False, config=None, status="Running"):
    """Let the platform answer a whole deploy; returns what `pipelines/deploy` received."""
    step = {"name": VERSION.model_name, "version": VERSION.version, "sha": VERSION.sha}
    definition = {"id": PIPELINE.name, "steps": [{"ModelInference": {"models": [step]}}]}
    row = {
        "id": 3,
        "pipeline_id": PIPELINE.name,
        "workspace": {"id": 1, "name": "room"},
        "pipeline_versions": [{"id": 9, "version": "v-9", "definition": definition}],
    }
    record = deployment(deployed=deployed, config=config)
    config_row = {"id": 1, "runtime": "flight", "model": {"id": 7}}
    version = {"id": 7, "model_id": VERSION.model_name, "arch": "x86", "accel": "none"}
    platform.scripts[GRAPHQL] = graphql(
        DashboardDeployment={"pipeline_by_pk": record},
        DashboardPipeline={"pipeline_by_pk": row},
        PipelineById={"pipeline_by_pk": {**row, "pipeline_versions": [{"id": 9}]}},
        ModelById={"model_by_pk": {**version, "model": {"workspace": {"id": 1, "name": "room"}}}},
        ModelConfigById={"model_config_by_pk": config_row},
        DeploymentById={
            "deployment_by_pk": {
                "id": 5,
                "deploy_id": "hf-summarizer",
                "deployed": True,
                "engine_config": {},
            }
        },
    )
    platform.scripts["/v1/api/models/get_config_by_id"] = (200, {"model_config": config_row})
    created = {
        "pipeline_pk_id": 3,
        "pipeline_variant_pk_id": 9,
        "pipeline_variant_version": "v-9",
    }
    platform.scripts["/v1/api/pipelines/create"] = (200, created)
    platform.scripts["/v1/api/pipelines/deploy"] = (200, {"id": 5})
    running = {"id": PIPELINE.name, "status": "Running", "version": "v-9"}
    platform.scripts[STATUS] = (
        200,
        {
            "status": status,
            "engines": [{"status": status, "pipeline_statuses": {"pipelines": [running]}}],
        },
    )


def _deploy(gateway, ann, settings=None):
    return gateway.deploy(
        ann, PIPELINE, model_version=VERSION, settings=settings or DeploymentSettings()
    )


def test_deploy_does_not_wait_and_acts_in_the_pipelines_own_workspace(gateway, platform, ann):
    _deployable(platform)
    made = _deploy(gateway, ann)
    assert (made.version, made.already_running) == ("v-9", False)
    assert platform.requests("get_deployment") == []
    (create,) = platform.requests("pipelines/create")
    assert create.body["workspace_id"] == 1
    (deploy,) = platform.requests("pipelines/deploy")
    config = deploy.body["engine_config"]
    assert config["engine"]["resources"]["limits"] == {"cpu": 0.25, "memory": "1Gi"}
    sidekick = config["engineAux"]["images"]["hf-summarizer-7"]
    assert sidekick["resources"]["requests"] == {"cpu": 1.0, "memory": "4Gi"}
    assert config["engine"]["replicas"] == 1


def test_each_deploy_sends_its_own_sizes(gateway, platform, ann):
    _deployable(platform)
    _deploy(gateway, ann)
    _deploy(gateway, ann, DeploymentSettings(engine_cpus=2, replicas=3))
    first, second = (
        request.body["engine_config"]["engine"] for request in platform.requests("pipelines/deploy")
    )
    assert (first["cpu"], first["replicas"]) == (0.25, 1)
    assert (second["cpu"], second["replicas"]) == (2, 3)


def test_deploying_what_runs_already_makes_no_new_version(gateway, platform, ann):
    _deployable(platform)
    _deploy(gateway, ann)
    stored = platform.requests("pipelines/deploy")[0].body["engine_config"]
    _deployable(platform, deployed=True, config=stored)
    again = _deploy(gateway, ann)
    assert again.already_running
    assert len(platform.requests("pipelines/create")) == 1
    assert not _deploy(gateway, ann, DeploymentSettings(replicas=2)).already_running


def test_a_deployment_in_error_is_deployed_again(gateway, platform, ann):
    _deployable(platform)
    _deploy(gateway, ann)
    stored = platform.requests("pipelines/deploy")[0].body["engine_config"]
    _deployable(platform, deployed=True, config=stored, status="Error")
    assert not _deploy(gateway, ann).already_running


@pytest.mark.parametrize("path", ["/v1/api/pipelines/deploy", "/v1/api/pipelines/create"])
def test_a_refused_deploy_carries_the_platforms_reason(gateway, platform, ann, path):
    _deployable(platform)
    platform.scripts[path] = (400, {"msg": "not enough CPU on this cluster", "code": 400})
    with pytest.raises(DeployFailed) as caught:
        _deploy(gateway, ann)
    assert "not enough CPU" in caught.value.message


def test_a_print_of_the_sdk_that_fails_does_not_fail_a_deploy(gateway, platform, ann, monkeypatch):
    _deployable(platform)
    gateway.status(ann, PIPELINE)  # loads the SDK, whose import wants a stdout

    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert _deploy(gateway, ann).version == "v-9"


def test_undeploy_returns_once_the_request_is_accepted(gateway, platform, ann):
    deployed = [True]

    def undeploy(_body):
        deployed[0] = False
        return 200, {}

    def record(_body):
        return {"pipeline_by_pk": deployment(deployed=deployed[0])}

    platform.scripts[GRAPHQL] = graphql(DashboardDeployment=record)
    platform.scripts["/v1/api/pipelines/undeploy"] = undeploy
    platform.scripts[STATUS] = (200, {"status": "Running"})
    gateway.undeploy(ann, PIPELINE)
    assert [seen.body for seen in platform.requests("undeploy")] == [{"deployment_id": 5}]
    assert platform.requests("get_deployment") == [], "it would wait here for up to 45 s"
    assert gateway.status(ann, PIPELINE).state is PipelineState.STOPPING


def test_an_undeploy_that_was_accepted_is_not_undone_by_a_look_that_fails(gateway, platform, ann):
    def undeploy(_body):
        platform.scripts[GRAPHQL] = (500, {"msg": "boom"})
        return 200, {}

    record = deployment(deployed=True)
    platform.scripts[GRAPHQL] = graphql(DashboardDeployment={"pipeline_by_pk": record})
    platform.scripts["/v1/api/pipelines/undeploy"] = undeploy
    gateway.undeploy(ann, PIPELINE)
    assert len(platform.requests("undeploy")) == 1


def test_a_deploy_that_was_accepted_is_told_after_an_answer_that_fails(gateway, platform, ann):
    _deployable(platform)
    answer, failed = platform.scripts[GRAPHQL], list[bool]()

    def fail_once(body):
        if "DashboardPipeline(" in str(body) and not failed:
            failed.append(True)
            return 500, {"msg": "boom"}
        return answer(body)

    platform.scripts[GRAPHQL] = fail_once
    assert _deploy(gateway, ann).version == "v-9"
    assert failed


def test_a_page_that_is_not_found_is_no_pipeline_that_is_gone(gateway, platform, ann):
    platform.scripts[GRAPHQL] = (404, "<html>default backend - 404</html>")
    with pytest.raises(PlatformUnreachable):
        gateway.status(ann, PIPELINE)
    with pytest.raises(PlatformUnreachable):
        gateway.get_pipeline(ann, workspace_id=1, name=PIPELINE.name)


def test_a_refused_undeploy_is_an_error(gateway, platform, ann):
    record = deployment(deployed=True)
    platform.scripts[GRAPHQL] = graphql(DashboardDeployment={"pipeline_by_pk": record})
    platform.scripts["/v1/api/pipelines/undeploy"] = (403, {"msg": "not yours", "code": 403})
    with pytest.raises(AccessDenied):
        gateway.undeploy(ann, PIPELINE)


def _uploadable(platform, *status_words):
    """Let the platform take an upload and tell these statuses, one after the other."""
    words = list(status_words)
    row = {"id": 8, "model_id": "mine", "model_version": "u-8", "sha": "s", "error_summary": "bad"}

    def version(_body):
        word = words.pop(0) if len(words) > 1 else words[0]
        return {"model_by_pk": {**row, "status": word}}

    accepted = {"insert_models": {"returning": [{"models": [{"id": 8}]}]}}
    stored = {"model_version": {"model_version": {"id": 8}, "config": {"id": 2}}}
    platform.scripts["/v1/api/models/upload_and_convert"] = (202, accepted)
    platform.scripts["/v1/api/models/get_version_by_id"] = (200, stored)
    platform.scripts[GRAPHQL] = graphql(DashboardModelVersion=version)


def _upload(gateway, ann, file_name="model.zip"):
    return gateway.upload_model(ann, NewModel(1, "mine", file_name, io.BytesIO(b"zip" * 1000)))


def test_an_upload_is_over_when_the_platform_says_ready(gateway, platform, ann):
    _uploadable(platform, "pending_load_container", "ready")
    made = _upload(gateway, ann, file_name="C:\\my models\\..\\summary.zip")
    assert (made.version_id, made.status) == (8, "ready")
    (sent,) = platform.requests("upload_and_convert")
    assert '"workspace_id": 1' in sent.body
    assert 'filename="summary.zip"' in sent.body


def test_a_conversion_that_failed_is_an_error_with_its_reason(gateway, platform, ann):
    _uploadable(platform, "error")
    with pytest.raises(InvalidInput) as caught:
        _upload(gateway, ann)
    assert caught.value.field == "file"
    assert "bad" in caught.value.message


def test_a_refused_upload_is_an_error(gateway, platform, ann):
    _uploadable(platform, "ready")
    platform.scripts["/v1/api/models/upload_and_convert"] = (400, {"msg": "no zip", "code": 400})
    with pytest.raises(InvalidInput) as caught:
        _upload(gateway, ann)
    assert "no zip" in caught.value.message


LOGS = "/v1/logs/topic/the-topic/records"


def _log(rows):
    schema = pa.schema(
        [
            ("time", pa.int64()),
            ("out.summary_text", pa.string()),
            ("metadata.elapsed", pa.list_(pa.uint64())),
            ("metadata.dropped", pa.list_(pa.string())),
        ],
        metadata={"status": json.dumps({"status": "RecordLimited", "next": None})},
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("dropped", [[], ["in.image"], None])
def test_the_log_is_plain_rows_with_metadata(gateway, platform, ann, dropped):
    row = {
        "time": 1795355056259,
        "out.summary_text": "Short.",
        "metadata.elapsed": [1, 2],
        "metadata.dropped": dropped,
    }
    platform.scripts["/v1/api/plateau/get_topic_name"] = (200, {"topic_name": "the-topic"})
    platform.scripts[LOGS] = (200, _log([row]))
    assert gateway.logs(ann, PIPELINE, limit=1) == (row,)


def test_an_empty_log_is_no_error(gateway, platform, ann):
    platform.scripts["/v1/api/plateau/get_topic_name"] = (200, {"topic_name": "the-topic"})
    platform.scripts[LOGS] = (200, _log([]))
    assert gateway.logs(ann, PIPELINE) == ()


def test_a_pipeline_without_a_log_has_no_rows(gateway, platform, ann):
    platform.scripts["/v1/api/plateau/get_topic_name"] = (200, {"topic_name": "the-topic"})
    assert gateway.logs(ann, PIPELINE) == ()


def test_a_log_that_may_not_be_read_is_denied(gateway, platform, ann):
    platform.scripts["/v1/api/plateau/get_topic_name"] = (403, {"msg": "not yours", "code": 403})
    with pytest.raises(AccessDenied):
        gateway.logs(ann, PIPELINE)
