"""The page as one block inside a notebook, and each view alone."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import panel as pn
import panel.io.notebook
from bokeh.models import ImportedStyleSheet, UIElement
from panel.io.notebook import patch_inline_stylesheets, replace_inline_css
from panel.models.esm import ReactComponent
from panel.pane.markup import HTMLBasePane
from panel.reactive import Reactive
from pyviz_comms import JupyterComm  # type: ignore[import-untyped]  # without stubs

from neuralsorter.project import Project
from neuralsorter.spikes import Spikes
from neuralsorter.warmup import warm

from . import bundle
from .app import App
from .evidence import Evidence
from .jobs import in_cell
from .views import VIEWS
from .waveforms import Waveforms
from .workspace import Workspace

_properties = Reactive._get_properties  # noqa: SLF001 - followed by a step of ours in a notebook
_handle = JupyterComm._handle_msg  # noqa: SLF001 - done by the kernel's loop, below
_send, _sending = panel.io.notebook.send, threading.Lock()


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


class Block(pn.Column):
    """What a cell shows. Its styles are put inside it at once: Panel does so widget by widget, a minute long."""

    def _render_model(self, doc: Any = None, comm: Any = None) -> Any:
        root = super()._render_model(doc, comm)
        with root.document.models.freeze():
            for model in root.select({"type": UIElement}):
                patch_inline_stylesheets(model)
            for model in root.select({"type": ReactComponent}):
                model.css_bundle = bundle.ICONS
        return root


class Curation(pn.viewable.Viewer):
    """The dashboard in a cell: `project` is what is edited, `spikes` its events with their present units."""

    def __init__(self, what: Spikes | Project | str | Path, **params: Any) -> None:
        super().__init__(**params)
        cell = Cell()
        with in_cell(cell):
            self.app = App([Path.cwd()])
        self.project = _show(self.app.workspace, what)
        self._pane = Block(*self.app.panel(), sizing_mode="stretch_width")
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
        self.pane = Block(view, height=520, sizing_mode="stretch_width")

    def __panel__(self) -> Any:
        return self.pane


def curate(what: Spikes | Project | str | Path) -> Curation:
    """Return the dashboard on some events, to show as the last line of a cell."""
    _load()
    return Curation(what)


def view(name: str, what: Spikes | Project | str | Path, channel: int | None, options: dict[str, Any]) -> Any:
    """Return one view alone on a channel: "waveforms", "means" or the title of a view of the Judge area."""
    _load_once()
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


@cache
def _load_once() -> None:
    """Load for the first view of a kernel; a notebook of many views would grow by what each of them loads."""
    _load()


def _load() -> None:
    bundle.by_name()
    setattr(HTMLBasePane, "_update", _updated)  # noqa: B010 - its type is another
    setattr(Reactive, "_get_properties", _with_styles_inside)  # noqa: B010
    setattr(panel.io.notebook, "send", _whole)  # noqa: B010
    if (shell := _shell()) is not None:
        _in_turn(asyncio.get_running_loop())
        shell.display_pub.publish({"application/javascript": bundle.script()})
        _warm_once()
    pn.extension("tabulator", "codeeditor", "filedropper", inline=True, notifications=True)


def _in_turn(loop: asyncio.AbstractEventLoop) -> None:
    """Handle what the browser sends on the kernel's loop, after what is under way there.

    2026-11: JupyterLab 4.6 lets ipykernel 7 hand it to another thread; Panel's answer, in several parts, then gets
    between the parts of one that the loop is sending, and the browser understands neither.
    """

    def handle(comm: Any, message: Any) -> None:
        loop.call_soon_threadsafe(_handle, comm, message)

    setattr(JupyterComm, "_handle_msg", handle)  # noqa: B010


def _whole(comm: Any, message: Any) -> None:
    """Send the parts of a message one after the other, whichever threads send: the browser puts together what comes."""
    with _sending:
        _send(comm, message)


def _updated(pane: Any, _ref: str, model: Any) -> None:
    """Change a text, not its styles: Panel 1.9 sends these again each time, as addresses in the internet (2026-11)."""
    changed = pane._get_properties(model.document)  # noqa: SLF001 - as in the method that this replaces
    model.update(**{name: value for name, value in changed.items() if name != "stylesheets"})


def _with_styles_inside(part: Any, doc: Any) -> dict[str, Any]:
    """Return the properties of what joins a cell later: Panel 1.9 leaves its styles in the internet (2026-11)."""
    found = dict(_properties(part, doc))
    if "stylesheets" in found:
        found["stylesheets"] = [
            replace_inline_css(sheet) if isinstance(sheet, ImportedStyleSheet) else sheet
            for sheet in found["stylesheets"]
        ]
    return found


@cache
def _warm_once() -> None:
    """Compile in the background what the first gesture would wait for, as a server does."""
    threading.Thread(target=warm, name="warm", daemon=True).start()


def _shell() -> Any:
    """Return the shell of the kernel this runs in; None in a script."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get() if get is not None else None
    return shell if hasattr(shell, "kernel") else None


def _show(workspace: Workspace, what: Spikes | Project | str | Path) -> Project:
    if isinstance(what, Project):
        project = what
    elif isinstance(what, Spikes):
        project = Project.in_memory(what)
    else:
        project = workspace.open_files([what])
    workspace.show(project)
    return project
