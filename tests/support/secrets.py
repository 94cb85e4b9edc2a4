"""Secrets to plant, and a witness of everything that goes between a browser and the dashboard."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, WebSocket

_PLANTED = {
    "password": "pw-7Qx1kz9-horse",
    "token": "tok-8f2b61c0d7e94",
    "pat": "ghp_Zr4Tq0Xv8LmN2sKd",
    "url user": "usr-info-p4ssw0rd",
    "url query": "sig-Jw83nZxQ01",
    "url path": "hook-path-9xk2Lm7",
    "nested": "nested-deep-5512ab",
    "list item": "list-item-77fe01",
    "pem": "MIIEvQIBADANBgkqhkiG9w0",
    "cookie": "sessionid-c00k1e-42",
    "bearer": "bearer-eyJhbGciOi-91",
    "dsn": "dsn-pr0d-s3cret-61",
    "note": "the-gate-code-is-4411",
}


def planted_details() -> dict[str, Any]:
    """Return a connection's details that hold every planted secret, at thirteen places."""
    s = _PLANTED
    return {
        "url": f"https://ann:{s['url user']}@files.example.org/{s['url path']}/week.json"
        f"?sig={s['url query']}",
        "password": s["password"],
        "token": s["token"],
        "pat": s["pat"],
        "auth": {"outer": {"inner": s["nested"]}},
        "keys": ["first", s["list item"]],
        "certificate": f"-----BEGIN PRIVATE KEY-----\n{s['pem']}\n-----END PRIVATE KEY-----\n",
        "headers": {"Cookie": f"a={s['cookie']}", "Authorization": f"Bearer {s['bearer']}"},
        "dsn": f"postgresql://app:{s['dsn']}@db.internal:5432/sales",
        "note": s["note"],
    }


def secrets() -> dict[str, str]:
    """Return the planted secrets by where they stand."""
    return dict(_PLANTED)


@dataclass
class Witness:
    """Keeps all that a page receives, sends, logs and shows as its address."""

    received: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        """Begin to watch `page`."""
        page.on("websocket", self._follow_socket)
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("framenavigated", lambda frame: self.urls.append(frame.url))

    def _follow_socket(self, socket: WebSocket) -> None:
        self.urls.append(socket.url)
        socket.on("framereceived", lambda frame: self.received.append(_bytes(frame)))
        socket.on("framesent", lambda frame: self.sent.append(_bytes(frame)))

    def told(self) -> bytes:
        """Return everything that reached the browser, or stood in an address."""
        return b"\n".join(
            [*self.received, *(text.encode() for text in (*self.console, *self.urls))]
        )


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def found_in(text: bytes, planted: dict[str, str]) -> list[str]:
    """Return the places whose secret stands in `text`."""
    return [place for place, secret in planted.items() if secret.encode() in text]


def found_in_files(folder: Path, planted: dict[str, str]) -> list[tuple[str, str]]:
    """Return file and place of every secret that stands in clear in a file below `folder`."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found += [(path.name, place) for place in found_in(path.read_bytes(), planted)]
    return found
