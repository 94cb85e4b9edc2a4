"""What is read of one pipeline that somebody has open: its last inference, its processes' logs."""

from __future__ import annotations

from datetime import datetime

from dashboard.domain.identity import Identity
from dashboard.domain.log_times import moment_of
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.settings_json import variable_values
from dashboard.masking import REDACTOR
from dashboard.services.catalog import GatewayOf
from dashboard.services.reads import Query

_LOG_FRESH_S = 15.0
_POD_LOG_FRESH_S = 3.0


def last_inference(gateway: GatewayOf, who: Identity, pipeline: Pipeline) -> Query[datetime | None]:
    """Return when the platform's log saw the newest inference, UTC; None without any."""

    def load() -> datetime | None:
        rows = gateway().log_page(who, pipeline, limit=1).rows
        return moment_of(rows[0].get("time")) if rows else None

    return Query((who.key, "last_inference", pipeline.pipeline_id), load, _LOG_FRESH_S)


def pod_log(
    gateway: GatewayOf, who: Identity, pipeline: Pipeline, pod_name: str
) -> Query[tuple[str, ...]]:
    """Return what a sidekick has written, newest first; empty where the platform does not tell."""

    def load() -> tuple[str, ...]:
        platform = gateway()
        deployment = platform.deployment(who, pipeline)
        # A model may write what it was given. Who gave it may have been another program, or this
        # one before a restart: the values have to be known before they can be left out.
        if deployment is not None:
            REDACTOR.register(list(variable_values(deployment.engine_config)))
        return platform.pod_log(who, pipeline, pod_name)

    return Query((who.key, "pod_log", pipeline.pipeline_id, pod_name), load, _POD_LOG_FRESH_S)
