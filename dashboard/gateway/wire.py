"""HTTP to the platform: one pool of connections, and a wire per client that watches each request.

The SDK opens a new HTTP client with a new TLS context for most calls, waits up to 60 s whatever it
is told, and hides what the server said. It takes HTTP clients from its caller, though: those run
over a `Wire`, which puts the current token on each request, bounds its time, renews a token that
was refused, and remembers the answers, so that an error is told by its cause, not by its text.
"""

from __future__ import annotations

import ipaddress
import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from dashboard.errors import DashboardError

_CONNECT_S = 5.0
#: Shorter than the 5 s after which common servers hang up, so that a connection is not reused in
#: the moment it dies.
_KEEP_ALIVE_S = 3.0
_MESSAGE_KEYS = ("msg", "error_description", "error", "message", "detail")


class Bearers(Protocol):
    """Gives the current token of a key. See `dashboard.gateway.tokens.TokenKeeper`."""

    def bearer(self, key: str) -> str:
        """Return a token that is good for now, refreshed first if it is due."""
        ...

    def renew(self, key: str, *, refused: str) -> str:
        """Return a token other than `refused`, which the platform would not take."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what became of it.

    Parameters
    ----------
    status
        HTTP status, or None if no answer came.
    message
        The server's own error text, unredacted; empty for answers below 400.
    timed_out
        True when no (complete) answer came in time; with False and no status, nothing answers.
    """

    path: str
    status: int | None = None
    message: str = ""
    timed_out: bool = False


def is_loopback(url: str) -> bool:
    """Whether `url` points to this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> str | None:
    """Return the proxy the environment asks for, or None. Never one for this machine itself."""
    parts = urlsplit(url)
    if is_loopback(url) or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


class Pool:
    """The connections to one platform, shared by all clients and threads."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._limits = httpx.Limits(
            max_connections=100, max_keepalive_connections=20, keepalive_expiry=_KEEP_ALIVE_S
        )
        self._transport: httpx.HTTPTransport | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def transport(self) -> httpx.HTTPTransport:
        """The shared transport; built on first use, because reading certificates takes time.

        Raises
        ------
        httpx.TransportError
            After `close`.
        """
        with self._lock:
            if self._closed:
                raise httpx.ConnectError("the platform's address has changed meanwhile")
            if self._transport is None:
                proxy = proxy_for(self.base_url)
                self._transport = httpx.HTTPTransport(limits=self._limits, proxy=proxy)
            return self._transport

    def open_async(self) -> httpx.AsyncHTTPTransport:
        """Open a transport of its own for one event loop; the caller closes it."""
        return httpx.AsyncHTTPTransport(limits=self._limits, proxy=proxy_for(self.base_url))

    def client(self, transport: httpx.BaseTransport | None = None) -> httpx.Client:
        """Make an HTTP client over this pool (or `transport`). Closing it leaves the pool open."""
        # trust_env off: proxies and certificates are the pool's business, and a .netrc entry must
        # not replace the token.
        return httpx.Client(
            base_url=self.base_url,
            transport=transport or _Kept(self),
            trust_env=False,
            timeout=_CONNECT_S,
        )

    def close(self) -> None:
        """Close every connection; later use fails."""
        with self._lock:
            self._closed = True
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()


class _Kept(httpx.BaseTransport):
    """The pool's transport for a short-lived client, whose end must not close the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._pool.transport.handle_request(request)


class Wire(httpx.BaseTransport):
    """Carries the requests of one SDK client. Used by one thread at a time.

    Attributes
    ----------
    exchanges
        What was sent since `begin`, in order.
    may_repeat
        Whether the present call changes nothing, so that a request may be sent once more.
    problem
        Our own error (a refused log-in) raised below the SDK, which might swallow it.
    """

    def __init__(
        self, pool: Pool, tokens: Bearers, key: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._tokens = tokens
        self._key = key
        self._clock = clock
        self._limit_s = _CONNECT_S
        self.may_repeat = False
        self.exchanges: list[Exchange] = []
        self.problem: DashboardError | None = None

    def begin(self, *, limit_s: float, may_repeat: bool) -> None:
        """Start a new call.

        Parameters
        ----------
        limit_s
            Most time for each single request, in s, until its answer is complete.
        may_repeat
            Whether a request may be sent once more after a refused token or a connection that died
            under it: only for calls that change nothing.
        """
        self._limit_s = limit_s
        self.may_repeat = may_repeat
        self.exchanges = []
        self.problem = None

    @property
    def last(self) -> Exchange | None:
        """The newest exchange since `begin`."""
        return self.exchanges[-1] if self.exchanges else None

    def answered(self, path_end: str) -> bool:
        """Whether a request to a path ending so was accepted (status below 300)."""
        return any(
            seen.path.endswith(path_end) and seen.status is not None and seen.status < 300
            for seen in self.exchanges
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request of the SDK."""
        try:
            token = self._tokens.bearer(self._key)
            response = self._send(request, token)
            if response.status_code == httpx.codes.UNAUTHORIZED:
                token = self._tokens.renew(self._key, refused=token)
                if self.may_repeat:
                    response = self._send(request, token)
        except DashboardError as exc:
            self.problem = exc
            raise
        return response

    def _send(self, request: httpx.Request, token: str) -> httpx.Response:
        request.headers["Authorization"] = f"Bearer {token}"
        request.extensions = {**request.extensions, "timeout": self._timeouts()}
        try:
            return self._attempt(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if not self.may_repeat:
                raise
            return self._attempt(request)

    def _attempt(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        deadline = self._clock() + self._limit_s
        try:
            raw = self._pool.transport.handle_request(request)
            try:
                body = self._read(raw, deadline)
            finally:
                raw.close()
        except httpx.TimeoutException:
            self.exchanges.append(Exchange(path, timed_out=True))
            raise
        except httpx.TransportError:
            self.exchanges.append(Exchange(path))
            raise
        response = httpx.Response(
            raw.status_code,
            headers=raw.headers,
            stream=httpx.ByteStream(body),
            extensions=raw.extensions,
        )
        message = server_message(raw.headers, body) if response.is_error else ""
        self.exchanges.append(Exchange(path, response.status_code, message))
        return response

    def _read(self, raw: httpx.Response, deadline: float) -> bytes:
        # The library's read time-out starts anew with each piece; a server that drips would never
        # meet it.
        pieces: list[bytes] = []
        for piece in raw.iter_raw():
            pieces.append(piece)
            if self._clock() > deadline:
                raise httpx.ReadTimeout("the answer was not complete in time")
        return b"".join(pieces)

    def _timeouts(self) -> dict[str, float]:
        connect = min(_CONNECT_S, self._limit_s)
        rest = self._limit_s
        return {"connect": connect, "read": rest, "write": rest, "pool": rest}


def server_message(headers: httpx.Headers, body: bytes) -> str:
    """Return the error text in an answer's body, or empty. `sdk_errors.clean` makes it showable."""
    if headers.get("content-encoding"):
        return ""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if isinstance(answer, dict):
        for key in _MESSAGE_KEYS:
            if isinstance(answer.get(key), str):
                return str(answer[key])
    return ""
