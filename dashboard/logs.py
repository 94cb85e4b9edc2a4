"""Logging: one file in the data folder, short warnings on the terminal, no secret in either.

Call `set_up` before Streamlit, uvicorn or the SDK are imported: they bind their own handlers to
the standard streams, which from then on redact whatever is written to them.
"""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any

from dashboard.masking import REDACTOR, RedactingFormatter

_FILE_FORMAT = "%(asctime)s %(levelname)s %(name)s [%(threadName)s] %(message)s"
_SHORT_FORMAT = "%(levelname)s %(message)s"
_FILE_BYTES = 2_000_000
_OLD_FILES = 3
#: These write every request, with its address, at INFO.
_TALKATIVE = ("httpx", "httpcore", "urllib3", "gql", "matplotlib", "watchdog", "asyncio")


class RedactingStream:
    """A text stream that redacts each write before it reaches the stream behind it."""

    def __init__(self, behind: IO[str]) -> None:
        self._behind = behind

    def write(self, text: str) -> int:
        """Write `text` without secrets; says the length given, as callers check it."""
        self._behind.write(REDACTOR.redact(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each line without secrets."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._behind, name)


class _ShortFormatter(RedactingFormatter):
    """One line per record: the traceback is in the file."""

    def formatException(self, _info: Any) -> str:  # noqa: ANN401, N802 - logging's own signature
        return ""

    def format(self, record: logging.LogRecord) -> str:
        # The text of a traceback is cached on the record and shared by all handlers.
        kept, record.exc_text = record.exc_text, None
        try:
            return super().format(record).rstrip("\n")
        finally:
            record.exc_text = kept


class _PrivateFileHandler(RotatingFileHandler):
    """A rotating log file that only its owner may read."""

    def _open(self) -> Any:  # noqa: ANN401 - typeshed's own type is not public
        descriptor = os.open(
            self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        return os.fdopen(descriptor, self.mode, encoding=self.encoding, errors=self.errors)


def private_log_file(path: Path, *, line_format: str = _FILE_FORMAT) -> logging.Handler:
    """Return a handler that keeps the newest 2 MB and three older files at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = _PrivateFileHandler(
        path,
        maxBytes=_FILE_BYTES,
        backupCount=_OLD_FILES,
        encoding="utf-8",
        errors="backslashreplace",
    )
    handler.setFormatter(RedactingFormatter(line_format))
    return handler


def set_up(logs_dir: Path, *, level: str) -> None:
    """Send records to `logs_dir/dashboard.log`, warnings to the terminal too. Idempotent.

    Parameters
    ----------
    logs_dir
        Folder of the log files; made if absent.
    level
        Least level in the file, such as `INFO`.

    Raises
    ------
    OSError
        If the folder or the file cannot be written.
    """
    in_file = private_log_file(logs_dir / "dashboard.log")
    _redact_standard_streams()
    on_terminal = logging.StreamHandler(sys.stderr)
    on_terminal.setLevel(logging.WARNING)
    on_terminal.setFormatter(_ShortFormatter(_SHORT_FORMAT))
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    root.addHandler(in_file)
    root.addHandler(on_terminal)
    logging.captureWarnings(capture=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _redact_standard_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, RedactingStream):
            setattr(sys, name, RedactingStream(stream))
