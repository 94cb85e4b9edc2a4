"""`python -m dashboard`: check the settings, then serve the dashboard on this machine."""

from __future__ import annotations

import argparse
import contextlib
import errno
import logging
import os
import socket
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

# Started by its path instead of `-m`, Python knows this folder but not the project's.
_ROOT = Path(__file__).resolve().parent.parent
if str(_ROOT) not in sys.path:
    sys.path.insert(0, str(_ROOT))

from dashboard import __version__, logs  # noqa: E402 - after the path line above
from dashboard.errors import SettingsError  # noqa: E402 - as above
from dashboard.settings import (  # noqa: E402 - as above
    LISTEN_HOST,
    PREFIX,
    Settings,
    unknown_names,
    with_secrets_file,
)

_LOG = logging.getLogger(__name__)
_STREAMLIT = _ROOT / ".streamlit"
_REFUSED = 2
_INTERRUPTED = 130
#: Without this much room nothing can be kept: no log, no database.
_LEAST_ROOM_BYTES = 1024 * 1024


def streamlit_options(settings: Settings) -> dict[str, Any]:
    """Return every option of `.streamlit/config.toml`, and ours, keyed `section.name`.

    `App.run` finds neither the file, when started from another folder, nor a host or port in the
    environment that it could be trusted with. What it is given here overrides all of them.

    Raises
    ------
    SettingsError
        If the file is missing or no TOML.
    """
    path = _STREAMLIT / "config.toml"
    try:
        options = dict(_flat(tomllib.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as exc:
        raise SettingsError(f"{path} cannot be read: {exc}.") from exc
    return {**options, "server.address": LISTEN_HOST, "server.port": settings.port}


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def main() -> int:
    """Run until told to stop; 0 after an ordinary stop, 2 if it refuses to start."""
    _parse_no_arguments()
    try:
        environ = with_secrets_file(os.environ, _STREAMLIT / "secrets.toml")
        settings = Settings.from_env(environ)
        options = streamlit_options(settings)
        _prepare_data_folder(settings)
        _require_free_port(settings.port)
    except SettingsError as exc:
        return _refuse(exc.message)
    for name in unknown_names(environ):
        _LOG.warning("%s is not a setting of the dashboard and changes nothing", name)
    return _serve(settings, options)


def _parse_no_arguments() -> None:
    argparse.ArgumentParser(
        prog="python -m dashboard",
        description="Serve the dashboard on this machine.",
        epilog=f"Settings are environment variables that begin with {PREFIX}; README.md lists "
        f"them. Version {__version__}.",
    ).parse_args()


def _prepare_data_folder(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=settings.data_dir) as probe:
            probe.write(bytes(_LEAST_ROOM_BYTES))
        logs.set_up(settings.logs_dir, level=settings.log_level)
    except OSError as exc:
        raise SettingsError(
            f"{PREFIX}DATA_DIR is {str(settings.data_dir)!r}. "
            f"It must be a folder this user may write in ({exc.strerror or exc})."
        ) from exc
    # A log that cannot be written later, on a full disk, does not fill the terminal instead.
    logging.raiseExceptions = False


def _require_free_port(port: int) -> None:
    """Refuse a busy port; Streamlit's own message names neither the cause nor the way out."""
    with socket.socket(socket.AF_INET) as probe:
        # As the server will: a port in its closing wait is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LISTEN_HOST, port))
            probe.listen(1)
        except OSError as exc:
            if exc.errno == errno.EACCES:
                raise SettingsError(
                    f"Port {port} needs more rights than this user has; choose one from 1024 on, "
                    f"with PORT=8502 make run or {PREFIX}PORT=8502."
                ) from exc
            raise SettingsError(
                f"Port {port} is in use, perhaps by another dashboard; stop that one, or choose "
                f"another port with PORT={port % 65535 + 1} make run or "
                f"{PREFIX}PORT={port % 65535 + 1}."
            ) from exc


def _serve(settings: Settings, options: Mapping[str, Any]) -> int:
    # Streamlit binds its log handlers to the standard streams on import: after `logs.set_up`.
    from dashboard.asgi import build_app

    refusals: list[str] = []
    # The server logs the traceback of a refused start, which the log file has already, and that
    # of a stop cut short by a second Ctrl-C.
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: not refusals and "CancelledError" not in record.getMessage()
    )
    # A page's uncaught exception is logged by us, under the id that its reader sees.
    logging.getLogger("streamlit.error_util").addFilter(lambda _record: False)
    app = build_app(
        settings, on_listening=_announce, on_refusal=refusals.append, on_leaving=_say_left
    )
    try:
        app.run(config=options)
    except SystemExit as exc:
        if refusals:
            return _refuse(refusals[0])
        return exc.code if isinstance(exc.code, int) else 1
    except KeyboardInterrupt:
        pass
    return 0


def _announce() -> None:
    from streamlit import get_option

    port = get_option("server.port")
    _LOG.info("dashboard %s listens on port %s", __version__, port)
    # Past the redacting stream, which would hide the address.
    _say(sys.__stdout__, f"The dashboard is at http://{LISTEN_HOST}:{port} (stop it with Ctrl-C)")


def _say_left(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        _say(sys.stdout, sentence)


def _refuse(sentence: str) -> int:
    _say(sys.stderr, sentence)
    return _REFUSED


def _say(stream: IO[str] | None, sentence: str) -> None:
    # There may be no terminal, or nobody who reads; the dashboard works without one.
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.write(f"{sentence}\n")
            stream.flush()


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        # Before it served anything; nothing is left to stop.
        status = _INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):  # absent, or unread
            stream.flush()
    # Everything was stopped in order by now; a worker that still waits for a slow platform must
    # not hold the terminal for minutes.
    os._exit(status)
