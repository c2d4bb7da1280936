"""The Clean tab: the histogram of P(spike), a threshold to move, and what moving it would do."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from bokeh.models import ColumnDataSource, Span
from bokeh.plotting import figure
from numpy.typing import NDArray

from neuralsorter.means import unit_means
from neuralsorter.spikes import NOISE

from .algorithms import apply_threshold
from .evidence import WIDTH
from .workspace import Workspace, attempt

BINS = 50
SCOPES = ("this channel", "all channels")
GO, STAY = "#a8661a", "#1a9af6"


class Cleaning(pn.viewable.Viewer):
    """A threshold on P(spike) with a live preview; nothing changes before Apply."""

    scope: Any = param.Selector(default=SCOPES[1], objects=list(SCOPES), doc="Which events the threshold concerns.")

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self.slider = pmui.FloatSlider.from_param(
            workspace.param.threshold, label="Threshold on P(spike)", step=0.01, sizing_mode="stretch_width"
        )
        self.where = pmui.RadioButtonGroup.from_param(self.param.scope, label="Applies to", size="small")
        self.preview = pmui.Typography(object="", variant="body2")
        self.apply = pmui.Button(
            label="Apply threshold", color="primary", size="small", on_click=lambda _: self._apply()
        )
        self._bars = ColumnDataSource({"left": [], "right": [], "top": [], "colour": []})
        self._lines = ColumnDataSource({"xs": [], "ys": [], "colour": [], "name": []})
        self._mark = Span(location=workspace.threshold, dimension="height", line_color="#d05807", line_width=2)
        self._pane = pmui.Column(
            pn.pane.Bokeh(self._histogram()),
            self.slider,
            self.where,
            self.preview,
            pn.pane.Bokeh(self._means()),
            self.apply,
            width=WIDTH,
            margin=0,
        )
        workspace.param.watch(lambda *_: self.refresh(), ["probability", "threshold", "focus", "project"])
        self.param.watch(lambda *_: self.refresh(), "scope")

    def __panel__(self) -> Any:
        return self._pane

    def _histogram(self) -> figure:
        plot = figure(width=WIDTH, height=170, toolbar_location=None, tools="", x_range=(0, 1),
                      x_axis_label="P(spike)", y_axis_label="events")  # fmt: skip
        plot.quad("left", "right", "top", 0, source=self._bars, fill_color="colour", line_color=None)
        plot.add_layout(self._mark)
        plot.yaxis.formatter.use_scientific = False
        return plot

    def _means(self) -> figure:
        plot = figure(width=WIDTH, height=170, toolbar_location=None, tools="",
                      x_axis_label="ms", y_axis_label="µV")  # fmt: skip
        plot.multi_line("xs", "ys", source=self._lines, line_color="colour", line_width=2, legend_field="name")
        plot.legend.background_fill_alpha = 0.5
        plot.legend.label_text_font_size = "11px"
        return plot

    def rows(self) -> NDArray[np.int64]:
        """Return the rows the threshold concerns."""
        project, focus = self.workspace.project, self.workspace.focus
        if project is None or focus is None:
            return np.zeros(0, np.int64)
        if self.scope == SCOPES[1] or focus.channel is None:
            return np.arange(len(project.unit))
        return np.asarray(project.rows(focus.channel, focus.experiment))

    def refresh(self) -> None:
        """Draw the histogram and say what the threshold would change; hidden, it does nothing."""
        if not self.active:
            return
        workspace, probability = self.workspace, self.workspace.probability
        self._mark.location = workspace.threshold
        if workspace.project is None or probability is None:
            self.preview.object = (
                "Press **Clean** (Ctrl+C) first: the network then says how likely each event is a spike."
            )
            self._bars.data = {"left": [], "right": [], "top": [], "colour": []}
            self._lines.data = {"xs": [], "ys": [], "colour": [], "name": []}
            return
        rows = self.rows()
        counts, edges = np.histogram(probability[rows], bins=BINS, range=(0, 1))
        colour = [GO if edge < workspace.threshold else STAY for edge in edges[:-1]]
        self._bars.data = {"left": edges[:-1], "right": edges[1:], "top": counts, "colour": colour}
        gone, back = workspace.project.preview_clean(rows, probability[rows], workspace.threshold)
        self.preview.object = f"**{gone:,}** events would go to noise, **{back:,}** would come back."
        self._draw_means()

    def _draw_means(self) -> None:
        """Show the mean of what goes and of what stays on the channel shown."""
        project, focus = self.workspace.project, self.workspace.focus
        if project is None or focus is None or focus.channel is None or self.workspace.probability is None:
            return
        rows = np.asarray(project.rows(focus.channel, focus.experiment))
        below = (self.workspace.probability[rows] < self.workspace.threshold).astype(np.int64)
        result = unit_means(project.raw(rows), below, project.spikes.uv_per_bit)
        names = {NOISE: "stays", 1: "goes"}
        x = list(
            np.arange(result.mean.shape[1]) * 1000 / project.spikes.sampling_rate
            - project.spikes.pre_samples * 1000 / project.spikes.sampling_rate
        )
        self._lines.data = {
            "xs": [x for _ in result.units],
            "ys": [list(row) for row in result.mean],
            "colour": [GO if unit else STAY for unit in result.units],
            "name": [f"{names[int(unit)]} ({count:,})" for unit, count in zip(result.units, result.count, strict=True)],
        }

    def _apply(self) -> None:
        attempt(self.workspace, lambda: apply_threshold(self.workspace, self.rows()))
        self.refresh()
