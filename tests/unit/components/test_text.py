from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from components.text import (
    ago,
    duration,
    md,
    memory,
    milliseconds,
    plain,
    short,
    size,
    told_since,
    told_when,
)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.412, "412 ms"), (11.3, "11.3 s"), (14, "14 s"), (2520, "42 min"), (7300, "2 h")],
)
def test_a_length_of_time_is_told_in_its_unit(seconds, told):
    assert duration(seconds) == told


def test_an_age_under_five_seconds_is_just_now():
    assert ago(2) == "just now"
    assert ago(125) == "2 min ago"


def test_a_time_that_was_not_measured_is_a_dash_and_no_zero():
    assert milliseconds(None) == "–"
    assert milliseconds(412.4) == "412 ms"


def test_sizes_are_decimal_and_memory_is_binary():
    assert size(31_000) == "31 kB"
    assert memory(5 * 2**30) == "5 GiB"


def test_a_moment_is_told_by_its_distance():
    now = datetime(2026, 11, 22, 14, 8, tzinfo=UTC)
    assert told_when(now, now=now) == "just now"
    assert told_when(now - timedelta(hours=23), now=now) == "23 h ago"
    assert told_when(now - timedelta(days=1), now=now) == "yesterday"
    assert told_when(now - timedelta(days=10), now=now) == "12 Nov"
    assert told_when(now - timedelta(days=400), now=now) == "18 Oct 2025"


def test_midnight_makes_no_yesterday_of_a_few_minutes():
    now = datetime(2026, 11, 23, 0, 5, tzinfo=UTC)
    assert told_when(now - timedelta(minutes=11), now=now) == "11 min ago"
    assert told_since(now - timedelta(minutes=11), now=now) == "for 11 min"
    assert told_since(now - timedelta(seconds=9), now=now) == "for under 1 min"
    assert told_since(now - timedelta(days=1), now=now) == "since yesterday"


@pytest.mark.parametrize("name", ["**b**", "<img src=x onerror=alert(1)>", "[a](b)", "$x$", "`c`"])
def test_markdown_in_a_name_is_escaped(name):
    escaped = md(name)
    assert escaped.replace("\\", "").replace("\u2060", "") == name
    assert escaped != name


def test_what_markdown_would_make_a_link_or_an_emoji_of_is_kept_text():
    for text in ("https://a.example", "www.example.org", "me@example.org", ":smile:"):
        assert "\u2060" in md(text)


def test_line_breaks_and_direction_overrides_cannot_reach_the_neighbours():
    assert plain("a\n# b\u202e\u0000c") == "a # bc"


def test_a_long_text_is_cut_with_an_ellipsis():
    assert short("x" * 200, 10) == "x" * 9 + "…"
    assert short("short", 10) == "short"
