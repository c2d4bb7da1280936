"""Noise looked through: shown alone, picked by P(spike), and brought back to the unit it was in."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from neuralsorter.spikes import NOISE

from .algorithms import judged, writable
from .workspace import Workspace, attempt


class Noise(pn.viewable.Viewer):
    """What is noise on the channel shown, and the way back."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self.about = pmui.Typography(object="", variant="body2")
        small = {"size": "small", "variant": "outlined"}
        self.alone = pmui.Button(label="Show noise alone", on_click=lambda _: self._show(NOISE), **small)
        self.units = pmui.Button(label="Show units", on_click=lambda _: self._show(None), **small)
        self.between = pmui.RangeSlider(
            label="P(spike) from … to", start=0.0, end=1.0, step=0.01, value=(0.3, 1.0), sizing_mode="stretch_width"
        )
        self.pick = pmui.Button(
            label="Select noise in this range", on_click=lambda _: self._pick(), **small,
            description="Of the channel shown; draw a lasso instead to pick by shape",
        )  # fmt: skip
        self.back = pmui.Button(
            label="Return selected to former unit", color="primary", size="small",
            on_click=lambda _: attempt(workspace, self._bring_back),
            description="One edit; what never was in a unit stays",
        )  # fmt: skip
        self._pane = pmui.Column(
            self.about, pmui.Row(self.alone, self.units), self.between, self.pick, self.back, margin=0
        )
        workspace.param.watch(lambda *_: self.refresh(), ["edits", "probability"])
        workspace.param.watch(lambda *_: self._opened(), "focus")

    def __panel__(self) -> Any:
        return self._pane

    def _opened(self) -> None:
        if self.workspace.focus is not None:
            self.workspace.focus.param.watch(lambda *_: self.refresh(), ["channel", "experiment"])

    def refresh(self) -> None:
        """Count the noise of the channel shown; hidden, it does nothing."""
        project, focus = self.workspace.project, self.workspace.focus
        if not self.active or project is None or focus is None or focus.channel is None:
            return
        rows = project.rows(focus.channel, focus.experiment, NOISE)
        taken = int(np.count_nonzero(project.by_cleaner[rows]))
        self.about.object = (
            f"**{len(rows):,}** events of channel {focus.channel} are noise: {taken:,} taken by a cleaner, whose"
            f" threshold may bring them back, and {len(rows) - taken:,} by a person, a rule or the file, which only you"
            " bring back."
        )
        known = judged(self.workspace) is not None
        self.between.disabled = self.pick.disabled = not known

    def _show(self, unit: int | None) -> None:
        if self.workspace.focus is not None:
            self.workspace.focus.unit = unit

    def _pick(self) -> None:
        project, focus, probability = self.workspace.project, self.workspace.focus, judged(self.workspace)
        if project is None or focus is None or focus.channel is None or probability is None:
            return
        rows = project.rows(focus.channel, focus.experiment, NOISE)
        low, high = self.between.value
        chosen = rows[(probability[rows] >= low) & (probability[rows] <= high)]
        if not len(chosen):
            self.workspace.say(f"No noise of channel {focus.channel} has a P(spike) from {low:.2f} to {high:.2f}.")
            return
        focus.unit = NOISE
        focus.select(chosen)

    def _bring_back(self) -> None:
        project, focus = writable(self.workspace), self.workspace.focus
        if focus is None:
            return
        rows = focus.selected
        rows = rows[project.unit_of(rows) == NOISE]
        if not len(rows):
            self.workspace.say("No noise is selected. Show noise alone, then select events by lasso or by P(spike).")
            return
        edit = project.bring_back(rows)
        moved = 0 if edit is None else len(edit.rows)
        self.workspace.say(f"{moved:,} events back from noise to their former units. {project.last_note}".rstrip())
