"""What differs between two saved versions of a pipeline, in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from dashboard.domain.pipeline import PipelineStep, PipelineVersion

_ID_LETTERS = 8


def differences(older: PipelineVersion, newer: PipelineVersion) -> tuple[str, ...]:
    """Return what changed from one to the other, one plain sentence each; none if nothing did."""
    told = []
    pairs = zip_longest(older.steps, newer.steps)
    several = max(len(older.steps), len(newer.steps)) > 1
    for number, (before, after) in enumerate(pairs, start=1):
        sentence = _changed(before, after)
        if sentence:
            told.append(f"Step {number}: {sentence}" if several else sentence)
    return tuple(told)


def steps_words(steps: Sequence[PipelineStep]) -> str:
    """Return the steps of a version, such as `hf-summarizer (1f2e3d4c)`."""
    return ", then ".join(map(_named, steps)) or "no steps"


def _changed(before: PipelineStep | None, after: PipelineStep | None) -> str:
    if before is None or after is None:
        one = before or after
        word = "added" if before is None else "removed"
        return f"{_named(one)} was {word}." if one is not None else ""
    if before.model_name != after.model_name:
        return f"{_named(after)} in place of {_named(before)}."
    if before.model_version != after.model_version:
        same = bool(before.sha) and before.sha == after.sha
        of_file = " The file is the same." if same else ""
        return (
            f"another version of {after.model_name}: {after.model_version[:_ID_LETTERS]} in place "
            f"of {before.model_version[:_ID_LETTERS]}.{of_file}"
        )
    return ""


def _named(step: PipelineStep) -> str:
    return f"{step.model_name} ({step.model_version[:_ID_LETTERS]})"
