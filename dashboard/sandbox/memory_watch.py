"""How much memory and processor time processes have used, from the operating system."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_HAS_PROC = Path("/proc/self/stat").exists()

#: Fields of /proc/<pid>/stat, counted from the one after the program's name.
_USER_TICKS, _SYSTEM_TICKS, _RESIDENT_PAGES = 11, 12, 21


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What one process holds and has used.

    Parameters
    ----------
    resident_bytes
        Resident set size.
    cpu_s
        Processor time since its start.
    """

    resident_bytes: int
    cpu_s: float


async def process_use(pids: Collection[int]) -> dict[int, ProcessUse]:
    """Return what each process uses; ended processes are left out."""
    if not pids:
        return {}
    if _HAS_PROC:
        return _from_proc(pids)
    return await _from_ps(pids)


def _from_proc(pids: Collection[int]) -> dict[int, ProcessUse]:
    page_bytes, ticks_per_s = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    uses = {}
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # The program's name stands in brackets and may hold anything, brackets included.
        fields = text.rpartition(")")[2].split()
        ticks = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
        uses[pid] = ProcessUse(int(fields[_RESIDENT_PAGES]) * page_bytes, ticks / ticks_per_s)
    return uses


async def _from_ps(pids: Collection[int]) -> dict[int, ProcessUse]:
    listed = ",".join(str(pid) for pid in pids)
    process = await asyncio.create_subprocess_exec(
        "ps", "-o", "pid=,rss=,time=", "-p", listed, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    output, _ = await process.communicate()
    return parse_ps(output.decode("ascii", "replace"))


def parse_ps(text: str) -> dict[int, ProcessUse]:
    """Read lines of process id, resident KiB and `[[days-]hours:]minutes:seconds`."""
    rows = (line.split() for line in text.splitlines())
    return {
        int(row[0]): ProcessUse(int(row[1]) * 1024, _seconds(row[2]))
        for row in rows
        if len(row) == 3
    }


def _seconds(clock_time: str) -> float:
    days, _, rest = clock_time.rpartition("-")
    seconds = int(days) * 86400.0 if days else 0.0
    for weight, part in zip((1, 60, 3600), reversed(rest.split(":")), strict=False):
        seconds += weight * float(part)
    return seconds
