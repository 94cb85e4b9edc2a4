"""How a fetched table and the model fit: what is sent of it and as what, and what cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from components.text import count, md, short
from dashboard.domain.sent_value import holds_numbers, is_converted, sent_row
from dashboard.domain.table import FLAG_DEFAULTS, TEXT_COLUMN, ColumnFacts, Fit, Passport

_MOST_LISTED: Final = 40
#: Longer rows hold pictures and the like: they are checked when they are sent.
_MOST_LOOKED_AT: Final = 4_000
_CSV_TEXTS: Final = (
    "A CSV file does not tell types, and this model reads texts: each cell goes out as one."
)
_NUMBERS: Final = (
    "A text that is exactly a number, a truth value or a list goes out as that; an empty cell goes "
    "out as nothing. In these columns:"
)


@dataclass(frozen=True, slots=True)
class SentColumns:
    """What a model that is no summarizer gets of the table.

    Parameters
    ----------
    columns
        The columns that are sent, each with what its cells become, as `sent_value` takes it.
    problem
        Why nothing of the table can be sent; empty if it can.
    """

    columns: Sequence[ColumnFacts] = ()
    problem: str = ""


def sent_badge(passport: Passport, sent: SentColumns | None) -> None:
    """Say what becomes of texts on their way to a model that is no summarizer."""
    if sent is None:
        return
    if sent.problem:
        st.markdown(":red-badge[:material/cancel: Does not fit the model]")
        return
    held = {column.name: column.type for column in passport.columns}
    changed = [one for one in sent.columns if is_converted(held.get(one.name, ""), one.type)]
    if changed:
        named = [md(short(one.name, 40)) for one in changed[:_MOST_LISTED]]
        listed = "\n".join(f"- **{name}**" for name in named)
        st.markdown(":gray-badge[:material/tag: Sent as numbers]", help=f"{_NUMBERS}\n\n{listed}")
    elif passport.format == "CSV":
        st.markdown(":gray-badge[:material/text_fields: Sent as texts]", help=_CSV_TEXTS)


def unfit(rows: Sequence[Mapping[str, Any]], sent: SentColumns, *, first_row: int) -> None:
    """Say why the table cannot be sent, or which of the rows shown cannot."""
    if sent.problem:
        st.markdown(f":red[:material/error: {md(sent.problem)}]")
        return
    kinds = {column.name: column.type for column in sent.columns}
    problems = [
        (number, problem)
        for number, row in enumerate(rows, start=first_row + 1)
        if _length(row, kinds) <= _MOST_LOOKED_AT
        and (problem := sent_row({name: row.get(name) for name in kinds}, kinds)[1])
    ]
    if problems:
        number, problem = problems[0]
        others = f" So do {count(len(problems) - 1, 'more row')} here." if problems[1:] else ""
        st.markdown(
            f":orange[:material/info: Row {number:,} will fail: {md(problem)}{others} "
            "The others are sent.]"
        )


def texts_first(
    names: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> tuple[list[int], int | None]:
    """Return the columns that can be the text, by place, and the one to suggest, if any.

    Those that hold numbers come last: a CSV file keeps them as texts too.
    """
    are_numbers = [holds_numbers(row.get(name) for row in rows) for name in names]
    places = sorted(range(len(names)), key=lambda place: are_numbers[place])
    return places, next((place for place in places if not are_numbers[place]), None)


def misfit(passport: Passport, fit: Fit, text_column: str) -> None:
    """Say how the table and the summarizer's model fit, where not all of it does."""
    if fit.missing:
        have = ", ".join(f"**{md(short(column.name, 40))}**" for column in passport.columns[:8])
        st.markdown(
            f":red[:material/error: The column **{md(fit.missing[0])}** is missing.] "
            f"The table has {have or 'no columns'}. The model reads the text to summarize from "
            f"**{TEXT_COLUMN}**."
        )
    for name in fit.twice:
        st.markdown(f":red[:material/error: The column **{md(name)}** is there twice.]")
    for column in fit.wrong_type:
        st.markdown(
            f":red[:material/error: The column **{md(column.name)}** must hold text; it holds "
            f"{md(column.type)}.]"
        )
    for column in fit.ignored:
        default = "true" if FLAG_DEFAULTS[column.name] else "false"
        st.markdown(
            f":orange[:material/info: **{md(column.name)}** holds {md(column.type)}, not true or "
            f"false: it is left out, and {default} is sent.]"
        )
    if text_column != TEXT_COLUMN and fit.fits:
        st.markdown(
            f":small[:gray[**{md(short(text_column, 40))}** is sent as **{TEXT_COLUMN}**.]]"
        )
    if fit.fits and fit.extra:
        names = ", ".join(md(short(name, 40)) for name in fit.extra[:6])
        more = f" and {len(fit.extra) - 6} more" if len(fit.extra) > 6 else ""
        st.markdown(f":small[:gray[Not read by the model, so not sent: {names}{more}.]]")


def _length(row: Mapping[str, Any], names: Iterable[str]) -> int:
    return sum(len(cell) for name in names if isinstance(cell := row.get(name), str))
