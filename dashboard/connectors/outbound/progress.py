"""Where a fetch stands, how long each stage took, and the switch that stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from dashboard.domain.check import Stage
from dashboard.domain.table import FirstRows


class Progress:
    """Filled in by one fetch or test, readable from other threads while it runs.

    Parameters
    ----------
    on_stage
        Called with a stage and its time so far in ms, each time a stage ends well. It is called
        on the fetching thread and must not block.
    cancel
        Set it, from any thread, to stop the fetch within about 0.1 s.
    clock
        Seconds, monotonic.
    """

    def __init__(
        self,
        *,
        on_stage: Callable[[Stage, float], None] | None = None,
        cancel: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cancel = cancel or threading.Event()
        self.clock = clock
        self.current: Stage | None = None
        self.times_ms: dict[Stage, float] = {}
        #: Bytes of the file that are in, and how many the source has announced, if it has.
        self.received_bytes = 0
        self.expected_bytes: int | None = None
        #: Rows of the table that were read from the file.
        self.rows = 0
        #: The first of them, as soon as they are known. Private data: for who fetches alone.
        self.first_rows: FirstRows | None = None
        #: Given the content as it comes in, on the fetching thread; it must not raise.
        self.on_content: Callable[[bytes], None] | None = None
        self._on_stage = on_stage
        self._began_at = clock()

    def take(self, part: bytes) -> None:
        """Show what comes in to whoever looks at it."""
        if self.on_content is not None:
            self.on_content(part)

    def begin(self, stage: Stage) -> None:
        """End the stage before, if any, and begin this one."""
        if self.current is not None and stage is not self.current:
            self._add_time()
            if self._on_stage is not None:
                self._on_stage(self.current, self.times_ms[self.current])
        self.current = stage
        self._began_at = self.clock()

    def finish(self) -> None:
        """End the last stage."""
        if self.current is not None:
            self._add_time()
            if self._on_stage is not None:
                self._on_stage(self.current, self.times_ms[self.current])
            self.current = None

    def abandon(self) -> None:
        """Stop the clock of the stage that failed; it stays `current`."""
        if self.current is not None:
            self._add_time()
            self._began_at = self.clock()

    def _add_time(self) -> None:
        if self.current is not None:
            elapsed_ms = (self.clock() - self._began_at) * 1000
            self.times_ms[self.current] = self.times_ms.get(self.current, 0.0) + elapsed_ms
