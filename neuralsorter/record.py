"""What a project holds, and the one path by which it changes: journal first, then memory, then whoever watches."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import param
from numpy.typing import ArrayLike, NDArray

from .edit import Action, Edit, Mark
from .errors import ProjectError
from .history import PERMANENT, History
from .journal import Journal
from .spikes import NOISE, Spikes
from .state import State
from .store import Experiment
from .table import joined_raw, spikes_of


class Record(param.Parameterized):
    """Events, their present units and marks. Arrays it returns are views that follow later edits; copy to keep one."""

    edit = param.ClassSelector(class_=Edit, allow_None=True, doc="The last edit made, undone or redone.")
    read_only = param.Boolean(default=False, doc="Whether edits are refused.")
    failure = param.String(default="", doc="Why a write failed, for the status line.")

    def __init__(self, experiments: Sequence[Experiment], journal: Journal, **params: Any) -> None:
        super().__init__(**params)
        self._lock = threading.RLock()
        self._publishing = threading.Lock()
        self._unpublished: deque[Edit] = deque()
        self._depth = 0
        self._refusal = ""
        self.last_note = ""  # what the last call left alone, and why
        self._journal = journal
        self._experiments = list(experiments)
        self._state = State(self._experiments, journal)
        self._history = History(journal.steps())
        self._marks: dict[Mark, str] = {}
        for number, e in enumerate(self._experiments):
            self._take_labels(number, e)
        for _, mark, _, new in journal.marks():
            self._marks[mark] = new
        self._spikes: tuple[int, Spikes] | None = None

    def _take_labels(self, number: int, experiment: Experiment) -> None:
        for (channel, unit), text in experiment.labels.items():
            mark = Mark("label", channel, unit)
            if number == 0 or mark not in self._marks:  # the first file to name a unit wins
                self._marks.setdefault(mark, text)

    def __len__(self) -> int:
        return len(self._state)

    @property
    def experiments(self) -> list[str]:
        """Names of the files, in the order given."""
        return [e.name for e in self._experiments]

    @property
    def sampling_rate(self) -> float:
        """Hz."""
        return self._experiments[0].sampling_rate

    @property
    def pre_samples(self) -> int:
        """Samples before the threshold crossing."""
        return self._experiments[0].pre_samples

    @property
    def n_samples(self) -> int:
        """Samples per waveform."""
        return int(self._experiments[0].raw.shape[-1])

    @property
    def uv_per_bit(self) -> float:
        """µV per unit of what `raw` returns; 1 where the files differ, and then `raw` is in µV."""
        return self._experiments[0].uv_per_bit if self._alike else 1.0

    @property
    def _alike(self) -> bool:
        return len({(e.raw.dtype, e.uv_per_bit) for e in self._experiments}) == 1

    @property
    def unit(self) -> NDArray[np.int32]:
        """Present unit of each row, (n_spikes,), int32; a live read-only view."""
        with self._lock:
            return self._state.unit

    @property
    def by_cleaner(self) -> NDArray[np.bool_]:
        """Whether each row is noise that a cleaner sent there, (n_spikes,)."""
        with self._lock:
            return np.asarray(self._state.code < NOISE)

    @property
    def source_row(self) -> NDArray[np.int64]:
        """Position of each row in the files as they were given, one after the other, (n_spikes,), int64."""
        return np.concatenate([np.zeros(0, np.int64), *(e.source_row + e.first_row for e in self._experiments)])

    @property
    def labels(self) -> dict[tuple[int, int], str]:
        """{(channel, unit): "good", "mua", "noise", "unsorted" or free text}."""
        return self._marked("label")

    @property
    def notes(self) -> dict[tuple[int, int], str]:
        """{(channel, unit): text}; unit -1 stands for the channel."""
        return self._marked("note")

    @property
    def locked(self) -> frozenset[tuple[int, int]]:
        """Units that no edit may touch, (channel, unit)."""
        return frozenset(self._marked("lock"))

    @property
    def reviewed(self) -> frozenset[int]:
        """Channels that a person has marked as done."""
        return frozenset(channel for channel, _ in self._marked("reviewed"))

    def _marked(self, kind: str) -> dict[tuple[int, int], str]:
        with self._lock:
            return {(m.channel, m.unit): text for m, text in self._marks.items() if m.kind == kind and text}

    def channels(self) -> list[int]:
        """Return the channels of all experiments, sorted."""
        return self._state.channels

    def rows(self, channel: int, experiment: int | None = None, unit: int | None = None) -> NDArray[np.int64]:
        """Return the rows of a channel, sorted: of one experiment or all, of one unit or all."""
        with self._lock:
            return self._state.rows(channel, experiment, unit)

    def unit_of(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the present units of sorted rows; unlike `unit`, only their channels are looked up."""
        with self._lock:
            return self._state.unit_of(rows)

    def counts(self, channel: int, experiment: int | None = None) -> dict[int, int]:
        """Return {unit: number of events} of a channel; noise is unit 0."""
        with self._lock:
            return self._state.counts(channel, experiment)

    def new_unit(self, channel: int) -> int:
        """Return a unit number never used on this channel, in undone edits neither."""
        with self._lock:
            return self._state.fresh_unit(channel)

    def raw(self, rows: ArrayLike | slice) -> NDArray[Any]:
        """Return waveforms as stored, int16 or float32: a view where rows are neighbours in one experiment."""
        return joined_raw(self._experiments, self._state.offsets, rows, as_uv=not self._alike)

    def times_of(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the times of sorted rows in s, (n,)."""
        cuts = np.searchsorted(rows, self._state.offsets)
        parts = [
            e.times_s[rows[i:j] - first]
            for e, first, i, j in zip(self._experiments, self._state.offsets, cuts[:-1], cuts[1:], strict=False)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @property
    def spikes(self) -> Spikes:
        """All events in row order with present units and labels. Its `unit` is a snapshot; the rest are views."""
        with self._lock:
            at = self._journal.head
            if self._spikes is None or self._spikes[0] != at:
                before = self._spikes[1] if self._spikes is not None else None
                self._spikes = at, spikes_of(self._experiments, self.unit.copy(), self.labels, before=before)
            return self._spikes[1]

    @property
    def n_edits(self) -> int:
        """Number of edits on disk."""
        return self._history.n_edits

    @property
    def saved_at(self) -> datetime | None:
        """When the last edit was put on disk."""
        last = self._journal.action(self._history.head)
        return datetime.fromtimestamp(last.at, UTC).astimezone() if last else None

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
        self._take_labels(len(self._experiments), experiment)
        self._experiments = [*self._experiments, experiment]
        self._state = State(self._experiments, self._journal)
        self._spikes = None

    def _require_writable(self) -> None:
        if self.read_only or self._refusal:
            raise ProjectError(self._refusal or f"{self._place}: it is open for looking only, so it cannot be edited.")

    def _before_writing(self, touched: int) -> None:
        """Do what must be done before an edit of so many channels is written."""

    @property
    def _place(self) -> str:
        return "The project in memory" if self._path is None else str(self._path)

    @property
    def _path(self) -> Path | None:
        return self._journal.path.parent if self._journal.path is not None else None


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
