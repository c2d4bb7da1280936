"""The page: places the parts. It owns no state but what is laid out where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import panel_material_ui as pmui

from .actions import ACTIONS, act
from .cleaning import Cleaning
from .evidence import Evidence
from .files import Files
from .help import Help
from .history import History
from .navigator import Navigator
from .scripts import Scripts
from .shortcuts import KEYS, KeyMap, bindings, spoken
from .sorting import Sorting
from .units import Units
from .waveforms import Waveforms
from .workspace import Workspace

BUTTONS = ("clean", "sort", "undo", "redo")
PALETTE = {"primary": {"main": "#205abd"}, "secondary": {"main": "#07926e"}}


class App:
    """One browser tab."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.workspace = Workspace()
        self.evidence = Evidence()
        self.waveforms = Waveforms(self.workspace, self.evidence)
        self.files = Files(self.workspace, roots)
        self.navigator = Navigator(self.workspace)
        self.cleaning = Cleaning(self.workspace)
        self.sorting = Sorting(self.workspace)
        self.units = Units(self.workspace)
        self.history = History(self.workspace)
        self.scripts = Scripts(self.workspace)
        self.help = Help()
        self.keys = KeyMap(self.act, keys=bindings(self.workspace.settings.keys))
        self.keys.link(self.workspace, pixel_ratio="pixel_ratio")
        self.workspace.param.watch(lambda *_: self.help.show(), "help_wanted")
        self.workspace.param.watch(lambda *_: self._opened(), "project")
        self.workspace.param.watch(self._said, "says")
        self.page = self._page()

    def act(self, name: str) -> None:
        """Do one action by name: keys, buttons and tests all come through here."""
        act(name, self.workspace, self.waveforms)

    def close(self) -> None:
        """Give back memory, threads and the project when the tab is gone."""
        self.workspace.remember()
        self.waveforms.close()
        self.scripts.close()
        if self.workspace.project is not None:
            self.workspace.project.close()

    def _page(self) -> pmui.Page:
        self.saved = pmui.Typography(object="", variant="caption", sx={"color": "inherit", "whiteSpace": "nowrap"})
        header = [
            pmui.Row(
                self.saved,
                *(self._button(name, header=True) for name in ("undo", "redo")),
                pmui.IconButton(icon="help_outline", description="Keys and gestures (?)", sx={"color": "inherit"},
                                on_click=lambda _: self.help.show()),
                align="center", margin=0,
            )
        ]  # fmt: skip
        page = pmui.Page(
            title="NeuralSorter",
            header=header,
            sidebar=[self._sidebar()],
            main=[self.keys, self._main(), self.files.open_dialog, self.files.save_dialog, self.help.dialog],
            sidebar_width=290,
            busy_indicator="linear",
            theme_config={"palette": PALETTE},
        )
        page.param.watch(lambda event: self.workspace.param.update(dark=event.new), "dark_theme")
        self.workspace.dark = bool(page.dark_theme)
        return page

    def _button(self, name: str, *, header: bool = False) -> pmui.Button:
        key = " or ".join(spoken(key) for key in KEYS[name])
        style = {"variant": "text", "sx": {"color": "inherit"}} if header else {"variant": "contained"}
        return pmui.Button(
            label=name.capitalize(), size="small", description=f"{ACTIONS[name].help} ({key})",
            on_click=lambda _: self.act(name), **style,
        )  # fmt: skip

    def _sidebar(self) -> pmui.Column:
        jobs = self.workspace.jobs
        self.progress = pmui.LinearProgress(value=0, sizing_mode="stretch_width", visible=False)
        self.doing = pmui.Typography(object="", variant="caption", visible=False)
        self.cancel = pmui.Button(label="Cancel", size="small", visible=False, on_click=lambda _: self.act("cancel"))
        jobs.param.watch(lambda *_: self._progress(), ["running", "progress", "message"])
        return pmui.Column(
            pmui.Row(
                pmui.Button(label="Open…", size="small", on_click=lambda _: self.files.show_open()),
                pmui.Button(
                    label="Save as…", size="small", variant="outlined", on_click=lambda _: self.files.show_save()
                ),
            ),
            self.navigator,
            pmui.Row(self._button("clean"), self._button("sort")),
            self.doing,
            self.progress,
            self.cancel,
            sizing_mode="stretch_width",
            margin=(4, 10),
        )  # fmt: skip

    def _main(self) -> Any:
        side = pmui.Tabs(
            ("Evidence", self.evidence), ("Clean", self.cleaning), ("Sort", self.sorting),
            dynamic=True, width=360, sizing_mode="stretch_height",
        )  # fmt: skip
        screen = pmui.Row(self.waveforms, side, sizing_mode="stretch_both", min_height=560, margin=0)
        tabs = pmui.Tabs(
            ("Waveforms", screen), ("Units", self.units), ("History", self.history), ("Utilities", self.scripts),
            dynamic=True, sizing_mode="stretch_both", min_height=600,
        )  # fmt: skip
        side.param.watch(lambda event: self._side_changed(event.new), "active")
        tabs.param.watch(lambda event: self._tab_changed(event.new), "active")
        return tabs

    def _side_changed(self, active: int) -> None:
        self.cleaning.active, self.sorting.active = active == 1, active == 2
        self.cleaning.refresh()
        self.sorting.refresh()

    def _tab_changed(self, active: int) -> None:
        self.units.active, self.history.active, self.scripts.active = active == 1, active == 2, active == 3
        self.units.refresh()
        self.history.refresh()
        self.scripts.refresh()

    def _opened(self) -> None:
        project = self.workspace.project
        if project is not None:
            project.param.watch(lambda *_: self._edited(), "edit")
        self._edited()

    def _edited(self) -> None:
        project = self.workspace.project
        if project is None:
            return
        when = project.saved_at
        state = "Watch only" if project.read_only else f"Saved {when:%H:%M:%S}" if when else "Saved"
        self.saved.object = f"{state} · {project.n_edits:,} edits"
        self.history.refresh()
        self.units.refresh()

    def _said(self, event: Any) -> None:
        self.waveforms.say(event.new, trouble=self.workspace.trouble)

    def _progress(self) -> None:
        jobs = self.workspace.jobs
        self.progress.param.update(visible=jobs.running, value=round(100 * jobs.progress),
                                   variant="determinate" if jobs.progress > 0 else "indeterminate")  # fmt: skip
        self.doing.param.update(visible=jobs.running, object=f"{jobs.title} … {jobs.message}")
        self.cancel.visible = jobs.running
