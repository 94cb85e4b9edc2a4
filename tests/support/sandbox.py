"""Runs a sandbox as its own process for a test, and talks to it."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

REPOSITORY = Path(__file__).resolve().parents[2]
_READY = "sandbox ready at "
_START_LIMIT_S = 30.0
_STOP_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers at `url`; `process.stdin` is the pipe it lives by."""

    url: str
    username: str
    password: str
    data_dir: Path
    process: subprocess.Popen[str]


@contextmanager
def running_sandbox(
    data_dir: Path, *, seed: str = "demo", flags: Sequence[str] = ()
) -> Iterator[RunningSandbox]:
    """Start a sandbox on `data_dir`, wait until it answers, and end it with the block.

    Raises
    ------
    RuntimeError
        If it does not become ready; the text holds what it said.
    """
    process = start(data_dir, seed=seed, flags=flags)
    try:
        url = wait_until_ready(process)
        account = json.loads((data_dir / "credentials.json").read_text(encoding="utf-8"))
        yield RunningSandbox(url, account["username"], account["password"], data_dir, process)
    finally:
        stop(process)


def start(
    data_dir: Path, *, seed: str = "demo", flags: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start a sandbox and return at once. It ends with this process, however that ends."""
    command = [sys.executable, "-m", "dashboard.sandbox", "--data-dir", str(data_dir)]
    command += ["--seed", seed, "--exit-with-parent", *flags]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until_ready(process: subprocess.Popen[str]) -> str:
    """Return the URL of the ready line. Raises RuntimeError if it does not come in time."""
    lines: queue.Queue[str] = queue.Queue()
    output = process.stdout
    assert output is not None
    threading.Thread(target=lambda: lines.put(output.readline()), daemon=True).start()
    try:
        line = lines.get(timeout=_START_LIMIT_S)
    except queue.Empty:
        line = ""
    if not line.startswith(_READY):
        process.kill()
        _, said = process.communicate()
        raise RuntimeError(f"the sandbox did not start: {line}{said}")
    # Unread pipes fill up and would block the sandbox in the end.
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        threading.Thread(target=_drain, args=(stream,), daemon=True).start()
    return line.removeprefix(_READY).strip()


def _drain(stream: IO[str]) -> None:
    """Read to the end and close: an unclosed pipe is a warning, and warnings are errors."""
    with stream:
        stream.read()


def stop(process: subprocess.Popen[str]) -> None:
    """End a sandbox: by its pipe, or by force if that does not help."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def token(sandbox: RunningSandbox) -> str:
    """Log in with the password and return an access token."""
    answer = httpx.post(
        f"{sandbox.url}/auth/realms/master/protocol/openid-connect/token",
        data={
            "client_id": "sdk-client",
            "grant_type": "password",
            "username": sandbox.username,
            "password": sandbox.password,
        },
        trust_env=False,
    )
    answer.raise_for_status()
    return str(answer.json()["access_token"])


class Account(httpx.Auth):
    """Signs requests with the sandbox's own account, and signs in again when a token is too old.

    A token lives for five minutes: less than a module of tests may take on a slow machine.
    """

    def __init__(self, sandbox: RunningSandbox) -> None:
        self._sandbox = sandbox
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request, and once more with a fresh token if the first is refused."""
        # One token for as long as it lives: a sign-in is made to be slow.
        self._token = self._token or token(self._sandbox)
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token = token(self._sandbox)
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request


@contextmanager
def client(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    """Open an HTTP client that carries a token and knows the sandbox's address."""
    headers = {"Authorization": f"Bearer {token(sandbox)}"}
    with httpx.Client(
        base_url=sandbox.url, headers=headers, timeout=20.0, trust_env=False
    ) as opened:
        yield opened


@contextmanager
def lasting_client(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    """As `client`, for longer than a token lives."""
    with httpx.Client(
        base_url=sandbox.url, auth=Account(sandbox), timeout=20.0, trust_env=False
    ) as opened:
        yield opened
