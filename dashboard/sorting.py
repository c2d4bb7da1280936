"""The Sort tab: which sorter, its parameters, and what is sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from neuralsorter.plugins import discover
from neuralsorter.spikes import NOISE

from .algorithms import sort_rows, sort_shown
from .workspace import Workspace, attempt


class Sorting(pn.viewable.Viewer):
    """Settings panel of the chosen sorter, and two buttons."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self.choice = pmui.Select(label="Sorter", options=[], size="small", sizing_mode="stretch_width")
        self.seed = pmui.IntInput(label="Seed", value=0, start=0, size="small", width=120)
        self.settings = pmui.Column(sizing_mode="stretch_width")
        self.about = pmui.Typography(object="", variant="body2")
        self.shown = pmui.Button(label="Sort what is shown", color="primary", size="small",
                                 on_click=lambda _: attempt(workspace, lambda: sort_shown(workspace)))  # fmt: skip
        self.everything = pmui.Button(label="Sort all channels", size="small", variant="outlined",
                                      on_click=lambda _: attempt(workspace, self._sort_all))  # fmt: skip
        self._pane = pmui.Column(
            self.choice, self.about, self.settings, self.seed, pmui.Row(self.shown, self.everything),
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.choice.param.watch(self._chosen, "value")
        self.seed.param.watch(lambda event: workspace.param.update(seed=event.new), "value")

    def __panel__(self) -> Any:
        return self._pane

    def refresh(self) -> None:
        """List the sorters when the tab is first looked at."""
        if not self.active or self.choice.options:
            return
        found = discover("sorters")
        self._found = {name: plugin for name, plugin in found.items() if not plugin.error}
        broken = [plugin.error for plugin in found.values() if plugin.error]
        self.choice.param.update(options=list(self._found), value=self.workspace.settings.sorter)
        if broken:
            self.workspace.complain(" ".join(broken))

    def _chosen(self, event: Any) -> None:
        plugin = self._found[event.new]
        self.about.object = plugin.doc
        sorter = plugin.target()
        self.settings.objects = [pn.Param(sorter, show_name=False, sizing_mode="stretch_width")]
        self.workspace.sorter = sorter

    def _sort_all(self) -> None:
        project = self.workspace.project
        if project is not None:
            sort_rows(self.workspace, np.flatnonzero(project.unit > NOISE))
