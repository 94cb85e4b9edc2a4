from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.domain.activity import Act, Activity, ActResult, sentence

FAILED, UNFINISHED = ActResult.FAILED, ActResult.UNFINISHED


def told(act: Act, **parts: Any) -> str:
    return sentence(Activity(datetime(2026, 11, 22, tzinfo=UTC), "id", "ann", act, **parts))


@pytest.mark.parametrize(
    ("act", "parts", "words"),
    [
        (Act.CREATED, {"fields": ("url", "token")}, "Created with url and token"),
        (Act.EDITED, {"fields": ("a", "b", "c")}, "Edited a, b and c"),
        (Act.EDITED, {"fields": tuple("abcdefgh")}, "Edited a, b, c, d, e, f and 2 more"),
        (Act.EDITED, {"fields": ("a", "and 9 more")}, "Edited a and 9 more"),
        (Act.LINKED, {"workspace": "lab"}, "Linked to lab"),
        (Act.UNLINKED, {"workspace": "lab"}, "Unlinked from lab"),
        (Act.TESTED, {}, "Tested"),
        (Act.FETCHED, {"workspace": "lab"}, "Fetched a table in lab"),
        (Act.EXPORTED, {"note": "It holds no secret."}, "Exported: it holds no secret"),
        (
            Act.EXPORTED,
            {"fields": ("token",), "note": "These are left out as slots."},
            "Exported without token",
        ),
        (Act.DEPLOYED, {"pipeline": "hf", "workspace": "lab"}, "Deployed hf in lab"),
        (Act.GUARD_CHANGED, {"pipeline": "hf"}, "Changed the idle guard of hf"),
        (Act.WORKSPACE_CREATED, {"workspace": "lab"}, "Created the workspace lab"),
        (
            Act.MEMBER_ADDED,
            {"workspace": "lab", "note": "ann@example.com joined as Owner"},
            "Added a member to lab: ann@example.com joined as Owner",
        ),
    ],
)
def test_what_was_done_is_one_sentence(act, parts, words):
    assert told(act, **parts) == words


@pytest.mark.parametrize(
    ("act", "parts", "words"),
    [
        (
            Act.CREATED,
            {"fields": ("url",), "note": "A connection called press exists already."},
            "Could not create: a connection called press exists already",
        ),
        (
            Act.TESTED,
            {"note": "Allen.example was not found. Check the spelling."},
            "The test failed: Allen.example was not found. Check the spelling",
        ),
        (Act.EDITED, {"fields": ("token",)}, "Could not edit token"),
        (Act.LINKED, {"workspace": "lab", "note": "The."}, "Could not link to lab: the"),
    ],
)
def test_what_failed_says_so_and_why_in_the_same_sentence(act, parts, words):
    assert told(act, result=FAILED, **parts) == words


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("result", ActResult)
def test_every_act_has_words_however_it_ended(act, result):
    assert told(act, result=result, workspace="lab")


def test_what_was_begun_is_not_told_as_done():
    words = told(Act.EDITED, result=UNFINISHED, fields=("token",), note="press is left as it is.")
    assert words == "Began to edit token, not finished: press is left as it is"
