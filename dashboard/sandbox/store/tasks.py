"""Tasks, their runs, and what the runs wrote. Arguments and logs are sealed at rest."""

from __future__ import annotations

import json
import uuid
from typing import Final

from dashboard.sandbox.store.database import Database, Row
from dashboard.vault import Vault

#: The kinds of a task; the first three are the SDK's words.
ONESHOT: Final = "Oneshot"
CRON_JOB: Final = "CronJob"
NETWORK_SERVICE: Final = "NetworkService"
PACKAGING: Final = "Packaging"

#: The states of a task.
PENDING: Final = "pending"
STARTED: Final = "started"
PAUSED: Final = "paused"
PENDING_KILL: Final = "pending_kill"
KILLED: Final = "killed"

#: The states of a run; `killed` is one as well.
RUNNING: Final = "running"
SUCCESS: Final = "success"
FAILURE: Final = "failure"
TIMED_OUT: Final = "timed_out"

#: How often a log is looked through for what is too old: with every so many parts, or a large one,
#: which is more than one in so many of all that is kept.
_LOOK_EVERY: Final = 16
_LARGE_PART: Final = 32

_UNSEALED: Final = (
    "number, id, orchestration_id, orchestration_sha, name, kind, schedule, timeout_s, debug, "
    "status, killed, owner_id, workspace_id, created_at, updated_at"
)


class Tasks:
    """Orders to run an orchestration, and the runs that came of them."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add(self, values: Row, arguments: object) -> Row:
        """Add a task.

        Parameters
        ----------
        values
            `orchestration_id, orchestration_sha, kind, owner_id, workspace_id`, and where they
            differ from nothing `id, name, schedule, timeout_s, debug`.
        arguments
            JSON for the program.
        """
        now = self._database.now()
        row: Row = {
            "id": str(uuid.uuid4()),
            "name": None,
            "schedule": None,
            "timeout_s": None,
            "debug": 0,
            "status": PENDING,
            "killed": 0,
            "created_at": now,
            "updated_at": now,
        } | values
        sealed = self._vault.seal(json.dumps(arguments).encode(), bound_to=_bound_to(row["id"]))
        self._database.insert("tasks", row | {"arguments": sealed})
        return row

    def get(self, task_id: str) -> Row | None:
        """Return one task, without its arguments."""
        return self._database.one(f"SELECT {_UNSEALED} FROM tasks WHERE id = ?", (task_id,))  # noqa: S608  # names are ours

    def arguments(self, task_id: str) -> object:
        """Return the arguments of a task; none if the task is gone."""
        row = self._database.one("SELECT arguments FROM tasks WHERE id = ?", (task_id,))
        if row is None:
            return {}
        return json.loads(self._vault.open(row["arguments"], bound_to=_bound_to(task_id)))

    def of_workspaces(self, workspace_ids: list[int], *, with_killed: bool) -> list[Row]:
        """Return the tasks of some workspaces, the one changed last first."""
        marks = ", ".join("?" * len(workspace_ids))
        return self._database.all(
            f"SELECT {_UNSEALED} FROM tasks WHERE workspace_id IN ({marks}) "  # noqa: S608  # ours
            "AND kind <> ? AND killed <= ? ORDER BY updated_at DESC, number DESC",
            (*workspace_ids, PACKAGING, int(with_killed)),
        )

    def of_orchestration(self, orchestration_id: str) -> list[Row]:
        """Return every task of an orchestration, its packaging as well."""
        return self._database.all(
            f"SELECT {_UNSEALED} FROM tasks WHERE orchestration_id = ? ORDER BY number",  # noqa: S608  # names are ours
            (orchestration_id,),
        )

    def of_kind(self, kind: str, *statuses: str) -> list[Row]:
        """Return the tasks of a kind that are in one of these states, oldest first."""
        marks = ", ".join("?" * len(statuses))
        return self._database.all(
            f"SELECT {_UNSEALED} FROM tasks WHERE kind = ? AND status IN ({marks}) "  # noqa: S608  # ours
            "ORDER BY number",
            (kind, *statuses),
        )

    def set_status(self, task_id: str, status: str) -> None:
        """Move a task to another state."""
        self._database.run(
            "UPDATE tasks SET status = ?, killed = ?, updated_at = ? WHERE id = ?",
            (status, int(status == KILLED), self._database.now(), task_id),
        )

    def pause(self, task_id: str, *, is_paused: bool) -> bool:
        """Pause a task or let it go on; say whether it did, which no killed one does."""
        changed = self._database.run(
            "UPDATE tasks SET status = ?, updated_at = ? WHERE id = ? AND status IN (?, ?, ?)",
            (
                *(PAUSED if is_paused else STARTED, self._database.now(), task_id),
                *(PENDING, STARTED, PAUSED),
            ),
        )
        return changed > 0

    def start(self, task_id: str) -> None:
        """Say that a task has begun; one that was killed or paused meanwhile stays so."""
        self._database.run(
            "UPDATE tasks SET status = ?, updated_at = ? WHERE id = ? AND status = ?",
            (STARTED, self._database.now(), task_id, PENDING),
        )

    def delete_of(self, orchestration_id: str) -> None:
        """Forget the tasks of an orchestration, their runs and their logs."""
        self._database.run("DELETE FROM tasks WHERE orchestration_id = ?", (orchestration_id,))

    def add_run(self, task_id: str, *, session_id: str | None, kept: int) -> str:
        """Add a run under way and return its id; all but the newest `kept` runs are forgotten.

        `session_id` names the log-in of the run, which ends with it.
        """
        now = self._database.now()
        run_id = str(uuid.uuid4())
        with self._database.transaction():
            self._database.insert(
                "task_runs",
                {
                    "id": run_id,
                    "task_id": task_id,
                    "session_id": session_id,
                    "status": RUNNING,
                    "created_at": now,
                    "updated_at": now,
                },
            )
            self._database.run(
                "DELETE FROM task_runs WHERE task_id = ?1 AND number NOT IN (SELECT number FROM "
                "task_runs WHERE task_id = ?1 ORDER BY number DESC LIMIT ?2)",
                (task_id, kept),
            )
        return run_id

    def end_run(self, run_id: str, status: str) -> None:
        """Say how a run ended."""
        self._database.run(
            "UPDATE task_runs SET status = ?, updated_at = ? WHERE id = ?",
            (status, self._database.now(), run_id),
        )

    def run(self, run_id: str) -> Row | None:
        """Return one run."""
        return self._database.one("SELECT * FROM task_runs WHERE id = ?", (run_id,))

    def runs(self, task_id: str, *, limit: int, status: str | None = None) -> list[Row]:
        """Return the newest runs of a task, the newest first."""
        return self._database.all(
            "SELECT * FROM task_runs WHERE task_id = ?1 AND (?2 IS NULL OR status = ?2) "
            "ORDER BY number DESC LIMIT ?3",
            (task_id, status, limit),
        )

    def under_way(self) -> list[Row]:
        """Return the runs that have not ended."""
        return self._database.all("SELECT * FROM task_runs WHERE status = ?", (RUNNING,))

    def add_lines(self, run_id: str, lines: list[str], *, kept_bytes: int) -> None:
        """Add lines to a run's log; of the whole, about the newest `kept_bytes` are kept."""
        sealed = self._vault.seal(json.dumps(lines).encode(), bound_to=_bound_to(run_id))
        with self._database.transaction():
            if self.run(run_id) is None:
                return
            values = {"run_id": run_id, "lines": sealed}
            number = self._database.insert("task_run_lines", values)
            if number % _LOOK_EVERY and len(sealed) < kept_bytes // _LARGE_PART:
                return
            self._database.run(
                "DELETE FROM task_run_lines WHERE run_id = ?1 AND number NOT IN (SELECT number "
                "FROM (SELECT number, sum(length(lines)) OVER (ORDER BY number DESC) - "
                "length(lines) AS newer FROM task_run_lines WHERE run_id = ?1) WHERE newer < ?2)",
                (run_id, kept_bytes),
            )

    def lines(self, run_id: str, limit: int | None) -> list[str]:
        """Return the last lines of a run's log (all that are kept, without a limit), in order."""
        found: list[str] = []
        rows = self._database.all(
            "SELECT lines FROM task_run_lines WHERE run_id = ? ORDER BY number", (run_id,)
        )
        for row in rows:
            found += json.loads(self._vault.open(row["lines"], bound_to=_bound_to(run_id)))
        return found if limit is None else found[max(len(found) - limit, 0) :]


def _bound_to(row_id: str) -> str:
    return f"task:{row_id}"
