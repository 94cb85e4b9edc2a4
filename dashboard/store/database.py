"""Opens the run store: one database, one folder of sealed files, one key.

SQLite beside the data by default, PostgreSQL by its URL. What only one of them needs stands in
`_set_up_sqlite` and `_set_up_postgresql`, nowhere else: beyond them, one transaction writes at a
time, and one that reads sees one state of the data, on both.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from dashboard.errors import DashboardError, SettingsError
from dashboard.store.schema import FACTS, METADATA, SCHEMA_VERSION
from dashboard.vault import Vault, VaultError, load_key

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

KEY_FILE = "store.key"
_LOCK_FILE = "store.lock"
_KEY_CHECK = b"the run store's key"
_BUSY_TIMEOUT_MS = 15_000
#: Any number will do, as long as all dashboards on one database take the same.
_WRITE_LOCK = 7_261_001


class Store:
    """A database and the vault its private columns are sealed with. Thread-safe.

    Parameters
    ----------
    data_dir
        Folder of the sealed files of fetched tables.
    """

    def __init__(self, engine: Engine, vault: Vault, data_dir: Path) -> None:
        self._engine = engine
        self._reading = _for_reading(engine)
        self._writing = _for_writing(engine)
        self.vault = vault
        self.data_dir = data_dir

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the data.

        Raises
        ------
        DashboardError
            The database does not work.
        """
        with _plain_errors(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction, committed at the end, undone on an exception.

        Raises
        ------
        DashboardError
            The database does not work; nothing was written.
        IntegrityError
            A rule of the schema was broken; nothing was written.
        """
        with _plain_errors(), self._writing.begin() as connection:
            yield connection

    def seal_text(self, text: str, *, bound_to: str) -> bytes | None:
        """Seal a text; None for an empty one."""
        # A lone surrogate, legal in JSON, has no UTF-8 form.
        return self.vault.seal(text.encode("utf-8", "replace"), bound_to=bound_to) if text else None

    def open_text(self, sealed: bytes | None, *, bound_to: str) -> str:
        """Read what `seal_text` made.

        Raises
        ------
        DashboardError
            It was not sealed with this key, or was altered.
        """
        if sealed is None:
            return ""
        try:
            return self.vault.open(sealed, bound_to=bound_to).decode()
        except VaultError as exc:
            raise DashboardError(
                "Stored data could not be read: it was altered, or its key is another one.",
                title="The run store cannot be read",
            ) from exc

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def default_url(data_dir: Path) -> str:
    """Return the URL of the SQLite database inside `data_dir`."""
    return f"sqlite:///{data_dir / 'runs.sqlite3'}"


def open_vault(url: str, *, data_dir: Path, key_text: str = "") -> Vault:
    """Return the vault of the store at `url`; make its key only if there is no data yet.

    Parameters
    ----------
    url
        As for `open_store`.
    key_text
        Base64 text of the key's 32 bytes, from the environment; empty to use `DIR/store.key`.

    Raises
    ------
    SettingsError
        The key is lost or malformed, or the database cannot be used.
    """
    _make_private_folder(data_dir)
    engine = _make_engine(url, data_dir)
    try:
        # Two first starts at once must not each make a key.
        with _alone(data_dir), _refusing():
            is_new = not inspect(engine).has_table(FACTS.name)
            return Vault(
                load_key(data_dir / KEY_FILE, from_environment=key_text, may_create=is_new)
            )
    except VaultError as exc:
        raise SettingsError(str(exc)) from exc
    finally:
        engine.dispose()


def open_store(url: str, *, data_dir: Path, vault: Vault) -> Store:
    """Open the store, and create it if there is none.

    Parameters
    ----------
    url
        SQLAlchemy URL of the database; empty for SQLite in `data_dir`.
    data_dir
        Folder of the sealed files; made with mode 0700 if it is missing.
    vault
        From `open_vault`.

    Raises
    ------
    SettingsError
        The database cannot be used, was written with another key, or by a newer version.
    """
    _make_private_folder(data_dir)
    engine = _make_engine(url, data_dir)
    try:
        # The lock of the folder does not keep away a dashboard on another machine, the lock of a
        # transaction that writes does.
        with _alone(data_dir), _refusing(), _for_writing(engine).begin() as connection:
            METADATA.create_all(connection)
            _check_facts(connection, vault)
    except SettingsError:
        engine.dispose()
        raise
    return Store(engine, vault, data_dir)


def _check_facts(connection: Connection, vault: Vault) -> None:
    stored: dict[str, bytes] = {
        record.name: record.value for record in connection.execute(select(FACTS))
    }
    facts = stored or {
        "schema_version": str(SCHEMA_VERSION).encode(),
        "key_check": vault.seal(_KEY_CHECK, bound_to="store:key_check"),
    }
    if not stored:
        rows = [{"name": name, "value": value} for name, value in facts.items()]
        connection.execute(insert(FACTS), rows)
    stored_version = int(facts["schema_version"])
    if stored_version > SCHEMA_VERSION:
        raise SettingsError("The run store was written by a newer version of this dashboard.")
    try:
        vault.open(facts["key_check"], bound_to="store:key_check")
    except VaultError as exc:
        raise SettingsError(
            "The run store was written with another key.",
            hint="Put back its key, or move the data folder away to begin anew.",
        ) from exc
    if stored_version < SCHEMA_VERSION:
        # So far every version has only added tables, which are there by now, and columns that may
        # be empty.
        _add_columns(connection)
        version = update(FACTS).where(FACTS.c.name == "schema_version")
        connection.execute(version.values(value=str(SCHEMA_VERSION).encode()))


def _add_columns(connection: Connection) -> None:
    quoted = connection.dialect.identifier_preparer
    for table in METADATA.sorted_tables:
        known = {column["name"] for column in inspect(connection).get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                made = f"{quoted.format_column(column)} {column.type.compile(connection.dialect)}"
                connection.exec_driver_sql(
                    f"ALTER TABLE {quoted.format_table(table)} ADD COLUMN {made}"
                )


def _for_writing(engine: Engine) -> Engine:
    return engine.execution_options(writes=True)


def _for_reading(engine: Engine) -> Engine:
    # SQLite's transactions are like that anyway.
    is_postgresql = engine.dialect.name == "postgresql"
    return engine.execution_options(isolation_level="REPEATABLE READ") if is_postgresql else engine


def _make_engine(url: str, data_dir: Path) -> Engine:
    try:
        parsed = make_url(url or default_url(data_dir))
        # Rows are private: their values must not reach an exception's text or a log.
        is_remote = parsed.get_backend_name() != "sqlite"
        engine = create_engine(parsed, hide_parameters=True, pool_pre_ping=is_remote)
    except ImportError:
        raise SettingsError(
            "The driver of the run store's database is not installed.",
            hint='For PostgreSQL: pip install "psycopg[binary]".',
        ) from None
    except (ArgumentError, NoSuchModuleError):
        # The URL may hold a password, and the exception's text holds the URL.
        raise SettingsError(
            "The URL of the run store's database cannot be used.",
            hint="It looks like postgresql://user:password@host/database; empty means SQLite.",
        ) from None
    if engine.dialect.name == "sqlite":
        _set_up_sqlite(engine)
    elif engine.dialect.name == "postgresql":
        _set_up_postgresql(engine)
    else:
        raise SettingsError("The run store works on SQLite and PostgreSQL, not on this database.")
    return engine


def _set_up_sqlite(engine: Engine) -> None:
    """Everything that is special to SQLite: WAL, waiting for a lock, and honest transactions."""
    if engine.url.database:
        # Made here so that nobody else may read it; its -wal and -shm files inherit the mode.
        os.close(os.open(engine.url.database, os.O_RDWR | os.O_CREAT, 0o600))

    @event.listens_for(engine, "connect")
    def _on_connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        settings: Any = connection  # sqlite3's own attribute, which the general type does not have
        settings.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        # SQLite's own knows ASCII only, other databases know all letters.
        settings.create_function("lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once when another one wrote in
        # between, whatever the busy timeout: writers take the lock at their beginning.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_postgresql(engine: Engine) -> None:
    """Everything that is special to PostgreSQL: one writer at a time, and an end to every wait."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("SHOW server_encoding")
        (encoding,) = cursor.fetchone() or ("",)
        cursor.execute(f"SET lock_timeout = {_BUSY_TIMEOUT_MS}")
        cursor.close()
        connection.commit()
        if encoding != "UTF8":
            raise SettingsError("The run store's database must be made with the encoding UTF8.")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # As with SQLite, what a writer has read stays true until it has written. A process that is
        # held up in the middle must not hold up the others for good: its transaction is undone.
        if connection.get_execution_options().get("writes", False):
            connection.exec_driver_sql(
                f"SELECT pg_advisory_xact_lock({_WRITE_LOCK}), set_config("
                f"'idle_in_transaction_session_timeout', '{_BUSY_TIMEOUT_MS}', true)"
            )


def _lower(text: object) -> str | None:
    return None if text is None else str(text).lower()


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as exc:
        raise DashboardError(
            "The database of the runs did not do what it was asked.",
            title="The run store cannot be used",
            hint="Check that its disk is not full and that it may be written to.",
        ) from exc


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as exc:
        raise SettingsError("The database of the run store cannot be used.") from exc


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    descriptor = os.open(data_dir / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise SettingsError(f"The data folder {folder} cannot be made or used.") from exc
