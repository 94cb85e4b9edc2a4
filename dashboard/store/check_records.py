"""What the database keeps of checks of connections, and since when their details are what they are.

Two records at most for each connection: its newest test and its newest real use.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from dashboard.domain.check import Check, CheckKind, Stage, StageResult, StageState
from dashboard.domain.detail_tree import Path
from dashboard.store.schema import CHECKS, DETAIL_TIMES
from dashboard.store.texts import storable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dashboard.store.database import Store

_LONGEST_MARK: Final = 64
_LONGEST_TEXT: Final = 1000
_LARGEST_COUNT: Final = 2**63 - 1
_AT_ONCE: Final = 500
#: The cause of a failure by which the source is known to look at the sign-in.
_ASKED: Final = "unauthorised"
_STAGES: Final = {stage.value: stage for stage in Stage}
_STATES: Final = {state.value: state for state in StageState}
_KINDS: Final = {kind.value: kind for kind in CheckKind}

#: In the order of the fields of `Check`, as `_check` takes them.
_WITHOUT_STAGES: Final = select(*(column for column in CHECKS.columns if column.name != "stages"))
_WITH_STAGES: Final = _WITHOUT_STAGES.add_columns(CHECKS.c.stages)


class CheckRecords:
    """Reads and writes checks. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, check: Check) -> Check:
        """Keep a check in the place of the one of its kind before; return it with its history.

        `last_passed_at`, `failing_since` and `asked_at` of what is given are not looked at: they
        follow from what was kept before.
        """
        try:
            return self._keep(check)
        except IntegrityError:
            # Another process wrote the first one at the same moment: it is there to update now.
            return self._keep(check)

    def of(self, connection_id: str) -> tuple[Check, ...]:
        """Return the newest check of each kind, newest first."""
        with self._store.read() as connection:
            found = self._of(connection, storable(connection_id, most=_LONGEST_MARK))
        return tuple(sorted(found, key=lambda check: check.at, reverse=True))

    def all(self) -> Mapping[str, Sequence[Check]]:
        """Return every check there is, by the connection's id, without their stages.

        Ten thousand are read in the time of a glance, which their stages would double.
        """
        by_connection: dict[str, list[Check]] = defaultdict(list)
        with self._store.read() as connection:
            for records in connection.execute(_WITHOUT_STAGES).partitions(_AT_ONCE):
                for record in records:
                    by_connection[record.connection_id].append(self._check(record))
        return by_connection

    def times(self, connection_id: str) -> Mapping[str, datetime]:
        """Return the kept times of a connection's details, by `path_mark`."""
        key = storable(connection_id, most=_LONGEST_MARK)
        found = select(DETAIL_TIMES.c.path_mark, DETAIL_TIMES.c.set_at).where(
            DETAIL_TIMES.c.connection_id == key
        )
        with self._store.read() as connection:
            return {record.path_mark: record.set_at for record in connection.execute(found)}

    def carry(
        self,
        old_id: str,
        new_id: str,
        *,
        checks: Sequence[Check] = (),
        times: Mapping[str, datetime],
    ) -> None:
        """Forget one connection and keep these checks and times for the one in its place."""
        key = storable(new_id, most=_LONGEST_MARK)
        rows = [
            {"connection_id": key, "path_mark": mark, "set_at": set_at}
            for mark, set_at in times.items()
        ]
        with self._store.write() as connection:
            for gone in dict.fromkeys((old_id, new_id)):
                _forget(connection, storable(gone, most=_LONGEST_MARK))
            for start in range(0, len(rows), _AT_ONCE):
                connection.execute(insert(DETAIL_TIMES), rows[start : start + _AT_ONCE])
            for check in checks:
                self._write(connection, replace(check, connection_id=key))

    def forget(self, connection_id: str) -> None:
        """Drop everything that is known of a connection."""
        with self._store.write() as connection:
            _forget(connection, storable(connection_id, most=_LONGEST_MARK))

    # Inside one transaction

    def _keep(self, check: Check) -> Check:
        key = storable(check.connection_id, most=_LONGEST_MARK)
        with self._store.write() as connection:
            known = self._of(connection, key)
            kept = _with_history(check, known)
            self._write(connection, replace(kept, connection_id=key))
        return kept

    def _of(self, connection: Connection, key: str) -> list[Check]:
        found = connection.execute(_WITH_STAGES.where(CHECKS.c.connection_id == key))
        return [self._check(record[:-1], _stages(record.stages)) for record in found]

    def _write(self, connection: Connection, check: Check) -> None:
        key = {"connection_id": check.connection_id, "kind": check.kind.value}
        values = self._record(check)
        same = and_(*(CHECKS.c[name] == value for name, value in key.items()))
        if connection.execute(update(CHECKS).where(same).values(**values)).rowcount == 0:
            connection.execute(insert(CHECKS), {**key, **values})

    # Between rows of the database and values of the domain

    def _record(self, check: Check) -> dict[str, Any]:
        field = None if check.field is None else storable(check.field, most=_LONGEST_MARK)
        stages = [[one.stage.value, one.state.value, one.elapsed_ms] for one in check.stages]
        return {
            "checked_at": check.at,
            "passed": check.passed,
            "cause_code": storable(check.cause_code, most=_LONGEST_MARK),
            "field": field,
            "told_sealed": self._sealed(check),
            "stages": json.dumps(stages, separators=(",", ":")),
            "total_ms": check.total_ms,
            "format": storable(check.format, most=_LONGEST_MARK),
            "rows": min(check.rows, _LARGEST_COUNT),
            "last_passed_at": check.last_passed_at,
            "failing_since": check.failing_since,
            "asked_at": check.asked_at,
        }

    def _check(self, record: Sequence[Any], stages: tuple[StageResult, ...] = ()) -> Check:
        # In one go: looking up each of ten thousand rows' columns by name takes twice as long.
        key, kind, at, passed, cause_code, field, told, *rest = record
        message, hint = self._opened(key, kind, told) if told is not None else ("", "")
        return Check(key, _KINDS[kind], at, passed, cause_code, message, hint, field, stages, *rest)

    def _sealed(self, check: Check) -> bytes | None:
        if not check.message and not check.hint:
            return None
        told = [storable(text, most=_LONGEST_TEXT) for text in (check.message, check.hint)]
        binding = _binding(check.connection_id, check.kind.value)
        return self._store.seal_text(json.dumps(told), bound_to=binding)

    def _opened(self, connection_id: str, kind: str, sealed: bytes) -> tuple[str, str]:
        message, hint = json.loads(
            self._store.open_text(sealed, bound_to=_binding(connection_id, kind))
        )
        return message, hint


def path_mark(path: Path) -> str:
    """Return the mark that a path is kept under: its SHA-256, which tells nothing of it."""
    return hashlib.sha256(json.dumps(path).encode()).hexdigest()


def _binding(connection_id: str, kind: str) -> str:
    return f"check:{connection_id}:{kind}"


def _stages(text: str) -> tuple[StageResult, ...]:
    return tuple(
        StageResult(_STAGES[stage], _STATES[state], elapsed_ms)
        for stage, state, elapsed_ms in json.loads(text)
    )


def _with_history(check: Check, known: Sequence[Check]) -> Check:
    asked = [one.asked_at for one in known if one.asked_at is not None]
    # A token that cannot be sent fails by the same cause, before the source was reached.
    done = {one.stage for one in check.stages if one.state is StageState.DONE}
    if check.cause_code == _ASKED and Stage.CONNECT in done:
        asked.append(check.at)
    check = replace(check, asked_at=max(asked, default=None))
    before = next((one for one in known if one.kind is check.kind), None)
    if check.passed:
        return replace(check, last_passed_at=check.at, failing_since=None)
    last_passed_at = before.last_passed_at if before is not None else None
    since = before.failing_since if before is not None and not before.passed else None
    # A pass of the other kind in between ends a row of failures too.
    passes = [one.last_passed_at for one in known if one.last_passed_at is not None]
    if since is None or any(passed_at > since for passed_at in passes):
        since = check.at
    return replace(check, last_passed_at=last_passed_at, failing_since=since)


def _forget(connection: Connection, key: str) -> None:
    for table in (CHECKS, DETAIL_TIMES):
        connection.execute(delete(table).where(table.c.connection_id == key))
