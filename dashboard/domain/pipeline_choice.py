"""What of the list of pipelines is looked at, and how the page's address says it.

Ids and words of ours only: never a name, never what is typed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.domain.connection_list import searchable
from dashboard.domain.pipeline import Pipeline, PipelineState

#: The parameters of the address that are read here.
PARAMETERS: Final = ("pipeline", "workspace", "state", "page")
#: So many are on one page.
PAGE_ROWS: Final = 20

_LONGEST_NUMBER: Final = 9
_BY_SLUG: Final = {state.value.lower().replace(" ", "-"): state for state in PipelineState}
_SLUGS: Final = {state: slug for slug, state in _BY_SLUG.items()}


@dataclass(frozen=True, slots=True)
class PipelineChoice:
    """Which one is open, filters and page.

    Parameters
    ----------
    pipeline, workspace
        A number, or 0 for none and all.
    page
        Counts from 1 and may be past the end; 0 for the one where the open pipeline stands.
    """

    pipeline: int = 0
    workspace: int = 0
    state: PipelineState | None = None
    page: int = 0

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.workspace) or self.state is not None

    def to_query(self) -> dict[str, str]:
        """Return the parameters of the address; what is as usual is left out."""
        numbers = {"pipeline": self.pipeline, "workspace": self.workspace, "page": self.page}
        query = {name: str(number) for name, number in numbers.items() if number}
        return query | ({"state": _SLUGS[self.state]} if self.state is not None else {})


def choice_of(query: Mapping[str, str]) -> PipelineChoice:
    """Read an address. What it cannot mean is ignored."""
    return PipelineChoice(
        pipeline=_number(query.get("pipeline", "")),
        workspace=_number(query.get("workspace", "")),
        state=_BY_SLUG.get(query.get("state", "")),
        page=_number(query.get("page", "")),
    )


def slug(state: PipelineState) -> str:
    """Return the word that stands for a state in the address."""
    return _SLUGS[state]


def state_of(word: str) -> PipelineState | None:
    """Return the state that a word of the address stands for; None if it is no such word."""
    return _BY_SLUG.get(word)


@dataclass(frozen=True, slots=True)
class Found:
    """What fits, in the order in which it is shown.

    Parameters
    ----------
    by_state
        How many of each state the other filters leave.
    """

    pipelines: tuple[Pipeline, ...]
    by_state: Mapping[PipelineState, int]


def find(
    pipelines: Sequence[Pipeline],
    choice: PipelineChoice,
    *,
    words: str,
    states: Mapping[int, PipelineState | None],
    first: Sequence[int] = (),
) -> Found:
    """Return the pipelines that fit: those that use something first, then by name.

    Parameters
    ----------
    words
        Each must stand in the name of the pipeline, of one of its models or of its workspace.
    states
        By the pipeline's number; None while it is not known.
    first
        Numbers of pipelines that stand before all others.
    """
    wanted = searchable(words).split()
    fitting = [
        one
        for one in pipelines
        if choice.workspace in (0, one.workspace_id) and (not wanted or _fits(one, wanted))
    ]
    counted = Counter(state for one in fitting if (state := states.get(one.pipeline_id)))
    shown = [
        one
        for one in fitting
        if choice.state is None or states.get(one.pipeline_id) is choice.state
    ]

    def place(one: Pipeline) -> tuple[bool, bool, str, int]:
        state = states.get(one.pipeline_id)
        uses = state is not None and state.uses_resources
        return one.pipeline_id not in first, not uses, one.name.casefold(), one.pipeline_id

    return Found(tuple(sorted(shown, key=place)), counted)


def _fits(one: Pipeline, wanted: Sequence[str]) -> bool:
    models = {step.model_name for version in one.versions[:1] for step in version.steps}
    text = searchable(" ".join((one.name, one.workspace_name, *models)))
    return all(word in text for word in wanted)


def page_with(found: Found, choice: PipelineChoice) -> int:
    """Return the number of the page to show."""
    if choice.page:
        return choice.page
    ids = [one.pipeline_id for one in found.pipelines]
    return 1 + (ids.index(choice.pipeline) // PAGE_ROWS if choice.pipeline in ids else 0)


def _number(text: str) -> int:
    """Return a positive whole number as it is written in an address, else 0."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else 0
