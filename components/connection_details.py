"""What may be told of a connection's details: the safe parts in clear, the rest in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

import streamlit as st

from components import presenting
from components.text import count, md, short, told_when
from dashboard.domain.connection import DetailPart
from dashboard.domain.detail_tree import Leaf

_MOST_AT_ONCE = 10
_LABEL_WIDTH_PX = 143
_LONGEST_LABEL = 60


def details_list(  # noqa: PLR0913 - what is known of them, by keyword
    parts: Sequence[DetailPart],
    leaves: Sequence[Leaf] | None,
    *,
    created_at: datetime,
    last_passed_at: datetime | None,
    zone: tzinfo,
    uses: Callable[[str], bool],
    proven: Callable[[str], bool],
    trouble: str = "",
) -> None:
    """Draw one line for each part.

    Parameters
    ----------
    leaves
        Since when the parts are what they are; None while that is not known.
    created_at
        When the connection was made: what it holds has been set since then at least.
    last_passed_at
        When the connection worked last; None if never.
    uses
        Says of a top-level key whether it takes part in a test or fetch.
    proven
        Says of such a key whether a success shows that it is right: an address is, a token is only
        where the source asks for one.
    trouble
        Why the times are not known, if they cannot be read.
    """
    now = datetime.now(UTC)

    def draw(some: Sequence[DetailPart]) -> None:
        with st.container(gap=2):
            for part in some:
                set_at = set_since(part, leaves, created_at) if leaves is not None else None
                key = part.key.partition(".")[0]
                words = set_words(
                    part,
                    set_at,
                    last_passed_at,
                    is_used=uses(key),
                    is_proven=proven(key),
                    now=now,
                    zone=zone,
                )
                with st.container(horizontal=True, wrap=False, gap="small"):
                    label = md(short(part.label, _LONGEST_LABEL))
                    st.markdown(f":gray[{label}]", width=_LABEL_WIDTH_PX)
                    st.markdown(words, width="stretch")

    shown = with_one_host(parts)
    with st.container(gap="xsmall", key="drawer_details"):
        st.markdown("**Details** :gray[only the parts that are safe to show]")
        if not parts:
            st.markdown(":small[:gray[None. What it holds is used by scripts and never shown.]]")
        draw(shown[:_MOST_AT_ONCE])
        more = shown[_MOST_AT_ONCE:]
        if more:
            with st.expander(f"{count(len(more), 'more field')}", key="drawer_more_details"):
                draw(more)
        if trouble:
            st.markdown(f":small[:gray[Since when they are set is not known: {md(trouble)}]]")


def with_one_host(parts: Sequence[DetailPart]) -> list[DetailPart]:
    """Return the parts with a link's scheme, host and port as one: `example.org, port 81, http`."""
    host = next((one for one in parts if one.key.endswith(".host") and one.value), None)
    if host is None:
        return list(parts)
    link = host.key.removesuffix(".host")
    values = {one.key: one.value for one in parts if one.value is not None}
    port, scheme = values.get(f"{link}.port"), values.get(f"{link}.scheme")
    told = [host.value or "", f"port {port}" if port else "", scheme or ""]
    merged = replace(host, value=", ".join(one for one in told if one))
    left_out = {f"{link}.{name}" for name in ("scheme", "host", "port")} & set(values)
    return [merged, *(one for one in parts if one.key not in left_out)]


def set_since(part: DetailPart, leaves: Sequence[Leaf], created_at: datetime) -> datetime | None:
    """Return since when a part is what it is: the latest time of the leaves it stands for."""
    times = [leaf.set_at or created_at for leaf in leaves if _stands_for(part.key, leaf.label)]
    return max(times, default=None)


def _stands_for(key: str, label: str) -> bool:
    """Whether a part is this leaf, holds it, or is a piece of it, such as the path of a link."""
    return key == label or label.startswith((f"{key}.", f"{key}[")) or key.startswith(f"{label}.")


def set_words(  # noqa: PLR0913 - what is known of it, by keyword
    part: DetailPart,
    set_at: datetime | None,
    last_passed_at: datetime | None,
    *,
    is_used: bool = True,
    is_proven: bool = True,
    now: datetime,
    zone: tzinfo,
) -> str:
    """Return Markdown of what may be told: `**set** 12 Nov, last worked 2 min ago`.

    Parameters
    ----------
    is_used
        Whether it takes part in a test or fetch; of anything else nobody knows that it works.
    is_proven
        Whether a success shows that it is right, rather than that it does no harm.
    """
    if part.value is not None:
        # Whatever may be told of an address may not be told to an audience.
        return md(presenting.host(part.value))
    if not part.is_set:
        return "**not set**"
    if set_at is None:
        return "**set**"
    told = f"**set** {told_when(set_at, now=now, zone=zone)}"
    if not is_used:
        return told
    if last_passed_at is None or last_passed_at < set_at:
        return f"{told}, not known to work"
    worked = worked_words(is_proven=is_proven)
    return f"{told}, {worked} {told_when(last_passed_at, now=now, zone=zone)}"


def worked_words(*, is_proven: bool) -> str:
    """Return what a success says of a detail that took part in it."""
    return "last worked" if is_proven else "used at the last successful test"
