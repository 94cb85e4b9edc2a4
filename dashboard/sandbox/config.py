"""The sandbox's flags, and what is fixed about it while it runs."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SEEDS = ("demo", "empty")

#: The longest wait a setting may ask for: longer than any client waits.
LONGEST_WAIT_MS = 600_000.0
LONGEST_STARTUP_S = 600.0

#: The largest virtual node.
MOST_CPU = 1024.0
MOST_MEMORY_GIB = 16384.0


@dataclass(slots=True)
class SandboxConfig:
    """Where the sandbox runs and how slow it pretends to be.

    The settings may be changed while it runs; readers must look them up each time.

    Parameters
    ----------
    wait_ms
        Added to each inference.
    startup_s
        Added to each start of an engine.
    shutdown_s
        How long a status still answers after an undeploy; the processes end at once.
    cpu, memory_gib
        Size of the virtual node that deployments must fit into.
    early_status
        Whether status trees have the form of the platform's early versions.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    seed: str = "demo"
    wait_ms: float = 0.0
    startup_s: float = 0.0
    shutdown_s: float = 0.0
    cpu: float = 8.0
    memory_gib: float = 32.0
    early_status: bool = False
    exit_with_parent: bool = False

    @property
    def origin(self) -> str:
        """Scheme, host and port under which the sandbox is reached, without a slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def parse_flags(arguments: Sequence[str] | None = None) -> SandboxConfig:
    """Read the command line; a wrong flag ends the program with a sentence (status 2)."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboard.sandbox",
        description="A local Wallaroo platform to try things on.",
    )
    parser.add_argument("--host", default="127.0.0.1", type=_loopback)
    parser.add_argument("--port", default=0, type=_port, help="0: choose once and keep it")
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--seed", default="demo", choices=SEEDS, help="for a new data folder")
    parser.add_argument("--wait-ms", default=0.0, type=_at_most(LONGEST_WAIT_MS))
    parser.add_argument("--startup-s", default=0.0, type=_at_most(LONGEST_STARTUP_S))
    parser.add_argument("--shutdown-s", default=0.0, type=_at_most(LONGEST_STARTUP_S))
    parser.add_argument("--cpu", default=8.0, type=_at_most(MOST_CPU))
    parser.add_argument("--memory-gib", default=32.0, type=_at_most(MOST_MEMORY_GIB))
    parser.add_argument(
        "--exit-with-parent", action="store_true", help="stop when standard input ends"
    )
    flags = parser.parse_args(arguments)
    return SandboxConfig(
        data_dir=flags.data_dir.expanduser().absolute(),
        host=flags.host,
        port=flags.port,
        seed=flags.seed,
        wait_ms=flags.wait_ms,
        startup_s=flags.startup_s,
        shutdown_s=flags.shutdown_s,
        cpu=flags.cpu,
        memory_gib=flags.memory_gib,
        exit_with_parent=flags.exit_with_parent,
    )


def _loopback(text: str) -> str:
    host = "127.0.0.1" if text == "localhost" else text.strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise argparse.ArgumentTypeError(f"{text!r} is not a loopback address")
    return host


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


class _at_most:  # noqa: N801  # used like a function, named in argparse's messages
    """Read a number between 0 and a limit."""

    def __init__(self, limit: float) -> None:
        self._limit = limit

    def __call__(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= self._limit:
            message = f"{text!r} is not a number from 0 to {self._limit:g}"
            raise argparse.ArgumentTypeError(message)
        return value
