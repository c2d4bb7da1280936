"""The Judge area below the main screen: one view at a time, opened and closed by its tab."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from .views import VIEWS
from .workspace import Workspace

HEIGHT = 300  # px


class Judge(pn.viewable.Viewer):
    """A row of tabs; the one that is pressed has its view below. Only that one computes."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.views = {kind.title: kind(workspace) for kind in VIEWS}
        self.tabs = pmui.CheckButtonGroup(
            label="Judge", options=list(self.views), value=[], size="small", margin=(4, 6)
        )
        self.place = pmui.Column(sizing_mode="stretch_width", height=HEIGHT, margin=0, visible=False)
        self._pane = pmui.Column(
            pmui.Row(pmui.Typography(object="Judge", variant="subtitle2", margin=(10, 6)), self.tabs, margin=0),
            self.place,
            sizing_mode="stretch_width",
            margin=0,
        )
        self.tabs.param.watch(self._pressed, "value")
        workspace.param.watch(lambda event: self._open(event.new), "view")

    def __panel__(self) -> Any:
        return self._pane

    def _pressed(self, event: Any) -> None:
        """Open the view of the tab pressed last; pressing the open one's closes it."""
        new = [title for title in event.new if title not in event.old]
        self.workspace.view = new[0] if new else (self.workspace.view if self.workspace.view in event.new else "")

    def _open(self, title: str) -> None:
        self.tabs.value = [title] if title else []
        for name, view in self.views.items():
            if name != title:
                view.active = False
        self.place.visible = bool(title)
        self.place.objects = [self.views[title]] if title else []
        if title:
            self.views[title].active = True
