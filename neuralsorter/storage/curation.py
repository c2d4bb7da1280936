"""What a person, a cleaner or a sorter does to units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralsorter.edit import Edit, Mark
from neuralsorter.errors import DataError, ProjectError
from neuralsorter.spikes import NOISE

from .scope import scope_of
from .writing import Writing

_RESERVED = frozenset({"import", "version", "undo", "redo", "goto"})


class Curation(Writing):
    """Edits of units and marks. Each call is one undoable action, on disk when it returns."""

    def assign(
        self,
        rows: ArrayLike,
        unit: int,
        label: str = "",
        params: Mapping[str, Any] | None = None,
        *,
        uid: bytes | None = None,
    ) -> Edit | None:
        """Send events to a unit, 0 for noise; events of a locked unit, or bound for one, stay where they are.

        Parameters
        ----------
        rows : ndarray of int, or mask
            Which events, of any channels.
        unit : int
            Where to.
        label : str
            What the history says; made up where empty.
        params : mapping
            Provenance, such as the lasso's polygon.
        uid : bytes, optional
            16 bytes that name this request: a second call with the same ones changes nothing.

        Returns
        -------
        Edit or None
            None where nothing changed; `last_note` says what was left alone.

        """
        target = _unit_number(unit)
        with self._editing():
            chosen = self._chosen(rows)
            codes = np.full(len(chosen), target, np.int32)
            chosen, codes = self._without_locked(chosen, codes)
            where = "noise" if target == NOISE else f"unit {target}"
            text = label or f"{len(chosen):,} events to {where}"
            return self._commit("assign", text, chosen, codes, params=params, uid=uid)

    def assign_units(
        self,
        rows: ArrayLike,
        units: ArrayLike,
        kind: str = "sort",
        label: str = "",
        params: Mapping[str, Any] | None = None,
        *,
        uid: bytes | None = None,
    ) -> Edit | None:
        """Give each event its own unit, (n,); noise and locked units stay as they are."""
        _require_own_kind(kind)
        with self._editing():
            chosen, codes = self._paired(rows, units)
            if (codes < NOISE).any():
                raise DataError(f"Units must be 0 (noise) or more. Got {codes.min()}.")
            kept = self._state.codes_at(chosen) > NOISE
            chosen, codes = self._without_locked(chosen[kept], codes[kept])
            return self._commit(
                kind, label or f"{kind} of {len(chosen):,} events", chosen, codes, params=params, uid=uid
            )

    def sort_result(
        self,
        rows: ArrayLike,
        labels: ArrayLike,
        label: str = "",
        params: Mapping[str, Any] | None = None,
        *,
        kind: str = "sort",
        uid: bytes | None = None,
    ) -> Edit | None:
        """Take over what a sorter found: per channel the largest cluster keeps the number, others get fresh ones.

        Parameters
        ----------
        rows : ndarray, (n,)
            Events sorted; where they were of several units the commonest gives the number.
        labels : ndarray, (n,), int
            Cluster of each, 0 or more; below 0 is an outlier, which stays where it is. Noise and locked units are
            left alone.

        """
        _require_own_kind(kind)
        with self._editing():
            chosen, found = self._paired(rows, labels)
            codes = self._state.codes_at(chosen)
            facts = {"where": scope_of(self._state, chosen), **(params or {})}
            kept = (codes > NOISE) & (found >= 0)
            chosen, found, codes = chosen[kept], found[kept], codes[kept]
            free = ~self._in_locked(chosen, codes)
            self._say_left_alone(int((~free).sum()))
            chosen, found, codes = chosen[free], found[free], codes[free]
            units = np.empty_like(codes)
            channel_of = self._channel_of(chosen)
            for channel in np.unique(channel_of).tolist():
                inside = channel_of == channel
                units[inside] = self._numbered(channel, found[inside], codes[inside])
            return self._commit(
                kind, label or f"{kind} of {len(chosen):,} events", chosen, units, params=facts, uid=uid
            )

    def _numbered(self, channel: int, found: NDArray[np.int32], codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return a unit per event: the largest cluster keeps the commonest unit's number."""
        clusters, place, sizes = np.unique(found, return_inverse=True, return_counts=True)
        units, counts = np.unique(codes, return_counts=True)
        fresh = self._state.fresh_unit(channel)
        largest = int(sizes.argmax())
        numbers = np.empty(len(clusters), np.int32)
        numbers[largest] = units[counts.argmax()]
        others = np.arange(len(clusters)) != largest
        numbers[others] = fresh + np.arange(int(others.sum()))
        return np.asarray(numbers[place], np.int32)

    def merge(self, channel: int, units: Sequence[int], into: int | None = None, label: str = "") -> Edit | None:
        """Send all events of several units of a channel to one of them: `into`, else the lowest."""
        numbers = sorted({_unit_number(unit) for unit in units})
        if len(numbers) < 2 or NOISE in numbers:
            raise ProjectError(f"Merging needs two or more units and not noise (0). Got {numbers}.")
        target = numbers[0] if into is None else _unit_number(into)
        with self._editing():
            rows = self.rows(channel)
            rows = rows[np.isin(self._state.unit_of(rows), numbers)]
            chosen, codes = self._without_locked(rows, np.full(len(rows), target, np.int32))
            text = label or f"units {', '.join(map(str, numbers))} merged into {target}"
            return self._commit("merge", text, chosen, codes, params={"units": numbers, "into": target})

    def clean(
        self,
        rows: ArrayLike,
        probability: ArrayLike,
        threshold: float,
        params: Mapping[str, Any] | None = None,
        *,
        label: str = "",
        uid: bytes | None = None,
    ) -> Edit | None:
        """Send events below the threshold to noise and bring back those a cleaner sent there that are now above.

        Parameters
        ----------
        rows : ndarray of int
            Events judged.
        probability : ndarray, (n,)
            P(spike) of each, 0 to 1.
        threshold : float
            The least P(spike) of a spike.

        Returns
        -------
        Edit or None
            What a person called noise stays noise, and locked units stay as they are.

        """
        with self._editing():
            chosen, codes, to_noise, back = self._cleaned(rows, probability, threshold)
            text = label or f"cleaned at {threshold:g}: {to_noise:,} events to noise, {back:,} back"
            judged = self._chosen(rows)
            facts = {"threshold": float(threshold), "where": scope_of(self._state, judged), **(params or {})}
            return self._commit("clean", text, chosen, codes, params=facts, uid=uid)

    def preview_clean(self, rows: ArrayLike, probability: ArrayLike, threshold: float) -> tuple[int, int]:
        """Return how many events `clean` would send to noise, and how many it would bring back."""
        with self._lock:
            _, _, to_noise, back = self._cleaned(rows, probability, threshold)
        return to_noise, back

    def _cleaned(
        self, rows: ArrayLike, probability: ArrayLike, threshold: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], int, int]:
        index, chances = np.asarray(rows), np.asarray(probability)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        if index.shape != chances.shape or index.ndim != 1:
            raise DataError(f"Cleaning needs one probability per row. Got {chances.shape} for {index.shape} rows.")
        if not 0 <= threshold <= 1:
            raise DataError(f"The threshold on P(spike) must lie between 0 and 1. Got {threshold}.")
        chosen, order = self._sorted_rows(index)
        good = chances[order] >= threshold if order is not None else chances >= threshold
        codes = self._state.codes_at(chosen)
        goes, returns = (codes > NOISE) & ~good, (codes < NOISE) & good
        moved = goes | returns
        chosen, codes = chosen[moved], codes[moved]
        free = ~self._in_locked(chosen, np.abs(codes))
        chosen, codes = chosen[free], codes[free]
        # A cleaner's noise is the former unit with a minus sign, so going and returning are the same step.
        return chosen, -codes, int((codes > NOISE).sum()), int((codes < NOISE).sum())

    def set_label(self, channel: int, unit: int, text: str) -> Edit | None:
        """Call a unit good, mua, noise, unsorted or anything else; empty text takes the label away."""
        what = f"unit {unit} of channel {channel}"
        return self._mark(Mark("label", channel, unit), text, f"{what} is {text}" if text else f"{what} has no label")

    def note(self, channel: int, unit: int, text: str) -> Edit | None:
        """Write a note on a unit, or with unit -1 on the channel."""
        what = f"channel {channel}" if unit < 0 else f"unit {unit} of channel {channel}"
        return self._mark(Mark("note", channel, unit), text, f"note on {what}")

    def lock(self, channel: int, unit: int, on: bool = True) -> Edit | None:  # noqa: FBT001, FBT002 - reads as a switch
        """Keep a unit as it is: no edit takes events from it or adds any; False frees it."""
        what = f"unit {unit} of channel {channel}"
        return self._mark(Mark("lock", channel, unit), "on" if on else "", f"{what} {'locked' if on else 'unlocked'}")

    def set_reviewed(self, channel: int, on: bool = True) -> Edit | None:  # noqa: FBT001, FBT002 - reads as a switch
        """Mark a channel as done, or as not done."""
        text = f"channel {channel} {'reviewed' if on else 'to be reviewed'}"
        return self._mark(Mark("reviewed", channel, -1), "on" if on else "", text)

    def _mark(self, mark: Mark, text: str, label: str) -> Edit | None:
        with self._editing():
            self._state.slices(mark.channel)  # raises where there is no such channel
            plain = Mark(mark.kind, int(mark.channel), int(mark.unit))
            empty = np.zeros(0, np.int64), np.zeros(0, np.int32)
            return self._commit(mark.kind, label, *empty, marks={plain: str(text)})

    def _chosen(self, rows: ArrayLike) -> NDArray[np.int64]:
        index = np.asarray(rows)
        return self._sorted_rows(np.flatnonzero(index) if index.dtype == bool else index)[0]

    def _paired(self, rows: ArrayLike, values: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        index, paired = np.asarray(rows), np.asarray(values)
        index = np.flatnonzero(index) if index.dtype == bool else index
        if index.shape != paired.shape:
            raise DataError(f"There must be one unit per row. Got {paired.shape} for {index.shape} rows.")
        chosen, order = self._sorted_rows(index)
        return chosen, (paired if order is None else paired[order]).astype(np.int32)

    def _sorted_rows(self, index: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Return distinct rows in order, and where each stood (None: they were so already)."""
        if index.ndim != 1 or (index.size and index.dtype.kind not in "iu"):
            raise DataError(f"Rows must be a list of whole numbers. Got {index.dtype} of shape {index.shape}.")
        rows, order = index.astype(np.int64), None
        if not (np.diff(rows) > 0).all():
            rows, order = np.unique(rows, return_index=True)
        if len(rows) and not 0 <= rows[0] <= rows[-1] < len(self):
            raise DataError(f"Rows run from 0 to {len(self) - 1}. Got {rows[0]} to {rows[-1]}.")
        return rows, order

    def _channel_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        channel = np.empty(len(rows), np.int64)
        for number, i, j in self._state.split(rows):
            channel[i:j] = self._state.blocks[number, 1]
        return channel

    def _without_locked(
        self, rows: NDArray[np.int64], codes: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        locked = self._in_locked(rows, self._state.codes_at(rows)) | self._in_locked(rows, codes)
        self._say_left_alone(int(locked.sum()))
        return (rows[~locked], codes[~locked]) if locked.any() else (rows, codes)

    def _in_locked(self, rows: NDArray[np.int64], codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether each code is that of a locked unit of its row's channel."""
        inside = np.zeros(len(rows), bool)
        locked = self.locked
        for number, i, j in self._state.split(rows) if locked else ():
            units = [unit for channel, unit in locked if channel == self._state.blocks[number, 1]]
            inside[i:j] = np.isin(codes[i:j], units)
        return inside

    def _say_left_alone(self, n: int) -> None:
        self.last_note = f"{n:,} events were left alone because their unit is locked." if n else ""


def _unit_number(unit: int) -> int:
    if int(unit) != unit or not NOISE <= unit < 2**31:
        raise DataError(f"A unit is a whole number, 0 (noise) or more. Got {unit!r}.")
    return int(unit)


def _require_own_kind(kind: str) -> None:
    if kind in _RESERVED:
        raise ProjectError(f"The kind {kind!r} is the journal's own. Use sort, merge, script or propose.")
