"""NWB: units with waveforms, and threshold crossings as SpikeEventSeries.

Read by HDF5 itself: the whole library takes seconds to start and follows links out of the file before we can look.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuralsorter.errors import LoadError
from neuralsorter.plugins import Loader
from neuralsorter.spikes import NO_UNIT, NOISE, Spikes, empty_triggers

from .codes import unsorted_everywhere
from .hdf5 import numbers, opened, text
from .remarks import remark

_UV_PER_V = 1e6
_VALUES_AT_ONCE = 4_000_000  # samples read together
_REMEDY = "Write it again with one waveform per spike"


class NwbLoader(Loader):
    """NWB 2: the Units table where it has waveforms, else every SpikeEventSeries."""

    suffixes: ClassVar[tuple[str, ...]] = (".nwb",)

    def load(self, path: Path) -> Spikes:
        """Return the events in the order of the recording."""
        with opened(path) as file:
            units = file.get("units")
            if units is not None and "waveforms" in units and "spike_times" in units:
                return _from_units(path, file, units)
            series = list(_series(file))
            if not series:
                raise LoadError(path, "holds no units with waveforms and no SpikeEventSeries", _REMEDY)
            return _from_series(path, file, series)


def _from_units(path: Path, file: Any, units: Any) -> Spikes:
    times = numbers(path, units["spike_times"], "spike_times", 1).astype(np.float64)
    of_row = _rows_of(path, units, "spike_times", len(times))
    n_rows = len(units["id"])
    columns = {name: _column(units, name, n_rows) for name in ("channel", "unit", "experiment", "segment")}
    quality = [text(value) for value in units["quality"][()]] if "quality" in units else [""] * n_rows
    channel = columns["channel"] if columns["channel"] is not None else _electrode_of(path, file, units, n_rows)
    unit = columns["unit"] if columns["unit"] is not None else _numbered(channel, quality)
    experiment, segment = (_or_zeros(columns[name], n_rows) for name in ("experiment", "segment"))
    place = _per_spike(units, "row", len(times))
    order = (
        np.lexsort((times, segment[of_row], experiment[of_row])) if place is None else np.argsort(place, kind="stable")
    )
    old_unit = _per_spike(units, "old_unit", len(times))
    of_row = of_row[order]
    rate = _rate(path, units["waveforms"].attrs)
    before = units["waveforms"].attrs.get("time_before_peak_in_ms")
    raw = _unit_waveforms(path, units, order)
    pairs = zip(channel.tolist(), unit.tolist(), quality, strict=True)
    return Spikes(
        raw=raw,
        times_s=times[order],
        channel=channel[of_row].astype(np.int32),
        unit=unit[of_row].astype(np.int32),
        experiment=experiment[of_row].astype(np.int32),
        segment=segment[of_row].astype(np.int32),
        old_unit=np.full(len(times), NO_UNIT, np.int32) if old_unit is None else old_unit[order].astype(np.int32),
        sampling_rate=rate,
        pre_samples=_pre_samples(before, rate, raw.shape[-1]),
        labels={(c, u): label for c, u, label in pairs if label and not (u == NOISE and label == "noise")},
        channels=_electrodes(file, channel),
        triggers=_triggers(file),
        sources=(str(path),) * int(experiment.max(initial=0) + 1),
    )


def _from_series(path: Path, file: Any, series: list[tuple[str, Any]]) -> Spikes:
    parts: list[tuple[int, NDArray[Any], NDArray[Any]]] = []
    for name, item in series:
        data = item["data"]
        raw = np.asarray(data[()], np.float64)
        raw = raw * float(data.attrs.get("conversion", 1.0)) + float(data.attrs.get("offset", 0.0))
        raw = raw[:, 0] if raw.ndim == 3 and raw.shape[1] == 1 else raw
        times = numbers(path, item["timestamps"], f"{name}/timestamps", 1)
        if len(raw) != len(times):
            raise LoadError(path, f"has {len(raw)} waveforms and {len(times)} times in {name}", _REMEDY)
        first = int(item["electrodes"][0]) if "electrodes" in item and len(item["electrodes"]) else len(parts)
        parts.append((_electrode_number(file, first), times, raw))
    if len({part[2].shape[1:] for part in parts}) > 1:
        raise LoadError(path, "has SpikeEventSeries of different windows", _REMEDY)
    remark("states no sampling rate of its SpikeEventSeries: 20000 Hz is assumed, with 1 ms before the crossing.")
    channel = np.concatenate([np.full(len(times), number, np.int32) for number, times, _ in parts])
    times = np.concatenate([part[1] for part in parts]).astype(np.float64)
    raw = np.concatenate([part[2] for part in parts]) * _UV_PER_V
    order = np.argsort(times, kind="stable")
    unit, labels = unsorted_everywhere(channel)
    return Spikes(
        raw=raw[order].astype(np.float32),
        times_s=times[order],
        channel=channel[order],
        unit=unit,
        experiment=np.zeros(len(times), np.int32),
        pre_samples=min(20, raw.shape[-1] - 1),
        labels=labels,
        channels=_electrodes(file, channel),
        triggers=_triggers(file),
        sources=(str(path),),
    )


def _series(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield every SpikeEventSeries in acquisition and processing, also inside an EventWaveform."""
    waiting = [file[name] for name in ("acquisition", "processing") if name in file]
    while waiting:
        group = waiting.pop(0)
        for name, item in group.items():
            kind = text(item.attrs.get("neurodata_type", ""))
            if kind == "SpikeEventSeries" and "data" in item and "timestamps" in item:
                yield name, item
            elif hasattr(item, "items") and kind in {"EventWaveform", "ProcessingModule", ""}:
                waiting.append(item)


def _rows_of(path: Path, units: Any, name: str, n: int) -> NDArray[np.int64]:
    """Return the table row of each value of an indexed column, (n,)."""
    ends = numbers(path, units[f"{name}_index"], f"{name}_index", 1).astype(np.int64)
    counts = np.diff(ends, prepend=0)
    if (counts < 0).any() or (ends[-1] if len(ends) else 0) != n or len(ends) != len(units["id"]):
        raise LoadError(path, f"has an index of {name} that does not fit its {n} values", _REMEDY)
    return np.repeat(np.arange(len(ends)), counts)


def _unit_waveforms(path: Path, units: Any, order: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return µV in order, (n_spikes, n_samples) or (n_spikes, n_electrodes, n_samples), without a second copy."""
    data, n = units["waveforms"], len(order)
    fits = len(data) == n if data.ndim == 3 else data.ndim == 2 and (n or not len(data)) and len(data) % max(n, 1) == 0
    if not fits or data.dtype.kind not in "iuf":
        raise LoadError(path, f"has {n} spike times and waveforms of shape {data.shape}", _REMEDY)
    width = len(data) // n if n and data.ndim == 2 else 1
    if "waveforms_index" in units and width > 1:
        counts = np.diff(units["waveforms_index"][()].astype(np.int64), prepend=0)
        if (counts != width).any():
            raise LoadError(path, "has waveforms of different numbers of electrodes", "Write such units to files apart")
    several = (data.shape[2],) if data.ndim == 3 else (width,) if width > 1 else ()
    raw = np.empty((n, *several, data.shape[1]), np.float32)
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    step = max(_VALUES_AT_ONCE // max(raw[:1].size, 1), 1)
    for start in range(0, n, step):
        part = np.asarray(data[start * width : (start + step) * width])
        part = np.moveaxis(part, 2, 1) if data.ndim == 3 else part.reshape(-1, *raw.shape[1:])
        raw[place[start : start + step]] = part  # spikes x samples x electrodes in the file
    raw *= np.float32(_uv_per(text(data.attrs.get("unit", "volts"))))
    return raw


def _column(units: Any, name: str, n_rows: int) -> NDArray[np.int64] | None:
    if name not in units or units[name].shape != (n_rows,) or units[name].dtype.kind not in "iu":
        return None
    return np.asarray(units[name][()], np.int64)


def _or_zeros(column: NDArray[np.int64] | None, n_rows: int) -> NDArray[np.int64]:
    return np.zeros(n_rows, np.int64) if column is None else column


def _per_spike(units: Any, name: str, n: int) -> NDArray[np.int64] | None:
    if f"{name}_index" not in units or units[name].shape != (n,):
        return None
    return np.asarray(units[name][()], np.int64)


def _electrode_of(path: Path, file: Any, units: Any, n_rows: int) -> NDArray[np.int64]:
    """Return the first electrode of each unit; where the table has none, one channel for all."""
    if "electrodes" not in units or "electrodes_index" not in units:
        return np.zeros(n_rows, np.int64)
    ends = numbers(path, units["electrodes_index"], "electrodes_index", 1).astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    region = numbers(path, units["electrodes"], "electrodes", 1)
    if len(ends) != n_rows or (starts >= len(region)).any():
        raise LoadError(path, "has an index of electrodes that does not fit", _REMEDY)
    return np.array([_electrode_number(file, int(region[start])) for start in starts], np.int64)


def _electrode_table(file: Any) -> Any:
    return file.get("general/extracellular_ephys/electrodes")


def _electrode_number(file: Any, row: int) -> int:
    table = _electrode_table(file)
    for name in ("channel", "id"):
        if table is not None and name in table and table[name].dtype.kind in "iu" and row < len(table[name]):
            return int(table[name][row])
    return row


def _numbered(channel: NDArray[np.int64], quality: list[str]) -> NDArray[np.int64]:
    """Give the units of each channel the numbers 1, 2, ...; noise is 0."""
    taken: dict[int, int] = {}
    numbered = np.zeros(len(channel), np.int64)
    for row, number in enumerate(channel.tolist()):
        if quality[row] != "noise":
            taken[number] = numbered[row] = taken.get(number, 0) + 1
    return numbered


def _rate(path: Path, attributes: Any) -> float:
    rate = float(attributes.get("sampling_rate", attributes.get("waveform_rate", 0.0)))
    if rate > 0:
        return rate
    raise LoadError(path, "states no sampling rate of its waveforms (waveform_rate)", "Write it again with the rate")


def _uv_per(unit: str) -> float:
    """Return µV per unit of the waveforms: volts unless they say otherwise."""
    spoken = unit.casefold()
    return {"microvolts": 1.0, "uv": 1.0, "µv": 1.0, "millivolts": 1e3, "mv": 1e3}.get(spoken, _UV_PER_V)


def _pre_samples(before_ms: Any, rate: float, n_samples: int) -> int:
    if before_ms is None:
        remark("states no time before the peak: 1 ms is assumed.")
        before_ms = 1.0
    return min(max(round(float(before_ms) * rate / 1000), 0), n_samples - 1)


def _electrodes(file: Any, channel: NDArray[Any]) -> pd.DataFrame:
    table, present = _electrode_table(file), np.unique(channel).astype(np.int64)
    known = pd.DataFrame({"id": present, "x_um": np.nan, "y_um": np.nan, "threshold_uv": np.nan})
    if table is None or "id" not in table:
        return known
    ids = [_electrode_number(file, row) for row in range(len(table["id"]))]
    for name, column in (("x_um", "rel_x"), ("y_um", "rel_y"), ("threshold_uv", "threshold_uv")):
        if column in table and table[column].dtype.kind == "f":
            values = dict(zip(ids, table[column][()].tolist(), strict=True))
            known[name] = np.array([values.get(number, np.nan) for number in present.tolist()], np.float64)
    return known


def _triggers(file: Any) -> pd.DataFrame:
    item = file.get("acquisition/triggers")
    if item is None or "timestamps" not in item or "data" not in item or item["data"].dtype.kind not in "iu":
        return empty_triggers()
    return pd.DataFrame(
        {"time_s": item["timestamps"][()].astype(np.float64), "code": item["data"][()].astype(np.int64)}
    )
