"""`hugging-face-summarization`: by the model's own weights where they can run, else embedded.

The embedded summarizer picks sentences from the text and needs no weights.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.engine import weights
from dashboard.sandbox.engine.runtimes.base import InputError, LoadError, require
from dashboard.sandbox.summarizer import summarize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard.sandbox.engine.runtimes.base import Row, Runtime, StepSpec

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


def load(step: StepSpec) -> Runtime:
    """Return the summarizer of a step, with the flags that its uploaded input schema declares.

    Raises
    ------
    LoadError
        If the model has weights of its own, and they or what runs them cannot be loaded.
    """
    folder = None if step.artefact is None else weights.folder_of(Path(step.artefact))
    if folder is None or not folder.is_dir():
        return EmbeddedSummarizer(declared_flags(step.input_schema))
    if not weights.packages_are_installed():
        raise LoadError(
            f"model '{step.model_name}' has weights, and requirements-models.txt that runs them is "
            "not installed any more"
        )
    from dashboard.sandbox.engine.runtimes import transformers_summarization

    return transformers_summarization.load(step, folder)


def declared_flags(input_schema: str | None) -> tuple[str, ...]:
    """Return which of the three flags an input schema names; all of them without a schema."""
    # Field names stand as UTF-8 in an Arrow schema message. Searching them there is enough for
    # three known names, and saves the worker the import of pyarrow (0.3 s, 60 MB).
    if not input_schema:
        return _FLAGS
    try:
        message = base64.b64decode(input_schema)
    except binascii.Error:
        return _FLAGS
    return tuple(flag for flag in _FLAGS if flag.encode() in message)


def tokens(row: Row, column: str, index: int) -> int | None:
    """Return a length in tokens that a row asks for, or None. Raises InputError."""
    value = row.get(column)
    if value is None:
        return None
    # A column with gaps arrives from pandas as floats: 10.0 is still a count.
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or value < 0:
        raise InputError(
            f"column '{column}' has the wrong type: expected a count (int64)", row=index
        )
    return value


def _summary_of(row: Row, index: int) -> str:
    lower, upper = tokens(row, "min_length", index), tokens(row, "max_length", index)
    if upper is None:
        upper = _DEFAULT_MAX_TOKENS
    if upper < 1:
        raise InputError("column 'max_length' must be 1 or more", row=index)
    # A maximum under the default minimum was meant: only a minimum that was asked for can clash.
    if lower is None:
        lower = min(_DEFAULT_MIN_TOKENS, upper)
    if lower > upper:
        raise InputError("column 'min_length' must not be more than 'max_length'", row=index)
    return summarize(row["inputs"], min_length=lower, max_length=upper)
