"""The Units tab: quality metrics of every unit of the channel, red flags in words, labels."""

from __future__ import annotations

from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from .workspace import Workspace, attempt

LABELS = ("good", "mua", "unsorted", "noise")


class Units(pn.viewable.Viewer):
    """A sortable table, computed while it is looked at."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self.table = pn.widgets.Tabulator(
            pd.DataFrame(), show_index=False, disabled=True, selectable=1, height=460, sizing_mode="stretch_width",
            theme="simple", layout="fit_data_table",
        )  # fmt: skip
        self.flags = pmui.Typography(object="", variant="body2")
        buttons = [
            pmui.Button(label=f"Label {text}", size="small", on_click=lambda _, text=text: self._label(text))
            for text in LABELS
        ]
        self._pane = pmui.Column(pmui.Row(*buttons), self.table, self.flags, sizing_mode="stretch_width")
        self.table.param.watch(lambda *_: self._show_flags(), "selection")
        workspace.param.watch(lambda *_: self._opened(), "focus")

    def __panel__(self) -> Any:
        return self._pane

    def _opened(self) -> None:
        if self.workspace.focus is not None:
            self.workspace.focus.param.watch(lambda *_: self.refresh(), ["channel", "experiment"])

    def refresh(self) -> None:
        """Compute the metrics of the channel shown; hidden, it does nothing."""
        from neuralsorter.metrics import metrics

        project, focus = self.workspace.project, self.workspace.focus
        if not self.active or project is None or focus is None or focus.channel is None:
            return
        rows = project.rows(focus.channel, focus.experiment)
        table = attempt(self.workspace, lambda: metrics(project.spikes.take(rows)))
        if table is not None:
            labels = [project.labels.get((int(focus.channel), int(unit)), "") for unit in table["unit"]]
            table.insert(2, "label", labels)
            self.table.value = table.round(4)
        self._show_flags()

    def _chosen(self) -> Any:
        if not self.table.selection or len(self.table.value) <= self.table.selection[0]:
            return None
        return self.table.value.iloc[self.table.selection[0]]

    def _show_flags(self) -> None:
        from neuralsorter.metrics import flags

        row = self._chosen()
        if row is None:
            self.flags.object = "Click a unit to read what speaks against it."
            return
        found = flags(row)
        self.flags.object = f"**Unit {int(row['unit'])}**: " + (" ".join(found) if found else "no red flags.")

    def _label(self, text: str) -> None:
        row, project, focus = self._chosen(), self.workspace.project, self.workspace.focus
        if row is None or project is None or focus is None or focus.channel is None:
            self.workspace.say("Click a unit in the table first.")
            return
        attempt(self.workspace, lambda: project.set_label(int(focus.channel), int(row["unit"]), text))
        self.refresh()
