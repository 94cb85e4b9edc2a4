"""Connections of a type that no connector knows: stored, linked and used from code, not read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from pydantic import BaseModel, Field

from dashboard.connectors.address_finding import address_at
from dashboard.connectors.base import FetchedTable, FormField, TestResult, form_field, staged
from dashboard.connectors.causes import FetchCause, fetch_failure
from dashboard.connectors.describing import plain, set_or_not
from dashboard.connectors.formats.pieces import TableSink
from dashboard.connectors.outbound import Outbound, Progress, Stage
from dashboard.domain.connection import Description
from dashboard.domain.detail_tree import Path
from dashboard.domain.json_text import json_value
from dashboard.errors import FetchFailed, InvalidInput
from dashboard.masking import SecretDetails


class CustomDetails(BaseModel):
    """What the form of a custom connection asks for."""

    details: str = Field(
        title="Details",
        description="A JSON object with what is needed to read the source. All of it is secret.",
        examples=['{"host": "db.example.org", "token": "…"}'],
        json_schema_extra={"kind": "long_text", "required": True},
    )


class CustomConnector:
    """Stands in for a type without a connector of its own."""

    title = "Custom"
    details_model = CustomDetails
    can_fetch = False

    def __init__(self, type_name: str = "") -> None:
        self._type_name = type_name

    @property
    def type_names(self) -> tuple[str, ...]:
        """The type's name as it was asked for, if any."""
        return (self._type_name,) if self._type_name else ()

    def fields(self) -> tuple[FormField, ...]:
        """Return the one field, a JSON object."""
        return tuple(form_field(key, info) for key, info in CustomDetails.model_fields.items())

    def describe(self, details: object) -> Description:
        """Return every key as set or not set."""
        return Description(set_or_not(details))

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:  # any JSON value
        """Make the details from JSON text under `details`, or from an object there.

        Raises
        ------
        InvalidInput
            If it is not a JSON object; the message tells line and character, never the text.
        """
        given = values.get("details")
        details = _object_in(given) if isinstance(given, str) else given
        if not isinstance(details, dict):
            raise _invalid("The details are a JSON object: names and values between { and }.")
        return details

    def check(self, details: Any, touched: Collection[str]) -> None:  # noqa: ANN401 - any JSON value
        """Let everything pass: nobody here knows the type's rules."""

    def address_in(self, path: Path, value: object) -> str | None:
        """Return the address that a leaf names by its form or by its key's name."""
        return address_at(path, value)

    def may_show(self, path: Path, value: object) -> bool:  # noqa: ARG002 - the protocol's parameters
        """Return False: all of it is secret."""
        return False

    def uses(self, path: Path) -> bool:  # noqa: ARG002 - the protocol's parameter
        """Return False: nothing is read here."""
        return False

    def is_free(self, path: Path) -> bool:  # noqa: ARG002 - the protocol's parameter
        """Return False: anything may be a secret that is sent to the address."""
        return False

    def test(
        self,
        details: SecretDetails,  # noqa: ARG002 - the protocol's parameter
        *,
        outbound: Outbound,  # noqa: ARG002 - the protocol's parameter
        progress: Progress | None = None,
    ) -> TestResult:
        """Return a failure in the first stage: nobody knows how to reach it."""
        progress = progress or Progress()
        progress.begin(Stage.RESOLVE)
        progress.abandon()
        return TestResult(staged(progress), self._unreadable())

    def fetch(
        self,
        details: SecretDetails,  # noqa: ARG002 - the protocol's parameter
        *,
        outbound: Outbound,  # noqa: ARG002 - the protocol's parameter
        sink: TableSink,  # noqa: ARG002 - the protocol's parameter
        progress: Progress | None = None,  # noqa: ARG002 - the protocol's parameter
    ) -> FetchedTable:
        """Raise FetchFailed: nobody knows how to read it."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise self._unreadable()

    def _unreadable(self) -> FetchFailed:
        return fetch_failure(
            FetchCause.NO_CONNECTOR, detail=plain(self._type_name, 60) or "without a name"
        )


def _object_in(text: str) -> object:
    if not text.strip():
        raise _invalid("Enter the details as a JSON object.")
    return json_value(text, field="details")


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(message, field="details")
