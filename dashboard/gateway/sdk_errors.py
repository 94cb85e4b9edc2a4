"""Every exception of the SDK and its libraries becomes one of our errors here.

The SDK raises bare exceptions with fixed texts, so the cause is read from the wire: what the server
answered, or that it did not. The original is never chained to ours: it holds the request, with the
token and a connection's details. Unknown ones go to the log, redacted, under an id.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.errors import (
    AccessDenied,
    AuthenticationFailed,
    Conflict,
    DashboardError,
    DeployFailed,
    InferenceFailed,
    InvalidInput,
    NotFound,
    PlatformUnreachable,
    RequestTooLarge,
    TimedOut,
    UnexpectedAnswer,
)
from dashboard.gateway.wire import Wire
from dashboard.masking import REDACTOR

_LOG = logging.getLogger(__name__)
_MOST_CHARACTERS = 400
_GRAPHQL = "/graphql"
_ASK_ADMIN = "Ask the platform's administrator, or a member of the workspace."
_COME_BACK_LATER = "Try again in a moment."
_LOOK_FIRST = "It may have been done all the same: look before you try again."
_COME_BACK = "Check that it is running and that its address is right, then try again."


@dataclass(frozen=True, slots=True)
class Doing:
    """What a call was about, in words for its error messages.

    Parameters
    ----------
    what
        Completes "The platform could not ...", such as `list the connections`.
    subject
        The thing a 404 is about, such as `connection "x"`; empty if there is none.
    taken
        What a 409 says, if it can come.
    field
        Key of the form field a refusal belongs to.
    """

    what: str
    subject: str = ""
    taken: str = ""
    field: str | None = None


def clean(text: str) -> str:
    """Make a server's text fit to show: redacted, one line, no control characters, short."""
    flat = " ".join(REDACTOR.redact(text).split())
    plain = "".join(sign for sign in flat if sign.isprintable())
    return plain if len(plain) <= _MOST_CHARACTERS else plain[: _MOST_CHARACTERS - 1] + "…"


def translate(exc: Exception, wire: Wire, doing: Doing) -> DashboardError:
    """Return the error of ours that says what `exc` means."""
    if isinstance(exc, DashboardError):
        return exc
    if wire.problem is not None:
        return wire.problem
    known = _by_exchange(wire, doing) or _by_graphql(exc, doing) or _by_name(exc, doing)
    return known or unexpected(exc, doing)


def unexpected(exc: Exception, doing: Doing) -> UnexpectedAnswer:
    """Log `exc` with its traceback, redacted, and return the error that names the log entry."""
    error = UnexpectedAnswer(f"The platform gave no usable answer when asked to {doing.what}.")
    story = REDACTOR.redact("".join(traceback.format_exception(exc)))
    _LOG.error("error %s: could not %s\n%s", error.error_id, doing.what, story)
    return error


def _by_exchange(wire: Wire, doing: Doing) -> DashboardError | None:
    last = wire.last
    if last is None:
        return None
    if last.timed_out:
        return TimedOut(
            f"The platform did not answer in time when asked to {doing.what}.",
            hint=_COME_BACK_LATER if wire.may_repeat else _LOOK_FIRST,
        )
    if last.status is None:
        return PlatformUnreachable("Nothing answers at the platform's address.", hint=_COME_BACK)
    if last.status == 404 and last.path.endswith(_GRAPHQL):
        # What is not there is told with status 200: this is whatever stands before the platform.
        return _not_available()
    return _by_status(last.status, clean(last.message), doing)


def _by_status(status: int, said: str, doing: Doing) -> DashboardError | None:
    error: DashboardError | None = None
    if status == 401:
        error = _not_signed_in()
    elif status == 403:
        error = AccessDenied(said or f"You may not {doing.what}.", hint=_ASK_ADMIN)
    elif status == 404:
        error = NotFound(f"There is no {doing.subject}." if doing.subject else said or _gone())
    elif status == 409:
        error = Conflict(doing.taken or said or "Somebody changed it meanwhile.", field=doing.field)
    elif status in (400, 413, 422):
        text = f"The platform could not {doing.what}: {said or 'it gave no reason.'}"
        error = InvalidInput(text, field=doing.field)
    elif status in (408, 429):
        error = TimedOut("The platform is too busy to answer.", hint=_COME_BACK_LATER)
    elif status in (502, 503, 504):
        error = _not_available()
    elif status >= 400:
        text = f"The platform reported a problem of its own (status {status})."
        error = UnexpectedAnswer(f"{text} {said}".strip())
        _LOG.error("error %s: could not %s: %s", error.error_id, doing.what, error.message)
    return error


def _not_available() -> PlatformUnreachable:
    return PlatformUnreachable("The platform is not available just now.", hint=_COME_BACK)


def _gone() -> str:
    return "The platform does not have it any more."


def _not_signed_in() -> AuthenticationFailed:
    return AuthenticationFailed(
        "The platform did not accept your sign-in.", hint="Try again; if it stays, sign in anew."
    )


def _by_graphql(exc: Exception, doing: Doing) -> DashboardError | None:
    """Read the errors of a GraphQL answer, which come with status 200."""
    errors = getattr(exc, "errors", None)
    if not isinstance(errors, Sequence) or not errors or not isinstance(errors[0], dict):
        return None
    extensions = errors[0].get("extensions")
    code = str(extensions.get("code", "")) if isinstance(extensions, dict) else ""
    if "jwt" in code or code == "unauthorized":
        return _not_signed_in()
    if code in ("access-denied", "permission-error", "permission-denied", "forbidden"):
        return AccessDenied(f"You may not {doing.what}.", hint=_ASK_ADMIN)
    return None


def _by_name(exc: Exception, doing: Doing) -> DashboardError | None:
    """Read the SDK's own exception classes, by name: only one module may import the SDK."""
    name = type(exc).__name__
    if name == "InvalidNameError":
        text = "A name may hold ASCII letters, digits and dashes, and starts with a letter."
        return InvalidInput(text, field=doing.field)
    if name == "EntityNotFoundError":
        return NotFound(f"There is no {doing.subject}." if doing.subject else _gone())
    if name == "InvalidAccelerationError":
        text = "This acceleration does not exist with these processors."
        return DeployFailed(text, hint="Choose another one, or other processors.")
    if name == "LimitError":
        return DeployFailed("The platform's licence allows no more deployments.")
    return None


def refused_deploy(error: DashboardError, wire: Wire) -> DashboardError:
    """Return `DeployFailed` for a deployment that was refused for a reason of its own."""
    last = wire.last
    reason_is_known = isinstance(error, DeployFailed | AuthenticationFailed | AccessDenied)
    if reason_is_known or last is None or last.status is None or last.status < 400:
        return error
    if isinstance(error, PlatformUnreachable | TimedOut):
        return error
    said = clean(last.message)
    text = f"The platform refused to deploy it: {said}" if said else "The platform refused it."
    return DeployFailed(text, hint="Check the CPU and memory asked for, then try again.")


def failed_inference(exc: Exception, *, timeout_s: float) -> DashboardError:
    """Return what a failed inference means. The engine's own text is kept, redacted."""
    names = {kind.__name__ for kind in type(exc).__mro__}
    if isinstance(exc, DashboardError):
        return exc
    if isinstance(exc, TimeoutError) or "TimeoutException" in names:
        return TimedOut(f"The model gave no answer within {timeout_s:g} s.")
    if "TransportError" in names:
        return PlatformUnreachable("The engine's address does not answer.", hint=_COME_BACK)
    if "InferenceError" in names:
        return _by_engine(exc)
    return unexpected(exc, Doing("run the model"))


def _by_engine(exc: Exception) -> DashboardError:
    code = getattr(exc, "code", None)
    answer = getattr(getattr(exc, "response", None), "original_response", None)
    status = getattr(answer, "status_code", code)
    if status == 401:
        return _not_signed_in()
    if status == 403:
        return AccessDenied("You may not use this pipeline.", hint=_ASK_ADMIN)
    if status == 404:
        return InferenceFailed("The pipeline is not deployed.", hint="Deploy it, then try again.")
    said = clean(_engine_words(answer))
    if status == 413:
        return RequestTooLarge(said or "It is larger than the platform takes at once.")
    if not said and status in (429, 502, 503, 504):
        # Not the engine's own word, but that of whatever stands before it.
        return PlatformUnreachable("The engine is not available just now.", hint=_COME_BACK_LATER)
    return InferenceFailed(said or f"The engine answered with status {status}.")


def _engine_words(answer: object) -> str:
    """Return the reason in an engine's answer; empty for a page of whoever stands before it."""
    try:
        told = json.loads(getattr(answer, "text", ""))
    except ValueError:
        return ""
    words = (told.get("error") or told.get("msg")) if isinstance(told, dict) else None
    return words if isinstance(words, str) else ""
