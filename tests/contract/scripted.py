"""A platform of a few lines over real HTTP, which answers exactly what a test tells it to.

For what the sandbox, being correct, never does: swallowed refusals, dripping or broken answers.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt

from dashboard.domain.connection import Description, DetailPart
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline
from dashboard.gateway.base import Account
from dashboard.masking import SecretText

TOKEN_PATH = "/auth/realms/master/protocol/openid-connect/token"  # noqa: S105 - a path
#: A path's answer: a status and a body, or a function of the request's body that gives both.
Reply = tuple[int, Any]
Script = Reply | Callable[[Any], Reply]


@dataclass
class Seen:
    """One request as it arrived."""

    path: str
    body: Any
    token: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class ScriptedPlatform:
    """Answers by path; counts what it saw. `expires_in_s` is the life of the tokens it gives."""

    url: str = ""
    expires_in_s: float = 300
    scripts: dict[str, Script] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    tokens_given: list[str] = field(default_factory=list)
    refuse_tokens: set[str] = field(default_factory=set)
    drip_s: dict[str, float] = field(default_factory=dict)

    def account(self) -> Account:
        return Account(self.url, "ann", SecretText("ann-password-5613"))

    def requests(self, path_end: str) -> list[Seen]:
        return [request for request in self.seen if request.path.endswith(path_end)]

    def answer(self, path: str, body: Any, headers: dict[str, str]) -> Reply:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        self.seen.append(Seen(path, body, token, headers))
        if path in self.scripts:
            script = self.scripts[path]
            return script(body) if callable(script) else script
        if path == TOKEN_PATH:
            return 200, self.grant()
        if path == "/v1/api/config":
            return 200, {"default_arch": "x86"}
        if token in self.refuse_tokens:
            return 401, {"msg": "Unauthorized", "code": 401}
        return 404, {"msg": f"no {path}", "code": 404}

    def grant(self) -> dict[str, Any]:
        number = len(self.tokens_given) + 1
        claims = {"sub": "user-1", "email": "ann@example.com", "n": number}
        token = jwt.encode(claims, "k" * 32, algorithm="HS256")
        self.tokens_given.append(token)
        return {
            "access_token": token,
            "expires_in": self.expires_in_s,
            "refresh_token": f"refresh-token-{number}",
            "refresh_expires_in": self.expires_in_s * 6,
        }


@contextmanager
def scripted_platform() -> Iterator[ScriptedPlatform]:
    """Run one until the block ends."""
    platform = ScriptedPlatform()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body leave together; apart they would wait for each other 40 ms.
        wbufsize = 1 << 16

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                body = json.loads(raw)
            except ValueError:
                body = raw.decode("utf-8", "replace")
            path = self.path.split("?")[0]
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = platform.answer(path, body, headers)
            self.reply(path, status, answer)

        do_GET = do_POST  # noqa: N815 - the name the base class asks for

        def reply(self, path: str, status: int, answer: Any) -> None:
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            drip_s = platform.drip_s.get(path)
            if drip_s is None:
                self.wfile.write(data)
                return
            try:
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(drip_s)
            except OSError:
                pass

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    platform.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_EPOCH = datetime.fromtimestamp(0, UTC)
SECRET = "planted-secret-77aa41"  # noqa: S105 - planted, to be looked for
ITEM = {
    "id": "ef81f3ac",
    "name": "sample",
    "type": "HTTP",
    "details": {"url": f"https://u:{SECRET}@example.com/x", "note": SECRET},
    "created_at": "2026-11-22T13:44:15.757191+00:00",
    "workspace_names": ["room"],
}
LIST = "/v1/api/connections/list"
GET = "/v1/api/connections/get"
GRAPHQL = "/v1/graphql"
STATUS = "/v1/api/status/get_deployment"
DENIED = (401, {"msg": "Unauthorized", "code": 401})
PIPELINE = Pipeline(3, "hf-summarizer", 1, "room", _EPOCH, _EPOCH)
VERSION = ModelVersion(7, "6ddff325-0000-4000-8000-000000000000", "hf-summarizer", "ee71")


def describe(kind, details):
    parts = tuple(DetailPart(key, key, None, is_set=True) for key in details)
    return Description(parts, "example.com")


def listed(*items):
    return 200, {"connections": list(items)}


def deployment(*, deployed, config=None):
    row = {"id": 5, "deploy_id": "hf-summarizer", "deployed": deployed, "engine_config": config}
    return {"id": 3, "deployment": row}


def graphql(**answers):
    """Answer each of our documents and of the SDK's by a word of its text."""

    def answer(body):
        for word, data in answers.items():
            if f"query {word}" in " ".join(body["query"].split()):
                return 200, {"data": data(body) if callable(data) else data}
        return 200, {"errors": [{"message": "no such document"}]}

    return answer


INFER = "/v1/api/pipelines/infer/hf-summarizer-5/hf-summarizer"
ROW = {"inputs": "A long text.", "return_text": True}
ENGINE_ANSWER = [
    {
        "time": 1795355056259,
        "in.inputs": "A long text.",
        "out.summary_text": "Short.",
        "anomaly.count": 0,
        "metadata.elapsed": [1_500_000, 20_000_000],
        "metadata.last_model": "{}",
    }
]


def infer(gateway, who, *, timeout_s=2.0):
    async def run():
        async with gateway.open_inference(who, PIPELINE) as session:
            return await session.infer([ROW], timeout_s=timeout_s)

    return asyncio.run(run())
