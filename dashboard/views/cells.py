"""Small histograms side by side in one Bokeh figure: cells share their times, each is as high as its tallest bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, HoverTool, Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

PLAIN = ("#4a4a4a", "#c8c8c8")  # text on light and on dark
MARK = "#d05807"
LEFT, WIDTH, HEIGHT = 0.04, 0.92, 0.72  # of a cell; the rest is air and the title


@dataclass(frozen=True, eq=False)
class Cell:
    """One histogram: where it stands, what it shows, and a dashed line at each of `marks`."""

    column: int
    row: int
    values: NDArray[Any]
    edges: NDArray[np.float64]
    colour: str
    title: str
    marks: tuple[float, ...] = ()


class Cells:
    """A grid of cells. Only the data change: the figure stays the same.

    Parameters
    ----------
    name : str
        Of the figure.
    x_label : str
        Unit of the x axis, written once below each column.

    """

    def __init__(self, name: str, x_label: str) -> None:
        self._x_label = x_label
        self._bars = ColumnDataSource(dict.fromkeys(("left", "right", "bottom", "top", "colour", "x", "value"), ()))
        self._text = ColumnDataSource(dict.fromkeys(("x", "y", "text", "colour", "align", "size"), ()))
        self._marks = ColumnDataSource({"xs": [], "ys": []})
        self._bases = ColumnDataSource({"xs": [], "ys": []})
        self.figure = figure(
            name=name, x_range=Range1d(0, 1), y_range=Range1d(-1, 0), tools="", toolbar_location=None,
            sizing_mode="stretch_both", min_height=220,
        )  # fmt: skip
        self.figure.grid.visible = self.figure.axis.visible = False
        self.figure.outline_line_color = None
        bars = self.figure.quad(
            "left", "right", "bottom", "top", source=self._bars, fill_color="colour", line_color=None
        )
        self.figure.multi_line("xs", "ys", source=self._bases, line_color="#8a8a8a", line_alpha=0.6)
        self.figure.multi_line("xs", "ys", source=self._marks, line_color=MARK, line_dash="dashed", line_width=1.5)
        self.figure.text(
            "x", "y", text="text", text_color="colour", text_align="align", text_font_size="size", source=self._text,
            text_font=value("system-ui, sans-serif"), text_baseline="top",
        )  # fmt: skip
        tip = [(x_label, "@x{0.0}"), ("count", "@value{0,0.[000]}")]
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=tip))

    def draw(self, cells: Sequence[Cell], n_columns: int, *, dark: bool) -> None:
        """Draw the cells."""
        n_rows = max((cell.row for cell in cells), default=0) + 1
        self.figure.x_range.update(start=0, end=max(n_columns, 1))
        self.figure.y_range.update(start=-n_rows - 0.12 * n_rows / 2, end=0)
        parts = [_bars(cell) for cell in cells]
        self._bars.data = {
            key: np.concatenate([np.zeros(0), *(part[key] for part in parts)])
            if key != "colour"
            else [colour for part in parts for colour in part["colour"]]
            for key in self._bars.column_names
        }
        placed = [(cell, mark) for cell in cells for mark in cell.marks]
        self._marks.data = {
            "xs": [[_across(cell, mark)] * 2 for cell, mark in placed],
            "ys": [[-cell.row - 1.0, -cell.row - 1 + HEIGHT] for cell, _ in placed],
        }
        self._bases.data = {
            "xs": [[cell.column + LEFT, cell.column + LEFT + WIDTH] for cell in cells],
            "ys": [[-cell.row - 1.0] * 2 for cell in cells],
        }
        self._write(cells, PLAIN[dark])

    def _write(self, cells: Sequence[Cell], plain: str) -> None:
        lines = [(c.column + LEFT, -c.row - 0.02, _titled(c), c.colour, "left", "12px") for c in cells]
        lowest: dict[int, Cell] = {}
        for cell in cells:
            if cell.column not in lowest or cell.row > lowest[cell.column].row:
                lowest[cell.column] = cell
        for cell in lowest.values():
            first, last = float(cell.edges[0]), float(cell.edges[-1])
            ends = ((first, f"{first:g}", "left"), (last, f"{last:g} {self._x_label}", "right"))
            lines += [(_across(cell, x), -cell.row - 1.02, text, plain, side, "11px") for x, text, side in ends]
        names = ("x", "y", "text", "colour", "align", "size")
        self._text.data = {name: [line[k] for line in lines] for k, name in enumerate(names)}


def _titled(cell: Cell) -> str:
    """Return the title with the height of the tallest bar, which every cell is scaled to."""
    return f"{cell.title} · max {float(np.max(cell.values, initial=0)):,.10g}"


def _across(cell: Cell, x: Any) -> Any:
    low, high = float(cell.edges[0]), float(cell.edges[-1])
    return cell.column + LEFT + WIDTH * (x - low) / (high - low)


def _bars(cell: Cell) -> dict[str, Any]:
    edges, floor = _across(cell, cell.edges), -cell.row - 1.0
    tallest = max(float(np.max(cell.values, initial=0)), 1e-12)
    some = np.flatnonzero(cell.values)
    return {
        "left": edges[:-1][some], "right": edges[1:][some], "bottom": np.full(len(some), floor),
        "top": floor + HEIGHT * cell.values[some] / tallest, "colour": [cell.colour] * len(some),
        "x": cell.edges[:-1][some], "value": cell.values[some],
    }  # fmt: skip


def columns_for(n_cells: int, most_in_a_row: int = 4) -> int:
    """Return how many columns show cells best: one row up to `most_in_a_row`, then as few rows as that allows."""
    n_rows = max(1, -(-n_cells // most_in_a_row))
    return max(1, -(-n_cells // n_rows))
