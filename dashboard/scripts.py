"""The Utilities tab: a list of scripts, their source, their parameters as widgets, Run, and the result."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from numpy.typing import NDArray

from neuralsorter.errors import PluginError
from neuralsorter.scripting import scripts
from neuralsorter.scripting.script_runner import ScriptResult, ScriptRunner
from neuralsorter.scripting.scripts import Parameter, Script

from .jobs import Jobs, Report
from .people import may_run_own_scripts
from .results import Pinned, Result
from .workspace import Workspace, attempt

PRINTED = 50_000  # characters shown
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
        self._asked: tuple[Parameter, ...] = ()
        self._widgets: list[Any] = []
        self._last: tuple[ScriptResult, str, NDArray[np.int64], NDArray[np.int32]] | None = None
        self.choice = pmui.Select(
            label="Script", options=[], size="small", width=300, searchable=True, margin=(12, 4, 0, 10)
        )
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
        self.shown = Result(dark=workspace.param.dark)
        self.result = pmui.Column(self.shown, sizing_mode="stretch_width", min_height=300)
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
        self.pinned = Pinned(dark=workspace.param.dark)
        right = pmui.Column(self.result, pmui.Row(self.apply, self.pin, margin=0), self.printed, self.pinned,
                            sizing_mode="stretch_width")  # fmt: skip
        self._pane = pmui.Row(left, right, sizing_mode="stretch_width")
        self.editor.readonly = not may_run_own_scripts()
        self.keep.visible = may_run_own_scripts()
        self.choice.param.watch(lambda event: self._chosen(event.new), "value")
        self.editor.param.watch(lambda event: self._edited(str(event.new)), "value")
        self.jobs.param.watch(lambda event: self.stop.param.update(visible=event.new), "running")

    def __panel__(self) -> Any:
        return self._pane

    def refresh(self) -> None:
        """List the scripts and start a process for the first run, once somebody looks here."""
        if not self.active or self._scripts:
            return
        self.runner.prewarm()
        self._list()
        self.shown.parts.objects = [
            pmui.Typography(object="Press **Run**: the script gets the events on the main screen.")
        ]

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
        self._ask(script.parameters)
        self.editor.value = script.source
        self.about.object = script.error or script.doc

    def _edited(self, source: str) -> None:
        """Follow the signature that is being written; what is half written changes nothing."""
        script = scripts.describe_source(source, str(self.choice.value or "script"))
        if not script.error and script.parameters != self._asked:
            self._ask(script.parameters)

    def _ask(self, parameters: tuple[Parameter, ...]) -> None:
        """Show a widget for each parameter; one that was there as it is keeps its value."""
        kept = {p.name: w for p, w in zip(self._asked, self._widgets, strict=True) if p in parameters}
        self._asked = parameters
        self._widgets = [kept.get(parameter.name) or _widget(parameter) for parameter in parameters]
        self.parameters.objects = [pmui.Row(*self._widgets)]

    def _values(self, script: Script) -> dict[str, Any]:
        """Return the widgets' values of the parameters that the edited source still has."""
        known = {parameter.name for parameter in script.parameters}
        given = {p.name: w.value for p, w in zip(self._asked, self._widgets, strict=True)}
        return {name: value for name, value in given.items() if name in known and value is not None}

    def run(self) -> None:
        """Run the source in the editor on what the main screen shows."""
        name = self.choice.value or "script"
        source = str(self.editor.value) if may_run_own_scripts() else self._scripts[name].source
        script = scripts.describe_source(source, name)
        project, focus = self.workspace.project, self.workspace.focus
        if project is None or focus is None or focus.channel is None:
            self._failed("Nothing is open. Open a recording first.")
            return
        rows, values = np.asarray(focus.shown, np.int64), self._values(script)
        before, channel = project.unit_of(rows), int(focus.channel)

        def work(_: Report, cancel: threading.Event) -> ScriptResult:
            whole = project.spikes
            return self.runner.run(
                source, name, whole.take(_run_of(rows)).with_unit(before), values,
                channel=whole.take(_run_of(project.rows(channel))) if "channel" in source else None,
                everything=whole if "everything" in source else None,
                timeout_s=TIME_LIMIT_S, cancel=cancel,
            )  # fmt: skip

        self.result.loading = True
        started = self.jobs.start(
            f"Running {name}", work, lambda result: self._show(result, name, rows, before), self._failed
        )
        if not started:
            self.result.loading = False

    def _failed(self, sentence: str) -> None:
        none = np.zeros(0, np.int64)
        self._show(ScriptResult("none", error=sentence), "script", none, none.astype(np.int32))

    def _show(self, result: ScriptResult, name: str, rows: NDArray[np.int64], before: NDArray[np.int32]) -> None:
        """Show a result of the events at `rows`, which were in the units `before`."""
        self._last = result, name, rows, before
        self.apply.visible = result.kind == "proposal"
        self.pin.visible = result.payload is not None
        self.printed.object = _end_of(result.output)
        self.shown.display(result, name, before)
        self.result.loading = False

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


def _run_of(rows: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Return rows as a slice where they follow one another: such events need not be copied to be handed over."""
    in_order = len(rows) > 0 and len(rows) == rows[-1] - rows[0] + 1 and bool((np.diff(rows) == 1).all())
    return slice(int(rows[0]), int(rows[-1]) + 1) if in_order else rows


def _widget(parameter: Parameter) -> Any:
    """Return the widget of one parameter."""
    shared: dict[str, Any] = {
        "label": parameter.name.replace("_", " "), "value": parameter.default,
        "description": parameter.doc, "size": "small", "width": 150,
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


def _end_of(printed: str) -> str:
    """Return the end of what was printed: a megabyte of it would keep every page waiting while it is sent."""
    left_out = len(printed) - PRINTED
    return printed if left_out <= 0 else f"… {left_out:,} characters before these are left out\n{printed[-PRINTED:]}"
