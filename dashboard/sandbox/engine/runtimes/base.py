"""What every runtime offers, and the checks of a model's file and of its input columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

#: One input or output row: column name → value, without the `in.`/`out.` prefix of the wire.
Row = Mapping[str, Any]  # Any: user data of any type


class LoadError(Exception):
    """The model cannot be loaded; its text is shown as the pod's reason."""


class InputError(Exception):
    """The request does not fit the model; its text becomes a 400 of the engine.

    Parameters
    ----------
    message
        Names the column and what was expected.
    row
        Index of the first bad row among the rows given to `predict`; None for a whole column.
    """

    def __init__(self, message: str, *, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


@dataclass(frozen=True, slots=True)
class StepSpec:
    """What a worker is told of one step.

    Parameters
    ----------
    artefact
        Path of the model's file, or None for a model that comes with the sandbox.
    sha
        Hex sha256 the artefact must have.
    input_schema, output_schema
        Base64 of the Arrow IPC schema message as uploaded, or None.
    tensor_fields
        Columns of the model's inputs, in their order; None for the runtime's own choice.
    batch_config
        `single` when rows are to be run one by one.
    threads
        How many threads an inference may use.
    """

    model_name: str
    framework: str
    runtime: str
    sha: str
    artefact: str | None
    input_schema: str | None
    output_schema: str | None
    tensor_fields: list[str] | None
    batch_config: str | None = None
    threads: int = 1


class Runtime(Protocol):
    """A loaded model."""

    #: Output column → Arrow type name (`string`, `list<float32>`, ...), for typed answers.
    #: A column that begins with a dot has its whole name after it: it is not one of `out`.
    output_types: Mapping[str, str]

    def predict(self, rows: Sequence[Row]) -> list[dict[str, Any]]:  # Any: model output
        """Return one output row per input row.

        Raises
        ------
        InputError
            If a column is missing or has the wrong type.
        """


def check_artefact(step: StepSpec) -> None:
    """Read the model's file and compare its sha256 with the registered one.

    Raises
    ------
    LoadError
        If the file is missing, unreadable or not the one that was uploaded.
    """
    if step.artefact is None:
        return
    try:
        with Path(step.artefact).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        # The path is the server's own business: only the system's words are passed on.
        raise LoadError(
            f"the file of model '{step.model_name}' cannot be read: {exc.strerror}"
        ) from exc
    if step.sha and digest != step.sha.lower():
        raise LoadError(f"the file of model '{step.model_name}' does not match its sha256")


def require(rows: Sequence[Row], column: str, types: tuple[type, ...], expected: str) -> None:
    """Check that every row has `column` with one of `types`.

    Raises
    ------
    InputError
        Naming the column, what was expected and what the first bad row holds.
    """
    if not any(column in row for row in rows):
        raise InputError(f"missing column '{column}': expected type {expected}")
    for index, row in enumerate(rows):
        value = row.get(column)
        # type(), not isinstance: True is an int to Python, but no number to a model.
        if type(value) not in types:
            found = "null" if value is None else _wire_type(value)
            raise InputError(
                f"column '{column}' has the wrong type: expected {expected}, found {found}",
                row=index,
            )


def _wire_type(value: object) -> str:
    names = {bool: "bool", int: "int64", float: "float64", str: "string", list: "list"}
    return names.get(type(value), "struct")
