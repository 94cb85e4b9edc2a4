"""Runs through a model that is no summarizer, on the pages that show runs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from secrets import token_hex

import pyarrow as pa
import pytest

from dashboard.domain.inference import RowTiming
from dashboard.domain.run import RowState, RunState
from dashboard.domain.run_comparison import RowChange, has_same_input
from dashboard.domain.word_diff import Piece, PieceKind
from dashboard.services import comparing
from dashboard.services.row_files import RowForm
from dashboard.store.run_records import RowResult, RunRecords
from dashboard.views import deploying
from tests.app import stories
from tests.app.conftest import Platform, settle, shown, words

TABLE = {
    "rooms": [3, 4, 5],
    "tensor": [[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]],
    "town": ["Bergen", "<img src=x onerror=alert(1)>", "Oslo"],
}


def keep_run(platform: Platform, *, factor: float = 100.0) -> str:
    """Keep a finished run of three rows of columns, the last of them failed; return its id."""
    room = platform._reading_room()
    platform.current.reads.forget("local")
    draft = replace(stories.passport(), workspace_id=room)
    table = platform.current.tables.save(platform.who, draft, pa.table(TABLE))
    platform.runs_kept += 1
    run = replace(
        stories.run(),
        run_id=token_hex(16),
        table_id=table.table_id,
        workspace_id=room,
        created_at=stories.NOW + timedelta(seconds=platform.runs_kept),
        started_at=None,
        finished_at=None,
        rows_total=3,
        rows_done=0,
        rows_failed=0,
        input_columns=("rooms", "tensor", "town"),
    )
    timing = RowTiming(0.0, 1.0, 40.0, 1.0, 30.0, 2.0, batch_rows=2)
    results = [
        RowResult(
            index,
            RowState.DONE,
            summary=json.dumps({"price": factor * (index + 1), "shares": [0.25, index]}),
            anomaly_count=0,
            answered_at=stories.NOW,
            timing=timing,
        )
        for index in range(2)
    ]
    results.append(RowResult(2, RowState.FAILED, error="rooms is too large"))
    records = RunRecords(platform.current._store)
    records.insert(run, stories.CLAIM)
    assert records.running(run.run_id, "test", at=stories.NOW)
    assert not records.journal({run.run_id: results}, stories.CLAIM)
    records.finished(run.run_id, "test", state=RunState.DONE, message="", at=stories.NOW)
    return run.run_id


@pytest.fixture
def run_id(demo: Platform) -> str:
    return keep_run(demo)


def sent_table(at):
    (frame,) = at.dataframe
    return pa.ipc.open_stream(frame.proto.arrow_data.data).read_all().to_pydict()


def test_its_rows_are_read_as_a_table_of_inputs_and_outputs(open_page, run_id):
    at = settle(open_page("summarize", run=run_id))
    told = sent_table(at)
    assert told["State"] == ["Done", "Done", "Failed"]
    assert told["out: price"][:2] == [100.0, 200.0]
    assert told["out: shares"] == ["[0.25, 0]", "[0.25, 1]", ""]
    assert told["Why it failed"] == ["", "", "rooms is too large"]
    assert told["in: rooms"] == [3, 4, 5]
    assert told["in: tensor"][0] == "[0.5, 1.5]"
    assert told["in: town"] == TABLE["town"]
    assert told["Rows in its request"][:2] == [2, 2]
    assert "no row has a time of its own" in shown(words(at))
    assert "Evidence" not in words(at)


def test_its_times_are_said_to_be_shared(open_page, run_id):
    at = settle(open_page("latency", run=run_id))
    assert "only requests can be timed" in shown(words(at))


def test_the_times_of_a_run_of_texts_are_its_own(open_page, demo):
    at = settle(open_page("latency", run=demo.keep_run(["one", "two"])))
    assert "only requests can be timed" not in shown(words(at))


def test_two_of_them_are_compared_by_their_outputs(open_page, demo, run_id):
    other = keep_run(demo, factor=300.0)
    settle(open_page("compare", a=run_id, b=other))
    runs, who = demo.current.runs, demo.who
    a, b = runs.run(who, run_id), runs.run(who, other)
    assert has_same_input(a, b)
    compared = comparing.comparison(runs, who, a, b).load()
    assert compared.number(RowChange.CHANGED) == 2
    assert compared.number(RowChange.FAILED_IN_BOTH) == 1
    first, *_ = comparing.rows(runs, who, a, b, [0]).load()
    assert first.inputs[0] == "rooms: 3\ntensor: [0.5, 1.5]\ntown: Bergen"
    assert Piece("300", PieceKind.NEW) in first.pieces


def test_they_are_found_by_what_they_hold(demo, run_id):
    history = demo.current.history
    search = history._search
    for word, is_there in (("bergen", True), ("price", True), ("lisbon", False)):
        found = search.look([run_id], (word,))
        assert (run_id in found.run_ids) is is_there
        assert found.is_complete


def test_their_file_has_a_column_for_each_output(demo, run_id):
    exports = demo.current.exports
    text = exports.rows(demo.who, run_id, RowForm.CSV).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["out.price"] for row in rows] == ["100.0", "200.0", ""]
    assert rows[1]["out.shares"] == "[0.25, 1]"
    assert json.loads(rows[1]["outputs"]) == {"price": 200.0, "shares": [0.25, 1]}
    assert [row["rows_in_request"] for row in rows] == ["2", "2", ""]
    assert "summary" not in rows[0]
    for form in (RowForm.PARQUET, RowForm.JSON):
        assert exports.rows(demo.who, run_id, form)


def test_their_receipt_says_what_was_sent_and_whose_times_these_are(demo, run_id):
    told = json.loads(demo.current.exports.receipt_json(demo.who, run_id))["parameters"]
    assert told == {
        "columns_sent": ["rooms", "tensor", "town"],
        "most_rows_in_a_request": 2,
        "times_of_a_row": "those of its whole request",
    }
    assert "columns sent" in demo.current.exports.receipt_page(demo.who, run_id).lower()


@pytest.mark.parametrize("framework", ["onnx", "hugging-face-summarization"])
def test_a_table_for_another_model_needs_no_column_of_texts(
    open_page, demo, monkeypatch, framework
):
    rooms = demo.current.gateway().list_workspaces(demo.who)
    room = next(one for one in rooms if one.name == "workshop-workspace-summarization")
    demo.connect("house-prices")
    demo.link("house-prices", room.name)
    draft = replace(stories.passport(), workspace_id=room.workspace_id)
    table = demo.current.tables.save(demo.who, draft, pa.table(TABLE))
    (model,) = demo.current.gateway().list_models(demo.who, room.workspace_id)
    # Of no number that the platform knows: it tells nothing of what this model reads.
    version = replace(model.versions[0], version_id=0, framework=framework, image_path="")
    monkeypatch.setattr(deploying, "model_version_of", lambda _pipeline: version)
    at = settle(open_page("summarize", workspace=str(room.workspace_id), table=table.table_id))
    told = shown(words(at))
    is_other = framework == "onnx"
    assert ("Sent as columns" in told) is is_other
    assert ("is not a summarizer" in told) is is_other
    assert ("Does not fit the model" in told) is not is_other
