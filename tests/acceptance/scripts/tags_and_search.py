"""Tags on models and pipelines, and every way to look for something."""

from __future__ import annotations

import datetime
import json
from typing import Any

import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework
from wallaroo.object import EntityNotFoundError


def main() -> None:
    wl = wallaroo.Client()
    workspace = wl.create_workspace("finders")
    wl.set_current_workspace(workspace)
    first = wl.upload_model("finder-one", "./models/rf_model.onnx", framework=Framework.ONNX)
    second = wl.upload_model("finder-two", "./models/xgb_model.onnx", framework=Framework.ONNX)
    again = wl.upload_model("finder-two", "./models/gbr_model.onnx", framework=Framework.ONNX)
    pipeline = wl.build_pipeline("finder-pipeline").add_model_step(first)
    facts: dict[str, Any] = {}
    tags(wl, first, pipeline, facts)
    models(wl, workspace, [first, second, again], facts)
    pipelines(wl, workspace, pipeline, facts)
    workspaces(wl, workspace, facts)
    print(json.dumps(facts, default=str))


def tags(wl: Any, model: Any, pipeline: Any, facts: dict[str, Any]) -> None:
    tag = wl.create_tag("finder-tag")
    tag.add_to_model(model.id())
    tag.add_to_pipeline(pipeline.id())
    facts["on the model"] = [each.tag() for each in wl.get_model("finder-one").tags()]
    facts["on the pipeline"] = [each.tag() for each in wl.get_pipeline("finder-pipeline").tags()]
    facts["tag's models"] = [each.id() == model.id() for each in tag.list_model_versions()]
    facts["tag's pipelines"] = [each.name() for each in tag.list_pipelines()]
    facts["listed"] = [each.tag() for each in wl.list_tags() if each.tag() == "finder-tag"]
    facts["tag table"] = "finder-pipeline" in wl.list_tags()._repr_html_()
    facts["found by tag"] = [
        [each.name() for each in wl.search_models("finder-tag")],
        [each.pipeline().name() for each in wl.search_pipelines("finder-tag")],
    ]
    tag.remove_from_model(model.id())
    tag.remove_from_pipeline(pipeline.id())
    facts["taken off"] = [
        len(wl.get_model("finder-one").tags()),
        len(wl.get_pipeline("finder-pipeline").tags()),
    ]


def models(wl: Any, workspace: Any, versions: list[Any], facts: dict[str, Any]) -> None:
    first, second, again = versions
    facts["models"] = sorted(each.name() for each in workspace.models())
    facts["list_models"] = sorted(
        each.name() for each in wl.list_models(workspace_id=workspace.id())
    )
    facts["newest first"] = [each.id() for each in wl.list_models()[0].versions()] in (
        [again.id(), second.id()],
        [first.id()],
    )
    facts["search_models"] = len(wl.search_models("finder-two", workspace_name="finders"))
    facts["by sha"] = first.id() in [each.id() for each in wl.search_models(first.sha())]
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    facts["before"] = len(wl.search_model_versions("finder", uploaded_time_end=long_ago))
    facts["since"] = len(wl.search_model_versions("finder", uploaded_time_start=long_ago))
    facts["get_model"] = wl.get_model("finder-two").id() == again.id()
    facts["get_model version"] = (
        wl.get_model("finder-two", version=second.version()).id() == second.id()
    )
    facts["model_by_name"] = wl.model_by_name("finder-one", first.version()).id() == first.id()
    facts["model_version_by_name"] = (
        wl.model_version_by_name("finder-one", first.version()).id() == first.id()
    )
    try:
        wl.model_by_name("finder-one", "00000000-0000-0000-0000-000000000000")
    except EntityNotFoundError:
        facts["no such version"] = "EntityNotFoundError"
    try:
        wl.get_model("finder-three")
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        facts["no such model"] = str(exc)
    facts["tables"] = ["finder-one" in wl.list_models()._repr_html_(), bool(first._repr_html_())]


def pipelines(wl: Any, workspace: Any, pipeline: Any, facts: dict[str, Any]) -> None:
    facts["not deployed"] = len(wl.search_pipelines("finder-pipeline", deployed=True))
    config = DeploymentConfigBuilder().cpus(0.25).memory("512Mi").build()
    pipeline.deploy(deployment_config=config)
    facts["deployed"] = len(wl.search_pipelines("finder-pipeline", deployed=True)) > 0
    facts["search in workspace"] = len(
        wl.search_pipelines("finder-pipeline", workspace_id=workspace.id())
    )
    facts["search versions"] = len(wl.search_pipeline_versions("finder-pipeline"))
    facts["by model's name"] = len(wl.search_pipelines("finder-one")) > 0
    facts["by name"] = [each.name() for each in wl.pipelines_by_name("finder-pipeline")]
    facts["in the workspace"] = [each.name() for each in workspace.pipelines()]
    facts["listed pipelines"] = [
        each.name() for each in wl.list_pipelines(workspace_name="finders")
    ]
    deployment = wl.deployment_by_name("finder-pipeline")
    facts["deployment"] = [deployment.name(), deployment.deployed()]
    facts["in list_deployments"] = deployment.id() in [each.id() for each in wl.list_deployments()]
    version = pipeline.versions()[-1].name()
    fetched = wl.get_pipeline("finder-pipeline", version=version)
    facts["fetched version"] = fetched.name()
    facts["table"] = "finder-pipeline" in wl.list_pipelines()._repr_html_()
    facts["versions table"] = (
        version in pipeline.versions()._repr_html_()
        if hasattr(pipeline.versions(), "_repr_html_")
        else True
    )
    for missing in (lambda: wl.get_pipeline("no-such"), lambda: wl.pipelines_by_name("no-such")):
        try:
            missing()
        except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
            facts.setdefault("missing", []).append(type(exc).__name__)
    pipeline.undeploy()


def workspaces(wl: Any, workspace: Any, facts: dict[str, Any]) -> None:
    facts["workspace"] = [
        wl.get_workspace("finders").id() == workspace.id(),
        workspace.archived(),
        workspace.created_by() == wl.auth.user_id(),
    ]
    facts["owner"] = [each.email() for each in workspace.users()] == [wl.auth.user_email()]
    facts["emails"] = wl.get_email_by_id(wl.auth.user_id()) == wl.auth.user_email()
    facts["user table"] = wl.auth.user_email() in wl.list_workspaces()._repr_html_()
    facts["user by email"] = wl.get_user_by_email(wl.auth.user_email()).email()
    facts["user by email"] = facts["user by email"] == wl.auth.user_email()
    facts["nobody"] = wl.get_user_by_email("nobody@example.com")
    facts["all users"] = wl.auth.user_email() in [each.email() for each in wl.list_users()]


if __name__ == "__main__":
    main()
