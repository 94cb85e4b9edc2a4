"""The data folder of one sandbox: its owner, its port, its key and its account."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import IO

from dashboard.sandbox.auth import hash_password, password_fits
from dashboard.sandbox.config import SandboxConfig
from dashboard.sandbox.store import DATABASE_NAME, Store
from dashboard.vault import Vault, load_key

KEY_VARIABLE = "WALLAROO_SANDBOX_KEY"
ACCOUNT_NAME = "you@sandbox.example"
_LOCK_WAIT_S = 3.0
_BACKLOG = 512


class StartRefused(Exception):
    """The sandbox cannot start; the text says why in one sentence."""


def lock(data_dir: Path) -> IO[str]:
    """Become the one owner of a data folder, waiting a moment for the last one to leave.

    Returns
    -------
    IO[str]
        The lock: held until it is closed or this process ends, however it ends.

    Raises
    ------
    StartRefused
        If the folder cannot be used or another sandbox owns it.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data_dir / "lock").open("a+", encoding="ascii")
    except OSError as exc:
        raise StartRefused(f"the data folder {data_dir} cannot be used: {exc.strerror}") from exc
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            file.seek(0)
            owner = file.read().strip() or "unknown"
            file.close()
            raise StartRefused(
                f"another sandbox (process {owner}) is using the data folder {data_dir}"
            ) from None
        # On a full disk the owner goes without its name here; it is the lock that counts.
        with contextlib.suppress(OSError):
            file.truncate(0)
            os.write(file.fileno(), b"%d" % os.getpid())
        return file


def open_vault(data_dir: Path) -> Vault:
    """Return the vault of a data folder; its key is made only when there is no data yet.

    Raises
    ------
    VaultError
        If the key is lost or malformed.
    """
    key = load_key(
        data_dir / "key",
        from_environment=os.environ.get(KEY_VARIABLE, ""),
        may_create=not (data_dir / DATABASE_NAME).exists(),
    )
    return Vault(key)


def bind(config: SandboxConfig) -> tuple[socket.socket, str]:
    """Listen on the port asked for, or on the one kept in the data folder, or on a new one.

    `config.port` is set to the port, which is kept for the next start: stored URLs stay right.

    Returns
    -------
    tuple[socket.socket, str]
        The listening socket, and a sentence for the user if the kept port was taken (else "").

    Raises
    ------
    StartRefused
        If the port that was asked for is taken.
    """
    kept = config.data_dir / "port"
    wanted = config.port or _kept_port(kept)
    notice = ""
    try:
        listener = _listen(config.host, wanted)
    except OSError as exc:
        if config.port or exc.errno != errno.EADDRINUSE:
            raise StartRefused(
                f"port {wanted} on {config.host} cannot be used: {exc.strerror}"
            ) from exc
        listener = _listen(config.host, 0)
        notice = f"port {wanted} is used by another program; the sandbox has moved to port "
    config.port = listener.getsockname()[1]
    _write_private(kept, str(config.port))
    return listener, notice and f"{notice}{config.port}"


def ensure_account(store: Store, data_dir: Path) -> str:
    """Return the id of the user of `credentials.json`; both are made if they are absent.

    The file is what a person reads, so the store follows it: a password edited there counts.
    """
    path = data_dir / "credentials.json"
    username, password = _read_credentials(path)
    if not username:
        username, password = ACCOUNT_NAME, secrets.token_urlsafe(18)
        _write_private(path, json.dumps({"username": username, "password": password}) + "\n")
    user = store.users.by_name(username)
    if user is None:
        user = store.users.add(username, password_hash=hash_password(password), is_admin=True)
    elif not password_fits(password, user["password_hash"]):
        store.users.set_password(user["id"], hash_password(password))
    if not user["is_admin"]:
        store.users.set_admin(user["id"], is_admin=True)
    return str(user["id"])


def _read_credentials(path: Path) -> tuple[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return str(found["username"]), str(found["password"])
    except FileNotFoundError:
        return "", ""
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise StartRefused(
            f"{path} must hold a username and a password; delete it to have a new one made"
        ) from exc


def _kept_port(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        port = int(path.read_text(encoding="ascii"))
        return port if 0 < port <= 65535 else 0
    return 0


def _listen(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only for sockets that say they are TCP; with it, every
    # answer to a kept-alive client takes 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Listening at once makes a second program's attempt fail here and not later.
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _write_private(path: Path, text: str) -> None:
    """Write a file for this user only; after a crash it is the old one or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
