"""Where a tab is: kept in the project's folder while it moves, found again after a reload, a crash or a restart."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

from neuralsorter.focus import Focus
from neuralsorter.project import Project
from neuralsorter.storage.codec import pack_rows, unpack_rows
from neuralsorter.storage.schema import params_to_json

from .files import Files
from .jobs import on_page
from .launch import Startup
from .waveforms import Waveforms
from .workspace import Workspace

KEPT = 50  # tabs remembered
SOON_MS = 200
OTHERS = "page"  # the name of those that have none
FOCUS = ["experiment", "also", "channel", "beside", "unit", "hidden", "time_range_s", "selected"]
LOOKS = ("alignment", "shading")
AREAS = ("area", "side", "view")


class Place:
    """One tab's place in the project it shows.

    A tab that comes back finds everything: channel, units, times, selection, window, open tabs and view. Another one
    begins at the channel and unit that were looked at last, whoever did.
    """

    def __init__(self, workspace: Workspace, waveforms: Waveforms) -> None:
        self.workspace, self.waveforms = workspace, waveforms
        self._waiting = False
        self._found: dict[str, Any] = {}
        self._arguments: list[str] | None = None  # of the server; None where nothing was begun
        workspace.look_again = self.restore
        workspace.param.watch(lambda *_: self.opened(), "focus")
        workspace.param.watch(lambda *_: self.moved(), ["region", *AREAS])
        waveforms.param.watch(lambda *_: self.moved(), [*LOOKS, "looked"])

    def begin(self, startup: Startup, files: Files) -> None:
        """Open what this tab had open, if the server was started as it was then; else what it was started with."""
        self._arguments = [*map(str, startup.paths), str(startup.demo)]
        had = _read(self._tab_file()) if self._tab() else {}
        if had.get("server") == self._arguments and Path(had["project"]).is_dir():
            files.open([Path(had["project"])])
        else:
            startup.begin(self.workspace, files)

    def restore(self, focus: Focus, project: Project) -> None:
        """Bring a new focus to where this tab was, before anything is drawn."""
        self._found = self._last(project)
        with contextlib.suppress(KeyError, TypeError, ValueError, zlib.error):  # damaged: begin at the first channel
            self._move(focus, project, self._found)

    def _move(self, focus: Focus, project: Project, found: dict[str, Any]) -> None:
        if found["channel"] not in project.channels():
            return
        focus.param.update(channel=found["channel"])
        if found["own"] and max([found["experiment"] or 0, *found["also"]]) < len(project.experiments):
            times = found["time_range_s"]
            focus.param.update(
                experiment=found["experiment"], also=frozenset(found["also"]), hidden=frozenset(found["hidden"]),
                beside=frozenset(found["beside"]) & {*project.channels()}, time_range_s=times and tuple(times),
            )  # fmt: skip
        if found["unit"] in focus.counts():
            focus.param.update(unit=found["unit"])
        if found["own"]:
            focus.select(unpack_rows(base64.b64decode(found["selected"])))

    def opened(self) -> None:
        """Show the part that was shown, in the same way, once the window is that of the whole channel."""
        focus, found = self.workspace.focus, self._found
        if focus is None:
            return
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if found["own"] and focus.channel == found["channel"]:
                self.waveforms.param.update(**{name: found[name] for name in LOOKS})
                times, amplitudes = found["window"]
                self.waveforms.look_at(tuple(times), tuple(amplitudes))
                if len(focus.selected):
                    self.waveforms.show_region(found["region"])
            if found["own"]:
                self.workspace.param.update(**{name: found[name] for name in AREAS})
        focus.param.watch(lambda *_: self.moved(), FOCUS)
        self.moved()
        project = self.workspace.project
        if self._tab() and self._arguments is not None and project is not None and project.path is not None:
            _write(self._tab_file(), {"project": str(project.path), "server": self._arguments})

    def moved(self) -> None:
        """Keep the place soon."""
        if not self._waiting:
            self._waiting = True
            on_page(self.workspace.document, self.keep, after_ms=SOON_MS)

    def keep(self) -> None:
        """Write the place down, unless nobody looks at this page any more: its tab may be back on another one."""
        self._waiting = False
        project, focus = self.workspace.project, self.workspace.focus
        if project is None or focus is None or self._is_left():
            return
        folder = self._folder(project)
        if folder is None:
            return
        figure = self.waveforms.screen.figure
        place = {name: getattr(focus, name) for name in FOCUS[:-1]} | {
            "selected": base64.b64encode(pack_rows(focus.selected)).decode(),
            "region": self.workspace.region,
            "window": [[figure.x_range.start, figure.x_range.end], [figure.y_range.start, figure.y_range.end]],
            **{name: getattr(self.waveforms, name) for name in LOOKS},
            **{name: getattr(self.workspace, name) for name in AREAS},
        }
        _write(folder / f"{self._tab() or OTHERS}.json", place)

    def _is_left(self) -> bool:
        document = self.workspace.document
        context = document.session_context if document is not None else None
        session = getattr(context, "session", None)
        return session is not None and session.connection_count == 0

    def _tab(self) -> str:
        """Return the tab's name where a browser has given it one that can be part of a file's, else nothing."""
        tab = str(self.workspace.tab)
        return tab if re.fullmatch("[0-9a-f]{16}", tab) else ""

    def _tab_file(self) -> Path:
        """Return where it is kept which project this tab has open."""
        return self.workspace.settings.plugins_folder.parent / "tabs" / f"{self._tab()}.json"

    def _last(self, project: Project) -> dict[str, Any]:
        """Return where this tab was in a project, else where the last one was."""
        folder = self._folder(project)
        if folder is None:
            return {}
        own, kept = folder / f"{self._tab() or OTHERS}.json", _kept(folder)
        if own not in kept and (project.path is None or not kept):
            return {}
        return _read(own if own in kept else kept[0]) | {"own": own in kept}

    def _folder(self, project: Project) -> Path | None:
        """Return where places in a project are kept: a tab that shows the demo, which is in memory, has its own."""
        if project.path is not None:
            return project.path / "cache" / "tabs"
        return self._tab_file().parent / "demo" if self._tab() else None


def _kept(folder: Path) -> list[Path]:
    """Return what is kept of tabs, the last first."""
    try:
        return sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:  # another tab has just forgotten one
        return []


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, facts: dict[str, Any]) -> None:
    """Write a place down, and forget those of tabs long gone."""
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(params_to_json(facts), encoding="utf-8")
        partial.replace(path)
        for old in _kept(path.parent)[KEPT:]:
            old.unlink()
    except OSError:
        return  # a convenience: the work itself is in the journal
