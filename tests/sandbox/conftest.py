"""A sandbox inside the test's own process: the whole application, no port, a clock to turn."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from dashboard.sandbox.app import create_app
from dashboard.sandbox.config import SandboxConfig
from dashboard.sandbox.context import Sandbox
from dashboard.sandbox.server import build
from dashboard.sandbox.signing import new_key

with warnings.catch_warnings():
    # It announces a wish for another HTTP library; the one here is pinned by the SDK.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

PORT = 8099
BASE_URL = f"http://127.0.0.1:{PORT}"
LOGIN_PATH = "/auth/realms/master/protocol/openid-connect/token"


@dataclass
class TurnableClock:
    """Epoch seconds that move only when a test says so."""

    now: float = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Platform:
    """A sandbox and what a test needs to talk to it."""

    sandbox: Sandbox
    http: TestClient
    clock: TurnableClock
    username: str
    password: str
    people: dict[str, dict[str, str]] = field(default_factory=dict)

    def login(self, username: str = "", password: str = "") -> str:
        """Log in and return the access token."""
        answer = self.http.post(
            LOGIN_PATH,
            data={
                "grant_type": "password",
                "client_id": "sdk-client",
                "username": username or self.username,
                "password": password or self.password,
            },
        )
        return str(answer.json()["access_token"])

    def headers(self, username: str = "") -> dict[str, str]:
        """Return the headers of a logged-in person; the account's if none is named."""
        if username not in self.people:
            token = self.login(username, "pw" if username else "")
            self.people[username] = {"Authorization": f"Bearer {token}"}
        return self.people[username]

    def post(self, path: str, body: object = None, *, as_user: str = ""):
        """POST JSON to a platform path, logged in."""
        return self.http.post(
            f"/v1/api/{path}",
            content=json.dumps({} if body is None else body),
            headers=self.headers(as_user),
        )

    def invite(self, email: str) -> str:
        """Let a second person in (password `pw`) and return their id."""
        return str(self.post("users/invite", {"email": email, "password": "pw"}).json()["id"])

    def graphql(self, query: str, *, as_user: str = "", **variables: object):
        """Run a GraphQL document and return the whole answer."""
        body = {"query": query, **({"variables": variables} if variables else {})}
        answer = self.http.post("/v1/graphql", json=body, headers=self.headers(as_user))
        assert answer.status_code == 200
        return answer.json()


@contextmanager
def open_platform(data_dir: Path, seed: str) -> Iterator[Platform]:
    """Start a sandbox on a folder inside this process, and end it with the block."""
    clock = TurnableClock()
    data_dir.mkdir(parents=True, exist_ok=True)
    sandbox = build(SandboxConfig(data_dir=data_dir, port=PORT, seed=seed), clock=clock)
    account = json.loads((data_dir / "credentials.json").read_text())
    try:
        with TestClient(
            create_app(sandbox), base_url=BASE_URL, raise_server_exceptions=False
        ) as http:
            yield Platform(sandbox, http, clock, account["username"], account["password"])
    finally:
        sandbox.store.close()
        sandbox.logs.close()


@cache
def _one_key():
    return new_key()


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch):
    """Hash passwords with little work: the real cost, paid per test, is most of a suite's time."""
    monkeypatch.setattr("dashboard.sandbox.auth._SCRYPT", {"n": 2, "r": 8, "p": 1})
    # Making a key takes 50 ms, and every platform would make its own.
    monkeypatch.setattr("dashboard.sandbox.signing.new_key", _one_key)


@pytest.fixture
def empty(tmp_path):
    """A platform with one user and nothing else."""
    with open_platform(tmp_path / "data", "empty") as opened:
        yield opened


@pytest.fixture
def demo(tmp_path):
    """A platform with the workshop's state."""
    with open_platform(tmp_path / "data", "demo") as opened:
        yield opened
