"""Plotly figures of a run's latency. Colours are the theme's categorical ones, by their place.

Streamlit's template carries stand-ins that the browser replaces, so that the figures follow the
light/dark toggle; a colour written out here would not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean

import plotly.graph_objects as go
import plotly.io as pio
import streamlit.elements.plotly_chart  # noqa: F401  registers the template that is read below

from components.text import milliseconds
from dashboard.domain.latency import (
    SEGMENTS,
    LengthFit,
    Percentile,
    Sample,
    Segment,
    seconds_since_first,
    slowest,
)

#: More bars than this cannot be told apart: neighbours are averaged.
BARS_AT_MOST = 240
#: More dots or steps than this say no more and make the browser slow.
POINTS_AT_MOST = 1_500

_PALETTE = tuple(pio.templates["streamlit"].layout.colorway)
_COLORS = {
    Segment.WAITING: _PALETTE[2],
    Segment.SENDING: _PALETTE[6],
    Segment.READING: _PALETTE[3],
    Segment.MODEL: _PALETTE[0],
    Segment.UNSPLIT: _PALETTE[7],
    Segment.RECEIVING: _PALETTE[1],
}
_MAIN, _MUTED = _PALETTE[0], _PALETTE[2]
#: Half see-through of the muted colour: light enough for lines on both backgrounds.
_GRID = "rgba(127,140,143,0.22)"
_SECONDS_FROM_MS = 10_000
_LEGEND = {
    "orientation": "h",
    "x": 0,
    "y": 1.04,
    "yanchor": "bottom",
    "font": {"size": 12},
    "traceorder": "normal",  # bars that are stacked would be listed from the top down
}
#: Labels stand above the curve; p90, p95 and p99 are close, so they are moved apart, in px upwards.
_LABEL_SHIFT = {50: 9, 90: -4, 95: 7, 99: 19}


class _Unit:
    """The unit of one axis: ms, or s where the greatest value is above 10 s."""

    def __init__(self, greatest_ms: float) -> None:
        in_seconds = greatest_ms > _SECONDS_FROM_MS
        self.name, self._ms = ("s", 1000.0) if in_seconds else ("ms", 1.0)
        self.hover = "%{y:,.1f} " + self.name

    def of(self, value_ms: float) -> float:
        return round(value_ms / self._ms, 3)


def thinned(samples: Sequence[Sample]) -> list[Sample]:
    """Return at most `POINTS_AT_MOST` samples, evenly spaced, and the slowest."""
    every = -(-len(samples) // POINTS_AT_MOST)
    top = slowest(samples)
    return [sample for at, sample in enumerate(samples) if at % every == 0 or sample is top]


def bar_size(samples: Sequence[Sample]) -> int:
    """Return how many neighbouring rows one bar stands for."""
    return 1 if len(samples) <= BARS_AT_MOST else -(-len(samples) // (BARS_AT_MOST // 2))


def split_figure(samples: Sequence[Sample], *, with_model: bool) -> go.Figure:
    """Draw each row's time as a stacked bar, split into its segments; above 240 rows, averages."""
    size = bar_size(samples)
    groups = [samples[at : at + size] for at in range(0, len(samples), size)]
    left_out = set() if with_model else {Segment.MODEL, Segment.UNSPLIT}  # that holds the model too
    if all(sample.is_split for sample in samples):
        left_out.add(Segment.UNSPLIT)
    shown = [segment for segment in SEGMENTS if segment not in left_out]
    heights_ms = [
        fmean(sum(sample.part_ms(segment) for segment in shown) for sample in group)
        for group in groups
    ]
    unit = _Unit(max(heights_ms))
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
    _dress(figure, x_title="Row of the run", y_title=f"Time ({unit.name})", height=310)
    figure.update_layout(
        barmode="stack",
        bargap=0.18,
        barcornerradius=2,
        hovermode="x unified",
        legend=_LEGEND,
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
    figure: go.Figure, rows: Sequence[int], heights_ms: Sequence[float], unit: _Unit, word: str
) -> None:
    """Name the tallest bar; the label leans to where there is room."""
    at = max(range(len(rows)), key=heights_ms.__getitem__)
    is_left = at < len(rows) / 2
    figure.add_annotation(
        x=rows[at],
        y=unit.of(heights_ms[at]),
        text=f"Row {rows[at]:,}: {word}, {milliseconds(heights_ms[at])}",
        ax=70 if is_left else -70,
        ay=-9,
        xanchor="left" if is_left else "right",
        arrowhead=0,
        arrowwidth=1,
        arrowcolor=_MUTED,
    )


def share_done_figure(samples: Sequence[Sample], marks: Sequence[Percentile]) -> go.Figure:
    """Draw the share of rows done within a time (ECDF), with a dot for each percentile given."""
    totals = sorted(sample.total_ms for sample in samples)
    unit = _Unit(totals[-1])
    every = -(-len(totals) // POINTS_AT_MOST)
    steps = [at for at in range(len(totals)) if at % every == 0 or at == len(totals) - 1]
    figure = go.Figure()
    figure.add_scatter(
        x=[unit.of(totals[0]), *(unit.of(totals[at]) for at in steps)],
        y=[0.0, *(100 * (at + 1) / len(totals) for at in steps)],
        mode="lines",
        line={"shape": "hv", "width": 2, "color": _MAIN},
        hovertemplate="%{y:.0f} % of the rows within %{x:,.1f} " + unit.name + "<extra></extra>",
    )
    given = [(mark, mark.value_ms) for mark in marks if mark.value_ms is not None]
    for mark, value_ms in given:
        # On the curve's step at that value, which need not contain the percent itself.
        below = sum(total < value_ms for total in totals)
        upto = sum(total <= value_ms for total in totals)
        share = min(max(mark.percent, 100 * below / len(totals)), 100 * upto / len(totals))
        at_x = unit.of(value_ms)
        figure.add_scatter(
            x=[at_x, at_x],
            y=[0, share],
            mode="lines+markers",
            marker={"size": [0, 9], "color": _MAIN, "opacity": 1},
            line={"dash": "dot", "width": 1.5, "color": _MUTED},
            hoverinfo="skip",
        )
        figure.add_annotation(
            x=at_x,
            y=share,
            text=f"<b>p{mark.percent}</b> {milliseconds(value_ms)}",
            showarrow=False,
            xanchor="right",
            xshift=-9,
            yshift=_LABEL_SHIFT.get(mark.percent, 0),
        )
    _dress(figure, x_title=f"Total time of a row ({unit.name})", y_title="Rows done (%)")
    figure.update_xaxes(range=[0, unit.of(totals[-1]) * 1.04 or 1])
    figure.update_yaxes(range=[-3, 112], tickvals=[0, 25, 50, 75, 100])
    return figure


def length_figure(samples: Sequence[Sample], fit: LengthFit | None) -> go.Figure:
    """Draw each row's total against the length of its input, and the fit where there is one."""
    points = thinned(samples)
    unit = _Unit(max(sample.total_ms for sample in samples))
    figure = go.Figure()
    figure.add_scatter(
        x=[sample.words for sample in points],
        y=[unit.of(sample.total_ms) for sample in points],
        customdata=[sample.row_index + 1 for sample in points],
        mode="markers",
        marker={"size": 9 if len(points) < 300 else 5, "color": _MAIN, "opacity": 0.8},
        hovertemplate="Row %{customdata:,d}: %{x:,d} words, " + unit.hover + "<extra></extra>",
    )
    longest = max(sample.words for sample in samples)
    if fit:
        ends = [min(sample.words for sample in samples), longest]
        figure.add_scatter(
            x=ends,
            y=[unit.of(fit.at_ms(words)) for words in ends],
            mode="lines",
            line={"dash": "dash", "width": 1.5, "color": _MUTED},
            hoverinfo="skip",
        )
    _dress(figure, x_title="Length of the input (words)", y_title=f"Total time ({unit.name})")
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


def over_time_figure(ordered: Sequence[Sample]) -> go.Figure:
    """Draw the rows' totals as they were answered, with the engine's own time below them.

    Parameters
    ----------
    ordered
        As of `dashboard.domain.latency.in_order_of_answer`.
    """
    unit = _Unit(max(sample.total_ms for sample in ordered))
    elapsed_s = seconds_since_first(ordered)
    numbers = list(accumulate([1] * len(ordered)))
    at_x = dict(zip((sample.row_index for sample in ordered), elapsed_s or numbers, strict=True))
    points = thinned(ordered)
    with_line = len(points) <= 120
    figure = go.Figure()
    for name, color, values_ms in (
        ("Whole row", _MUTED, [sample.total_ms for sample in points]),
        ("Engine alone", _MAIN, [sample.engine_ms for sample in points]),
    ):
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
    _dress(figure, x_title=x_title, y_title=f"Time ({unit.name})")
    figure.update_layout(
        showlegend=True,
        legend=_LEGEND,
    )
    figure.update_yaxes(range=[0, unit.of(max(s.total_ms for s in ordered)) * 1.1 or 1])
    return figure


def _dress(figure: go.Figure, *, x_title: str, y_title: str, height: int = 290) -> None:
    """Give a figure the size, axes and lettering all of them share."""
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 8, "t": 8, "b": 0},
        showlegend=len(figure.data) > 1 and figure.data[0].type == "bar",
        font={"size": 12},
    )
    axis = {"tickfont": {"size": 12}, "automargin": True}
    line = {"showline": True, "linecolor": _MUTED, "ticks": "outside", "tickcolor": _MUTED}
    figure.update_xaxes(
        title={"text": x_title, "standoff": 6}, showgrid=False, zeroline=False, **line, **axis
    )
    figure.update_yaxes(
        title={"text": y_title, "standoff": 16}, gridcolor=_GRID, zeroline=False, nticks=6, **axis
    )
