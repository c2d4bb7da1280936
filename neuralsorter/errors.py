"""Errors that reach a person: one sentence that names the thing, the rule, what came, and what to do."""

from __future__ import annotations

from pathlib import Path


class NeuralSorterError(Exception):
    """A problem the user can act on. Its text is shown as it is, never with a traceback."""


class DataError(NeuralSorterError, ValueError):
    """Values that break a rule of the data model, such as columns of unequal length."""


class FileError(NeuralSorterError):
    """A file that cannot be read or written.

    Parameters
    ----------
    path : str or Path
        The file, as the user named it.
    what : str
        What is wrong and where, without a full stop; letters of a damaged file that cannot be shown are replaced.
    remedy : str
        What to do about it, a full sentence without the full stop.

    """

    def __init__(self, path: str | Path, what: str, remedy: str) -> None:
        what = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in what)
        super().__init__(f"{path}: {what}. {remedy}.")
        self.path, self.what, self.remedy = str(path), what, remedy

    def __reduce__(self) -> tuple[type[FileError], tuple[str, str, str]]:
        """Pickle by the three parts, so that the error crosses a process boundary whole."""
        return type(self), (self.path, self.what, self.remedy)


class LoadError(FileError):
    """A file that cannot be read as spikes."""


class SaveError(FileError):
    """A file that cannot be written. What was there before is unchanged."""


class PluginError(NeuralSorterError):
    """A cleaner, sorter, loader, utility or network that cannot be used."""


class SettingsError(NeuralSorterError):
    """A setting with a wrong name or value."""


class ProjectError(NeuralSorterError):
    """A project that cannot be opened or changed. The data on disk are unchanged."""


class WorkerError(NeuralSorterError):
    """Work in another process that failed, ran out of time or was stopped."""


class Cancelled(NeuralSorterError):  # noqa: N818 - an outcome the user asked for, not a fault
    """The user stopped the work; nothing was changed."""
