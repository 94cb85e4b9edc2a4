"""Starts the sandbox: owner of its data folder, listening, seeded, and gone when told to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO

import uvicorn

from dashboard.sandbox import arrow_tables
from dashboard.sandbox.app import create_app
from dashboard.sandbox.auth import Tokens
from dashboard.sandbox.config import SandboxConfig, parse_flags
from dashboard.sandbox.context import Clock, Sandbox
from dashboard.sandbox.datadir import (
    KEY_VARIABLE,
    StartRefused,
    bind,
    ensure_account,
    lock,
    open_vault,
)
from dashboard.sandbox.faults import Faults
from dashboard.sandbox.fleet import Fleet
from dashboard.sandbox.logins import Logins
from dashboard.sandbox.logstore import LogStore
from dashboard.sandbox.seed import SAMPLES_PATH, sow
from dashboard.sandbox.store import Store, StoreError
from dashboard.vault import VaultError

#: After the parent's end everything is gone within a second; the last part of it is by force.
_FORCE_AFTER_S = 0.6
_GRACE_S = 2
#: The import shares the processor with the first requests, which come right after the start, and
#: with the program that sends them.
_WARM_UP_AFTER_S = 5.0
_EXIT_REFUSED = 3
_STDIN = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox until it is stopped, and return the exit status."""
    config = parse_flags(arguments)
    watch = _ParentWatch()
    if config.exit_with_parent:
        watch.start()
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # What this process writes (database, logs, models) is for its user only.
    os.umask(0o077)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(lock(config.data_dir))
            return _run(config, stack, watch)
    except (StartRefused, StoreError, VaultError) as exc:
        _say(sys.stderr, f"The sandbox cannot start: {exc}")
        return _EXIT_REFUSED


def build(config: SandboxConfig, *, clock: Clock = time.time) -> Sandbox:
    """Open the data folder and return the sandbox on it, seeded if it is new.

    Raises
    ------
    VaultError
        If the key is lost, or is not the one the data was written with.
    StoreError
        If the data cannot be used.
    """
    vault = open_vault(config.data_dir)
    store = Store(config.data_dir, vault, clock=clock)
    store.models.sweep_drafts()
    tokens = Tokens(store, vault, clock=clock)
    owner_id = ensure_account(store, config.data_dir)
    _prepare(store, config, owner_id)
    logs = LogStore(config.data_dir / "logs.db", vault)
    return Sandbox(
        store=store,
        fleet=Fleet(logs=logs, config=config, clock=clock),
        logs=logs,
        vault=vault,
        config=config,
        clock=clock,
        tokens=tokens,
        faults=Faults(),
        logins=Logins(clock),
    )


def _prepare(store: Store, config: SandboxConfig, owner_id: str) -> None:
    old_origin = (store.meta("origin") or b"").decode()
    if store.meta("seeded") is None:
        sow(store, config.seed, owner_id=owner_id, origin=config.origin)
    elif old_origin != config.origin:
        store.connections.move_urls(old_origin + SAMPLES_PATH, config.origin + SAMPLES_PATH)
        store.set_meta("origin", config.origin.encode())


def _run(config: SandboxConfig, stack: contextlib.ExitStack, watch: _ParentWatch) -> int:
    try:
        listener, notice = bind(config)
        stack.enter_context(contextlib.closing(listener))
        if notice:
            _say(sys.stderr, notice)
        sandbox = build(config)
    except (OSError, sqlite3.Error) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise StartRefused(f"the data folder {config.data_dir} cannot be used: {why}") from exc
    # Engines inherit the environment and have no business with the key.
    os.environ.pop(KEY_VARIABLE, None)
    stack.callback(sandbox.store.close)
    stack.callback(sandbox.logs.close)
    server = _Server(
        uvicorn.Config(
            create_app(sandbox),
            loop="asyncio",
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=60,
        ),
        announce=f"sandbox ready at {config.origin}",
    )
    watch.server = server
    asyncio.run(server.serve(sockets=[listener]))
    return 0


class _Server(uvicorn.Server):
    """Announces itself once it answers, and ends with status 0 when it is told to stop."""

    def __init__(self, config: uvicorn.Config, *, announce: str) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # sockets are passed on unread
        await super().startup(sockets)  # type: ignore[arg-type]  # as above
        if self.started:
            _say(sys.stdout, self._announce)
            later = threading.Timer(_WARM_UP_AFTER_S, arrow_tables.warm_up)
            later.daemon = True
            later.start()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully on a signal; unlike the base class, do not die of it afterwards."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


class _ParentWatch(threading.Thread):
    """Waits for the end of standard input, then stops; by force if the server does not.

    Nothing is lost by force: every acknowledged write is in the store's log already, and the
    engines have pipes of their own that end with this process.
    """

    def __init__(self) -> None:
        super().__init__(name="parent-watch", daemon=True)
        self.server: uvicorn.Server | None = None

    def run(self) -> None:
        """Watch until the parent is gone."""
        with contextlib.suppress(OSError):
            while os.read(_STDIN, 4096):
                pass
        if self.server is not None:
            self.server.should_exit = True
            self.server.force_exit = True
            time.sleep(_FORCE_AFTER_S)
        os._exit(0)


def _say(stream: IO[str], sentence: str) -> None:
    # The reader of the pipe may be gone; the sandbox works without one.
    with contextlib.suppress(OSError):
        stream.write(f"{sentence}\n")
        stream.flush()
