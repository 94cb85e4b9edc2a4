"""The five steps from nothing to timed summaries, and which one is next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StepState(StrEnum):
    """Where one step stands."""

    DONE = "done"
    NEXT = "next"
    LATER = "later"


class StepKey(StrEnum):
    """The steps, in order."""

    CONNECT = "connect"
    LINK = "link"
    DEPLOY = "deploy"
    SUMMARIZE = "summarize"
    LATENCY = "latency"


@dataclass(frozen=True, slots=True)
class StoryFacts:
    """What is known of the visitor's way. An empty text means: not yet.

    Parameters
    ----------
    connection
        Name of a connection they can use: one they created here, or one linked already to a
        workspace that has a pipeline.
    workspace
        Name of a workspace with a pipeline that such a connection is linked to.
    running
        What is said of a pipeline that runs, such as `hf-summarizer is running`.
    run
        What is said of the last finished run, such as `1 row, 431 ms`.
    timing_seen
        Whether the timing of a run has been looked at.
    """

    connection: str = ""
    workspace: str = ""
    running: str = ""
    run: str = ""
    timing_seen: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step with its state and, when it is done, its result in a few words."""

    key: StepKey
    state: StepState
    result: str = ""


def steps(facts: StoryFacts) -> tuple[Step, ...]:
    """Return the five steps; the first one not done is next. All may be done."""
    results = {
        StepKey.CONNECT: facts.connection,
        StepKey.LINK: facts.workspace,
        StepKey.DEPLOY: facts.running,
        StepKey.SUMMARIZE: facts.run,
        StepKey.LATENCY: "Looked at" if facts.timing_seen else "",
    }
    told: list[Step] = []
    for key, result in results.items():
        if result:
            told.append(Step(key, StepState.DONE, result))
        elif any(step.state is StepState.NEXT for step in told):
            told.append(Step(key, StepState.LATER))
        else:
            told.append(Step(key, StepState.NEXT))
    return tuple(told)
