"""A matrix of numbers as coloured squares; a click tells which one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bokeh.core.properties import value
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

INK = "#1a9af6"
CHOSEN = "#d05807"
FEWEST = 3, 6  # rows and columns that there is room for: one square does not fill the screen


class Matrix:
    """Squares whose opacity is their share, with their number in words.

    Parameters
    ----------
    name, x_label, y_label : str
        Of the figure and its axes.
    on_tap : callable
        Called with the row and the column of a square that was clicked.

    """

    def __init__(self, name: str, x_label: str, y_label: str, on_tap: Callable[[int, int], None]) -> None:
        self._on_tap = on_tap
        self._shape = 0, 0
        self._cells = ColumnDataSource(
            dict.fromkeys(("x", "y", "alpha", "line", "text", "colour", "row", "column"), ())
        )
        self.figure = figure(
            name=name, x_range=Range1d(0, 1), y_range=Range1d(1, 0), tools="", toolbar_location=None,
            x_axis_label=x_label, y_axis_label=y_label, sizing_mode="stretch_both", min_height=220,
            x_axis_location="above",
        )  # fmt: skip
        self.figure.grid.visible = False
        self.figure.xaxis.axis_label_align = "start"  # few squares are at the left
        self.figure.xaxis.ticker, self.figure.yaxis.ticker = FixedTicker(ticks=[]), FixedTicker(ticks=[])
        squares = self.figure.rect(
            "x", "y", 0.96, 0.94, source=self._cells, fill_color=INK, fill_alpha="alpha", line_color="line",
            line_width=2,
        )  # fmt: skip
        self.figure.text(
            "x", "y", text="text", text_color="colour", text_align="center", text_baseline="middle",
            text_font_size="12px", text_font=value("system-ui, sans-serif"), source=self._cells,
        )  # fmt: skip
        tips = [(y_label, "@row"), (x_label, "@column"), ("", "@text")]
        self.figure.add_tools(HoverTool(renderers=[squares], tooltips=tips))
        self.figure.on_event(Tap, self._tapped)

    def draw(
        self,
        shares: NDArray[np.float64],
        texts: Sequence[Sequence[str]],
        rows: Sequence[str],
        columns: Sequence[str],
        *,
        dark: bool,
        chosen: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Draw shares (n_rows, n_columns), 0 to 1; NaN leaves a square empty. `chosen` squares have an outline."""
        self._shape = shares.shape
        i, j = (index.ravel() for index in np.indices(shares.shape))
        at = list(zip(i.tolist(), j.tolist(), strict=True))
        share = np.nan_to_num(shares.ravel())
        plain, marked = "#e8e8e8" if dark else "#202020", set(chosen)
        self._cells.data = {
            "x": j + 0.5, "y": i + 0.5, "alpha": np.clip(share, 0, 1) * 0.85,
            "line": [CHOSEN if pair in marked else "#00000000" for pair in at],
            "text": [texts[a][b] for a, b in at],
            "colour": [plain] * len(share),
            "row": [rows[a] for a, _ in at], "column": [columns[b] for _, b in at],
        }  # fmt: skip
        self.figure.x_range.update(start=0, end=max(len(columns), FEWEST[1]))
        self.figure.y_range.update(start=max(len(rows), FEWEST[0]), end=0)
        for axis, names in ((self.figure.xaxis, columns), (self.figure.yaxis, rows)):
            axis.ticker.ticks = [k + 0.5 for k in range(len(names))]
            axis.major_label_overrides = {k + 0.5: str(name) for k, name in enumerate(names)}

    def _tapped(self, event: Any) -> None:
        if event.x is None or event.y is None:
            return
        row, column = int(np.floor(event.y)), int(np.floor(event.x))
        if 0 <= row < self._shape[0] and 0 <= column < self._shape[1]:
            self._on_tap(row, column)
