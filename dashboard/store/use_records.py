"""What the database keeps of requests and deploys under way, for the dashboards that share it.

A stop of a pipeline and a use of it exclude each other, whichever dashboard they come from: who
stops a pipeline claims it (`GuardRecords.claim_stop`) in a transaction that finds no use, and a
use begins in one that finds no claim. Writers come one after the other, so that one sees the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, delete, exists, insert, or_, select, update

from dashboard.store.schema import GUARDS, PIPELINE_USES

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement

    from dashboard.store.database import Store

#: Minutes are usual: what holds for so long was written before a clock was put back.
_TOO_FAR: Final = timedelta(minutes=30)
#: What has held no more for so long was left by a process that died.
_SWEPT_AFTER: Final = timedelta(hours=6)


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

        False while the pipeline is being stopped: then it is not there, also if it was before.
        """
        stopped = exists().where(
            GUARDS.c.pipeline_id == pipeline_id, still_holds(GUARDS.c.stopping_until, now)
        )
        # What is over for a moment only may be under way all the same: its owner was held up.
        is_left = PIPELINE_USES.c.until <= now - _SWEPT_AFTER
        # A renewal may have noted it before.
        is_same = PIPELINE_USES.c.use_id == use_id
        with self._store.write() as connection:
            connection.execute(delete(PIPELINE_USES).where(or_(is_left, is_same)))
            if connection.scalar(select(stopped)):
                return False
            connection.execute(insert(PIPELINE_USES), self._row(use_id, pipeline_id, until))
        return True

    def renew(self, uses: Mapping[str, int], *, until: datetime) -> None:
        """Say that these are still under way; what is not noted, or no more, is from now on.

        Parameters
        ----------
        uses
            The pipeline of each use, by the use's id.
        """
        use_id = PIPELINE_USES.c.use_id
        held = use_id.in_(list(uses))
        with self._store.write() as connection:
            noted = set(connection.scalars(select(use_id).where(held)))
            connection.execute(update(PIPELINE_USES).where(held).values(until=until))
            missing = [self._row(one, uses[one], until) for one in uses if one not in noted]
            if missing:
                connection.execute(insert(PIPELINE_USES), missing)

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

    def _row(self, use_id: str, pipeline_id: int, until: datetime) -> dict[str, object]:
        return {
            "use_id": use_id,
            "pipeline_id": pipeline_id,
            "owner": self.owner,
            "until": until,
        }


def used_elsewhere(pipeline_id: int, *, owner: str, now: datetime) -> ColumnElement[bool]:
    """Return the condition that another process uses the pipeline."""
    return exists().where(
        PIPELINE_USES.c.pipeline_id == pipeline_id,
        PIPELINE_USES.c.owner != owner,
        still_holds(PIPELINE_USES.c.until, now),
    )


def still_holds(until: Column[datetime], now: datetime) -> ColumnElement[bool]:
    """Return the condition that a claim or a use holds; with none at all it is unknown."""
    return and_(until > now, until < now + _TOO_FAR)
