"""Plotly figures of a run's latency: the split of each row, what length costs, how it went on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean

import plotly.graph_objects as go

from components.plot_dress import LEGEND, MAIN, MUTED, PALETTE, Unit, dress
from components.text import milliseconds
from dashboard.domain.latency import (
    SEGMENTS,
    LengthFit,
    Sample,
    Segment,
    seconds_since_first,
    slowest,
)


@dataclass(frozen=True, slots=True)
class Basis:
    """What the times of a chart are times of, in the words of its axes and sentences.

    Parameters
    ----------
    source
        As in "needs 100 rows; this run has 24".
    is_whole
        Whether a row's time is all of it, rather than the engine's part.
    """

    source: str
    place_axis: str
    time_axis: str
    is_whole: bool


OF_A_RUN = Basis("this run", "Row of the run", "Total time", is_whole=True)
OF_A_LOG = Basis("the log", "Inference, oldest first", "Engine time", is_whole=False)

#: More bars than this cannot be told apart: neighbours are averaged.
BARS_AT_MOST = 240
#: More dots or steps than this say no more and make the browser slow.
POINTS_AT_MOST = 1_500

_COLORS = {
    Segment.WAITING: PALETTE[2],
    Segment.SENDING: PALETTE[6],
    Segment.READING: PALETTE[3],
    Segment.MODEL: PALETTE[0],
    Segment.UNSPLIT: PALETTE[7],
    Segment.RECEIVING: PALETTE[1],
}


def thinned(samples: Sequence[Sample]) -> list[Sample]:
    """Return at most `POINTS_AT_MOST` samples, evenly spaced, and the slowest."""
    every = -(-len(samples) // POINTS_AT_MOST)
    top = slowest(samples)
    return [sample for at, sample in enumerate(samples) if at % every == 0 or sample is top]


def bar_size(samples: Sequence[Sample]) -> int:
    """Return how many neighbouring rows one bar stands for."""
    return 1 if len(samples) <= BARS_AT_MOST else -(-len(samples) // (BARS_AT_MOST // 2))


def split_figure(
    samples: Sequence[Sample], *, with_model: bool, basis: Basis = OF_A_RUN
) -> go.Figure:
    """Draw each row's time as a stacked bar, split into its segments; above 240 rows, averages."""
    size = bar_size(samples)
    groups = [samples[at : at + size] for at in range(0, len(samples), size)]
    left_out = set() if with_model else {Segment.MODEL, Segment.UNSPLIT}  # that holds the model too
    # Parts that took no time in any row, or were never measured, would only lengthen the legend.
    took = [one for one in SEGMENTS if any(sample.part_ms(one) for sample in samples)]
    shown = [segment for segment in took if segment not in left_out] or [Segment.MODEL]
    heights_ms = [
        fmean(sum(sample.part_ms(segment) for segment in shown) for sample in group)
        for group in groups
    ]
    unit = Unit(max(heights_ms))
    rows = [group[0].row_index + 1 for group in groups]
    figure = go.Figure()
    for segment in shown:
        figure.add_bar(
            name=segment.value,
            x=rows,
            y=[unit.of(fmean(sample.part_ms(segment) for sample in group)) for group in groups],
            marker={"color": _COLORS[segment], "line": {"width": 0}},
            width=0.3 if len(groups) == 1 else None,
            hovertemplate=unit.hover,
        )
    dress(figure, x_title=basis.place_axis, y_title=f"Time ({unit.name})", height=310)
    figure.update_layout(
        barmode="stack",
        bargap=0.18,
        barcornerradius=2,
        hovermode="x unified",
        legend=LEGEND,
    )
    title = "Row %{x}" if size == 1 else f"{size} rows from row %{{x}}"
    figure.update_yaxes(range=[0, unit.of(max(heights_ms)) * 1.14 or 1])
    figure.update_xaxes(hoverformat=",d", unifiedhovertitle={"text": title})
    if len(rows) < 12:
        figure.update_xaxes(tickmode="array", tickvals=rows)
    if size == 1:
        figure.update_xaxes(range=[rows[0] - 0.6, rows[-1] + 0.6])
    if size == 1 and len(rows) >= 3:
        _point_at_tallest(figure, rows, heights_ms, unit, "slowest" if with_model else "most")
    return figure


def _point_at_tallest(
    figure: go.Figure, rows: Sequence[int], heights_ms: Sequence[float], unit: Unit, word: str
) -> None:
    """Name the tallest bar, above it; near an edge the label leans to where there is room."""
    at = max(range(len(rows)), key=heights_ms.__getitem__)
    third = 3 * at // len(rows)
    figure.add_annotation(
        x=rows[at],
        y=unit.of(heights_ms[at]),
        text=f"Row {rows[at]:,}: {word}, {milliseconds(heights_ms[at])}",
        showarrow=False,
        xanchor=("left", "center", "right")[third],
        yanchor="bottom",
        yshift=2,
    )


def length_figure(
    samples: Sequence[Sample], fit: LengthFit | None, *, basis: Basis = OF_A_RUN
) -> go.Figure:
    """Draw each row's total against the length of its input, and the fit where there is one."""
    points = thinned(samples)
    unit = Unit(max(sample.total_ms for sample in samples))
    figure = go.Figure()
    figure.add_scatter(
        x=[sample.words for sample in points],
        y=[unit.of(sample.total_ms) for sample in points],
        customdata=[sample.row_index + 1 for sample in points],
        mode="markers",
        marker={"size": 9 if len(points) < 300 else 5, "color": MAIN, "opacity": 0.8},
        hovertemplate="Row %{customdata:,d}: %{x:,d} words, " + unit.hover + "<extra></extra>",
    )
    longest = max(sample.words for sample in samples)
    if fit:
        ends = [min(sample.words for sample in samples), longest]
        figure.add_scatter(
            x=ends,
            y=[unit.of(fit.at_ms(words)) for words in ends],
            mode="lines",
            line={"dash": "dash", "width": 1.5, "color": MUTED},
            hoverinfo="skip",
        )
    dress(figure, x_title="Length of the input (words)", y_title=f"{basis.time_axis} ({unit.name})")
    figure.update_xaxes(range=[0, longest * 1.05 or 1])
    figure.update_yaxes(range=[0, unit.of(max(s.total_ms for s in samples)) * 1.1 or 1])
    if fit and fit.is_clear:
        figure.add_annotation(
            x=longest * 1.05,
            y=0,
            yshift=14,
            xanchor="right",
            showarrow=False,
            text=f"about {milliseconds(abs(fit.ms_per_100_words))} "
            f"{'more' if fit.ms_per_100_words > 0 else 'less'} per 100 words",
        )
    return figure


def over_time_figure(ordered: Sequence[Sample], *, basis: Basis = OF_A_RUN) -> go.Figure:
    """Draw the rows' totals as they were answered, with the engine's own time below them.

    Parameters
    ----------
    ordered
        As of `dashboard.domain.latency.in_order_of_answer`.
    """
    unit = Unit(max(sample.total_ms for sample in ordered))
    elapsed_s = seconds_since_first(ordered)
    numbers = list(accumulate([1] * len(ordered)))
    at_x = dict(zip((sample.row_index for sample in ordered), elapsed_s or numbers, strict=True))
    points = thinned(ordered)
    with_line = len(points) <= 120
    figure = go.Figure()
    lines: list[tuple[str, str, list[float | None]]] = [
        ("Whole row", MUTED, [sample.total_ms for sample in points]),
        ("Engine alone", MAIN, [sample.engine_ms for sample in points]),
    ]
    for name, color, values_ms in lines if basis.is_whole else lines[1:]:
        if all(value_ms is None for value_ms in values_ms):
            continue
        figure.add_scatter(
            name=name,
            x=[at_x[sample.row_index] for sample in points],
            y=[None if value_ms is None else unit.of(value_ms) for value_ms in values_ms],
            customdata=[sample.row_index + 1 for sample in points],
            mode="lines+markers" if with_line else "markers",
            marker={"size": 6 if with_line else 4, "color": color},
            line={"width": 1.5, "color": color},
            hovertemplate="Row %{customdata:,d}, "
            + name.lower()
            + ": "
            + unit.hover
            + "<extra></extra>",
        )
    x_title = "Time since the first answer (s)" if elapsed_s else "Order of the answers"
    dress(figure, x_title=x_title, y_title=f"Time ({unit.name})")
    figure.update_layout(
        showlegend=True,
        legend=LEGEND,
    )
    figure.update_yaxes(range=[0, unit.of(max(s.total_ms for s in ordered)) * 1.1 or 1])
    return figure
