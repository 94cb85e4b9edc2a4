import logging
import stat
import sys
import warnings

import pytest

from dashboard import logs
from dashboard.masking import MASK, REDACTOR

SECRET = "open-sesame-1234"  # noqa: S105 - planted


@pytest.fixture
def logging_state(capsys):
    """Let `set_up` change logging and the standard streams for one test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    streams = sys.stdout, sys.stderr
    root.handlers.clear()
    REDACTOR.register(SECRET)
    yield
    logging.captureWarnings(capture=False)
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.stdout, sys.stderr = streams


def fail_with(text):
    raise RuntimeError(text)


def log_file(folder):
    return (folder / "dashboard.log").read_text(encoding="utf-8")


def test_the_file_gets_the_traceback_and_the_terminal_one_line(logging_state, capsys, tmp_path):
    logs.set_up(tmp_path, level="INFO")
    try:
        fail_with("inner cause")
    except RuntimeError:
        logging.getLogger("any").exception("it broke")
    assert "Traceback" in log_file(tmp_path)
    assert "inner cause" in log_file(tmp_path)
    assert capsys.readouterr().err == "ERROR it broke\n"


def test_notices_go_to_the_file_only(logging_state, capsys, tmp_path):
    logs.set_up(tmp_path, level="INFO")
    logging.getLogger("any").info("a notice")
    logging.getLogger("any").debug("a detail")
    assert "a notice" in log_file(tmp_path)
    assert "a detail" not in log_file(tmp_path)
    assert capsys.readouterr().err == ""


def test_no_secret_and_no_address_reaches_file_or_terminal(logging_state, capsys, tmp_path):
    logs.set_up(tmp_path, level="DEBUG")
    try:
        fail_with(f"https://u:{SECRET}@host.example/a?b={SECRET}")
    except RuntimeError:
        logging.getLogger("any").exception("with %s and %s", SECRET, {"deep": [SECRET]})
    for text in (log_file(tmp_path), capsys.readouterr().err):
        assert MASK in text
        assert SECRET not in text
        assert "host.example" not in text


def test_what_libraries_print_is_redacted_too(logging_state, capsys, tmp_path):
    logs.set_up(tmp_path, level="INFO")
    print(f"out {SECRET}")  # noqa: T201 - as a library would
    print(f"err {SECRET}", file=sys.stderr)  # noqa: T201 - as a library would
    shown = capsys.readouterr()
    assert shown.out == f"out {MASK}\n"
    assert shown.err == f"err {MASK}\n"


def test_clients_do_not_log_their_requests(logging_state, capsys, tmp_path):
    logs.set_up(tmp_path, level="DEBUG")
    logging.getLogger("httpx").info("HTTP Request: GET http://host/path")
    assert "Request" not in log_file(tmp_path)


def test_warnings_of_libraries_are_logged(logging_state, capsys, tmp_path):
    logs.set_up(tmp_path, level="INFO")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old call", UserWarning, stacklevel=1)
    assert "old call" in log_file(tmp_path)


def test_only_the_owner_may_read_the_file(logging_state, capsys, tmp_path):
    logs.set_up(tmp_path / "logs", level="INFO")
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "logs" / "dashboard.log").stat().st_mode) == 0o600


def test_a_full_file_is_put_aside_and_the_new_one_is_as_private(logging_state, capsys, tmp_path):
    handler = logs.private_log_file(tmp_path / "x.log", line_format="%(message)s")
    try:
        handler.maxBytes = 10  # type: ignore[attr-defined]  # a handler that rotates
        for text in ("first line", "second line"):
            handler.emit(logging.LogRecord("n", logging.INFO, "f", 1, text, (), None))
    finally:
        handler.close()
    assert (tmp_path / "x.log").read_text() == "second line\n"
    assert (tmp_path / "x.log.1").read_text() == "first line\n"
    assert stat.S_IMODE((tmp_path / "x.log").stat().st_mode) == 0o600


def test_setting_up_twice_logs_once(logging_state, capsys, tmp_path):
    logs.set_up(tmp_path, level="INFO")
    logs.set_up(tmp_path, level="INFO")
    logging.getLogger("any").warning("once")
    assert log_file(tmp_path).count("once") == 1
    assert capsys.readouterr().err == "WARNING once\n"


def test_a_lone_surrogate_does_not_stop_the_log(logging_state, capsys, tmp_path):
    logs.set_up(tmp_path, level="INFO")
    logging.getLogger("any").info("name \udcff end")
    assert "end" in log_file(tmp_path)
