"""Adding recordings to a project that is being edited."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuralsorter import store
from neuralsorter.errors import ProjectError
from neuralsorter.spikes import Spikes
from neuralsorter.store import Experiment, Progress, arrange

from .disk import remove_tree
from .folder import experiment_folder, record_import
from .importing import fitted, part_of, recordings
from .keeping import Keeping
from .lock import WriterLock


class Adding(Keeping):
    """A project's further experiments."""

    def __init__(self, *args: Any, writer: WriterLock | None, **params: Any) -> None:
        super().__init__(*args, **params)
        self._writer = writer
        self._one_import = threading.Lock()

    def add(
        self, files: Sequence[str | Path] | str | Path, progress: Progress | None = None, cancel: Any = None
    ) -> list[str]:
        """Add recordings as further experiments and return their names.

        Rows there are keep their numbers, nothing is rewritten, and edits made meanwhile do not wait. `cancel` (a
        threading.Event), when set, gives up the file being read with `Cancelled`; files before it are there.
        """
        names = [files] if isinstance(files, str | Path) else list(files)
        self._require_writable()
        added = []
        for spikes in recordings(names, self._experiments[0], part_of(progress, 0, 0.5), cancel):
            with self._one_import:
                added += self._add(spikes, part_of(progress, 0.5, 1))
        return added

    def _add(self, spikes: Spikes, progress: Progress | None) -> list[str]:
        """Write a recording while edits go on, and again where these changed what its units are to be called."""
        written: list[tuple[Experiment, Path | None]] = []
        try:
            table = self._fitted(spikes)
            written = self._written(table, progress)
            with self._editing():
                self._require_writable()
                now = self._fitted(spikes)
                if now.labels != table.labels or not np.array_equal(now.unit, table.unit):
                    written = self._written(now, progress)
                return [self._take_up(e, partial) for e, partial in written]
        except (OSError, sqlite3.Error) as cause:
            raise ProjectError(
                f"{self._place}: {Path(spikes.sources[0]).name} could not be added ({cause}). Make room and add it"
                " again; the project is as it was."
            ) from cause
        finally:
            if self._writer is not None and self._writer.held:  # else it may be what another process writes
                for _, partial in written:
                    shutil.rmtree(partial or "", ignore_errors=True)

    def _fitted(self, spikes: Spikes) -> Spikes:
        return fitted(spikes, self.channels(), self.labels, self.counts, self.new_unit)

    def _written(self, table: Spikes, progress: Progress | None) -> list[tuple[Experiment, Path | None]]:
        """Return experiments in the order of their rows, each with where it was written, under no name yet."""
        experiments = enumerate(arrange(table, len(self)), len(self._experiments))
        if self._path is None:
            return [(store.sort_raw(e), None) for _, e in experiments]
        return [(e, store.write_beside(e, experiment_folder(self._path, n), progress)) for n, e in experiments]

    def _take_up(self, experiment: Experiment, partial: Path | None) -> str:
        """Make what was written part of the project."""
        number = len(self._experiments)
        if self._path is None or self._writer is None or partial is None:
            stored = experiment
            action = record_import(self._journal, number, stored)
        else:
            self._writer.require()  # whoever has taken over may be writing an experiment of this number
            place = experiment_folder(self._path, number)
            stored = store.put(partial, place)
            try:
                action = record_import(self._journal, number, stored)
            except (OSError, sqlite3.Error):
                remove_tree(place)
                raise
        first = len(self)
        self._grow(stored)
        rows = np.arange(first, len(self))
        codes = self._state.codes_at(rows)
        self._take_in(action, rows, codes, codes, {})
        return experiment.name
