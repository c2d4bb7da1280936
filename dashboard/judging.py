"""The Judge area below the main screen: one view at a time, opened and closed by its tab; and the times looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from .viewbar import ViewBar
from .views import VIEWS, View
from .workspace import Workspace

HEIGHT = 300  # px


class Judge(pn.viewable.Viewer):
    """A row of tabs; the one that is pressed has its view below. Only that one computes, and none is built before."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self._kinds = {kind.title: kind for kind in VIEWS}
        self.views: dict[str, View] = {}  # those opened so far
        self._places: dict[str, pmui.Column] = {}
        self.tabs = ViewBar(self._clicked, names=list(self._kinds), margin=0)
        self.times = pmui.RangeSlider(
            label="Times (s)", start=0.0, end=1.0, value=(0.0, 1.0), step=0.1, width=230, size="small",
            margin=(0, 14), visible=False,
        )  # fmt: skip
        self.place = pmui.Column(sizing_mode="stretch_width", height=HEIGHT, margin=0, visible=False)
        bar = pmui.Row(self.tabs, self.times, margin=0, sx={"alignItems": "center"})
        self._pane = pmui.Column(bar, self.place, sizing_mode="stretch_width", margin=0)
        self.times.param.watch(self._limited, "value_throttled")
        workspace.param.watch(lambda event: self._open(event.new), "view")
        workspace.param.watch(lambda *_: self._opened(), "focus")

    def __panel__(self) -> Any:
        return self._pane

    def _opened(self) -> None:
        project, focus = self.workspace.project, self.workspace.focus
        if project is None or focus is None:
            return
        last = project.last_time_s
        end = float(np.ceil(last * 10) / 10) + 0.1
        self.times.param.update(start=0.0, end=end, value=(0.0, end), visible=last > 0)
        focus.param.watch(lambda event: self._range_changed(event.new), "time_range_s")

    def _limited(self, event: Any) -> None:
        """Look only at the events between two times, everywhere on the page."""
        if self.workspace.focus is not None:
            whole = event.new[0] <= self.times.start and event.new[1] >= self.times.end
            self.workspace.focus.time_range_s = None if whole else tuple(event.new)

    def _range_changed(self, span: tuple[float, ...] | None) -> None:
        self.times.value = (self.times.start, self.times.end) if span is None else span

    def _clicked(self, title: str) -> None:
        """Open the view of a tab; a click on the open one's closes it."""
        if title in self._kinds:
            self.workspace.view = "" if title == self.workspace.view else title

    def _open(self, title: str) -> None:
        self.tabs.current = title
        for name, view in self.views.items():
            if name != title:
                view.active = False
        # A view joins the page when it is first opened and then stays: to take a figure away while something on it
        # is still on its way to the browser is an error there.
        if title and title not in self._places:
            self.views[title] = self._kinds[title](self.workspace)
            self._places[title] = pmui.Column(self.views[title], sizing_mode="stretch_both", margin=0, visible=False)
            self.place.append(self._places[title])
        for name, place in self._places.items():
            place.visible = name == title
        self.place.visible = bool(title)
        if title:
            self.views[title].active = True
