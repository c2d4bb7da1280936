"""What a project holds."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import param
from numpy.typing import ArrayLike, NDArray

from neuralsorter.edit import Mark
from neuralsorter.journal import Journal
from neuralsorter.spikes import NOISE, Spikes
from neuralsorter.store import Experiment

from .history import History
from .scope import rows_of
from .state import State
from .table import joined_raw, last_times, spikes_of


class Record(param.Parameterized):
    """Events, their present units and marks. Arrays it returns are views that follow later edits; copy to keep one."""

    def __init__(self, experiments: Sequence[Experiment], journal: Journal, **params: Any) -> None:
        super().__init__(**params)
        self._lock = threading.RLock()
        self._journal = journal
        self._experiments = list(experiments)
        self._state = State(self._experiments, journal)
        self._history = History(journal.steps())
        self._marks: dict[Mark, str] = {}
        for e in self._experiments:
            self._take_labels(e)
        for _, mark, _, new in journal.marks():
            self._marks[mark] = new
        self._spikes: tuple[int, Spikes] | None = None

    def _take_labels(self, experiment: Experiment) -> None:
        for (channel, unit), text in experiment.labels.items():
            self._marks.setdefault(Mark("label", channel, unit), text)  # the first file to name a unit wins

    def __len__(self) -> int:
        return len(self._state)

    @property
    def experiments(self) -> list[str]:
        """Names of the files, in the order given."""
        return [e.name for e in self._experiments]

    @property
    def sources(self) -> list[str]:
        """Paths of the files, in the order given; the name where there was no file."""
        return [e.source or e.name for e in self._experiments]

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

    def rows_of(self, scope: Mapping[str, Any]) -> NDArray[np.int64]:
        """Return the sorted rows that an action's `where` means here (see `storage.scope`)."""
        with self._lock:
            return rows_of(self._state, scope)

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

    def stretches_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the stretch of continuous clock that each of sorted rows lies in, as a number, (n,)."""
        cuts = np.searchsorted(rows, self._state.offsets)
        parts = [
            np.int64(number) << 32 | e.segment[rows[i:j] - first].astype(np.int64)
            for number, (e, first, i, j) in enumerate(
                zip(self._experiments, self._state.offsets, cuts[:-1], cuts[1:], strict=False)
            )
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @property
    def last_time_s(self) -> float:
        """When the last event was, 0 where no time is known; few pages of the store are read, whatever its size."""
        return max(self.ends_s.values(), default=0.0)

    @property
    def ends_s(self) -> dict[int, float]:
        """{stretch of continuous clock: time of its last event on any channel}, those of unknown times left out."""
        return {
            number << 32 | segment: last
            for number, e in enumerate(self._experiments)
            for segment, last in last_times(e).items()
        }

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

    @property
    def _place(self) -> str:
        return "The project in memory" if self._path is None else str(self._path)

    @property
    def _path(self) -> Path | None:
        return self._journal.path.parent if self._journal.path is not None else None
