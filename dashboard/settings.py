"""All settings: read from the environment once, checked at start, frozen.

Nothing else in the dashboard reads the environment. A secret setting is a `Secret`, and a message
about it names the variable, never its value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from dashboard.errors import SettingsError
from dashboard.masking import Secret

PREFIX = "WALLAROO_DASHBOARD_"
PROJECT_ROOT = Path(__file__).resolve().parent.parent
#: There is no sign-in yet, so nobody but this machine may reach the dashboard.
LISTEN_HOST = "127.0.0.1"

_KEY_BYTES = 32
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE)
_DATABASE_URL = re.compile(r"(sqlite|postgresql)(\+[a-z0-9]+)?://\S+")


@dataclass(frozen=True, slots=True)
class Settings:
    """How this dashboard runs. Each field is `WALLAROO_DASHBOARD_<FIELD>` in the environment."""

    port: int = field(
        default=8501,
        metadata={"doc": "Port of the dashboard. 0 takes any free one."},
    )
    data_dir: Path = field(
        default=PROJECT_ROOT / ".data",
        metadata={
            "doc": "Folder for everything that must survive a restart: the sandbox, runs, logs.",
            "default": "`.data` in the project",
        },
    )
    url: str = field(
        default="",
        metadata={
            "doc": "Address of a Wallaroo instance, such as `https://wallaroo.example.com`. "
            "Empty starts the embedded sandbox instead.",
            "default": "empty: the sandbox",
        },
    )
    username: str = field(
        default="",
        metadata={"doc": "Service account at the instance. Needed with the address."},
    )
    password: Secret[str] | None = field(
        default=None,
        metadata={"doc": "Its password. Needed with the address.", "secret": True},
    )
    sandbox_seed: str = field(
        default="demo",
        metadata={"doc": "What a new sandbox holds: `demo` (the workshop's state) or `empty`."},
    )
    sandbox_wait_ms: float = field(
        default=0.0,
        metadata={
            "doc": "Wait the sandbox adds to every inference, in ms, to rehearse a slow model."
        },
    )
    sandbox_startup_s: float = field(
        default=0.0,
        metadata={
            "doc": "Time a deployment stays in Starting at least, in s, to rehearse a slow start."
        },
    )
    fetch_max_mb: float = field(
        default=25.0,
        metadata={"doc": "Largest table fetched through a connection, in MB."},
    )
    keep_days: int = field(
        default=0,
        metadata={
            "doc": "Runs and fetched tables older than so many days are deleted; 0 keeps them."
        },
    )
    fetch_timeout_s: float = field(
        default=10.0,
        metadata={"doc": "How long a data source may take to answer, in s."},
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "Inner hosts a connection may read from although they are not public: names, "
            "addresses or networks such as `10.0.0.0/8`, parted by commas."
        },
    )
    database_url: Secret[str] | None = field(
        default=None,
        metadata={
            "doc": "SQLAlchemy URL of the database for runs and activity. Empty keeps an SQLite "
            "file in the data folder.",
            "secret": True,
        },
    )
    key: Secret[str] | None = field(
        default=None,
        metadata={
            "doc": "Key that encrypts stored data: 32 bytes as base64. Empty keeps one in the "
            "data folder, readable by its owner only.",
            "secret": True,
        },
    )
    infer_timeout_s: float = field(
        default=60.0,
        metadata={"doc": "How long the model may take for one row, in s."},
    )
    in_flight: int | None = field(
        default=None,
        metadata={
            "doc": "Requests on their way to the model at the same time. Empty sends as many as "
            "the deployment has replicas."
        },
    )
    batch_rows: int = field(
        default=32,
        metadata={
            "doc": "Rows in one request at most, for models other than the summarizer, which gets "
            "one text at a time."
        },
    )
    log_level: str = field(
        default="INFO",
        metadata={"doc": "Least level in the log file: `DEBUG`, `INFO`, `WARNING` or `ERROR`."},
    )

    @property
    def uses_sandbox(self) -> bool:
        """Whether the embedded sandbox is the platform."""
        return not self.url

    @property
    def platform_dir(self) -> Path:
        """Folder of what belongs to this platform: another one must never see its runs."""
        if self.uses_sandbox:
            return self.data_dir / "local"
        return self.data_dir / hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def sandbox_dir(self) -> Path:
        """Folder of the sandbox's own data."""
        return self.data_dir / "sandbox"

    @property
    def logs_dir(self) -> Path:
        """Folder of the log files."""
        return self.data_dir / "logs"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read and check every setting.

        Parameters
        ----------
        environ
            Variable names to texts, as `os.environ`. Unset and blank mean the default.

        Raises
        ------
        SettingsError
            If a value is not legal, or the address and the account of an instance are not given
            together.
        """
        read = _Reader(environ)
        settings = cls(
            port=read.whole("PORT", 8501, least=0, most=65535),
            data_dir=read.folder("DATA_DIR", PROJECT_ROOT / ".data"),
            url=read.address("URL"),
            username=read.text("USERNAME"),
            password=read.secret("PASSWORD"),
            sandbox_seed=read.one_of("SANDBOX_SEED", ("demo", "empty")),
            sandbox_wait_ms=read.number("SANDBOX_WAIT_MS", 0.0, least=0, most=600_000),
            sandbox_startup_s=read.number("SANDBOX_STARTUP_S", 0.0, least=0, most=600),
            fetch_max_mb=read.number("FETCH_MAX_MB", 25.0, least=0.001, most=10_000),
            keep_days=read.whole_or_none("KEEP_DAYS", least=0, most=36_500) or 0,
            fetch_timeout_s=read.number("FETCH_TIMEOUT_S", 10.0, least=0.1, most=3600),
            allowed_hosts=read.hosts("ALLOWED_HOSTS"),
            database_url=read.database("DATABASE_URL"),
            key=read.key("KEY"),
            infer_timeout_s=read.number("INFER_TIMEOUT_S", 60.0, least=0.1, most=3600),
            in_flight=read.whole_or_none("IN_FLIGHT", least=1, most=256),
            batch_rows=read.whole("BATCH_ROWS", 32, least=1, most=10_000),
            log_level=read.one_of("LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR")),
        )
        _require_whole_account(settings)
        return settings


def with_secrets_file(environ: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return `environ` with what the `[dashboard]` table of a TOML file adds to it.

    The environment wins. The file is for what should not stand in a shell's history.

    Raises
    ------
    SettingsError
        If the file is there but cannot be read as TOML.
    """
    if not path.is_file():
        return dict(environ)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("dashboard", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        # The parser's own text quotes the line, which may hold a password.
        raise SettingsError(f"{path} is not a readable TOML file.") from exc
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: `dashboard` must be a table, written as [dashboard].")
    from_file = {f"{PREFIX}{name.upper()}": str(value) for name, value in table.items()}
    return {**from_file, **environ}


def unknown_names(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables with our prefix that are no setting: most likely misspelt.

    They are worth a warning, not a refusal: container platforms add such variables on their own.
    """
    known = {PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    return tuple(sorted(n for n in environ if n.startswith(PREFIX) and n not in known))


def _require_whole_account(settings: Settings) -> None:
    account = {
        f"{PREFIX}USERNAME": bool(settings.username),
        f"{PREFIX}PASSWORD": settings.password is not None,
    }
    if settings.url:
        missing = [name for name, is_set in account.items() if not is_set]
        if missing:
            raise SettingsError(
                f"{PREFIX}URL names an instance, so {' and '.join(missing)} must be set too."
            )
    elif any(account.values()):
        given = [name for name, is_set in account.items() if is_set]
        raise SettingsError(
            f"{' and '.join(given)} is set but {PREFIX}URL is not. "
            "Set the address of the instance, or leave all three empty for the sandbox."
        )


class _Reader:
    """Reads one variable at a time and refuses it in a sentence that names it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        return self._environ.get(PREFIX + name, "").strip()

    def secret(self, name: str) -> Secret[str] | None:
        # Not stripped: a password may begin or end with a blank.
        value = self._environ.get(PREFIX + name, "")
        return Secret.own(value) if value.strip() else None

    def one_of(self, name: str, legal: tuple[str, ...]) -> str:
        """Return the legal value, whatever its case; the first is the default."""
        value = self.text(name)
        if not value:
            return legal[0]
        for candidate in legal:
            if candidate.casefold() == value.casefold():
                return candidate
        raise _refused(name, value, f"one of {', '.join(legal)}")

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        value = self.text(name)
        if not value:
            return default
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:  # also refuses NaN
            raise _refused(name, value, f"a number from {least:g} to {most:g}")
        return number

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        number = self.whole_or_none(name, least=least, most=most)
        return default if number is None else number

    def whole_or_none(self, name: str, *, least: int, most: int) -> int | None:
        value = self.text(name)
        if not value:
            return None
        # isdecimal also accepts other scripts' digits, which int reads, but nobody means.
        if not (value.isascii() and value.isdecimal() and least <= int(value) <= most):
            raise _refused(name, value, f"a whole number from {least} to {most}")
        return int(value)

    def folder(self, name: str, default: Path) -> Path:
        value = self.text(name)
        if not value:
            return default
        path = Path(value).expanduser()
        if not path.is_absolute():
            raise _refused(name, value, "an absolute path of a folder")
        if path.exists() and not path.is_dir():
            raise _refused(name, value, "a folder, but a file is there")
        return path

    def address(self, name: str) -> str:
        """Return an http(s) address without a trailing slash; empty if none is set."""
        value = self.text(name)
        if not value:
            return ""
        try:
            parts = urlsplit(value)
            _ = parts.port  # raises ValueError when it is not a number in range
        except ValueError:
            parts = SplitResult("", "", "", "", "")
        is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
            # Not shown: people paste addresses with a user, a password or a token in them.
            raise SettingsError(
                f"{PREFIX}{name} must be an address such as https://wallaroo.example.com, "
                "without user, password, `?` or `#`."
            )
        return value.rstrip("/")

    def hosts(self, name: str) -> tuple[str, ...]:
        """Return host names, patterns and networks, in lower case."""
        hosts = tuple(part.strip().lower() for part in self.text(name).split(",") if part.strip())
        for host in hosts:
            if not (_is_network(host) or (_HOST_NAME.fullmatch(host) and not _is_digits(host))):
                raise _refused(
                    name,
                    host,
                    "a list of host names, addresses or networks, parted by commas",
                )
        return hosts

    def database(self, name: str) -> Secret[str] | None:
        value = self.text(name)
        if value and not _DATABASE_URL.fullmatch(value):
            raise SettingsError(
                f"{PREFIX}{name} must be an SQLAlchemy URL that begins with sqlite:// or "
                "postgresql://. Its value is not shown here, it may hold a password."
            )
        return Secret.own(value) if value else None

    def key(self, name: str) -> Secret[str] | None:
        value = self.text(name)
        if not value:
            return None
        try:
            length = len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if length != _KEY_BYTES:
            raise SettingsError(
                f"{PREFIX}{name} must be {_KEY_BYTES} random bytes written as base64, "
                "such as `openssl rand -base64 32` makes. Its value is not shown here."
            )
        return Secret.own(value)


def _is_network(host: str) -> bool:
    try:
        ipaddress.ip_network(host, strict=False)
    except ValueError:
        return False
    return True


def _is_digits(host: str) -> bool:
    """Whether it looks like an address but is none, such as 10.0.0.256."""
    return all(part.isdigit() for part in host.split("."))


def _refused(name: str, value: str, legal: str) -> SettingsError:
    return SettingsError(f"{PREFIX}{name} is {value!r}. It must be {legal}.")
