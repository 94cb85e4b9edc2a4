"""`hugging-face-summarization` by the embedded extractive summarizer (no weights needed)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.engine.runtimes.base import InputError, require
from dashboard.sandbox.summarizer import summarize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard.sandbox.engine.runtimes.base import Row, StepSpec

_FLAGS = ("return_text", "return_tensors", "clean_up_tokenization_spaces")
_DEFAULT_MIN_TOKENS = 56
_DEFAULT_MAX_TOKENS = 142


class EmbeddedSummarizer:
    """Columns `inputs` and three flags in, `summary_text` out."""

    output_types: Mapping[str, str] = {"summary_text": "string"}

    def __init__(self, flags: Sequence[str]) -> None:
        self._flags = flags

    def predict(self, rows: Sequence[Row]) -> list[dict[str, Any]]:  # Any: the protocol's type
        """Return `{"summary_text": str}` per row; every declared column must be there."""
        require(rows, "inputs", (str,), "string")
        for flag in self._flags:
            require(rows, flag, (bool,), "bool")
        return [{"summary_text": _summary_of(row, index)} for index, row in enumerate(rows)]


def load(step: StepSpec) -> EmbeddedSummarizer:
    """Return the summarizer, with the flags that the uploaded input schema declares."""
    return EmbeddedSummarizer(_declared_flags(step.input_schema))


def _declared_flags(input_schema: str | None) -> tuple[str, ...]:
    # Field names stand as UTF-8 in an Arrow schema message. Searching them there is enough for
    # three known names, and saves the worker the import of pyarrow (0.3 s, 60 MB).
    if not input_schema:
        return _FLAGS
    try:
        message = base64.b64decode(input_schema)
    except binascii.Error:
        return _FLAGS
    return tuple(flag for flag in _FLAGS if flag.encode() in message)


def _summary_of(row: Row, index: int) -> str:
    lower = _tokens(row, "min_length", _DEFAULT_MIN_TOKENS, index)
    upper = _tokens(row, "max_length", _DEFAULT_MAX_TOKENS, index)
    if upper < 1:
        raise InputError("column 'max_length' must be 1 or more", row=index)
    # A maximum under the default minimum was meant: only a minimum that was asked for can clash.
    if row.get("min_length") is None:
        lower = min(lower, upper)
    if lower > upper:
        raise InputError("column 'min_length' must not be more than 'max_length'", row=index)
    return summarize(row["inputs"], min_length=lower, max_length=upper)


def _tokens(row: Row, column: str, default: int, index: int) -> int:
    value = row.get(column)
    if value is None:
        return default
    # A column with gaps arrives from pandas as floats: 10.0 is still a count.
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or value < 0:
        raise InputError(
            f"column '{column}' has the wrong type: expected a count (int64)", row=index
        )
    return int(value)
