"""Which version of a pipeline answers a run: the one that runs, which need not be the newest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_LONGEST = 64


class VersionWatch:
    """Looks at what the engines report and at what their answers say.

    Parameters
    ----------
    named
        The version in the run's header.
    is_begun
        Whether rows were answered before, so that the header stays as it is.
    note
        What was noted before, by a process that was killed.
    """

    def __init__(self, named: str, *, is_begun: bool, note: str = "") -> None:
        self._version = named
        self._is_begun = is_begun
        self._saw_it = False
        self.note = note

    def correction(self, running: Sequence[str]) -> str | None:
        """Return the version to name instead, if the engines run another one and all the same."""
        is_right = self._is_begun or len(running) != 1 or running[0] == self._version
        return None if is_right else running[0]

    def named(self, version: str) -> None:
        """Take note that the header names this version now."""
        self._version = version

    def answered(self, row_index: int, metadata: Mapping[str, Any]) -> bool:
        """Look at an answer; True if there is something new to tell in `note`."""
        version = metadata.get("pipeline_version")
        # Strangers wrote it.
        if not isinstance(version, str) or not 0 < len(version) <= _LONGEST:
            return False
        was_begun, self._is_begun = self._is_begun, True
        if version == self._version:
            self._saw_it = True
            return False
        # Which row came first is known only if the change was seen here.
        rows = f"rows from {row_index + 1:,} on" if self._saw_it else "later rows"
        is_redeploy = bool(self._version) and (was_begun or self._saw_it)
        self._version, self._saw_it = version, True
        if is_redeploy:
            self.note = (
                f"The pipeline was redeployed during the run: {rows} were answered by version "
                f"{version[:8]}."
            )
        return is_redeploy
