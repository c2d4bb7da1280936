"""The page: places the parts. It owns no state but what is laid out where."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.util.parameters import edit_readonly

from .actions import ACTIONS, act
from .cleaning import Cleaning
from .connection import Connection
from .evidence import Evidence
from .files import Files
from .help import Help
from .history import History
from .joining import Later, template, when_opened
from .judging import Judge
from .navigator import Navigator
from .people import People
from .place import Place
from .plugins import Plugins
from .plugins import icon as plugins_icon
from .review import Review
from .scripts import Scripts
from .shortcuts import KEYS, KeyMap, bindings, spoken
from .sorting import Sorting
from .suggestions import Suggestions
from .units import Units
from .waveforms import Waveforms
from .workspace import Workspace

FOLLOW_MS = 2000  # between looks at what another process has edited
# A tooltip near an edge would be squeezed to a word a line instead of going to the other side.
TOOLTIPS = {"MuiTooltip": {"styleOverrides": {"tooltip": {"width": "max-content", "maxWidth": "240px"}}}}
THEMES = {
    "light": {
        "palette": {"primary": {"main": "#205abd"}, "secondary": {"main": "#07926e"}},
        "components": TOOLTIPS,
    },
    "dark": {
        "palette": {"primary": {"main": "#7ab8ff"}, "secondary": {"main": "#4cc3a0"}},
        "components": {
            "MuiAppBar": {"styleOverrides": {"root": {"backgroundColor": "#16263d", "color": "#ffffff"}}},
            **TOOLTIPS,
        },
    },
}


class App:
    """One browser tab."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.workspace = Workspace()
        self.connection = Connection()
        self.connection.link(self.workspace, tab="tab")
        self.evidence = Evidence()
        self.waveforms = Waveforms(self.workspace, self.evidence)
        self.place = Place(self.workspace, self.waveforms)
        self.files = Files(self.workspace, roots)
        self.navigator = Navigator(self.workspace)
        self.cleaning = Cleaning(self.workspace)
        self.sorting = Sorting(self.workspace)
        self.suggestions = Suggestions(self.workspace)
        self.units = Units(self.workspace)
        self.history = History(self.workspace)
        self.scripts = Scripts(self.workspace)
        self.judge = Judge(self.workspace)
        self.review = Review(self.workspace)
        self.workspace.allowed = self.files.folders.inside
        self.people = People(self.workspace)
        self.help, self.plugins = Help(), Plugins(self.workspace)
        self.keys = KeyMap(self.act, keys=bindings(self.workspace.settings.keys))
        self.keys.link(self.workspace, pixel_ratio="pixel_ratio")
        self.workspace.param.watch(lambda *_: self.help.show(), "help_wanted")
        self.workspace.param.watch(lambda *_: self._edited(), "edits")
        self.workspace.param.watch(self._said, "says")
        self.workspace.param.watch(self._case_changed, "case")
        self.saved = pmui.Typography(object="", variant="caption", sx={"color": "inherit", "whiteSpace": "nowrap"})
        self.take_over = pmui.Button(
            label="Take over", size="small", color="warning", visible=False,
            on_click=lambda _: self.workspace.take_over(),
            description="Edit here; whoever edits the project now can then only look",
        )  # fmt: skip
        self.save_copy = pmui.Button(
            label="Save a copy…", size="small", color="warning", visible=False,
            on_click=lambda _: self.files.show_copy(),
            description="Write the project with its whole history to another place, and go on there",
        )  # fmt: skip
        self.sidebar, self.main = self._sidebar(), self._main()
        self._dialogs = [
            when_opened(dialog)
            for dialog in (
                self.files.open_dialog,
                self.files.save_dialog,
                self.files.importing.dialog,
                self.help.dialog,
                self.plugins.dialog,
            )
        ]

    def act(self, name: str) -> None:
        """Do one action by name: keys, buttons and tests all come through here."""
        act(name, self.workspace, self.waveforms)

    def close(self) -> None:
        """Give back memory, threads and the project when the tab is gone."""
        self.people.leave()
        self.workspace.close()
        self.waveforms.close()
        self.scripts.close()
        self.plugins.close()
        self.cleaning.close()

    def page(self) -> pmui.Page:
        """Return the whole page, for a server."""
        page = pmui.Page(
            title="NeuralSorter",
            header=[self._header()],
            sidebar=[self.sidebar],
            main=[self.connection, self.keys, self.main, *self._dialogs],
            sidebar_width=290,
            busy_indicator=None,
            theme_config=THEMES,
            template=template(),
        )
        with edit_readonly(page):  # Panel's counts every page of the server, and each change walks through all of them
            page.busy = False
        for _, watcher in page._param__private.ref_watchers:  # noqa: SLF001 - they would keep the page when it is closed
            watcher.inst.param.unwatch(watcher)
        pn.state.add_periodic_callback(self.workspace.follow, FOLLOW_MS)
        page.param.watch(lambda event: self.workspace.param.update(dark=event.new), "dark_theme")
        self.workspace.dark = bool(page.dark_theme)
        return page

    def panel(self) -> pn.Column:
        """Return the same as one block, for a notebook: other cells keep their keys."""
        self.keys.hover = True
        row = pn.Row(pn.Column(self.sidebar, width=300), self.main, height=760, sizing_mode="stretch_width")
        return pn.Column(self.keys, self._header(), row, *self._dialogs, sizing_mode="stretch_width")

    def _header(self) -> pmui.Row:
        return pmui.Row(
            self.people.line,
            self.saved,
            self.save_copy,
            self.take_over,
            *(self._button(name, header=True) for name in ("undo", "redo")),
            plugins_icon(self.plugins),
            pmui.IconButton(
                icon="help_outline", description="Keys and gestures (?)", sx={"color": "inherit"},
                on_click=lambda _: self.help.show(),
            ),
            margin=0, sx={"alignItems": "center"},
        )  # fmt: skip

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
        self.cancel = pmui.Button(
            label="Cancel", size="small", variant="outlined", visible=False, on_click=lambda _: self.act("cancel")
        )
        jobs.param.watch(lambda *_: self._progress(), ["running", "progress", "message"])
        return pmui.Column(
            pmui.Row(
                pmui.Button(label="Open…", size="small", on_click=lambda _: self.files.show_open()),
                pmui.Button(
                    label="Save as…", size="small", variant="outlined", on_click=lambda _: self.files.show_save()
                ),
            ),
            self.navigator,
            pmui.Row(self._button("clean"), self._button("sort"), self.cancel),
            self.doing,
            self.progress,
            sizing_mode="stretch_width",
            margin=(4, 10),
        )  # fmt: skip

    def _main(self) -> Any:
        beside = _later(Clean=self.cleaning, Sort=self.sorting, Suggest=self.suggestions, Review=self.review)
        others = _later(Units=self.units, History=self.history, Utilities=self.scripts)
        self.side = side = pmui.Tabs(
            ("Evidence", self.evidence), *beside,
            width=360, sizing_mode="stretch_height", styles={"overflow-y": "auto"},
            sx={"& .MuiTab-root": {"minWidth": "48px", "padding": "12px 7px"}},
        )  # fmt: skip
        looking = pmui.Row(self.waveforms, side, sizing_mode="stretch_both", min_height=420, margin=0)
        screen = pmui.Column(looking, self.judge, sizing_mode="stretch_both", margin=0)
        tabs = pmui.Tabs(
            ("Waveforms", screen), *others,
            sizing_mode="stretch_both", min_height=600,
        )  # fmt: skip
        for shown, name, parts in ((side, "side", beside), (tabs, "area", others)):
            shown.param.watch(partial(_join, parts), "active")
            shown.link(self.workspace, active=name)
            self.workspace.param.watch(partial(_activate, shown), name)
        side.param.watch(lambda event: self._side_changed(event.new), "active")
        tabs.param.watch(lambda event: self._tab_changed(event.new), "active")
        return tabs

    def _case_changed(self, event: Any) -> None:
        if event.new is not None:
            self.side.active = 3  # the evidence of the suggestion

    def _side_changed(self, active: int) -> None:
        self.cleaning.active, self.sorting.active, self.review.active = active == 1, active == 2, active == 4
        self.review.refresh()
        self.cleaning.refresh()
        self.sorting.refresh()

    def _tab_changed(self, active: int) -> None:
        self.units.active, self.history.active, self.scripts.active = active == 1, active == 2, active == 3
        self.units.refresh()
        self.history.refresh()
        self.scripts.refresh()

    def _edited(self) -> None:
        project = self.workspace.project
        if project is None:
            return
        when, n = project.saved_at, project.n_edits
        if project.path is None:
            state = "In memory only"
        elif project.read_only:
            state = "Not saved" if project.failure and project.holds else "Watch only"
        else:
            state = f"Saved {when:%H:%M:%S}" if when else "Saved"
        self.saved.object = f"{state} · {n:,} {'edit' if n == 1 else 'edits'}"
        self.take_over.visible = project.path is not None and project.read_only
        self.save_copy.visible = project.holds and bool(project.failure)
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


def _later(**parts: Any) -> list[tuple[str, Later]]:
    """Return tabs, after the first one, whose parts join the page when they are first looked at."""
    return [(title, Later(part)) for title, part in parts.items()]


def _join(later: list[tuple[str, Later]], event: Any) -> None:
    if event.new:
        later[event.new - 1][1].join()


def _activate(shown: pmui.Tabs, event: Any) -> None:
    shown.active = event.new
