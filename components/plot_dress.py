"""What all charts of times have in common: unit, colours, axes, lettering.

Colours are the theme's categorical ones, by their place. Streamlit's template carries stand-ins
that the browser replaces, so that the figures follow the light/dark toggle; a colour written out
here would not.
"""

from __future__ import annotations

import plotly.graph_objects as go
import plotly.io as pio
import streamlit.elements.plotly_chart  # noqa: F401  registers the template that is read below

PALETTE = tuple(pio.templates["streamlit"].layout.colorway)
MAIN, MUTED, WANTED = PALETTE[0], PALETTE[2], PALETTE[1]
#: Half see-through of the muted colour: light enough for lines on both backgrounds.
GRID = "rgba(127,140,143,0.22)"
_SECONDS_FROM_MS = 10_000
LEGEND = {
    "orientation": "h",
    "x": 0,
    "y": 1.04,
    "yanchor": "bottom",
    "font": {"size": 12},
    "traceorder": "normal",  # bars that are stacked would be listed from the top down
}


class Unit:
    """The unit of one axis: ms, or s where the greatest value is above 10 s.

    Parameters
    ----------
    greatest_ms
        Of all that the axis shows.
    """

    def __init__(self, greatest_ms: float) -> None:
        in_seconds = greatest_ms > _SECONDS_FROM_MS
        self.name, self._ms = ("s", 1000.0) if in_seconds else ("ms", 1.0)
        self.hover = "%{y:,.1f} " + self.name

    def of(self, value_ms: float) -> float:
        """Return a time in this unit."""
        return round(value_ms / self._ms, 3)


def dress(figure: go.Figure, *, x_title: str, y_title: str, height: int = 290) -> None:
    """Give a figure the size, axes and lettering all of them share."""
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 8, "t": 8, "b": 0},
        showlegend=len(figure.data) > 1 and figure.data[0].type == "bar",
        font={"size": 12},
    )
    axis = {"tickfont": {"size": 12}, "automargin": True}
    line = {"showline": True, "linecolor": MUTED, "ticks": "outside", "tickcolor": MUTED}
    figure.update_xaxes(
        title={"text": x_title, "standoff": 6}, showgrid=False, zeroline=False, **line, **axis
    )
    figure.update_yaxes(
        title={"text": y_title, "standoff": 16}, gridcolor=GRID, zeroline=False, nticks=6, **axis
    )
