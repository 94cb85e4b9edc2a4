"""Models: get, list, versions, configurations, and what happened at the upload."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from starlette.requests import Request

from dashboard.sandbox import shapes
from dashboard.sandbox.bodies import Body
from dashboard.sandbox.context import Json, sandbox_of
from dashboard.sandbox.errors import BadRequest
from dashboard.sandbox.routes.access import (
    chosen_workspaces,
    is_mine,
    my_model,
    my_model_version,
)
from dashboard.sandbox.routes.calls import Id, call, reading
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.routes.workspaces import workspace_json
from dashboard.sandbox.store import Row, Store

_DEFAULT_LOG_LINES = 1000
#: What a model is without its versions.
_ALONE = ("id", "name", "owner_id", "created_at", "updated_at")


class ModelId(Body):
    """A model."""

    id: Id


class NamedModel(Body):
    """A model by its name; the wire calls that `model_id` here."""

    model_id: str
    workspace_id: Id


class EitherModel(Body):
    """A model by its number, or by its name in any workspace of the sender's."""

    model_id: str | None = None
    models_pk_id: Id | None = None


class Scope(Body):
    """All workspaces, or one of them."""

    workspace_id: Id | None = None
    workspace_name: str | None = None


class ConfigOfVersion(Body):
    """A model *version*: the wire calls its id `model_id` here."""

    model_id: Id


class VersionId(Body):
    """A model version."""

    model_version_id: Id


class UploadLogs(VersionId):
    """How many of the last lines."""

    lines: Annotated[int, Field(ge=0, le=100_000)] | None = None


#: Text as the database can keep it: a stated length makes pydantic refuse lone surrogates.
_Text = Annotated[str, Field(max_length=1024 * 1024)]


class NewConfig(VersionId):
    """A configuration; what is left out stays as it was."""

    # The SDK refuses to read a list with any other runtime in it.
    runtime: Literal["onnx", "tensorflow", "flight", "mlflow"] | None = None
    tensor_fields: list[str] | None = None
    filter_threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    input_schema: _Text | None = None
    output_schema: _Text | None = None
    batch_config: _Text | None = None
    dynamic_batching_config: dict[str, Json] | None = None
    continuous_batching_config: dict[str, Json] | None = None
    # The wire asks for it under another name than it is given by.
    openai: dict[str, Json] | None = Field(default=None, alias="openai_config")


def get_model(request: Request, body: ModelId) -> object:
    """Return a model with its versions, newest first."""
    store = sandbox_of(request).store
    model = my_model(request, body.id)
    workspace = store.workspaces.get(model["workspace_id"]) or {}
    return _model_json(model, workspace, store.models.versions_of([model["id"]]))


def list_models(request: Request, body: Scope) -> object:
    """Return the models of one or all of the sender's workspaces, newest first."""
    store = sandbox_of(request).store
    workspaces = chosen_workspaces(request, body.workspace_id, body.workspace_name)
    models = store.models.of_workspaces(list(workspaces))
    versions = store.models.versions_of([row["id"] for row in models])
    configs = store.models.configs_of([row["id"] for each in versions.values() for row in each])
    return {
        "models": [
            # The names of the model itself stand outside, too, as older instances had them: the
            # platform's guides for programs without the SDK still read them there.
            {name: row[name] for name in _ALONE}
            | {
                "model": _model_json(row, workspaces[row["workspace_id"]], versions),
                "workspace": workspace_json(workspaces[row["workspace_id"]]),
                "model_versions": [
                    shapes.rest_version(each, row, configs.get(each["id"]))
                    for each in versions.get(row["id"], [])
                ],
            }
            for row in models
        ]
    }


def get_model_alone(request: Request, body: ModelId) -> object:
    """Return a model without its versions, and the configuration of the newest one."""
    models = sandbox_of(request).store.models
    model = models.get(body.id)
    if model is None or not is_mine(request, model["workspace_id"]):
        raise BadRequest("The provided model id was not found.")
    versions = models.versions_of([model["id"]]).get(model["id"], [])
    config = models.config_of(versions[0]["id"]) if versions else None
    return {name: model[name] for name in (*_ALONE, "workspace_id")} | {
        "model_config": None if config is None else shapes.rest_config(config)
    }


def list_versions(request: Request, body: EitherModel) -> object:
    """Return the versions of one model, newest first.

    A name goes before a number: scripts send the number that an upload gave them beside it, and
    that is a version's.
    """
    store = sandbox_of(request).store
    if body.model_id is not None:
        workspaces = chosen_workspaces(request, None, None)
        listed = store.models.of_workspaces(list(workspaces))
        named = [model for model in listed if model["name"] == body.model_id]
        models = [model for model in named if model["id"] == body.models_pk_id] or named
    elif body.models_pk_id is not None:
        models = [my_model(request, body.models_pk_id)]
    else:
        raise BadRequest("model_id: neither it nor models_pk_id was given")
    versions = store.models.versions_of([model["id"] for model in models])
    return [
        shapes.graph_version(version, model)
        for model in models
        for version in versions.get(model["id"], [])
    ]


def list_versions_for_model(request: Request, body: NamedModel) -> object:
    """Return one model of a workspace with its versions, as a list of models does."""
    listed = list_models(request, Scope(workspace_id=body.workspace_id))
    assert isinstance(listed, dict)  # noqa: S101  # as built above
    return {"models": [item for item in listed["models"] if item["model"]["name"] == body.model_id]}


def get_config(request: Request, body: ConfigOfVersion) -> object:
    """Return the configuration that counts for a version."""
    version, model = my_model_version(request, body.model_id)
    store = sandbox_of(request).store
    config = store.models.config_of(version["id"]) or store.models.add_config(version["id"], {})
    return {"model_config": _config_json(store, config, version, model)}


def insert_config(request: Request, body: NewConfig) -> object:
    """Add a configuration; it keeps what the last one said and this one leaves out."""
    version, model = my_model_version(request, body.model_version_id)
    store = sandbox_of(request).store
    before = store.models.config_of(version["id"])
    kept = {} if before is None else _settings(before)
    given = body.model_dump(exclude={"model_version_id"}, exclude_none=True)
    config = store.models.add_config(version["id"], kept | given)
    return {"model_config": _config_json(store, config, version, model)}


def get_version(request: Request, body: VersionId) -> object:
    """Return one version and its configuration."""
    version, model = my_model_version(request, body.model_version_id)
    config = sandbox_of(request).store.models.config_of(version["id"])
    return {"model_version": shapes.rest_version(version, model, config)}


def get_upload_logs(request: Request, body: UploadLogs) -> object:
    """Return the last lines of what happened to an upload, oldest first."""
    version, _ = my_model_version(request, body.model_version_id)
    lines = _DEFAULT_LOG_LINES if body.lines is None else body.lines
    return {"logs": sandbox_of(request).store.models.upload_log(version["id"], lines)}


def _model_json(model: Row, workspace: Row, versions: dict[int, list[Row]]) -> Row:
    return {
        "id": model["id"],
        "name": model["name"],
        "owner_id": model["owner_id"],
        "workspace_id": model["workspace_id"],
        "workspace": {"id": workspace["id"], "name": workspace["name"]},
        "created_at": model["created_at"],
        "updated_at": model["updated_at"],
        "models": [
            shapes.inline_version(each, model, workspace) for each in versions.get(model["id"], [])
        ],
    }


def _config_json(store: Store, config: Row, version: Row, model: Row) -> Row:
    workspace = store.workspaces.get(model["workspace_id"]) or {}
    inline = shapes.inline_version(version, model, workspace)
    return shapes.rest_config(config) | {"model": inline}


def _settings(config: Row) -> Row:
    kept = shapes.rest_config(config)
    return {name: kept[name] for name in kept if name not in ("id", "model_version_id")}


ROUTES: tuple[Entry, ...] = (
    Entry("POST", f"{API}/models/get", reading(ModelId, get_model), "get_model, Model.*"),
    Entry("POST", f"{API}/models/get_by_id", reading(ModelId, get_model_alone)),
    Entry("POST", f"{API}/models/list", reading(Scope, list_models), "list_models"),
    Entry("POST", f"{API}/models/list_versions", reading(EitherModel, list_versions)),
    Entry(
        "POST",
        f"{API}/models/list_versions_for_model",
        reading(NamedModel, list_versions_for_model),
    ),
    Entry("POST", f"{API}/models/get_model_version_by_id", reading(VersionId, get_version)),
    Entry(
        "POST",
        f"{API}/models/get_config_by_id",
        call(ConfigOfVersion, get_config),
        "ModelVersion.config, Pipeline.add_model_step",
    ),
    Entry(
        "POST",
        f"{API}/models/insert_model_config",
        call(NewConfig, insert_config),
        "ModelVersion.configure",
    ),
    Entry(
        "POST",
        f"{API}/models/get_version_by_id",
        call(VersionId, get_version),
        "upload_model",
    ),
    Entry(
        "POST",
        f"{API}/models/get_upload_logs",
        call(UploadLogs, get_upload_logs),
        "ModelVersion.get_upload_logs",
    ),
)
