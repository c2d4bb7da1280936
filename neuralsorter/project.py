"""Project: a folder `NAME.nsort` that keeps imported events and every edit."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np

from . import store
from .errors import ProjectError
from .journal import Journal
from .spikes import Spikes
from .storage.adding import Adding
from .storage.folder import (
    JOURNAL,
    check_facts,
    experiment_folder,
    new_folder,
    open_journal,
    record_import,
    stored_experiments,
)
from .storage.importing import agreed, part_of, recordings
from .storage.lock import WriterLock
from .storage.seal import seal
from .store import Experiment, Progress, arrange

_shared: dict[tuple[Path, bool], Project] = {}
_registry_lock = threading.RLock()


class Project(Adding):
    """Events, their units and every edit. Make one with `create`, `open` or `in_memory`; close it or use `with`.

    One process has one Project per folder: opening a folder twice gives the same object, and it closes with its last
    user. `notice` says what was recovered when it was opened, else it is empty.
    """

    def __init__(
        self, experiments: Sequence[Experiment], journal: Journal, writer: WriterLock | None = None, **params: Any
    ) -> None:
        super().__init__(experiments, journal, writer=writer, **params)
        self.notice = ""
        self._users = 1
        self._key: tuple[Path, bool] | None = None

    @classmethod
    def in_memory(cls, spikes: Spikes) -> Self:
        """Return a project that lives as long as the program; `save_copy` puts it on disk."""
        journal = Journal(None)
        experiments = [store.sort_raw(e) for e in arrange(spikes)]
        for number, e in enumerate(experiments):
            record_import(journal, number, e)
        return cls(experiments, journal)

    @classmethod
    def create(
        cls,
        path: str | Path,
        files: Sequence[str | Path] | str | Path = (),
        progress: Progress | None = None,
        *,
        spikes: Spikes | None = None,
        cancel: Any = None,
    ) -> Self:
        """Import files, or `spikes`, into a new project folder, whole or not at all, and open it.

        Parameters
        ----------
        path : str or Path
            The folder to make, `NAME.nsort`.
        files : path or paths
            Recordings; each becomes one experiment (more, where a file holds several).
        progress : callable, optional
            Called with the fraction done and what is being done.
        spikes : Spikes, optional
            Events to import instead of files.
        cancel : threading.Event, optional
            When set, the file being read is given up with `Cancelled`, and there is no project.

        Raises
        ------
        ProjectError
            When the folder exists, there is nothing to import, or the disk refuses.

        """
        folder = Path(path).resolve()
        if folder.exists():
            raise ProjectError(f"{folder}: it exists already. Open it, or choose another name.")
        names = [files] if isinstance(files, str | Path) else list(files)
        if not names and spikes is None:
            raise ProjectError(f"{folder}: a project needs events. Name the recordings to import.")
        tables = agreed(
            [*([] if spikes is None else [spikes]), *recordings(names, None, part_of(progress, 0, 0.5), cancel)]
        )
        experiments: list[Experiment] = []
        for table in tables:
            experiments += arrange(table, sum(map(len, experiments)))
        steps = np.linspace(0.5 if names else 0, 1, len(experiments) + 1).tolist()
        with new_folder(folder) as partial, contextlib.closing(Journal(partial / JOURNAL)) as journal:
            for number, e in enumerate(experiments):
                part = part_of(progress, *steps[number : number + 2])
                record_import(journal, number, store.write(e, experiment_folder(partial, number), part))
        return cls.open(folder)

    @classmethod
    def open(cls, path: str | Path, read_only: bool = False, take_over: bool = False) -> Self:  # noqa: FBT001, FBT002 - switches
        """Open a project where it was left. The time does not depend on the size of the recording.

        Parameters
        ----------
        path : str or Path
            The folder.
        read_only : bool
            Only look; call `refresh` to follow the edits of others.
        take_over : bool
            Become the one who edits even if another process is; that one can then only look.

        Returns
        -------
        Project
            `read_only` where another process edits it (`holder` says who) or the folder cannot be written to.

        Raises
        ------
        ProjectError
            When the folder is no project, one of a newer version, or its events are not those of its journal.

        """
        folder = Path(path).resolve()
        key = folder, read_only
        with _registry_lock:
            if (known := _shared.get(key)) is not None:
                known._users += 1  # noqa: SLF001 - our own class
                if known.read_only and not read_only:
                    known.take_over(force=take_over)
                return cast("Self", known)
            project = cls._opened(folder, read_only=read_only, take_over=take_over)
            project._key = key  # noqa: SLF001 - our own class
            _shared[key] = project
            return project

    @classmethod
    def _opened(cls, folder: Path, *, read_only: bool, take_over: bool) -> Self:
        check_facts(folder)
        writer = WriterLock(folder)
        try:
            writing = not read_only and writer.acquire(take_over=take_over)
        except OSError:  # a folder that cannot be written to
            writing = False
        try:
            journal, notice = open_journal(folder, writer if writing else None)
            experiments = stored_experiments(folder, journal, adopt=writing)
            project = cls(experiments, journal, writer, read_only=not writing)
        except sqlite3.Error as cause:
            writer.release()
            raise ProjectError(
                f"{folder}: its journal cannot be opened ({cause}). Check the disk and your rights, or copy the folder"
                " to another place and open it there."
            ) from cause
        except BaseException:
            writer.release()
            raise
        project.notice = notice
        if writing and journal.head > project._backed_up[0]:
            project._back_up()  # of what a killed program left
        return project

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder. Everything is on disk already; closing twice does nothing."""
        with _registry_lock:
            self._users -= 1
            if self._users != 0:
                return
            if self._key is not None and _shared.get(self._key) is self:
                del _shared[self._key]
        with self._lock:
            writing = self._path is not None and not self.read_only and self._writer is not None and self._writer.held
            if writing and self._journal.head > self._backed_up[0]:
                self._back_up()
            self._journal.close()
            if writing and self._path is not None:
                with contextlib.suppress(OSError):  # without a seal the next opening checks row by row
                    seal(self._path / JOURNAL)
            if self._writer is not None:
                self._writer.release()

    @property
    def path(self) -> Path | None:
        """The folder; None in memory."""
        return self._path

    @property
    def holder(self) -> str:
        """Who edits this project, as in 'anna on lab3 (process 4711, since 14:02)'; empty where nobody does."""
        return self._writer.holder() if self._writer is not None else ""

    @property
    def holds(self) -> bool:
        """Whether this process is the one that may edit, also where a write of its has failed."""
        return self._writer is not None and self._writer.held

    def take_over(self, *, force: bool = True) -> bool:
        """Become the one who edits, by `force` even if another process is; also the way on after a write failed."""
        if self._path is None or self._writer is None:
            return False
        with self._editing():
            try:
                if not self._writer.acquire(take_over=force):
                    return False
                journal, self.notice = open_journal(self._path, self._writer)
            except (OSError, sqlite3.Error) as cause:
                if force:
                    raise ProjectError(f"{self._place}: it cannot be written ({cause}). Check the disk.") from cause
                return False
            self._journal.close()
            self._journal = self._state.journal = journal
            self._catch_up()
            self._refusal = ""
            self.param.update(read_only=False, failure="")
        return True

    def refresh(self) -> int:
        """Take in what another process has edited meanwhile and publish it; return the number of actions."""
        with self._editing():
            if self._writer is not None and not self.read_only and not self._writer.held:
                self._refusal = f"{self._place}: {self.holder} has taken over. Take over again to edit here."
            return super().refresh()

    def branch(self, path: str | Path, number: int) -> Project:
        """Open a new project that has this one's events and its history up to an action (0: as imported)."""
        self._require_action(number)
        return type(self).open(self._copy_to(Path(path), number))
