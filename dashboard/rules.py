"""The stages beside the network: choose a rule, look at what it would take, apply it as one edit."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from numpy.typing import NDArray

from neuralsorter import __version__
from neuralsorter.stages import STAGES, BadEpochs, Found, Stage

from .algorithms import writable
from .jobs import Report
from .scope import Scope
from .timeline import Timeline
from .workspace import Workspace, attempt

NOWHERE = "Preview first: nothing changes before Apply."
MOST_CHANNELS = 40
_WIDGETS: tuple[tuple[Any, Any], ...] = (
    (param.Boolean, pmui.Checkbox),
    (param.Integer, pmui.IntInput),
    (param.Number, pmui.FloatInput),
    (param.String, pmui.TextInput),
)


class Rules(pn.viewable.Viewer):
    """One stage at a time. What is applied is what was previewed: any change forgets the preview."""

    def __init__(self, workspace: Workspace, scope: Scope, **params: Any) -> None:
        super().__init__(**params)
        self.workspace, self.scope = workspace, scope
        self.active = False
        self._stages: dict[str, Stage] = {key: make() for key, make in STAGES.items()}
        self._found: Found | None = None
        self._goes: NDArray[np.int64] = np.zeros(0, np.int64)
        self.choice = pmui.Select(
            label="Rule", options={stage.title: key for key, stage in STAGES.items()}, value=next(iter(STAGES)),
            size="small", sizing_mode="stretch_width", margin=(14, 10, 4, 10),
        )  # fmt: skip
        self.about = pmui.Typography(object="", variant="body2")
        self.settings = pmui.FlexBox(margin=0, sizing_mode="stretch_width")
        self.timeline = Timeline(self._epochs_dragged)
        self._time = pmui.Column(self.timeline, margin=0, visible=False)
        self.told = pmui.Typography(object=NOWHERE, variant="body2")
        self.where = pmui.Select(label="Look at them on", options={}, size="small", visible=False,
                                 sizing_mode="stretch_width")  # fmt: skip
        self.look = pmui.Button(
            label="Preview", size="small", variant="outlined", on_click=lambda _: self._look(),
        )  # fmt: skip
        self.apply = pmui.Button(
            label="Apply rule", size="small", color="primary", disabled=True,
            on_click=lambda _: attempt(workspace, self._apply),
        )  # fmt: skip
        self._pane = pmui.Column(
            self.choice, self.about, self.settings, self._time, pmui.Row(self.look, self.apply), self.told, self.where,
            margin=0,
        )  # fmt: skip
        for stage in self._stages.values():
            stage.param.watch(lambda *_: self._changed(), [name for name in stage.param if name != "name"])
        self.choice.param.watch(lambda *_: self._chosen(), "value")
        self.where.param.watch(lambda event: self._go_to(event.new), "value")
        scope.param.watch(lambda *_: self.forget(), "reach")
        workspace.param.watch(lambda *_: self.forget(), ["edits", "project"])
        workspace.param.watch(lambda *_: self._opened(), "focus")
        self._chosen()

    def __panel__(self) -> Any:
        return self._pane

    @property
    def stage(self) -> Stage:
        """The rule chosen, with its settings."""
        return self._stages[str(self.choice.value)]

    def _opened(self) -> None:
        if self.workspace.focus is not None:
            self.workspace.focus.param.watch(lambda *_: self._shown_elsewhere(), ["channel", "experiment"])

    def refresh(self) -> None:
        """Draw the timeline; hidden, it does nothing."""
        stage, project, focus = self.stage, self.workspace.project, self.workspace.focus
        if not self.active or not isinstance(stage, BadEpochs) or project is None or focus is None:
            return
        stage.experiment = focus.experiment or 0
        rows = np.flatnonzero(project.spikes.experiment == stage.experiment)
        self.timeline.draw(project.times_of(rows))

    def _chosen(self) -> None:
        stage = self.stage
        self.about.object = (type(stage).__doc__ or "").partition("\n")[0]
        self._time.visible = isinstance(stage, BadEpochs)
        self.settings.objects = [_widget(stage, name) for name in stage.param if _asked(stage, name)]
        self.forget()
        self.refresh()

    def _changed(self) -> None:
        self.forget()
        stage = self.stage
        if isinstance(stage, BadEpochs):
            attempt(self.workspace, lambda: self.timeline.mark(stage.epochs_s))

    def _epochs_dragged(self, text: str) -> None:
        stage = self.stage
        if isinstance(stage, BadEpochs):
            stage.epochs_s = text

    def forget(self) -> None:
        """Drop the preview."""
        if self._found is None and self.told.object == NOWHERE:
            return
        self._found, self._goes = None, np.zeros(0, np.int64)
        self.told.object = NOWHERE
        self.apply.disabled = True
        self.where.visible = False

    def _look(self) -> None:
        project, stage = self.workspace.project, self.stage
        if project is None:
            self.workspace.say("Nothing is open. Open a recording first.")
            return
        rows, settings = self.scope.rows(), stage.provenance()

        def work(report: Report, _: threading.Event) -> Found:
            return stage.find(project.spikes, rows, report)

        def done(found: Found) -> None:
            if self.workspace.project is project and stage.provenance() == settings and stage is self.stage:
                self._show(found, len(rows))

        self.workspace.jobs.start("Looking", work, done, self.workspace.complain)

    def _show(self, found: Found, n_asked: int) -> None:
        project = self.workspace.project
        if project is None:
            return
        self._found, self._goes = found, project.preview_screen(found.rows)
        n, already = len(self._goes), len(found.rows) - len(self._goes)
        channels, counts = np.unique(project.spikes.channel[self._goes], return_counts=True)
        self.told.object = " ".join(
            (
                f"**{n:,}** of {n_asked:,} events would go to noise, on {len(channels)} channels.",
                f"{already:,} more are noise already, or in locked units." if already else "",
                found.note,
            )
        )
        self.apply.disabled = not len(found.rows)
        order = np.argsort(-counts, kind="stable")[:MOST_CHANNELS]
        options = {f"channel {channels[i]}: {counts[i]:,} events": int(channels[i]) for i in order}
        self.where.param.update(options=options, visible=bool(options))
        self._select()

    def _go_to(self, channel: int | None) -> None:
        focus = self.workspace.focus
        if channel is not None and focus is not None and self._found is not None and focus.channel != channel:
            focus.param.update(channel=channel, unit=None)

    def _shown_elsewhere(self) -> None:
        self.refresh()
        if self._found is not None:
            self._select()

    def _select(self) -> None:
        """Show, selected, which events of the channel would go."""
        if self.workspace.focus is not None and len(self._goes):
            self.workspace.region = {}
            self.workspace.focus.select(self._goes)

    def _apply(self) -> None:
        project, found, stage = writable(self.workspace), self._found, self.stage
        if found is None:
            return
        n = len(self._goes)
        params = {**stage.provenance(), **self.scope.told(), "found": len(found.rows), "note": found.note,
                  "version": __version__}  # fmt: skip
        edit = project.screen(found.rows, f"{stage.title.lower()}: {n:,} events to noise", params)
        self.workspace.say(
            "Nothing changed." if edit is None else f"{stage.title}: {n:,} events sent to noise. Undo brings them back."
        )
        self.forget()


def _asked(stage: Stage, name: str) -> bool:
    precedence = stage.param[name].precedence
    return name != "name" and (precedence is None or precedence >= 0)


def _widget(stage: Stage, name: str) -> Any:
    """Return the field of one setting."""
    parameter = stage.param[name]
    make = next(widget for kind, widget in _WIDGETS if isinstance(parameter, kind))
    wide = isinstance(parameter, param.String)
    return make.from_param(
        parameter, label=parameter.label, description=parameter.doc, size="small", width=330 if wide else 150
    )
