"""What the first model of a deployed pipeline reads, as far as the platform tells.

A converted model comes with a schema; a native one may have been told its tensors' names, or
nothing at all.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from dashboard.domain.pipeline import Pipeline
from dashboard.domain.table import ColumnFacts
from dashboard.gateway.clients import SdkObject, Session

_LOG = logging.getLogger(__name__)

_INPUTS = """
query DashboardModelInputs($id: bigint!) {
  pipeline_by_pk(id: $id) {
    id
    deployment {
      id
      deployment_model_configs {
        model_config { id input_schema tensor_fields model { id model_version } }
      }
    }
  }
}"""


def model_inputs(session: Session, pipeline: Pipeline) -> tuple[ColumnFacts, ...]:
    """Return the columns of the pipeline's first model; none where the platform does not tell.

    The type of a column that is known by its name alone is empty.
    """
    steps = pipeline.versions[0].steps if pipeline.versions else ()
    first = steps[0].model_version if steps else ""
    record = session.query(_INPUTS, id=pipeline.pipeline_id)["pipeline_by_pk"] or {}
    deployment = record.get("deployment") or {}
    for config in _configs(deployment.get("deployment_model_configs")):
        model = config.get("model") or {}
        if model.get("model_version") == first:
            return _schema(session.sdk.arrow, config) or columns_named(config.get("tensor_fields"))
    return ()


def _configs(rows: object) -> Iterable[Mapping[str, Any]]:
    for row in rows if isinstance(rows, list) else ():
        config = row.get("model_config") if isinstance(row, Mapping) else None
        if isinstance(config, Mapping):
            yield config


def _schema(arrow: SdkObject, config: Mapping[str, Any]) -> tuple[ColumnFacts, ...]:
    return columns_of(arrow, config.get("input_schema"))


def columns_of(arrow: SdkObject, text: object) -> tuple[ColumnFacts, ...]:
    """Return the columns of a schema as the platform stores it; none where it cannot be read."""
    if not isinstance(text, str) or not text:
        return ()
    try:
        message = base64.b64decode(text, validate=True)
        schema = arrow.ipc.read_schema(arrow.py_buffer(message))
    except Exception as exc:  # noqa: BLE001 - a stranger's bytes; without them nothing is told
        _LOG.warning("a model's schema could not be read (%s)", type(exc).__name__)
        return ()
    return tuple(ColumnFacts(str(field.name), str(field.type)) for field in schema)


def columns_named(fields: object) -> tuple[ColumnFacts, ...]:
    """Return the columns of a list of names, without types; none where it is no such list."""
    names = fields if isinstance(fields, list) else []
    return tuple(ColumnFacts(name, "") for name in names if isinstance(name, str) and name)
