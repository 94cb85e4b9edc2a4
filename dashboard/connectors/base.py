"""What a connector is: the one place that knows a type of connection.

A further type is one module with a class that satisfies `Connector`, one line in `registry.py`
and one test file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from dashboard.connectors.causes import FetchCause
from dashboard.connectors.formats.pieces import TableSink
from dashboard.connectors.outbound import Outbound, Progress, Stage
from dashboard.domain.check import STAGE_WORDS, StageResult, StageState
from dashboard.domain.connection import Description
from dashboard.domain.detail_tree import Path
from dashboard.domain.table import ColumnFacts
from dashboard.errors import FetchFailed
from dashboard.masking import SecretDetails

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

__all__ = [
    "STAGE_WORDS",
    "Connector",
    "FetchCause",
    "FetchedTable",
    "FieldKind",
    "FormField",
    "StageResult",
    "StageState",
    "TestResult",
    "form_field",
    "staged",
]


class FieldKind(StrEnum):
    """How a form field is typed in."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - the kind's name, not a secret
    LONG_TEXT = "long_text"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a type's form.

    Parameters
    ----------
    key
        Key in `validate`'s values, and the `field` of errors that belong to it.
    is_secret
        Its stored value never comes back; it is kept, replaced or removed.
    choices
        For a choice: stored value and words of each, the default first.
    shown_when
        Key and value of the choice that brings this field up, or None for always.
    """

    key: str
    label: str
    help: str = ""
    example: str = ""
    kind: FieldKind = FieldKind.TEXT
    is_secret: bool = True
    is_required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    shown_when: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class TestResult:
    """What a test of a connection found.

    Parameters
    ----------
    stages
        All five, in order.
    failure
        Why it failed, with next step and field; None when it passed.
    format
        What the file was recognised as, empty when it was not.
    rows, columns
        Of the recognised table.
    """

    __test__ = False  # not a test case, whatever its name makes pytest think

    stages: tuple[StageResult, ...]
    failure: FetchFailed | None = None
    format: str = ""
    rows: int = 0
    columns: tuple[ColumnFacts, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether a table was found at the end."""
        return self.failure is None

    @property
    def was_cancelled(self) -> bool:
        """Whether somebody stopped it."""
        return self.failure is not None and self.failure.cause_code == FetchCause.CANCELLED

    @property
    def total_ms(self) -> float:
        """Time of all stages together."""
        return sum(stage.elapsed_ms or 0.0 for stage in self.stages)


@dataclass(frozen=True, slots=True)
class FetchedTable:
    """What is known of a table that was read through a connection; its rows went to a sink.

    Parameters
    ----------
    columns
        Unique names; texts, booleans, numbers and times, nested values as JSON text.
    raw_bytes
        Size of the file.
    fingerprint
        SHA-256 of the file, hex.
    format
        What it was recognised as, such as `JSON records` or `CSV`.
    fetch_ms
        From the start of the look-up to the recognised table.
    """

    rows: int
    columns: tuple[ColumnFacts, ...] = field(repr=False)
    raw_bytes: int
    fingerprint: str
    format: str
    fetch_ms: float
    stage_times_ms: Mapping[Stage, float] = field(default_factory=dict)


class Connector(Protocol):
    """One type of connection. Implementations hold no state and are shared by all threads."""

    @property
    def type_names(self) -> tuple[str, ...]:
        """Names of the type on the platform, the usual one first; matched in any case."""
        ...

    @property
    def title(self) -> str:
        """The type in plain words."""
        ...

    @property
    def details_model(self) -> type[BaseModel]:
        """Model of what the form asks for."""
        ...

    @property
    def can_fetch(self) -> bool:
        """Whether `test` and `fetch` do anything but refuse."""
        ...

    def fields(self) -> tuple[FormField, ...]:
        """Return the form's fields in display order."""
        ...

    def describe(self, details: object) -> Description:
        """Return what may be shown of clear `details`: an allow-list, the rest set or not set."""
        ...

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:  # any JSON value
        """Make the details to store from a form's values.

        Raises
        ------
        InvalidInput
            With the field, and a `suggestion` where a correction is at hand.
        """
        ...

    def check(self, details: Any, touched: Collection[str]) -> None:  # noqa: ANN401 - any JSON value
        """Hold changed details against the type's rules, as far as the change reaches.

        Parameters
        ----------
        details
            Clear details with the changes in them.
        touched
            Top-level keys that were changed; what stands elsewhere may be somebody else's way.

        Raises
        ------
        InvalidInput
            At a touched key, with a `suggestion` where a correction is at hand.
        """
        ...

    def address_in(self, path: Path, value: object) -> str | None:
        """Return the address that a leaf names, normalised, or None if it names none.

        Everything else in the details is bound to these addresses: it is sent there and nowhere
        else, and dropped when one of them changes.
        """
        ...

    def may_show(self, path: Path, value: object) -> bool:
        """Whether a leaf may leave in clear, as in an export: the allow-list of `describe`."""
        ...

    def uses(self, path: Path) -> bool:
        """Whether a leaf takes part in a test or fetch: only of such a one it is known to work."""
        ...

    def is_free(self, path: Path) -> bool:
        """Whether a leaf is bound to no address, such as a format."""
        ...

    def test(
        self, details: SecretDetails, *, outbound: Outbound, progress: Progress | None = None
    ) -> TestResult:
        """Try `details` stage by stage. Never raises FetchFailed: the result carries it."""
        ...

    def fetch(
        self,
        details: SecretDetails,
        *,
        outbound: Outbound,
        sink: TableSink,
        progress: Progress | None = None,
    ) -> FetchedTable:
        """Read the table into `sink`. Raises FetchFailed, and what the sink raises."""
        ...


def form_field(key: str, info: FieldInfo) -> FormField:
    """Return the form field that a model's field describes by its title, help and extras."""
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    choices = extra.get("choices")
    shown_when = extra.get("shown_when")
    return FormField(
        key=key,
        label=info.title or key,
        help=info.description or "",
        example=str((info.examples or [""])[0]),
        kind=FieldKind(str(extra.get("kind", FieldKind.TEXT))),
        is_secret=extra.get("secret") is not False,
        is_required=extra.get("required") is True,
        choices=tuple((str(value), str(words)) for value, words in choices.items())
        if isinstance(choices, dict)
        else (),
        shown_when=(str(shown_when[0]), str(shown_when[1]))
        if isinstance(shown_when, list)
        else None,
    )


def staged(progress: Progress) -> tuple[StageResult, ...]:
    """Return the five stages as `progress` has them: the current one failed, if there is one."""
    order = list(Stage)
    reached = len(order) if progress.current is None else order.index(progress.current)
    results = []
    for place, stage in enumerate(order):
        if place > reached:
            results.append(StageResult(stage, StageState.NOT_REACHED))
        else:
            state = StageState.FAILED if place == reached else StageState.DONE
            results.append(StageResult(stage, state, progress.times_ms.get(stage)))
    return tuple(results)
