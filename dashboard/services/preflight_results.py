"""How preflights ended, kept over a restart of the dashboard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from dashboard.domain.identity import Identity
from dashboard.domain.preflight import (
    KeptPreflight,
    Mark,
    PreflightView,
    Step,
    StepResult,
    Subject,
)
from dashboard.errors import DashboardError
from dashboard.masking import REDACTOR
from dashboard.store.preflight_records import PreflightRecords

KEPT_FOR: Final = timedelta(days=400)
#: What the failure of another step tells may quote the table: names of columns, a text.
_MAY_BE_KEPT: Final = (Step.REACHABLE, Step.RUNNING)
_LOG = logging.getLogger(__name__)


class PreflightResults:
    """Writes and reads them. Never raises: what was found was found, kept or not."""

    def __init__(self, records: PreflightRecords, now: Callable[[], datetime]) -> None:
        self._records = records
        self._now = now

    def keep(
        self, who: Identity, subject: Subject, version_id: int, steps: Sequence[StepResult]
    ) -> None:
        """Keep how one ended, without what its words may quote of the table."""
        kept = KeptPreflight(self._now(), version_id, tuple(map(_without_content, steps)))
        try:
            self._records.keep(who.user_id, subject, kept)
            self._records.drop(before=kept.ended_at - KEPT_FOR)
        except Exception as exc:  # noqa: BLE001 - see the docstring
            _LOG.warning("how a preflight ended was not kept: %s", type(exc).__name__)

    def last(self, who: Identity, subject: Subject) -> tuple[PreflightView, int] | None:
        """Return how the last one ended, and the number of the version that was walked."""
        try:
            kept = self._records.last(who.user_id, subject) if who.user_id else None
        except DashboardError:
            return None
        if kept is None or len(kept.steps) != len(Step):
            return None
        age_s = max(0.0, (self._now() - kept.ended_at).total_seconds())
        view = PreflightView(kept.steps, age_s=age_s, is_from_before=True)
        return view, kept.version_id


def _without_content(one: StepResult) -> StepResult:
    if one.mark is Mark.FAILED and one.step not in _MAY_BE_KEPT:
        return replace(one, told="It failed then. Run it again to see why.", hint="")
    return replace(one, told=REDACTOR.redact_told(one.told), hint=REDACTOR.redact_told(one.hint))
