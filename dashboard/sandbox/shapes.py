"""How models and pipelines look in answers, for REST and GraphQL alike.

REST answers carry the GraphQL names as extra keys: the SDK takes what it needs from them and
makes no further request per item.
"""

from __future__ import annotations

from collections.abc import Iterable

from dashboard.sandbox.store import Row, Store

CREATED_ON_VERSION = "2026.1.3"


def graph_version(version: Row, model: Row) -> Row:
    """Return a model version under its GraphQL names."""
    return {
        "id": version["id"],
        "created_on_version": CREATED_ON_VERSION,
        "model_id": model["name"],
        "model_version": version["version"],
        "models_pk_id": model["id"],
        "sha": version["sha"],
        "status": version["status"],
        "error_summary": version["error_summary"],
        "file_name": version["file_name"],
        "image_path": version["image_path"],
        "owner_id": version["owner_id"],
        "created_at": version["created_at"],
        "updated_at": version["updated_at"],
        "visibility": version["visibility"],
        "conversion": version["conversion"],
    }


def rest_version(version: Row, model: Row, config: Row | None) -> Row:
    """Return a model version and its configuration as the newer REST calls spell them."""
    return {
        "model_version": {
            "id": version["id"],
            "name": model["name"],
            "file_info": {
                "file_name": version["file_name"] or "",
                "sha": version["sha"],
                "size": version["size_bytes"],
                "version": version["version"],
            },
            "status": version["status"],
            "visibility": version["visibility"],
            "workspace_id": model["workspace_id"],
            "conversion": version["conversion"],
            "created_at": version["created_at"],
            "error_summary": version["error_summary"],
            "image_path": version["image_path"],
        },
        "config": None if config is None else rest_config(config),
    }


def rest_config(config: Row) -> Row:
    """Return a model configuration; its model is left to the caller."""
    names = (
        "id",
        "model_version_id",
        "runtime",
        "tensor_fields",
        "filter_threshold",
        "input_schema",
        "output_schema",
        "batch_config",
        "dynamic_batching_config",
        "continuous_batching_config",
        "openai",
    )
    return {name: config[name] for name in names}


def inline_version(version: Row, model: Row, workspace: Row) -> Row:
    """Return a model version with all the SDK would otherwise ask for, its tags aside.

    The SDK keeps what it was given: tags that are put on later must show, as on an instance.
    """
    conversion = version["conversion"]
    return graph_version(version, model) | {
        "arch": conversion.get("arch"),
        "accel": conversion.get("accel"),
        "model": {
            "id": model["id"],
            "name": model["name"],
            "workspace": {"id": workspace["id"], "name": workspace["name"]},
        },
    }


def inline_pipelines(
    store: Store, pipelines: list[Row], workspaces: dict[int, Row]
) -> Iterable[Row]:
    """Yield each pipeline with its versions, tags and workspace, under both sets of names."""
    versions = store.pipelines.versions_of([row["id"] for row in pipelines])
    for row in pipelines:
        workspace = workspaces[row["workspace_id"]]
        yield {
            "id": row["id"],
            "name": row["name"],
            "pipeline_id": row["name"],
            "owner_id": row["owner_id"],
            "visibility": row["visibility"],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "pipeline_tags": tags(store, store.tags.of_pipeline(row["id"]), "tag_pk_id"),
            "workspace": {"id": workspace["id"], "name": workspace["name"]},
            "pipeline_versions": [
                _inline_pipeline_version(store, each) for each in versions.get(row["id"], [])
            ],
        }


def tags(store: Store, links: list[Row], key: str) -> list[Row]:
    """Return links to tags with the tags in them."""
    return [{"tag": store.tags.get(link[key])} for link in links]


def _inline_pipeline_version(store: Store, version: Row) -> Row:
    return {
        "id": version["id"],
        "version": version["version"],
        "created_at": version["created_at"],
        "updated_at": version["updated_at"],
        "definition": version["definition"],
        "deployment_model_configs": [
            {"model_config": _inline_config(store, link["model_config_id"])}
            for link in store.pipelines.configs_of_version(version["id"])
        ],
        "pipeline_publishes": [],
    }


def _inline_config(store: Store, config_id: int) -> Row:
    config = store.models.config(config_id)
    version = None if config is None else store.models.version(config["model_version_id"])
    model = None if version is None else store.models.get(version["model_pk"])
    if config is None or version is None or model is None:
        return {"id": config_id}
    named = {"id": model["id"], "name": model["name"]}
    return {"id": config_id, "model": {"id": version["id"], "model": named}}
