"""The six-list dictionary of spikes, and the same six columns wherever a file holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .spikes import DEFAULT_RATE_HZ, NO_UNIT, NOISE, Spikes, default_pre_samples

COLUMNS = ("ExperimentID", "ChannelID", "UnitID", "OldID", "TimeStamps", "Waveforms")

_EMPTY_MS = 3.0  # the window of a table without events: the default, 1 ms before to 2 ms after the crossing


def from_dict(
    d: Mapping[str, Sequence[Any]],
    sampling_rate: float = DEFAULT_RATE_HZ,
    pre_samples: int | None = None,
    uv_per_unit: float = 1.0,
    seconds_per_unit: float = 1.0,
) -> Spikes:
    """Make spikes from the six lists, one entry per event.

    Parameters
    ----------
    d : mapping
        ExperimentID, ChannelID, UnitID (-1 is read as noise, 0), OldID (None where the unit was never changed),
        TimeStamps and Waveforms, equally long. Waveforms: (n_spikes, n_samples) or (n_spikes, n_channels, n_samples).
    sampling_rate : float
        Hz.
    pre_samples : int, optional
        Samples before the threshold crossing; 1 ms worth unless given.
    uv_per_unit : float
        µV per unit of Waveforms.
    seconds_per_unit : float
        Seconds per unit of TimeStamps.

    Raises
    ------
    DataError
        When a list is missing, of another length, or holds what it may not; the message names it.

    """
    if not isinstance(d, Mapping):
        raise DataError(f"A spike_dict must be a dictionary of the lists {', '.join(COLUMNS)}. Got {type(d).__name__}.")
    missing = [name for name in COLUMNS if name not in d]
    if missing:
        raise DataError(f"A spike_dict must hold the lists {', '.join(COLUMNS)}. Missing: {', '.join(missing)}.")
    columns = {name: d[name] for name in COLUMNS}
    return from_columns(columns, sampling_rate, pre_samples, uv_per_unit, seconds_per_unit)


def to_dict(spikes: Spikes) -> dict[str, list[Any]]:
    """Return the six lists in row order: Waveforms in µV, TimeStamps in s, OldID None where never changed."""
    return {
        "ExperimentID": spikes.experiment.tolist(),
        "ChannelID": spikes.channel.tolist(),
        "UnitID": spikes.unit.tolist(),
        "OldID": [None if old == NO_UNIT else old for old in spikes.old_unit.tolist()],
        "TimeStamps": spikes.times_s.tolist(),
        "Waveforms": list(spikes.waveforms),
    }


def from_columns(
    columns: Mapping[str, Any],
    sampling_rate: float = DEFAULT_RATE_HZ,
    pre_samples: int | None = None,
    uv_per_unit: float = 1.0,
    seconds_per_unit: float = 1.0,
    **rest: Any,
) -> Spikes:
    """Make spikes from columns with the names of the six lists; `rest` goes to Spikes as it is.

    UnitID may be missing (then 1), OldID (then None), TimeStamps (then NaN) and ExperimentID (then 0).
    """
    for name, value in {"uv_per_unit": uv_per_unit, "seconds_per_unit": seconds_per_unit}.items():
        if not (np.isfinite(value) and value > 0):
            raise DataError(f"{name} must be a positive number. Got {value!r}.")
    _require_equal_lengths(columns)
    raw = _waveforms(columns["Waveforms"], sampling_rate)
    n = len(raw)
    if raw.dtype != np.int16:
        raw = raw.astype(np.float32, copy=False)
        raw = raw if uv_per_unit == 1.0 else raw * np.float32(uv_per_unit)
    experiment = _integers(columns.get("ExperimentID", np.zeros(n, np.int32)), "ExperimentID")
    unit = _integers(columns.get("UnitID", np.ones(n, np.int32)), "UnitID")
    require_whole(raw, experiment)
    if pre_samples is None:
        pre_samples = min(default_pre_samples(sampling_rate), raw.shape[-1] - 1)
    return Spikes(
        raw=raw,
        times_s=_times(columns.get("TimeStamps"), n) * seconds_per_unit,
        channel=_integers(columns["ChannelID"], "ChannelID"),
        unit=np.where(unit == -1, NOISE, unit),
        experiment=experiment,
        old_unit=_integers(columns.get("OldID", np.full(n, NO_UNIT)), "OldID", none=NO_UNIT),
        sampling_rate=float(sampling_rate),
        pre_samples=pre_samples,
        uv_per_bit=float(uv_per_unit) if raw.dtype == np.int16 else 1.0,
        **rest,
    )


def require_whole(raw: NDArray[Any], experiment: NDArray[Any]) -> None:
    """Refuse NaN, but for samples at the edges that every event of an experiment lacks.

    Raises
    ------
    DataError
        It names the first row with a NaN of its own.

    """
    if raw.dtype.kind != "f" or not np.isnan(raw).any():
        return
    missing = np.isnan(raw)
    empty = np.flatnonzero(missing.reshape(len(raw), -1).all(axis=1))
    if len(empty):
        raise DataError(f"Waveforms must hold numbers. Row {empty[0]} is all NaN; remove the event.")
    for number in np.unique(experiment):
        rows = np.flatnonzero(experiment == number)
        lacking = missing[rows].all(axis=0)
        own = np.flatnonzero((missing[rows] & (~lacking | _inner(lacking))).reshape(len(rows), -1).any(axis=1))
        if len(own):
            raise DataError(f"Waveforms must hold numbers. Row {rows[own[0]]} has a NaN sample; remove or repair it.")


def _inner(lacking: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark samples with others on both sides, (..., n_samples)."""
    before = np.maximum.accumulate(~lacking, axis=-1)
    after = np.maximum.accumulate(~lacking[..., ::-1], axis=-1)[..., ::-1]
    return before & after


def _require_equal_lengths(columns: Mapping[str, Any]) -> None:
    lengths = {}
    for name, column in columns.items():
        try:
            lengths[name] = len(column)
        except TypeError:
            raise DataError(f"{name} must be a list with one entry per event. Got {type(column).__name__}.") from None
    if len(set(lengths.values())) > 1:
        counted = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"The columns must be equally long, one entry per event. Lengths: {counted}.")


def _waveforms(values: Any, sampling_rate: float) -> NDArray[Any]:
    if not len(values):
        shape = values.shape if isinstance(values, np.ndarray) and values.ndim in {2, 3} else None
        return np.zeros(shape or (0, max(1, round(sampling_rate * _EMPTY_MS / 1000))), np.float32)
    try:
        raw = np.asarray(values)
    except ValueError:
        raw = np.empty(0, object)
    if raw.dtype == object:
        raise DataError(_ragged(values))
    if raw.dtype.kind not in "biuf":
        raise DataError(f"Waveforms must hold numbers. Got {raw.dtype}.")
    if raw.ndim not in {2, 3} or not raw.shape[-1]:
        raise DataError(f"Waveforms must hold a row of samples per event. Got the shape {raw.shape}.")
    return raw


def _ragged(values: Any) -> str:
    sizes = [np.size(waveform) for waveform in values]
    odd = next((row for row, size in enumerate(sizes) if size != sizes[0]), None)
    if odd is None:
        return "Waveforms must hold numbers only. Got something else among them."
    return f"Waveforms must be equally long. Row 0 has {sizes[0]} samples, row {odd} has {sizes[odd]}."


def _integers(values: Any, name: str, none: int | None = None) -> NDArray[Any]:
    """Return whole numbers; `none`, where given, stands for None and NaN."""
    if none is not None and not isinstance(values, np.ndarray):
        values = [none if value is None else value for value in values]
    try:
        array = np.asarray(values)
        if array.dtype == object:
            array = array.astype(np.float64)
    except (TypeError, ValueError):
        array = np.empty(0, object)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        if not values:
            return np.zeros(0, np.int32)
        raise DataError(f"{name} must hold one whole number per event. Got {_odd_one(values)!r}.")
    if array.dtype.kind == "f":
        if none is not None:
            array = np.where(np.isnan(array), none, array)
        wrong = np.flatnonzero(~np.isfinite(array) | (array != np.floor(array)))
        if len(wrong):
            raise DataError(f"{name} must hold one whole number per event. Row {wrong[0]} is {array[wrong[0]]}.")
    limits = np.iinfo(np.int32)
    wrong = np.flatnonzero((array < limits.min) | (array > limits.max))
    if len(wrong):
        raise DataError(f"{name} must hold numbers below {limits.max}. Row {wrong[0]} is {array[wrong[0]]}.")
    return array.astype(np.int32, copy=False)


def _odd_one(values: Any) -> Any:
    return next((value for value in values if not isinstance(value, (int, np.integer))), values[0])


def _times(values: Any, n: int) -> NDArray[np.float64]:
    if values is None or not n:
        return np.full(n, np.nan)
    try:
        times = np.asarray(values, np.float64)  # None becomes NaN
    except (TypeError, ValueError):
        raise DataError("TimeStamps must hold one number per event, NaN where unknown. Got something else.") from None
    if times.ndim != 1:
        raise DataError(f"TimeStamps must hold one number per event. Got the shape {times.shape}.")
    if np.isinf(times).any():
        raise DataError(f"TimeStamps must be finite. Row {np.flatnonzero(np.isinf(times))[0]} is infinite.")
    return times
