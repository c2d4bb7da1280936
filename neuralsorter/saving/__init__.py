"""Writing files: by suffix, whole or not at all, never over what is being read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from neuralsorter.errors import DataError, SaveError
from neuralsorter.spikes import Spikes
from neuralsorter.storage.importing import PART

from .curation import write_curation
from .limits import losses
from .matlab import write_mat
from .nev import write_nev
from .nex import write_nex
from .npz import write_npz
from .nwb import write_nwb
from .phy import write_phy
from .pickled import write_npy, write_pkl
from .plx import write_plx
from .sorting import write_sorting
from .table import write_csv, write_parquet
from .whole import folder_written_whole, written_whole

__all__ = ["WRITABLE", "WRITERS", "losses", "save", "save_with_notes", "written_whole"]

Writer = Callable[[Spikes, IO[bytes]], list[str]]

WRITERS: dict[str, Writer] = {
    ".npz": write_npz,
    ".nev": write_nev,
    ".nwb": write_nwb,
    ".nex": write_nex,
    ".plx": write_plx,
    ".pkl": write_pkl,
    ".npy": write_npy,
    ".csv": write_csv,
    ".parquet": write_parquet,
    ".mat": write_mat,
    ".json": write_curation,
}


# Formats that are a folder of files.
FOLDER_WRITERS: dict[str, Callable[[Spikes, Path], list[str]]] = {
    ".phy": write_phy,
    ".sorting": write_sorting,
}
WRITABLE = (*WRITERS, *FOLDER_WRITERS)
"""Every suffix that can be written."""


def save(spikes: Spikes, path: str | Path) -> None:
    """Write the events in row order, in the format of the suffix.

    Parameters
    ----------
    spikes : Spikes
        Events in the order to write.
    path : str or Path
        Replaced whole, or left as it is when writing fails. May not be a file the events came from.

    Raises
    ------
    SaveError
        When the format is not writable or the disk refuses.

    """
    save_with_notes(spikes, path)


def save_with_notes(spikes: Spikes, path: str | Path) -> list[str]:
    """Write as `save` does and return what the format could not hold, as sentences."""
    path = Path(path)
    check(path, spikes.sources)
    suffix = path.suffix.lower()
    try:
        if suffix in FOLDER_WRITERS:
            with folder_written_whole(path) as folder:
                return losses(spikes, path) + FOLDER_WRITERS[suffix](spikes, folder)
        with written_whole(path) as file:
            return losses(spikes, path) + WRITERS[suffix](spikes, file)
    except DataError as error:
        rule, _, remedy = str(error).rstrip(".").rpartition("; ")
        raise SaveError(path, rule or remedy, (remedy if rule else "choose another format").capitalize()) from None


def check(path: Path, sources: Iterable[str] = ()) -> None:
    """Refuse a path that cannot be written, or that holds what is to be written, before any work is done."""
    suffix = path.suffix.lower()
    if suffix not in WRITABLE:
        writable = ", ".join(WRITABLE)
        raise SaveError(path, f"has the suffix {path.suffix!r}, which cannot be written", f"Choose from {writable}")
    if suffix in FOLDER_WRITERS and path.exists():
        raise SaveError(path, "is there already", "Choose another name: folders are not replaced")
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise SaveError(path, what, "Name a file in a folder that exists")
    if path.exists() and any(_holds(source, path) for source in sources):
        raise SaveError(path, "is the file these events came from", "Choose another name: sources are never changed")


def _holds(source: str, path: Path) -> bool:
    """Return whether a file is a source, one whose parts are the sources, or part of a source that is a folder."""
    for name in (source, source.rpartition(PART)[0]):
        there = Path(name)
        if name and there.exists() and (path.samefile(there) or there.resolve() in path.resolve().parents):
            return True
    return False
