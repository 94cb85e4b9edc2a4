"""What asyncio's processes lack: an end that is seen, and work on them that is not given up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable

_Result = TypeVar("_Result")

_LOOK_S: Final = 0.2


async def to_its_end(work: Awaitable[_Result]) -> _Result:
    """Wait for something even when cancelled meanwhile; the cancellation comes after it."""
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.gather(working, return_exceptions=True)
        raise


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
