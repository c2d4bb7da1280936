"""Keeping a project safe: copies, checks, exports, and following the edits of another process."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from neuralsorter import store
from neuralsorter.edit import Action
from neuralsorter.errors import ProjectError
from neuralsorter.journal import Journal
from neuralsorter.spikes import Spikes

from .backups import EVERY_ACTIONS, EVERY_S, back_up, head_of, listed
from .folder import (
    BACKUPS,
    JOURNAL,
    check_facts,
    copy_choices,
    copy_experiments,
    experiment_folder,
    imports,
    new_folder,
)
from .noise import Noise
from .rescue import copy_prefix, problems
from .schema import connect
from .seal import Seal, look_at
from .state import State
from .table import spikes_of


class Keeping(Noise):
    """A project's dealings with the disk beside its edits."""

    def __init__(self, *args: Any, **params: Any) -> None:
        super().__init__(*args, **params)
        copies = listed(self._path / BACKUPS) if self._path is not None else []
        self._backed_up = (head_of(copies[-1]) if copies else 0), time.monotonic()

    def refresh(self) -> int:
        """Take in what another process has edited meanwhile and publish it; return the number of actions."""
        with self._editing():
            if self._path is None or not self._journal.refresh():
                return 0
            return self._catch_up()

    def _catch_up(self) -> int:
        new = self._journal.actions(self._history.head)
        for action in new:
            if action.kind == "import":
                self._see_import(action)
                continue
            rows, before, after = self._state.from_blocks(self._journal.blocks(action.id))
            self._state.codes_at(rows)
            marks = {mark: (old, text) for _, mark, old, text in self._journal.marks(action.id - 1, action.id)}
            self._take_in(action, rows, before, after, marks)
        return len(new)

    def _see_import(self, action: Action) -> None:
        number, first = len(self._experiments), len(self)
        if self._path is not None:
            self._grow(store.read(experiment_folder(self._path, number)))
        rows = np.arange(first, len(self))
        codes = self._state.codes_at(rows)
        self._take_in(action, rows, codes, codes, {})

    def exported(self) -> Spikes:
        """Return the events in input order, experiment by experiment, with present and former units, for saving."""
        with self._lock:
            spikes = spikes_of(self._experiments, self.unit.copy(), self.labels, old_unit=self.old_unit())
            order = np.lexsort((self.source_row, spikes.experiment))
        return spikes.take(order)

    def export(self, path: str | Path) -> None:
        """Write the events in input order in the format of the suffix; a recording imported is never written over."""
        from neuralsorter.saving import save

        save(self.exported(), path)

    def save_copy(self, path: str | Path) -> Path:
        """Write the whole project to a new folder, history included, and return it; this one stays as it is."""
        return self._copy_to(Path(path), self._journal.head)

    def _copy_to(self, path: Path, number: int) -> Path:
        folder = path.resolve()
        if folder.exists():
            raise ProjectError(f"{folder}: it exists already. Choose another name.")
        with self._lock, new_folder(folder) as partial:
            first = 0
            while (action := self._journal.action(first + 1)) is not None and action.kind == "import":
                first += 1  # what the project was made from belongs to each of its branches
            upto = max(number, first)
            held = sum(a.id <= upto for a in self._journal.imports())
            copy_experiments(self._experiments[:held], partial)
            if self._path is not None:
                copy_choices(self._path, partial)
            experiments = [store.read(experiment_folder(partial, i)) for i in range(held)]
            with self._journal.reading() as db:
                n = copy_prefix(db, partial / JOURNAL, upto, [e.digest for e in experiments])
            if n < upto:
                self._write_units(partial / JOURNAL, experiments)
        return folder

    def _write_units(self, path: Path, experiments: list[store.Experiment]) -> None:
        """Bring a copy whose journal could not be read to its end to the units that memory holds."""
        journal = Journal(path)
        try:
            copy = State(experiments, journal)
            rows = np.flatnonzero(copy.code != self._state.code[: len(copy)])
            blocks = copy.to_blocks(rows, copy.code[rows], self._state.code[rows])
            journal.append("assign", "units as they were in memory when the journal could not be read", blocks=blocks)
        finally:
            journal.close()

    def verify(self) -> list[str]:
        """Compare everything on disk with its hashes, and the journal with itself; return problems as sentences."""
        if self._path is None:
            return []
        found = check_facts(self._path)
        known = imports(self._journal)
        for number, (e, facts) in enumerate(zip(self._experiments, known, strict=False)):
            place = experiment_folder(self._path, number)
            found += store.problems(place)
            if e.digest != facts["manifest_sha256"] or store.digest_of(place) != e.digest:
                found.append(f"{place}: these are not the events that the journal was written for.")
        path = self._path / JOURNAL
        with self._lock, closing(connect(path, read_only=True)) as db:
            found += problems(db)
        if look_at(path) is Seal.BROKEN:
            found.append(f"{path} differs from what was closed.")
        return found or self._replay_problems()

    def _replay_problems(self) -> list[str]:
        """Replay the journal beside the present state; every change must start from what was there."""
        with self._lock:
            code = np.concatenate([np.zeros(0, np.int32), *(e.fresh_unit() for e in self._experiments)])
            for channel in sorted(self._journal.channels_changed()):
                for action, block in self._journal.blocks_of(channel):
                    rows, before, after = self._state.from_blocks([block])
                    if not np.array_equal(code[rows], before):
                        return [f"The journal contradicts itself at action {action}, channel {channel}."]
                    code[rows] = after
            same = np.array_equal(code, self._state.code)
        return [] if same else ["The units in memory are not those of the journal. Open the project again."]

    def _before_writing(self, touched: int) -> None:
        """Copy the journal every so often, and before an edit of more than half of the channels."""
        head, at = self._backed_up
        much = touched > 1 and touched > len(self.channels()) / 2
        late = time.monotonic() - at > EVERY_S and self._journal.head > head
        if self._path is not None and (much or late or self._journal.head - head >= EVERY_ACTIONS):
            self._back_up()

    def _back_up(self) -> None:
        self._backed_up = self._journal.head, time.monotonic()
        if self._path is not None:
            with contextlib.suppress(OSError, sqlite3.Error):  # the edit itself will tell of a full disk
                back_up(self._journal, self._path / BACKUPS)
