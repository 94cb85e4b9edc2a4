"""The ways a data source can fail to be read, each in one sentence with one next step.

The texts are shown as they are. They name the host at most, never a path, a query or a user.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dashboard.errors import FetchFailed

_LONGEST_HOST: Final = 100


class FetchCause(StrEnum):
    """Why a fetch failed; the value of `FetchFailed.cause_code`."""

    NAME_NOT_FOUND = "name_not_found"
    REFUSED = "refused"
    TLS = "tls"
    UNAUTHORISED = "unauthorised"
    NOT_FOUND = "not_found"
    REDIRECT_REFUSED = "redirect_refused"
    BLOCKED_ADDRESS = "blocked_address"
    NOT_A_TABLE = "not_a_table"
    TOO_BIG = "too_big"
    TIMED_OUT = "timed_out"
    OTHER_STATUS = "other_status"
    INVALID_LINK = "invalid_link"
    CANCELLED = "cancelled"
    NO_CONNECTOR = "no_connector"


@dataclass(frozen=True, slots=True)
class _Words:
    """Message and next step; `{host}` and `{detail}` are filled in."""

    message: str
    hint: str
    field: str | None = "url"


_WORDS: Final = {
    FetchCause.NAME_NOT_FOUND: _Words("{host} was not found.", "Check the spelling of the host."),
    FetchCause.REFUSED: _Words(
        "{host} does not accept the connection.",
        "Check the host and the port, or ask the source's owner whether it is running.",
    ),
    FetchCause.TLS: _Words(
        "{host} could not prove who it is: its certificate is not valid for us.",
        "Ask the source's owner for a valid certificate. "
        "If it has none, a link that starts with http:// may work.",
    ),
    FetchCause.UNAUTHORISED: _Words(
        "The source asks for a sign-in ({detail}).",
        "Add a token, or a user name and a password.",
        "sign_in",
    ),
    FetchCause.NOT_FOUND: _Words(
        "{host} has nothing at this link ({detail}).",
        "Check the part of the link after the host.",
    ),
    FetchCause.REDIRECT_REFUSED: _Words(
        "The link leads on to another address, which was not followed: {detail}.",
        "Use the address that it leads to.",
    ),
    FetchCause.BLOCKED_ADDRESS: _Words(
        "This address is not allowed.",
        "Use a public address, or ask your administrator to allow it.",
    ),
    FetchCause.NOT_A_TABLE: _Words(
        "The file is not a table we can read. We looked for JSON records, CSV, Parquet and Arrow.",
        "Choose the format yourself.",
        "format",
    ),
    FetchCause.TOO_BIG: _Words(
        "The file is larger than {detail}.",
        "Use a smaller file. Whoever runs the dashboard can raise WALLAROO_DASHBOARD_FETCH_MAX_MB.",
    ),
    FetchCause.TIMED_OUT: _Words(
        "{host} did not finish its answer within {detail}.",
        "Try again, or ask the source's owner whether it is slow.",
    ),
    FetchCause.OTHER_STATUS: _Words(
        "{host} answered with an error ({detail}).",
        "Try again later, or ask the source's owner.",
    ),
    FetchCause.INVALID_LINK: _Words(
        "This is not a complete link.", "Check the link. It starts with https:// and a host."
    ),
    FetchCause.CANCELLED: _Words("Cancelled.", "", None),
    FetchCause.NO_CONNECTOR: _Words(
        "The dashboard cannot read data through a connection of the type {detail}.",
        "It can still be linked to workspaces and used from code.",
        "type",
    ),
}


def fetch_failure(
    cause: FetchCause,
    *,
    host: str = "",
    detail: str = "",
    message: str = "",
    hint: str = "",
    field: str | None = None,
) -> FetchFailed:
    """Make the error for `cause` in its usual words.

    Parameters
    ----------
    host
        Host to name; a neutral phrase stands in for an empty one.
    detail
        What the cause's sentence has room for, such as a status or a limit.
    message, hint, field
        Replace the cause's usual ones when given.
    """
    words = _WORDS[cause]
    named = host[:_LONGEST_HOST] if host else "The source"
    return FetchFailed(
        message or words.message.replace("{host}", named).replace("{detail}", detail),
        cause_code=cause.value,
        hint=hint or words.hint,
        field=field or words.field,
    )


def not_a_table(reason: str, hint: str = "") -> FetchFailed:
    """Make the error for a file whose content cannot be used, saying what is wrong with it."""
    return fetch_failure(FetchCause.NOT_A_TABLE, message=reason, hint=hint)


def too_long(reason: str) -> FetchFailed:
    """Make the error for a file of more rows, columns or values than anybody could look at."""
    return fetch_failure(FetchCause.TOO_BIG, message=reason, hint="Use a file with a part of it.")


def unpacks_to_more(most_bytes: int) -> FetchFailed:
    """Make the error for a file whose table takes more memory than it may."""
    message = f"The table in the file is larger than {in_words(most_bytes)} once it is unpacked."
    return fetch_failure(FetchCause.TOO_BIG, message=message)


def in_words(size_bytes: int) -> str:
    """Return a size as people read it: `25 MB`, `1.5 MB`, `800 bytes` (1 MB = 1,000,000 bytes)."""
    if size_bytes < 1_000_000:
        return f"{size_bytes} bytes"
    return f"{size_bytes / 1_000_000:.4g} MB"
