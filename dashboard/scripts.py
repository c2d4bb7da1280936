"""The Utilities tab: a list of scripts, their source, their parameters as widgets, Run, and the result."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from numpy.typing import NDArray

from neuralsorter.errors import PluginError, ProjectError
from neuralsorter.scripting import scripts
from neuralsorter.scripting.script_runner import ScriptResult, ScriptRunner
from neuralsorter.scripting.scripts import Parameter, Script

from .jobs import Jobs, Report
from .people import may_run_own_scripts
from .results import Pinned, Result
from .workspace import Workspace, attempt

TIME_LIMIT_S = 60.0


class Scripts(pn.viewable.Viewer):
    """Scripts act on what the main screen shows, each run in a process of its own."""

    def __init__(self, workspace: Workspace, **params: Any) -> None:
        super().__init__(**params)
        self.workspace = workspace
        self.active = False
        self.jobs = Jobs()
        self.runner = ScriptRunner()
        self._scripts: dict[str, Script] = {}
        self._last: tuple[ScriptResult, str, NDArray[np.int64], NDArray[np.int32]] | None = None
        self.choice = pmui.Select(label="Script", options=[], size="small", width=300, searchable=True)
        self.run_button = pmui.Button(
            label="Run", color="primary", size="small", margin=(14, 4), on_click=lambda _: self.run()
        )
        self.stop = pmui.Button(
            label="Stop", size="small", margin=(14, 4), visible=False, on_click=lambda _: self.jobs.cancel()
        )
        self.keep = pmui.Button(label="Save as my script", size="small", margin=(14, 4), variant="outlined",
                                on_click=lambda _: attempt(workspace, self.save))  # fmt: skip
        self.about = pmui.Typography(object="", variant="body2")
        self.parameters = pmui.Column(sizing_mode="stretch_width")
        self.editor = pn.widgets.CodeEditor(language="python", theme="github_light_default", height=430, on_keyup=True,
                                            sizing_mode="stretch_width", label="Source")  # fmt: skip
        self.result = pmui.Column(sizing_mode="stretch_width", min_height=300)
        self.printed = pn.pane.Str("", sizing_mode="stretch_width", styles={"max-height": "180px", "overflow": "auto"})
        self.apply = pmui.Button(label="Apply proposal", color="primary", size="small", visible=False,
                                 on_click=lambda _: attempt(workspace, self.apply_proposal))  # fmt: skip
        left = pmui.Column(
            pmui.Row(self.choice, self.run_button, self.stop, self.keep),
            self.about, self.parameters, self.editor, sizing_mode="stretch_width",
        )  # fmt: skip
        self.pin = pmui.Button(
            label="Pin",
            size="small",
            variant="outlined",
            visible=False,
            on_click=lambda _: self.keep_result(),
            description="Keep this result below while other scripts run",
        )
        self.pinned = Pinned()
        right = pmui.Column(self.result, pmui.Row(self.apply, self.pin, margin=0), self.printed, self.pinned,
                            sizing_mode="stretch_width")  # fmt: skip
        self._pane = pmui.Row(left, right, sizing_mode="stretch_width")
        self.editor.readonly = not may_run_own_scripts()
        self.keep.visible = may_run_own_scripts()
        self.choice.param.watch(lambda event: self._chosen(event.new), "value")
        self.jobs.param.watch(lambda event: self.stop.param.update(visible=event.new), "running")

    def __panel__(self) -> Any:
        return self._pane

    def refresh(self) -> None:
        """List the scripts and start a process for the first run, once somebody looks here."""
        if not self.active or self._scripts:
            return
        self.runner.prewarm()
        self._list()
        self.result.objects = [pmui.Typography(object="Press **Run**: the script gets the events on the main screen.")]

    def _list(self, chosen: str | None = None) -> None:
        self._scripts = {script.name: script for script in scripts.available()}
        options = {
            f"{script.title}{'' if script.bundled else ' (yours)'}{' (broken)' if script.error else ''}": name
            for name, script in self._scripts.items()
        }
        first = chosen or next(iter(self._scripts), None)
        self.choice.param.update(options=options, value=first)
        if first is not None:
            self._chosen(first)

    def _chosen(self, name: str) -> None:
        script = self._scripts.get(name)
        if script is None:
            return
        self.editor.value = script.source
        self.about.object = script.error or script.doc
        self.parameters.objects = [pmui.Row(*(_widget(parameter) for parameter in script.parameters))]

    def _values(self, script: Script) -> dict[str, Any]:
        """Return the widgets' values of the parameters that the edited source still has."""
        widgets = {w.tags[0]: w.value for row in self.parameters.objects for w in row.objects if w.tags}
        known = {parameter.name: parameter for parameter in script.parameters}
        return {name: value for name, value in widgets.items() if name in known and value is not None}

    def run(self) -> None:
        """Run the source in the editor on what the main screen shows."""
        name = self.choice.value or "script"
        source = str(self.editor.value) if may_run_own_scripts() else self._scripts[name].source
        script = scripts.describe_source(source, name)
        try:
            shown = self.workspace.shown_spikes()
            values = self._values(script)
        except ProjectError as error:
            self._failed(str(error))
            return
        rows = np.asarray(self.workspace.focus.shown if self.workspace.focus is not None else (), np.int64)

        def work(_: Report, cancel: threading.Event) -> ScriptResult:
            return self.runner.run(source, name, shown, values, timeout_s=TIME_LIMIT_S, cancel=cancel)

        self.result.loading = True
        show = partial(self._show, name=name, rows=rows, before=shown.unit)
        started = self.jobs.start(f"Running {name}", work, show, self._failed)
        if not started:
            self.result.loading = False

    def _failed(self, sentence: str) -> None:
        none = np.zeros(0, np.int64)
        self._show(ScriptResult("none", error=sentence), "script", none, none.astype(np.int32))

    def _show(self, result: ScriptResult, name: str, rows: NDArray[np.int64], before: NDArray[np.int32]) -> None:
        """Show a result of the events at `rows`, which were in the units `before`."""
        self.result.loading = False
        self._last = result, name, rows, before
        self.apply.visible = result.kind == "proposal"
        self.pin.visible = result.payload is not None
        self.printed.object = result.output
        self.result.objects = [Result(result, name, before)]

    def keep_result(self) -> None:
        """Pin the result shown."""
        if self._last is not None and self._last[0].payload is not None:
            result, name, rows, before = self._last
            script = self._scripts.get(name)
            self.pinned.add(result, name, before, f"{script.title if script else name} · {len(rows):,} events")

    def save(self) -> None:
        """Save the source to the user's own folder."""
        if not may_run_own_scripts():
            raise PluginError("This server runs its own scripts only. Start it with --allow-scripts to save others.")
        name = str(self.choice.value or "my_script")
        path = scripts.save(str(self.editor.value), name)
        self._list(name)
        self.workspace.say(f"Saved as {path}.")

    def apply_proposal(self) -> None:
        """Make the units a script proposed the events' units, as one undoable edit."""
        project = self.workspace.project
        if project is None or self._last is None or self._last[0].kind != "proposal":
            raise PluginError("There is no proposal to apply. Run a script that returns new unit numbers first.")
        result, name, rows, _ = self._last
        edit = project.assign_units(rows, result.payload, kind="script", label=f"script {name}")
        self.apply.visible = False
        self.workspace.say(f"The script's proposal changed {0 if edit is None else len(edit.rows):,} events.")

    def close(self) -> None:
        """End the processes that ran scripts."""
        self.jobs.cancel()
        self.runner.close()


def _widget(parameter: Parameter) -> Any:
    """Return the widget of one parameter; `tags` holds the parameter's name."""
    shared: dict[str, Any] = {
        "label": parameter.name.replace("_", " "), "value": parameter.default, "tags": [parameter.name],
        "description": parameter.doc or None, "size": "small", "width": 150,
    }  # fmt: skip
    if parameter.kind == "bool":
        return pmui.Checkbox(**{k: v for k, v in shared.items() if k not in ("width", "description")})
    if parameter.kind == "choice":
        return pmui.Select(options=list(parameter.choices), **shared)
    if parameter.kind == "str":
        return pmui.TextInput(**shared)
    low, high = parameter.bounds or (None, None)
    kind = pmui.IntInput if parameter.kind == "int" else pmui.FloatInput
    return kind(start=low, end=high, **shared)
