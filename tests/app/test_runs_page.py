from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest
from sqlalchemy import delete

from dashboard import session
from dashboard.domain.row_note import RowNote, Thumb
from dashboard.errors import DashboardError
from dashboard.runtime import LOCAL_KEY
from dashboard.store.schema import RUNS
from tests.app.conftest import settle, shown, words
from tests.app.stories import IMG, NOW


@pytest.fixture
def kept(demo):
    """Give a platform on which nobody has run anything yet."""
    with demo.current._store.write() as connection:
        connection.execute(delete(RUNS))
    demo.current.reads.forget(LOCAL_KEY)
    return demo


def table(at):
    """Return what the table was sent, column by column."""
    (frame,) = at.dataframe
    return pa.ipc.open_stream(frame.proto.arrow_data.data).read_all().to_pydict()


def tick(at, *run_ids):
    """Tick runs as a click on their boxes does, and draw the page."""
    at.session_state[session._TICKED_RUNS] = list(run_ids)
    return settle(at.run())


def rename(platform, run_id, title):
    platform.current.history.rename(platform.who, run_id, title)


def test_without_a_run_the_page_says_what_one_is_and_how_to_begin(open_page, kept):
    at = settle(open_page("runs"))
    assert "A run is one table through one deployed pipeline." in shown(words(at))
    assert not at.dataframe
    assert not at.text_input
    at.button(key="runs_first").click()
    settle(at.run())
    assert at.title[0].value == "Summarize"


def test_the_table_says_what_each_run_was_and_what_is_to_be_checked(open_page, kept):
    kept.keep_run(["one", "two", "three"], failed=1)
    titled = kept.keep_run(["four"])
    rename(kept, titled, IMG)
    at = settle(open_page("runs"))
    told = table(at)
    assert told["Name"] == [IMG, "week-47"]
    assert told["Pipeline"] == ["hf-summarizer ccccdddd"] * 2
    assert told["State"] == [["✓ Done"]] * 2
    assert told["Rows"] == ["1 done", "2 done, 1 failed"]
    assert told["Flags"] == ["", "▲ 1 to check"]
    assert told["Median"] == ["411 ms"] * 2
    assert told["By"] == ["another person"] * 2
    assert "All 2, newest first." in words(at)


def test_a_search_finds_inputs_and_summaries_and_says_in_how_many_rows(open_page, kept):
    kept.keep_run(["A harbour was built.", "The harbour burns."])
    kept.keep_run(["Nothing."])
    at = settle(open_page("runs"))
    at.text_input(key="runs_search").input("summary HARBOUR")
    settle(at.run())
    assert table(at)["Found in"] == ["2 rows"]
    assert "1 run, filtered from 2, newest first." in words(at)
    assert not at.query_params


def test_filters_narrow_the_table_and_ids_alone_stand_in_the_address(open_page, kept):
    kept.keep_run(["one"], failed=1)
    kept.keep_run(["two"])
    at = settle(open_page("runs"))
    at.toggle(key="runs_flagged").set_value(True)
    settle(at.run())
    assert table(at)["Rows"] == ["0 done, 1 failed"]
    at.selectbox(key="runs_state").select("Done")
    at.selectbox(key="runs_connection").select("week-47")
    at.selectbox(key="runs_pipeline").select(("hf-summarizer", ""))
    settle(at.run())
    assert len(table(at)["Name"]) == 1
    assert at.query_params == {"state": "done", "flagged": "1"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"flagged": "1"}, 1),
        ({"version": "ccccdddd-1"}, 2),
        ({"version": "unknown"}, 0),
        ({"person": "u1"}, 2),
        ({"person": IMG}, 0),
        ({"when": "2026-11-22..2026-11-22"}, 2),
        ({"when": "2026-11-21..2026-11-21"}, 0),
        ({"when": "month"}, 2),
        ({"state": "failed"}, 0),
        ({"when": "2026-11-22..2026-11-01", "state": IMG, "page": "-1", "flagged": "x"}, 2),
        ({"page": "99"}, 2),
    ],
)
def test_a_link_opens_the_page_as_it_was_filtered(open_page, kept, query, found):
    kept.keep_run(["one"], failed=1)
    kept.keep_run(["two"])
    at = settle(open_page("runs", **query))
    assert (len(table(at)["Name"]) if at.dataframe else 0) == found


def test_filters_that_nothing_fits_can_be_cleared(open_page, kept):
    kept.keep_run(["one"])
    at = settle(open_page("runs", state="failed"))
    at.text_input(key="runs_search").input("zzz")
    settle(at.run())
    assert "No run fits these filters" in words(at)
    at.button(key="runs_clear").click()
    settle(at.run())
    assert len(table(at)["Name"]) == 1
    assert at.query_params == {}


def test_a_search_that_ended_early_says_so_and_goes_on(open_page, kept, monkeypatch):
    kept.keep_run(["needle"])
    search = kept.current.history._search
    monkeypatch.setattr(search, "_budget_s", -1.0)
    at = settle(open_page("runs"))
    at.text_input(key="runs_search").input("needle")
    settle(at.run())
    assert "No run found yet" in words(at)
    assert "older runs may hold these words too" in words(at)
    monkeypatch.undo()
    at.button(key="runs_search_on").click()
    settle(at.run())
    assert table(at)["Found in"] == ["1 row"]
    assert "older runs may hold" not in words(at)


def test_one_tick_renames_or_exports_and_two_compare(open_page, kept):
    first, second = kept.keep_run(["one"]), kept.keep_run(["two"])
    at = tick(settle(open_page("runs")), first)
    assert "1 selected" in words(at)
    assert at.button(key="runs_bar_compare").disabled
    assert not at.button(key="runs_bar_rename").disabled
    tick(at, second, first)
    assert not at.button(key="runs_bar_compare").disabled
    assert at.button(key="runs_bar_export").disabled
    at.button(key="runs_bar_compare").click()
    settle(at.run())
    assert at.title[0].value == "Compare runs"
    # Whatever was ticked first, A is the older one.
    assert at.query_params == {"a": first, "b": second}


def test_a_run_is_renamed_in_a_dialog(open_page, kept):
    run_id = kept.keep_run(["one"])
    at = tick(settle(open_page("runs")), run_id)
    at.button(key="runs_bar_rename").click()
    settle(at.run())
    (field,) = [one for one in at.text_input if one.label == "Name"]
    field.input("**Before** the new prompt")
    at.button(key="rename_run_submit").click()
    settle(at.run())
    assert table(at)["Name"] == ["**Before** the new prompt"]
    assert "The run is called **Before** the new prompt now." in shown(at.success[0].value)
    assert at.session_state.get(session._DIALOG) is None


def test_deleting_one_run_says_what_goes_and_asks_for_no_typing(open_page, kept):
    run_id = kept.keep_run(["one", "two"])
    kept.current.history.put_note(kept.who, run_id, RowNote(0, "", NOW, Thumb.UP))
    at = tick(settle(open_page("runs")), run_id)
    at.button(key="runs_bar_delete").click()
    settle(at.run())
    told = shown(words(at))
    assert "2 rows with summaries and times, 1 opinion of readers and 1 fetched table" in told
    assert "1 run of other people" in told
    at.button(key="delete_runs_confirm").click()
    settle(at.run())
    assert "Deleted 1 run" in at.success[0].value
    assert "No runs yet" in words(at)
    assert at.session_state[session._TICKED_RUNS] == []


def test_deleting_several_asks_for_their_number(open_page, kept):
    ids = [kept.keep_run([text]) for text in ("one", "two", "three")]
    at = tick(settle(open_page("runs")), *ids[:2])
    at.button(key="runs_bar_all").click()
    settle(at.run())
    assert "3 selected" in words(at)
    at.button(key="runs_bar_delete").click()
    settle(at.run())
    assert at.button(key="delete_runs_confirm").disabled
    (field,) = [one for one in at.text_input if one.label.startswith("Type 3")]
    field.input("2")
    settle(at.run())
    assert at.button(key="delete_runs_confirm").disabled
    (field,) = [one for one in at.text_input if one.label.startswith("Type 3")]
    field.input("3")
    settle(at.run())
    at.button(key="delete_runs_confirm").click()
    settle(at.run())
    assert "Deleted 3 runs" in at.success[0].value


def test_runs_of_a_workspace_the_viewer_is_not_in_are_not_shown(open_page, kept):
    kept.keep_run(["one"])
    kept.begin("demo")
    at = settle(open_page("runs"))
    assert "No runs yet" in words(at)


def test_runs_that_cannot_be_read_are_an_error_with_a_way_back(open_page, kept, monkeypatch):
    def broken(*_args, **_options):
        raise DashboardError("The database did not answer.", title="The run store is gone")

    monkeypatch.setattr(kept.current.history._listing, "ids", broken)
    at = settle(open_page("runs"))
    assert "We cannot show your runs. The database did not answer." in shown(words(at))
    assert at.button(key="runs_try_again")


# Opinions, under the reading pane


def opened(at):
    """Open the opinion, as a click on its heading does."""
    at.session_state["row_opinion_0"] = True
    return settle(at.run())


def test_an_opinion_is_saved_as_it_is_given_and_told_without_a_message(open_page, kept):
    run_id = kept.keep_run(["one", "two"])
    at = settle(open_page("summarize", run=run_id))
    assert at.expander[-1].label == "Your opinion on row 1"
    assert not at.text_area
    opened(at)
    at.button_group[0].set_value(int(Thumb.DOWN))
    settle(at.run())
    note = next(one for one in at.text_area if one.label == "Note")
    note.input("It misses <b>the point</b>.")
    settle(at.run())
    better = next(one for one in at.text_area if one.label == "A better summary")
    better.input("Better.")
    settle(at.run())
    kept_note = kept.current.history._notes.of_run(run_id)[0]
    assert (kept_note.thumb, kept_note.note) == (Thumb.DOWN, "It misses <b>the point</b>.")
    assert kept_note.corrected == "Better."
    assert "Saved by you, just now" in words(at)
    assert "Opinions on 1 row: row 1 (bad)." in words(at)
    assert not at.success


def test_somebody_elses_newer_opinion_is_shown_with_its_author(open_page, kept):
    run_id = kept.keep_run(["one"])
    at = opened(settle(open_page("summarize", run=run_id)))
    theirs = RowNote(0, "ann@example.com", NOW + timedelta(days=1), note="Fine.")
    kept.current.history._notes.put(run_id, theirs)
    kept.current.reads.invalidate(LOCAL_KEY)
    settle(at.run())
    assert next(one for one in at.text_area if one.label == "Note").value == "Fine."
    assert "Saved by ann@example.com" in shown(words(at))


def test_the_model_s_summary_can_be_the_beginning_of_a_better_one(open_page, kept):
    run_id = kept.keep_run(["one"])
    at = opened(settle(open_page("summarize", run=run_id)))
    next(one for one in at.button if one.label == "Start from it").click()
    settle(at.run())
    better = next(one for one in at.text_area if one.label == "A better summary")
    assert better.value == "Summary of one"


def test_a_run_deleted_elsewhere_is_told_where_it_is_read(open_page, kept):
    run_id = kept.keep_run(["one"])
    at = settle(open_page("summarize", run=run_id))
    kept.current.history.delete(kept.who, [run_id])
    settle(at.run())
    assert "This run is not kept any more." in words(at)
