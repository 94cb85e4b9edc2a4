"""Which of the kept runs are wanted, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dashboard.domain.run import RunState


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted; empty means all.

    Parameters
    ----------
    words
        Each must stand in the run's title or connection; those that do not, together in one of its
        rows, input or summary. Upper and lower case are the same.
    since, until
        Times of the start, UTC; None for open ends. `until` itself is not wanted any more.
    only_flagged
        Only runs with a failed row, a failed check, or something in a summary to be doubted.
    """

    words: str = ""
    connection_name: str = ""
    pipeline_name: str = ""
    pipeline_version: str = ""
    owner_id: str = ""
    states: tuple[RunState, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    only_flagged: bool = False


@dataclass(frozen=True, slots=True)
class RunChoices:
    """What there is to filter by in the runs of some workspaces.

    Parameters
    ----------
    pipelines
        Versions by the pipeline's name; the one that was used last stands first.
    people
        Addresses by the person's id; empty for the sandbox's local person.
    """

    connections: tuple[str, ...] = ()
    pipelines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run's rows come to.

    Parameters
    ----------
    to_check
        Rows that failed, failed a check, or have something in their summary to be doubted.
    median_ms
        Of the answered rows' whole times; None without any.
    """

    to_check: int = 0
    median_ms: float | None = None
