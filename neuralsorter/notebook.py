"""The dashboard inside a notebook."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PluginError
from .plugins import folder

if TYPE_CHECKING:
    from .project import Project
    from .spikes import Spikes

_PACKAGE = "neuralsorter_dashboard"


def curate(what: Spikes | Project | str | Path) -> Any:
    """Return the dashboard as a Panel object to show in a notebook cell.

    Parameters
    ----------
    what : Spikes, Project, str or Path
        Events, a project, or the path of a recording or project. Spikes become a project in memory.

    Returns
    -------
    panel.viewable.Viewer
        Show it as the last line of a cell. `.project` is the project that is edited, `.spikes` its events in the order
        given with their present units.

    """
    return dashboard().curate(what)


def dashboard() -> Any:
    """Return the dashboard's module for notebooks; its folder is found as a file, in a checkout and in a wheel."""
    home = folder("dashboard")
    if _PACKAGE not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            _PACKAGE, home / "__init__.py", submodule_search_locations=[str(home)]
        )
        if spec is None or spec.loader is None:
            raise PluginError(f"{home} is not the dashboard's folder. Install NeuralSorter again.")
        package = importlib.util.module_from_spec(spec)
        sys.modules[_PACKAGE] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{_PACKAGE}.notebook")
