"""Runs a task's `main.py` in the task's own interpreter, as an instance's container would.

A program of its own, started by its path: `python launcher.py MAIN`. On an instance a task's home
is `/home/jovyan`, and the SDK reads the task's arguments from there; here the home of each run is
a folder of its own, so files opened below `/home/jovyan` are looked for in that folder first.
"""

from __future__ import annotations

import builtins
import ctypes
import io
import os
import runpy
import signal
import sys
from types import TracebackType
from typing import Any

_INSTANCE_HOME = "/home/jovyan"
_SET_PARENT_DEATH_SIGNAL = 1

_open = io.open
_home = os.environ.get("HOME", "")


def main() -> None:
    """Run the program of the command line as `__main__`."""
    _end_with_guard()
    entry_point = sys.argv[1]
    sys.argv = [entry_point]
    # The folder of this file stood there.
    sys.path[0] = os.path.dirname(entry_point)
    sys.excepthook = _show_own_frames
    # What people call is the built-in; what the standard library calls is the module's.
    builtins.open = io.open = _open_at_home
    runpy.run_path(entry_point, run_name="__main__")


def _open_at_home(file: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401  # as `open`
    return _open(_at_home(file), *args, **options)


def _at_home(file: Any) -> Any:  # noqa: ANN401  # paths, numbers and bytes: all can be opened
    if not isinstance(file, str | os.PathLike):
        return file
    path = os.fspath(file)
    if not isinstance(path, str) or not path.startswith(f"{_INSTANCE_HOME}/"):
        return file
    here = os.path.join(_home, path[len(_INSTANCE_HOME) + 1 :])
    return here if os.path.lexists(here) or not os.path.isdir(_INSTANCE_HOME) else file


def _show_own_frames(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print a traceback that begins in the person's own program."""
    before = {__file__, runpy.__file__, "<frozen runpy>"}
    while trace is not None and trace.tb_frame.f_code.co_filename in before:
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.__excepthook__(kind, error, trace)


def _end_with_guard() -> None:
    """End when the guard is killed, which leaves it no time to end us; only Linux knows how."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        except (OSError, AttributeError):
            return


if __name__ == "__main__":
    main()
