"""Open and save: a browser of the folders this server was started with, uploads, and exports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from neuralsorter import saving
from neuralsorter.errors import FileError, SaveError
from neuralsorter.loading.remarks import collected
from neuralsorter.project import Project
from neuralsorter.storage.folder import SUFFIX as PROJECT

from .dropping import kept
from .folders import UP, Folders
from .importing import Importing, asks_for_columns, is_raw
from .reports import REPORT, report_name, start_report
from .workspace import Workspace

INTO = "/."  # ends the value of an entry that is looked into; the same folder may also be a recording to open
UPLOAD_LIMIT_MB = 200


class Files(pn.viewable.Viewer):
    """The dialogues behind Open and Save."""

    def __init__(self, workspace: Workspace, roots: Sequence[Path], **params: Any) -> None:
        self.workspace, self.folders = workspace, Folders(roots)
        super().__init__(**params)
        self.folder = self.folders.roots[0] if self.folders.roots else Path.cwd()
        self.importing = Importing(workspace, self.open)
        self._build_open()
        self._build_save()

    def _build_open(self) -> None:
        self.place = pmui.Typography(object="", variant="body2")
        self.order = pmui.Typography(object="", variant="body2")
        self._clicked: list[str] = []
        self.choices = pmui.MultiSelect(
            label="Projects, folders and recordings (one or several)", options={}, size=12,
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.enter = pmui.Button(label="Open", color="primary", on_click=lambda _: self.open_chosen())
        self.drop = pn.widgets.FileDropper(
            label=f"or drop files here (up to {UPLOAD_LIMIT_MB} MB)",
            multiple=True, max_total_file_size=f"{UPLOAD_LIMIT_MB}MB", sizing_mode="stretch_width",
        )  # fmt: skip
        self.add = pmui.Button(
            label="Add to the open project", variant="outlined", on_click=lambda _: self.add_chosen(),
            description="Further experiments of the project that is open; nothing in it changes",
        )  # fmt: skip
        self.look = pmui.Button(
            label="Look inside", variant="outlined", on_click=lambda _: self.look_inside(),
            description="What the recordings hold, before they are opened; thresholds of a raw recording",
        )  # fmt: skip
        self.projects = pmui.TextInput(
            label="Folder of the project (empty: beside the recording)", size="small", sizing_mode="stretch_width",
            value=str(self.workspace.settings.projects_folder or ""),
        )  # fmt: skip
        self.drop.param.watch(self._dropped, "value")
        self.choices.param.watch(self._step, "value")
        self.open_dialog = pmui.Dialog(
            pmui.Column(
                self.place, self.choices, self.order, self.projects, self.drop,
                pmui.Row(self.enter, self.look, self.add),
                sizing_mode="stretch_width",
            ),
            title="Open recordings or a project", width_option="md", close_on_click=True,
            show_close_button=True,
        )  # fmt: skip

    def _build_save(self) -> None:
        self.target_name = pmui.TextInput(label="Name of the new file", sizing_mode="stretch_width")
        self.hint = pmui.Typography(
            object="Edits are saved as you make them. A file is for other programs; the suffix chooses the format: "
            + ", ".join(saving.WRITABLE)
            + f"; {PROJECT} copies the project with its whole history, {REPORT} is a report for reading and printing.",
            variant="body2",
        )
        self.lost = pmui.Typography(object="", variant="body2", sx={"color": "warning.main"})
        self._accepted: Path | None = None  # a path whose losses were shown: saving it again writes it
        self.write = pmui.Button(label="Save file", color="primary", on_click=lambda _: self.save())
        self.report = pmui.Button(
            label="Write report", variant="outlined", on_click=lambda _: self.write_report(),
            description="One HTML file: pictures, intervals, correlograms, metrics and history of every channel",
        )  # fmt: skip
        self.save_dialog = pmui.Dialog(
            pmui.Column(
                self.target_name, self.hint, self.lost, pmui.Row(self.write, self.report), sizing_mode="stretch_width"
            ),
            title="Save a file", width_option="sm", close_on_click=True, show_close_button=True,
        )  # fmt: skip

    def show_open(self) -> None:
        """Show the Open dialogue."""
        self._list()
        self.open_dialog.open = True

    def show_save(self) -> None:
        """Show the Save dialogue with a name beside the project."""
        project = self.workspace.project
        if project is None:
            self.workspace.say("Nothing is open. Open a recording first.")
            return
        stem = Path(project.path).with_suffix("") if project.path else self.folder / "sorted"
        self.target_name.value = f"{stem}_sorted.npz"
        self.lost.object = ""
        self.save_dialog.open = True

    def show_copy(self) -> None:
        """Show the Save dialogue with a name for the whole project on another disk, as far as there is one."""
        self.show_save()
        project = self.workspace.project
        if project is not None and project.path is not None:
            disk = project.path.stat().st_dev
            elsewhere = next((root for root in self.folders.roots if root.stat().st_dev != disk), self.workspace.spare)
            name = f"{project.path.stem}_copy_{datetime.now().astimezone():%Y%m%d_%H%M%S}{PROJECT}"
            self.target_name.value = str(elsewhere / name)

    def _list(self) -> None:
        try:
            entries = self.folders.entries(self.folder)
        except (OSError, FileError) as error:
            self.workspace.complain(f"{self.folder} cannot be listed: {error}")
            return
        self.place.object = str(self.folder)
        options = {name: f"{path}{INTO}" if name.startswith(("▸", UP)) else str(path) for name, path in entries}
        self.choices.param.update(options=options, value=[])

    def _step(self, event: param.parameterized.Event) -> None:
        """Enter a folder as soon as it is clicked; keep recordings in the order they were clicked."""
        kept = [path for path in self._clicked if path in event.new]
        self._clicked = [*kept, *(path for path in event.new if path not in kept)]
        self.order.object = in_words(self._clicked)
        chosen = [Path(path) for path in event.new]
        if len(chosen) == 1 and event.new[0].endswith(INTO):
            self.folder = self.folders.inside(chosen[0])
            self._list()

    def open_chosen(self) -> None:
        """Open what is chosen in the list; of a raw recording, ask how to take its events."""
        paths = self._chosen()
        if any(is_raw(path) for path in paths):
            self.importing.ask(paths)
        elif paths:
            self.open(paths)

    def look_inside(self) -> None:
        """Show what the chosen recordings hold."""
        paths = [path for path in self._chosen() if path.suffix != PROJECT]
        if paths:
            self.importing.ask(paths)

    def add_chosen(self) -> None:
        """Add what is chosen to the open project, as further experiments."""
        project, paths = self.workspace.project, self._chosen()
        if not paths:
            return
        if project is None:
            self.open(paths)
            return
        self.workspace.jobs.start(
            "Adding",
            lambda report, cancel: project.add(paths, report, cancel),
            lambda names: self.workspace.say(f"Added {', '.join(names)}."),
            self.workspace.complain,
        )

    def _chosen(self) -> list[Path]:
        """Return the paths chosen in the list and close the dialogue; say so where there are none."""
        if not self._clicked:
            self.workspace.say("Click one or more recordings, or one project, in the list first.")
            return []
        self.open_dialog.open = False
        try:
            return [self.folders.inside(path) for path in self._clicked]
        except FileError as error:
            self.workspace.complain(str(error))
            return []

    def open(self, paths: Sequence[Path]) -> None:
        """Open recordings or a project off the event loop; what is open stays until it succeeds."""
        workspace, place = self.workspace, str(self.projects.value).strip()
        usual = workspace.settings.projects_folder
        try:
            projects = usual if place == str(usual or "") else self.folders.inside(place)
        except FileError as error:
            workspace.complain(str(error))
            return

        def work(report: Any, cancel: Any) -> tuple[Project, list[str]]:
            with collected() as remarks:
                return workspace.open_files(paths, report, cancel, projects=projects), remarks

        workspace.jobs.start(
            "Opening",
            work,
            lambda found: self._show(*found),
            lambda sentence: self._not_opened(paths, sentence),
        )

    def _show(self, project: Project, remarks: Sequence[str]) -> None:
        """Show a project, and say what its readers had to assume."""
        self.workspace.show(project)
        if remarks:
            self.workspace.say(" ".join([self.workspace.says, *remarks]), trouble=self.workspace.trouble)

    def _not_opened(self, paths: Sequence[Path], sentence: str) -> None:
        """Say why; where only names of columns are unknown, ask which is which."""
        if len(paths) == 1 and asks_for_columns(sentence):
            self.importing.ask_for_columns(paths[0])
        else:
            self.workspace.complain(sentence)

    def _dropped(self, event: param.parameterized.Event) -> None:
        if not event.new:
            return
        paths = kept(event.new, self.workspace.settings.projects_folder or self.workspace.spare)
        self.drop.value = {}
        self.open_dialog.open = False
        self.open(paths)

    def save(self) -> None:
        """Write the events with their current units to a new file."""
        project, text = self.workspace.project, self.target_name.value.strip()
        if project is None or not text:
            return
        try:
            path = self._writable_path(text)
        except FileError as error:
            self.workspace.complain(str(error))
            return
        certain, self._accepted = path == self._accepted, None
        self.save_dialog.open = False
        if path.suffix.lower() == REPORT:
            start_report(self.workspace, path)
            return
        self.workspace.jobs.start(
            "Saving",
            lambda *_: project.save_copy(path) if path.suffix == PROJECT else _written(project, path, certain=certain),
            lambda lost: self._saved(path, lost if isinstance(lost, list) else []),
            self.workspace.complain,
        )

    def _saved(self, path: Path, lost: list[str]) -> None:
        """Say that the file is there, or what it could not hold before anything is written."""
        if lost:
            self._accepted = path
            self.lost.object = f"{' '.join(lost)} Save it all the same, or choose another format."
            self.save_dialog.open = True
        elif self.workspace.project is not None:
            self.workspace.say(f"Saved {len(self.workspace.project.unit):,} events to {path}.")
            if path.suffix == PROJECT and self.workspace.project.failure:
                self.open([path])  # where edits can be saved

    def write_report(self) -> None:
        """Write a report beside the file named."""
        text = self.target_name.value.strip()
        if text and not text.endswith(REPORT):
            self.target_name.value = report_name(text)
        self.save()

    def _writable_path(self, text: str) -> Path:
        path = Path(text)
        if not path.is_absolute():
            path = self.folder / path
        if path.parent == self.workspace.spare:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            self.folders.inside(path.parent)
        if path.exists():
            raise SaveError(path, "there is such a file already", "Choose another name")
        if path.suffix.lower() not in (*saving.WRITABLE, PROJECT, REPORT):
            raise SaveError(path, f"{path.suffix or 'no suffix'} is not a format that can be written",
                            f"End the name in {', '.join(saving.WRITABLE)}")  # fmt: skip
        return path


def in_words(paths: Sequence[str]) -> str:
    """Say in which order several files become experiments."""
    if len(paths) < 2:
        return ""
    return "Experiments in this order: " + ", ".join(f"{i}: {Path(path).name}" for i, path in enumerate(paths))


def _written(project: Project, path: Path, *, certain: bool) -> list[str]:
    """Write the events, unless the format would lose something the user has not accepted yet; return what."""
    spikes = project.exported()
    lost = [] if certain else saving.losses(spikes, path)
    if not lost:
        saving.save(spikes, path)
    return lost
