"""Time as a value that a test can replace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Three ways to ask for time.

    Parameters
    ----------
    monotonic
        Seconds that only grow, for durations.
    now
        The time of day in UTC, timezone-aware.
    sleep
        Waits the given seconds, inside an event loop.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
