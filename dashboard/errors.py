"""The error tree. Everything a page shows as an error is one of these.

* DashboardError
    * SettingsError          a setting is missing or wrong; the program refuses to start
    * ConnectionFailed       the platform could not be used
        * AuthenticationFailed   it refused the log-in or the token
        * PlatformUnreachable    nothing answers at its address
        * TimedOut               it answers too late
    * AccessDenied           it answers, but this person may not do that
    * NotFound               the thing named does not exist (any more)
    * Conflict               the name is taken, or somebody changed it meanwhile
    * InvalidInput           what was typed cannot be used; `field` says where
    * DeployFailed           the deployment was refused
    * InferenceFailed        the engine refused or failed a row
        * RequestTooLarge        one request held more than the platform takes
    * FetchFailed            a data source could not be read; `cause_code` says which way
    * UnexpectedAnswer       anything else; `error_id` finds the traceback in the log

Texts are for people who do not program and may be shown as they are: they hold names, never
secrets, never raw exception texts. They are plain text: whoever draws them escapes them.
"""

from __future__ import annotations

import secrets


class DashboardError(Exception):
    """Base of the tree.

    Parameters
    ----------
    message
        What happened, with the names involved. One or two sentences.
    title
        Heading of the alert; the class has a default.
    hint
        What the reader can do next; empty if there is nothing.
    field
        Key of the form field the error belongs to, if any.
    """

    title = "Something went wrong"

    def __init__(
        self, message: str, *, title: str = "", hint: str = "", field: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.title = title or type(self).title
        self.hint = hint
        self.field = field


def bare(error: DashboardError) -> DashboardError:
    """Return `error` without traceback, cause and context: to be kept, it must hold nothing."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


class SettingsError(DashboardError):
    """A setting is missing or wrong."""

    title = "A setting is wrong"


class ConnectionFailed(DashboardError):
    """The platform could not be used."""

    title = "The platform cannot be used"


class AuthenticationFailed(ConnectionFailed):
    """The platform refused the log-in or the token."""

    title = "The platform refused the sign-in"


class PlatformUnreachable(ConnectionFailed):
    """Nothing answers at the platform's address."""

    title = "The platform is not answering"


class TimedOut(ConnectionFailed):
    """The platform answers too late."""

    title = "The platform took too long"


class AccessDenied(DashboardError):
    """The platform answers, but this person may not do that."""

    title = "You may not do that"


class NotFound(DashboardError):
    """The thing named does not exist, or no longer."""

    title = "Not found"


class Conflict(DashboardError):
    """The name is taken, or somebody changed the thing meanwhile."""

    title = "That did not fit"


class InvalidInput(DashboardError):
    """What was typed cannot be used; `field` says where.

    `suggestion` is a corrected value to offer with one click, or empty. It is made of what was
    typed: show it only beside the field, never log it.
    """

    title = "Check what you typed"

    def __init__(
        self,
        message: str,
        *,
        title: str = "",
        hint: str = "",
        field: str | None = None,
        suggestion: str = "",
    ) -> None:
        super().__init__(message, title=title, hint=hint, field=field)
        self.suggestion = suggestion


class DeployFailed(DashboardError):
    """The platform refused the deployment."""

    title = "The pipeline was not deployed"


class InferenceFailed(DashboardError):
    """The engine refused or failed a request."""

    title = "The model did not answer"


class RequestTooLarge(InferenceFailed):
    """One request held more than the platform takes."""

    title = "That was too much at once"


class FetchFailed(DashboardError):
    """A data source could not be read.

    `cause_code` is one of the closed set in `dashboard.connectors.base.FetchCause`.
    """

    title = "The data could not be fetched"

    def __init__(
        self, message: str, *, cause_code: str, hint: str = "", field: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, field=field)
        self.cause_code = cause_code


class UnexpectedAnswer(DashboardError):
    """Anything else. The traceback is in the log under `error_id`."""

    title = "Something unexpected happened"

    def __init__(self, message: str, *, hint: str = "", error_id: str = "") -> None:
        super().__init__(message, hint=hint)
        self.error_id = error_id or secrets.token_hex(4)
