"""What the server was started with: recordings, a project, or the demo."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from neuralsorter.project import Project

from .files import Files
from .workspace import Workspace

DEMO = "--demo"
_making = threading.Lock()


@dataclass(frozen=True)
class Startup:
    """The arguments after `--args`."""

    paths: tuple[Path, ...] = ()
    demo: bool = False

    @property
    def roots(self) -> list[Path]:
        """Folders the Open dialogue may show: where the server was started, and those of the files it was given."""
        return [Path.cwd(), *(path.resolve().parent for path in self.paths)]

    def prepare(self) -> None:
        """Make the demo while the browser draws the page."""
        if self.demo:
            threading.Thread(target=demo_project, name="demo", daemon=True).start()

    def begin(self, workspace: Workspace, files: Files) -> None:
        """Open what the server was started with, in a new tab."""
        if self.demo:
            workspace.jobs.start("Making the demo", lambda *_: demo_project(), workspace.show, workspace.complain)
        elif self.paths:
            files.open(self.paths)


def startup(arguments: Sequence[str] | None = None) -> Startup:
    """Read the arguments given to the server."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return Startup(tuple(Path(a) for a in given if not a.startswith("--")), DEMO in given)


def demo_project() -> Project:
    """Return generated events, the same for every tab: nothing is written to disk."""
    with _making:
        return _demo()


@cache
def _demo() -> Project:
    from neuralsorter.simulate import simulate

    return Project.in_memory(simulate(n_channels=8, duration_s=120.0, seed=1).spikes)
