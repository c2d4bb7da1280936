"""Spikes: threshold-crossing events as a table, one array per column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .errors import DataError

NOISE = 0
FIRST_UNIT = 1
NO_UNIT = -1  # in `old_unit`: the event's unit was never changed

DEFAULT_RATE_HZ = 20_000.0
DEFAULT_PRE_MS = 1.0

CHANNEL_COLUMNS = ("id", "x_um", "y_um", "threshold_uv")
TRIGGER_COLUMNS = ("time_s", "code")

_COLUMNS = {
    "channel": np.int32,
    "unit": np.int32,
    "experiment": np.int32,
    "old_unit": np.int32,
    "segment": np.int32,
    "times_s": np.float64,
}


def default_pre_samples(sampling_rate: float) -> int:
    """Return the samples before the crossing in the default window, 1 ms worth."""
    return round(sampling_rate * DEFAULT_PRE_MS / 1000)


def empty_channels() -> pd.DataFrame:
    """Return a channel table without rows: id, x_um, y_um, threshold_uv."""
    return pd.DataFrame({"id": np.zeros(0, np.int64)} | {c: np.zeros(0) for c in CHANNEL_COLUMNS[1:]})


def empty_triggers() -> pd.DataFrame:
    """Return a trigger table without rows: time_s, code."""
    return pd.DataFrame({"time_s": np.zeros(0), "code": np.zeros(0, np.int64)})


@dataclass(frozen=True, eq=False, repr=False)
class Spikes:
    """Threshold-crossing events, one row each, checked once when made.

    Arrays are read-only views; to change something make a new one with `with_unit`, `take` or `dataclasses.replace`.

    Attributes
    ----------
    raw : ndarray, (n_spikes, n_samples) or (n_spikes, n_channels, n_samples), int16 or float32
        Waveforms as stored; `raw * uv_per_bit` is in µV. Three dimensions: several channels per event (tetrodes).
    times_s : ndarray, (n_spikes,), float64
        Time of the crossing in seconds since the start of its segment; NaN where unknown.
    channel, unit, experiment, old_unit, segment : ndarray, (n_spikes,), int32
        Electrode (or electrode group); unit, 0 is noise; file in the order given; unit before the last change or -1;
        number of clock restarts before the event within its file.
    sampling_rate : float
        Hz.
    pre_samples : int
        Samples before the threshold crossing: sample `pre_samples` is at 0 ms.
    uv_per_bit : float
        µV per unit of `raw`.
    labels : dict
        {(channel, unit): "good", "mua", "noise", "unsorted" or free text}.
    channels : DataFrame
        Columns id, x_um, y_um, threshold_uv; NaN where unknown.
    triggers : DataFrame
        Columns time_s, code, and whatever else the file tells.
    sources : tuple of str
        Name of the file of each experiment.

    Raises
    ------
    DataError
        When a column has the wrong length, type or range; the message names it.

    """

    raw: NDArray[Any]
    times_s: NDArray[np.float64]
    channel: NDArray[np.int32]
    unit: NDArray[np.int32]
    experiment: NDArray[np.int32]
    sampling_rate: float = DEFAULT_RATE_HZ
    pre_samples: int = 20
    uv_per_bit: float = 1.0
    old_unit: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    segment: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    labels: Mapping[tuple[int, int], str] = field(default_factory=dict)
    channels: pd.DataFrame = field(default_factory=empty_channels)
    triggers: pd.DataFrame = field(default_factory=empty_triggers)
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._set("raw", _checked_raw(self.raw))
        if not len(self.old_unit):
            self._set("old_unit", np.full(len(self.raw), NO_UNIT, np.int32))
        if not len(self.segment):
            self._set("segment", np.zeros(len(self.raw), np.int32))
        for name, dtype in _COLUMNS.items():
            self._set(name, _checked_column(name, getattr(self, name), dtype, len(self.raw)))
        _require_at_least(self.unit, 0, "Spikes.unit", "0 is noise, units start at 1")
        _require_at_least(self.experiment, 0, "Spikes.experiment", "experiments are numbered from 0")
        if not (np.isfinite(self.sampling_rate) and self.sampling_rate > 0):
            raise DataError(f"Spikes.sampling_rate must be a positive number of Hz. Got {self.sampling_rate!r}.")
        if not 0 <= self.pre_samples < max(self.n_samples, 1):
            raise DataError(
                f"Spikes.pre_samples must lie in the waveform, 0 to {self.n_samples - 1}. Got {self.pre_samples}."
            )
        if not (np.isfinite(self.uv_per_bit) and self.uv_per_bit > 0):
            raise DataError(f"Spikes.uv_per_bit must be a positive number of µV. Got {self.uv_per_bit!r}.")
        self._set("labels", {(int(c), int(u)): str(text) for (c, u), text in self.labels.items()})

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        return (
            f"<Spikes: {len(self):,} events on {len(np.unique(self.channel))} channels,"
            f" {self.n_samples} samples at {self.sampling_rate:g} Hz>"
        )

    @property
    def n_samples(self) -> int:
        """Samples per waveform."""
        return int(self.raw.shape[-1])

    @property
    def waveforms(self) -> NDArray[np.float32]:
        """Waveforms in µV, float32, shaped like `raw`. A new array where `raw` is int16 or scaled."""
        if self.raw.dtype == np.float32 and self.uv_per_bit == 1.0:
            return self.raw
        scaled: NDArray[np.float32] = np.multiply(self.raw, np.float32(self.uv_per_bit), dtype=np.float32)
        return scaled

    @property
    def window_ms(self) -> tuple[float, float]:
        """First and last sample in ms from the crossing."""
        step = 1000 / self.sampling_rate
        return -self.pre_samples * step, (self.n_samples - 1 - self.pre_samples) * step

    @property
    def times_ms(self) -> NDArray[np.float64]:
        """Time of each sample in ms from the crossing, (n_samples,)."""
        steps = np.arange(self.n_samples, dtype=np.float64) - self.pre_samples
        return np.asarray(steps * (1000 / self.sampling_rate), np.float64)

    def take(self, rows: ArrayLike | slice) -> Spikes:
        """Return the events at `rows` (positions, a mask or a slice), in that order."""
        index: Any = rows if isinstance(rows, slice) else np.asarray(rows)
        if not isinstance(index, slice) and not index.size:
            index = index.astype(np.int64)  # an empty list is an array of floats to numpy
        if not isinstance(index, slice) and not index.size:
            index = np.zeros(0, np.intp)  # an empty list is an array of floats to numpy
        columns = {name: getattr(self, name)[index] for name in ("raw", *_COLUMNS)}
        return replace(self, **columns)

    def with_unit(self, unit: ArrayLike, labels: Mapping[tuple[int, int], str] | None = None) -> Spikes:
        """Return the same events in other units, (n_spikes,); `old_unit` remembers those that changed."""
        new = _checked_column("unit", unit, np.int32, len(self))
        old = np.where(new != self.unit, self.unit, self.old_unit)
        return replace(self, unit=new, old_unit=old, labels=self.labels if labels is None else labels)

    def trains(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield (unit, sorted times in s) of each unit present, noise left out. For one channel of one experiment."""
        for unit in np.unique(self.unit[self.unit > NOISE]):
            yield int(unit), np.sort(self.times_s[self.unit == unit])

    def unit_counts(self) -> dict[int, dict[int, int]]:
        """Return {channel: {unit: number of events}}."""
        pairs, counts = np.unique(np.c_[self.channel, self.unit], axis=0, return_counts=True)
        table: dict[int, dict[int, int]] = {}
        for (channel, unit), count in zip(pairs.tolist(), counts.tolist(), strict=True):
            table.setdefault(channel, {})[unit] = count
        return table

    @classmethod
    def from_dict(
        cls,
        d: Mapping[str, Sequence[Any]],
        sampling_rate: float = DEFAULT_RATE_HZ,
        pre_samples: int | None = None,
        uv_per_unit: float = 1.0,
        seconds_per_unit: float = 1.0,
    ) -> Spikes:
        """Make spikes from the six-list dictionary; see `neuralsorter.spike_dict.from_dict`."""
        from .spike_dict import from_dict

        return from_dict(d, sampling_rate, pre_samples, uv_per_unit, seconds_per_unit)

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the six lists ExperimentID ChannelID UnitID OldID TimeStamps Waveforms, in row order."""
        from .spike_dict import to_dict

        return to_dict(self)


def _checked_raw(raw: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(raw)
    if array.ndim not in (2, 3):
        raise DataError(
            "Spikes.raw must have the shape (n_spikes, n_samples) or (n_spikes, n_channels, n_samples)."
            f" Got {array.shape}."
        )
    if array.dtype != np.int16:
        if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool) or np.iscomplexobj(array):
            raise DataError(f"Spikes.raw must hold numbers, int16 or float32. Got {array.dtype}.")
        array = array.astype(np.float32, copy=False)
        if np.isinf(array).any():
            rows = np.flatnonzero(np.isinf(array).reshape(len(array), -1).any(axis=1))
            raise DataError(f"Spikes.raw must be finite; row {rows[0]} is infinite. Remove it or clip its values.")
    return _read_only(array)


def _checked_column(name: str, values: ArrayLike, dtype: Any, n_rows: int) -> NDArray[Any]:
    array = np.asarray(values)
    if array.shape != (n_rows,):
        raise DataError(f"Spikes.{name} must have {n_rows} rows, as the waveforms have. Got {array.shape}.")
    try:
        with np.errstate(invalid="ignore"):
            converted = array.astype(dtype, copy=False)
    except (TypeError, ValueError):
        raise DataError(f"Spikes.{name} must hold numbers. Got {array.dtype}.") from None
    if np.issubdtype(dtype, np.integer) and array.dtype != dtype:
        wrong = np.flatnonzero(converted != array)
        if len(wrong):
            raise DataError(f"Spikes.{name} must hold whole numbers. Row {wrong[0]} is {array[wrong[0]]!r}.")
    return _read_only(converted)


def _require_at_least(values: NDArray[np.int32], least: int, name: str, rule: str) -> None:
    if len(values) and values.min() < least:
        row = int(values.argmin())
        raise DataError(f"{name} must be {least} or more ({rule}). Row {row} is {values[row]}.")


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
