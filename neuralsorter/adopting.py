"""A learned network taken into use: by one project, or kept among the user's networks."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import plugins, settings
from .errors import SaveError

FOLDER = "models"


def adopt(network: str | Path, project: str | Path) -> Path:
    """Copy a network into a project's folder and let the project's settings name it; return the copy.

    Parameters
    ----------
    network : str or Path
        A .keras file.
    project : str or Path
        Folder of the project.

    """
    folder = Path(project) / FOLDER
    number = 1
    while (place := folder / f"learned-{number}.keras").exists():
        number += 1
    _copy(Path(network), place)
    settings.write(Path(project) / settings.FILE_NAME, cleaner=f"{FOLDER}/{place.name}")
    return place


def keep(network: str | Path, name: str) -> Path:
    """Copy a network to the user's models folder under a name; return the copy, which any project can choose.

    Raises
    ------
    SaveError
        When there is one of that name, or the name is none.

    """
    stem = name.strip().removesuffix(".keras")
    place = plugins.user_folder() / "models" / f"{stem}.keras"
    if not stem or Path(stem).name != stem or stem.startswith("."):
        raise SaveError(place, f"{name!r} cannot be the name of a file", "Use letters, digits, - and _")
    if place.exists():
        raise SaveError(place, "there is a network of that name already", "Choose another name")
    _copy(Path(network), place)
    return place


def _copy(source: Path, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(place.name + ".partial")
        shutil.copyfile(source, partial)
        partial.replace(place)
    except OSError as cause:
        raise SaveError(place, f"the network cannot be written ({cause})", "Choose another folder") from cause
