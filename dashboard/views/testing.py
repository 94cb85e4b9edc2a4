"""A test of a connection as it goes: its stages, its verdict, and the way to stop it."""

from __future__ import annotations

from dashboard.errors import DashboardError


def panel(form: str) -> None:
    """Draw the test that `session.test_of(form)` names, polling while it runs.

    The page is drawn again when it ends, so that its error can stand at the form's field.
    """
    raise NotImplementedError


def failure_of(form: str) -> DashboardError | None:
    """Why the form's last test failed, for the field it belongs to; None if it did not."""
    raise NotImplementedError
