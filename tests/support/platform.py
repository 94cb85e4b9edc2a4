"""The platform behind a running dashboard, asked directly."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx


def sandbox_url(data_dir: Path) -> str:
    """Address of the sandbox of the dashboard over `data_dir`."""
    port = (data_dir / "sandbox" / "port").read_text().strip()
    return f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def signed_in(data_dir: Path) -> Iterator[httpx.Client]:
    """Give a client that carries the sandbox's own account."""
    account = json.loads((data_dir / "sandbox" / "credentials.json").read_text())
    with httpx.Client(base_url=sandbox_url(data_dir), timeout=30) as client:
        answer = client.post(
            "/auth/realms/master/protocol/openid-connect/token",
            data={"client_id": "sdk-client", "grant_type": "password", **account},
        )
        answer.raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client
