"""Times of what was measured while a machine was busy with other work as well."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.support.launcher import process_tree

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
#: Columns of the first line of `/proc/stat`: time nobody used. Behind `steal` all is told twice.
_IDLE, _IOWAIT, _STEAL = 3, 4, 7


class NetClock:
    """Counts the time since it was made, less what others took of the processors meanwhile.

    Others are all processes that are not this one's or below it, and other machines on the same
    hardware. On a machine with nothing else to do it is the time of the clock.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._others_began_s = _others_s()

    def elapsed_s(self) -> float:
        """Seconds of the clock since it was made."""
        return time.monotonic() - self._began

    def net_s(self) -> float:
        """Seconds without those that others took, on average over the processors."""
        others_s = max(0.0, _others_s() - self._others_began_s)
        return self.elapsed_s() - others_s / (os.cpu_count() or 1)


def _others_s() -> float:
    return _all_s() - sum(_cpu_s(pid) for pid in process_tree(os.getpid()))


def _all_s() -> float:
    first = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    used = [int(ticks) for place, ticks in enumerate(first) if place not in (_IDLE, _IOWAIT)]
    return sum(used[: _STEAL - 1]) / _TICKS_PER_S


def _cpu_s(pid: int) -> float:
    """Processor time of a process, and of those below it that have ended."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, told[11:15])) / _TICKS_PER_S
