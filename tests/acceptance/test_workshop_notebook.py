"""The workshop's notebook runs on the unmodified SDK and shows what it showed on the platform."""

import html.parser
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.sandbox import running_sandbox

NOTEBOOK = Path(__file__).with_name("workshop_notebook.py")
CONNECTION_COLUMNS = ["Name", "Connection Type", "Details", "Created At", "Linked Workspaces"]
INPUT_COLUMNS = ["inputs", "return_text", "return_tensors", "clean_up_tokenization_spaces"]
RESULT_COLUMNS = [
    "time",
    "in.clean_up_tokenization_spaces",
    "in.inputs",
    "in.return_tensors",
    "in.return_text",
    "out.summary_text",
    "anomaly.count",
]
WORKSPACE = "workshop-workspace-summarization"


class Cells(html.parser.HTMLParser):
    """Reads the rows of a table; nested tags count as their text."""

    def __init__(self):
        super().__init__()
        self.rows = []
        self._in_cell = False

    def handle_starttag(self, tag, _attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self._in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag in {"td", "th", "tr"}:
            self._in_cell = False

    def handle_data(self, data):
        if self._in_cell:
            self.rows[-1][-1] += data.strip()


def rows(text):
    cells = Cells()
    cells.feed(text)
    return cells.rows


def fields(text):
    """Read a table of two columns, name and value."""
    return {row[0]: row[1] for row in rows(text) if len(row) == 2}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Run the notebook once, against a fresh sandbox with the workshop's demo."""
    folder = tmp_path_factory.mktemp("notebook")
    model = folder / "hf_summarization.zip"
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr(
            "config.json", json.dumps({"architectures": ["BartForConditionalGeneration"]})
        )
        archive.writestr("tokenizer_config.json", "{}")
    result = folder / "shown.json"
    with running_sandbox(folder / "data", seed="demo") as sandbox:
        sample = f"{sandbox.url}/_sandbox/samples/test_summarization.df.json"
        done = subprocess.run(
            [sys.executable, str(NOTEBOOK), sandbox.url, sample, str(model), str(result)],
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=120,
            check=False,
            env={
                **os.environ,
                "WALLAROO_USER": sandbox.username,
                "WALLAROO_PASSWORD": sandbox.password,
                "HOME": str(folder),
                "XDG_CACHE_HOME": str(folder / "cache"),
                "NO_PROXY": "127.0.0.1",
            },
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return {"sample": sample, **json.loads(result.read_text())}


def test_the_workspace_shows_its_name_and_what_it_holds(shown):
    assert f"'name': '{WORKSPACE}'" in shown["workspace"]
    assert "'archived': False" in shown["workspace"]
    assert shown["workspace"].count("'name': 'hf-summarizer'") == 2, "the model and the pipeline"


def test_the_model_version_is_the_summarizer_and_ready(shown):
    version = fields(shown["model_version"])
    assert version["Name"] == "hf-summarizer"
    assert version["File Name"] == "hf_summarization.zip"
    assert version["Status"] == "ready"
    assert version["Image Path"].startswith("sandbox/embedded-extractive:")
    assert version["Workspace name"] == WORKSPACE


def test_the_pipeline_shows_whether_it_is_deployed(shown):
    assert fields(shown["pipeline_before"])["deployed"] == "(none)"
    assert fields(shown["pipeline_deployed"])["deployed"] == "True"
    assert fields(shown["pipeline_deployed"])["steps"] == "hf-summarizer"
    assert fields(shown["pipeline_undeployed"])["deployed"] == "False"
    assert any("hf-summarizer" in row for row in rows(shown["pipelines"]))


def test_every_part_of_the_deployment_runs(shown):
    status = shown["status"]
    assert status["status"] == "Running"
    for part in ("engines", "engine_lbs", "sidekicks"):
        assert [each["status"] for each in status[part]] == ["Running"]
    engine = status["engines"][0]
    assert engine["pipeline_statuses"]["pipelines"][0]["id"] == "hf-summarizer"
    assert engine["model_statuses"]["models"][0]["name"] == "hf-summarizer"


def test_a_new_connection_shows_masked_details_and_no_workspace(shown):
    for name in ("connection", "connection_by_name"):
        connection = fields(shown[name])
        assert connection["Name"] == "summary-sample-connection"
        assert connection["Connection Type"] == "HTTP"
        assert connection["Details"] == "*****"
        assert connection["Linked Workspaces"] == "[]"
        assert "samples" not in shown[name]


def test_the_list_has_the_notebooks_columns_and_the_new_one_last(shown):
    header, *connections = rows(shown["connections"])
    assert [cell.casefold() for cell in header] == [cell.casefold() for cell in CONNECTION_COLUMNS]
    assert len(connections) > 1
    assert connections[-1][0] == "summary-sample-connection"
    assert {row[2] for row in connections} == {"*****"}
    created = [row[3] for row in connections]
    assert created == sorted(created), "oldest first"


def test_a_name_can_be_given_once(shown):
    assert shown["duplicate"].startswith("This connection already exists.")


def test_the_workspaces_list_follows_the_link(shown):
    linked = rows(shown["workspace_connections"])[-1]
    assert linked[0] == "summary-sample-connection"
    assert linked[4] == f"['{WORKSPACE}']"
    left = {row[0] for row in rows(shown["workspace_connections_after"])}
    assert "summary-sample-connection" not in left


def test_details_give_the_address_and_the_table_comes_from_it(shown):
    assert shown["details"] == {"url": shown["sample"]}
    assert shown["input"]["columns"] == INPUT_COLUMNS
    assert len(shown["input"]["rows"]) == 1
    assert shown["input"]["rows"][0]["inputs"].startswith("LinkedIn (")


def test_the_result_has_its_columns_in_their_order(shown):
    result = shown["result"]
    assert result["columns"] == RESULT_COLUMNS
    assert result["types"][0] == "datetime64[ns]"
    row = result["rows"][0]
    given = shown["input"]["rows"][0]
    assert {name: row[f"in.{name}"] for name in INPUT_COLUMNS} == given
    assert row["anomaly.count"] == 0


def test_the_summary_is_a_shorter_text_of_the_input(shown):
    row = shown["result"]["rows"][0]
    assert 0 < len(row["out.summary_text"]) < len(row["in.inputs"]) / 2
    assert "LinkedIn" in row["out.summary_text"]


def test_metadata_comes_when_asked_for(shown):
    row = shown["result_with_metadata"]["rows"][0]
    elapsed = row["metadata.elapsed"]
    assert len(elapsed) == 2, "reading the request, then the one step"
    assert all(0 < each < 4_294_967_295 for each in elapsed)
    assert json.loads(row["metadata.last_model"])["model_name"] == "hf-summarizer"
    assert not any(name.startswith("metadata") for name in shown["result"]["columns"])


def test_arrow_in_gives_arrow_out(shown):
    assert set(shown["result_arrow"]) == set(RESULT_COLUMNS)


def test_the_log_holds_every_inference_newest_first_and_at_once(shown):
    logged = shown["logs"]
    assert set(logged["columns"]) == set(RESULT_COLUMNS)
    assert len(logged["rows"]) == 3
    times = [row["time"] for row in logged["rows"]]
    assert times == sorted(times, reverse=True)
    summary = shown["result"]["rows"][0]["out.summary_text"]
    assert {row["out.summary_text"] for row in logged["rows"]} == {summary}
    assert shown["logs_s"] < 2, "the SDK waits 5 s when the log lags behind"


def test_the_log_keeps_limit_and_metadata(shown):
    assert len(shown["one_log"]["rows"]) == 1
    columns = shown["one_log"]["columns"]
    assert "metadata.pipeline_version" in columns
    assert not any(name.startswith("in.") for name in columns)


def test_a_small_archive_becomes_a_ready_model(shown):
    assert shown["uploaded"]["name"] == "hf-summarizer-small"
    assert "ready" in shown["uploaded"]["status"].lower()
    assert fields(shown["uploaded_version"])["File Name"] == "hf_summarization.zip"
