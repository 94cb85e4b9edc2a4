"""Starts the dashboard as people do, as a process, and looks at it from outside."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.settings import PREFIX, PROJECT_ROOT
from tests.support.waiting import is_running, wait_until

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
_LISTENING = "0A"


@dataclass
class RunningDashboard:
    """A dashboard that has said where it is."""

    url: str
    port: int
    data_dir: Path
    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)


def environment(data_dir: Path, **settings: object) -> dict[str, str]:
    """Return the environment of a dashboard of its own, with settings by their field's name."""
    values = {"data_dir": data_dir, "port": 0, **settings}
    ours = {PREFIX + name.upper(): str(value) for name, value in values.items()}
    return {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), **ours}


@contextlib.contextmanager
def running_dashboard(
    data_dir: Path,
    *,
    cwd: Path = PROJECT_ROOT,
    env: Mapping[str, str] | None = None,
    module: str = "dashboard",
    **settings: object,
) -> Iterator[RunningDashboard]:
    """Start `python -m dashboard`, wait for its address, and stop it at the end.

    Parameters
    ----------
    module
        What is started in its place, with some part of it made quicker for a test.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**environment(data_dir, **settings), **(env or {})},
        process_group=0,
    )
    output: list[str] = []
    reader = threading.Thread(target=_collect, args=(process, output), daemon=True)
    reader.start()
    try:
        wait_until(
            lambda: _address(output) or process.poll() is not None,
            within_s=90,
            what="the dashboard says where it is",
        )
        port = _address(output)
        if port is None:
            raise AssertionError("the dashboard ended: " + "".join(output))
        yield RunningDashboard(f"http://127.0.0.1:{port}", port, data_dir, process, output)
    finally:
        _stop(process)
        reader.join(5)


def process_tree(pid: int) -> list[int]:
    """Return `pid` and every process below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    tree = [pid]
    for each in tree:
        tree.extend(children.get(each, ()))
    return tree


def listening_addresses(pids: list[int]) -> set[tuple[str, int]]:
    """Return host (as the kernel writes it, in hex) and port of every listening TCP socket."""
    inodes = {inode for pid in pids for inode in _socket_inodes(pid)}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTENING and columns[9] in inodes:
                host, _, port = columns[1].rpartition(":")
                found.add((host, int(port, 16)))
    return found


def _socket_inodes(pid: int) -> set[str]:
    inodes = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = os.readlink(descriptor)
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
    return inodes


def _collect(process: subprocess.Popen[str], output: list[str]) -> None:
    assert process.stdout is not None
    with process.stdout:
        output.extend(iter(process.stdout.readline, ""))


def _address(output: list[str]) -> int | None:
    for line in list(output):
        found = _ADDRESS.search(line)
        if found:
            return int(found[1])
    return None


def _stop(process: subprocess.Popen[str]) -> None:
    tree = process_tree(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
    left = [pid for pid in tree if is_running(pid)]
    wait_until(
        lambda: not any(is_running(pid) for pid in left), within_s=20, what="no process is left"
    )
