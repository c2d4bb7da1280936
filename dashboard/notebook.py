"""The page as one block inside a notebook, and each view alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn

from neuralsorter.project import Project
from neuralsorter.spikes import Spikes

from .app import App
from .evidence import Evidence
from .jobs import in_cell
from .views import VIEWS
from .waveforms import Waveforms
from .workspace import Workspace


class Cell:
    """Stands for the page's document: brings calls of other threads to the kernel's loop, then shows what changed.

    Bokeh figures that Python changes are redrawn on a server by themselves, in a notebook when they are told to.
    """

    session_context = True  # as of a page that is open

    def __init__(self) -> None:
        self.shown: list[Any] = []
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:  # a script: there is nothing to wait for
            self._loop = None

    def add_next_tick_callback(self, call: Callable[[], object]) -> None:
        """Run `call` on the kernel's loop."""
        if self._loop is None:
            call()
        else:
            self._loop.call_soon_threadsafe(self._run, call)

    def add_timeout_callback(self, call: Callable[[], object], wait_ms: int) -> None:
        """Run `call` on the kernel's loop after a while."""
        if self._loop is None:
            call()
        else:
            self._loop.call_soon_threadsafe(self._loop.call_later, wait_ms / 1000, self._run, call)

    def _run(self, call: Callable[[], object]) -> None:
        call()
        for pane in self.shown:
            pn.io.push_notebook(pane)


class Curation(pn.viewable.Viewer):
    """The dashboard in a cell: `project` is what is edited, `spikes` its events with their present units."""

    def __init__(self, what: Spikes | Project | str | Path, **params: Any) -> None:
        super().__init__(**params)
        cell = Cell()
        with in_cell(cell):
            self.app = App([Path.cwd()])
        self.project = _show(self.app.workspace, what)
        self._pane = self.app.panel()
        cell.shown.append(self._pane)

    def __panel__(self) -> Any:
        return self._pane

    @property
    def spikes(self) -> Spikes:
        """The events in the order they were given, with the units they have now."""
        return self.project.exported()

    def close(self) -> None:
        """Give back memory and threads."""
        self.app.close()


class Alone(pn.viewable.Viewer):
    """One view in a cell: `view` has its parameters."""

    def __init__(self, view: Any, **params: Any) -> None:
        super().__init__(**params)
        self.view = view
        self.pane = pn.Column(view, height=520, sizing_mode="stretch_width")

    def __panel__(self) -> Any:
        return self.pane


def curate(what: Spikes | Project | str | Path) -> Curation:
    """Return the dashboard on some events, to show as the last line of a cell."""
    _load()
    return Curation(what)


def view(name: str, what: Spikes | Project | str | Path, channel: int | None, options: dict[str, Any]) -> Any:
    """Return one view alone on a channel: "waveforms", "means" or the title of a view of the Judge area."""
    _load()
    cell = Cell()
    with in_cell(cell):
        workspace = Workspace()
        shown = _view(name, workspace, options)
    _show(workspace, what)
    if channel is not None and workspace.focus is not None:
        workspace.focus.param.update(channel=channel)
    alone = Alone(shown)
    cell.shown.append(alone.pane)
    return alone


def _view(name: str, workspace: Workspace, options: dict[str, Any]) -> Any:
    if name in ("waveforms", "means"):
        evidence = Evidence()
        waveforms = Waveforms(workspace, evidence, **options)
        return waveforms if name == "waveforms" else evidence
    kinds = {kind.title.lower(): kind for kind in VIEWS}
    return kinds[name](workspace, active=True, **options)


def _load() -> None:
    pn.extension("tabulator", "codeeditor", "filedropper", inline=True, notifications=True)


def _show(workspace: Workspace, what: Spikes | Project | str | Path) -> Project:
    if isinstance(what, Project):
        project = what
    elif isinstance(what, Spikes):
        project = Project.in_memory(what)
    else:
        project = workspace.open_files([what])
    workspace.show(project)
    return project
