"""The dashboard with an idle guard whose minutes are short, and no browser.

What `HASTY_DO` names is done as soon as it is signed in, as a click would.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa

from dashboard import __main__ as entry
from dashboard import runtime
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.table import Passport
from dashboard.services.guard_state import Pace
from tests.support.waiting import wait_until

MINUTE_S, MINUTES, DO = "HASTY_MINUTE_S", "HASTY_MINUTES", "HASTY_DO"
TEXTS = [f"Shop {number} sold {number * 7} loaves on market day." for number in range(40)]


def _click() -> None:
    wait_until(runtime.is_started, within_s=30, what="the runtime is started")
    current = runtime.current()
    wait_until(current.is_ready, within_s=30, what="the dashboard has signed in")
    who, gateway = current.identity(), current.gateway()
    (pipeline,) = gateway.list_pipelines(who)
    (model,) = gateway.list_models(who, pipeline.workspace_id)
    current.deployments.deploy(
        who,
        pipeline,
        model_version=model.versions[0],
        settings=DeploymentSettings(sidekick_cpus=0.25, sidekick_memory="512Mi"),
        idle_minutes=int(os.environ[MINUTES]),
    )
    if "run" in os.environ[DO]:
        _run(current)


def _run(current: runtime.Runtime) -> None:
    who, gateway = current.identity(), current.gateway()
    (pipeline,) = gateway.list_pipelines(who)
    (model,) = gateway.list_models(who, pipeline.workspace_id)
    rooms = gateway.list_workspaces(who)
    room = next(one for one in rooms if one.workspace_id == pipeline.workspace_id)
    now = datetime.now(UTC)
    draft = Passport("", "press", room.workspace_id, 0, (), 1, "f" * 64, now, 1.0, "JSON records")
    saved = current.tables.save(who, draft, pa.table({"inputs": pa.array(TEXTS, pa.string())}))
    current.runs.submit(
        who,
        table_id=saved.table_id,
        pipeline=pipeline,
        model_version=model.versions[0],
        workspace=room,
        replicas=1,
    )


if __name__ == "__main__":
    setattr(runtime, "Pace", partial(Pace, minute_s=float(os.environ[MINUTE_S])))  # noqa: B010 - a class is replaced, which an assignment may not
    if os.environ.get(DO):
        threading.Thread(target=_click, daemon=True).start()
    sys.exit(entry.main())
