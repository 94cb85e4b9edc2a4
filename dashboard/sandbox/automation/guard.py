"""Runs one program for the sandbox, and sees that nothing of it is left, however either ends.

A program of its own, started by its path: `python guard.py GRACE_S COMMAND...`. Standard input is
the sandbox's hold on it: a byte asks the program to end, its end (the sandbox is gone) ends the
program at once. It ends with the program's exit status, a signal counting as 128 and its number.

It imports nothing of ours and nothing large: there is one for each run.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

_STDIN = 0
_SET_CHILD_SUBREAPER = 36
_SWEEP_S = 5.0


def main() -> int:
    """Run the program of the command line."""
    grace_s, command = float(sys.argv[1]), sys.argv[2:]
    _adopt_orphans()
    try:
        program = subprocess.Popen(  # noqa: S603  # the command is the sandbox's own
            command, stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as exc:
        sys.stderr.write(f"cannot start the program: {exc.strerror}\n")
        return 127
    ended = threading.Event()
    watch = threading.Thread(target=_follow, args=(program, grace_s, ended), daemon=True)
    watch.start()
    if hasattr(os, "waitid"):
        # Its number stays its own until it is reaped, so nothing else can be hit by mistake.
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
    else:
        program.wait()
    ended.set()
    _signal_group(program.pid, signal.SIGKILL)
    status = program.wait()
    _sweep()
    return 128 - status if status < 0 else status


def _follow(program: subprocess.Popen[bytes], grace_s: float, ended: threading.Event) -> None:
    """End the program when the sandbox asks for it, or is gone."""
    asked = os.read(_STDIN, 1)
    if asked and not ended.is_set():
        _signal_group(program.pid, signal.SIGTERM)
        ended.wait(grace_s)
    if not ended.is_set():
        _signal_group(program.pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _adopt_orphans() -> None:
    """Become the parent of what the program leaves behind; only Linux knows how."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _sweep() -> None:
    """End what the program moved out of its group, and wait for it to be gone."""
    deadline = time.monotonic() + _SWEEP_S
    while time.monotonic() < deadline:
        for child in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found: list[int] = []
    for listed in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, listed.read_text(encoding="ascii").split())
    return found


if __name__ == "__main__":
    sys.exit(main())
