"""Undeploying what somebody started here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.errors import DashboardError, NotFound
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome


@dataclass(frozen=True, slots=True)
class Started:
    """A pipeline that somebody started here: the version that was deployed."""

    pipeline: Pipeline
    version: str


class _Found(Enum):
    """What runs where somebody started something."""

    OURS = auto()
    ANOTHER = auto()
    NOTHING = auto()


class Undeploying:
    """The use case: a job.

    Parameters
    ----------
    undeploy
        Stops one pipeline if it still runs this version, and tells whoever follows it.
    """

    def __init__(
        self, gateway: GatewayOf, *, undeploy: Callable[[Identity, Started], object]
    ) -> None:
        self._gateway = gateway
        self._undeploy = undeploy

    def undeploy_started(self, who: Identity, started: Sequence[Started]) -> Outcome:
        """Stop each that still runs the version started here; tell which could not be.

        Raises
        ------
        DashboardError
            None of them could be stopped.
        """
        stopped: list[str] = []
        left: list[str] = []
        failed: list[tuple[str, DashboardError]] = []
        for one in started:
            try:
                state = self._state(who, one)
                if state is _Found.OURS:
                    self._undeploy(who, one)
                    stopped.append(one.pipeline.name)
                elif state is _Found.ANOTHER:
                    left.append(one.pipeline.name)
            except DashboardError as exc:
                failed.append((one.pipeline.name, exc))
        if failed and not stopped and not left:
            raise failed[0][1]
        told = [f"Undeploying {_names(stopped)}." if stopped else "Nothing was left to undeploy."]
        if left:
            told.append(f"Left alone, as it was deployed again from elsewhere: {_names(left)}.")
        told += [f"{name} could not be undeployed. {error.message}" for name, error in failed]
        return Outcome(" ".join(told), is_partial=bool(failed or left))

    def _state(self, who: Identity, one: Started) -> _Found:
        """Ask what runs there now: what the dialog has shown may be older."""
        gateway, pipeline = self._gateway(), one.pipeline
        try:
            status = gateway.status(who, pipeline)
            if status.state is PipelineState.NOT_DEPLOYED:
                return _Found.NOTHING
            found = gateway.get_pipeline(
                who, workspace_id=pipeline.workspace_id, name=pipeline.name
            )
        except NotFound:
            return _Found.NOTHING
        # Each deploy makes a version: the newest tells whose it is, also before it answers.
        newest = {found.versions[0].version} if found.versions else set(status.running_versions)
        return _Found.OURS if newest <= {one.version} else _Found.ANOTHER


def _names(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
