"""What the database keeps of requests and deploys under way, for the dashboards that share it.

A stop of a pipeline and a use of it exclude each other, whichever dashboard they come from: who
stops a pipeline claims it (`GuardRecords.claim_stop`) in a transaction that finds no use, and a
use begins in one that finds no claim. Writers come one after the other, so that one sees the other.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, exists, insert, or_, select, update

from dashboard.store.schema import GUARDS, PIPELINE_USES

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from dashboard.store.database import Store


class UseRecords:
    """Reads and writes what is under way. Checks nobody's access.

    Parameters
    ----------
    owner
        A name of this process that no other one has.
    """

    def __init__(self, store: Store, *, owner: str) -> None:
        self._store = store
        self.owner = owner

    def begin(self, use_id: str, pipeline_id: int, *, now: datetime, until: datetime) -> bool:
        """Note a use that holds until `until` without a renewal.

        False while the pipeline is being stopped: then nothing is written.
        """
        stopped = exists().where(GUARDS.c.pipeline_id == pipeline_id, GUARDS.c.stopping_until > now)
        values = {
            "use_id": use_id,
            "pipeline_id": pipeline_id,
            "owner": self.owner,
            "until": until,
        }
        with self._store.write() as connection:
            if connection.scalar(select(stopped)):
                return False
            # Left by processes that died.
            connection.execute(delete(PIPELINE_USES).where(PIPELINE_USES.c.until <= now))
            connection.execute(insert(PIPELINE_USES), values)
        return True

    def renew(self, use_ids: Collection[str], *, until: datetime) -> None:
        """Say that these are still under way."""
        held = PIPELINE_USES.c.use_id.in_(list(use_ids))
        with self._store.write() as connection:
            connection.execute(update(PIPELINE_USES).where(held).values(until=until))

    def end(self, use_id: str, pipeline_id: int, *, used_at: datetime | None) -> None:
        """Forget a use that is over.

        Parameters
        ----------
        used_at
            The last inference, which the pipeline's guard counts from; None without any.
        """
        with self._store.write() as connection:
            connection.execute(delete(PIPELINE_USES).where(PIPELINE_USES.c.use_id == use_id))
            if used_at is not None:
                is_news = and_(
                    GUARDS.c.pipeline_id == pipeline_id,
                    GUARDS.c.armed_at <= used_at,
                    or_(GUARDS.c.used_at.is_(None), GUARDS.c.used_at < used_at),
                )
                connection.execute(update(GUARDS).where(is_news).values(used_at=used_at))


def used_elsewhere(pipeline_id: int, *, owner: str, now: datetime) -> ColumnElement[bool]:
    """Return the condition that another process uses the pipeline."""
    return exists().where(
        PIPELINE_USES.c.pipeline_id == pipeline_id,
        PIPELINE_USES.c.owner != owner,
        PIPELINE_USES.c.until > now,
    )
