"""The Units tab: quality metrics of every unit of the channel, red flags in words, labels."""

from __future__ import annotations

from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from neuralsorter.metrics import METRICS, flags, metrics, recording
from neuralsorter.project import Project

from .jobs import Jobs
from .workspace import Workspace, attempt

LABELS = ("good", "mua", "unsorted", "noise")
KEYS = ("unit", "label")
CLICK = "Click a unit to read what speaks against it; point at a heading for its formula."


class Units(pn.viewable.Viewer):
    """A sortable table, computed in the background while it is looked at."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self._jobs = Jobs()
        self._again = False
        self._values = pd.DataFrame()
        names = [metric.name for metric in METRICS]
        self.table = pn.widgets.Tabulator(
            pd.DataFrame(columns=[*KEYS, *names]),
            titles={metric.name: metric.label for metric in METRICS},
            header_tooltips={metric.name: metric.tooltip for metric in METRICS},
            frozen_columns=list(KEYS), show_index=False, disabled=True, selectable=1, height=460,
            sizing_mode="stretch_width", theme="simple", layout="fit_data_table", text_align="right",
        )  # fmt: skip
        self.flags = pmui.Typography(object=CLICK, variant="body2")
        buttons = [
            pmui.Button(
                label=f"Label {text}", size="small", variant="outlined", on_click=lambda _, text=text: self._label(text)
            )
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
        project, focus = self.workspace.project, self.workspace.focus
        if not self.active or project is None or focus is None or focus.channel is None:
            return
        if self._jobs.running:
            self._again = True  # what runs is about to be out of date
            return
        channel, experiment = int(focus.channel), focus.experiment
        self.table.loading = True
        self._jobs.start(
            "Computing metrics",
            lambda *_: _of_channel(project, channel, experiment),
            lambda table: self._show(table, channel),
            self._failed,
        )

    def _failed(self, sentence: str) -> None:
        self.table.loading = False
        self.workspace.complain(sentence)

    def _show(self, values: pd.DataFrame, channel: int) -> None:
        project = self.workspace.project
        self.table.loading = False
        if project is not None:
            labels = [project.labels.get((channel, int(unit)), "") for unit in values["unit"]]
            self._values = values.assign(label=labels)
            shown = {m.name: [_text(value, m.digits) for value in values[m.name]] for m in METRICS}
            self.table.value = pd.DataFrame({"unit": values["unit"], "label": labels, **shown})
            self._show_flags()
        if self._again:
            self._again = False
            self.refresh()

    def _chosen(self) -> Any:
        if not self.table.selection or len(self._values) <= self.table.selection[0]:
            return None
        return self._values.iloc[self.table.selection[0]]

    def _show_flags(self) -> None:
        row = self._chosen()
        if row is None:
            self.flags.object = CLICK
            return
        found = flags(row)
        self.flags.object = f"**Unit {int(row['unit'])}**: " + (" ".join(found) if found else "no red flags.")

    def _label(self, text: str) -> None:
        row, project, focus = self._chosen(), self.workspace.project, self.workspace.focus
        if row is None or project is None or focus is None or focus.channel is None:
            self.workspace.say("Click a unit in the table first.")
            return
        channel = int(focus.channel)
        attempt(self.workspace, lambda: project.set_label(channel, int(row["unit"]), text))


def _of_channel(project: Project, channel: int, experiment: int | None) -> pd.DataFrame:
    spikes = project.spikes
    return metrics(spikes.take(project.rows(channel, experiment)), of=recording(spikes))


def _text(value: Any, digits: str) -> Any:
    """Return a number rounded as its metric says, so that sorting still sorts numbers."""
    return None if pd.isna(value) else float(format(float(value), digits.lstrip(",")))
