"""One program under its guard: started, its lines read, ended with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from dashboard.sandbox.processes import wait_for_exit

_GUARD: Final = Path(__file__).with_name("guard.py")
#: A longer line is cut into pieces, as a container's log cuts it.
_LONGEST_LINE_BYTES: Final = 16 * 1024
_LAST_WORDS_S: Final = 1.0
#: How much longer than its grace a guard may take: it sweeps up what the program left behind.
_GUARD_EXTRA_S: Final = 8.0

#: Empty lines are the shortest: a block may hold thousands, too many to handle at one go.
_MOST_LINES: Final = 1000

#: Takes the stream's name, whether the lines are whole, and the lines.
OnLines = Callable[[str, bool, Sequence[str]], Awaitable[None]]


class GuardedProcess:
    """A program that ends with the sandbox, and leaves nothing behind."""

    def __init__(self, process: Process, on_lines: OnLines, *, grace_s: float) -> None:
        self._process = process
        self._grace_s = grace_s
        self._readers = [
            asyncio.create_task(_read_lines(stream, name, on_lines))
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
            if stream is not None
        ]

    @classmethod
    async def spawn(
        cls,
        command: Sequence[str],
        *,
        folder: Path,
        variables: Mapping[str, str],
        on_lines: OnLines,
        grace_s: float,
    ) -> GuardedProcess:
        """Start a command in a folder, with these environment variables and no others.

        Raises
        ------
        OSError
            If the guard cannot be started.
        """
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(_GUARD), str(grace_s), *command),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                cwd=folder,
                env=dict(variables),
                start_new_session=True,
            )
        )
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # asyncio loses the pipes of a process whose start is cancelled half-way.
            with contextlib.suppress(OSError):
                await cls(await starting, on_lines, grace_s=grace_s).stop()
            raise
        return cls(process, on_lines, grace_s=grace_s)

    async def wait(self) -> int:
        """Return the exit status when the program and all it started have ended."""
        await wait_for_exit(self._process)
        await self._finish()
        status = self._process.returncode
        return 1 if status is None else status

    async def stop(self) -> None:
        """Ask the program to end, then end it; nothing of it is left on return."""
        stdin = self._process.stdin
        if stdin is not None and self._process.returncode is None:
            with contextlib.suppress(OSError):
                stdin.write(b"\n")
                await stdin.drain()
        try:
            async with asyncio.timeout(self._grace_s + _GUARD_EXTRA_S):
                await wait_for_exit(self._process)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await wait_for_exit(self._process)
        await self._finish()

    async def _finish(self) -> None:
        # What escaped from its guard may hold a pipe open for ever.
        done, late = await asyncio.wait(self._readers, timeout=_LAST_WORDS_S)
        for reader in late:
            reader.cancel()
        await asyncio.gather(*done, *late, return_exceptions=True)
        if self._process.stdin is not None:
            self._process.stdin.close()
        # The only handle asyncio gives on the pipes' read ends; without it they wait for the
        # garbage collector.
        self._process._transport.close()  # type: ignore[attr-defined]  # see above


async def _read_lines(stream: asyncio.StreamReader, name: str, on_lines: OnLines) -> None:
    rest = b""
    while block := await stream.read(_LONGEST_LINE_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        for first in range(0, len(lines), _MOST_LINES):
            part = lines[first : first + _MOST_LINES]
            await on_lines(name, True, [line.decode("utf-8", "replace") for line in part])
            # Whoever writes without end must not keep the others waiting.
            await asyncio.sleep(0)
        if len(rest) > _LONGEST_LINE_BYTES:
            await on_lines(name, False, [rest.decode("utf-8", "replace")])
            rest = b""
    if rest:
        await on_lines(name, True, [rest.decode("utf-8", "replace")])
