"""The Units tab: quality metrics of every unit of the channel, red flags in words, labels."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui
from numpy.typing import NDArray

from neuralsorter.metrics import METRICS, Recording, flags, metrics
from neuralsorter.metrics.span import within
from neuralsorter.project import Project
from neuralsorter.spikes import NOISE

from . import metricstable
from .jobs import on_page
from .latest import Latest
from .workspace import Workspace, attempt

LABELS = ("good", "mua", "unsorted", "noise")
CLICK = (
    "Click a unit to read what speaks against it. Point at a heading for its formula and reference, at a number for its"
    " confidence limits."
)


@dataclass(frozen=True, eq=False)
class Wanted:
    """Whose metrics: the events looked at, and the units they were in."""

    project: Project
    channel: int
    experiment: int | None
    time_range_s: tuple[float, ...] | None
    rows: NDArray[np.int64]
    unit: NDArray[np.int32]

    def same_events(self, other: Wanted) -> bool:
        """Whether only units may differ."""
        mine = (self.channel, self.experiment, self.time_range_s, len(self.rows))
        return self.project is other.project and mine == (
            other.channel, other.experiment, other.time_range_s, len(other.rows)
        )  # fmt: skip


class Units(pn.viewable.Viewer):
    """A table to sort and filter, computed in the background while it is looked at."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self._latest = Latest()
        self._done: tuple[Wanted, pd.DataFrame] | None = None
        self._values = pd.DataFrame()
        self.table = pn.widgets.Tabulator(
            metricstable.empty(),
            titles={metric.name: metric.label for metric in METRICS},
            header_tooltips={metric.name: metric.tooltip for metric in METRICS},
            formatters=metricstable.formatters(), header_filters=metricstable.filters(),
            hidden_columns=metricstable.HIDDEN, frozen_columns=list(metricstable.KEYS), show_index=False,
            disabled=True, selectable=1, height=460, sizing_mode="stretch_width", theme="simple",
            layout="fit_data_table", text_align="right",
        )  # fmt: skip
        self.flags = pmui.Typography(object=CLICK, variant="body2")
        buttons = [
            pmui.Button(
                label=f"Label {text}", size="small", variant="outlined", on_click=lambda _, text=text: self._label(text)
            )
            for text in LABELS
        ]
        save = pmui.FileDownload(
            callback=self._csv, filename="metrics.csv", label="CSV", size="small", margin=(5, 10),
            description="Save the metrics of this channel, with confidence limits",
        )  # fmt: skip
        self._pane = pmui.Column(pmui.Row(*buttons, save), self.table, self.flags, sizing_mode="stretch_width")
        self.table.param.watch(lambda *_: self._show_flags(), "selection")
        workspace.param.watch(lambda *_: self._opened(), "focus")
        workspace.param.watch(lambda *_: self._coloured(), "dark")

    def __panel__(self) -> Any:
        return self._pane

    def _opened(self) -> None:
        self._done = None
        if self.workspace.focus is not None:
            self.workspace.focus.param.watch(lambda *_: self.refresh(), ["channel", "experiment", "time_range_s"])

    def refresh(self) -> None:
        """Compute the metrics of the channel shown; hidden, it does nothing."""
        project, focus = self.workspace.project, self.workspace.focus
        if not self.active or project is None or focus is None or focus.channel is None:
            return
        rows = focus.considered()
        wanted = Wanted(project, int(focus.channel), focus.experiment, focus.time_range_s, rows,
                        project.unit_of(rows))  # fmt: skip
        if self._done is None or not wanted.same_events(self._done[0]):
            self.table.loading = True
        self._latest.wish(lambda: self._work(wanted))

    def wait(self, timeout_s: float) -> bool:
        """Wait until the table is complete."""
        return self._latest.wait(timeout_s)

    def _work(self, wanted: Wanted) -> None:
        """First the units an edit touched, then the others: how far those stand apart may have changed too."""
        document, of = self.workspace.document, self.workspace.queue.recording(wanted.project)
        try:
            before = self._done
            if before is not None and wanted.same_events(before[0]):
                moved = np.flatnonzero(wanted.unit != before[0].unit)
                touched = np.unique([wanted.unit[moved], before[0].unit[moved]])
                fresh = _metrics(wanted, of, [(wanted.channel, int(unit)) for unit in touched if unit > NOISE])
                kept = before[1][~before[1]["unit"].isin(touched)]
                first = pd.concat([kept, fresh], ignore_index=True).sort_values("unit", ignore_index=True)
                self._done = wanted, first
                on_page(document, lambda: self._show(wanted, first))
                if not len(moved):
                    return
            values = _metrics(wanted, of, None)
        except Exception as error:  # noqa: BLE001 - whatever fails here must be said on the page
            sentence = f"The metrics could not be computed: {type(error).__name__}: {error}"
            on_page(document, lambda: self._failed(sentence))
            return
        self._done = wanted, values
        on_page(document, lambda: self._show(wanted, values))

    def _failed(self, sentence: str) -> None:
        self.table.loading = False
        self.workspace.complain(sentence)

    def _show(self, wanted: Wanted, values: pd.DataFrame) -> None:
        self.table.loading = False
        labels = {unit: text for (c, unit), text in wanted.project.labels.items() if c == wanted.channel}
        self._values = values
        self.table.value = metricstable.shown(values, labels, dark=self.workspace.dark)
        self._show_flags()

    def _coloured(self) -> None:
        if self._done is not None:
            self._show(*self._done)

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

    def _csv(self) -> StringIO:
        return StringIO(self._values.to_csv(index=False))

    def _label(self, text: str) -> None:
        row, project, focus = self._chosen(), self.workspace.project, self.workspace.focus
        if row is None or project is None or focus is None or focus.channel is None:
            self.workspace.say("Click a unit in the table first.")
            return
        channel = int(focus.channel)
        attempt(self.workspace, lambda: project.set_label(channel, int(row["unit"]), text))


def _metrics(wanted: Wanted, of: Recording, units: list[tuple[int, int]] | None) -> pd.DataFrame:
    part = wanted.project.spikes.take(wanted.rows).with_unit(wanted.unit)
    if wanted.time_range_s is not None:
        part, of = within(part, of, wanted.time_range_s)
    return metrics(part, of=of, units=units)
