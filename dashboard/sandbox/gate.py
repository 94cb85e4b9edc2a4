"""The way in: every request passes host, origin, ordered failures and token before its route.

Plain ASGI, because an engine's answer may stream. It also times each answer (`Server-Timing`) and
makes sure that an unexpected exception ends as a wire error and a traceback in the log.
"""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.sandbox.context import Sandbox
from dashboard.sandbox.errors import log_unexpected, wire_answer
from dashboard.sandbox.faults import Fault, TruncatingSend

#: What anybody may ask for without a token. A trailing slash means "and everything below".
OPEN_PATHS = (
    "/v1/api/config",
    "/_sandbox/health",
    "/_sandbox/samples/",
    "/auth/realms/",
)

#: What changes the sandbox for everybody: for administrators, reading aside.
ADMIN_PATHS = ("/_sandbox/reset", "/_sandbox/settings", "/_sandbox/faults")


class Gate:
    """Wraps the router; see the module's text for what it does."""

    def __init__(self, app: ASGIApp, *, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        timed = _TimedSend(send)
        try:
            await self._serve(scope, receive, timed)
        except asyncio.CancelledError:
            # The server ends and has waited long enough. Left to itself it would answer plain text.
            if timed.started:
                raise
            await wire_answer(500, "The sandbox is stopping")(scope, receive, timed)
        except Exception as exc:  # noqa: BLE001  # the last stop: nothing may leave as a bare 500
            answer = log_unexpected(scope["method"], scope["path"], exc)
            if not timed.started:
                await answer(scope, receive, timed)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        refusal = self._refuse_stranger(request)
        fault = None
        if refusal is None and (fault := self._sandbox.faults.take(request.url.path)):
            await asyncio.sleep(fault.delay_s)
            if fault.truncate:
                send = TruncatingSend(send)
            refusal = _ordered_answer(fault)
        if refusal is None:
            refusal = self._refuse_token(request)
        await (self._app if refusal is None else refusal)(scope, receive, send)

    def _refuse_stranger(self, request: Request) -> Response | None:
        """Refuse what a web page elsewhere could make a browser send here.

        The host check stops DNS rebinding, the origin check stops cross-site posts.
        """
        hosts = own_hosts(self._sandbox.config.port)
        if request.headers.get("host", "").lower() not in hosts:
            return wire_answer(403, "This host name is not the sandbox's")
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in hosts}:
            return wire_answer(403, "This origin may not use the sandbox")
        return None

    def _refuse_token(self, request: Request) -> Response | None:
        path = request.url.path
        if any(
            path == known or (known[-1] == "/" and path.startswith(known)) for known in OPEN_PATHS
        ):
            return None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user = (
            self._sandbox.tokens.user_of_access(token.strip())
            if scheme.lower() == "bearer"
            else None
        )
        if user is None:
            return wire_answer(401, "Unauthorized")
        if not user.is_admin and request.method != "GET" and path in ADMIN_PATHS:
            return wire_answer(403, "Only an administrator may do this")
        request.state.user = user
        return None


class _TimedSend:
    """Adds `Server-Timing: app;dur=<ms>` to an answer and remembers that it began."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._began = time.perf_counter()
        self.started = False

    async def __call__(self, message: Message) -> None:
        """Forward one ASGI message."""
        if message["type"] == "http.response.start":
            self.started = True
            elapsed_ms = (time.perf_counter() - self._began) * 1000
            header = (b"server-timing", f"app;dur={elapsed_ms:.2f}".encode())
            message = {**message, "headers": [*message["headers"], header]}
        await self._send(message)


def own_hosts(port: int) -> frozenset[str]:
    """Return the values of the Host header under which the sandbox answers."""
    return frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))


def _ordered_answer(fault: Fault) -> Response | None:
    if fault.status is None and fault.body is None:
        return None
    status = fault.status or 200
    if fault.body is None:
        return wire_answer(status, "A failure was ordered for this route")
    return Response(fault.body, status, media_type="application/json")
