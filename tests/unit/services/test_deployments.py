"""Deploys as use cases: what is kept, noted, watched and guarded, whoever clicks and when."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from dashboard.domain.activity import Act, ActivityFilter, ActResult
from dashboard.domain.deploy_record import Deployer
from dashboard.domain.deployment_settings import DeploymentSettings, Variable
from dashboard.domain.identity import Identity
from dashboard.domain.idle import GuardView
from dashboard.domain.model import ModelVersion, NewModel
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState
from dashboard.errors import Conflict, DeployFailed, InvalidInput, UnexpectedAnswer
from dashboard.gateway.base import DeployedVersion
from dashboard.masking import SecretText
from dashboard.services import deployments
from dashboard.services.activity import ActivityLog
from dashboard.services.deploy_log import DeployLog
from dashboard.services.deployments import Deployments
from dashboard.services.guard_stop import NotYet
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Reads
from dashboard.services.watch import DeploymentWatch
from dashboard.store.database import default_url, open_store, open_vault
from tests.support.waiting import wait_until

ANN = Identity("ann-key", "u1", "ann@example.com")
BOB = Identity("bob-key", "u2", "bob@example.com")
T0 = datetime(2026, 1, 1, tzinfo=UTC)
PIPE = Pipeline(7, "hf-summarizer", 1, "room", T0, T0)
MODEL = ModelVersion(3, "u-3", "m", "sha")
PLANTED = "hf_planted-token-77aa"
SETTINGS = DeploymentSettings(environment=(Variable("HF_TOKEN", SecretText(PLANTED)),))
OFF = DeploymentStatus(PipelineState.NOT_DEPLOYED)


def status(state, *versions):
    return DeploymentStatus(state, state.value, running_versions=versions)


class Inline(Executor):
    def submit(self, fn, /, *args, **kwargs):
        fn(*args, **kwargs)
        return Future()


class Platform:
    """Counts the deploys; each makes a version of its own."""

    def __init__(self) -> None:
        self.answer = OFF
        self.deploys = self.undeploys = 0
        self.error: Exception | None = None
        self.already_running = False
        self.held = threading.Event()
        self.held.set()

    def status(self, _who, _pipeline):
        return self.answer

    def deploy(self, _who, _pipeline, **_asked):
        if self.error is not None:
            raise self.error
        self.deploys += 1
        self.held.wait(10)
        version = f"v-{self.deploys}"
        return DeployedVersion(1, version, T0, already_running=self.already_running)

    def undeploy(self, _who, _pipeline):
        self.undeploys += 1
        self.answer = OFF

    def list_workspaces(self, _who):
        return ()

    def upload_model(self, *_args, **_named):
        raise InvalidInput("The platform could not use the file: no weights.", field="file")


class Guard:
    def __init__(self) -> None:
        self.minutes: dict[int, int | None] = {}
        self.coming: dict[int, int | None] = {}
        self.versions: dict[int, str] = {}

    def view(self, pipeline_id):
        known = {**self.coming, **self.minutes}
        return GuardView(minutes=known[pipeline_id]) if pipeline_id in known else None

    def arm(self, _who, pipeline, *, version, minutes):
        self.minutes[pipeline.pipeline_id] = minutes
        self.versions[pipeline.pipeline_id] = version

    def set_minutes(self, _who, pipeline, minutes):
        self.minutes[pipeline.pipeline_id] = minutes
        return Outcome(f"It stops after {minutes} min.")

    def held(self, _pipeline_id):
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def awaited(self, pipeline_id, minutes):
        self.coming[pipeline_id] = minutes
        yield
        del self.coming[pipeline_id]

    def disarm(self, pipeline_id, version):
        if self.versions.get(pipeline_id) == version:
            self.minutes.pop(pipeline_id, None)


class Now:
    s = 100.0

    def __call__(self) -> float:
        return self.s


class Desk:
    """The service with all that is behind it."""

    def __init__(
        self, folder: Path, *, guard: Guard | None = None, platform: Platform | None = None
    ) -> None:
        self.folder = folder
        url = default_url(folder)
        vault = open_vault(url, data_dir=folder)
        self.store = open_store(url, data_dir=folder, vault=vault)
        self.platform, self.guard, self.now = platform or Platform(), guard or Guard(), Now()
        reads = Reads(Inline(), on_unexpected=lambda exc: UnexpectedAnswer(str(exc)))
        self.activity = ActivityLog(self.store, reads)
        self.deploys = DeployLog(self.store, reads, clock=self.now)
        self.watch = DeploymentWatch(
            Inline(),
            self.platform.status,
            clock=self.now,
            on_unexpected=lambda exc: UnexpectedAnswer(str(exc)),
            on_status=self.deploys.seen,
        )
        self.service = Deployments(
            lambda: cast("Any", self.platform),  # it has the few calls that are made
            reads,
            self.watch,
            deploys=self.deploys,
            activity=self.activity,
            guard=cast("Any", self.guard),  # as above
        )

    def deploy(self, who=ANN, *, settings=SETTINGS, idle_minutes=60):
        return self.service.deploy(
            who, PIPE, model_version=MODEL, settings=settings, idle_minutes=idle_minutes
        )

    def sees(self, answer, *, after_s=1.0):
        self.platform.answer = answer
        self.now.s += after_s
        self.watch.look(ANN, PIPE)
        self.watch.tick()

    def entries(self):
        return self.activity.page(ActivityFilter()).entries


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


def test_a_deploy_is_kept_noted_and_guarded(desk):
    assert desk.deploy().message == "Starting hf-summarizer."
    (mine,) = desk.service.mine(ANN)
    assert (mine.version, mine.ready_after_s) == ("v-1", None)
    last = desk.service.last(ANN, PIPE).load()
    assert last is not None
    assert (last.deploy_id, last.version) == (mine.deploy_id, mine.version)
    assert last.settings is not None
    (token,) = last.settings.environment
    assert (token.name, token.value.reveal(), token.kept_from) == ("HF_TOKEN", PLANTED, "v-1")
    assert desk.service.mine(BOB) == ()
    assert desk.service.last(BOB, PIPE).load() is None
    assert desk.service.deployer(BOB, PIPE, "v-1").load() == (Deployer("u1", "ann@example.com"),)
    assert desk.service.deployer(BOB, PIPE, "v-2").load() == ()
    assert desk.guard.minutes == {7: 60}
    (entry,) = desk.entries()
    assert (entry.act, entry.pipeline, entry.workspace) == (Act.DEPLOYED, "hf-summarizer", "room")
    assert entry.note == "1.25 CPU and 5 GiB, 1 replica. Stops when unused for 60 min."


def test_how_long_a_start_took_is_kept_once_it_answers(desk):
    for seconds in (4.0, 2.0, 9.0):
        desk.deploy()
        desk.sees(status(PipelineState.STARTING), after_s=1.0)
        desk.sees(
            status(PipelineState.RUNNING, f"v-{desk.platform.deploys}"), after_s=seconds - 1.0
        )
        desk.sees(status(PipelineState.RUNNING, f"v-{desk.platform.deploys}"), after_s=30.0)
        desk.service.undeploy(ANN, PIPE)
    usual = desk.service.usual_start(7)
    assert (usual.shortest_s, usual.longest_s, usual.starts) == (2.0, 9.0, 3)
    assert desk.service.usual_start_s(7) == 4.0
    assert desk.service.usual_start_s(8) is None


def test_a_new_version_that_is_rolled_in_counts_from_its_own_deploy(desk):
    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-1"), after_s=3.0)
    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-1"), after_s=2.0)
    assert desk.service.usual_start(7).starts == 1
    desk.sees(status(PipelineState.RUNNING, "v-2"), after_s=5.0)
    assert desk.service.usual_start(7).longest_s == 7.0


def test_what_is_undeployed_is_over_from_here_or_elsewhere(desk):
    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-1"))
    desk.service.undeploy(BOB, PIPE)
    assert desk.service.mine(ANN) == ()
    assert desk.guard.minutes == {}
    assert [entry.act for entry in desk.entries()] == [Act.UNDEPLOYED, Act.DEPLOYED]
    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-2"))
    assert len(desk.service.mine(ANN)) == 1
    desk.sees(OFF, after_s=10.0)
    assert desk.service.mine(ANN) == ()


def test_what_another_dashboard_deploys_right_after_an_undeploy_keeps_record_and_guard(desk):
    other = Desk(desk.folder, guard=desk.guard, platform=desk.platform)
    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-1"))
    undeploy = desk.platform.undeploy

    def undeploy_slowly(who, pipeline):
        undeploy(who, pipeline)
        other.deploy(BOB)  # before the first one has heard that its undeploy was taken

    desk.platform.undeploy = undeploy_slowly
    desk.service.undeploy(ANN, PIPE)
    other.store.close()
    assert desk.service.mine(ANN) == ()
    assert [mine.version for mine in desk.service.mine(BOB)] == ["v-2"]
    assert desk.guard.minutes == {7: 60}


def test_an_undeploy_waits_for_a_deploy_that_is_being_sent(desk):
    desk.platform.held.clear()
    deploying = threading.Thread(target=desk.deploy)
    deploying.start()
    wait_until(lambda: desk.platform.deploys == 1, within_s=10, what="the deploy is being sent")
    stopping = threading.Thread(target=desk.service.undeploy, args=[BOB, PIPE])
    stopping.start()
    stopping.join(0.2)
    assert desk.platform.undeploys == 0
    desk.platform.held.set()
    for thread in (deploying, stopping):
        thread.join(10)
    assert desk.platform.undeploys == 1
    assert desk.service.mine(ANN) == ()
    assert desk.guard.minutes == {}


def test_a_deploy_waits_for_an_undeploy_that_is_being_sent(desk):
    begun, may_end = threading.Event(), threading.Event()
    undeploy = desk.platform.undeploy

    def undeploy_slowly(who, pipeline):
        begun.set()
        may_end.wait(10)
        undeploy(who, pipeline)

    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-1"))
    desk.platform.undeploy = undeploy_slowly
    stopping = threading.Thread(target=desk.service.undeploy, args=[ANN, PIPE])
    stopping.start()
    assert begun.wait(10)
    deploying = threading.Thread(target=desk.deploy, args=[BOB])
    deploying.start()
    deploying.join(0.2)
    assert desk.platform.deploys == 1
    may_end.set()
    for thread in (stopping, deploying):
        thread.join(10)
    assert [mine.version for mine in desk.service.mine(BOB)] == ["v-2"]
    assert desk.guard.minutes == {7: 60}


def test_a_version_that_is_not_the_one_meant_is_not_undeployed(desk):
    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-1"))
    desk.deploy(BOB)
    with pytest.raises(Conflict) as caught:
        desk.service.undeploy(ANN, PIPE, only="v-1")
    assert "deployed again since" in caught.value.message
    assert desk.platform.undeploys == 0
    desk.service.undeploy(BOB, PIPE, only="v-2")
    assert desk.platform.undeploys == 1


def test_an_answer_from_before_a_deploy_elsewhere_ends_nothing(desk):
    asked_at = datetime.now(UTC)
    other = Desk(desk.folder, guard=desk.guard, platform=desk.platform)
    other.deploy(BOB)
    other.store.close()
    desk.deploys.seen(PIPE, OFF, asked_at)
    assert len(desk.service.mine(BOB)) == 1
    desk.deploys.seen(PIPE, OFF, datetime.now(UTC))
    assert desk.service.mine(BOB) == ()


def stop_unused(desk, version="v-1", *, may_send=lambda: True):
    desk.service.undeploy_unused(ANN, PIPE, version=version, may_send=may_send)


def test_the_guards_own_stop_is_not_noted_twice(desk):
    desk.deploy()
    stop_unused(desk)
    assert desk.platform.undeploys == 1
    assert [entry.act for entry in desk.entries()] == [Act.DEPLOYED]
    assert desk.service.mine(ANN) == ()


def test_the_guard_stops_no_other_version_than_its_own_and_none_that_it_may_not(desk):
    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-1"))
    for refused in ({"version": "v-0"}, {"may_send": lambda: False}):
        with pytest.raises(NotYet):
            stop_unused(desk, **refused)
    assert desk.platform.undeploys == 0
    assert [mine.version for mine in desk.service.mine(ANN)] == ["v-1"]
    assert [entry.act for entry in desk.entries()] == [Act.DEPLOYED]


def test_the_guard_does_not_wait_long_behind_another_undeploy(desk, monkeypatch):
    begun, may_end, asked = threading.Event(), threading.Event(), list[bool]()

    def undeploy_slowly(_who, _pipeline):
        begun.set()
        may_end.wait(10)

    def ask() -> bool:
        asked.append(True)
        return True

    monkeypatch.setattr(deployments, "_BRIEFLY_S", 0.05)
    desk.deploy()
    desk.platform.undeploy = undeploy_slowly
    stopping = threading.Thread(target=desk.service.undeploy, args=[ANN, PIPE])
    stopping.start()
    assert begun.wait(10)
    with pytest.raises(NotYet):
        stop_unused(desk, may_send=ask)
    assert asked == []
    may_end.set()
    stopping.join(10)


def test_a_refused_deploy_is_noted_and_guards_nothing(desk):
    desk.platform.error = DeployFailed("The platform refused to deploy it: no room.")
    with pytest.raises(DeployFailed):
        desk.deploy()
    (entry,) = desk.entries()
    assert (entry.result, entry.note) == (
        ActResult.FAILED,
        "The platform refused to deploy it: no room.",
    )
    assert desk.service.mine(ANN) == ()
    assert desk.guard.minutes == {}
    assert desk.watch.look(ANN, PIPE).state is PipelineState.NOT_DEPLOYED


@pytest.mark.parametrize("who", [ANN, BOB])
def test_a_deploy_while_one_is_starting_is_told_and_not_sent(desk, who):
    desk.deploy()
    desk.platform.answer = status(PipelineState.STARTING)
    with pytest.raises(Conflict) as caught:
        desk.deploy(who)
    assert caught.value.title == "It is starting already"
    assert desk.platform.deploys == 1
    (mine,) = desk.service.mine(ANN)
    assert mine.version == "v-1"


def test_a_deploy_while_a_new_version_is_rolled_in_is_told_too(desk):
    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-1"))
    desk.deploy()
    with pytest.raises(Conflict):
        desk.deploy(BOB)
    desk.sees(status(PipelineState.ERROR, "v-1"))
    desk.deploy(BOB)
    assert desk.platform.deploys == 3


def test_two_clicks_at_once_send_one_deploy(desk):
    desk.platform.held.clear()
    first = threading.Thread(target=desk.deploy)
    first.start()
    wait_until(lambda: desk.platform.deploys == 1, within_s=10, what="the first one is being sent")
    with pytest.raises(Conflict):
        desk.deploy(BOB)
    desk.platform.held.set()
    first.join(10)
    assert desk.platform.deploys == 1


def test_the_guard_that_was_chosen_is_told_while_the_deploy_is_being_sent(desk):
    desk.platform.held.clear()
    first = threading.Thread(target=desk.deploy)
    first.start()
    wait_until(lambda: desk.platform.deploys == 1, within_s=10, what="the deploy is being sent")
    told = desk.guard.view(PIPE.pipeline_id)
    desk.platform.held.set()
    first.join(10)
    assert told == GuardView(minutes=60)
    assert desk.guard.coming == {}


def test_what_runs_already_changes_the_guard_alone(desk):
    desk.deploy()
    desk.sees(status(PipelineState.RUNNING, "v-1"))
    desk.platform.already_running = True
    assert "Nothing was changed" in desk.deploy().message
    told = desk.deploy(idle_minutes=30).message
    assert told == "hf-summarizer runs already with these settings. It stops after 30 min."
    assert len(desk.entries()) == 1
    (mine,) = desk.service.mine(ANN)
    assert mine.version == "v-1"


def test_what_runs_already_from_elsewhere_is_not_guarded_and_that_is_said(desk):
    desk.platform.answer = status(PipelineState.RUNNING, "theirs")
    desk.platform.already_running = True
    outcome = desk.deploy(idle_minutes=60)
    assert outcome.is_partial
    assert "the idle guard leaves it alone" in outcome.message
    assert desk.guard.minutes == {}
    assert "Nothing was changed" in desk.deploy(idle_minutes=None).message


def test_settings_that_cannot_be_deployed_are_refused_with_their_field(desk):
    with pytest.raises(InvalidInput) as caught:
        desk.deploy(settings=DeploymentSettings(engine_memory="4 GB"))
    assert caught.value.field == "engine_memory"
    assert desk.platform.deploys == 0


def test_a_failed_upload_is_noted_with_the_models_name(desk):
    with pytest.raises(InvalidInput):
        desk.service.upload_model(ANN, NewModel(1, "mine", "m.zip", io.BytesIO()))
    (entry,) = desk.entries()
    assert (entry.act, entry.result, entry.pipeline) == (
        Act.MODEL_UPLOADED,
        ActResult.FAILED,
        "mine",
    )


def test_no_value_of_the_environment_is_told_anywhere(desk, caplog):
    desk.deploy()
    desk.platform.error = DeployFailed(f"The platform refused it: bad value {PLANTED}")
    desk.sees(status(PipelineState.RUNNING, "v-1"))
    with pytest.raises(DeployFailed):
        desk.deploy()
    told = repr(desk.entries()) + repr(desk.service.mine(ANN)) + caplog.text
    assert PLANTED not in told
