"""How much memory a process holds, from the operating system."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_HAS_PROC = Path("/proc/self/statm").exists()


async def resident_bytes(pids: Collection[int]) -> dict[int, int]:
    """Return the resident set size per process, in bytes; ended processes are left out."""
    if not pids:
        return {}
    if _HAS_PROC:
        return _from_proc(pids)
    return await _from_ps(pids)


def _from_proc(pids: Collection[int]) -> dict[int, int]:
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    sizes = {}
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
        except OSError:
            continue
        sizes[pid] = int(fields[1]) * page_bytes
    return sizes


async def _from_ps(pids: Collection[int]) -> dict[int, int]:
    listed = ",".join(str(pid) for pid in pids)
    process = await asyncio.create_subprocess_exec(
        "ps", "-o", "pid=,rss=", "-p", listed, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    output, _ = await process.communicate()
    pairs = (line.split() for line in output.decode("ascii", "replace").splitlines())
    return {int(pair[0]): int(pair[1]) * 1024 for pair in pairs if len(pair) == 2}
