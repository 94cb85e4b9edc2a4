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


def link_new(data_dir: Path, *, name: str, url: str, room: str) -> None:
    """Make an HTTP connection and link it to the workspace of that name, past the pages."""
    with signed_in(data_dir) as platform:
        body = {"name": name, "type": "HTTP", "details": {"url": url}}
        made = platform.post("/v1/api/connections/create", json=body)
        rooms = platform.post("/v1/api/workspaces/list", json={}).json()["workspaces"]
        room_id = next(one["id"] for one in rooms if one["name"] == room)
        link = {"connection_id": made.json()["id"], "workspace_id": room_id}
        platform.post("/v1/api/connections/add_to_workspace", json=link).raise_for_status()
