from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import plotly.io as pio
import pytest
from streamlit.testing.v1 import AppTest

from components.latency_plots import (
    BARS_AT_MOST,
    POINTS_AT_MOST,
    length_figure,
    over_time_figure,
    split_figure,
)
from components.latency_spread_plots import share_done_figure
from dashboard.domain.latency import Sample, fit_to_length, in_order_of_answer, percentiles


def page(rows: int, model_ms: float, slow_ms: float, overflowed: int) -> None:
    from datetime import UTC, datetime, timedelta

    from components.latency_charts import latency_charts
    from components.latency_figures import latency_figures
    from dashboard.domain.inference import RowTiming
    from dashboard.domain.latency import samples_of
    from dashboard.domain.run import RowState, RunRow

    start = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
    made = []
    for at in range(rows):
        own_ms = model_ms + at + (slow_ms if at == rows // 2 else 0)
        timing = RowTiming(
            queue_ms=1,
            send_ms=2,
            wait_ms=own_ms + 5,
            engine_read_ms=1,
            model_ms=own_ms,
            receive_ms=3,
            overflow=at < overflowed,
        )
        text = "word " * (at + 1)
        answered_at = start + timedelta(seconds=at / 2)
        made.append(RunRow(at, RowState.DONE, text, "word", 0, answered_at, timing))
    samples = samples_of(made)
    latency_figures(samples)
    latency_charts(samples, key="latency")


def run(rows: int, *, model_ms: float = 400, slow_ms: float = 0, overflowed: int = 0) -> AppTest:
    at = AppTest.from_function(page, args=(rows, model_ms, slow_ms, overflowed))
    at.run(timeout=20)
    assert not at.exception
    return at


def charts(at: AppTest) -> dict[str, tuple[dict[str, Any], str]]:
    return {
        str(chart.key): (json.loads(chart.proto.spec), chart.proto.alt)
        for chart in at.get("plotly_chart")
    }


def words(at: AppTest) -> str:
    return "\n".join(markdown.value for markdown in at.markdown)


def samples(count: int, *, total_ms: float = 100) -> tuple[Sample, ...]:
    return tuple(
        Sample(at, at % 90 + 1, (1, 2, 1, total_ms + at % 7, 0, 1), True, False, None)
        for at in range(count)
    )


def test_a_run_without_answers_has_no_chart_and_says_what_will_come():
    at = run(0)
    assert charts(at) == {}
    assert "No row was answered yet" in words(at)
    assert [metric.value for metric in at.metric][:2] == ["needs 2 rows", "needs 10 rows"]


def test_a_single_row_shows_where_its_time_went_and_nothing_else():
    at = run(1)
    assert list(charts(at)) == ["latency_split"]
    assert "One row so far" in words(at)


def test_a_run_shows_its_five_charts_each_telling_its_finding():
    drawn = charts(run(24, slow_ms=300))
    assert {key: alt.split(":")[0] for key, (_, alt) in drawn.items()} == {
        "latency_split": "Where the time of 24 rows went",
        "latency_share_done": "How long a row takes",
        "latency_histogram": "Most often 400 to 450 ms",
        "latency_length": "Length says little about time",
        "latency_over_time": "Steady over the run",
    }


def test_tiles_and_curve_agree_on_the_percentiles():
    at = run(24)
    spec, alt = charts(at)["latency_share_done"]
    tiles = [metric.value for metric in at.metric]
    marks = [note["text"] for note in spec["layout"]["annotations"]]
    assert marks == [f"<b>p{p}</b> {v}" for p, v in zip((50, 90, 95), tiles, strict=False)]
    assert all(value in alt for value in tiles[:3])
    assert tiles[3] == "needs 100 rows"
    assert "p99 needs 100 rows; this run has 24." in words(at)


def test_the_heading_of_length_is_what_the_fit_says():
    assert "Longer texts take longer" in words(run(24, model_ms=100))
    assert "A fit needs 10 rows of different length; this run has 6." in words(run(6))


def test_the_model_can_be_taken_out_only_when_it_hides_the_rest():
    assert not run(12, model_ms=5).toggle
    at = run(12)
    before, _ = charts(at)["latency_split"]
    assert "Engine: model" in [trace["name"] for trace in before["data"]]
    at.toggle(key="latency_without_model").set_value(True).run(timeout=20)
    after, _ = charts(at)["latency_split"]
    assert "Engine: model" not in [trace["name"] for trace in after["data"]]


def test_without_the_model_unsplit_time_is_left_out_as_the_model_is_in_it():
    rows = (*samples(3), Sample(3, 9, (1, 1, 0, 0, 900, 1), False, True, None))
    names = {
        flag: [bar.name for bar in split_figure(rows, with_model=flag).data]
        for flag in (False, True)
    }
    assert "Engine and platform, not split" in names[True]
    assert "Engine and platform, not split" not in names[False]


def test_overflowed_rows_are_said_and_drawn_unsplit():
    at = run(12, overflowed=2)
    spec, _ = charts(at)["latency_split"]
    unsplit = next(t for t in spec["data"] if t["name"] == "Engine and platform, not split")
    drawn = [round(value) for value in unsplit["y"][:3]]
    assert drawn == [405, 406, 0]
    assert "The engine's clock overflowed in 2 rows: not split." in words(at)


def test_a_run_of_overflowed_rows_alone_still_has_percentiles_and_no_model_share():
    at = run(24, overflowed=24)
    assert at.metric[0].value.endswith(" ms")
    assert at.metric[4].value == "not known"


def test_segments_have_their_place_among_the_themes_colours():
    palette = pio.templates["streamlit"].layout.colorway
    figure = split_figure(samples(3), with_model=True)
    assert [(bar.name, palette.index(bar.marker.color)) for bar in figure.data] == [
        ("Waiting", 2),
        ("Sending and platform", 6),
        ("Engine: reading input", 3),
        ("Engine: model", 0),
        ("Receiving", 1),
    ]


@pytest.mark.parametrize(("total_ms", "unit"), [(9_000, "ms"), (12_000, "s")])
def test_above_ten_seconds_every_axis_is_in_seconds(total_ms, unit):
    rows = samples(20, total_ms=total_ms)
    assert split_figure(rows, with_model=True).layout.yaxis.title.text == f"Time ({unit})"
    curve = share_done_figure(rows, percentiles(rows))
    assert curve.layout.xaxis.title.text == f"Total time of a row ({unit})"
    slowest_ms = max(row.total_ms for row in rows)
    assert max(curve.data[0].x) == pytest.approx(slowest_ms / (1000 if unit == "s" else 1))


def test_a_long_run_is_averaged_and_thinned_and_keeps_its_slowest_row():
    rows = list(samples(5_000))
    rows[1234] = Sample(1234, 7, (0, 0, 0, 9_999, 0, 0), True, False, None)
    assert len(split_figure(rows, with_model=True).data[0].x) <= BARS_AT_MOST
    dots = length_figure(rows, fit_to_length(rows)).data[0]
    assert len(dots.x) <= POINTS_AT_MOST + 1
    assert 1235 in dots.customdata
    assert len(over_time_figure(in_order_of_answer(rows)).data[0].x) <= POINTS_AT_MOST + 1
    assert max(share_done_figure(rows, percentiles(rows)).data[0].x) == 9_999


def test_the_curve_rises_to_all_rows_and_carries_its_marks():
    rows = samples(120)
    figure = share_done_figure(rows, percentiles(rows))
    curve, *marks = figure.data
    assert curve.y[0] == 0
    assert curve.y[-1] == 100
    assert all(low <= high for low, high in pairwise(curve.y))
    assert [note.text.split("</b>")[0] for note in figure.layout.annotations] == [
        "<b>p50",
        "<b>p90",
        "<b>p95",
        "<b>p99",
    ]
    for mark in marks:
        at_mark = [y for x, y in zip(curve.x, curve.y, strict=True) if x <= mark.x[0]]
        assert mark.y[1] <= at_mark[-1]
