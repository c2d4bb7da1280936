"""What one browser tab works on: the shared project, this tab's focus, its jobs, and what it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
import param
from numpy.typing import NDArray

from neuralsorter.errors import NeuralSorterError
from neuralsorter.focus import Focus
from neuralsorter.project import Project
from neuralsorter.settings import settings

from .concerns import Queue
from .jobs import Jobs, on_page, this_page
from .opening import open_project

POPPED_S = 6  # that a problem is shown above the page: the status line keeps it


class Workspace(param.Parameterized):
    """One tab's state. Views watch it; actions change it."""

    project = param.ClassSelector(class_=Project, doc="The open project, None before anything is opened.")
    focus = param.ClassSelector(class_=Focus, doc="What this tab shows and has selected.")
    moment = param.Integer(default=None, allow_None=True, doc="Action of the history looked back at; None is now.")
    edits = param.Integer(default=0, doc="Raised with every edit of the project, whichever tab made it.")
    probability = param.Array(default=None, allow_None=True, doc="P(spike) per row, NaN where not computed; or None.")
    threshold = param.Number(default=0.5, bounds=(0, 1), doc="Events below it are noise to the cleaner.")
    cleaner = param.String(doc="Cleaner or network chosen in this tab; empty: the one of the project's settings.")
    seed = param.Integer(default=0, bounds=(0, None), doc="Seed of the sorter: the same seed gives the same units.")
    sorter = param.Parameter(default=None, doc="The sorter with its parameters; None: the one named in the settings.")
    sorter_name = param.String(doc="Name of `sorter`; empty: the one named in the settings.")
    sorts = param.Dict(default={}, doc="{channel: Finding} of the channels sorted in this tab.")
    case = param.Parameter(default=None, doc="The suggestion looked at, a `case.Case`, or None.")
    says = param.String(doc="The last thing that happened, one sentence.")
    trouble = param.Boolean(default=False, doc="Whether `says` reports a problem.")
    dark = param.Boolean(default=False, doc="Whether the page is dark.")
    region = param.Dict(default={}, doc="How the selection was made (polygon, mode): kept with the edit that uses it.")
    help_wanted = param.Event(doc="Fires when the keys should be shown.")
    seen_concerns = param.ClassSelector(class_=frozenset, default=frozenset(), doc="What the review has shown so far.")
    tab = param.String(default="", doc="Which browser tab this is, as long as it lives; empty where that is not known.")
    area = param.Integer(default=0, bounds=(0, 3), doc="Tab of the page looked at: the main screen is 0.")
    side = param.Integer(default=0, bounds=(0, 4), doc="Tab beside the main screen: the evidence is 0.")
    view = param.String(default="", doc="Title of the view open in the Judge area; empty: none.")
    pixel_ratio = param.Number(default=1.0, doc="Device pixels per CSS pixel of this screen.")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.jobs, self.queue = Jobs(), Queue()
        self._document = this_page()
        self._watchers: list[Any] = []
        self._popped = "", 0.0
        self.allowed: Callable[[str | Path], Path] = Path  # raises for a path that may not be opened here
        self.look_again: Callable[[Focus, Project], object] = lambda *_: None  # brings a new focus to where the tab was
        self.settings = settings()
        self.threshold = self.settings.threshold

    @property
    def document(self) -> Any:
        """The document of this tab, None without a page."""
        return self._document

    def say(self, sentence: str, *, trouble: bool = False) -> None:
        """Show one sentence in the status line; problems also pop up."""
        self.param.update(says=sentence, trouble=trouble)
        notifications, now = pn.state.notifications, time.monotonic()
        if trouble and notifications is not None and (sentence != self._popped[0] or now > self._popped[1] + POPPED_S):
            self._popped = sentence, now  # said by the edit and by the project that refused it, it pops up once
            notifications.error(sentence, duration=1000 * POPPED_S)

    def complain(self, sentence: str) -> None:
        """Show a problem."""
        self.say(sentence, trouble=True)

    def show(self, project: Project) -> None:
        """Let this tab show a project, where it was left; the one before is let go."""
        self._let_go()
        focus = Focus(project, lambda call: on_page(self._document, call))
        self.look_again(focus, project)
        self._watchers = [
            project.param.watch(lambda _: on_page(self._document, self._edited), "edit"),
            project.param.watch(lambda event: on_page(self._document, lambda: self._failed(event.new)), "failure"),
        ]
        self.param.update(
            project=project,
            focus=focus,
            probability=None,
            moment=None,
            sorts={},
            case=None,
            seen_concerns=frozenset(),
            edits=self.edits + 1,
        )
        noun = "experiment" if len(project.experiments) == 1 else "experiments"
        held = f" Watch only: {project.holder or 'the folder cannot be written'}." if project.read_only else ""
        self.say(
            f"{len(project):,} events on {len(project.channels())} channels, {len(project.experiments)} {noun}."
            f"{held} {project.notice}".rstrip(),
            trouble=bool(project.notice),
        )

    def follow(self) -> None:
        """Take in what another process has edited, where this one only looks or has been overtaken."""
        project = self.project
        if project is not None and project.path is not None and (project.read_only or not project.holds):
            attempt(self, project.refresh)

    def take_over(self) -> None:
        """Become the one who edits the project, or try again after a write failed."""
        if self.project is not None:
            attempt(self, self.project.take_over)
            self._edited()
            if not self.project.read_only:
                self.say("This page edits the project now.")

    def _edited(self) -> None:
        self.edits += 1

    def _failed(self, sentence: str) -> None:
        self.edits += 1
        if sentence:
            self.complain(sentence)

    def close(self) -> None:
        """Let the project go."""
        self.jobs.cancel()
        self._let_go()

    def _let_go(self) -> None:
        project, focus = self.project, self.focus
        if project is None or focus is None:
            return
        focus.close()
        for watcher in self._watchers:
            project.param.unwatch(watcher)
        self._watchers = []
        if project.path is not None:  # a project in memory is the demo, which all tabs share
            project.close()

    @property
    def spare(self) -> Path:
        """The folder of projects that have no place beside their recording."""
        return self.settings.plugins_folder.parent / "projects"

    def open_files(
        self, paths: Sequence[str | Path], progress: Any = None, cancel: Any = None, *, projects: Path | None = None
    ) -> Project:
        """Open a project, or recordings, whose project is made (beside them or in `projects`) or resumed; for a job."""
        chosen = projects or self.settings.projects_folder
        return open_project(
            [Path(path) for path in paths], chosen=chosen, spare=self.spare, progress=progress, cancel=cancel
        )

    def selected_or_shown(self) -> NDArray[np.int64]:
        """Return the rows an action is about: the selected ones, else all that are shown."""
        if self.focus is None:
            return np.zeros(0, np.int64)
        return self.focus.selected if len(self.focus.selected) else self.focus.shown


def attempt(workspace: Workspace, call: Any) -> Any:
    """Run `call`; a problem becomes a sentence on the page and None."""
    try:
        return call()
    except NeuralSorterError as error:
        workspace.complain(str(error))
        return None
