"""The threshold on P(spike): a histogram with a line to drag, and what would go and stay, while it moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, Span
from bokeh.plotting import figure
from numpy.typing import NDArray

from .algorithms import apply_threshold, judged
from .evidence import WIDTH
from .jobs import on_page, this_page
from .scope import Scope
from .sides import GO, STAY, Sides
from .workspace import Workspace, attempt

BINS = 50
FOLLOW_MS = 60  # between pictures while the line is dragged
FIRST = "Press **Clean** (Ctrl+C) first: the cleaner then says how likely each event is a spike."


class Threshold(pn.viewable.Viewer):
    """Nothing changes before Apply."""

    def __init__(self, workspace: Workspace, scope: Scope, **params: Any) -> None:
        super().__init__(**params)
        self.workspace, self.scope = workspace, scope
        self.active = False
        self._document = this_page()
        self._waiting = False
        self._movable: NDArray[np.int64] = np.zeros(0, np.int64)
        self.slider = pmui.FloatSlider.from_param(
            workspace.param.threshold, label="Threshold on P(spike)", step=0.01, sizing_mode="stretch_width"
        )
        self.preview = pmui.Typography(object=FIRST, variant="body2")
        self.sides = Sides()
        self.apply = pmui.Button(
            label="Apply threshold", color="primary", size="small", on_click=lambda _: self._apply()
        )
        self._bars = ColumnDataSource({"left": [], "right": [], "top": [], "colour": []})
        self._mark = Span(
            location=workspace.threshold, dimension="height", line_color="#d05807", line_width=3, editable=True,
            hover_line_color="#8f3a00", hover_line_width=5,
        )  # fmt: skip
        self._pane = pmui.Column(
            pn.pane.Bokeh(self._histogram()), self.slider, self.preview, self.sides, self.apply, margin=0
        )
        self._mark.on_change("location", lambda _attr, _old, new: self._dragged(new))
        workspace.param.watch(lambda *_: self.refresh(), ["probability", "focus", "edits", "dark"])
        workspace.param.watch(lambda *_: self._moved(), "threshold")
        workspace.param.watch(lambda *_: self._opened(), "focus")
        scope.param.watch(lambda *_: self.refresh(), "reach")

    def __panel__(self) -> Any:
        return self._pane

    def _histogram(self) -> figure:
        plot = figure(width=WIDTH, height=150, toolbar_location=None, tools="", x_range=(0, 1), name="P(spike)",
                      x_axis_label="P(spike): drag the line, or click", y_axis_label="events")  # fmt: skip
        plot.quad("left", "right", "top", 0, source=self._bars, fill_color="colour", line_color=None)
        plot.add_layout(self._mark)
        plot.yaxis.formatter.use_scientific = False
        plot.grid.grid_line_alpha = 0.25
        plot.on_event(Tap, lambda event: self._dragged(event.x))
        return plot

    def _opened(self) -> None:
        if self.workspace.focus is not None:
            self.workspace.focus.param.watch(lambda *_: self._shown_elsewhere(), ["channel", "experiment"])

    def _shown_elsewhere(self) -> None:
        if self.scope.reach != "everything":
            self.refresh()

    def _dragged(self, place: float | None) -> None:
        if place is not None:
            self.workspace.threshold = round(min(max(float(place), 0.0), 1.0), 2)
            self._mark.location = self.workspace.threshold

    def _moved(self) -> None:
        """Follow the threshold: the line at once, the rest a moment later, once for many moves."""
        if self._mark.location != self.workspace.threshold:
            on_page(self._document, lambda: self._mark.update(location=self.workspace.threshold))
        if not self.active or self._waiting:
            return
        self._waiting = True
        on_page(self._document, self._draw_later, after_ms=FOLLOW_MS)

    def _draw_later(self) -> None:
        self._waiting = False
        self._draw()

    def refresh(self) -> None:
        """Look at the events anew; hidden, it does nothing."""
        if self.active:  # figures change only where the page's lock is held, which a widget's own event may lack
            on_page(self._document, self._refresh)

    def _refresh(self) -> None:
        project, probability = self.workspace.project, judged(self.workspace)
        self.sides.ink_for(dark=self.workspace.dark)
        if project is None or probability is None:
            self._movable = np.zeros(0, np.int64)
        else:
            # What a person or a rule called noise, and locked units, are on neither side: no threshold moves them.
            self._movable = project.movable(self.scope.rows())
            self.sides.hold(project, self._movable)
        self._draw()

    def _draw(self) -> None:
        project, probability = self.workspace.project, judged(self.workspace)
        if project is None or probability is None or not self.active:
            self.preview.object = FIRST
            self._bars.data = {"left": [], "right": [], "top": [], "colour": []}
            self.sides.clear()
            return
        threshold = self.workspace.threshold
        rows = self._movable
        counts, edges = np.histogram(probability[rows], bins=BINS, range=(0, 1))
        colour = [GO if edge < threshold else STAY for edge in edges[:-1]]
        self._bars.data = {"left": edges[:-1], "right": edges[1:], "top": counts, "colour": colour}
        gone, back = project.preview_clean(rows, probability[rows], threshold)
        self.preview.object = (
            f"**{gone:,}** events would go to noise, **{back:,}** would come back; of {len(rows):,} that a threshold"
            " may move."
        )
        self.sides.draw(probability[rows] >= threshold)

    def _apply(self) -> None:
        attempt(self.workspace, lambda: apply_threshold(self.workspace, self.scope.rows(), self.scope.told()))
