"""What asyncio's processes lack: an end that is seen whoever still holds the pipes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncio.subprocess import Process

_LOOK_S: Final = 0.2


async def wait_for_exit(process: Process) -> None:
    """Return when `process` has ended and was reaped.

    asyncio's own wait goes on while anybody holds the pipes: for ever, if something that was
    started from there lives on, or if nobody reads what is left in them.
    """
    ended = asyncio.ensure_future(process.wait())
    try:
        while process.returncode is None:
            await asyncio.wait([ended], timeout=_LOOK_S)
    finally:
        ended.cancel()
