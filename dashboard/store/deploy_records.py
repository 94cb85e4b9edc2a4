"""What the database keeps of the deploys that were asked for here.

Names and times are in clear; the settings are sealed, because a sidekick's environment may hold
tokens.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, insert, select, update

from dashboard.domain.deploy_record import Deployer, DeployRecord
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.settings_json import engine_config, settings_of
from dashboard.errors import DashboardError
from dashboard.store.schema import DEPLOYS
from dashboard.store.texts import storable

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, RowMapping, Update

    from dashboard.store.database import Store

_LONGEST_NAME: Final = 500
_LONGEST_ID: Final = 64
#: Any key will do: it stands for the one sidekick.
_IMAGE: Final = "sidekick"


class DeployRecords:
    """Reads and writes deploys. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def insert(self, record: DeployRecord) -> int:
        """Keep a deploy, end those before it of the same pipeline, and return its id.

        The `deploy_id` of what is given is not looked at.
        """
        values = {
            "pipeline_id": record.pipeline_id,
            "pipeline_name": storable(record.pipeline_name, most=_LONGEST_NAME),
            "workspace_id": record.workspace_id,
            "workspace_name": storable(record.workspace_name, most=_LONGEST_NAME),
            "version": storable(record.version, most=_LONGEST_ID),
            "model_name": storable(record.model_name, most=_LONGEST_NAME),
            "model_version": storable(record.model_version, most=_LONGEST_ID),
            "who_id": storable(record.who_id, most=_LONGEST_NAME),
            "who": storable(record.who, most=_LONGEST_NAME),
            "at": record.at,
            "settings_sealed": self._sealed(record),
            "ready_after_s": record.ready_after_s,
            "ended_at": record.ended_at,
        }
        with self._store.write() as connection:
            connection.execute(_ending(record.pipeline_id, record.at))
            made = connection.execute(insert(DEPLOYS), values).inserted_primary_key
        assert made is not None  # noqa: S101 - the database gives one
        return int(made[0])

    def ready(self, deploy_id: int, after_s: float) -> None:
        """Keep how long it took until it answered."""
        with self._store.write() as connection:
            connection.execute(
                update(DEPLOYS)
                .where(DEPLOYS.c.deploy_id == deploy_id)
                .values(ready_after_s=after_s)
            )

    def version(self, pipeline_id: int) -> str:
        """Return the version of a pipeline's deploy that is not over; empty without one."""
        newest = (
            select(DEPLOYS.c.version)
            .where(_not_over(pipeline_id))
            .order_by(DEPLOYS.c.deploy_id.desc())
            .limit(1)
        )
        with self._store.read() as connection:
            return str(connection.scalar(newest) or "")

    def end(self, pipeline_id: int, at: datetime, *, version: str) -> bool:
        """End the deploy of one version if it is not over; return whether it was not.

        A later deploy, of another dashboard maybe, is none of that.
        """
        same = DEPLOYS.c.version == storable(version, most=_LONGEST_ID)
        with self._store.write() as connection:
            return bool(connection.execute(_ending(pipeline_id, at).where(same)).rowcount)

    def end_before(self, pipeline_id: int, at: datetime, *, asked_at: datetime) -> bool:
        """End what was deployed before `asked_at` and is not over; whether there was anything."""
        earlier = DEPLOYS.c.at <= asked_at
        with self._store.write() as connection:
            return bool(connection.execute(_ending(pipeline_id, at).where(earlier)).rowcount)

    def last(self, pipeline_id: int, *, who_id: str) -> DeployRecord | None:
        """Return the newest deploy of a pipeline by one person."""
        found = self._some(
            and_(DEPLOYS.c.pipeline_id == pipeline_id, _by(who_id)), limit=1, newest_first=True
        )
        return found[0] if found else None

    def deployer(self, pipeline_id: int, name: str, version: str) -> Deployer | None:
        """Return who deployed a version of a pipeline, or None if it was nobody from here."""
        same = and_(
            DEPLOYS.c.pipeline_id == pipeline_id,
            DEPLOYS.c.pipeline_name == storable(name, most=_LONGEST_NAME),
            DEPLOYS.c.version == storable(version, most=_LONGEST_ID),
        )
        wanted = select(DEPLOYS.c.who_id, DEPLOYS.c.who).where(same)
        with self._store.read() as connection:
            found = connection.execute(wanted.limit(1)).one_or_none()
        return None if found is None else Deployer(found.who_id, found.who)

    def not_ended(self, *, who_id: str) -> tuple[DeployRecord, ...]:
        """Return what one person deployed and nobody has ended from here, oldest first."""
        return self._some(and_(DEPLOYS.c.ended_at.is_(None), _by(who_id)))

    def starts_s(self, pipeline_id: int, *, most: int) -> tuple[float, ...]:
        """Return how long the newest starts of a pipeline took, newest first."""
        newest = (
            select(DEPLOYS.c.ready_after_s)
            .where(DEPLOYS.c.pipeline_id == pipeline_id, DEPLOYS.c.ready_after_s.is_not(None))
            .order_by(DEPLOYS.c.deploy_id.desc())
            .limit(most)
        )
        with self._store.read() as connection:
            return tuple(connection.scalars(newest))

    def drop(self, *, before: datetime) -> int:
        """Drop ended deploys from before a time; return how many."""
        old = and_(DEPLOYS.c.at < before, DEPLOYS.c.ended_at.is_not(None))
        with self._store.write() as connection:
            return connection.execute(delete(DEPLOYS).where(old)).rowcount

    def _some(
        self, which: ColumnElement[bool], *, limit: int = 1000, newest_first: bool = False
    ) -> tuple[DeployRecord, ...]:
        order = DEPLOYS.c.deploy_id.desc() if newest_first else DEPLOYS.c.deploy_id
        wanted = select(DEPLOYS).where(which).order_by(order).limit(limit)
        with self._store.read() as connection:
            return tuple(self._record(row) for row in connection.execute(wanted).mappings())

    def _record(self, row: RowMapping) -> DeployRecord:
        told: dict[str, Any] = dict(row)
        sealed = told.pop("settings_sealed")
        return DeployRecord(**told, settings=self._opened(sealed, row["at"], row["version"]))

    def _sealed(self, record: DeployRecord) -> bytes | None:
        if record.settings is None:
            return None
        told = engine_config(record.settings, _IMAGE, value_of=lambda one: one.value.reveal())
        return self._store.seal_text(json.dumps(told), bound_to=_binding(record.at))

    def _opened(
        self, sealed: bytes | None, at: datetime, version: str
    ) -> DeploymentSettings | None:
        try:
            told = self._store.open_text(sealed, bound_to=_binding(at))
            return settings_of(json.loads(told), version=version) if told else None
        except (DashboardError, ValueError):
            # Everything else of it is worth telling all the same.
            return None


def _not_over(pipeline_id: int) -> ColumnElement[bool]:
    return and_(DEPLOYS.c.pipeline_id == pipeline_id, DEPLOYS.c.ended_at.is_(None))


def _ending(pipeline_id: int, at: datetime) -> Update:
    return update(DEPLOYS).where(_not_over(pipeline_id)).values(ended_at=at)


def _by(who_id: str) -> ColumnElement[bool]:
    return DEPLOYS.c.who_id == storable(who_id, most=_LONGEST_NAME)


def _binding(at: datetime) -> str:
    # The id is not known before the record is written.
    return f"deploy:{at.timestamp():.6f}"
