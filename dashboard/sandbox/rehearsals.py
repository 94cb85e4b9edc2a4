"""Troubles on order: a rehearsal makes the next starts of one pipeline go wrong, until it ends.

Nothing is pretended but the cause: a model that "crashes" is a process that ends with status 1.
Every rehearsal ends by itself after a while, so that a forgotten one does not puzzle anybody.
Lives in the event loop; not for other threads.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboard.sandbox.plans import DeploymentPlan

LONGEST_S = 3600.0
DEFAULT_S = 600.0


class Trouble(StrEnum):
    """What goes wrong with a start."""

    HOLD = "hold"
    IMAGE_PULL = "image_pull"
    CRASH = "crash"


@dataclass(slots=True, eq=False)
class Rehearsal:
    """One ordered trouble.

    Parameters
    ----------
    times
        How many starts of a replica (for `image_pull`: pulls of its image) it meets; None for all
        until it ends.
    ended
        Set when it was called off or its time is over.
    """

    rehearsal_id: int
    workspace_id: int
    pipeline_name: str
    trouble: Trouble
    times: int | None = None
    met: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    timer: asyncio.TimerHandle | None = None

    def meets(self, plan: DeploymentPlan, trouble: Trouble) -> bool:
        """Say whether a start of `plan` runs into it."""
        return (
            self.trouble is trouble
            and self.pipeline_name == plan.pipeline_name
            and self.workspace_id == plan.workspace_id
            and (self.times is None or self.met < self.times)
        )


class Rehearsals:
    """The troubles on order, oldest first."""

    def __init__(self) -> None:
        self._ordered: list[Rehearsal] = []
        self._last_id = 0

    def order(
        self,
        workspace_id: int,
        pipeline_name: str,
        trouble: Trouble,
        *,
        times: int | None = None,
        for_s: float = DEFAULT_S,
    ) -> Rehearsal:
        """Order a trouble for a pipeline; it ends after `for_s` seconds at the latest."""
        self._last_id += 1
        made = Rehearsal(self._last_id, workspace_id, pipeline_name, trouble, times)
        made.timer = asyncio.get_running_loop().call_later(for_s, self.call_off, made)
        self._ordered.append(made)
        return made

    def call_off(self, rehearsal: Rehearsal) -> None:
        """End a rehearsal; whatever it holds goes on."""
        if rehearsal in self._ordered:
            self._ordered.remove(rehearsal)
        if rehearsal.timer is not None:
            rehearsal.timer.cancel()
        rehearsal.ended.set()

    def call_off_all(self) -> None:
        """End every rehearsal."""
        for rehearsal in list(self._ordered):
            self.call_off(rehearsal)

    def listing(self) -> list[Rehearsal]:
        """Return those that have not ended."""
        return list(self._ordered)

    def take(self, plan: DeploymentPlan, trouble: Trouble) -> Rehearsal | None:
        """Return the oldest one a start of `plan` runs into, counted; None if there is none."""
        for rehearsal in self._ordered:
            if rehearsal.meets(plan, trouble):
                rehearsal.met += 1
                return rehearsal
        return None
