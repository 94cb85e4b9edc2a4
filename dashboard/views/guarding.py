"""What the idle guard's controls do when they are pressed, on any page. For callbacks."""

from __future__ import annotations

from components.idle_guard import KEEP_MINUTES
from dashboard import live, runtime
from dashboard.domain.pipeline import Pipeline


def keep(pipeline: Pipeline) -> None:
    """Put the stop of a pipeline off."""
    current = runtime.current()
    who = current.identity()
    live.submit(
        lambda: current.guard.keep(who, pipeline, minutes=KEEP_MINUTES),
        doing=f"Keeping {pipeline.name}",
        once=f"keep:{pipeline.pipeline_id}",
    )


def set_minutes(pipeline: Pipeline, minutes: int | None) -> None:
    """Change after how many minutes unused a pipeline stops; None is off."""
    current = runtime.current()
    who = current.identity()
    live.submit(
        lambda: current.guard.set_minutes(who, pipeline, minutes),
        doing=f"Changing the idle guard of {pipeline.name}",
        once=f"guard:{pipeline.pipeline_id}:{minutes}",
    )
