"""The platform's own REST interface as its guides use it, without the SDK's objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests
import wallaroo


def main() -> None:
    wl = wallaroo.Client()
    facts: dict[str, Any] = {}

    def post(path: str, body: object = None, **more: Any) -> Any:
        answer = requests.post(
            f"{wl.api_endpoint}/v1/api/{path}",
            headers=wl.auth.auth_header(),
            timeout=30,
            **(more or {"json": {} if body is None else body}),
        )
        return answer.json() if answer.content else {"code": answer.status_code}

    listed = post("users/query", {})
    facts["users"] = sorted(next(iter(listed["users"].values()))) if "users" in listed else listed
    workspace = post("workspaces/create", {"workspace_name": "by-rest"})
    facts["workspace"] = sorted(workspace)
    number = workspace["workspace_id"]
    people(post, number, facts)
    model = models(post, number, facts)
    pipelines(wl, post, number, model, facts)
    streamed(wl, post, number, facts)
    deletions(wl, post, number, model, facts)
    print(json.dumps(facts, default=str))


def people(post: Any, workspace: int, facts: dict[str, Any]) -> None:
    post("users/invite", {"email": "rest@example.com", "password": "a password"})
    body = {"email": "rest@example.com", "workspace_id": workspace}
    facts["added"] = "code" not in post("workspaces/add_user", body)
    facts["members"] = [
        each["user_type"]
        for each in post("workspaces/list_users", {"workspace_id": workspace}).get("users", [])
    ]
    post("workspaces/remove_user", {"workspace_id": workspace, "email": "rest@example.com"})
    facts["members left"] = len(
        post("workspaces/list_users", {"workspace_id": workspace}).get("users", [])
    )
    for act in ("deactivate", "activate"):
        answer = post(f"users/{act}", {"email": "rest@example.com"})
        facts[act] = answer.get("code", "done")


def models(post: Any, workspace: int, facts: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        "name": "by-rest",
        "visibility": "public",
        "workspace_id": workspace,
        "conversion": {"framework": "onnx", "python_version": "3.8", "requirements": []},
    }
    uploaded = post(
        "models/upload_and_convert",
        files={
            "metadata": (None, json.dumps(metadata), "application/json"),
            "file": (
                "by-rest",
                Path("./models/rf_model.onnx").read_bytes(),
                "application/octet-stream",
            ),
        },
    )
    facts["upload"] = sorted(uploaded)
    version = uploaded["insert_models"]["returning"][0]["models"][0]["id"]
    found = post("models/get_version_by_id", {"model_version_id": version})
    name = found["model_version"]["model_version"]["name"]
    facts["version"] = [name, found["model_version"]["model_version"].get("status")]
    listed = post("models/list", {"workspace_id": workspace})
    pk = listed["models"][0]["model"]["id"]
    versions = post("models/list_versions", {"model_id": "by-rest", "models_pk_id": pk})
    facts["list_versions"] = sorted(versions[0]) if isinstance(versions, list) else versions
    by_id = post("models/get_by_id", {"id": pk})
    facts["get_by_id"] = by_id.get("name", by_id)
    config = post("models/get_config_by_id", {"model_id": version})
    facts["config"] = config["model_config"]["runtime"] if "model_config" in config else config
    shown = found["model_version"]["model_version"]
    return {
        "id": version,
        "name": name,
        "version": shown["file_info"]["version"],
        "sha": shown["file_info"]["sha"],
    }


def pipelines(
    wl: Any, post: Any, workspace: int, model: dict[str, Any], facts: dict[str, Any]
) -> None:
    step = {key: model[key] for key in ("name", "version", "sha")}
    definition = {"steps": [{"ModelInference": {"models": [step]}}]}
    made = post(
        "pipelines/create",
        {"pipeline_id": "by-rest", "workspace_id": workspace, "definition": definition},
    )
    facts["pipeline"] = sorted(made)
    deployed = post(
        "pipelines/deploy",
        {
            "deploy_id": "by-rest",
            "pipeline_version_pk_id": made["pipeline_variant_pk_id"],
            "model_ids": [model["id"]],
            "pipeline_id": made["pipeline_pk_id"],
            "engine_config": {"engine": {"cpu": 0.25, "resources": {}}},
        },
    )
    facts["deploy"] = sorted(deployed)
    pipeline = wl.pipelines_by_name("by-rest")[0]
    pipeline._deployment_for_pipeline().wait_for_running()
    status = post("status/get_deployment", {"name": f"by-rest-{deployed['id']}"})
    facts["status"] = status.get("status")
    names = {"workspace_id": workspace, "pipeline_name": "by-rest"}
    external = post("admin/get_pipeline_external_url", names)
    facts["external"] = external["url"] == pipeline.url()
    internal = post("admin/get_pipeline_internal_url", names)
    facts["internal"] = list(internal)
    answer = requests.post(
        external["url"],
        headers=wl.auth.auth_header() | {"Content-Type": "application/json; format=pandas-records"},
        json=[{"tensor": [1.0, 1.0, 3.0, *[0.0] * 15]}],
        timeout=20,
    ).json()
    facts["inference"] = [sorted(answer[0]), answer[0]["out"]["variable"]]
    facts["undeploy"] = post(
        "pipelines/undeploy",
        {"pipeline_id": made["pipeline_pk_id"], "deployment_id": deployed["id"]},
    )
    copied = post(
        "pipelines/copy",
        {"name": "copied", "workspace_id": workspace, "source_pipeline": made["pipeline_pk_id"]},
    )
    facts["copy"] = copied.get("code", sorted(copied))
    named = {"pipeline_id": "by-rest", "workspace_id": workspace}
    versions = post("pipelines/list_pipeline_versions", named)["pipeline_versions"]
    facts["pipeline versions"] = [each["pipeline_version"]["id"] for each in versions]
    facts["features"] = post("features/list")["features"]


def streamed(wl: Any, post: Any, workspace: int, facts: dict[str, Any]) -> None:
    """A model whose bytes are the body, and nothing else is."""
    answer = requests.post(
        f"{wl.api_endpoint}/v1/api/models/upload_stream",
        headers=wl.auth.auth_header() | {"Content-Type": "application/octet-stream"},
        params={"name": "streamed", "filename": "rf_model.onnx", "workspace_id": str(workspace)},
        data=Path("./models/rf_model.onnx").read_bytes(),
        timeout=30,
    ).json()
    version = answer["insert_models"]["returning"][0]["models"][0]["id"]
    found = post("models/get_version_by_id", {"model_version_id": version})
    facts["streamed"] = found["model_version"]["model_version"]["status"]


def deletions(
    wl: Any, post: Any, workspace: int, model: dict[str, Any], facts: dict[str, Any]
) -> None:
    """What runs is kept; what does not is deleted, with all that belongs to it."""
    one = {"model_versions": [model["version"]], "confirm_delete": True}
    pipeline = wl.pipelines_by_name("by-rest")[0].deploy(wait_for_status=False)
    facts["in use"] = post("models/delete_model_versions", one)["code"]
    pipeline.undeploy()
    facts["deleted"] = [
        sorted(post("models/delete_model_versions", one)),
        sorted(
            post("pipelines/delete_pipeline", {"pipeline_id": "by-rest", "workspace_id": workspace})
        ),
        sorted(
            post(
                "models/delete_model",
                {"model_id": "by-rest", "workspace_id": workspace, "confirm_delete": True},
            )
        ),
    ]
    listed = wl.list_pipelines(workspace_id=workspace), wl.list_models(workspace_id=workspace)
    facts["left"] = [[each.name() for each in some] for some in listed]
    facts["no such model"] = post("models/get_by_id", {"id": 2**31})


if __name__ == "__main__":
    main()
