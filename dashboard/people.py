"""Who is on a project, and what each looks at: said quietly in the header, signed in the history."""

from __future__ import annotations

import os
from typing import Any

import panel as pn
import panel_material_ui as pmui

from neuralsorter.edit import current_author, signed_by
from neuralsorter.project import Project

from .door import SCRIPTS
from .jobs import on_page, this_page
from .workspace import Workspace

NOBODY = ("", "local", "default_user")  # logged in by the link, or not at all: the system's user


def person() -> str:
    """Return who is logged in on the page whose callback runs; empty where that is the system's user."""
    document = pn.state.curdoc
    context = document.session_context if document is not None else None
    if context is None:
        return ""
    name = str((context.token_payload or {}).get("person") or pn.state.user or "")
    return "" if name in NOBODY else name


def may_run_own_scripts() -> bool:
    """Return whether people here may run source that they write: not on a shared server unless it says so."""
    return os.environ.get(SCRIPTS) != "off"


class People:
    """Tells the others on the project what this tab shows, and this tab what the others show."""

    def __init__(self, workspace: Workspace) -> None:
        signed_by(person)
        self.workspace, self._document = workspace, this_page()
        self._name, self._told, self._tab = current_author(), ("", 0), ""
        self._project: Project | None = None
        self._watcher: Any = None
        self.line = pmui.Typography(
            object="", variant="caption", visible=False, sx={"color": "inherit", "opacity": 0.8, "whiteSpace": "nowrap"}
        )
        workspace.param.watch(lambda *_: self._opened(), "focus")

    def _opened(self) -> None:
        self.leave()
        focus, self._project = self.workspace.focus, self.workspace.project
        if focus is None or self._project is None:
            return
        self._tab = self.workspace.tab or str(id(self))
        self._watcher = self._project.param.watch(lambda _: on_page(self._document, self._show), "people")
        focus.param.watch(lambda *_: self._tell(), "channel")
        self._tell()

    def _tell(self) -> None:
        focus = self.workspace.focus
        if self._project is not None and focus is not None and focus.channel is not None:
            self._told = self._name, int(focus.channel)
            self._project.people = self._project.people | {self._tab: self._told}

    def _show(self) -> None:
        if self._project is None:
            return
        others = [at for tab, at in self._project.people.items() if tab != self._tab]
        words = [f"{'you, elsewhere' if name == self._name else name}: channel {at}" for name, at in sorted(others)]
        self.line.param.update(object=" · ".join(words), visible=bool(words))

    def leave(self) -> None:
        """Be no longer on the project, unless the tab is back already, on a page of its own."""
        if self._project is not None:
            self._project.param.unwatch(self._watcher)
            if self._project.people.get(self._tab) is self._told:
                self._project.people = {tab: at for tab, at in self._project.people.items() if tab != self._tab}
        self._project = None
