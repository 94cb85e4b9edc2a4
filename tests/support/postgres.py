"""A private PostgreSQL server for tests, where one is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until

_OWNER = "dashboard"
_DEBIAN = Path("/usr/lib/postgresql")
# Nothing here outlives the tests, so nothing has to survive a power cut.
_OPTIONS = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "listen_addresses=")


@dataclass
class PostgresServer:
    """A server behind a socket in `folder`; everybody who can reach the socket is let in."""

    folder: Path
    process: subprocess.Popen[bytes]
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_database(self) -> str:
        """Make an empty database and return its SQLAlchemy URL."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of one of its databases."""
        return f"postgresql://{_OWNER}@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Run one statement in the server's own database."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), user=_OWNER, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self.execute("SELECT 1")
        except Exception:  # noqa: BLE001 - whatever the driver says, it is not there yet
            return False
        return True


def why_missing() -> str:
    """Say what is missing to run a server here; empty if nothing is."""
    if _program("initdb") is None or _program("postgres") is None:
        return "no PostgreSQL server is installed (Debian: apt-get install postgresql)"
    if importlib.util.find_spec("psycopg") is None:
        return "the PostgreSQL driver psycopg is not installed"
    if os.geteuid() == 0 and _lesser_user() is None:
        return "PostgreSQL does not run as root, and there is no other user to run it as"
    return ""


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server on an empty folder; stop it and remove the folder at the end."""
    # Not below pytest's own folder: only its owner may enter that.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    log = folder / "server.log"
    who = _as_lesser_user(folder)
    try:
        _make_files(folder, who)
        options = [part for option in _OPTIONS for part in ("-c", option)]
        with log.open("wb") as said:
            process = subprocess.Popen(
                [_found("postgres"), "-D", str(folder / "data"), "-k", str(folder), *options],
                cwd=folder,
                stdout=said,
                stderr=said,
                **who,
            )
        try:
            server = PostgresServer(folder, process)
            wait_until(
                lambda: server.answers() or process.poll() is not None,
                within_s=30,
                what="PostgreSQL answers",
            )
            assert process.poll() is None, log.read_text()
            yield server
        finally:
            # Its "fast shutdown": open connections are closed.
            process.send_signal(signal.SIGINT)
            process.wait(20)
    finally:
        shutil.rmtree(folder)


def _make_files(folder: Path, who: dict[str, Any]) -> None:
    command = [_found("initdb"), "-D", str(folder / "data"), "-U", _OWNER, "-E", "UTF8"]
    command += ["--locale=C.UTF-8", "--no-sync", "--auth=trust"]
    made = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True, **who)
    assert made.returncode == 0, made.stderr


def _found(name: str) -> str:
    found = _program(name)
    assert found is not None, why_missing()
    return found


def _program(name: str) -> str | None:
    # Debian keeps the server's programs off the path, one folder per version.
    folders = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    return shutil.which(name) or next(
        (found for folder in reversed(folders) if (found := shutil.which(name, path=str(folder)))),
        None,
    )


def _lesser_user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _as_lesser_user(folder: Path) -> dict[str, Any]:  # as `subprocess` takes them
    user = _lesser_user() if os.geteuid() == 0 else None
    if user is None:
        return {}
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
