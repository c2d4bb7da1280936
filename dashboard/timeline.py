"""Bad epochs on a timeline: how many events come each moment, and stretches dragged over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.events import SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource
from bokeh.plotting import figure
from numpy.typing import NDArray

from neuralsorter.stages import epochs, written

from .evidence import WIDTH
from .jobs import on_page, this_page

BINS = 300


class Timeline(pn.viewable.Viewer):
    """Drag over the bad stretches; `changed` gets them as text, and `mark` shows those that text names."""

    def __init__(self, changed: Callable[[str], None], **params: Any) -> None:
        super().__init__(**params)
        self._changed = changed
        self._document = this_page()
        self._marked: list[tuple[float, float]] = []
        self._rate = ColumnDataSource({"left": [], "right": [], "top": []})
        self._epochs = ColumnDataSource({"x0": [], "x1": []})
        self.plot = figure(width=WIDTH, height=130, toolbar_location=None, name="timeline",
                           tools=[BoxSelectTool(dimensions="width")], x_axis_label="s: drag over what is bad",
                           y_axis_label="events/s")  # fmt: skip
        self.plot.quad("left", "right", "top", 0, source=self._rate, fill_color="#8a8a8a", line_color=None,
                       nonselection_fill_alpha=1)  # fmt: skip
        self.plot.vstrip("x0", "x1", source=self._epochs, fill_color="#d05807", fill_alpha=0.35, line_color="#d05807",
                         nonselection_fill_alpha=0.35)  # fmt: skip
        self.plot.grid.grid_line_alpha = 0.25
        self.plot.x_range.range_padding = 0
        self.plot.on_event(SelectionGeometry, self._selected)
        self.clear = pmui.Button(label="Forget the epochs", size="small", variant="text",
                                 on_click=lambda _: self._changed(""))  # fmt: skip

    def __panel__(self) -> Any:
        return pmui.Column(pn.pane.Bokeh(self.plot), self.clear, margin=0)

    def draw(self, times_s: NDArray[np.float64]) -> None:
        """Draw the rate of events of one experiment."""
        on_page(self._document, lambda: self._draw(times_s))

    def _draw(self, times_s: NDArray[np.float64]) -> None:
        times = times_s[np.isfinite(times_s)]
        if not len(times):
            self._rate.data = {"left": [], "right": [], "top": []}
            return
        counts, edges = np.histogram(times, BINS, (0.0, max(float(times.max()), 1e-3)))
        self._rate.data = {"left": edges[:-1], "right": edges[1:], "top": counts / np.diff(edges)}

    def mark(self, text: str) -> None:
        """Show the epochs that a text names; raises DataError where it names none."""
        self._marked = epochs(text)
        data = {"x0": [start for start, _ in self._marked], "x1": [end for _, end in self._marked]}
        on_page(self._document, lambda: self._epochs.update(data=data))

    def _selected(self, event: SelectionGeometry) -> None:
        if event.final and event.geometry.get("type") == "rect":
            start, end = sorted((max(float(event.geometry["x0"]), 0.0), max(float(event.geometry["x1"]), 0.0)))
            if end - start > 1e-3:
                self._changed(written([*self._marked, (start, end)]))
