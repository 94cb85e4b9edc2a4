"""How much of the machine orchestrations may take."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Times and sizes of orchestrations and their tasks.

    Parameters
    ----------
    running
        Runs under way at once; more wait.
    packaging
        Orchestrations packaged at once.
    waiting
        Tasks that may wait for a place; more are refused.
    packaging_s
        How long the packages of a `requirements.txt` may take to be installed.
    timeout_s
        How long a run may take whose task names no time-out.
    stop_grace_s
        Time between asking a run to end and ending it.
    tick_s
        How often the schedules are looked at.
    pauses_s
        Pauses before the 1st, 2nd, ... new run of a continuous task; the last one repeats.
    stable_s
        After a run this long, the next pause is the first again.
    kept_runs
        Runs of a task that are remembered.
    log_bytes
        Text of a run's log that is kept: the newest.
    log_pending_bytes
        Text of a run's log that may wait to be written; its program waits then.
    """

    running: int = 8
    packaging: int = 2
    waiting: int = 1000
    packaging_s: float = 600.0
    timeout_s: int = 900
    stop_grace_s: float = 1.0
    tick_s: float = 0.5
    pauses_s: tuple[float, ...] = (1.0, 5.0, 15.0, 30.0, 55.0)
    stable_s: float = 60.0
    kept_runs: int = 100
    log_bytes: int = 2 * _MIB
    log_pending_bytes: int = _MIB // 4

    def pause_s(self, short_runs: int) -> float:
        """Return the pause after this many short runs in a row (0 counts as 1)."""
        return self.pauses_s[min(max(short_runs, 1), len(self.pauses_s)) - 1]
