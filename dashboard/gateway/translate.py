"""The platform's words become domain values: GraphQL rows, status trees, SDK connections.

Pure functions without I/O. What comes in is hostile: names are any text, fields may be null or
missing. An SDK object is read by its accessors only; its own text and HTML forms cost requests and
are not escaped.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dashboard.domain.connection import Connection, Description
from dashboard.domain.model import Model, ModelVersion
from dashboard.domain.pipeline import (
    Deployment,
    DeploymentStatus,
    Pipeline,
    PipelineState,
    PipelineStep,
    PipelineVersion,
    Pod,
)
from dashboard.domain.workspace import Workspace
from dashboard.gateway.base import Describe
from dashboard.gateway.clients import Json, SdkObject
from dashboard.masking import REDACTOR

_LOG = logging.getLogger(__name__)

#: A JSON object as the platform sent it: any keys, any values.
Fields = Mapping[str, Any]

_STATES = {
    "Running": PipelineState.RUNNING,
    "Starting": PipelineState.STARTING,
    "Error": PipelineState.ERROR,
    "Stopping": PipelineState.STOPPING,
    "Terminating": PipelineState.STOPPING,
}
#: A sentence in the place of the status, as clients make it for what was never deployed.
_NEVER_DEPLOYED = re.compile(r"Pipeline .* is not deployed", re.DOTALL)


def moment(value: object) -> datetime:
    """Read an ISO-8601 text (or a datetime) as an aware UTC time; the epoch if it is neither."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime):
        return datetime.fromtimestamp(0, UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def connection(sdk_connection: SdkObject, describe: Describe) -> Connection:
    """Read an SDK connection. Its details are described here and then let go."""
    kind = str(sdk_connection.connection_type())
    shown = _described(describe, kind, sdk_connection.details())
    return Connection(
        connection_id=str(sdk_connection.id()),
        name=str(sdk_connection.name()),
        type=kind,
        created_at=moment(sdk_connection.created_at()),
        workspace_names=tuple(str(name) for name in sdk_connection.workspace_names() or ()),
        parts=shown.parts,
        host=shown.host,
    )


def _described(describe: Describe, kind: str, details: Json) -> Description:
    try:
        return describe(kind, details)
    except Exception as exc:  # noqa: BLE001 - one odd connection must not hide all the others
        # The class name only: the text of the exception may hold the details.
        _LOG.warning("a connection could not be described (%s)", type(exc).__name__)
        return Description()


def workspace(fields: Fields) -> Workspace:
    """Read one item of the platform's list of workspaces."""
    return Workspace(
        workspace_id=int(fields["id"]),
        name=str(fields["name"]),
        created_at=moment(fields.get("created_at")),
        created_by=str(fields.get("created_by") or ""),
        archived=bool(fields.get("archived")),
        model_ids=tuple(int(number) for number in fields.get("models") or ()),
        pipeline_ids=tuple(int(number) for number in fields.get("pipelines") or ()),
    )


def model(fields: Fields, workspace_id: int) -> Model:
    """Read a GraphQL `models` row with its `models` (the versions)."""
    name = str(fields["name"])
    versions = [model_version(row, name) for row in fields.get("models") or ()]
    versions.sort(key=lambda version: version.version_id, reverse=True)
    return Model(
        model_id=int(fields["id"]), name=name, workspace_id=workspace_id, versions=tuple(versions)
    )


def model_version(fields: Fields, model_name: str = "") -> ModelVersion:
    """Read a GraphQL `model` row, which is a model version."""
    created = fields.get("created_at")
    return ModelVersion(
        version_id=int(fields["id"]),
        version=str(fields.get("model_version") or ""),
        model_name=str(fields.get("model_id") or model_name),
        sha=str(fields.get("sha") or ""),
        status=str(fields.get("status") or ""),
        file_name=str(fields.get("file_name") or ""),
        image_path=str(fields.get("image_path") or ""),
        created_at=moment(created) if created else None,
        framework=str(fields.get("framework") or ""),
        error_summary=str(fields.get("error_summary") or ""),
    )


def pipeline(fields: Fields) -> Pipeline:
    """Read a GraphQL `pipeline` row with its workspace and versions."""
    room = fields.get("workspace") or {}
    versions = [pipeline_version(row) for row in fields.get("pipeline_versions") or ()]
    versions.sort(key=lambda version: version.version_id, reverse=True)
    return Pipeline(
        pipeline_id=int(fields["id"]),
        name=str(fields["pipeline_id"]),
        workspace_id=int(room.get("id") or 0),
        workspace_name=str(room.get("name") or ""),
        created_at=moment(fields.get("created_at")),
        updated_at=moment(fields.get("updated_at")),
        versions=tuple(versions),
        deployment=_last_deployment(fields),
    )


def _last_deployment(fields: Fields) -> Deployment | None:
    """Read what a list tells of the last deployment; one odd row must not hide all the others."""
    if "deployment" not in fields:
        return None
    row = fields["deployment"]
    if row is None:
        return Deployment(0, deployed=False)
    try:
        told = deployment(row)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    # Lists go from hand to hand, and the variables of a sidekick may hold tokens.
    return replace(told, engine_config=_without_variables(told.engine_config))


def _without_variables(config: Json) -> Json:
    if isinstance(config, list):
        return [_without_variables(one) for one in config]
    if isinstance(config, Mapping):
        return {key: _without_variables(one) for key, one in config.items() if key != "env"}
    return config


def pipeline_version(fields: Fields) -> PipelineVersion:
    """Read a GraphQL `pipeline_version` row."""
    return PipelineVersion(
        version_id=int(fields["id"]),
        version=str(fields["version"]),
        created_at=moment(fields.get("created_at")),
        steps=tuple(_steps(fields.get("definition"))),
    )


def _steps(definition: object) -> Iterable[PipelineStep]:
    """Yield the models of a stored definition, in order. Steps of other kinds have no model."""
    steps = definition.get("steps") if isinstance(definition, Mapping) else None
    for step in steps if isinstance(steps, list) else ():
        inference = step.get("ModelInference") if isinstance(step, Mapping) else None
        models = inference.get("models") if isinstance(inference, Mapping) else None
        for row in models if isinstance(models, list) else ():
            if isinstance(row, Mapping):
                yield PipelineStep(
                    model_name=str(row.get("name") or ""),
                    model_version=str(row.get("version") or ""),
                    sha=str(row.get("sha") or ""),
                )


def deployment(fields: Fields) -> Deployment:
    """Read a GraphQL `deployment` row."""
    config = fields.get("engine_config")
    if isinstance(config, str):
        config = json.loads(config)
    return Deployment(
        deployment_id=int(fields["id"]),
        deployed=bool(fields.get("deployed")),
        engine_config=config if isinstance(config, Mapping) else {},
    )


def status(tree: object, *, wanted: bool) -> DeploymentStatus:
    """Read a status tree. Whatever is missing, null or of another kind counts as not told.

    Parameters
    ----------
    tree
        The platform's answer, unchanged.
    wanted
        Whether the deployment's record says that it is deployed. Without that, whatever still
        answers is on its way out.
    """
    told = tree if isinstance(tree, Mapping) else {}
    word = _text(told.get("status"))
    engines, sidekicks = _pods(told.get("engines")), _pods(told.get("sidekicks"))
    if _NEVER_DEPLOYED.fullmatch(word) and not engines:
        return DeploymentStatus(PipelineState.NOT_DEPLOYED)
    return DeploymentStatus(
        state=_state(word, (*engines, *sidekicks), wanted=wanted),
        platform_word=word,
        details=_texts(told.get("details")),
        engines=engines,
        load_balancers=_pods(told.get("engine_lbs")),
        sidekicks=sidekicks,
        running_versions=_running_versions(told.get("engines")),
    )


def _state(word: str, pods: Sequence[Pod], *, wanted: bool) -> PipelineState:
    if not wanted:
        return PipelineState.STOPPING
    state = _STATES.get(word, PipelineState.STARTING)
    # A pod that has ended well was replaced.
    whole = all(pod.is_running or pod.status == "Succeeded" for pod in pods)
    if state is PipelineState.RUNNING and not whole:
        return PipelineState.DEGRADED
    return state


def _pods(rows: object) -> tuple[Pod, ...]:
    return tuple(
        Pod(
            name=_text(row.get("name")),
            status=_text(row.get("status")),
            reason=_told(row.get("reason")),
            details=_texts(row.get("details")),
            required_cpu=_text(row.get("required_cpu")),
            required_memory=_text(row.get("required_memory")),
            version=next(iter(_running_versions([row])), ""),
            restarts=_count(row.get("restarts")),
        )
        for row in _rows(rows)
    )


def _running_versions(engines: object) -> tuple[str, ...]:
    """UUIDs of the pipeline versions that engines report, each once, in order of appearance."""
    found: dict[str, None] = {}
    for engine in _rows(engines):
        statuses = engine.get("pipeline_statuses")
        for row in _rows(statuses.get("pipelines") if isinstance(statuses, Mapping) else None):
            if row.get("version") and row.get("status") == "Running":
                found[str(row["version"])] = None
    return tuple(found)


def _rows(value: object) -> list[Fields]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _told(value: object) -> str:
    # A process may quote what it was given.
    return REDACTOR.redact_told(_text(value))


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (_told(value),) if value else ()
    return tuple(map(_told, value)) if isinstance(value, list) else ()


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value >= 0 else None


def plain_row(row: Fields) -> dict[str, Any]:
    """One row of an SDK frame as plain Python: times in epoch ms, arrays as lists, gaps as None."""
    return {str(key): _plain(value) for key, value in row.items()}


def _plain(value: SdkObject) -> Json:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    # NaN, and the frame's mark for a missing time, are the only values unequal to themselves.
    if value != value:  # noqa: PLR0124
        return None
    if isinstance(value, datetime):
        return round(value.replace(tzinfo=UTC).timestamp() * 1000)
    return value
