"""Which project a recording belongs to: found again, or made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neuralsorter.errors import ProjectError
from neuralsorter.project import Project
from neuralsorter.storage.folder import SUFFIX as PROJECT
from neuralsorter.storage.importing import PART


def open_project(
    paths: Sequence[Path], *, chosen: Path | None, spare: Path, progress: Any = None, cancel: Any = None
) -> Project:
    """Open one project folder, or make or resume the project of some recordings.

    The project of `a.nev` is `a.nsort`: in the folder `chosen`, else beside the recording, else, where that folder
    cannot be written, in `spare`. Recordings that the project does not hold yet are added as experiments.
    """
    if len(paths) == 1 and paths[0].suffix == PROJECT:
        return Project.open(paths[0])
    if any(path.suffix == PROJECT for path in paths):
        raise ProjectError("Open one project, or any number of recordings; not both together.")
    beside = paths[0].with_suffix(PROJECT)
    if chosen is None and (beside.exists() or _writable(beside.parent)):
        place = beside
    else:
        place = _elsewhere(paths[0], chosen or spare)
    if not place.exists():
        return Project.create(place, list(paths), progress=progress, cancel=cancel)
    project = Project.open(place)
    known = {path.name for path in _sources(project)}
    missing = [path for path in paths if path.name not in known]
    if missing and not project.read_only:
        try:
            project.add(missing, progress, cancel)
        except BaseException:
            project.close()
            raise
    return project


def _elsewhere(recording: Path, folder: Path) -> Path:
    """Return the project of a recording in a folder that may hold one of another recording of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{recording.stem}{PROJECT}"
    if place.exists():
        with Project.open(place, read_only=True) as there:
            own = recording.resolve() in [source.resolve() for source in _sources(there)]
        if not own:
            mark = hashlib.sha256(str(recording.resolve().parent).encode()).hexdigest()[:6]
            return folder / f"{recording.stem}_{mark}{PROJECT}"
    return place


def _sources(project: Project) -> list[Path]:
    return [Path(source.partition(PART)[0]) for source in project.sources]


def _writable(folder: Path) -> bool:
    probe = folder / ".neuralsorter-probe"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True
