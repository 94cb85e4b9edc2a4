"""Logs between two moments and the models' details, over a platform that answers as it is told."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from dashboard.domain.model import ModelVersion
from dashboard.errors import UnexpectedAnswer
from tests.contract.scripted import GRAPHQL, PIPELINE, graphql

LOGS = "/v1/logs/topic/the-topic/records"
END = datetime(2026, 11, 22, 12, tzinfo=UTC)
START = END - timedelta(days=1)
VERSION = ModelVersion(8, "u-8", "mine", "s")


def page(times, status="All", following=None):
    schema = pa.schema(
        [("time", pa.int64()), ("out.summary_text", pa.string())],
        metadata={"status": json.dumps({"status": status, "next": following})},
    )
    rows = [{"time": time, "out.summary_text": str(time)} for time in times]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return sink.getvalue().to_pybytes()


@pytest.fixture
def logs(platform):
    platform.scripts["/v1/api/plateau/get_topic_name"] = (200, {"topic_name": "the-topic"})
    return platform


def times(found):
    return [row["time"] for row in found.rows]


def between(gateway, ann, limit):
    return gateway.log_between(ann, PIPELINE, start=START, end=END, limit=limit)


def test_a_window_is_read_to_its_end_and_its_newest_rows_are_kept(gateway, logs, ann):
    pages = [page([1, 2], "RecordLimited", {"p0": 2}), page([3, 4])]
    logs.scripts[LOGS] = lambda body: (200, pages[1 if body else 0])
    found = between(gateway, ann, 3)
    assert times(found) == [4, 3, 2]
    assert not found.is_complete
    assert found.cut_by == ""
    assert [one.body for one in logs.requests("/records")] == [{}, {"p0": 2}]


def test_a_window_that_fits_is_complete(gateway, logs, ann):
    logs.scripts[LOGS] = (200, page([1, 2]))
    assert between(gateway, ann, 5).is_complete


def test_a_window_without_an_end_is_given_up_and_says_why(gateway, logs, ann):
    logs.scripts[LOGS] = (200, page([1], "RecordLimited", {"p0": 1}))
    found = between(gateway, ann, 5)
    assert (found.is_complete, found.cut_by) == (False, "RecordLimited")


def test_a_pipeline_without_a_log_has_no_rows(gateway, logs, ann):
    logs.scripts[LOGS] = (404, {"msg": "no topic"})
    assert times(between(gateway, ann, 5)) == []


def test_an_answer_that_is_no_table_is_an_error(gateway, logs, ann):
    logs.scripts[LOGS] = (200, b"<html>")
    with pytest.raises(UnexpectedAnswer):
        between(gateway, ann, 5)


def test_all_models_are_read_in_one_request(gateway, platform, ann):
    version = {"id": 8, "model_id": "mine", "status": "error", "error_summary": "bad"}
    rooms = [
        {"id": 2, "models": [{"id": 5, "name": "mine", "models": [version]}]},
        {"id": 1, "models": [{"id": 4, "name": "old", "models": []}]},
    ]
    platform.scripts[GRAPHQL] = graphql(DashboardAllModels={"workspace": rooms})
    old, mine = gateway.list_all_models(ann)
    assert (old.name, old.workspace_id, mine.workspace_id) == ("old", 1, 2)
    assert mine.versions[0].error_summary == "bad"
    assert len(platform.requests("graphql")) == 1


def stored(config):
    return (200, {"model_version": {"model_version": {"id": 8}, "config": config}})


def packed(*names):
    schema = pa.schema([(name, pa.string()) for name in names])
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def test_schemas_that_the_first_answer_leaves_out_are_asked_for(gateway, platform, ann):
    platform.scripts["/v1/api/models/get_version_by_id"] = stored({"id": 2, "runtime": "flight"})
    config = {"id": 2, "input_schema": packed("inputs"), "output_schema": "no schema"}
    platform.scripts[GRAPHQL] = graphql(DashboardModelConfig={"model_config_by_pk": config})
    told = gateway.model_details(ann, VERSION)
    assert told.inputs is not None
    assert [(one.name, one.type) for one in told.inputs] == [("inputs", "string")]
    assert (told.outputs, told.runtime) == (None, "flight")


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_platform_that_keeps_no_upload_logs_gives_none(gateway, platform, ann, status):
    platform.scripts["/v1/api/models/get_upload_logs"] = (status, {"msg": "no"})
    assert gateway.model_log(ann, VERSION) == ()


def test_the_newest_lines_of_an_upload_are_given(gateway, platform, ann):
    platform.scripts["/v1/api/models/get_upload_logs"] = (200, {"logs": ["a", "b", "c"]})
    assert gateway.model_log(ann, VERSION, limit=2) == ("b", "c")
