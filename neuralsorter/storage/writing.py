"""The one path by which a project changes: journal first, then memory, then whoever watches."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import param
from numpy.typing import NDArray

from neuralsorter.edit import Action, Edit, Mark
from neuralsorter.errors import ProjectError
from neuralsorter.spikes import NOISE
from neuralsorter.store import Experiment

from .history import PERMANENT
from .record import Record
from .state import State


class Writing(Record):
    """A project's writing hand."""

    edit = param.ClassSelector(class_=Edit, allow_None=True, doc="The last edit made, undone or redone.")
    read_only = param.Boolean(default=False, doc="Whether edits are refused.")
    failure = param.String(default="", doc="Why a write failed, for the status line.")
    people = param.Dict(default={}, doc="Who looks at what in this process: {tab: (name, channel)}.")

    def __init__(self, *args: Any, **params: Any) -> None:
        super().__init__(*args, **params)
        self._publishing = threading.Lock()
        self._unpublished: deque[Edit] = deque()
        self._depth = 0
        self._refusal = ""
        self.last_note = ""  # what the last call left alone, and why

    def _commit(
        self,
        kind: str,
        label: str,
        rows: NDArray[np.int64],
        after: NDArray[np.int32],
        *,
        marks: Mapping[Mark, str] | None = None,
        params: Mapping[str, Any] | None = None,
        target: int | None = None,
        uid: bytes | None = None,
    ) -> Edit | None:
        """Put a change on disk, then in memory, then publish it. Return None where nothing would change."""
        with self._editing():
            self._require_writable()
            if uid is not None and (known := self._journal.find(uid)) is not None:
                return self._edit_of(known)
            before = self._state.codes_at(rows)
            changed = before != after
            if not changed.all():
                rows, before, after = rows[changed], before[changed], after[changed]
            said = {m: (self._marks.get(m, ""), new) for m, new in (marks or {}).items()}
            said = {m: (old, new) for m, (old, new) in said.items() if old != new}
            if not len(rows) and not said and kind not in PERMANENT:
                return None
            blocks = self._state.to_blocks(rows, before, after)
            self._before_writing(len({block.channel for block in blocks}))
            action = self._append(kind, label, blocks=blocks, marks=said, params=params, target=target, uid=uid)
            return self._take_in(action, rows, before, after, said)

    @contextmanager
    def _editing(self) -> Iterator[None]:
        """Hold the lock, and tell those who watch once the outermost call has let it go."""
        outermost = False
        try:
            with self._lock:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                    outermost = self._depth == 0
        finally:
            if outermost:
                self._publish()

    def _append(self, kind: str, label: str, **what: Any) -> Action:
        try:
            return self._journal.append(kind, label, **what)
        except (OSError, sqlite3.Error) as cause:
            raise self._failed(cause) from cause
        except ProjectError as overtaken:
            self._refusal = str(overtaken)
            raise

    def _failed(self, cause: Exception) -> ProjectError:
        sentence = (
            f"{self._place}: the edit could not be saved ({cause}) and is taken back. Everything before it is on disk."
            " Save a copy elsewhere, then open the project again."
        )
        self._refusal = sentence
        return ProjectError(sentence)

    def _take_in(
        self,
        action: Action,
        rows: NDArray[np.int64],
        before: NDArray[np.int32],
        after: NDArray[np.int32],
        marks: Mapping[Mark, tuple[str, str]],
    ) -> Edit:
        """Bring memory to what the journal now says and queue the edit for those who watch."""
        self._state.apply(rows, after)
        self._history.add(action.id, action.kind, action.target)
        self._marks.update({mark: new for mark, (_, new) in marks.items()})
        edit = self._as_edit(action, rows, before, after, marks)
        self._unpublished.append(edit)
        return edit

    def _publish(self) -> None:
        """Call the watchers once per edit, in the order of the journal, in one thread at a time.

        An edit made by a watcher, or meanwhile by another thread, waits for the present round to end.
        """
        if self._refusal and self._refusal != self.failure:
            self.param.update(read_only=True, failure=self._refusal)
        while self._unpublished and self._publishing.acquire(blocking=False):
            try:
                while self._unpublished:
                    self.edit = self._unpublished.popleft()
            finally:
                self._publishing.release()

    def _edit_of(self, number: int) -> Edit:
        action = self._journal.action(number)
        if action is None:
            raise ProjectError(f"{self._place}: there is no action {number}. The last one is {self._journal.head}.")
        rows, before, after = self._state.from_blocks(self._journal.blocks(number))
        marks = {mark: (old, new) for _, mark, old, new in self._journal.marks(number - 1, number)}
        return self._as_edit(action, rows, before, after, marks)

    def _as_edit(
        self,
        action: Action,
        rows: NDArray[np.int64],
        before: NDArray[np.int32],
        after: NDArray[np.int32],
        marks: Mapping[Mark, tuple[str, str]],
    ) -> Edit:
        channels = {*self._state.channels_of(rows), *(mark.channel for mark in marks)}
        return Edit(
            id=action.id,
            kind=action.kind,
            label=action.label,
            rows=_frozen(rows),
            before=_frozen(np.maximum(before, NOISE)),
            after=_frozen(np.maximum(after, NOISE)),
            channels=tuple(sorted(channels)),
            params=json.loads(action.params),
            at=action.at,
            author=action.author,
            undoes=action.target if action.kind == "undo" else None,
            redoes=action.target if action.kind == "redo" else None,
            marks=marks,
        )

    def _grow(self, experiment: Experiment) -> None:
        """Hold a further experiment; the rows there are keep their numbers."""
        self._take_labels(experiment)
        self._experiments = [*self._experiments, experiment]
        self._state = State(self._experiments, self._journal)
        self._spikes = None

    def _require_writable(self) -> None:
        if self.read_only or self._refusal:
            raise ProjectError(self._refusal or f"{self._place}: it is open for looking only, so it cannot be edited.")

    def _before_writing(self, touched: int) -> None:
        """Do what must be done before an edit of so many channels is written."""


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
