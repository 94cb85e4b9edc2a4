"""The cards of edits that are unfinished, under way or over, from stored records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import pytest
from sqlalchemy import delete
from streamlit.testing.v1 import AppTest

from components.replacement_words import receipt_words
from dashboard.domain.replacement import Replacement, ReplaceState, Room
from dashboard.errors import Conflict
from dashboard.services import replace_words
from dashboard.services.jobs import Outcome
from dashboard.store.replacement_records import ReplacementRecords
from dashboard.store.run_records import Claim
from dashboard.store.schema import REPLACEMENTS
from tests.app import stories
from tests.app.conftest import settle, shown, words

NAME = "press-releases"


@pytest.fixture
def kept(demo):
    """Give a function that keeps an edit, and takes them all away at the end."""
    records = ReplacementRecords(demo.current._store)

    def keep(state: ReplaceState, **changes: Any) -> Replacement:
        now = datetime.now(UTC)
        edit = Replacement(
            replacement_id=token_hex(12),
            owner_id=demo.who.user_id,
            owner="",
            connection_name=NAME,
            connection_type="HTTP",
            old_id="old",
            old_created_at=now,
            new_copy_name=f"{NAME} (replacing, new)",
            old_copy_name=f"{NAME} (replacing, old)",
            rooms=(Room(1, "press-desk"),),
            fields=("token",),
            begun_at=now,
        )
        edit = replace(edit, **changes)
        claim = Claim("test", now + timedelta(seconds=30))
        assert records.begin(edit, claim, now=now)
        edit = replace(edit, state=state)
        assert records.save(edit, claim)
        demo.current.reads.invalidate(demo.who.key)
        return edit

    def over(edit: Replacement, state: ReplaceState, **changes: Any) -> None:
        now = datetime.now(UTC)
        claim = Claim("test", now + timedelta(seconds=30))
        records.claim(edit.replacement_id, claim, now=now)
        assert records.save(replace(edit, state=state, **changes), claim)
        demo.current.reads.invalidate(demo.who.key)

    keep.over = over  # type: ignore[attr-defined]  # beside what it keeps
    yield keep
    with demo.current._store.write() as connection:
        connection.execute(delete(REPLACEMENTS))


def test_an_unfinished_edit_says_why_what_there_is_and_the_ways_out(demo, kept, open_page):
    edit = kept(ReplaceState.UNFINISHED, reason="The platform did not answer.", settled=None)
    demo.connect(edit.old_copy_name)
    at = settle(open_page("connections"))
    told = shown(words(at))
    assert f"{NAME}: the edit is unfinished" in told
    assert "The platform did not answer." in told
    assert "Nothing stands under the name now" in told
    assert f"the old ones as **{edit.old_copy_name}**" in told
    assert "the new ones as" not in told
    assert "both the old and the new details are lost" in told
    key = f"replace_{edit.replacement_id}"
    assert at.button(key=f"{key}_finish").proto.type == "primary"
    assert not at.button(key=f"{key}_restore").disabled


@pytest.mark.parametrize("act", ["finish", "restore", "leave"])
def test_each_way_out_is_one_job(demo, kept, open_page, monkeypatch, act):
    edit = kept(ReplaceState.UNFINISHED)
    calls: list[str] = []

    def acted(_who: object, replacement_id: str) -> Outcome:
        calls.append(replacement_id)
        return Outcome("It is over.")

    monkeypatch.setattr(demo.current.replacing, act, acted)
    at = settle(open_page("connections"))
    settle(at.button(key=f"replace_{edit.replacement_id}_{act}").click().run())
    assert calls == [edit.replacement_id]
    assert [one.value for one in at.success] == ["It is over\\."]


def edit_page(open_page: Any, connection_id: str) -> AppTest:
    return settle(open_page("edit_connection", connection=connection_id))


def keys(at: AppTest) -> list[str]:
    return [str(button.key) for button in at.button]


def test_the_page_of_an_edit_under_way_waits_and_goes_on_by_itself(demo, kept, open_page):
    old_id = demo.connect(NAME)
    edit = kept(ReplaceState.RUNNING, old_id=old_id)
    at = edit_page(open_page, old_id)
    assert f"Your edit of {NAME} is under way" in shown(words(at))
    assert "edit_connection_save" not in keys(at)
    kept.over(edit, ReplaceState.OLD)
    settle(at.run())
    assert "under way" not in words(at)
    assert not at.button(key="edit_connection_save").disabled


def test_the_page_of_an_unfinished_edit_has_its_card_and_no_form(
    demo, kept, open_page, monkeypatch
):
    edit = kept(ReplaceState.UNFINISHED, old_id="gone", settled=None)
    copy_id = demo.connect(edit.old_copy_name)
    at = edit_page(open_page, "gone")
    told = shown(words(at))
    assert f"{NAME}: the edit is unfinished" in told
    assert "You can change it again when this edit is finished or taken back." in told
    assert "does not exist" not in told
    assert "somebody else" not in told
    assert "edit_connection_save" not in keys(at)

    def finished(_who: object, _replacement_id: str) -> Outcome:
        kept.over(edit, ReplaceState.NEW, new_id=copy_id, ended_at=datetime.now(UTC))
        return Outcome(replace_words.done(edit), result=copy_id)

    monkeypatch.setattr(demo.current.replacing, "finish", finished)
    settle(at.button(key=f"replace_{edit.replacement_id}_finish").click().run())
    assert at.query_params["connection"] == copy_id
    assert [shown(one.value) for one in at.success] == [
        f"Your edit of {NAME} is done. Changed: token."
    ]


def test_an_unfinished_edit_by_its_new_id_or_its_name_bars_the_form_too(demo, kept, open_page):
    new_id = demo.connect(NAME)
    kept(ReplaceState.UNFINISHED, old_id="gone", new_id=new_id)
    assert "the edit is unfinished" in words(edit_page(open_page, new_id))


def test_the_page_of_an_edit_that_is_done_leads_to_the_new_one(demo, kept, open_page):
    new_id = demo.connect(NAME)
    kept(ReplaceState.NEW, old_id="gone", new_id=new_id, ended_at=datetime.now(UTC))
    at = edit_page(open_page, "gone")
    assert at.query_params["connection"] == new_id
    assert [one.value for one in at.title] == ["Connections"]
    assert [shown(one.value) for one in at.success] == [
        f"Your edit of {NAME} is done. Changed: token."
    ]


def test_the_page_of_an_edit_long_ago_says_so_and_offers_a_new_one(demo, kept, open_page):
    new_id = demo.connect(NAME)
    ended_at = datetime.now(UTC) - timedelta(days=1)
    kept(ReplaceState.NEW, old_id="gone", new_id=new_id, ended_at=ended_at)
    at = edit_page(open_page, "gone")
    assert f"Your edit of {NAME} is done" in shown(words(at))
    settle(at.button(key="edit_connection_newer").click().run())
    assert at.query_params["connection"] == new_id
    assert not at.button(key="edit_connection_save").disabled


def test_what_a_stopped_edit_may_have_made_itself_is_not_told_as_somebody_elses(
    demo, kept, open_page
):
    demo.connect(NAME)
    kept(ReplaceState.UNFINISHED, old_id="gone", settled=None)
    told = shown(words(edit_page(open_page, "gone")))
    assert "made meanwhile, by this edit or by somebody else" in told


def test_one_that_stopped_half_way_under_the_form_goes_on_there(demo, kept, open_page, monkeypatch):
    """The form's own edit stops; taken back, it has a new id, and what was typed is there."""
    old_id = demo.connect(NAME, kind="S3")
    begun: list[Replacement] = []

    def stopped(*_args: object, **_options: object) -> Outcome:
        begun.append(kept(ReplaceState.UNFINISHED, old_id=old_id, settled=None, rooms=()))
        raise replace_words.unfinished(begun[0], Conflict("The platform did not answer."))

    def restored(_who: object, _replacement_id: str) -> Outcome:
        demo.current.gateway().delete_connection(demo.who, NAME)
        new_id = demo.connect(NAME, kind="S3")
        kept.over(begun[0], ReplaceState.OLD, new_id=new_id, ended_at=datetime.now(UTC))
        return Outcome(replace_words.brought(begun[0], ReplaceState.OLD, ReplaceState.OLD))

    monkeypatch.setattr(demo.current.replacing, "replace", stopped)
    monkeypatch.setattr(demo.current.replacing, "restore", restored)
    at = edit_page(open_page, old_id)
    at.segmented_control(key="edit_connection_act0_0").select("Replace").run()
    at.text_input(key="edit_connection_value0_0").input("https://new.example/").run()
    settle(at.button(key="edit_connection_save").click().run())
    told = shown(words(at))
    assert told.count("unfinished") == 1
    assert "only half changed" not in told
    assert not at.error
    assert at.button(key="edit_connection_save").disabled
    settle(at.button(key=f"replace_{begun[0].replacement_id}_restore").click().run())
    assert at.query_params["connection"] not in (old_id, "")
    assert at.text_input(key="edit_connection_value0_0").value == "https://new.example/"
    assert not at.button(key="edit_connection_save").disabled
    assert [shown(one.value) for one in at.success] == [f"{NAME} is as it was again."]


def test_an_edit_that_was_taken_back_is_edited_on(demo, kept, open_page):
    there = demo.connect(NAME)
    kept(ReplaceState.OLD, old_id=there, ended_at=datetime.now(UTC))
    at = edit_page(open_page, there)
    assert not at.button(key="edit_connection_save").disabled
    # Deleted and put back, it has another id.
    kept(ReplaceState.OLD, old_id="gone", new_id=there, ended_at=datetime.now(UTC))
    at = edit_page(open_page, "gone")
    assert at.query_params["connection"] == there
    assert not at.button(key="edit_connection_save").disabled
    assert "elsewhere" not in words(at)


def test_what_was_edited_and_then_deleted_is_gone(kept, open_page):
    kept(ReplaceState.NEW, old_id="gone", new_id="gone-too", ended_at=datetime.now(UTC))
    at = edit_page(open_page, "gone")
    assert "This connection does not exist any more" in words(at)


def test_an_edit_under_way_is_one_muted_line(kept, open_page):
    kept(ReplaceState.RUNNING)
    at = settle(open_page("connections"))
    assert "press\\-releases is being edited" in words(at)
    assert "unfinished" not in words(at)


def test_only_the_first_of_two_cards_has_the_primary(kept, open_page):
    first = kept(ReplaceState.UNFINISHED)
    second = kept(ReplaceState.UNFINISHED, connection_name="another")
    at = settle(open_page("connections"))
    types = {
        at.button(key=f"replace_{edit.replacement_id}_finish").proto.type
        for edit in (first, second)
    }
    assert types == {"primary", "secondary"}


def test_a_receipt_tells_what_changed_and_goes_when_it_is_dismissed(demo, kept, open_page):
    new_id = demo.connect(NAME)
    edit = kept(ReplaceState.NEW, new_id=new_id, ended_at=datetime.now(UTC), missing_ms=312.0)
    at = settle(open_page("connections"))
    told = shown(words(at))
    assert f"{NAME}: edited." in told
    assert "Changed: token. 1 link kept: press-desk." in told
    # What nobody can do anything with is not told.
    assert new_id[:8] not in told
    assert "312 ms" not in told
    settle(at.button(key=f"receipt_{edit.replacement_id}_dismiss").click().run())
    assert f"{NAME}: edited." not in shown(words(at))
    # Nor does it come back in another session.
    assert f"{NAME}: edited." not in shown(words(settle(open_page("connections"))))


def test_a_receipt_of_a_connection_that_is_gone_is_not_shown(demo, kept, open_page):
    kept(ReplaceState.NEW, connection_name="gone-since", ended_at=datetime.now(UTC))
    assert "gone-since" not in shown(words(settle(open_page("connections"))))


def test_an_old_receipt_is_not_shown(kept, open_page):
    kept(ReplaceState.NEW, ended_at=datetime.now(UTC) - timedelta(minutes=11))
    assert "edited" not in words(settle(open_page("connections")))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (ReplaceState.OLD, "not edited.** The old details are in place."),
        (ReplaceState.LEFT, "left as it is."),
    ],
)
def test_a_receipt_of_an_edit_that_changed_nothing_says_so(state, told):
    now = stories.NOW
    edit = Replacement(
        "r", "u", "", "<b>x</b>", "HTTP", "old", now, "n", "o", (), (), now, state, ended_at=now
    )
    words_ = receipt_words(edit)
    assert told in words_
    assert "<b>" not in words_.replace("\\<", "")
