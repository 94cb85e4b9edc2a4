"""Plotly figures of how times are spread: shares done (ECDF), histogram, several runs at once."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import plotly.graph_objects as go

from components.latency_plots import OF_A_RUN, POINTS_AT_MOST, Basis
from components.plot_dress import LEGEND, MAIN, MUTED, PALETTE, WANTED, Unit, dress
from components.text import milliseconds
from dashboard.domain.distribution import Histogram, Objective
from dashboard.domain.latency import Percentile, Sample

#: Labels stand above the curve; p90, p95 and p99 are close, so they are moved apart, in px upwards.
_LABEL_SHIFT = {50: 9, 90: -4, 95: 7, 99: 19}
#: An objective further out than so many times the slowest row is not drawn.
_OBJECTIVE_WITHIN = 2.0
#: Colour (by its place in the theme) and stroke of each line that is compared; the objective's own
#: colour is not among them.
_LINES = ((0, "solid"), (6, "dot"), (3, "dashdot"), (4, "longdash"))


def share_done_figure(
    samples: Sequence[Sample],
    marks: Sequence[Percentile],
    *,
    objective: Objective | None = None,
    basis: Basis = OF_A_RUN,
) -> go.Figure:
    """Draw the share of rows done within a time (ECDF), with a dot for each percentile given.

    Parameters
    ----------
    objective
        Drawn as a line up to a diamond that the curve has to pass above; left out where it lies so
        far beyond the slowest row that the curve would be squeezed, see `shows_objective`.
    """
    totals = sorted(sample.total_ms for sample in samples)
    end_ms = totals[-1]
    if objective is not None and shows_objective(end_ms, objective):
        end_ms = max(end_ms, objective.limit_ms)
    unit = Unit(end_ms)
    figure = go.Figure()
    if objective is not None and shows_objective(totals[-1], objective):
        _draw_objective(figure, objective, unit, end_ms)
    x, y = _curve(totals, unit)
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"shape": "hv", "width": 2, "color": MAIN},
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
            marker={"size": [0, 9], "color": MAIN, "opacity": 1},
            line={"dash": "dot", "width": 1.5, "color": MUTED},
            hoverinfo="skip",
        )
        figure.add_annotation(
            x=at_x,
            y=share,
            text=f"<b>p{mark.percent}</b> {milliseconds(value_ms)}",
            showarrow=False,
            # Near the axis there is no room on the left.
            xanchor="right" if value_ms > end_ms / 4 else "left",
            xshift=-9 if value_ms > end_ms / 4 else 9,
            yshift=_LABEL_SHIFT.get(mark.percent, 0) - (0 if value_ms > end_ms / 4 else 12),
        )
    dress(figure, x_title=f"{basis.time_axis} of a row ({unit.name})", y_title="Rows done (%)")
    figure.update_xaxes(range=[0, unit.of(end_ms) * 1.04 or 1])
    figure.update_yaxes(range=[-3, 112], tickvals=[0, 25, 50, 75, 100])
    return figure


def shows_objective(slowest_ms: float, objective: Objective) -> bool:
    """Whether the objective is close enough to the rows to be drawn with them."""
    return objective.limit_ms <= max(slowest_ms, 0.001) * _OBJECTIVE_WITHIN


def objective_words(objective: Objective) -> str:
    """Return an objective in words, such as `90 % under 3 s`."""
    return f"{objective.percent:g} % under {objective.limit_ms / 1000:g} s"


def _curve(totals: Sequence[float], unit: Unit) -> tuple[list[float], list[float]]:
    """Return the steps of the sorted totals, thinned where there are more than can be seen."""
    every = -(-len(totals) // POINTS_AT_MOST)
    steps = [at for at in range(len(totals)) if at % every == 0 or at == len(totals) - 1]
    return (
        [unit.of(totals[0]), *(unit.of(totals[at]) for at in steps)],
        [0.0, *(100 * (at + 1) / len(totals) for at in steps)],
    )


def _draw_objective(figure: go.Figure, objective: Objective, unit: Unit, end_ms: float) -> None:
    limit = unit.of(objective.limit_ms)
    figure.add_scatter(
        x=[limit, limit],
        y=[0, objective.percent],
        mode="lines+markers",
        marker={"size": [0, 10], "symbol": "diamond-open", "color": WANTED, "opacity": 1},
        line={"width": 1.5, "dash": "dash", "color": WANTED},
        hoverinfo="skip",
    )
    is_left = objective.limit_ms < end_ms / 2
    figure.add_annotation(
        x=limit,
        y=6,
        text=objective_words(objective),
        showarrow=False,
        xanchor="left" if is_left else "right",
        xshift=5 if is_left else -5,
    )


def histogram_figure(
    bins: Histogram, marks: Sequence[Percentile], *, basis: Basis = OF_A_RUN
) -> go.Figure:
    """Draw how many rows took how long, with a line for each percentile given."""
    unit = Unit(bins.edges[-1])
    edges = [unit.of(edge) for edge in bins.edges]
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    tallest = max(bins.counts)
    figure = go.Figure()
    figure.add_bar(
        x=middles,
        y=list(bins.counts),
        width=[(high - low) * 0.94 for low, high in pairwise(edges)],
        customdata=list(pairwise(edges)),
        marker={"color": MAIN, "line": {"width": 0}},
        hovertemplate="%{customdata[0]:,.6~g} to %{customdata[1]:,.6~g} "
        + unit.name
        + ": %{y:,d}<extra></extra>",
    )
    given = [(mark, mark.value_ms) for mark in marks if mark.value_ms is not None]
    middle_ms = (bins.edges[0] + bins.edges[-1]) / 2
    left = sum(value_ms < middle_ms for _, value_ms in given)
    for place, (mark, value_ms) in enumerate(given):
        # Labels lean towards the middle and stand the higher the further out their line is, those
        # of the left above all of the right: none crosses another, or a neighbour's line.
        is_left = place < left
        level = len(given) - place if is_left else place - left + 1
        height = tallest * (1.05 + 0.13 * level)
        at_x = unit.of(value_ms)
        figure.add_scatter(
            x=[at_x, at_x],
            y=[0, height],
            mode="lines",
            line={"dash": "dot", "width": 1.5, "color": MUTED},
            hoverinfo="skip",
        )
        figure.add_annotation(
            x=at_x,
            y=height,
            text=f"<b>p{mark.percent}</b> {milliseconds(value_ms)}",
            showarrow=False,
            xanchor="left" if is_left else "right",
            xshift=5 if is_left else -5,
            yshift=-5,
        )
    dress(figure, x_title=f"{basis.time_axis} of a row ({unit.name})", y_title="Rows")
    figure.update_layout(showlegend=False, barcornerradius=2)
    figure.update_xaxes(range=[edges[0], edges[-1]])
    figure.update_yaxes(
        range=[0, tallest * (1.15 + 0.13 * len(given))], tickformat=",d", rangemode="tozero"
    )
    if tallest < 6:
        figure.update_yaxes(dtick=1)
    return figure


@dataclass(frozen=True, slots=True)
class Series:
    """Times under one name, to be compared with others. `name` is plain text."""

    name: str
    samples: Sequence[Sample]


def overlay_figure(series: Sequence[Series], *, objective: Objective | None = None) -> go.Figure:
    """Draw the shares done of up to four sets of rows on one axis; each has a sample or more."""
    every_ms = [sample.total_ms for one in series for sample in one.samples]
    end_ms = max(every_ms)
    if objective is not None and shows_objective(end_ms, objective):
        end_ms = max(end_ms, objective.limit_ms)
    unit = Unit(end_ms)
    figure = go.Figure()
    if objective is not None and objective.limit_ms <= end_ms:
        _draw_objective(figure, objective, unit, end_ms)
        figure.data[0].showlegend = False
    for one, (place, dash) in zip(series, _LINES, strict=False):
        x, y = _curve(sorted(sample.total_ms for sample in one.samples), unit)
        figure.add_scatter(
            # A name is HTML to Plotly, and may be hostile.
            name=html.escape(one.name),
            x=x,
            y=y,
            mode="lines",
            line={"shape": "hv", "width": 2, "dash": dash, "color": PALETTE[place]},
            hovertemplate="%{y:.0f} % within %{x:,.1f} " + unit.name,
        )
    dress(figure, x_title=f"Total time of a row ({unit.name})", y_title="Rows done (%)", height=310)
    figure.update_layout(showlegend=True, legend=LEGEND)
    figure.update_xaxes(range=[0, unit.of(end_ms) * 1.04 or 1])
    figure.update_yaxes(range=[-3, 104], tickvals=[0, 25, 50, 75, 100])
    return figure
