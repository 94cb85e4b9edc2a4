"""A data source on loopback that asks for a token and serves a small table."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TABLE = json.dumps([{"inputs": f"Text number {number}."} for number in range(12)]).encode()


@dataclass
class Source:
    """What it serves, and what it was sent.

    Parameters
    ----------
    tokens
        What it takes; empty for no sign-in at all.
    asked
        The headers of every request, names in lower case.
    """

    port: int = 0
    tokens: set[str] = field(default_factory=set)
    body: bytes = TABLE
    asked: list[dict[str, str]] = field(default_factory=list)

    def link(self, path: str = "/week.json") -> str:
        """Address of a file there."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def running_source(*tokens: str) -> Iterator[Source]:
    """Serve until the block ends."""
    source = Source(tokens=set(tokens))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            source.asked.append({name.lower(): value for name, value in self.headers.items()})
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if source.tokens and token not in source.tokens:
                self.send_response(401)
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(source.body)))
            self.end_headers()
            self.wfile.write(source.body)

        def log_message(self, *_args: object) -> None:
            """Say nothing: its requests are in `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    source.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield source
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class HeldSource:
    """Where a file can be had of which only the first half comes until it is let go."""

    link: str
    size_bytes: int
    let_go: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def held_source(body: bytes = b" " * 1_000_000) -> Iterator[HeldSource]:
    """Serve half a file until the block ends, or the source is let go."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.wfile.flush()
            source.let_go.wait(30)
            with contextlib.suppress(OSError):  # nobody listens to it any more
                self.wfile.write(body[half:])

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    source = HeldSource(f"http://127.0.0.1:{server.server_port}/half.json", len(body))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield source
    finally:
        source.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
