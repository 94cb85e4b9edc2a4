"""The page of a pipeline's inference log, over logs that the test tells."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from dashboard.domain.inference import LogPage
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from tests.app.conftest import settle, shown, words

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def row(text, summary="Short.", *, anomalies=0, **more):
    return {
        "time": int(NOON.timestamp() * 1000),
        "in.inputs": text,
        "in.return_text": True,
        "out.summary_text": summary,
        "anomaly.count": anomalies,
        "metadata.elapsed": [1_000_000, 412_000_000],
        "metadata.last_model": json.dumps({"model_name": "hf-summarizer", "model_sha": "s"}),
        **more,
    }


class Log:
    """What the platform's log gives, and what it was asked for."""

    def __init__(self) -> None:
        self.number = ""
        self.page = LogPage((), is_complete=True)
        self.windows: list[dict[str, object]] = []


@pytest.fixture
def log(monkeypatch, demo):
    told = Log()

    def between(*_call, **asked):
        told.windows.append(asked)
        return told.page

    monkeypatch.setattr(WallarooGateway, "log_page", lambda *_call, **_asked: told.page)
    monkeypatch.setattr(WallarooGateway, "log_between", between)
    (pipeline,) = demo.current.gateway().list_pipelines(demo.who)
    told.number = str(pipeline.pipeline_id)
    return told


def table(at):
    """Return the rows of the table that is drawn."""
    with pa.ipc.open_stream(at.dataframe[0].proto.arrow_data.data) as reader:
        return reader.read_all().to_pylist()


def test_the_rows_are_shown_with_time_input_output_model_and_time_in_it(demo, open_page, log):
    log.page = LogPage((row("A long text."),), is_complete=True)
    at = settle(open_page("pipeline_log", pipeline=log.number))
    (only,) = table(at)
    assert only["Input"] == "A long text."
    assert only["Output"] == "Short."
    assert only["Model"] == "hf-summarizer"
    assert only["Model time"] == "412 ms"
    assert only["Anomalies"] == "0"
    assert "Rows are left out" not in words(at)


@pytest.mark.parametrize(
    ("cut_by", "told"),
    [
        ("RecordLimited", "The log holds more than was asked for."),
        ("ByteLimited", "too large for the platform"),
        ("SchemaChange", "other columns"),
        ("", "more in this time than the limit lets through"),
    ],
)
def test_what_is_left_out_is_said_with_its_reason(demo, open_page, log, cut_by, told):
    log.page = LogPage((row("A"),), is_complete=False, cut_by=cut_by)
    at = settle(open_page("pipeline_log", pipeline=log.number))
    assert "Rows are left out." in words(at)
    assert told in words(at)


def test_anomalies_can_be_looked_at_apart(demo, open_page, log):
    log.page = LogPage((row("fine"), row("odd", anomalies=2, **{"anomaly.long": True})), True)
    at = settle(open_page("pipeline_log", pipeline=log.number))
    assert len(table(at)) == 2
    settle(at.toggle(key="pipeline_log_only").set_value(True).run())
    (only,) = table(at)
    assert (only["Input"], only["Anomalies"]) == ("odd", "▲ 2: long")
    assert at.query_params["only"] == "anomalies"


def test_no_anomalies_is_said_in_words(demo, open_page, log):
    log.page = LogPage((row("fine"),), True)
    at = settle(open_page("pipeline_log", pipeline=log.number, only="anomalies"))
    assert "No row here has anomalies." in words(at)


def test_the_last_hour_is_asked_as_a_window_and_an_empty_one_leads_on(demo, open_page, log):
    at = settle(open_page("pipeline_log", pipeline=log.number, span="hour"))
    asked = log.windows[-1]
    assert (asked["end"] - asked["start"]).total_seconds() == 3600
    assert "Nothing was sent to this pipeline in this time." in words(at)
    settle(at.button(key="pipeline_log_any_time").click().run())
    assert "span" not in at.query_params


def test_days_of_the_address_are_whole_days(demo, open_page, log):
    settle(
        open_page(
            "pipeline_log",
            pipeline=log.number,
            span="range",
            limit="500",
            **{"from": "2026-11-19", "to": "2026-11-20"},
        )
    )
    asked = log.windows[-1]
    assert (asked["end"] - asked["start"]).total_seconds() == pytest.approx(2 * 86400, abs=1)
    assert asked["limit"] == 500


def test_an_empty_log_says_how_rows_come_there(demo, open_page, log):
    at = settle(open_page("pipeline_log", pipeline=log.number))
    assert "The platform's log of this pipeline is empty." in shown(words(at))


def test_who_is_not_in_the_workspace_reads_no_log(demo, open_page, log, monkeypatch):
    log.page = LogPage((row("private text"),), True)
    monkeypatch.setattr(
        WallarooGateway,
        "list_workspaces",
        lambda *_call: (),
    )
    at = settle(open_page("pipeline_log", pipeline=log.number))
    assert "Only members of the pipeline's workspace read its log." in shown(words(at))
    assert "private text" not in words(at)
    assert not at.dataframe


def test_a_pipeline_of_no_workspace_of_ones_own_is_said_not_to_be_here(demo, open_page):
    at = settle(open_page("pipeline_log", pipeline="987654"))
    assert "The pipeline of this link is not here." in words(at)


def test_the_card_leads_to_the_log_and_shows_versions_with_what_differs(demo, open_page, log):
    (pipeline,) = demo.current.gateway().list_pipelines(demo.who)
    version = pipeline.versions[0]
    step = replace(version.steps[0], model_version="0ther-version", sha="other")
    newer = replace(version, version_id=version.version_id + 1, version="n-1", steps=(step,))
    two = replace(pipeline, versions=(newer, version))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WallarooGateway, "list_pipelines", lambda *_call, **_asked: (two,))
        at = settle(open_page("pipelines"))
        told = shown(words(at))
        assert f"another version of {step.model_name}: 0ther-ve in place of" in told
        settle(at.button(key=f"pipeline_{pipeline.pipeline_id}_log").click().run())
        assert "The platform's log of this pipeline is empty." in shown(words(at))
