import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import Pipeline
from dashboard.errors import AccessDenied
from dashboard.services import pipeline_logs

ANN = Identity(key="ann", user_id="u", email="ann@example.org")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PIPELINE = Pipeline(3, "p", 7, "press", NOON, NOON)


class Platform:
    """One workspace, and a log that notes how it was asked."""

    def __init__(self, rooms):
        self.rooms = rooms
        self.asked = []

    def list_workspaces(self, _who):
        return [SimpleNamespace(workspace_id=one) for one in self.rooms]

    def log_page(self, _who, _pipeline, *, limit):
        self.asked.append(("newest", limit))

    def log_between(self, _who, _pipeline, *, start, end, limit):
        self.asked.append((start, end, limit))


def load(platform, window):
    return pipeline_logs.page(
        lambda: platform, ANN, PIPELINE, name="n", window=lambda: window, limit=5
    ).load()


def test_only_members_of_the_workspace_read_the_log():
    platform = Platform([1])
    with pytest.raises(AccessDenied):
        load(platform, None)
    assert platform.asked == []


def test_a_window_and_the_newest_rows_are_asked_for_in_their_own_ways():
    platform = Platform([7])
    load(platform, None)
    load(platform, (NOON, NOON))
    assert platform.asked == [("newest", 5), (NOON, NOON, 5)]


ROWS: Sequence[Mapping[str, object]] = [
    {"time": 1795355056259, "in.inputs": '=HYPERLINK("http://x")', "metadata.elapsed": [1, 2]},
    {"time": None, "in.inputs": "@cmd", "=out": "-1+1", "in.n": -4, "anomaly.count": 0},
]


def test_no_cell_of_the_csv_is_a_formula():
    header, first, second = csv.reader(io.StringIO(pipeline_logs.csv_text(ROWS)))
    assert header == ["time", "in.inputs", "metadata.elapsed", "'=out", "in.n", "anomaly.count"]
    assert first[:3] == ["2026-11-22T13:44:16.259+00:00", '\'=HYPERLINK("http://x")', "[1, 2]"]
    assert second == ["", "'@cmd", "", "'-1+1", "-4", "0"]


def test_the_json_holds_the_rows_as_they_are():
    assert json.loads(pipeline_logs.json_text(ROWS)) == ROWS
