"""The web application: Streamlit's own, our start and stop, `/readyz` and headers around it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st
from anyio import to_thread
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboard import runtime
from dashboard.errors import DashboardError
from dashboard.services.failures import unexpected
from dashboard.settings import PROJECT_ROOT, Settings
from dashboard.vault import VaultError
from dashboard.views import ways_back

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger(__name__)

#: Screens beyond the first one: plotly, pandas and Arrow come with them.
_LATER_IMPORTS = (
    "components.latency_charts",
    "components.latency_figures",
    "dashboard.views.connection",
    "dashboard.views.run_reading",
    "dashboard.views.table_choice",
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    # No other site may put the dashboard into a frame and have people click in it.
    (b"content-security-policy", b"frame-ancestors 'self'"),
)


class StartFailed(Exception):
    """The runtime refused to start; the message is a sentence for the terminal."""


class SecurityHeaders:
    """Adds our headers to every answer that does not carry them yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", ())}
                message["headers"] = [
                    *message.get("headers", ()),
                    *(pair for pair in _HEADERS if pair[0] not in present),
                ]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def build_app(
    settings: Settings,
    *,
    on_listening: Callable[[], None] | None = None,
    on_refusal: Callable[[str], None] | None = None,
    on_leaving: Callable[[Sequence[str]], None] | None = None,
) -> st.App:
    """Build the application.

    Parameters
    ----------
    on_listening
        Called once, when the runtime has started and pages are about to be served.
    on_refusal
        Called with one sentence if the runtime refuses to start, just before the server ends.
    on_leaving
        Called at an ordinary stop with what goes on without the dashboard, one sentence each.
    """
    return st.App(
        PROJECT_ROOT / "dashboard" / "app.py",
        lifespan=_lifespan(
            settings, on_listening=on_listening, on_refusal=on_refusal, on_leaving=on_leaving
        ),
        routes=[Route("/readyz", _readyz)],
        middleware=[Middleware(SecurityHeaders)],
        on_script_error=on_script_error,
    )


def _lifespan(
    settings: Settings,
    *,
    on_listening: Callable[[], None] | None,
    on_refusal: Callable[[str], None] | None,
    on_leaving: Callable[[Sequence[str]], None] | None,
) -> Callable[[st.App], AbstractAsyncContextManager[dict[str, Any] | None]]:
    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        try:
            await to_thread.run_sync(partial(runtime.start, settings, later_imports=_LATER_IMPORTS))
        except (DashboardError, VaultError, OSError) as exc:
            # The terminal gets the sentence; the traceback is for the log file.
            _LOG.info("the dashboard did not start", exc_info=exc)
            if on_refusal is not None:
                on_refusal(str(exc))
            raise StartFailed(str(exc)) from None
        try:
            if on_listening is not None:
                on_listening()
            yield
        finally:
            # Streamlit does not release what its caches hold when it stops.
            st.cache_resource.clear()
            if on_leaving is not None:
                on_leaving(await to_thread.run_sync(runtime.current().leaving))
            await to_thread.run_sync(runtime.stop)

    return lifespan


def _readyz(_request: Request) -> JSONResponse:
    """Answer 200 when the platform answers, else 503; for whoever watches the process."""
    if runtime.current().is_ready():
        return JSONResponse({"status": "ready"})
    return JSONResponse({"status": "waiting for the platform"}, status_code=503)


def on_script_error(exc: Exception) -> bool:
    """Log an uncaught exception of a page under an id, and show the id instead of the exception."""
    error = exc if isinstance(exc, DashboardError) else unexpected(exc)
    if error is exc:
        _LOG.error("a page did not handle an error", exc_info=exc)
    ways_back.show(error, what="this page", key="uncaught")
    return True
