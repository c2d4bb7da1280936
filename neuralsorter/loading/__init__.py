"""Reading files: by suffix to a loader, several files to one table.

Our own readers of plain numbers (NEV, npz) run here. Everything else, foreign libraries and users' loaders, runs in a
worker process with limits, so that no file can hurt the program that opens it.
"""

from __future__ import annotations

import errno
import importlib.metadata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from neuralsorter.errors import DataError, LoadError
from neuralsorter.plugins import Loader, discover, user_folder
from neuralsorter.spikes import Spikes

from .analyzer import AnalyzerLoader
from .apart import parsed_apart
from .axona import AxonaLoader
from .conform import combine, conform
from .matlab import MatlabLoader
from .mcs import McsLoader
from .neuralynx import NeuralynxLoader
from .nev import NevLoader
from .nex import NexLoader
from .npz import NpzLoader
from .nwb import NwbLoader
from .openephys import OpenEphysBinaryLoader, OpenEphysSpikesLoader
from .pickled import PickledLoader
from .plx import PlxLoader
from .remarks import collected
from .spike2 import Spike2Loader
from .table import TableLoader
from .tdt import TdtLoader

__all__ = ["BUNDLED", "Loader", "conform", "is_recording", "load", "load_with_notes", "readable", "suffixes"]

BUNDLED: dict[str, type[Loader]] = {
    "nev": NevLoader,
    "npz": NpzLoader,
    "pickled": PickledLoader,
    "matlab": MatlabLoader,
    "mcs": McsLoader,
    "nwb": NwbLoader,
    "table": TableLoader,
    "nex": NexLoader,
    "neuralynx": NeuralynxLoader,
    "plx": PlxLoader,
    "tdt": TdtLoader,
    "axona": AxonaLoader,
    "openephys": OpenEphysSpikesLoader,
    "openephys_binary": OpenEphysBinaryLoader,
    "spike2": Spike2Loader,
    "spikeinterface": AnalyzerLoader,
}

_NOT_HERE = {  # formats only their vendor's library reads, and what to do instead
    ".pl2": "Export it from Plexon's software as .plx or .nex: .pl2 is read by Plexon's own library on Windows only",
    ".smrx": "Export the WaveMark channel to .mat from Spike2: .smrx is read by CED's own library on Windows only",
}

UNTOLD = "could not be read by"  # all that can be said where a library fails on a damaged file

_OWN = (NevLoader, NpzLoader)  # safe in this process: they read plain numbers and check every size first


def load(*paths: str | Path) -> Spikes:
    """Read files into one table; experiments are numbered in the order given.

    Parameters
    ----------
    *paths : str or Path
        Files or folders of any readable format, or projects (folders `NAME.nsort`). Those that differ in rate or window
        are resampled to the first one's.

    Raises
    ------
    LoadError
        When a file cannot be read; it names the file, what is wrong and what to do.

    """
    return load_with_notes(*paths)[0]


def load_with_notes(
    *paths: str | Path, on_progress: Callable[[float, str], None] | None = None, cancel: Any = None
) -> tuple[Spikes, list[str]]:
    """Read files as `load` does, and return what the user should know as sentences.

    Parameters
    ----------
    *paths : str or Path
        Files or projects.
    on_progress : callable, optional
        Called with the fraction done and the file being read.
    cancel : threading.Event, optional
        When set, reading stops with `Cancelled`.

    """
    if not paths:
        raise DataError("There is no file to read. Name one or more.")
    parts, notes = [], []
    for number, given in enumerate(paths):
        path = Path(given)
        if on_progress:
            on_progress(number / len(paths), path.name)
        part, remarks = _load_one(path, cancel)
        parts.append(part)
        notes += [f"{path}: {sentence}" for sentence in (*remarks, *_remarks(part))]
    try:
        spikes, changes = combine(parts, [str(path) for path in paths])
    except DataError as error:
        raise LoadError(paths[-1], str(error).rstrip("."), "Open it by itself") from None
    return spikes, notes + changes


def suffixes() -> dict[str, str]:
    """Return {suffix: name of the loader} of every readable format, users' own loaders included."""
    found: dict[str, str] = {}
    for name, plugin in discover("loaders").items():
        if not plugin.error:
            found |= dict.fromkeys(plugin.target.suffixes, name)
    return found


def readable() -> str:
    """Return the readable suffixes as text, numbered ones as a range."""
    words = sorted(suffixes())
    numbers = [word for word in words if word[1:].isdecimal()]
    named = [word for word in words if word not in numbers]
    if numbers:
        low, *_, high = sorted(numbers, key=lambda word: int(word[1:]))
        named.append(f"{low} to {high}")
    return ", ".join(named)


def is_recording(folder: Path) -> bool:
    """Tell whether a folder is itself a recording that a loader reads, by the names of the files in it."""
    return any(_fits(plugin.target, folder) for plugin in discover("loaders").values() if not plugin.error)


def _fits(loader: type[Loader], folder: Path) -> bool:
    return any(next(iter(folder.glob(pattern)), None) is not None for pattern in loader.folders)


def parse(path: str) -> tuple[Spikes, list[str]]:
    """Read one file with whatever loader fits, in this process: what the worker runs. Return events and remarks."""
    file = Path(path)
    return read_with(_loaders_for(file), file)


def read_with(choices: Sequence[type[Loader]], file: Path) -> tuple[Spikes, list[str]]:
    """Read in this process with the first loader that can; whatever it raises becomes a `LoadError`."""
    errors = []
    for loader in choices:
        try:
            with collected() as sentences:
                return loader().load(file), sentences
        except LoadError as error:
            errors.append(error)
        except DataError as error:
            errors.append(LoadError(file, str(error).rstrip("."), "The file is damaged: export or copy it again"))
        except MemoryError:
            raise LoadError(
                file, "asks for more memory than a file may have", "Split the file, or copy it again"
            ) from None
        except Exception as cause:  # noqa: BLE001 - foreign libraries raise anything on damaged files
            if isinstance(cause, OSError) and cause.errno not in {None, errno.EINVAL}:
                raise _unreadable(file, cause) from None
            told = (str(cause).splitlines() or [""])[0]
            what = f"{UNTOLD} {loader.__name__} ({type(cause).__name__}: {told})"
            errors.append(LoadError(file, what, "The file is damaged or of another kind: export or copy it again"))
    raise errors[0]


def _load_one(path: Path, cancel: Any) -> tuple[Spikes, list[str]]:
    if path.is_dir() and (path / "project.json").is_file():
        return _project(path), []
    require_readable(path)
    path = path.absolute()
    own = next((loader for loader in _OWN if path.suffix.lower() in loader.suffixes), None)
    if own and not _users_loaders():
        return read_with([own], path)
    beside = companions(path)
    read: tuple[Spikes, list[str]] = parsed_apart("neuralsorter.loading:parse", path, beside=beside, cancel=cancel)
    return read


def require_readable(path: Path) -> None:
    """Refuse a path that is not there or may not be read, before a process is started for it."""
    try:
        with path.open("rb"):
            pass
    except OSError as cause:
        if not path.is_dir():
            raise _unreadable(path, cause) from None


def companions(path: Path) -> list[Path]:
    """Return the files that the formats of a suffix keep beside the one given, links excepted."""
    if path.is_dir():
        return []
    fitting = [loader for loader in BUNDLED.values() if path.suffix.lower() in loader.suffixes]
    return [file for loader in fitting for file in loader.companions(path) if not file.is_symlink()]


def _users_loaders() -> bool:
    """Tell whether loaders of others are installed, without running their code."""
    return any((user_folder() / "loaders").glob("[!_]*.py")) or _installed_loaders()


@cache
def _installed_loaders() -> bool:
    return bool(importlib.metadata.entry_points(group="neuralsorter.loaders"))


def _loaders_for(path: Path) -> Sequence[type[Loader]]:
    suffix = path.suffix.lower()
    broken = []
    found: list[type[Loader]] = []
    for plugin in discover("loaders").values():
        if plugin.error:
            broken.append(plugin.error)
        elif _fits(plugin.target, path) if path.is_dir() else suffix in plugin.target.suffixes:
            found.insert(0, plugin.target)  # users' own come last in the list and go first here
    if not found and path.is_dir():
        known = "a TDT block or tank, an Open Ephys recording, a SpikeInterface analyzer, a project"
        raise LoadError(path, "is a folder in which no loader knows a recording", f"Open a file in it, or {known}")
    if not found and suffix in _NOT_HERE:
        raise LoadError(path, f"has the suffix {path.suffix!r}, which cannot be read here", _NOT_HERE[suffix])
    if not found:
        hint = f"; {' '.join(broken)}" if broken else ""
        what = f"has the suffix {suffix!r}, which no loader reads{hint}"
        raise LoadError(path, what, f"Readable are {readable()}, or add a loader (docs/plugins.md)")
    return found


def _project(path: Path) -> Spikes:
    import numpy as np

    from neuralsorter.project import Project

    with Project.open(path, read_only=True) as project:
        spikes: Spikes = project.spikes
        return spikes.take(np.lexsort((project.source_row, spikes.experiment)))


def _unreadable(path: Path, cause: OSError) -> LoadError:
    if isinstance(cause, FileNotFoundError):
        return LoadError(path, "does not exist", "Check the spelling of its name")
    if isinstance(cause, PermissionError):
        return LoadError(path, "may not be read by you", "Ask its owner for the right to read it")
    return LoadError(path, f"cannot be read ({cause.strerror or cause})", "Check the disk, or copy the file again")


def _remarks(spikes: Spikes) -> list[str]:
    if not len(spikes):
        return ["holds no events."]
    flat = int((spikes.raw.max(axis=-1) == spikes.raw.min(axis=-1)).reshape(len(spikes), -1).all(axis=1).sum())
    return [f"{flat} of {len(spikes)} waveforms are flat."] if flat else []
