"""What pages call a run and what comes out of it: a summarizer's are summaries, others outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dashboard import strings
from dashboard.domain.model import ModelVersion
from dashboard.domain.story import StepKey


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words for a kind of pipeline.

    Parameters
    ----------
    verb
        What a run does, as on a button or as a page's title.
    choosing
        What to do before a run, in one sentence.
    reading
        What to do after it, as on a button.
    step_titles, step_details
        Of the steps on the home page.
    """

    verb: str
    choosing: str
    reading: str
    step_titles: Mapping[StepKey, str]
    step_details: Mapping[StepKey, str]


_SUMMARIES: Final = Vocabulary(
    "Summarize",
    "Choose where the texts come from, look at the table, then run.",
    "Read summaries",
    strings.STEP_TITLES,
    strings.STEP_DETAILS,
)
_OUTPUTS: Final = Vocabulary(
    "Run",
    "Choose where the table comes from, look at it, then run.",
    "Read outputs",
    {
        **strings.STEP_TITLES,
        StepKey.DEPLOY: "3. Deploy the model",
        StepKey.SUMMARIZE: "4. Fetch and run",
    },
    {
        **strings.STEP_DETAILS,
        StepKey.CONNECT: "Name the address of a file with a table.",
        StepKey.SUMMARIZE: "Read each row beside its output.",
    },
)


def vocabulary(*, is_of_texts: bool) -> Vocabulary:
    """Return the words for a run of texts through a summarizer, or of columns through a model."""
    return _SUMMARIES if is_of_texts else _OUTPUTS


def vocabulary_of(version: ModelVersion | None) -> Vocabulary:
    """Return the words for a model version; None, while none is known, is told as the rail does."""
    return vocabulary(is_of_texts=version is None or version.is_summarizer)
