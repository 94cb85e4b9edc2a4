"""The idle guard: stops a pipeline that nobody has asked anything for a while."""

from __future__ import annotations

from dashboard.domain.identity import Identity
from dashboard.domain.idle import GuardView
from dashboard.domain.pipeline import Pipeline
from dashboard.services.jobs import Outcome


class IdleGuard:
    """Watches what was deployed here. Thread-safe; `tick` is called by the runtime's clock."""

    def view(self, pipeline_id: int) -> GuardView | None:
        """Return what is known, without asking anybody; None of a pipeline it does not watch."""
        raise NotImplementedError

    def arm(self, who: Identity, pipeline: Pipeline, *, version: str, minutes: int | None) -> None:
        """Watch a pipeline version that was deployed here just now; None is off."""
        raise NotImplementedError

    def set_minutes(self, who: Identity, pipeline: Pipeline, minutes: int | None) -> Outcome:
        """Change after how many minutes it stops; None switches it off."""
        raise NotImplementedError

    def keep(self, who: Identity, pipeline: Pipeline, *, minutes: int = 30) -> Outcome:
        """Put the stop off by so many minutes."""
        raise NotImplementedError

    def disarm(self, pipeline_id: int) -> None:
        """Forget a pipeline that was undeployed."""
        raise NotImplementedError
