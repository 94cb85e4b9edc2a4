"""The sandbox as a child process: started, watched, restarted once, never left behind.

It holds the write end of a pipe on the sandbox's standard input. However this process ends, the
pipe closes, and the sandbox and its engines stop within a second. Everything here may be called
from any thread.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO

from dashboard.errors import PlatformUnreachable
from dashboard.gateway.base import Account
from dashboard.masking import REDACTOR, Secret
from dashboard.settings import PREFIX, PROJECT_ROOT

_LOG = logging.getLogger(__name__)

#: The variable in which the sandbox looks for its key before it looks in its folder.
KEY_VARIABLE = "WALLAROO_SANDBOX_KEY"
_READY_LINE = re.compile(r"sandbox ready at (http://\S+)")
#: How it says, in one sentence, why it does not start. Anything else it writes is for the log.
_REFUSAL = re.compile(r"The sandbox cannot start: (.+)")
_READY_AT_LATEST_S = 30.0
_STEADY_S = 60.0
_POLITE_END_S = 2.5
_HARD_END_S = 1.5
_LONGEST_REASON = 300


class SandboxState(StrEnum):
    """What the child process is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    UP = "up"
    DOWN = "down"


class SandboxProcess:
    """One sandbox over one data folder.

    Parameters
    ----------
    data_dir
        Folder of the sandbox; made if absent.
    seed
        What a new folder begins with: `demo` or `empty`.
    wait_ms
        Wait added to every inference, in ms.
    startup_s
        Time added to every start of an engine, in s.
    python
        Interpreter to run it with.
    key
        Base64 of the key that encrypts its store; None keeps one in the folder.
    on_change
        Called without arguments, in some thread, after each change of `state`.
    """

    def __init__(  # noqa: PLR0913 - the sandbox's own flags, by keyword
        self,
        data_dir: Path,
        *,
        seed: str = "demo",
        wait_ms: float = 0.0,
        startup_s: float = 0.0,
        python: str = sys.executable,
        key: Secret[str] | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._flags = (
            *("--host", "127.0.0.1", "--port", "0", "--data-dir", str(data_dir)),
            *("--seed", seed, "--wait-ms", f"{wait_ms:g}", "--startup-s", f"{startup_s:g}"),
            "--exit-with-parent",
        )
        self._python = python
        self._key = key
        self._on_change = on_change
        self._changed = threading.Condition()
        self._state = SandboxState.STOPPED
        self._process: subprocess.Popen[str] | None = None
        self._url = ""
        self._reason = ""
        self._down_since: datetime | None = None
        self._last_death_s: float | None = None

    @property
    def state(self) -> SandboxState:
        """What it is doing now."""
        return self._state

    @property
    def url(self) -> str:
        """Its address, without a slash at the end; empty until it first answered."""
        return self._url

    @property
    def down_since(self) -> datetime | None:
        """When it stopped answering (UTC); None while it runs, starts, or was stopped by us."""
        return self._down_since

    @property
    def reason(self) -> str:
        """Why it refused to start, in its own words, without secrets; empty if it did not say."""
        return self._reason

    @property
    def pid(self) -> int | None:
        """Process id; None while there is no process."""
        process = self._process
        return process.pid if process is not None else None

    def is_alive(self) -> bool:
        """Whether it has said that it is ready, and has not ended since."""
        process = self._process
        return self._state is SandboxState.UP and process is not None and process.poll() is None

    def account(self) -> Account:
        """Return its only account, from the file it keeps.

        Raises
        ------
        PlatformUnreachable
            If it has not been ready yet, or the file cannot be read.
        """
        try:
            text = (self._data_dir / "credentials.json").read_text(encoding="utf-8")
            credentials = json.loads(text)
            username, password = credentials["username"], credentials["password"]
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise PlatformUnreachable(
                "The sandbox's account cannot be read.", hint="Start the sandbox again."
            ) from exc
        if not self._url:
            raise PlatformUnreachable("The sandbox has not started yet.")
        return Account(base_url=self._url, username=username, password=Secret.own(password))

    def start(self) -> None:
        """Start it and return when it answers; waits for a start that is under way.

        Raises
        ------
        PlatformUnreachable
            If it ends, or is stopped, before it answers, or does not answer within 30 s.
        """
        with self._changed:
            was_starting = self.state is SandboxState.STARTING
            if was_starting:
                self._changed.wait_for(
                    lambda: self._state is not SandboxState.STARTING, _READY_AT_LATEST_S
                )
            if self.state is SandboxState.UP:
                return
            if was_starting:
                raise _not_started(self._reason)
            process = self._spawn()
        self._tell()
        self._finish_start(process)

    def start_again(self) -> None:
        """Start it because a person asked to; one that still runs is ended first.

        Raises
        ------
        PlatformUnreachable
            As `start`.
        """
        self.stop()
        self._last_death_s = None
        self.start()

    def stop(self) -> None:
        """End it and its engines within 4 s. Does nothing when nothing runs."""
        with self._changed:
            process, self._process = self._process, None
            self._down_since = None
            was = self._state
            self._state = SandboxState.STOPPED
            self._changed.notify_all()
        if process is not None:
            _end(process)
        if was is not SandboxState.STOPPED:
            self._tell()

    def _spawn(self) -> subprocess.Popen[str]:
        """Start the process; the lock is held."""
        # The settings hold an instance's password, which is none of the sandbox's business.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        if self._key is not None:
            environment[KEY_VARIABLE] = self._key.reveal()
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [self._python, "-m", "dashboard.sandbox", *self._flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=PROJECT_ROOT,
                env=environment,
                encoding="utf-8",
                errors="backslashreplace",
                # Ctrl-C in the terminal is for the dashboard, which then ends the sandbox.
                process_group=0,
            )
        except OSError as exc:
            self._set_down(str(exc))
            raise _not_started(self._reason) from exc
        self._process = process
        self._state = SandboxState.STARTING
        self._down_since = None
        self._reason = ""
        return process

    def _finish_start(self, process: subprocess.Popen[str]) -> None:
        """Wait until `process` answers, then watch it."""
        url = self._await_ready_line(process)
        with self._changed:
            is_ours = self._process is process
            if is_ours and url:
                self._url = url
                self._state = SandboxState.UP
            elif is_ours:
                self._process = None
                ended = process.poll() is not None
                silence = "It ended at once." if ended else "It did not answer in time."
                self._set_down(self._reason or silence)
            self._changed.notify_all()
        if is_ours and url:
            _in_thread(self._watch, process, name="sandbox-watch")
            self._tell()
            return
        _end(process)
        if is_ours:
            self._tell()
        raise _not_started(self._reason)

    def _await_ready_line(self, process: subprocess.Popen[str]) -> str:
        """Return the address it announces; empty if it ends or stays silent."""
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        errors = _in_thread(self._keep_errors, process, name="sandbox-stderr")
        _in_thread(_read_lines, _pipe(process.stdout), lines, name="sandbox-stdout")
        deadline = time.monotonic() + _READY_AT_LATEST_S
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return ""
            if line is None:
                # Its last words are the reason; let the other thread take them down.
                errors.join(1.0)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1.0)
                return ""
            found = _READY_LINE.fullmatch(line.strip())
            if found:
                return found[1]

    def _keep_errors(self, process: subprocess.Popen[str]) -> None:
        """Log what it writes to standard error; keep the reason of a refusal."""
        with _pipe(process.stderr) as pipe, contextlib.suppress(ValueError, OSError):
            for line in pipe:
                text = REDACTOR.redact(line.strip())
                if text:
                    _LOG.info("sandbox: %s", text)
                refusal = _REFUSAL.fullmatch(text)
                if refusal:
                    self._reason = refusal[1][:_LONGEST_REASON]

    def _watch(self, process: subprocess.Popen[str]) -> None:
        """Wait for its end; restart it unless it was asked to end or died just before."""
        exit_code = process.wait()
        with self._changed:
            if self._process is not process:
                return
            self._process = None
            now_s = time.monotonic()
            died_before = self._last_death_s is not None and now_s - self._last_death_s < _STEADY_S
            self._last_death_s = now_s
            self._set_down(self._reason)
        _close(process)
        _LOG.warning("the sandbox ended by itself (exit code %s)", exit_code)
        self._tell()
        if not died_before:
            self._restart()

    def _restart(self) -> None:
        with self._changed:
            if self._state is not SandboxState.DOWN:  # stopped or started by a person meanwhile
                return
            try:
                process = self._spawn()
            except PlatformUnreachable:
                _LOG.exception("the sandbox was not restarted")
                return
        self._tell()
        try:
            self._finish_start(process)
        except PlatformUnreachable:
            _LOG.exception("the sandbox was not restarted")

    def _set_down(self, reason: str) -> None:
        """Note that it is down; the lock is held."""
        self._state = SandboxState.DOWN
        self._reason = REDACTOR.redact(reason)
        self._down_since = datetime.now(UTC)
        self._changed.notify_all()

    def _tell(self) -> None:
        if self._on_change is not None:
            try:
                self._on_change()
            except Exception:  # noqa: BLE001 - a listener's fault must not end the watch
                _LOG.exception("a listener of the sandbox failed")


def _end(process: subprocess.Popen[str]) -> None:
    """End a process politely by its pipe, then by force with its whole group."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_POLITE_END_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_HARD_END_S)
    _close(process)


def _close(process: subprocess.Popen[str]) -> None:
    """Close our end of its input; the readers close theirs at the end of the output."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _read_lines(pipe: IO[str], into: queue.SimpleQueue[str | None]) -> None:
    """Pass lines on until the pipe ends; it is read to the end lest the writer blocks."""
    with pipe, contextlib.suppress(ValueError, OSError):
        for line in pipe:
            into.put(line)
    into.put(None)


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise ValueError("the process was started without this pipe")
    return stream


def _in_thread(target: Callable[..., None], *arguments: object, name: str) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    thread.start()
    return thread


def _not_started(reason: str) -> PlatformUnreachable:
    return PlatformUnreachable(
        f"The sandbox did not start. {reason}".strip(),
        hint="The log says more. Your connections, runs and results are on disk and safe.",
    )
