"""`hugging-face-summarization` by the model's own weights, where `transformers` is installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.engine.runtimes.base import InputError, LoadError, require
from dashboard.sandbox.engine.runtimes.summarization import declared_flags, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dashboard.sandbox.engine.runtimes.base import Row, StepSpec

_LENGTHS = ("min_length", "max_length")


class WeightedSummarizer:
    """Columns `inputs` and three flags in, `summary_text` out."""

    output_types: Mapping[str, str] = {"summary_text": "string"}

    def __init__(
        self, summarizer: Callable[..., list[dict[str, str]]], flags: Sequence[str]
    ) -> None:
        self._summarizer = summarizer
        self._flags = flags

    def predict(self, rows: Sequence[Row]) -> list[dict[str, Any]]:  # Any: the protocol's type
        """Return `{"summary_text": str}` per row; every declared column must be there."""
        require(rows, "inputs", (str,), "string")
        for flag in self._flags:
            require(rows, flag, (bool,), "bool")
        return [{"summary_text": self._summary_of(row, at)} for at, row in enumerate(rows)]

    def _summary_of(self, row: Row, at: int) -> str:
        lengths = {name: tokens(row, name, at) for name in _LENGTHS}
        given = {name: length for name, length in lengths.items() if length is not None}
        if given.get("min_length", 0) > given.get("max_length", given.get("min_length", 0)):
            raise InputError("column 'min_length' must not be more than 'max_length'", row=at)
        answer = self._summarizer(
            row["inputs"],
            clean_up_tokenization_spaces=bool(row.get("clean_up_tokenization_spaces", False)),
            # What the model can read at once is its own matter: the rest of a text is left out.
            truncation=True,
            **given,
        )
        return str(answer[0]["summary_text"])


def load(step: StepSpec, folder: Path) -> WeightedSummarizer:
    """Load the weights in `folder`.

    Raises
    ------
    LoadError
        If they are not those of a summarization model.
    """
    # A model must never make the engine ask the network, nor run code of its own.
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    from safetensors import SafetensorError
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, pipeline

    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        model = AutoModelForSeq2SeqLM.from_pretrained(str(folder), use_safetensors=True, **local)
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **local)
        summarizer = pipeline("summarization", model=model, tokenizer=tokenizer, device=-1)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as exc:
        raise LoadError(
            f"model '{step.model_name}' holds no summarization model that can be loaded"
        ) from exc
    return WeightedSummarizer(summarizer, declared_flags(step.input_schema))
