"""Two runs beside each other, drawn by the real frame over runs that were kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Toggle

from components.compare_header import _time_delta, _words_delta
from components.run_diff import diff_data, span, time_change
from dashboard.domain.inference import RowTiming
from dashboard.domain.run import RowState, RunRow
from dashboard.domain.run_comparison import diff_rows
from dashboard.errors import AccessDenied
from dashboard.store.run_records import RowResult
from tests.app import stories
from tests.app.conftest import Platform, settle, shown, words

TEXTS = ["The first text.", "The second text.", "The third text."]
HOSTILE = ["<img src=x onerror=alert(1)>", "**b** :red[x] ~~s~~", "\u202etxet", ""]


@pytest.fixture
def keep(demo: Platform, monkeypatch) -> Callable[..., str]:
    """Keep a run whose results are changed by a function first."""

    def kept(
        texts: Sequence[str],
        change: Callable[[RowResult], RowResult] = lambda result: result,
        *,
        failed: int = 0,
    ) -> str:
        results = stories.results
        with monkeypatch.context() as patch:
            patch.setattr(
                stories,
                "results",
                lambda texts, failed: [change(one) for one in results(texts, failed=failed)],
            )
            return demo.keep_run(texts, failed=failed)

    return kept


def second_changed(result: RowResult) -> RowResult:
    timing = RowTiming(1, 2, 205, 1, 200, 3)
    summary = "Another summary." if result.index == 1 else result.summary
    return replace(result, summary=summary, timing=timing)


def compare(open_page, a: str, b: str = "") -> AppTest:
    return settle(open_page("compare", a=a, **({"b": b} if b else {})))


def only_changes(at: AppTest) -> Toggle | None:
    toggles = [one for one in at.toggle if one.label == "Only what changed"]
    return toggles[0] if toggles else None


def figures(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def test_what_changed_is_counted_and_listed_alone(keep, open_page):
    a, b = keep(TEXTS), keep(TEXTS, second_changed)
    at = compare(open_page, a, b)
    assert figures(at) == {
        "Rows changed": "1",
        "Rows the same": "2",
        "Rows failed in one": "0",
        "Median time, A → B": "411 → 211 ms",
        "Words, A → B": "5.0 → 4.0",
    }
    assert [one.delta for one in at.metric][3:] == ["-200 ms", "-1.0"]
    only = only_changes(at)
    assert only is not None
    assert only.value
    assert "1–1 of 1 row that differ" in words(at)
    settle(only.set_value(False).run())
    assert "1–3 of 3 rows" in words(at)


def test_both_runs_are_told_and_can_be_swapped_and_opened(keep, open_page):
    a, b = keep(TEXTS), keep(TEXTS, second_changed)
    at = compare(open_page, a, b)
    assert shown(words(at)).count("hf-summarizer, version ccccdddd") == 2
    assert shown(words(at)).count("3 of 3 rows done") == 2
    settle(at.button(key="compare_swap").click().run())
    assert at.query_params == {"a": b, "b": a}
    assert figures(at)["Median time, A → B"] == "211 → 411 ms"
    settle(at.button(key="compare_open_a").click().run())
    assert at.query_params == {"run": b}


def test_runs_that_say_the_same_are_said_to(keep, open_page):
    at = compare(open_page, keep(TEXTS), keep(TEXTS))
    assert "**Nothing changed**: 3 rows with the same summary in both runs." in words(at)
    assert only_changes(at) is None
    assert "1–3 of 3 rows" in words(at)


def test_without_a_second_run_one_can_be_chosen(keep, open_page):
    a, b = keep(TEXTS), keep(TEXTS, second_changed)
    at = compare(open_page, a)
    (_, second) = at.selectbox
    assert second.label == "Run B"
    assert second.value is None
    assert not at.metric
    settle(second.set_value(b).run())
    assert at.query_params == {"a": a, "b": b}
    assert figures(at)["Rows changed"] == "1"


def test_a_run_of_another_input_is_offered_last_and_said_to_be_one(keep, open_page):
    a = keep(TEXTS)
    keep(TEXTS)
    other = keep([*TEXTS, "One more.", "And another."])
    at = compare(open_page, a, other)
    assert "Another input" in words(at)
    assert "The last 2 rows of B have no counterpart." in words(at)
    assert figures(at)["Rows the same"] == "3"
    at = compare(open_page, a)
    options = at.selectbox[1].options
    assert options[-1].endswith("(another input)")
    assert not options[0].endswith("(another input)")


def test_rows_that_failed_in_one_count_and_are_listed(keep, open_page):
    at = compare(open_page, keep(TEXTS), keep(TEXTS, failed=1))
    assert figures(at)["Rows failed in one"] == "1"
    assert "1–1 of 1 row that differ" in words(at)


def test_many_rows_come_a_page_at_a_time(keep, open_page):
    texts = [f"Text {number}." for number in range(120)]
    at = compare(open_page, keep(texts), keep(texts))
    assert "1–50 of 120 rows" in words(at)


def test_with_no_runs_at_all_the_page_says_what_it_is(demo, open_page):
    at = settle(open_page("compare"))
    assert "Nothing has run yet" in words(at)
    assert [one.key for one in at.button if str(one.key).endswith("_first")] == ["compare_first"]


def test_the_only_run_has_nothing_beside_it(keep, open_page):
    keep(TEXTS)
    at = settle(open_page("compare"))
    # Other tests may have kept runs in the same room.
    assert at.selectbox[0].value is not None
    assert at.selectbox[1].value is None


@pytest.mark.parametrize("which", ["a", "b"])
def test_a_run_that_is_not_kept_is_no_dead_end(keep, open_page, which):
    kept = keep(TEXTS)
    asked = {"a": kept, "b": kept, which: "gone"}
    at = settle(open_page("compare", **asked))
    assert "This run is not kept any more." in words(at)
    settle(at.button(key="compare_gone").click().run())
    assert at.query_params == {}


def test_who_is_not_a_member_is_denied(keep, open_page, demo, monkeypatch):
    a, b = keep(TEXTS), keep(TEXTS)

    def deny(*_: object) -> None:
        raise AccessDenied("This run belongs to a workspace you are not a member of.")

    monkeypatch.setattr(demo.current.runs, "run", deny)
    at = compare(open_page, a, b)
    assert "you are not a member of" in shown(words(at))
    assert not at.metric


def test_the_page_stands_before_the_platform_answers(demo, open_page):
    with demo.frozen():
        at = open_page("compare", a="x", b="y")
        assert not at.exception
        assert len(at.get("skeleton")) == 1
    settle(at)


def test_hostile_texts_raise_nothing_and_are_no_markup(keep, open_page):
    a = keep(HOSTILE, failed=1)
    b = keep(HOSTILE, lambda one: replace(one, summary=f"{one.summary} {HOSTILE[0]}"))
    at = compare(open_page, a, b)
    assert not re.search(r"(?<!\\)<img", words(at))
    assert figures(at)["Rows changed"] == "3"


# What the browser gets


def row(summary: str, *, text: str = "An input.", error: str = "", ms: float = 10) -> RunRow:
    state = RowState.FAILED if error else RowState.DONE
    timing = RowTiming() if error else RowTiming(wait_ms=ms)
    return RunRow(0, state, text, summary, 0, None, timing, error)


def test_a_row_is_its_texts_in_pieces_and_its_times():
    told = diff_data(diff_rows(row("The dog.", ms=400), row("The cat.", ms=300)))
    assert told["pieces"] == [["same", "The "], ["gone", "dog"], ["new", "cat"], ["same", "."]]
    assert told["times"] == "A 400 ms, B 300 ms: 100 ms faster"
    assert (told["mark"], told["heads"], told["errors"]) == ("≠ changed", ["An input."], [])


def test_a_row_that_failed_says_why_and_whose_summary_is_shown():
    told = diff_data(diff_rows(row("The dog."), row("", error="It broke.")))
    assert told["note"] == "The summary of A alone:"
    assert told["errors"] == ["B failed: It broke."]
    assert told["times"] == "A 10 ms, B –"


def test_different_inputs_are_both_shown():
    told = diff_data(diff_rows(row("x", text="One."), row("x", text="")))
    assert told["heads"] == ["A: One.", "B: (empty input)"]


def test_what_is_read_of_times_adds_up():
    assert span(412.4, 380.2, to=" → ") == "412 → 380 ms"
    assert span(0, 0.5, to=" to ") == "0 to 0.5 ms"
    assert span(9_000, 12_000, to=" → ") == "9000 ms → 12.0 s"
    assert time_change(474.4, 373.6) == "100 ms faster"
    assert time_change(400.1, 400.3) == "as fast"
    assert time_change(9_000, 12_000) == "3000 ms slower"


def test_what_differs_by_nothing_that_is_shown_has_no_arrow():
    assert _words_delta(45.91, 45.94) is None
    assert _words_delta(45.9, 44.9) == "-1.0"
    assert _time_delta(412.1, 412.3) is None
    assert _time_delta(412.0, 380.0) == "-32 ms"
