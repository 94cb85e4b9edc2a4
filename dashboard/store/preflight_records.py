"""What the database keeps of preflights: how the last one of each person and subject ended."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, insert, select

from dashboard.domain.preflight import KeptPreflight, Mark, Step, StepResult, Subject, Way
from dashboard.errors import DashboardError
from dashboard.store.schema import PREFLIGHTS
from dashboard.store.texts import storable

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from dashboard.store.database import Store

_LONGEST_ID: Final = 64
_LONGEST_TEXT: Final = 1000


class PreflightRecords:
    """Reads and writes how preflights ended. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, who_id: str, subject: Subject, kept: KeptPreflight) -> None:
        """Keep how one ended, in the place of the one before."""
        steps = [
            [
                one.step.name,
                one.mark.name,
                one.elapsed_ms,
                storable(one.told, most=_LONGEST_TEXT),
                storable(one.hint, most=_LONGEST_TEXT),
                one.way.name,
            ]
            for one in kept.steps
        ]
        key = _key(who_id, subject)
        values = {
            **key,
            "ended_at": kept.ended_at,
            "version_id": kept.version_id,
            "steps_sealed": self._store.seal_text(
                json.dumps(steps), bound_to=_binding(key, kept.ended_at)
            ),
        }
        with self._store.write() as connection:
            connection.execute(delete(PREFLIGHTS).where(_is(key)))
            connection.execute(insert(PREFLIGHTS), values)

    def last(self, who_id: str, subject: Subject) -> KeptPreflight | None:
        """Return how the last one ended; None without one, or if it cannot be read any more."""
        key = _key(who_id, subject)
        with self._store.read() as connection:
            found = connection.execute(select(PREFLIGHTS).where(_is(key))).first()
        if found is None:
            return None
        try:
            binding = _binding(key, found.ended_at)
            told = json.loads(self._store.open_text(found.steps_sealed, bound_to=binding))
            steps = tuple(
                StepResult(Step[step], Mark[mark], elapsed_ms, told, hint, Way[way])
                for step, mark, elapsed_ms, told, hint, way in told
            )
        except (DashboardError, KeyError, TypeError, ValueError):
            return None
        return KeptPreflight(found.ended_at, found.version_id, steps)

    def drop(self, *, before: datetime) -> int:
        """Drop those that ended before a time; return how many."""
        with self._store.write() as connection:
            old = delete(PREFLIGHTS).where(PREFLIGHTS.c.ended_at < before)
            return connection.execute(old).rowcount


def _key(who_id: str, subject: Subject) -> dict[str, Any]:
    return {
        "who_mark": hashlib.sha256(who_id.encode("utf-8", "replace")).hexdigest(),
        "workspace_id": subject.workspace_id,
        "connection_id": storable(subject.connection_id, most=_LONGEST_ID),
        "pipeline_id": subject.pipeline_id,
    }


def _is(key: dict[str, Any]) -> ColumnElement[bool]:
    return and_(*(PREFLIGHTS.c[name] == value for name, value in key.items()))


def _binding(key: dict[str, Any], ended_at: datetime) -> str:
    told = ":".join(str(value) for value in key.values())
    return f"preflight:{told}:{ended_at.timestamp():.6f}"
