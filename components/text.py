"""Hostile text made safe for Markdown, and numbers, times and sizes in the product's words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from components import presenting

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# Streamlit's Markdown also turns these into links and emoji after escapes were taken away. A word
# joiner, which is invisible, keeps them text.
_AUTOLINK = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=\S)(?=@\S)")
_SHORTCODE = re.compile(r"(?<=:)(?=[A-Za-z0-9_+\-/]+:)")
_WORD_JOINER = "\u2060"
_SPACE = re.compile(r"\s+")
_CONTROL = re.compile("[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """One line without control characters; direction overrides cannot reach its neighbours.

    While presenting, it is also without what an audience must not see.
    """
    return presenting.net(_SPACE.sub(" ", _CONTROL.sub("", text)).strip())


def md(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, on one line."""
    told = _SHORTCODE.sub(_WORD_JOINER, _AUTOLINK.sub(_WORD_JOINER, plain(text)))
    return _PUNCTUATION.sub(r"\\\1", told)


def on_button(text: str) -> str:
    """Return `text` for a table's buttons, which take a `:material/…:` in front for an icon."""
    told = plain(text)
    return _WORD_JOINER + told if told.startswith(":") else told


def short(text: str, most: int) -> str:
    """Return the first `most` characters of `text`, with an ellipsis where it was cut."""
    told = plain(text)
    return told if len(told) <= most else told[: most - 1].rstrip() + "…"


def ago(seconds: float) -> str:
    """Return an age in words, such as `2 min ago`."""
    if seconds < 5:
        return "just now"
    if seconds < 60:
        return f"{seconds:.0f} s ago"
    return f"{duration(seconds)} ago"


def duration(seconds: float) -> str:
    """Return a length of time in words: `412 ms`, `11.3 s`, `14 s`, `42 min`, `3 h`, `2 days`."""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < 12:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} days"


def milliseconds(ms: float | None) -> str:
    """Return a measured time, such as `412 ms` or `4.9 s`; a dash where there is none."""
    if ms is None:
        return "–"
    if ms >= 10_000:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


def size(size_bytes: int) -> str:
    """Return a size in decimal units, such as `31 kB`."""
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.3g} kB"
    return f"{size_bytes / 1_000_000:.3g} MB"


def memory(size_bytes: int) -> str:
    """Return an amount of memory in binary units, such as `5 GiB` or `512 MiB`."""
    if 0 < size_bytes < 2**30:
        return f"{size_bytes / 2**20:.3g} MiB"
    return f"{size_bytes / 2**30:.3g} GiB"


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 row`, `24 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _day(at: datetime, *, now: datetime, zone: tzinfo) -> str:
    """Return a day as people say it: `yesterday`, `12 Nov`, `12 Nov 2025`."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == (today - timedelta(days=1)).date():
        return "yesterday"
    day = f"{local.day} {local:%b}"
    return day if local.year == today.year else f"{day} {local.year}"


def told_when(at: datetime, *, now: datetime, zone: tzinfo = UTC) -> str:
    """Return a time in the past as people say it.

    `just now`, `11 min ago` and `3 h ago` under a day, whatever midnight lies between; then
    `yesterday`, `12 Nov`, `12 Nov 2025`.
    """
    age = now - at
    if age < timedelta(minutes=1):
        return "just now"  # seconds would be wrong a moment later
    return ago(age.total_seconds()) if is_today(at, now) else _day(at, now=now, zone=zone)


def told_since(at: datetime, *, now: datetime, zone: tzinfo = UTC) -> str:
    """Return how long something has lasted: `for 8 min` under a day, then `since 12 Nov`."""
    if now - at < timedelta(minutes=1):
        return "for under 1 min"
    if is_today(at, now):
        return f"for {duration((now - at).total_seconds())}"
    return f"since {told_when(at, now=now, zone=zone)}"


def is_today(at: datetime, now: datetime) -> bool:
    """Whether a time in the past is less than a day ago."""
    return now - at < timedelta(days=1)
