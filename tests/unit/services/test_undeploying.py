from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

import pytest

from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import (
    DeploymentStatus,
    Pipeline,
    PipelineState,
    PipelineVersion,
)
from dashboard.errors import NotFound, PlatformUnreachable
from dashboard.gateway.base import PlatformGateway
from dashboard.services.undeploying import Started, Undeploying

T0 = datetime(2026, 11, 22, 13, tzinfo=UTC)
WHO = Identity("me", "u1", "")


def started(number: int, version: str = "ours") -> Started:
    return Started(Pipeline(number, f"pipe-{number}", 3, "press-desk", T0, T0), version)


@dataclass
class Platform:
    running: dict[int, str] = field(default_factory=dict)
    answers: dict[int, DeploymentStatus] = field(default_factory=dict)
    newest: dict[int, str] = field(default_factory=dict)
    stopped: list[int] = field(default_factory=list)
    away: set[int] = field(default_factory=set)

    def status(self, _who: Identity, pipeline: Pipeline) -> DeploymentStatus:
        if pipeline.pipeline_id not in self.running:
            raise NotFound("gone")
        if pipeline.pipeline_id in self.answers:
            return self.answers[pipeline.pipeline_id]
        version = self.running[pipeline.pipeline_id]
        state = PipelineState.RUNNING if version else PipelineState.NOT_DEPLOYED
        return DeploymentStatus(state, running_versions=(version,) if version else ())

    def get_pipeline(self, _who: Identity, *, workspace_id: int, name: str) -> Pipeline:
        number = int(name.removeprefix("pipe-"))
        pipeline = replace(started(number).pipeline, workspace_id=workspace_id)
        newest = self.newest.get(number, self.running[number])
        versions = (PipelineVersion(2, newest, T0), PipelineVersion(1, "ours", T0))
        return replace(pipeline, versions=versions)

    def undeploy(self, _who: Identity, one: Started) -> None:
        assert one.version == "ours"
        if one.pipeline.pipeline_id in self.away:
            raise PlatformUnreachable("It is away.")
        self.stopped.append(one.pipeline.pipeline_id)


@pytest.fixture
def platform():
    return Platform()


@pytest.fixture
def undeploying(platform):
    gateway = cast("PlatformGateway", platform)  # the part of it that is asked
    return Undeploying(lambda: gateway, undeploy=platform.undeploy)


def test_each_that_still_runs_what_was_started_here_is_stopped(undeploying, platform):
    platform.running = {1: "ours", 2: "theirs", 3: "ours", 4: ""}
    told = undeploying.undeploy_started(WHO, [started(number) for number in range(1, 6)])
    assert platform.stopped == [1, 3]
    assert told.is_partial
    assert "Undeploying pipe-1, pipe-3, pipe-4 and pipe-5." not in told.message
    assert told.message == (
        "Undeploying pipe-1 and pipe-3. "
        "Left alone, as it was deployed again from elsewhere: pipe-2."
    )


def test_one_that_fails_holds_up_no_other_and_is_named(undeploying, platform):
    platform.running = {1: "ours", 2: "ours"}
    platform.away = {1}
    told = undeploying.undeploy_started(WHO, [started(1), started(2)])
    assert platform.stopped == [2]
    assert told.is_partial
    assert told.message == "Undeploying pipe-2. pipe-1 could not be undeployed. It is away."


def test_when_none_can_be_stopped_that_is_an_error(undeploying, platform):
    platform.running = {1: "ours"}
    platform.away = {1}
    with pytest.raises(PlatformUnreachable):
        undeploying.undeploy_started(WHO, [started(1)])


def test_what_has_stopped_meanwhile_is_no_failure(undeploying):
    told = undeploying.undeploy_started(WHO, [started(1)])
    assert (told.message, told.is_partial) == ("Nothing was left to undeploy.", False)


@pytest.mark.parametrize(
    "answer",
    [
        DeploymentStatus(PipelineState.STARTING),
        DeploymentStatus(PipelineState.STARTING, running_versions=("ours", "theirs")),
        DeploymentStatus(PipelineState.ERROR, running_versions=("ours",)),
    ],
)
def test_somebody_elses_deploy_is_left_alone_before_it_answers(undeploying, platform, answer):
    platform.running, platform.newest, platform.answers = {1: "ours"}, {1: "theirs"}, {1: answer}
    told = undeploying.undeploy_started(WHO, [started(1)])
    assert platform.stopped == []
    assert (told.is_partial, "Left alone" in told.message) == (True, True)


@pytest.mark.parametrize("running", [(), ("theirs",), ("ours", "theirs")])
def test_ones_own_deploy_is_stopped_before_it_answers(undeploying, platform, running):
    starting = DeploymentStatus(PipelineState.STARTING, running_versions=running)
    platform.running, platform.answers = {1: "ours"}, {1: starting}
    undeploying.undeploy_started(WHO, [started(1)])
    assert platform.stopped == [1]
