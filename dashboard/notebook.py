"""The page as one block inside a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import panel as pn

from neuralsorter.project import Project
from neuralsorter.spikes import Spikes

from .app import App


def curate(what: Spikes | Project | str | Path) -> Any:
    """Return the dashboard on some events; edits land in the project it shows, `result.app.workspace.project`."""
    pn.extension("tabulator", "codeeditor", "filedropper", inline=True, notifications=True)
    app = App([Path.cwd()])
    if isinstance(what, Project):
        project = what
    elif isinstance(what, Spikes):
        project = Project.in_memory(what)
    else:
        project = app.workspace.open_files([what])
    app.workspace.show(project)
    block: Any = app.panel()
    block.app = app
    return block
