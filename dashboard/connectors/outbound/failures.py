"""Turns exceptions and answers that are no file into our errors, in words that name no link."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Final

import requests
from urllib3.exceptions import ReadTimeoutError

from dashboard.connectors.causes import FetchCause, fetch_failure
from dashboard.connectors.outbound.contract import Limits, SignIn
from dashboard.domain.check import Stage
from dashboard.errors import FetchFailed

#: Stands for the host that a redirect names.
LED_ON: Final = "The address that the link leads on to"


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what it was made from; libraries nest them in several ways."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < 20:
        part = waiting.pop(0)
        if isinstance(part, BaseException) and id(part) not in seen:
            seen.add(id(part))
            yield part
            waiting += [*part.args, getattr(part, "reason", None), part.__cause__]
            waiting.append(part.__context__)


#: First match wins. A refused connection stands before the timeouts: urllib3 counts it as one.
_CAUSES: Final[tuple[tuple[FetchCause, tuple[type[BaseException], ...]], ...]] = (
    (FetchCause.TLS, (ssl.SSLError, requests.exceptions.SSLError)),
    (FetchCause.INVALID_LINK, (requests.exceptions.InvalidHeader, UnicodeError)),
    (FetchCause.REFUSED, (ConnectionError,)),
    (FetchCause.TIMED_OUT, (TimeoutError, requests.exceptions.ReadTimeout, ReadTimeoutError)),
)


def cause_of(error: BaseException) -> FetchCause:
    """Return the cause that an exception of the libraries stands for."""
    parts = list(chain(error))
    for cause, kinds in _CAUSES:
        if any(isinstance(part, kinds) for part in parts):
            return cause
    return FetchCause.REFUSED


def broken_off(
    cause: FetchCause | None, host: str, limits: Limits, *, at: Stage | None
) -> FetchFailed:
    """Make the error for a request that ended without a usable answer, at one of its stages."""
    if cause is FetchCause.TIMED_OUT:
        return fetch_failure(cause, host=host, detail=f"{limits.total_s:g} s")
    if cause is FetchCause.REFUSED and at is Stage.READ:
        return fetch_failure(
            cause,
            message=f"{host[:100]} broke off before the file was complete.",
            hint="Try again, or ask the source's owner.",
        )
    if cause is FetchCause.REFUSED and at is Stage.AUTHORISE:
        return fetch_failure(
            cause,
            message=f"{host[:100]} takes the connection, and then gives no answer as a web server.",
            hint="Check the port, and whether the link starts with https:// or http://.",
        )
    return fetch_failure(cause or FetchCause.REFUSED, host=host)


def not_found(host: str) -> FetchFailed:
    """Make the error for a name without an address."""
    hint = "Ask the source's owner where the file is." if host == LED_ON else ""
    return fetch_failure(FetchCause.NAME_NOT_FOUND, host=host, hint=hint)


def redirect_refused(why: str) -> FetchFailed:
    """Make the error for a redirect that is not followed, and why."""
    return fetch_failure(FetchCause.REDIRECT_REFUSED, detail=why)


def status_failure(status: int, host: str, sign_in: SignIn | None, *, moved: bool) -> FetchFailed:
    """Make the error for an answer that is not the file."""
    code = str(status)
    if status in (401, 403) and moved:
        return fetch_failure(
            FetchCause.UNAUTHORISED,
            detail=code,
            hint="The link leads on to another address, and a sign-in is not sent there. "
            "Use the address that it leads to.",
            field="url",
        )
    if status in (401, 403) and sign_in is not None:
        return fetch_failure(
            FetchCause.UNAUTHORISED,
            message=f"The source rejected the {sign_in.word} ({code}).",
            hint=f"Replace the {sign_in.word}, or ask its owner whether it has expired.",
            field=sign_in.field,
        )
    if status in (401, 403):
        return fetch_failure(FetchCause.UNAUTHORISED, detail=code)
    if status in (404, 410):
        return fetch_failure(FetchCause.NOT_FOUND, host=host, detail=code)
    return fetch_failure(FetchCause.OTHER_STATUS, host=host, detail=code)
