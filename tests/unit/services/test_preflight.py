"""Preflight over stand-ins: each step's failure stops it, and says what to do next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select, text, update

from dashboard.connectors import registry
from dashboard.connectors.base import FetchedTable, TestResult
from dashboard.connectors.causes import FetchCause, fetch_failure
from dashboard.domain.activity import Act
from dashboard.domain.check import Stage, StageResult, StageState
from dashboard.domain.connection import Connection
from dashboard.domain.model import Model, ModelVersion
from dashboard.domain.pipeline import (
    Deployment,
    Pipeline,
    PipelineState,
    PipelineStep,
    PipelineVersion,
)
from dashboard.domain.preflight import Mark, PreflightView, Step, Way
from dashboard.domain.table import ColumnFacts
from dashboard.errors import InferenceFailed, InvalidInput, PlatformUnreachable
from dashboard.masking import Secret
from dashboard.services.failures import unexpected
from dashboard.services.preflight import ROW_KEPT_S, Preflight, Subject, preflight_of
from dashboard.services.watch import DeploymentWatch
from dashboard.store.database import Store, open_store, open_vault
from dashboard.store.preflight_records import PreflightRecords
from dashboard.store.schema import PREFLIGHTS
from tests.support.waiting import wait_until
from tests.unit.services.run_stubs import MEMBER, STRANGER, WHEN, StubPlatform

PLANTED = "pl4nted-s3cret"
SUBJECT = Subject(7, "id-0", 3)
PIPELINE = Pipeline(
    3,
    "hf-summarizer",
    7,
    "press",
    WHEN,
    WHEN,
    (PipelineVersion(1, "pipeline-v1", WHEN, (PipelineStep("hf-summarizer", "model-v1"),)),),
)
TEXTS = pa.table({"inputs": ["First text.", "Second."], "return_text": [False, True]})
GREEN = tuple(StageResult(stage, StageState.DONE, 2.0) for stage in Stage)


@dataclass
class Platform(StubPlatform):
    connections: tuple[Connection, ...] = (Connection("id-0", "press-releases", "HTTP", WHEN),)
    pipelines: tuple[Pipeline, ...] = (PIPELINE,)
    framework: str = "hugging-face-summarization"

    def list_connections(self, _who: object, *, workspace_id: int) -> tuple[Connection, ...]:
        assert workspace_id == 7
        return self.connections

    def read_details(self, _who: object, name: str) -> tuple[Connection, Secret[Any]]:
        assert name == "press-releases"
        return self.connections[0], Secret({"url": f"https://h.example/{PLANTED}"})

    def list_pipelines(self, _who: object, *, workspace_id: int) -> tuple[Pipeline, ...]:
        assert workspace_id == 7
        return self.pipelines

    def list_models(self, _who: object, workspace_id: int) -> tuple[Model, ...]:
        version = ModelVersion(5, "model-v1", "m", "ab", framework=self.framework)
        assert workspace_id == 7
        return (Model(1, "m", workspace_id, (version,)),)

    def model_inputs(self, _who: object, _pipeline: Pipeline) -> tuple[ColumnFacts, ...]:
        return (ColumnFacts("x", "int64"),)


@dataclass
class Source:
    """Both the tests of connections and the connector: what a source gives."""

    stages: tuple[StageResult, ...] = GREEN
    failure: FetchCause | None = None
    refusal: InvalidInput | None = None
    table: pa.Table = field(default_factory=lambda: TEXTS)
    fetch_failure: FetchCause | None = None
    fetches: int = 0
    held: threading.Event | None = None
    cancelled: list[str] = field(default_factory=list)
    can_fetch: bool = True

    def new_id(self, _session: str) -> str:
        return "test-1"

    def run(self, _who: object, _test_id: str, _kind: str, _details: object) -> TestResult:
        if self.refusal is not None:
            raise self.refusal
        if self.held is not None:
            assert self.held.wait(10)
        failure = fetch_failure(self.failure) if self.failure is not None else None
        return TestResult(self.stages, failure)

    def cancel(self, _who: object, test_id: str) -> None:
        self.cancelled.append(test_id)
        if self.held is not None:
            self.held.set()

    def fetch(self, _details: object, *, sink: Any, **_rest: object) -> Any:
        self.fetches += 1
        if self.fetch_failure is not None:
            raise fetch_failure(self.fetch_failure)
        sink.begin()
        sink.add(self.table)
        columns = tuple(ColumnFacts(one.name, str(one.type)) for one in self.table.schema)
        return FetchedTable(self.table.num_rows, columns, 10, "f" * 64, "CSV", 12.0)


class Notes:
    """Checks and activity: what was noted."""

    def __init__(self) -> None:
        self.tests: list[str] = []
        self.acts: list[tuple[Act, str]] = []

    def note_test(self, connection_id: str, _result: TestResult) -> None:
        self.tests.append(connection_id)

    def note(self, _who: object, act: Act, *, note: str, **_rest: object) -> None:
        self.acts.append((act, note))


@dataclass
class Rig:
    preflight: Preflight
    platform: Platform
    source: Source
    notes: Notes
    now_s: list[float]

    def walk(self, *, go_on: bool = False) -> PreflightView:
        self.preflight.run(MEMBER, SUBJECT, session="s", go_on=go_on)
        return self.view()

    def view(self) -> PreflightView:
        view = self.preflight.view(MEMBER, SUBJECT)
        assert view is not None
        return view

    def red_at(self, step: Step, *, go_on: bool = False) -> tuple[str, str, Way]:
        """Walk to a failure at `step`: what it says, what to do, and where."""
        view = self.walk(go_on=go_on)
        place = list(Step).index(step)
        assert [one.mark for one in view.steps[:place]] == [Mark.DONE] * place
        assert [one.mark for one in view.steps[place + 1 :]] == [Mark.NOT_TRIED] * (5 - place)
        failed = view.failed
        assert failed is not None
        assert failed.step is step
        assert failed.elapsed_ms is not None
        assert PLANTED not in repr(view)
        return failed.told, failed.hint, failed.way


def steps_of(rig: Rig, step: Step) -> Any:
    """Return what takes a step, so that a test can change what it works with."""
    act: Any = rig.preflight._acts[step]
    return act.__self__


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def rig(monkeypatch, store) -> Iterator[Rig]:
    platform, source, notes, now_s = Platform(), Source(), Notes(), [0.0]
    stands_in: Any = source  # for the tests of connections and for a connector
    listens: Any = notes
    asked: Any = platform
    monkeypatch.setattr(registry, "connector_for", lambda _kind: source)
    monkeypatch.setattr(registry, "can_fetch", lambda _kind: source.can_fetch)
    with ThreadPoolExecutor(2) as pool:
        preflight = preflight_of(
            lambda: asked,
            store=store,
            tests=stands_in,
            checks=listens,
            activity=listens,
            watch=DeploymentWatch(pool, platform.status, on_unexpected=unexpected),
            outbound=lambda: listens,
            clock=lambda: now_s[0],
            now=lambda: WHEN + timedelta(seconds=now_s[0]),
        )
        yield Rig(preflight, platform, source, notes, now_s)
        preflight.close()


def test_a_green_one_has_six_ticks_and_sends_the_first_row_alone(rig):
    view = rig.walk()
    assert view.is_green
    assert not view.is_running
    assert [one.step for one in view.steps] == list(Step)
    assert view.steps[0].elapsed_ms == 6.0
    assert "2 rows, CSV" in view.steps[1].told
    # Once to warm the model, once to see how long it takes; flags as the table has them.
    assert len(rig.platform.sent) == 2
    assert {one["inputs"] for one in rig.platform.sent} == {"First text."}
    assert rig.platform.sent[0]["return_text"] is False
    assert rig.platform.sent[0]["return_tensors"] is False
    assert rig.notes.tests == ["id-0"]
    assert rig.notes.acts == [(Act.TESTED, "")]
    rig.now_s[0] += 120
    assert rig.view().age_s == 120


def test_a_source_that_is_not_there_is_not_reachable(rig):
    failed = [StageResult(Stage.RESOLVE, StageState.FAILED, 3.0)]
    rig.source.stages = (
        *failed,
        *(StageResult(stage, StageState.NOT_REACHED) for stage in list(Stage)[1:]),
    )
    rig.source.failure = FetchCause.NAME_NOT_FOUND
    told, _hint, way = rig.red_at(Step.REACHABLE)
    assert (told, way) == (fetch_failure(FetchCause.NAME_NOT_FOUND).message, Way.CONNECTION)
    assert rig.notes.tests == ["id-0"]
    assert rig.source.fetches == 0


def test_the_sixth_test_of_a_minute_is_refused_and_nothing_is_noted(rig):
    rig.source.refusal = InvalidInput("Five tests a minute at most. Try again in 40 s.")
    told, _, way = rig.red_at(Step.REACHABLE)
    assert (told, way) == ("Five tests a minute at most. Try again in 40 s.", Way.NOWHERE)
    assert rig.notes.tests == []


def test_a_connection_that_was_unlinked_meanwhile_is_told(rig):
    rig.platform.connections = ()
    assert "not linked" in rig.red_at(Step.REACHABLE)[0]


def test_a_connection_without_a_table_is_told(rig):
    rig.source.can_fetch = False
    assert "HTTP connections" in rig.red_at(Step.REACHABLE)[0]


def test_what_is_no_table_is_reachable_and_not_readable(rig):
    done = [StageResult(stage, StageState.DONE, 2.0) for stage in list(Stage)[:4]]
    rig.source.stages = (*done, StageResult(Stage.RECOGNISE, StageState.FAILED, 1.0))
    rig.source.failure = FetchCause.NOT_A_TABLE
    told, _, way = rig.red_at(Step.READABLE)
    assert (told, way) == (fetch_failure(FetchCause.NOT_A_TABLE).message, Way.CONNECTION)


def test_a_source_that_fails_between_test_and_fetch_is_not_readable(rig):
    rig.source.fetch_failure = FetchCause.TIMED_OUT
    assert rig.red_at(Step.READABLE)[2] is Way.CONNECTION


def test_an_empty_table_is_not_readable(rig):
    rig.source.table = TEXTS.slice(0, 0)
    assert "no rows" in rig.red_at(Step.READABLE)[0]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (pa.table({"text": ["a"]}), "inputs"),
        (pa.table({"inputs": [1]}), "must hold texts"),
        (pa.table({"inputs": pa.array([None], pa.string())}), "no text"),
    ],
)
def test_a_table_that_does_not_fit_leads_to_the_table(rig, table, told):
    rig.source.table = table
    message, _, way = rig.red_at(Step.FITS)
    assert told in message
    assert way is Way.TABLE


@pytest.mark.parametrize("cells", [[3, 4], ["3", "4"]], ids=["numbers", "texts of a CSV"])
def test_a_model_of_columns_gets_its_columns(rig, cells):
    rig.platform.framework = "onnx"
    rig.source.table = pa.table({"x": cells, "other": ["a", "b"]})
    rig.platform.failing = {}
    sent = []

    async def infer(rows, *, timeout_s):
        sent.extend(rows)
        raise InferenceFailed("stop here")

    rig.platform.infer = infer
    rig.red_at(Step.WARM)
    assert sent == [{"x": 3}]


def test_a_first_row_that_is_not_what_the_model_reads_leads_to_the_table(rig):
    rig.platform.framework = "onnx"
    rig.source.table = pa.table({"x": [PLANTED, "4"]})
    message, _, way = rig.red_at(Step.FITS)
    assert message == "The model reads a whole number from “x”; the table holds a text there."
    assert way is Way.TABLE


def test_a_pipeline_that_is_gone_is_told(rig):
    rig.platform.pipelines = ()
    assert "does not exist" in rig.red_at(Step.FITS)[0]


def test_what_is_not_deployed_is_offered_to_be_and_gone_on_with(rig):
    rig.platform.state = PipelineState.NOT_DEPLOYED
    rig.platform.pipelines = (replace(PIPELINE, deployment=Deployment(9, deployed=False)),)
    told, hint, way = rig.red_at(Step.RUNNING)
    assert (told, way) == ("hf-summarizer is not deployed.", Way.DEPLOY)
    assert "Deploy it" in hint
    assert rig.view().can_go_on
    assert rig.platform.sent == []
    rig.platform.state = PipelineState.RUNNING
    rig.platform.pipelines = (PIPELINE,)
    steps_of(rig, Step.RUNNING)._watch = DeploymentWatch(
        ThreadPoolExecutor(1), rig.platform.status, on_unexpected=unexpected
    )
    assert rig.walk(go_on=True).is_green
    # The source was not asked again.
    assert (rig.source.fetches, rig.notes.tests) == (1, ["id-0"])


def test_without_the_row_it_begins_anew(rig):
    rig.preflight._rows.clear()
    assert rig.walk(go_on=True).is_green
    assert rig.source.fetches == 1
    assert ROW_KEPT_S <= 600


def test_one_that_starts_is_waited_for(rig):
    states = [PipelineState.STARTING] * 2

    class Coming:
        def look(self, *_args, **_kwargs):
            state = states.pop() if states else PipelineState.RUNNING
            return type("View", (), {"state": state, "error": None, "recover_left_s": None})

    steps_of(rig, Step.RUNNING)._watch = Coming()
    assert rig.walk().is_green
    assert states == []


def test_what_the_list_says_is_deployed_is_not_called_off_at_once(rig):
    rig.platform.pipelines = (replace(PIPELINE, deployment=Deployment(9, deployed=True)),)

    class Late:
        asked = 0

        def look(self, *_args, **_kwargs):
            self.asked += 1
            rig.now_s[0] += 0.7
            return type(
                "View",
                (),
                {"state": PipelineState.NOT_DEPLOYED, "error": None, "recover_left_s": None},
            )

    steps_of(rig, Step.RUNNING)._watch = late = Late()
    assert rig.red_at(Step.RUNNING)[2] is Way.DEPLOY
    assert late.asked > 1


@pytest.mark.parametrize("state", [PipelineState.STOPPING, PipelineState.ERROR])
def test_one_that_stops_or_has_failed_for_good_is_not_running(rig, state):
    class Gone:
        def look(self, *_args, **_kwargs):
            return type("View", (), {"state": state, "error": None, "recover_left_s": 0.0})

    steps_of(rig, Step.RUNNING)._watch = Gone()
    assert rig.red_at(Step.RUNNING)[2] is Way.PIPELINE


def test_a_model_that_does_not_answer_is_not_warm(rig):
    rig.platform.failing = {"First text.": [InferenceFailed("The model took over 60 s.")]}
    told, _, way = rig.red_at(Step.WARM)
    assert (told, way) == ("The model took over 60 s.", Way.PIPELINE)


def test_a_model_that_answers_once_and_then_not_does_not_infer(rig):
    answers = iter([{"out.summary_text": "short", "anomaly.count": 0}, {"out.other": 1}])
    rig.platform.answer = lambda _row: next(answers)
    assert "no summary" in rig.red_at(Step.INFERS)[0]


def test_what_nobody_expected_is_the_steps_failure_too(rig):
    rig.platform.down = None
    rig.source.table = None
    view = rig.walk()
    assert not view.is_running
    assert view.failed is not None
    assert view.failed.step is Step.READABLE


def test_a_platform_that_is_down_fails_the_first_step(rig):
    def down():
        raise PlatformUnreachable("The platform does not answer.")

    steps_of(rig, Step.REACHABLE)._gateway = down
    assert rig.red_at(Step.REACHABLE)[0] == "The platform does not answer."


@pytest.mark.parametrize("where", ["test", "model"])
def test_it_is_given_up_at_once_and_says_so(rig, where):
    if where == "test":
        rig.source.held = threading.Event()
    else:
        rig.platform.held = True
    walker = threading.Thread(target=rig.walk)
    walker.start()
    now_at = Step.REACHABLE if where == "test" else Step.WARM

    def has_come() -> bool:
        view = rig.preflight.view(MEMBER, SUBJECT)
        return view is not None and view.steps[list(Step).index(now_at)].mark is Mark.NOW

    wait_until(has_come, within_s=5, what="it is under way")
    if where == "test":
        wait_until(
            lambda: bool(rig.preflight._records[MEMBER.key, SUBJECT].walk.test_id),
            within_s=5,
            what="the test has its id",
        )
    rig.preflight.cancel(MEMBER, SUBJECT)
    walker.join(5)
    assert not walker.is_alive()
    view = rig.view()
    assert (view.was_cancelled, view.is_running, view.failed) == (True, False, None)
    assert Mark.NOW not in [one.mark for one in view.steps]


def test_nobody_sees_the_preflight_of_somebody_else(rig):
    rig.walk()
    assert rig.preflight.view(STRANGER, SUBJECT) is None
    rig.preflight.cancel(STRANGER, SUBJECT)
    assert rig.view().is_green


def start_anew(rig: Rig) -> None:
    """Forget what is in memory, as a restart does."""
    rig.preflight._records.clear()
    rig.preflight._rows.clear()


def test_how_it_ended_is_told_with_its_age_after_a_restart(rig):
    walked = rig.walk()
    rig.now_s[0] += 12 * 60
    start_anew(rig)
    view = rig.view()
    assert (view.is_green, view.is_from_before, view.is_stale) == (True, True, False)
    assert view.age_s == 12 * 60
    assert view.steps == walked.steps
    assert not view.can_go_on
    assert rig.preflight.view(STRANGER, SUBJECT) is None
    assert rig.preflight.view(MEMBER, replace(SUBJECT, connection_id="id-9")) is None


def test_another_version_of_the_pipeline_makes_it_stale(rig):
    rig.walk()
    assert not rig.preflight.view(MEMBER, SUBJECT, version_id=1).is_stale
    assert rig.preflight.view(MEMBER, SUBJECT, version_id=2).is_stale
    start_anew(rig)
    assert rig.preflight.view(MEMBER, SUBJECT, version_id=2).is_stale
    assert not rig.preflight.view(MEMBER, SUBJECT, version_id=1).is_stale


def test_a_cancelled_one_does_not_take_the_place_of_the_last(rig):
    rig.walk()

    def given_up(_walk: object) -> Any:
        rig.preflight.cancel(MEMBER, SUBJECT)
        return "", None

    rig.preflight._acts[Step.REACHABLE] = given_up
    rig.preflight.run(MEMBER, SUBJECT, session="s")
    start_anew(rig)
    assert rig.view().is_green


def test_what_a_failure_quotes_of_the_table_is_not_kept(rig, store):
    rig.preflight._acts[Step.WARM] = _raising(InferenceFailed("The text was: First text."))
    assert "First text" in repr(rig.walk())
    start_anew(rig)
    view = rig.view()
    assert view.failed is not None
    assert (view.failed.step, view.failed.told) == (
        Step.WARM,
        "It failed then. Run it again to see why.",
    )
    assert "First text" not in repr(view)


def test_what_is_kept_is_sealed_and_one_of_each(rig, store, tmp_path):
    rig.walk()
    rig.walk()
    with store.read() as connection:
        (found,) = connection.execute(select(PREFLIGHTS)).all()
    assert b"CSV" not in found.steps_sealed
    assert MEMBER.user_id not in found.who_mark
    with store.write() as connection:
        connection.execute(update(PREFLIGHTS).values(steps_sealed=b"altered"))
    assert PreflightRecords(store).last(MEMBER.user_id, SUBJECT) is None
    start_anew(rig)
    assert rig.preflight.view(MEMBER, SUBJECT) is None


def test_a_store_that_does_not_work_is_no_failure_of_the_preflight(rig, store):
    with store.write() as connection:
        connection.execute(text("DROP TABLE preflights"))
    assert rig.walk().is_green
    start_anew(rig)
    assert rig.preflight.view(MEMBER, SUBJECT) is None


def _raising(error: Exception) -> Any:
    def act(_walk: object) -> Any:
        raise error

    return act
