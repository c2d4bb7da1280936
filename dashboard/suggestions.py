"""The Suggest tab: one suggestion at a time, its evidence, and four buttons, three of them keys as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource, Span
from bokeh.plotting import figure

from neuralsorter.palette import unit_colour

from . import deciding
from .case import Case, in_words
from .workspace import Workspace, attempt

WIDTH = 335  # px
IDLE = "Units of this channel that may be one, or several, the most convincing first. **V** shows the first."
N_BINS = 40
ANSWERS = {"merge": ("Merge", "Keep apart"), "split": ("Split", "Keep whole")}  # labels of Take and Forget


class Suggestions(pn.viewable.Viewer):
    """Means, the line that separates the two units best, and their cross-correlogram."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self._means = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self._bands = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self._along = ColumnDataSource({"left": [], "right": [], "top": [], "colour": []})
        self._cross = ColumnDataSource({"left": [], "right": [], "top": []})
        self.figures = [self._means_figure(), self._along_figure(), self._cross_figure()]
        self.text = pmui.Typography(object=IDLE, variant="body2", margin=(6, 8))
        self.evidence = pmui.Column(*(pn.pane.Bokeh(plot) for plot in self.figures), visible=False, margin=0)
        buttons = [
            pmui.Button(label=label, size="small", description=tip, variant=variant, margin=(6, 2),
                        on_click=lambda _, call=call: attempt(workspace, lambda: call(workspace)))
            for label, tip, variant, call in (
                ("Next", "Show the next suggestion (V)", "outlined", deciding.next_suggestion),
                ("Take", "Take the suggestion (T)", "contained", deciding.accept),
                ("Forget", "Forget the suggestion: it does not come again (F)", "outlined", deciding.reject),
                ("Close", "Show all units again", "text", deciding.leave),
            )
        ]  # fmt: skip
        self._take, self._forget = buttons[1:3]
        self._pane = pmui.Column(
            pmui.Row(*buttons, margin=0), self.text, self.evidence, sizing_mode="stretch_width", margin=0
        )
        workspace.param.watch(lambda *_: self.refresh(), ["case", "dark"])

    def __panel__(self) -> Any:
        return self._pane

    def _figure(self, height: int, x: str, y: str, title: str) -> Any:
        plot = figure(width=WIDTH, height=height, toolbar_location=None, tools="", x_axis_label=x, y_axis_label=y,
                      title=title)  # fmt: skip
        plot.grid.grid_line_alpha = 0.25
        return plot

    def _means_figure(self) -> Any:
        plot = self._figure(190, "time (ms)", "amplitude (µV)", "Mean ± SD")
        plot.patches("xs", "ys", source=self._bands, fill_color="colour", fill_alpha=0.18, line_color=None)
        plot.multi_line("xs", "ys", source=self._means, line_color="colour", line_width=2)
        return plot

    def _along_figure(self) -> Any:
        plot = self._figure(150, "SD from the midpoint", "events", "Along the line that separates them best")
        plot.quad("left", "right", "top", 0, source=self._along, fill_color="colour", fill_alpha=0.45, line_color=None)
        return plot

    def _cross_figure(self) -> Any:
        plot = self._figure(150, "lag (ms)", "pairs", "Cross-correlogram")
        plot.quad("left", "right", "top", 0, source=self._cross, fill_color="#6f6f6f", line_color=None)
        self._limits = [Span(dimension="height", line_color="#d05807", line_dash="dashed") for _ in range(2)]
        for limit in self._limits:
            plot.add_layout(limit)
        return plot

    def refresh(self) -> None:
        """Show the suggestion that the workspace looks at."""
        case: Case | None = self.workspace.case
        self.evidence.visible = case is not None
        if case is None:
            self.text.object = IDLE
            return
        self.text.object = f"{case.place} of {case.of}: {in_words(case)}"
        self._take.label, self._forget.label = ANSWERS[case.kind]
        colour = {unit: unit_colour(unit, dark=self.workspace.dark) for unit in case.units}
        x = case.times_ms.tolist()
        low, high = case.mean - case.sd, case.mean + case.sd
        self._means.data = {
            "xs": [x] * len(case.units), "ys": [row.tolist() for row in case.mean], "colour": list(colour.values()),
        }  # fmt: skip
        self._bands.data = {
            "xs": [[*x, *x[::-1]]] * len(case.units),
            "ys": [[*bottom.tolist(), *top[::-1].tolist()] for bottom, top in zip(low, high, strict=True)],
            "colour": list(colour.values()),
        }
        along = case.suggestion.along
        edges = np.linspace(min(map(np.min, along)), max(map(np.max, along)), N_BINS + 1)
        counts = [np.histogram(part, edges)[0].tolist() for part in along]
        self._along.data = {
            "left": [*edges[:-1], *edges[:-1]], "right": [*edges[1:], *edges[1:]],
            "top": counts[0] + counts[1], "colour": [colour[unit] for unit in case.pair for _ in range(N_BINS)],
        }  # fmt: skip
        for limit, sign in zip(self._limits, (-1, 1), strict=True):
            limit.location = sign * case.refractory_ms
        self._cross.data = {
            "left": case.edges_ms[:-1].tolist(), "right": case.edges_ms[1:].tolist(), "top": case.cross.tolist(),
        }  # fmt: skip
