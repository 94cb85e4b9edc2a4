from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from sqlalchemy import delete

from components.activity_table import by, when
from dashboard.domain.activity import Act, Activity, ActivityFilter, ActResult
from dashboard.domain.identity import Identity
from dashboard.errors import DashboardError
from dashboard.runtime import LOCAL_KEY
from dashboard.store.schema import ACTIVITIES
from tests.app.conftest import settle, shown, words

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
ANN = Identity("ann", "someone-else", "ann@example.com")
IMG = "<img src=x onerror=alert(1)>"


@pytest.fixture
def log(demo):
    """Give the activity log, with nothing in it."""
    with demo.current._store.write() as connection:
        connection.execute(delete(ACTIVITIES))
    demo.current.reads.forget(LOCAL_KEY)
    return demo.current.activity


def table(at):
    """Return what the table was sent, column by column."""
    (frame,) = at.dataframe
    return pa.ipc.open_stream(frame.proto.arrow_data.data).read_all().to_pydict()


def test_an_empty_log_says_what_will_stand_there_and_how_to_begin(open_page, log):
    at = settle(open_page("activity"))
    assert "Nothing has been done yet" in shown(words(at))
    assert not at.dataframe
    assert not at.get("download_button")
    at.button(key="activity_first").click()
    settle(at.run())
    assert at.title[0].value == "New connection"


def test_entries_say_who_did_what_to_which_connection(open_page, log, demo):
    log.note(ANN, Act.DELETED, result=ActResult.FAILED, connection_name="press", note="Not yours.")
    log.note(demo.who, Act.EDITED, connection_name="wire", workspace="lab", fields=["token", "url"])
    at = settle(open_page("activity"))
    assert table(at) == {
        "When": ["just now", "just now"],
        "What happened": ["Edited token and url in lab", "Could not delete: Not yours"],
        "Connection": ["wire", "press"],
        "Result": [["✓ Done"], ["✕ Failed"]],
        "By": ["you", "ann@example.com"],
    }
    assert "All 2, newest first." in words(at)
    assert [one.proto.label for one in at.get("download_button")] == ["CSV", "JSON"]


def test_a_long_sentence_is_cut_in_the_table_and_read_in_full_where_its_row_is_ticked(
    open_page, log, demo
):
    log.note(demo.who, Act.TESTED, connection_name="wire")
    at = settle(open_page("activity"))
    assert "Tick a row" not in words(at)
    why = "The source asks for a sign-in (401). Ask its owner for a token, then add it."
    log.note(demo.who, Act.TESTED, result=ActResult.FAILED, connection_name="wire", note=why)
    at = settle(at.run())
    assert table(at)["What happened"][0].endswith("…")
    assert "Tick a row to read all of it." in words(at)
    assert "then add it" not in shown(words(at))
    assert at.dataframe[0].proto.row_height < 60
    newest = demo.current.activity.query(demo.who, ActivityFilter(), limit=1).load().entries[0]
    at.session_state["_ticked_entries"] = [str(newest.activity_id)]
    settle(at.run())
    assert "then add it" in shown(words(at))
    # One that comes above it does not change what is read.
    log.note(demo.who, Act.DELETED, connection_name="other")
    settle(at.run())
    assert "then add it" in shown(words(at))


def test_a_search_an_act_and_a_result_narrow_the_table_down(open_page, log, demo):
    log.note(demo.who, Act.TESTED, connection_name="press", result=ActResult.FAILED)
    log.note(demo.who, Act.TESTED, connection_name="wire")
    log.note(demo.who, Act.LINKED, connection_name="Press", workspace="lab")
    at = settle(open_page("activity"))
    at.text_input(key="activity_words").input("PRESS")
    settle(at.run())
    assert table(at)["Connection"] == ["Press", "press"]
    at.selectbox(key="activity_act").select("Tested")
    settle(at.run())
    assert table(at)["Connection"] == ["press"]
    at.text_input(key="activity_words").input("")
    at.pills(key="activity_result").set_value(["Done"])
    settle(at.run())
    assert table(at)["Connection"] == ["wire"]


def test_filters_that_nothing_fits_can_be_cleared(open_page, log, demo):
    log.note(demo.who, Act.TESTED, connection_name="press")
    at = settle(open_page("activity", activity_act="Deleted"))
    at.text_input(key="activity_words").input("zzz")
    settle(at.run())
    assert "No entry fits these filters" in words(at)
    at.button(key="activity_clear").click()
    settle(at.run())
    assert table(at)["Connection"] == ["press"]
    assert at.selectbox(key="activity_act").value is None


def test_a_link_opens_the_page_as_it_was_filtered(open_page, log, demo):
    log.note(demo.who, Act.TESTED, connection_name="press", result=ActResult.FAILED)
    log.note(demo.who, Act.TESTED, connection_name="wire")
    at = settle(open_page("activity", activity_act="Tested", activity_result="Failed"))
    assert table(at)["Connection"] == ["press"]


@pytest.mark.parametrize(
    "query",
    [{"activity_act": IMG}, {"activity_result": "nonsense"}, {"activity_page": "-7"}],
)
def test_a_link_with_nonsense_in_it_shows_everything(open_page, log, demo, query):
    log.note(demo.who, Act.TESTED, connection_name="press")
    at = settle(open_page("activity", **query))
    assert table(at)["Connection"] == ["press"]


def test_a_long_log_is_paged_and_a_search_begins_at_its_first_page(open_page, log, demo):
    for place in range(120):
        log.note(demo.who, Act.TESTED, connection_name=f"c{place}")
    at = settle(open_page("activity", activity_page="3"))
    assert table(at)["Connection"] == [f"c{place}" for place in range(19, -1, -1)]
    assert "101–120 of 120, newest first." in words(at)
    at.text_input(key="activity_words").input("c1")
    settle(at.run())
    assert len(table(at)["When"]) == 31
    assert "All 31, newest first." in words(at)


def test_hostile_names_are_shown_as_they_are(open_page, log, demo):
    names = [IMG, "=1+1", "اتصال العملاء", "🦘", "x" * 200, "\ud800", "a\0b", "**bold**"]
    for name in names:
        log.note(demo.who, Act.CREATED, connection_name=name, workspace=name, note=name)
    at = settle(open_page("activity"))
    told = table(at)["Connection"]
    assert told[::-1][:5] == names[:5]
    assert told[0] == "**bold**"


def test_a_note_elsewhere_comes_up_by_itself(open_page, log, demo):
    log.note(demo.who, Act.CREATED, connection_name="first")
    at = settle(open_page("activity"))
    log.note(ANN, Act.DELETED, connection_name="second")
    assert table(settle(at))["Connection"] == ["second", "first"]


def test_a_log_that_cannot_be_read_is_an_error_with_a_way_back(open_page, log, monkeypatch):
    def broken(*_args, **_options):
        raise DashboardError("The database did not answer.", title="The run store is gone")

    monkeypatch.setattr(log._records, "page", broken)
    at = settle(open_page("activity"))
    assert "We cannot show the activity log. The database did not answer." in shown(words(at))
    assert at.button(key="activity_try_again")


def test_times_are_relative_under_a_day_and_dates_after_it():
    zone = ZoneInfo("Europe/Berlin")

    def told(**age: float) -> str:
        return when(NOW - timedelta(**age), now=NOW, zone=zone)

    assert told(seconds=-5) == told(seconds=59) == "just now"
    assert told(minutes=2) == "2 min ago"
    assert told(hours=23) == "23 h ago"
    assert told(hours=25) == "yesterday, 14:02"
    assert told(days=10) == "12 Nov, 15:02"
    assert told(days=400) == "18 Oct 2025, 16:02"


def test_somebody_without_an_address_is_another_person():
    entry = Activity(NOW, "u1", "", Act.CREATED)
    assert by(entry, me="u1") == "you"
    assert by(entry, me="u2") == "another person"
