"""Start from an earlier recording: units get the numbers, and labels, of the units they most likely are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from neuralsorter.errors import DataError
from neuralsorter.project import Project

from .algorithms import writable
from .workspace import Workspace, attempt

if TYPE_CHECKING:
    from neuralsorter.sorting import Match

EXPLAIN = (
    "A project or sorted file of the same electrodes. Each unit here gets the number of the unit there whose mean"
    " waveform it has, where that is sure. One edit."
)
MOST_TOLD = 12


class Earlier(pn.viewable.Viewer):
    """A path, a button, and who is who."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.path = pmui.TextInput(label="Earlier project or file", size="small", sizing_mode="stretch_width")
        self.told = pmui.Typography(object="", variant="caption")
        self._pane = pmui.Column(
            pmui.Typography(object=EXPLAIN, variant="caption"), self.path,
            pmui.Button(label="Number units as there", size="small", variant="outlined",
                        on_click=lambda _: attempt(workspace, self.start)),
            self.told, sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def __panel__(self) -> Any:
        return self._pane

    def start(self) -> None:
        """Compare off the event loop, then renumber as one edit."""
        project, text = writable(self.workspace), str(self.path.value).strip()
        if not text:
            raise DataError("Name the project or file whose unit numbers you want.")
        path = self.workspace.allowed(Path(text).expanduser())

        def work(*_: Any) -> Any:
            from neuralsorter.loading import load
            from neuralsorter.sorting import like

            earlier = load(path)
            return *like(project.spikes, earlier), earlier.labels

        self.workspace.jobs.start(
            "Comparing units", work, lambda found: self._apply(project, path, *found), self.workspace.complain
        )

    def _apply(
        self, project: Project, path: Path, units: Any, matches: dict[int, list[Match]], labels: dict[Any, str]
    ) -> None:
        if self.workspace.project is not project:
            return
        sure = [(channel, m) for channel, found in matches.items() for m in found if m.other is not None]
        n = sum(map(len, matches.values()))
        if not sure:
            self.told.object = self._say(f"None of {n} units looks like a unit in {path.name}: nothing was changed.")
            return
        rows = np.flatnonzero(units > 0)
        given = {
            (channel, m.other): labels[channel, m.other] for channel, m in sure
            if m.other is not None and labels.get((channel, m.other), "unsorted") != "unsorted"
        }  # fmt: skip
        params = {"earlier": path.name, "confidence": [[c, m.unit, m.other, round(m.confidence, 3)] for c, m in sure]}
        said = f"{len(sure)} of {n} units got their number from {path.name}."
        project.take_sort(rows, units[rows], given, said, params)
        lines = [f"channel {c}: {m.unit} is {m.other} ({m.confidence:.0%} sure)" for c, m in sure[:MOST_TOLD]]
        more = f"and {len(sure) - MOST_TOLD} more" if len(sure) > MOST_TOLD else ""
        self.told.object = "  \n".join([self._say(said), *lines, more])

    def _say(self, sentence: str) -> str:
        self.workspace.say(sentence)
        return sentence
