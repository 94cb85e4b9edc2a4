"""How orchestrations, tasks and runs look in answers."""

from __future__ import annotations

from typing import Final

from dashboard.sandbox.shapes import CREATED_ON_VERSION
from dashboard.sandbox.store import Row, Store
from dashboard.sandbox.store.tasks import CRON_JOB, NETWORK_SERVICE, ONESHOT

#: Runs that an answer about a task brings along.
FEW_RUNS: Final = 5

_IMAGE: Final = "sandbox/arbex-orch-deploy"
_FLAVORS: Final = {
    ONESHOT: "exec_orch_oneshot",
    CRON_JOB: "exec_orch_cron_job",
    NETWORK_SERVICE: "exec_orch_network_service",
}


def orchestration_json(row: Row) -> Row:
    """Return an orchestration, under the names REST and GraphQL share."""
    return {
        "id": row["id"],
        "workspace_id": row["workspace_id"],
        "sha": row["sha"],
        "name": row["name"],
        "file_name": row["file_name"],
        "file_size": row["file_size"],
        "task_id": row["task_id"],
        "owner_id": row["owner_id"],
        "created_by": row["owner_id"],
        "status": row["status"],
        "image_path": _IMAGE,
        "created_on_version": CREATED_ON_VERSION,
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def task_json(store: Store, row: Row, *, run_limit: int = FEW_RUNS) -> Row:
    """Return a task with its last runs.

    The newest run stands last: that is where the SDK looks for the state of the last run.
    """
    runs = store.tasks.runs(row["id"], limit=run_limit)
    answer: Row = {
        "name": row["name"],
        "id": row["id"],
        "image": _IMAGE,
        "image_tag": CREATED_ON_VERSION,
        "bind_secrets": [],
        "extra_env_vars": {
            "ORCH_ID": row["orchestration_id"],
            "ORCH_OWNER_ID": row["owner_id"],
            "ORCH_SHA": row["orchestration_sha"],
            "TASK_DEBUG": "true" if row["debug"] else "false",
            "TASK_ID": row["id"],
        },
        "auth_init": True,
        "workspace_id": row["workspace_id"],
        "flavor": _FLAVORS.get(row["kind"], "pack_orchestration"),
        "exec_type": "job",
        "run_type": row["kind"],
        "reap_threshold_secs": row["timeout_s"],
        "status": row["status"],
        "input_data": store.tasks.arguments(row["id"]),
        "killed": bool(row["killed"]),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "last_runs": [run_json(run) for run in reversed(runs)],
    }
    return answer if row["schedule"] is None else answer | {"schedule": row["schedule"]}


def run_json(row: Row) -> Row:
    """Return a run of a task."""
    return {
        "run_id": row["id"],
        "status": row["status"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
