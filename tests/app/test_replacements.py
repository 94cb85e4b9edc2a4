"""The cards of edits that are unfinished, under way or over, from stored records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import pytest
from sqlalchemy import delete

from components.replacement_words import NowThere, receipt_words
from dashboard.domain.replacement import Replacement, ReplaceState, Room
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
    assert f"New id {new_id[:8]}…, created just now." in told
    assert "Changed or dropped: token." in told
    assert "1 link kept: press-desk." in told
    assert "The name was missing for 312 ms." in told
    settle(at.button(key=f"receipt_{edit.replacement_id}_dismiss").click().run())
    assert f"{NAME}: edited." not in shown(words(at))


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
    words_ = receipt_words(edit, NowThere(None, new_copy=False, old_copy=False), now=now, zone=UTC)
    assert told in words_
    assert "<b>" not in words_.replace("\\<", "")
