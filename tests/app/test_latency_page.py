"""The times of a run, of several, and of the platform's log, on their page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from components.latency_comparison import comparison_finding
from components.latency_spread_plots import (
    Series,
    histogram_figure,
    overlay_figure,
    share_done_figure,
)
from dashboard.domain.distribution import Objective, histogram
from dashboard.domain.inference import ELAPSED_OVERFLOW_NS, LogPage, RowTiming
from dashboard.domain.latency import Sample, percentiles
from dashboard.errors import PlatformUnreachable
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from tests.app import stories
from tests.app.conftest import Platform, settle, shown, words

TEXTS = [f"Text {number}." for number in range(24)]
IMG = "<img src=x onerror=alert(1)>"


def samples(count: int, *, total_ms: float = 100) -> tuple[Sample, ...]:
    return tuple(
        Sample(at, at % 90 + 1, (1, 2, 1, total_ms + at % 7, 0, 1), True, False, None)
        for at in range(count)
    )


def charts(at: AppTest) -> dict[str, tuple[dict[str, Any], str]]:
    return {
        str(chart.key): (json.loads(chart.proto.spec), chart.proto.alt)
        for chart in at.get("plotly_chart")
    }


def logged(elapsed: object, number: int = 0, **more: Any) -> Mapping[str, Any]:
    return {
        "time": 1_795_355_056_259 + 400 * number,
        "in.text": f"{IMG} one two",
        "out.summary_text": IMG,
        "metadata.elapsed": elapsed,
        **more,
    }


@pytest.fixture
def log(monkeypatch):
    """Have the platform's log hold these rows, newest first."""

    def held(*rows: Mapping[str, Any], is_complete: bool = True) -> None:
        page = LogPage(tuple(rows), is_complete)
        monkeypatch.setattr(WallarooGateway, "log_page", lambda *_call, **_options: page)

    return held


def pipeline_id(demo: Platform) -> str:
    (pipeline,) = demo.current.gateway().list_pipelines(demo.who)
    return str(pipeline.pipeline_id)


def fields(at: AppTest) -> dict[str, Any]:
    return {str(one.key): one for one in at.number_input}


# The objective


def test_the_objective_says_how_often_it_was_kept(demo, open_page):
    run_id = demo.keep_run(TEXTS, failed=2)
    at = settle(open_page("latency", run=run_id))
    assert "**100 %** under 3 s: 22 of 22 rows." in words(at)
    assert "2 failed rows not counted" in words(at)
    assert "beyond the right edge" in words(at)
    settle(fields(at)["latency_under"].set_value(0.4).run())
    assert at.query_params["share"] == "90"
    assert at.query_params["under"] == "0.4"
    assert "Missed" in words(at)
    assert "**0 %** under 0.4 s: 0 of 22 rows." in words(at)
    (alt,) = [alt for key, (_, alt) in charts(at).items() if key.endswith("share_done")]
    assert "0 % under 0.4 s" in alt


def test_the_objective_of_an_address_stands_in_the_fields(demo, open_page):
    run_id = demo.keep_run(TEXTS)
    at = settle(open_page("latency", run=run_id, share="95", under="0.5"))
    assert {key: one.value for key, one in fields(at).items()} == {
        "latency_share": 95.0,
        "latency_under": 0.5,
    }
    assert "95 % under 0.5 s" in words(at)


@pytest.mark.parametrize("wrong", ["nan", "inf", "-1", "", "1e9", IMG])
def test_an_objective_that_is_none_is_the_usual_one(demo, open_page, wrong):
    run_id = demo.keep_run(TEXTS)
    at = settle(open_page("latency", run=run_id, share=wrong, under=wrong))
    assert "90 % under 3 s" in words(at)


# Several runs on one axis


def test_runs_and_versions_are_drawn_on_one_axis(demo, open_page, monkeypatch):
    slow = demo.keep_run(TEXTS)
    fast_timing = RowTiming(1, 2, 105, 1, 100, 3)
    results = stories.results
    with monkeypatch.context() as patch:
        patch.setattr(
            stories,
            "results",
            lambda texts, failed: [
                replace(one, timing=fast_timing) for one in results(texts, failed=failed)
            ],
        )
        fast = demo.keep_run(TEXTS[:12])
    at = settle(open_page("latency", run=slow))
    others = at.multiselect(key=f"latency_with_{slow}")
    version = [one for one in others.options if one.startswith("Version ccccdddd")]
    assert len(version) == 1
    settle(others.set_value([fast, "version:hf-summarizer:ccccdddd-1"]).run())
    spec, alt = charts(at)[f"latency_{slow}_overlay"]
    assert len([line for line in spec["data"] if line.get("name")]) == 3
    assert alt.startswith("Fastest: ")
    assert "p50 111 ms" in alt
    assert "p50 411 ms" in alt
    with pa.ipc.open_stream(at.dataframe[0].proto.arrow_data.data) as reader:
        table = reader.read_all()
    assert table["Rows"].to_pylist()[:2] == ["24", "12"]
    assert table["p50"].to_pylist()[:2] == ["411 ms", "111 ms"]
    assert table["p95"].to_pylist()[1] == "needs 20 rows"
    assert table["Under 3 s"].to_pylist()[0] == "100 %"


def test_a_run_that_is_gone_is_said_to_be_and_the_newest_shown(demo, open_page):
    demo.keep_run(TEXTS)
    at = settle(open_page("latency", run="gone"))
    assert "This run is not kept any more. Shown is the newest." in words(at)
    assert at.get("plotly_chart")


def test_lines_differ_in_more_than_colour_and_names_are_no_markup():
    series = [Series(f"{IMG} {number}", samples(24 + number)) for number in range(4)]
    figure = overlay_figure(series, objective=Objective(90, 105))
    _, *lines = figure.data
    assert len({line.line.dash for line in lines}) == len({line.line.color for line in lines}) == 4
    assert all("<" not in line.name for line in lines)


def test_runs_as_fast_as_each_other_are_not_ranked():
    alike = [Series("A", samples(24)), Series("B", samples(24, total_ms=102))]
    assert comparison_finding(alike)[0] == "As fast as each other"


# The histogram


def test_the_histogram_counts_every_row_and_marks_the_percentiles_given():
    rows = samples(120)
    figure = histogram_figure(histogram([row.total_ms for row in rows]), percentiles(rows))
    assert sum(figure.data[0].y) == 120
    assert [note.text.split("</b>")[0] for note in figure.layout.annotations] == [
        "<b>p50",
        "<b>p90",
        "<b>p95",
        "<b>p99",
    ]
    few = samples(12)
    figure = histogram_figure(histogram([row.total_ms for row in few]), percentiles(few))
    assert len(figure.layout.annotations) == 2


def test_an_objective_far_out_does_not_squeeze_the_curve():
    rows = samples(24)
    near = share_done_figure(rows, percentiles(rows), objective=Objective(90, 150))
    assert near.layout.xaxis.range[1] == pytest.approx(156)
    far = share_done_figure(rows, percentiles(rows), objective=Objective(90, 3000))
    assert far.layout.xaxis.range[1] < 130


# The platform's log


def test_the_log_shows_the_engines_times_alone_and_says_what_it_cannot(demo, open_page, log):
    rows = [logged([1_000_000, (40 + number) * 1_000_000], number) for number in range(30)]
    log(*reversed(rows), is_complete=False)
    at = settle(open_page("latency", log=pipeline_id(demo)))
    told = shown(words(at))
    assert "**30 inferences** in the log, sent from here or elsewhere: the newest" in told
    assert "older ones were left out" in told
    assert "Waiting, sending and receiving are not measured" in told
    assert [metric.value for metric in at.metric][:2] == ["56 ms", "68 ms"]
    split = next(spec for key, (spec, _) in charts(at).items() if key.endswith("_split"))
    assert {bar["name"] for bar in split["data"]} == {"Engine: reading input", "Engine: model"}
    assert "p99 needs 100 rows; the log has 30." in told
    assert "<img" not in told


def test_an_overflow_in_the_log_is_said_and_never_a_time(demo, open_page, log):
    log(*[logged([1_000_000, ELAPSED_OVERFLOW_NS])] * 3, logged([1_000_000, 2_000_000]))
    at = settle(open_page("latency", log=pipeline_id(demo)))
    assert "In 3 rows the engine's clock overflowed: no time there." in words(at)
    assert "4295" not in words(at)
    assert not [key for key in charts(at) if not key.endswith("_split")]


def test_a_log_of_nothing_but_overflows_has_no_chart(demo, open_page, log):
    log(logged([ELAPSED_OVERFLOW_NS, 1]))
    at = settle(open_page("latency", log=pipeline_id(demo)))
    assert charts(at) == {}
    assert "No row was answered yet" not in words(at)


def test_an_empty_log_says_so(demo, open_page):
    at = settle(open_page("latency", log=pipeline_id(demo)))
    assert "The platform's log of this pipeline is empty." in words(at)


def test_without_runs_the_log_is_one_click_away(demo, open_page, log):
    log(*[logged([1_000_000, 2_000_000])] * 2)
    at = settle(open_page("latency"))
    settle(at.button(key="latency_log").click().run())
    assert at.query_params == {"log": pipeline_id(demo)}
    assert "**2 inferences** in the log" in words(at)


def test_a_run_leads_to_the_log_of_its_pipeline_and_back(demo, open_page, log):
    log(*[logged([1_000_000, 2_000_000])] * 2)
    run_id = demo.keep_run(TEXTS)
    at = settle(open_page("latency", run=run_id))
    source = next(one for one in at.selectbox if one.label == "From")
    assert source.options == ["This run", "The platform's log of hf-summarizer"]
    settle(source.set_value(pipeline_id(demo)).run())
    assert "**2 inferences** in the log" in words(at)
    source = next(one for one in at.selectbox if one.label == "From")
    settle(source.set_value("").run())
    assert at.query_params == {"run": run_id}
    assert "**2 inferences**" not in words(at)


def test_a_log_that_cannot_be_read_is_an_error_state(demo, open_page, monkeypatch):
    def fail(*_call: object, **_options: object) -> None:
        raise PlatformUnreachable("Nothing answers.")

    monkeypatch.setattr(WallarooGateway, "log_page", fail)
    at = settle(open_page("latency", log=pipeline_id(demo)))
    assert "We cannot show the platform's log." in shown(words(at))
