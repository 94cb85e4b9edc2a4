"""One deploy or undeploy of a pipeline at a time, of all that are sent from this dashboard."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dashboard.domain.pipeline import Pipeline
from dashboard.errors import Conflict

#: What is being sent is over by then: the calls it is made of have limits of their own.
_PATIENCE_S: Final = 120.0


class Turns:
    """Lets them in one after the other. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_deploy: dict[int, bool] = {}

    @contextmanager
    def deploying(self, pipeline: Pipeline) -> Iterator[None]:
        """Send a deploy within the block, after an undeploy that is being sent.

        Raises
        ------
        Conflict
            Another deploy of it is being sent: the second person is told.
        """
        self._begin(pipeline, is_deploy=True)
        try:
            yield
        finally:
            self._end(pipeline)

    @contextmanager
    def undeploying(self, pipeline: Pipeline, *, patience_s: float = _PATIENCE_S) -> Iterator[None]:
        """Send an undeploy within the block, after whatever is being sent.

        Raises
        ------
        Conflict
            That was not over within `patience_s`.
        """
        self._begin(pipeline, is_deploy=False, patience_s=patience_s)
        try:
            yield
        finally:
            self._end(pipeline)

    def _begin(
        self, pipeline: Pipeline, *, is_deploy: bool, patience_s: float = _PATIENCE_S
    ) -> None:
        number = pipeline.pipeline_id

        def is_settled() -> bool:
            is_other_a_deploy = self._is_deploy.get(number)
            return is_other_a_deploy is None or (is_deploy and is_other_a_deploy)

        with self._changed:
            self._changed.wait_for(is_settled, patience_s)
            if number in self._is_deploy:
                raise starting(pipeline) if self._is_deploy[number] else _stopping(pipeline)
            self._is_deploy[number] = is_deploy

    def _end(self, pipeline: Pipeline) -> None:
        with self._changed:
            del self._is_deploy[pipeline.pipeline_id]
            self._changed.notify_all()


def starting(pipeline: Pipeline) -> Conflict:
    """Return the error for somebody who comes second."""
    return Conflict(
        f"Somebody is starting {pipeline.name} already. Nothing was sent a second time.",
        title="It is starting already",
        hint="Wait until it runs, or cancel that start first.",
    )


def _stopping(pipeline: Pipeline) -> Conflict:
    return Conflict(
        f"Somebody is stopping {pipeline.name}. Nothing was sent meanwhile.",
        hint="Wait until it has stopped.",
    )
