from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.domain.model import Model, ModelVersion
from dashboard.domain.pipeline import PipelineStep, PipelineVersion
from dashboard.domain.run import RunState
from dashboard.services.run_version import VersionWatch
from tests.unit.services import run_stubs
from tests.unit.services.run_stubs import MODEL, PIPELINE, WHEN, Rig, StubPlatform, open_rig

OLD = PipelineVersion(1, "version-old", WHEN, (PipelineStep("m", "model-old", "sha-old"),))
NEWEST = PipelineVersion(2, "version-newest", WHEN, (PipelineStep("m", MODEL.version, "sha"),))
TOLD = "The pipeline was redeployed during the run: "


@pytest.fixture
def rig(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(run_stubs, "PIPELINE", replace(PIPELINE, versions=(NEWEST, OLD)))
    rig = open_rig(tmp_path / "data", StubPlatform(), url=database_url)
    yield rig
    rig.close()


def test_a_run_names_the_version_that_runs_and_its_model_not_the_newest_saved(rig: Rig):
    rig.platform.running = ("version-old",)
    old = ModelVersion(4, "model-old", "m", "sha-old", image_path="some/image:2")
    rig.platform.models = (Model(1, "m", 7, (MODEL, old)),)
    ended = rig.ended(rig.submit("one", "two").run_id)
    assert (ended.pipeline_version, ended.model_version) == ("version-old", "model-old")
    assert (ended.model_sha, ended.engine) == ("sha-old", "some/image:2")
    assert (ended.state, ended.message) == (RunState.DONE, "")


def test_a_model_that_is_not_listed_any_more_is_named_without_its_engine(rig: Rig):
    rig.platform.running = ("version-old",)
    ended = rig.ended(rig.submit("one").run_id)
    assert (ended.model_version, ended.model_sha, ended.engine) == ("model-old", "sha-old", "")


def test_the_newest_version_with_the_same_model_stays_as_it_was_given(rig: Rig):
    rig.platform.running = ("version-newest",)
    ended = rig.ended(rig.submit("one").run_id)
    assert ended.pipeline_version == "version-newest"
    assert (ended.model_version, ended.engine) == (MODEL.version, MODEL.image_path)


def test_a_redeploy_in_the_middle_of_a_run_is_told_at_its_end(rig: Rig):
    rig.platform.running = ("version-newest",)

    def redeploy(text: str) -> None:
        if text == "text 5":
            rig.platform.running = ("abcdef0123456789",)

    rig.platform.on_send = redeploy
    ended = rig.ended(rig.submit(*(f"text {number}" for number in range(9))).run_id)
    assert (ended.state, ended.rows_done) == (RunState.DONE, 9)
    assert ended.pipeline_version == "version-newest"
    assert ended.message == f"{TOLD}rows from 6 on were answered by version abcdef01."


def test_a_change_between_two_processes_is_told_without_a_row():
    watch = VersionWatch("one", is_begun=True)
    assert watch.correction(["two"]) is None
    assert watch.answered(40, {"pipeline_version": "two"})
    assert watch.note == f"{TOLD}later rows were answered by version two."
    assert not watch.answered(41, {"pipeline_version": "two"})
    assert watch.answered(50, {"pipeline_version": "three"})
    assert watch.note == f"{TOLD}rows from 51 on were answered by version three."


@pytest.mark.parametrize("version", [None, 3, "", "x" * 65, ["one"]])
def test_an_answer_that_does_not_name_its_version_tells_nothing(version):
    watch = VersionWatch("one", is_begun=True)
    assert not watch.answered(3, {"pipeline_version": version})
    assert watch.note == ""


def test_engines_that_report_two_versions_or_none_change_nothing():
    watch = VersionWatch("one", is_begun=False)
    assert watch.correction([]) is None
    assert watch.correction(["one", "two"]) is None
    assert watch.correction(["one"]) is None
    assert watch.correction(["two"]) == "two"
