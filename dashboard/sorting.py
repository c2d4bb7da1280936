"""The Sort tab: which sorter, its parameters, what is sorted, and what was found."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from neuralsorter.plugins import discover

from .deciding import select_strays
from .earlier import Earlier
from .findings import Findings
from .sortrun import SCOPES, sort_scope
from .workspace import Workspace, attempt


class Sorting(pn.viewable.Viewer):
    """Settings panel of the chosen sorter, what to sort, and the findings."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        small = {"size": "small"}
        self.choice = pmui.Select(label="Sorter", options=[], sizing_mode="stretch_width", margin=(8, 4), **small)
        self.seed = pmui.IntInput(label="Seed", value=0, start=0, width=90, margin=(8, 4), **small)
        self.settings = pmui.Column(sizing_mode="stretch_width", margin=0)
        self.about = pmui.Typography(object="", variant="caption", sizing_mode="stretch_width")
        self.findings, self.earlier = Findings(workspace), Earlier(workspace)
        self.scope = pmui.Select(label="Sort", options=list(SCOPES), value=SCOPES[0], width=175, margin=(8, 4), **small)
        go = pmui.Button(label="Sort now", color="primary", margin=(12, 2), description="Sort what is chosen here",
                         on_click=lambda _: attempt(workspace, self._sort), **small)  # fmt: skip
        strays = pmui.Button(label="Strays", variant="outlined", margin=(12, 2),
                             description="Select the events shown that are unlike their unit (U)",
                             on_click=lambda _: attempt(workspace, self._strays), **small)  # fmt: skip
        more = pmui.Accordion(
            ("Parameters of the sorter", pmui.Column(self.about, self.settings, margin=0)),
            ("Numbers of an earlier recording", self.earlier),
            active=[], title_variant="subtitle2", disable_gutters=True, sizing_mode="stretch_width", margin=(2, 0),
        )  # fmt: skip
        self._pane = pmui.Column(
            pmui.Row(self.choice, self.seed, margin=0),
            pmui.Row(self.scope, go, strays, margin=0),
            more,
            self.findings,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self.choice.param.watch(self._chosen, "value")
        self.seed.param.watch(lambda event: workspace.param.update(seed=event.new), "value")

    def __panel__(self) -> Any:
        return self._pane

    def refresh(self) -> None:
        """List the sorters when the tab is first looked at."""
        self.findings.active = self.active
        self.findings.refresh()
        if not self.active or self.choice.options:
            return
        found = discover("sorters")
        self._found = {name: plugin for name, plugin in found.items() if not plugin.error}
        broken = [plugin.error for plugin in found.values() if plugin.error]
        self.choice.param.update(options=list(self._found), value=self.workspace.settings.sorter)
        if broken:
            self.workspace.complain(" ".join(broken))

    def _sort(self) -> None:
        sort_scope(self.workspace, self.scope.value)

    def _strays(self) -> None:
        select_strays(self.workspace)

    def _chosen(self, event: Any) -> None:
        plugin = self._found[event.new]
        self.about.object = plugin.doc
        sorter = plugin.target()
        self.settings.objects = [pn.Param(sorter, show_name=False, sizing_mode="stretch_width")]
        self.workspace.sorter = sorter
        self.workspace.sorter_name = event.new
