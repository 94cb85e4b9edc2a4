"""What the sandbox answers when it cannot do what was asked, in the wire's own two forms.

The platform speaks `{"msg", "code"}`; an engine speaks `{"code", "status", "error", "source"}`.
The SDK parses both strictly, so no other error body may ever leave the sandbox, and never a 503:
on that status the SDK sends an inference ten times more.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

log = logging.getLogger(__name__)


class WireError(Exception):
    """The platform refuses: answered as `{"msg", "code"}` with `status`."""

    def __init__(self, status: int, msg: str) -> None:
        super().__init__(msg)
        self.status = status
        self.msg = msg


class EngineError(Exception):
    """An engine refuses: answered as `{"code", "status", "error", "source"}` with `status`."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class LoginError(Exception):
    """The log-in refuses, in the form of Keycloak: `{"error", "error_description"}`."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description


class BadRequest(WireError):
    """The request cannot be used; the message names the field."""

    def __init__(self, msg: str) -> None:
        super().__init__(400, msg)


def json_answer(content: object, status: int = 200) -> Response:
    """Return `content` as a JSON answer.

    Texts go out in ASCII escapes: a lone surrogate, legal in JSON, then survives the way.
    """
    body = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    return Response(body, status, media_type="application/json")


def wire_answer(status: int, msg: str) -> Response:
    """Return the platform's error body."""
    return json_answer({"msg": msg, "code": status}, status)


async def answer_wire_error(_request: Request, exc: Exception) -> Response:
    """Turn a `WireError` into its answer."""
    assert isinstance(exc, WireError)  # noqa: S101  # registered for this class only
    return wire_answer(exc.status, exc.msg)


async def answer_engine_error(_request: Request, exc: Exception) -> Response:
    """Turn an `EngineError` into its answer."""
    assert isinstance(exc, EngineError)  # noqa: S101  # registered for this class only
    body = {"code": exc.status, "status": "Error", "error": exc.error, "source": "engine"}
    return json_answer(body, exc.status)


async def answer_login_error(_request: Request, exc: Exception) -> Response:
    """Turn a `LoginError` into its answer."""
    assert isinstance(exc, LoginError)  # noqa: S101  # registered for this class only
    body = {"error": exc.error, "error_description": exc.description}
    return json_answer(body, exc.status)


async def answer_http_error(request: Request, exc: Exception) -> Response:
    """Turn the router's own refusals into the wire form.

    A path that is not ours and a method that is not the path's are both 501: "the sandbox does
    not imitate this", which no SDK call mistakes for an empty result.
    """
    assert isinstance(exc, HTTPException)  # noqa: S101  # registered for this class only
    if exc.status_code in (404, 405):
        return unknown_route(request.method, request.url.path)
    return wire_answer(exc.status_code, str(exc.detail))


def unknown_route(method: str, path: str) -> Response:
    """Answer a call that the sandbox does not imitate."""
    return wire_answer(501, f"The sandbox does not imitate {method} {path[:200]}")


def log_unexpected(method: str, path: str, exc: Exception) -> Response:
    """Log the traceback, without any part of a body, and answer 500.

    The exception's own text is left out of the log: it may quote what the client sent.
    """
    log.error("unexpected %s in %s %s\n%s", type(exc).__name__, method, path[:200], _where(exc))
    return wire_answer(500, "The sandbox failed unexpectedly; its log says where.")


def _where(exc: BaseException) -> str:
    """Return the frames of the traceback, without the text of the exception."""
    import traceback  # only a failing request pays for it

    return "".join(traceback.format_tb(exc.__traceback__))


EXCEPTION_HANDLERS: dict[Any, Any] = {  # Starlette's own type for it is private
    WireError: answer_wire_error,
    EngineError: answer_engine_error,
    LoginError: answer_login_error,
    HTTPException: answer_http_error,
}
